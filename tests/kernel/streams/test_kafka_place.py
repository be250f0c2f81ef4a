"""Who is not let into its group for long begins anew, unless the broker is away."""

from __future__ import annotations

import pytest
from tests.support.web import StillClock

from kessai.kernel.streams.kafka_place import Place
from kessai.kernel.streams.kafka_txn import MustRestart

SILENT_S = 30.0


class Broker:
    def __init__(self, *, is_there: bool = True) -> None:
        self.is_there = is_there
        self.asked = 0

    def __call__(self) -> bool:
        self.asked += 1
        return self.is_there


def a_place(broker: Broker) -> tuple[Place, StillClock]:
    clock = StillClock()
    return Place(broker, clock, silent_s=SILENT_S), clock


def test_who_was_told_its_part_asks_nobody() -> None:
    broker = Broker()
    place, clock = a_place(broker)
    for _ in range(5):
        clock.pass_s(SILENT_S)
        place.require(assigned=True)
    assert broker.asked == 0


def test_who_is_not_let_in_begins_anew() -> None:
    place, clock = a_place(Broker())
    clock.pass_s(SILENT_S - 1)
    place.require(assigned=False)
    clock.pass_s(1)
    with pytest.raises(MustRestart, match="not let into its group"):
        place.require(assigned=False)


def test_while_the_broker_is_away_nothing_is_concluded() -> None:
    broker = Broker(is_there=False)
    place, clock = a_place(broker)
    for _ in range(30):
        clock.pass_s(SILENT_S / 10)
        place.require(assigned=False)
    assert broker.asked == 3
    broker.is_there = True
    clock.pass_s(SILENT_S)
    with pytest.raises(MustRestart):
        place.require(assigned=False)


def test_the_time_begins_with_the_last_partition() -> None:
    broker = Broker()
    place, clock = a_place(broker)
    clock.pass_s(10 * SILENT_S)
    place.require(assigned=True)
    clock.pass_s(SILENT_S / 2)
    place.require(assigned=False)
    assert broker.asked == 0
