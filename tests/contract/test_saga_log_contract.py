"""Every saga log keeps the same promises: SQLite alone and grouped, MariaDB, memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.saga.log_world import (
    AT,
    ORDER,
    Writer,
    a_claim,
    a_start,
    a_step,
    an_end,
    an_undoing,
)
from tests.saga.world import order_saga
from tests.support.mariadb import MARIADB, server

from kessai.kernel.db import Db, MySqlDb, MySqlLimits, open_database
from kessai.kernel.errors import Duplicate, Fenced
from kessai.saga.folding import fold
from kessai.saga.history import Event, NotStorable, Run
from kessai.saga.log import (
    METADATA,
    Filter,
    Instance,
    MachineRow,
    MemoryLog,
    Rest,
    SagaLog,
    SqlLog,
    log_of,
)
from kessai.saga.log.rows import EVENT_CHARACTERS


@dataclass
class World:
    """`open` gives another process's log of the same rows; a memory has only the one."""

    open: Callable[[], Awaitable[SagaLog]]
    one: Writer
    two: Writer


@pytest.fixture(params=["sql", "sqlite", "memory", pytest.param("mariadb", marks=MARIADB)])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    databases: list[Db] = []
    logs: list[SagaLog] = []
    url = f"sqlite:///{tmp_path}/saga.db"
    if request.param == "mariadb":
        url = server().url(server().fresh_schema())

    async def open_one() -> SagaLog:
        if request.param == "memory":
            logs[1:] = logs[:1] or [MemoryLog()]
            return logs[-1]
        if request.param == "mariadb":
            databases.append(MySqlDb(url, limits=MySqlLimits(writers=4, readers=2)))
        else:
            databases.append(await open_database(url))
        if len(databases) == 1:
            databases[0].migrate(METADATA.create_all)
        db = databases[-1]
        logs.append(SqlLog(db) if request.param == "sql" else log_of(db))
        return logs[-1]

    one, two = Writer(await open_one()), Writer(await open_one(), "two#1")
    yield World(open_one, one, two)
    for log in logs:
        await log.close()
    for db in databases:
        await db.close()


@pytest.fixture
def one(world: World) -> Writer:
    return world.one


@pytest.fixture
def two(world: World) -> Writer:
    return world.two


async def listed(writer: Writer, **wanted: object) -> list[str]:
    async with writer.log.reading() as session:
        return [row.id for row in await session.list(Filter(**wanted))]  # type: ignore[arg-type]


# --- instances and their events -------------------------------------------------------------


async def test_what_was_written_is_read_as_it_was(one: Writer, two: Writer) -> None:
    words = {"text": "決済 'quoted' \"twice\" \\ % _ 🛒", "numbers": [1, -2.5, True, None]}
    await one.create("i-1", key="o-1", event=a_start(params=words))
    await one.append("i-1", a_step("Pay", n=1, value=words), at=AT + 7)

    async with two.log.reading() as session:
        rows = await session.history("i-1")
        assert [(row.seq, row.epoch, row.at, row.name, row.status) for row in rows] == [
            (1, 1, AT, "order", "RU"),
            (2, 1, AT + 7, "Pay", "SU"),
        ]
        assert rows[0].event() == a_start(params=words)
        assert rows[1].event() == a_step("Pay", n=1, value=words)
        assert await session.history("i-2") == []
    assert await two.row("i-1") == MachineRow(
        id="i-1",
        name="order",
        version=ORDER.version,
        business_key="o-1",
        parent_id=None,
        status="RU",
        compensation=None,
        running=1,
        owner="one#1",
        epoch=1,
        redrives=0,
        due_at=None,
        needs_operator=0,
        started_at=AT,
        ended_at=None,
    )
    assert await two.row("i-2") is None


async def test_the_row_of_an_instance_follows_its_compensation_and_its_end(one: Writer) -> None:
    await one.create("i-1")
    await one.append("i-1", an_undoing())
    row = await one.row("i-1")
    assert row is not None
    assert (row.status, row.compensation, row.running, row.ended_at) == ("UN", "RU", 1, None)

    await one.append("i-1", an_end("UN", "SU"), at=AT + 9)
    row = await one.row("i-1")
    assert row is not None
    assert (row.status, row.compensation, row.running, row.ended_at) == ("UN", "SU", 0, AT + 9)
    assert row.at_rest


async def test_a_start_that_ends_at_once_is_one_row(one: Writer) -> None:
    end = {"status": "FA", "compensation": None}
    await one.create("i-1", event=a_start(end=end))
    row = await one.row("i-1")
    assert row is not None
    assert (row.status, row.running, row.ended_at) == ("FA", 0, AT)
    assert await one.history("i-1") == [(1, 1, "start")]


@pytest.mark.parametrize(
    ("rest", "seen"),
    [
        (Rest(), (None, 0, True)),
        (Rest(due_ms=AT + 50), (AT + 50, 0, False)),
        (Rest(needs_operator=True), (None, 1, True)),
    ],
)
async def test_an_end_says_what_follows(
    one: Writer, rest: Rest, seen: tuple[int | None, int, bool]
) -> None:
    await one.create("i-1")
    await one.append("i-1", an_end("UN"), rest)
    row = await one.row("i-1")
    assert row is not None
    assert (row.due_at, row.needs_operator, row.at_rest) == seen


async def test_a_business_key_has_one_instance_of_each_machine(one: Writer, two: Writer) -> None:
    await one.create("i-1", key="o-1")
    for writer in (one, two):
        with pytest.raises(Duplicate):
            await writer.create("i-2", key="o-1")
    other = order_saga(machine={"Name": "refund"})
    await two.create("i-3", key="o-1", machine=other)
    await two.create("i-4")
    await two.create("i-5")

    assert await listed(one) == ["i-5", "i-4", "i-3", "i-1"]
    assert await one.history("i-2") == []
    async with one.log.reading() as session:
        found = [await session.machine_by_key(name, "o-1") for name in ("order", "refund", "none")]
        assert [row and row.id for row in found] == ["i-1", "i-3", None]
        assert await session.machine_by_key("order", "O-1") is None


async def test_an_instance_is_not_started_twice_whoever_tries_and_whatever_its_key(
    one: Writer, two: Writer
) -> None:
    """What a sub machine's caller relies on when it asks again after a crash."""
    await one.create("i-1", parent="i-0:2")
    await one.create("i-2", key="k-2", parent="i-0:3")
    before = [await one.history("i-1"), await one.history("i-2")]
    for writer in (one, two):
        with pytest.raises(Duplicate):
            await writer.create("i-1", parent="i-0:2")
        with pytest.raises(Duplicate):
            await writer.create("i-2", key="k-2", parent="i-0:3")
        with pytest.raises(Duplicate):
            await writer.create("i-1", key="new", parent="i-0:2")
    assert [await one.history("i-1"), await one.history("i-2")] == before
    row = await one.row("i-1")
    assert row is not None
    assert row.owner == "one#1"
    async with one.log.reading() as session:
        assert await session.machine_by_key("order", "new") is None


async def test_two_starts_of_one_key_at_once_give_one_instance(one: Writer, two: Writer) -> None:
    answers = await asyncio.gather(
        *(writer.create(f"i-{n}", key="o-1") for n, writer in enumerate([one, one, two, one, two])),
        return_exceptions=True,
    )
    assert sorted(type(answer).__name__ for answer in answers) == ["Duplicate"] * 4 + ["Instance"]
    assert len(await listed(one)) == 1


async def test_a_body_that_cannot_be_kept_changes_nothing(one: Writer) -> None:
    if isinstance(one.log, MemoryLog):
        pytest.skip("a memory keeps whatever it is given")
    await one.create("i-1")
    for value in ("x" * EVENT_CHARACTERS, object(), "half a pair \ud800"):
        with pytest.raises(NotStorable):
            await one.append("i-1", a_step(value=value))
    await one.append("i-1")
    assert await one.history("i-1") == [(1, 1, "start"), (2, 1, "step")]


async def test_names_of_any_length_are_cut_to_the_column(one: Writer) -> None:
    await one.create("i-1")
    await one.append("i-1", a_step("n" * 500))
    assert await one.history("i-1") == [(1, 1, "start"), (2, 1, "step")]


async def test_the_newest_child_of_a_step_is_found(one: Writer, two: Writer) -> None:
    await one.create("i-1")
    await one.create("c-2", parent="i-1:2", at=AT)
    await one.create("c-1", parent="i-1:2", at=AT + 1)
    await one.create("c-3", parent="i-1:20", at=AT + 2)
    async with two.log.reading() as session:
        found = [await session.child_of(f"i-1:{n}") for n in (2, 20, 1)]
    assert [row and row.id for row in found] == ["c-1", "c-3", None]


# --- the fence ------------------------------------------------------------------------------


async def test_after_a_claim_the_old_owner_can_write_nothing(one: Writer, two: Writer) -> None:
    mine = await one.create("i-1")
    await two.claim(mine)
    for event in (a_step(), an_end(), an_undoing()):
        with pytest.raises(Fenced):
            await one.append("i-1", event)
    await two.append("i-1", an_end())

    assert await two.history("i-1") == [(1, 1, "start"), (2, 2, "claim"), (3, 2, "end")]
    row = await two.row("i-1")
    assert row is not None
    assert (row.owner, row.epoch, row.status, row.running) == ("two#1", 2, "SU", 0)


async def test_a_claim_that_comes_after_a_row_is_refused(one: Writer, two: Writer) -> None:
    mine = await one.create("i-1")
    seen = Writer(two.log, "two#1")
    stale = await read(seen, mine.run.instance_id)
    await one.append("i-1")
    with pytest.raises(Fenced):
        await seen.claim(stale)
    row = await one.row("i-1")
    assert row is not None
    assert (row.owner, row.epoch) == ("one#1", 1)
    await seen.claim(await read(seen, "i-1"))
    with pytest.raises(Fenced):
        await one.append("i-1")


async def read(writer: Writer, instance_id: str) -> Instance:
    async with writer.log.reading() as session:
        row = await session.machine(instance_id)
        assert row is not None
        run = Run(ORDER, instance_id, row.business_key)
        fold(run, [one.event() for one in await session.history(instance_id)])
        return Instance(run, row.epoch, row.redrives, row.started_at)


async def test_of_two_claims_one_is_refused(one: Writer, two: Writer) -> None:
    mine = await one.create("i-1")
    three = Writer(one.log, "three#1")
    answers = await asyncio.gather(two.claim(mine), three.claim(mine), return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["Fenced", "Instance"]
    assert len(await one.history("i-1")) == 2


async def test_a_zombie_fails_alone(one: Writer, two: Writer) -> None:
    names = [f"i-{n:02}" for n in range(40)]
    for name in names:
        await one.create(name)
    taken = names[::7]
    for name in taken:
        await two.claim(one.instances[name])
    answers = await asyncio.gather(
        *(one.append(name, an_end(), at=AT + 1) for name in names), return_exceptions=True
    )

    fenced = [name for name, answer in zip(names, answers, strict=True) if answer is not None]
    assert fenced == taken
    assert all(isinstance(answer, Fenced) for answer in answers if answer is not None)
    for name in names:
        row = await two.row(name)
        assert row is not None
        assert (row.running, row.status) == ((1, "RU") if name in taken else (0, "SU"))


async def test_a_row_says_whose_epoch_wrote_it(one: Writer, two: Writer) -> None:
    await two.claim(await one.create("i-1"))
    async with one.log.reading() as session:
        epochs = [await session.epoch_at("i-1", seq) for seq in (0, 1, 2, 3)]
        assert epochs == [None, 1, 2, None]
        assert await session.epoch_at("i-2", 1) is None


@pytest.mark.parametrize(
    ("operation", "shown"),
    [
        (a_claim("recover"), ("UN", "UN", 1)),
        (a_claim("redrive", undo=[]), ("UN", "RU", 1)),
        (a_claim("compensate", undo=[]), ("UN", "RU", 1)),
        (a_claim("forward", forward=True), ("RU", "UN", 1)),
        (a_claim("redrive", end={"status": "UN", "compensation": "UN"}), ("UN", "UN", 0)),
    ],
)
async def test_a_claim_shows_where_the_instance_is_going(
    one: Writer, operation: Event, shown: tuple[str, str, int]
) -> None:
    mine = await one.create("i-1")
    await one.append("i-1", an_end("UN", "UN"), Rest(needs_operator=True))
    mine.redrives = 3
    await one.claim(mine, operation)
    row = await one.row("i-1")
    assert row is not None
    assert (row.status, row.compensation, row.running) == shown
    assert (row.redrives, row.due_at, row.needs_operator) == (3, None, 0)
    assert (row.ended_at is None) == bool(shown[2])


async def test_undoing_what_had_succeeded_still_shows_the_success(one: Writer) -> None:
    mine = await one.create("i-1")
    await one.append("i-1", an_end())
    await one.claim(mine, a_claim("compensate", undo=[]))
    row = await one.row("i-1")
    assert row is not None
    assert (row.status, row.compensation) == ("SU", "RU")


async def test_what_a_session_wrote_is_gone_if_it_fails(world: World) -> None:
    if isinstance(world.one.log, MemoryLog):
        pytest.skip("a memory has no transaction to undo")
    mine = await world.one.create("i-1")

    async def claim_and_fail() -> None:
        async with world.two.log.session() as session:
            mine.epoch += 1
            await session.claim(mine, a_claim(), Rest(), owner="two#1", at=AT)
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        await claim_and_fail()
    row = await world.two.row("i-1")
    assert row is not None
    assert (row.owner, row.epoch, len(await world.two.history("i-1"))) == ("one#1", 1, 1)


async def test_an_instance_may_begin_in_a_transaction_of_the_caller(world: World) -> None:
    log = world.one.log
    if isinstance(log, MemoryLog):
        pytest.skip("a memory has no transactions")
    told: list[str] = []
    writer = Writer(log)

    async def place(name: str, *, fails: bool) -> None:
        async with log.transaction() as tx:
            session = log.within(tx)
            await Writer(Inside(session)).create(name, key=name)  # type: ignore[arg-type]
            session.after_commit(lambda: told.append(name))
            if fails:
                raise RuntimeError("no order")

    await place("i-1", fails=False)
    with pytest.raises(RuntimeError, match="no order"):
        await place("i-2", fails=True)
    assert (await listed(writer), told) == (["i-1"], ["i-1"])


class Inside:
    """The part of a log that a caller's transaction has."""

    def __init__(self, session: object) -> None:
        self.create = session.create  # type: ignore[attr-defined]


# --- lists ----------------------------------------------------------------------------------


async def some(one: Writer, two: Writer) -> None:
    """Five instances that differ in everything a list can ask for."""
    refund = order_saga(machine={"Name": "refund"})
    await one.create("i-1", key="o-1")
    await one.append("i-1", an_end())
    await one.create("i-2", key="o-2")
    await one.append("i-2", an_end("UN", "SU"))
    await one.create("i-3", key="o-3", machine=refund)
    await one.append("i-3", an_end("UN", "UN"), Rest(needs_operator=True))
    await two.create("i-4", key="o-3")
    await two.create("i-5")
    await two.append("i-5", an_undoing())


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, ["i-5", "i-4", "i-3", "i-2", "i-1"]),
        ({"status": "UN"}, ["i-5", "i-3", "i-2"]),
        ({"status": "UN", "compensation": "SU"}, ["i-2"]),
        ({"compensation": "RU"}, ["i-5"]),
        ({"machine": "order"}, ["i-5", "i-4", "i-2", "i-1"]),
        ({"machine": "refund"}, ["i-3"]),
        ({"business_key": "o-3"}, ["i-4", "i-3"]),
        ({"business_key": "o-3", "machine": "order"}, ["i-4"]),
        ({"running": True}, ["i-5", "i-4"]),
        ({"running": False}, ["i-3", "i-2", "i-1"]),
        ({"needs_operator": True}, ["i-3"]),
        ({"needs_operator": False, "running": False}, ["i-2", "i-1"]),
        ({"limit": 2}, ["i-5", "i-4"]),
        ({"limit": 2, "before_id": "i-4"}, ["i-3", "i-2"]),
        ({"before_id": "i-1"}, []),
        ({"status": "SK"}, []),
    ],
)
async def test_a_list_is_newest_first_and_filtered(
    one: Writer, two: Writer, wanted: dict[str, object], found: list[str]
) -> None:
    await some(one, two)
    assert await listed(two, **wanted) == found


async def test_instances_that_wait_for_a_person_are_counted(one: Writer, two: Writer) -> None:
    await some(one, two)
    async with two.log.reading() as session:
        assert await session.count_needing_operator() == 1


async def test_what_is_due_comes_in_the_order_of_its_time(one: Writer, two: Writer) -> None:
    for name, due in (("i-1", 300), ("i-2", 100), ("i-3", 200), ("i-4", 400)):
        await one.create(name)
        await one.append(name, an_end("UN"), Rest(due_ms=AT + due))
    await one.create("i-5")
    await one.claim(one.instances["i-3"], a_claim("redrive"))
    async with two.log.reading() as session:
        assert await session.due(AT + 99, 10) == []
        assert await session.due(AT + 300, 10) == ["i-2", "i-1"]
        assert await session.due(AT + 999, 2) == ["i-2", "i-1"]


# --- engines and their leases ---------------------------------------------------------------


async def renew(writer: Writer, until_ms: int, owner: str | None = None) -> None:
    async with writer.log.session() as session:
        await session.renew(owner or writer.owner, until_ms)


async def leases(writer: Writer, *owners: str) -> list[int | None]:
    async with writer.log.reading() as session:
        return [await session.lease_of(owner) for owner in owners]


async def test_a_lease_is_made_and_renewed(one: Writer, two: Writer) -> None:
    await renew(one, 100)
    await renew(one, 200)
    await renew(two, 150)
    assert await leases(two, "one#1", "two#1", "three#1") == [200, 150, None]


async def test_what_nobody_drives_is_found_with_its_dead_owner(one: Writer, two: Writer) -> None:
    three = Writer(one.log, "three#1")
    for writer, name in ((one, "i-1"), (two, "i-2"), (three, "i-3"), (one, "i-4"), (one, "i-5")):
        await writer.create(name)
    await one.append("i-4", an_end())
    await renew(one, 100)
    await renew(two, 200)

    async def orphans(now_ms: int, limit: int = 10) -> list[tuple[str, str]]:
        async with two.log.reading() as session:
            return list(await session.orphans("two#1", now_ms, limit))

    assert await orphans(100) == [("i-3", "three#1")]
    assert await orphans(101) == [("i-1", "one#1"), ("i-3", "three#1"), ("i-5", "one#1")]
    assert len(await orphans(101, 2)) == 2
    # Its own are never orphans, lease or not.
    assert ("i-2", "two#1") not in await orphans(10_000)


async def test_an_engine_finds_its_own_that_have_run_for_a_while(one: Writer, two: Writer) -> None:
    await one.create("i-1", at=AT)
    await one.create("i-2", at=AT + 10)
    await one.create("i-3", at=AT)
    await one.append("i-3", an_end())
    await two.create("i-4", at=AT)
    async with one.log.reading() as session:
        assert await session.own_running("one#1", AT + 10) == ["i-1"]
        assert await session.own_running("one#1", AT + 11) == ["i-1", "i-2"]


async def test_earlier_starts_under_a_name_lose_their_leases(one: Writer) -> None:
    owners = ("a_b%#1", "a_b%#2", "a_b%#3", "aXb%#1", "a_b#1", "a_b%c#1", "x#a_b%#1")
    for owner in owners:
        await renew(one, 500, owner)
    async with one.log.session() as session:
        await session.retire_predecessors("a_b%#3")
    assert await leases(one, *owners) == [0, 0, 500, 500, 500, 500, 500]


async def test_only_the_dead_that_own_nothing_are_forgotten(one: Writer, two: Writer) -> None:
    await one.create("i-1")
    await renew(one, 100)
    await renew(two, 100)
    await renew(one, 300, "three#1")
    async with one.log.session() as session:
        await session.forget_dead(100)
        await session.forget_dead(200)
    assert await leases(one, "one#1", "two#1", "three#1") == [100, None, 300]


# --- retention ------------------------------------------------------------------------------


async def purge(writer: Writer, before_ms: int, limit: int = 100) -> int:
    async with writer.log.session() as session:
        return await session.purge(before_ms, limit)


async def test_only_what_is_settled_and_old_is_deleted(one: Writer, two: Writer) -> None:
    ends = {
        "i-1": (an_end(), Rest(), AT + 10),
        "i-2": (an_end("UN"), Rest(due_ms=AT + 99), AT + 10),
        "i-3": (an_end("UN", "UN"), Rest(needs_operator=True), AT + 10),
        "i-4": (an_end("UN", "SU"), Rest(), AT + 20),
    }
    for name, (event, rest, at) in ends.items():
        await one.create(name, key=name)
        await one.append(name, event, rest, at=at)
    await one.create("i-5")

    assert await purge(two, AT + 10) == 0
    assert await purge(two, AT + 11) == 1
    assert await listed(one) == ["i-5", "i-4", "i-3", "i-2"]
    assert await one.history("i-1") == []
    assert await purge(two, AT + 999) == 1
    assert await listed(one) == ["i-5", "i-3", "i-2"]
    # Its key is free again.
    await one.create("i-6", key="i-1")


async def test_sub_machines_go_with_their_caller_and_never_before(one: Writer, two: Writer) -> None:
    await one.create("i-1")
    await one.create("i-10")
    await one.create("c-1", parent="i-1:2", key="c-1")
    await one.create("d-1", parent="c-1:1")
    await one.create("c-2", parent="i-10:2")
    for name in ("d-1", "c-1", "c-2"):
        await one.append(name, an_end(), at=AT + 1)
    assert await purge(two, AT + 99) == 0

    await one.append("i-1", an_end(), at=AT + 5)
    assert await purge(two, AT + 99) == 3
    assert await listed(one) == ["i-10", "c-2"]
    assert await one.history("d-1") == []
    async with one.log.reading() as session:
        assert await session.child_of("i-1:2") is None
        assert await session.machine_by_key("order", "c-1") is None


async def test_retention_takes_a_bounded_part_at_a_time_the_oldest_first(one: Writer) -> None:
    for n in (3, 1, 4, 2):
        await one.create(f"i-{n}")
        await one.append(f"i-{n}", an_end(), at=AT + n)
    assert await purge(one, AT + 99, 2) == 2
    assert await listed(one) == ["i-4", "i-3"]


# --- many at once ---------------------------------------------------------------------------


async def test_several_hundred_instances_at_once_are_each_written_once(one: Writer) -> None:
    names = [f"i-{n:04}" for n in range(700)]
    await asyncio.gather(*(one.create(name, key=name) for name in names))
    await asyncio.gather(*(one.append(name, a_step(value="x" * 100)) for name in names))
    await asyncio.gather(*(one.append(name, an_end()) for name in names))

    assert len(await listed(one, limit=1000, status="SU")) == 700
    for name in (names[0], names[350], names[-1]):
        assert await one.history(name) == [(1, 1, "start"), (2, 1, "step"), (3, 1, "end")]


async def test_large_rows_beside_small_ones_are_all_written(one: Writer) -> None:
    sizes = [10, 900_000, 20, 800_000, 700_000, 30, 900_000]
    names = [f"i-{n}" for n in range(len(sizes))]
    await asyncio.gather(
        *(
            one.create(name, event=a_start(params={"x": "決'" * (size // 2)}))
            for name, size in zip(names, sizes, strict=True)
        )
    )
    assert len(await listed(one)) == len(sizes)


async def test_whoever_gives_up_waiting_does_not_take_its_row_back_or_hold_others_up(
    one: Writer,
) -> None:
    for n in range(3):
        await one.create(f"i-{n}")
    gone = asyncio.create_task(one.append("i-0"))
    stays = [asyncio.create_task(one.append(f"i-{n}")) for n in (1, 2)]
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(*stays)
    await asyncio.gather(gone, return_exceptions=True)
    await one.append("i-1")

    history = await one.history("i-0")
    assert history in ([(1, 1, "start")], [(1, 1, "start"), (2, 1, "step")])
    assert len(await one.history("i-1")) == 3
