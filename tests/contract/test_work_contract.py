"""Leases, due work, keys, inbox and outbox promise the same on every database, to two processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Column, Index, Integer, MetaData, Table, bindparam, insert, select, text
from tests.support.kernel import FlakyBus, eventually
from tests.support.mariadb import MARIADB, server

from kessai.kernel import inbox
from kessai.kernel.clock import SystemClock
from kessai.kernel.db import Db, MySqlDb, MySqlLimits, Tx, open_database
from kessai.kernel.errors import Duplicate, Fenced, Refused, Unknown
from kessai.kernel.idempotency import Began, Beginning, InFlight, Replay, answer, begin
from kessai.kernel.kernel_tables import KERNEL
from kessai.kernel.leases import Due, DueWork, Lease, check, claim, due_columns, release, renew
from kessai.kernel.outbox import Outbox, OutboxLimits

T = TypeVar("T")
METADATA = MetaData()
JOB = Table(
    "job",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("done", Integer, nullable=False, server_default=text("0")),
    *due_columns(),
)
Index("ix_job_due", JOB.c.due_at_ms, JOB.c.id)
WORK = DueWork(JOB)
ADD = insert(JOB)
JOBS = select(JOB).order_by(JOB.c.id)
DONE = JOB.update().where(JOB.c.id == bindparam("job_id")).values(done=JOB.c.done + 1)
OUTBOX = OutboxLimits(batch=10, fallback_poll_s=0.05, lease_s=1.0, mark_after_s=0.02)


@dataclass
class World:
    """Two processes' databases on the same tables."""

    one: Db
    two: Db


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=MARIADB)])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    async def open_one() -> Db:
        if request.param == "mariadb":
            return MySqlDb(url, limits=MySqlLimits(writers=4, readers=2))
        return await open_database(url)

    url = f"sqlite:///{tmp_path}/work.db"
    if request.param == "mariadb":
        url = server().url(server().fresh_schema())
    made = World(await open_one(), await open_one())
    made.one.migrate(KERNEL.create_all)
    made.one.migrate(METADATA.create_all)
    yield made
    await made.one.close()
    await made.two.close()


async def within(db: Db, act: Callable[[Tx], Awaitable[T]]) -> T:
    """As a caller does: what lost against another process is done again as a whole."""
    while True:
        try:
            async with db.transaction() as tx:
                return await act(tx)
        except Unknown:
            await asyncio.sleep(0.01)


async def take(db: Db, owner: str, now_ms: int) -> Lease | None:
    return await within(db, lambda tx: claim(tx, "relay", owner, 100, now_ms))


async def test_of_many_who_claim_at_once_one_holds(world: World) -> None:
    for round_ in range(5):
        now_ms = 1000 + round_ * 1000
        held = await asyncio.gather(
            *(take(db, f"{name}{n}", now_ms) for n in range(4) for name, db in named(world))
        )
        leases = [lease for lease in held if lease is not None]
        assert [lease.fence for lease in leases] == [round_ + 1]


def named(world: World) -> Sequence[tuple[str, Db]]:
    return (("one", world.one), ("two", world.two))


async def test_a_lease_is_renewed_released_and_taken_over(world: World) -> None:
    taken = await take(world.one, "a", 1000)
    assert taken == Lease("relay", "a", 1, 1100)
    lease = await within(world.one, lambda tx: renew(tx, taken, 100, 1090))
    assert await take(world.two, "b", 1189) is None
    heir = await take(world.two, "b", 1190)
    assert heir == Lease("relay", "b", 2, 1290)
    with pytest.raises(Fenced):
        await within(world.one, lambda tx: renew(tx, lease, 100, 1191))
    await within(world.two, lambda tx: release(tx, heir))
    assert await take(world.one, "a", 1200) == Lease("relay", "a", 3, 1300)


async def test_a_zombies_whole_transaction_is_undone(world: World) -> None:
    zombie, heir = await take(world.one, "a", 1000), await take(world.two, "b", 2000)
    assert zombie is not None
    assert heir is not None
    for db, lease in ((world.one, zombie), (world.two, heir)):
        try:
            async with db.transaction() as tx:
                await tx.run(ADD, {"id": lease.fence})
                await check(tx, lease)
        except Fenced:
            assert lease is zombie
    async with world.one.read() as tx:
        assert [row["id"] for row in (await tx.run(JOBS)).all()] == [heir.fence]


async def due(db: Db, owner: str, now_ms: int, limit: int) -> list[Due]:
    def claim_due(tx: Tx) -> Awaitable[list[Due]]:
        return WORK.claim_due(tx, owner=owner, lease_ms=100, now_ms=now_ms, limit=limit)

    return await within(db, claim_due)


async def finish(db: Db, job: Due) -> None:
    async def act(tx: Tx) -> None:
        await tx.run(DONE, {"job_id": job.id})
        await WORK.finish(tx, job, next_ms=None)

    await within(db, act)


async def test_work_is_shared_without_overlap_and_the_dead_finish_nothing(world: World) -> None:
    rows = [{"id": n, "due_at_ms": n} for n in range(1, 61)]
    await within(world.one, lambda tx: tx.run(ADD, rows))
    dead = await due(world.one, "dead", 1000, 5)
    assert [job.id for job in dead] == [1, 2, 3, 4, 5]

    async def work(db: Db, owner: str) -> list[int]:
        mine: list[int] = []
        while jobs := await due(db, owner, 2000, 3):
            for job in jobs:
                await finish(db, job)
                mine.append(int(str(job.id)))
        return mine

    shares = await asyncio.gather(
        *(work(db, f"{name}-{n}") for n in range(3) for name, db in named(world))
    )
    assert sorted(job for share in shares for job in share) == list(range(1, 61))
    for job in dead:
        with pytest.raises(Fenced):
            await finish(world.one, job)
    async with world.two.read() as tx:
        assert {row["done"] for row in (await tx.run(JOBS)).all()} == {1}


async def ask(db: Db, *, key: str = "k1", body: str = "h1", order: str = "order-1") -> Beginning:
    return await within(db, lambda tx: begin(tx, "user-1", key, body, order, 1000))


async def test_of_two_who_use_a_key_at_once_one_begins(world: World) -> None:
    for n in range(10):
        begun = await asyncio.gather(
            *(ask(db, key=f"k{n}", order=f"order-{name}") for name, db in named(world))
        )
        (first,) = (one for one in begun if isinstance(one, Began))
        (second,) = (one for one in begun if isinstance(one, InFlight))
        assert first.subject_id == second.subject_id


async def test_a_key_is_answered_word_by_word_and_spelt_exactly(world: World) -> None:
    await ask(world.one)
    words = '{"code":"売り切れ"}'
    await within(
        world.one,
        lambda tx: answer(tx, "user-1", "k1", status_code=409, answer=words, now_ms=1500),
    )
    assert await ask(world.two) == Replay("order-1", 409, words)
    assert await ask(world.two, key="K1", order="order-2") == Began("order-2")
    with pytest.raises(Refused) as refused:
        await ask(world.two, body="h2")
    assert refused.value.code == "IDEMPOTENCY_CONFLICT"


async def test_an_event_counts_once_for_a_consumer_whoever_hears_it(world: World) -> None:
    async def hear(db: Db, event: str) -> bool:
        return await within(db, lambda tx: inbox.first_time(tx, "order.payments", event, 1000))

    for n in range(10):
        heard = await asyncio.gather(*(hear(db, f"e{n}") for _, db in named(world)))
        assert sorted(heard) == [False, True]
    # Keys differ by their case.
    assert await hear(world.one, "E1")


async def test_what_was_undone_was_never_heard(world: World) -> None:
    with suppress(ZeroDivisionError):
        async with world.one.transaction() as tx:
            assert await inbox.first_time(tx, "order.payments", "e1", 1000)
            raise ZeroDivisionError
    async with world.two.transaction() as tx:
        assert await inbox.first_time(tx, "order.payments", "e1", 1000)


async def test_two_relays_publish_everything_in_each_keys_order(world: World) -> None:
    """Each process writes and relays; the one that dies leaves nothing behind."""
    bus, clock = FlakyBus(), SystemClock()
    boxes = [
        Outbox(db, bus, clock, service="order-service", owner=name, limits=OUTBOX)
        for name, db in named(world)
    ]
    relays = [asyncio.create_task(box.relay()) for box in boxes]
    for n in range(40):
        box, (_, db) = boxes[n % 2], named(world)[n % 2]
        word = f"{n:02d}"

        async def say(tx: Tx, box: Outbox = box, word: str = word) -> None:
            await box.add(tx, "orders", "key", word.encode(), event_id=f"id-{word}")

        await within(db, say)
        if n == 20:
            relays[0].cancel()
            await asyncio.gather(relays[0], return_exceptions=True)
    expected = [f"{n:02d}" for n in range(40)]
    await eventually(lambda: distinct(bus) == expected, within_s=20)
    relays[1].cancel()
    await asyncio.gather(*relays, return_exceptions=True)


def distinct(bus: FlakyBus) -> list[str]:
    """What may come twice counts where it came first."""
    return list(dict.fromkeys(message.value.decode() for message in bus.taken))


async def test_a_row_that_is_there_is_a_duplicate(world: World) -> None:
    await within(world.one, lambda tx: tx.run(ADD, {"id": 1}))
    with pytest.raises(Duplicate):
        await within(world.two, lambda tx: tx.run(ADD, {"id": 1}))
