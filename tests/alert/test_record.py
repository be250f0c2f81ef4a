"""Alerts from the bus become rows: once each, whatever comes twice, late or the other way round."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.alert import AT_MS, AlertRoom, a_room, raised, resolved
from tests.support.mariadb import MARIADB, server

from kessai.contracts.alert import (
    AlertRaised,
    AlertResolved,
    AlertRow,
    AlertStatus,
    ChangesAfter,
    ListAlerts,
)
from kessai.kernel.db import MySqlDb, MySqlLimits, open_database


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=MARIADB)])
async def rooms(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[AlertRoom, AlertRoom]]:
    """Two processes on the same tables."""
    if request.param == "mariadb":
        url = server().url(server().fresh_schema())
        one, two = (MySqlDb(url, limits=MySqlLimits(writers=4, readers=2)) for _ in range(2))
        found = (a_room(one), a_room(two))
    else:
        url = f"sqlite:///{tmp_path}/alerts.db"
        found = (a_room(await open_database(url)), a_room(await open_database(url)))
    yield found
    for room in found:
        await room.db.close()


async def test_however_often_and_in_whatever_order_it_is_told_it_is_one_row(
    rooms: tuple[AlertRoom, AlertRoom],
) -> None:
    room, _ = rooms
    for number, deliveries in enumerate(itertools.permutations([0, 0, 1, 1])):
        opened = raised(episode=f"e{number}", paymentSuccessCount=1)
        events: list[AlertRaised | AlertResolved] = [opened, resolved(opened)]
        for index in deliveries:
            await room.book.record(events[index])
        row = (await room.detail(opened.alert_id)).alert
        assert (row.status, row.resolved_by, row.count) == ("RESOLVED", "system", 1), deliveries
        assert [what for what, *_ in await room.history(opened.alert_id)] == ["RAISED", "RESOLVED"]


async def test_two_processes_that_are_told_at_once_make_one_row_and_tell_it_once(
    rooms: tuple[AlertRoom, AlertRoom],
) -> None:
    one, two = rooms
    opened = raised("C", paymentSuccessCount=2)
    await asyncio.gather(*(room.book.record(opened) for room in (one, two) * 3))
    assert len(one.told) + len(two.told) == 1
    await asyncio.gather(*(room.book.record(resolved(opened)) for room in (one, two) * 3))
    page = await one.desk.list_alerts(ListAlerts())
    assert [(row.alert_id, row.status) for row in page.alerts] == [(opened.alert_id, "RESOLVED")]
    assert [status for _, status in _told(one, two)] == [AlertStatus.NEW, AlertStatus.RESOLVED]


def _told(*rooms: AlertRoom) -> list[tuple[str, AlertStatus]]:
    found = [(one.id, one.status) for room in rooms for one in room.told]
    return sorted(found, key=lambda told: told[1] is AlertStatus.RESOLVED)


async def test_more_evidence_counts_and_an_older_repeat_does_not(
    rooms: tuple[AlertRoom, AlertRoom],
) -> None:
    room, _ = rooms
    first = raised("C", paymentSuccessCount=2)
    third = first.model_copy(
        update={
            "occurred_at": "2027-01-15T08:00:09.000Z",
            "facts": {"paymentSuccessCount": 3},
        }
    )
    for event in (first, third, first):
        await room.book.record(event)
    detail = await room.detail(first.alert_id)
    assert (detail.alert.count, detail.facts) == (3, {"paymentSuccessCount": 3})
    assert detail.alert.last_seen == "2027-01-15T08:00:09.000Z"


async def test_changes_are_numbered_in_the_order_of_their_commits(
    rooms: tuple[AlertRoom, AlertRoom],
) -> None:
    """Whoever has seen a number has seen, or sees later, every change: none slips in before it."""
    one, two = rooms
    opened = [raised(episode=f"e{n}", at_ms=AT_MS + n) for n in range(24)]
    seen: dict[str, str] = {}
    cursor = 0
    done = asyncio.Event()

    async def write(room: AlertRoom, mine: list[int]) -> None:
        for n in mine:
            await room.book.record(opened[n])
            await room.book.record(resolved(opened[n]))

    async def follow() -> None:
        nonlocal cursor
        last = False
        while not last:
            last = done.is_set()
            page = await two.desk.list_changes(ChangesAfter(after=cursor, limit=5))
            assert all(row.change > cursor for row in page.alerts)
            seen.update({row.alert_id: row.status.value for row in page.alerts})
            cursor = page.change
            last = last and not page.alerts
            await asyncio.sleep(0)

    following = asyncio.ensure_future(follow())
    halves = (list(range(12)), list(range(12, 24)))
    await asyncio.gather(write(one, halves[0]), write(two, halves[1]))
    done.set()
    await following
    assert seen == {event.alert_id: "RESOLVED" for event in opened}
    assert (await one.desk.list_changes(ChangesAfter())).change == cursor


async def test_a_page_goes_on_where_it_ended_and_filters_hold(
    rooms: tuple[AlertRoom, AlertRoom],
) -> None:
    room, _ = rooms
    for n in range(7):
        # Three of each moment: the id decides between them.
        event = raised("AC"[n % 2], episode=f"e{n}", at_ms=AT_MS + n // 3)
        await room.book.record(event)
    whole = await room.desk.list_alerts(ListAlerts(limit=200))
    paged: list[AlertRow] = []
    cursor: str | None = None
    while True:
        page = await room.desk.list_alerts(ListAlerts(limit=2, cursor=cursor))
        paged += page.alerts
        cursor = page.cursor
        if cursor is None:
            break
    assert paged == list(whole.alerts)
    assert [row.detected_at for row in paged] == sorted(
        (row.detected_at for row in paged), reverse=True
    )
    of_rule = await room.desk.list_alerts(ListAlerts(rule="C", severity="P1"))
    assert {row.rule for row in of_rule.alerts} == {"C"}
    assert len(of_rule.alerts) == 3
    assert (await room.desk.list_alerts(ListAlerts(status=AlertStatus.RESOLVED))).alerts == ()
    assert (await room.desk.list_alerts(ListAlerts(order_id="0" * 26))).alerts == ()
