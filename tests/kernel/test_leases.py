"""One holder at a time; who lost the lease cannot write; due work is done exactly once."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import (
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    insert,
    select,
    text,
)
from sqlalchemy.dialects import mysql, sqlite
from tests.support.kernel import a_database

from kessai.kernel.db import Db, open_database
from kessai.kernel.errors import Fenced
from kessai.kernel.leases import (
    Due,
    DueWork,
    Lease,
    check,
    claim,
    due_columns,
    release,
    renew,
)

METADATA = MetaData()
JOB = Table(
    "job",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("kind", String(10), nullable=False, server_default=text("'poll'")),
    Column("done", Integer, nullable=False, server_default=text("0")),
    *due_columns(),
)
Index("ix_job_due", JOB.c.due_at_ms, JOB.c.id)
WORK = DueWork(JOB)
POLLS = DueWork(JOB, where=text("kind = 'poll'"))
ADD = insert(JOB)
JOBS = select(JOB).order_by(JOB.c.id)
DONE = JOB.update().where(JOB.c.id == bindparam("job_id")).values(done=JOB.c.done + 1)


async def take(db: Db, owner: str, now_ms: int, ttl_ms: int = 100) -> Lease | None:
    async with db.transaction() as tx:
        return await claim(tx, "relay", owner, ttl_ms, now_ms)


async def test_a_lease_has_one_holder_until_it_ends() -> None:
    db = await a_database()
    assert await take(db, "a", 1000) == Lease("relay", "a", 1, 1100)
    assert await take(db, "b", 1099) is None
    assert await take(db, "b", 1100) == Lease("relay", "b", 2, 1200)
    async with db.transaction() as tx:
        assert await claim(tx, "other", "a", 100, 1000) == Lease("other", "a", 1, 1100)


async def test_a_renewed_lease_lasts_and_a_released_one_is_free_at_once() -> None:
    db = await a_database()
    lease = await take(db, "a", 1000)
    assert lease is not None
    async with db.transaction() as tx:
        lease = await renew(tx, lease, 100, 1090)
    assert lease == Lease("relay", "a", 1, 1190)
    assert await take(db, "b", 1150) is None
    async with db.transaction() as tx:
        await release(tx, lease)
    assert await take(db, "b", 1151) == Lease("relay", "b", 2, 1251)


async def test_a_restart_under_the_same_name_takes_over_at_once_and_fences_the_elder() -> None:
    db = await a_database()
    elder = await take(db, "a", 1000)
    assert elder is not None
    assert await take(db, "a", 1001) == Lease("relay", "a", 2, 1101)
    with pytest.raises(Fenced):
        async with db.transaction() as tx:
            await check(tx, elder)


async def test_a_zombies_whole_transaction_is_undone() -> None:
    db = await a_database()
    db.migrate(METADATA.create_all)
    zombie = await take(db, "a", 1000)
    heir = await take(db, "b", 2000)
    assert zombie is not None
    assert heir is not None
    for lease in (zombie, heir):
        try:
            async with db.transaction() as tx:
                await tx.run(ADD, {"id": lease.fence})
                await check(tx, lease)
        except Fenced:
            assert lease is zombie
    with pytest.raises(Fenced):
        async with db.transaction() as tx:
            await renew(tx, zombie, 100, 2000)
    async with db.transaction() as tx:
        await release(tx, zombie)
        await check(tx, heir)
    async with db.read() as tx:
        assert [row["id"] for row in (await tx.run(JOBS)).all()] == [heir.fence]


async def jobs_db(*due_at_ms: int | None) -> Db:
    db = await open_database("sqlite:")
    db.migrate(METADATA.create_all)
    async with db.transaction() as tx:
        for job_id, due in enumerate(due_at_ms, start=1):
            await tx.run(ADD, {"id": job_id, "due_at_ms": due})
    return db


async def due(
    db: Db, owner: str, now_ms: int, *, limit: int = 10, work: DueWork = WORK
) -> list[Due]:
    async with db.transaction() as tx:
        return await work.claim_due(tx, owner=owner, lease_ms=100, now_ms=now_ms, limit=limit)


async def test_the_longest_due_come_first_and_what_is_not_due_waits() -> None:
    db = await jobs_db(500, 300, None, 900, 300)
    assert [job.id for job in await due(db, "a", 600, limit=2)] == [2, 5]
    assert [job.id for job in await due(db, "b", 600)] == [1]
    assert await due(db, "b", 600) == []


async def test_work_of_a_dead_worker_is_taken_again_and_its_late_result_is_refused() -> None:
    db = await jobs_db(500)
    [dead] = await due(db, "a", 600)
    assert (dead.fence, dead.row["lease_fence"]) == (1, 0)
    assert await due(db, "b", 699) == []
    [heir] = await due(db, "b", 700)
    assert heir.fence == 2
    with pytest.raises(Fenced):
        await finish(db, dead)
    with pytest.raises(Fenced):
        async with db.transaction() as tx:
            await WORK.renew(tx, dead, lease_ms=100, now_ms=700)
    async with db.transaction() as tx:
        await tx.run(DONE, {"job_id": 1})
        await WORK.finish(tx, heir, next_ms=None)
    async with db.read() as tx:
        [row] = (await tx.run(JOBS)).all()
    assert (row["done"], row["due_at_ms"], row["lease_owner"]) == (1, None, None)


async def test_renewed_work_is_not_taken_and_finished_work_comes_back_when_due() -> None:
    db = await jobs_db(500)
    [job] = await due(db, "a", 600)
    async with db.transaction() as tx:
        await WORK.renew(tx, job, lease_ms=100, now_ms=650)
    assert await due(db, "b", 749) == []
    async with db.transaction() as tx:
        await WORK.finish(tx, job, next_ms=800)
    with pytest.raises(Fenced):
        async with db.transaction() as tx:
            await WORK.renew(tx, job, lease_ms=100, now_ms=750)
    assert await due(db, "b", 799) == []
    assert [(job.id, job.fence) for job in await due(db, "b", 800)] == [(1, 2)]


async def test_a_worker_may_take_one_kind_only() -> None:
    db = await jobs_db(500)
    async with db.transaction() as tx:
        await tx.run(ADD, {"id": 2, "kind": "expire", "due_at_ms": 400})
    assert [job.id for job in await due(db, "a", 600, work=POLLS)] == [1]


async def test_the_database_does_not_sort_and_does_not_scan() -> None:
    db = await jobs_db(500)
    query = str(
        WORK._select.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": False})
    )
    async with db.read() as tx:
        plan = await tx.run(
            text(f"EXPLAIN QUERY PLAN {query.replace('?', '9')}"),
        )
    steps = [row["detail"] for row in plan.all()]
    assert steps == ["SEARCH job USING INDEX ix_job_due (due_at_ms<?)"]


def test_on_mysql_rows_of_other_workers_are_skipped_and_not_waited_for() -> None:
    query = str(WORK._select.compile(dialect=mysql.dialect()))
    assert query.endswith("ORDER BY job.due_at_ms, job.id \n LIMIT %s FOR UPDATE SKIP LOCKED")


@dataclass
class Worker:
    """Takes work and finishes it later, or dies with it (its lease then runs out)."""

    name: str
    hands: list[Due] = field(default_factory=list)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["take", "finish", "die", "wait"]),
        st.integers(0, 2),
        st.integers(1, 4),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(jobs=st.lists(st.integers(0, 300), min_size=1, max_size=12), steps=STEPS)
def test_each_job_counts_exactly_once_whoever_dies(
    jobs: list[int], steps: list[tuple[str, int, int]]
) -> None:
    asyncio.run(every_job_once(jobs, steps))


async def every_job_once(jobs: list[int], steps: list[tuple[str, int, int]]) -> None:
    db = await jobs_db(*jobs)
    workers = [Worker("a"), Worker("b"), Worker("c")]
    zombies: list[Due] = []
    now_ms = 0
    for action, who, amount in steps:
        worker = workers[who]
        if action == "take":
            worker.hands += await due(db, worker.name, now_ms, limit=amount)
        elif action == "finish" and worker.hands:
            await finish_if_mine(db, worker.hands.pop(0))
        elif action == "die":
            zombies += worker.hands
            worker.hands = []
        else:
            now_ms += amount * 40
    while rest := await due(db, "last", now_ms := now_ms + 400):
        for job in rest:
            await finish_if_mine(db, job)
    # The dead come back and try to write their results after all.
    for job in zombies + [job for worker in workers for job in worker.hands]:
        await finish_if_mine(db, job)
    async with db.read() as tx:
        done = Counter({row["id"]: row["done"] for row in (await tx.run(JOBS)).all()})
    await db.close()
    assert done == Counter(range(1, len(jobs) + 1))


async def finish(db: Db, job: Due) -> None:
    async with db.transaction() as tx:
        await tx.run(DONE, {"job_id": job.id})
        await WORK.finish(tx, job, next_ms=None)


async def finish_if_mine(db: Db, job: Due) -> None:
    with suppress(Fenced):
        await finish(db, job)


async def test_workers_of_two_processes_share_the_work_without_overlap(tmp_path: object) -> None:
    url = f"sqlite:///{tmp_path}/jobs.db"
    dbs = [await open_database(url) for _ in range(2)]
    dbs[0].migrate(METADATA.create_all)
    async with dbs[0].transaction() as tx:
        await tx.run(ADD, [{"id": n, "due_at_ms": n} for n in range(1, 101)])

    async def work(db: Db, owner: str) -> list[object]:
        mine = []
        while jobs := await due(db, owner, 1000, limit=3):
            for job in jobs:
                await finish(db, job)
                mine.append(job.id)
        return mine

    shares = await asyncio.gather(
        *(work(db, f"{n}-{k}") for n, db in enumerate(dbs) for k in range(3))
    )
    assert sorted(str(job) for share in shares for job in share) == sorted(
        str(n) for n in range(1, 101)
    )
    for db in dbs:
        await db.close()
