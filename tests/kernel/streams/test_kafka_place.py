"""Who holds no partition for long asks whether the group knows it, and begins anew if not."""

from __future__ import annotations

from collections.abc import Container

import pytest
from tests.support.web import StillClock

from kessai.kernel.kafka_bus.errors import BusUnavailable
from kessai.kernel.streams.kafka_place import Place
from kessai.kernel.streams.kafka_txn import MustRestart

SILENT_S = 30.0


class Group:
    def __init__(self, *members: str) -> None:
        self.members = set(members)
        self.asked = 0
        self.is_away = False

    def __call__(self) -> Container[str]:
        self.asked += 1
        if self.is_away:
            raise BusUnavailable("away")
        return self.members


def a_place(group: Group) -> tuple[Place, StillClock]:
    clock = StillClock()
    return Place("a", group, clock, silent_s=SILENT_S), clock


def test_who_holds_partitions_asks_nobody() -> None:
    group = Group("b")
    place, clock = a_place(group)
    for _ in range(5):
        clock.pass_s(SILENT_S)
        place.require(holds=True)
    assert group.asked == 0


def test_who_is_one_too_many_is_known_and_waits() -> None:
    group = Group("a", "b")
    place, clock = a_place(group)
    for _ in range(30):
        clock.pass_s(SILENT_S / 10)
        place.require(holds=False)
    assert group.asked == 3


def test_who_is_known_no_more_begins_anew() -> None:
    place, clock = a_place(Group("b"))
    clock.pass_s(SILENT_S - 1)
    place.require(holds=False)
    clock.pass_s(1)
    with pytest.raises(MustRestart, match="does not know it"):
        place.require(holds=False)


def test_of_a_group_that_cannot_be_asked_nothing_is_concluded() -> None:
    group = Group("b")
    group.is_away = True
    place, clock = a_place(group)
    clock.pass_s(SILENT_S)
    place.require(holds=False)
    group.is_away = False
    place.require(holds=False)
    clock.pass_s(SILENT_S)
    with pytest.raises(MustRestart):
        place.require(holds=False)


def test_the_time_without_begins_with_the_last_partition() -> None:
    group = Group("b")
    place, clock = a_place(group)
    clock.pass_s(10 * SILENT_S)
    place.require(holds=True)
    clock.pass_s(SILENT_S / 2)
    place.require(holds=False)
    assert group.asked == 0
