"""Every saga log keeps the same promises: SQLite alone and grouped, MariaDB, memory."""

from __future__ import annotations

import asyncio

import pytest
from tests.saga.log_stores import World, listed, one, two, world
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

from kessai.kernel.errors import Duplicate, Fenced
from kessai.saga.folding import fold
from kessai.saga.history import Event, NotStorable, Run
from kessai.saga.log import (
    Instance,
    MachineRow,
    MemoryLog,
    Rest,
)
from kessai.saga.log.rows import EVENT_CHARACTERS

__all__ = ["one", "two", "world"]


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
