"""The audit trail on another server: what is late arrives, and orders never wait for it."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.audit import MemoryArchive, Trails, entries_of, open_trails
from tests.support.order_shop import on_virtual_time

from kessai.kernel.errors import Unknown
from kessai.order.domain.audit import first_break, merged
from kessai.proof.virtual_time import VirtualClock

ORDERS = [f"{n:026d}" for n in range(1, 6)]
LONG_S = 3600.0
LATE_MS = 30_000


async def a_world() -> tuple[Trails, MemoryArchive]:
    archive = MemoryArchive()
    trails = await open_trails(archive, VirtualClock())
    return trails, archive


def test_an_hour_away_and_everything_is_caught_up() -> None:
    @on_virtual_time
    async def story() -> None:
        trails, archive = await a_world()
        assert trails.archiving is not None
        looking = asyncio.ensure_future(trails.archiving.looking())
        archive.is_away = True
        for order_id in ORDERS:
            # Written where the archive cannot be asked.
            await trails.write(entries_of(order_id, 4, at=trails.now()))
            await asyncio.sleep(LONG_S / len(ORDERS))
        assert (archive.kept, trails.board.entries) == ({}, 20)
        with pytest.raises(Unknown, match="it is away"):
            await trails.read(ORDERS[0])
        archive.is_away = False
        await asyncio.sleep(60)
        assert len(archive.kept) == 20
        assert (await trails.count(), trails.board.entries) == (0, 0)
        assert not looking.done()

    story()


def test_only_what_is_late_is_looked_for() -> None:
    """The young are the business of their order's events."""

    @on_virtual_time
    async def story() -> None:
        trails, archive = await a_world()
        assert trails.archiving is not None
        await trails.grow(ORDERS[0], 2)
        assert await trails.archiving.look(LATE_MS) == 0
        await asyncio.sleep(31)
        await trails.grow(ORDERS[1], 2)
        assert await trails.archiving.look(LATE_MS) == 2
        assert {order_id for order_id, _ in archive.kept} == {ORDERS[0]}

    story()


def test_one_order_that_is_refused_does_not_hold_the_others_up() -> None:
    @on_virtual_time
    async def story() -> None:
        trails, archive = await a_world()
        assert trails.archiving is not None
        for order_id in ORDERS:
            await trails.grow(order_id, 1)
        archive.refuses = {ORDERS[1]}
        await asyncio.sleep(31)
        assert await trails.archiving.look(LATE_MS) == 4
        assert await trails.count() == 1

    story()


def test_more_orders_than_fit_into_one_page_are_found() -> None:
    @on_virtual_time
    async def story() -> None:
        trails, archive = await a_world()
        assert trails.archiving is not None
        for n in range(450):
            await trails.write(entries_of(f"{n:026d}", 1, at=trails.now()))
        await asyncio.sleep(31)
        assert await trails.archiving.look(LATE_MS) == 450
        assert len(archive.kept) == 450

    story()


def test_what_moved_between_two_reads_is_one_entry() -> None:
    entries = entries_of(ORDERS[0], 4)
    found = merged(entries[:3], entries[1:])
    assert found == entries
    assert first_break(found, 4, entries[-1].hash) is None


def test_two_entries_in_one_place_break_the_chain_there() -> None:
    entries, forged = entries_of(ORDERS[0], 3), entries_of(ORDERS[0], 2, forged=True)
    assert first_break(merged([forged[1]], entries), 3, entries[-1].hash) in (2, 3)
