"""Every audit trail keeps the same promises: with the orders, and moved to an archive.

The archives are the fake of other tests and MongoDB itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from tests.support.audit import MemoryArchive, Trails, entries_of, open_trails
from tests.support.mongo import a_database
from tests.support.servers import server_url

from kessai.kernel.clock import SystemClock
from kessai.kernel.errors import JsonValue
from kessai.kernel.ids import content_id
from kessai.order.application.ports import AuditArchive, AuditRefused
from kessai.order.domain.audit import first_break
from kessai.order.gateway.archive import MongoAuditArchive

ORDER, OTHER = "0" * 25 + "a", "0" * 25 + "b"
MONGODB = pytest.param("mongodb", marks=pytest.mark.stack)


@asynccontextmanager
async def opened(kind: str) -> AsyncIterator[AuditArchive]:
    if kind == "memory":
        yield MemoryArchive()
        return
    async with a_database(server_url("KESSAI_AUDIT_URL")) as database:
        archive = MongoAuditArchive(database)
        await archive.prepare()
        yield archive


@pytest.fixture(params=["memory", MONGODB])
async def archive(request: pytest.FixtureRequest) -> AsyncIterator[AuditArchive]:
    async with opened(request.param) as made:
        yield made


@pytest.fixture(params=["sql", "memory", MONGODB])
async def trails(request: pytest.FixtureRequest) -> AsyncIterator[Trails]:
    async with AsyncExitStack() as stack:
        archive: AuditArchive | None = None
        if request.param != "sql":
            archive = await stack.enter_async_context(opened(request.param))
        made = await open_trails(archive, SystemClock())
        stack.push_async_callback(made.db.close)
        yield made


async def test_what_was_written_is_read_before_and_after_it_moves(trails: Trails) -> None:
    written = await trails.grow(ORDER, 3)
    assert await trails.read(ORDER) == written
    await trails.move(ORDER)
    assert await trails.read(ORDER) == written
    written += await trails.grow(ORDER, 2)
    assert await trails.read(ORDER) == written
    await trails.move(ORDER)
    assert await trails.read(ORDER) == written


async def test_orders_do_not_share(trails: Trails) -> None:
    mine, yours = await trails.grow(ORDER, 2), await trails.grow(OTHER, 3)
    await trails.move(ORDER)
    assert (await trails.read(ORDER), await trails.read(OTHER)) == (mine, yours)
    assert await trails.read("0" * 25 + "c") == []


@pytest.mark.parametrize(
    "values",
    [
        {"reason": '引用"符\\\n\t\u2028 ﷽ 🍵', "empty": "", "none": None, "yes": True},
        {"amount": 2**53 + 1, "negative": -1, "share": 0.1, "zero": 0},
        {"nested": {"list": [1, [2, {"three": None}]], "a.b": 1, "$where": "1"}},
        {"text": "x" * 60_000},
    ],
)
async def test_the_seal_holds_whatever_an_entry_says(
    trails: Trails, values: dict[str, JsonValue]
) -> None:
    written = await trails.grow(ORDER, 2, **values)
    await trails.move(ORDER)
    found = await trails.read(ORDER)
    assert first_break(found, 2, written[-1].hash) is None
    assert found[0].details == values


async def test_entries_stand_in_sequence_beyond_ten(trails: Trails) -> None:
    written = await trails.grow(ORDER, 1)
    for _ in range(11):
        written += await trails.grow(ORDER, 1)
        await trails.move(ORDER)
    assert [one.sequence for one in await trails.read(ORDER)] == list(range(1, 13))
    assert first_break(await trails.read(ORDER), 12, written[-1].hash) is None


async def test_moving_again_and_side_by_side_changes_nothing(trails: Trails) -> None:
    written = await trails.grow(ORDER, 5)
    await asyncio.gather(*(trails.move(ORDER) for _ in range(5)))
    assert await trails.read(ORDER) == written
    await trails.move(ORDER)
    assert await trails.read(ORDER) == written


async def test_a_crash_before_the_rows_were_forgotten_doubles_nothing(trails: Trails) -> None:
    """They are moved again: once more what is there already, and what is new."""
    written = await trails.grow(ORDER, 3)
    if trails.archiving is not None:
        await trails.move(ORDER)
        await trails.write(written)
    written += await trails.grow(ORDER, 1)
    await trails.move(ORDER)
    assert await trails.read(ORDER) == written


async def test_an_archive_keeps_the_first_and_refuses_another(archive: AuditArchive) -> None:
    first, other = entries_of(ORDER, 2), entries_of(ORDER, 3, forged=True)
    await archive.keep(first)
    await archive.keep(first)
    with pytest.raises(AuditRefused):
        await archive.keep(other)
    found = sorted(await archive.read(ORDER), key=lambda one: one.sequence)
    assert found[:2] == first


async def test_what_an_archive_refuses_waits_and_breaks_the_chain(archive: AuditArchive) -> None:
    trails = await open_trails(archive, SystemClock())
    forged = entries_of(ORDER, 1, forged=True)
    await archive.keep(forged)
    written = entries_of(ORDER, 1)
    await trails.write(written)
    with pytest.raises(AuditRefused):
        await trails.move(ORDER)
    assert await trails.count() == 1
    found = await trails.read(ORDER)
    assert {one.hash for one in found} == {forged[0].hash, written[0].hash}
    assert first_break(found, 1, written[0].hash) is not None
    await trails.db.close()


async def test_many_orders_at_once(trails: Trails) -> None:
    orders = [f"{content_id('order', str(n))}{'0' * 26}"[:26] for n in range(40)]
    for order_id in orders:
        await trails.grow(order_id, 4)
    await asyncio.gather(*(trails.move(order_id) for order_id in orders))
    for order_id in orders:
        assert [one.sequence for one in await trails.read(order_id)] == [1, 2, 3, 4]
