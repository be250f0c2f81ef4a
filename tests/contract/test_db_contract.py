"""Every database keeps the same promises: SQLite in a file, MariaDB through its pool."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError
from tests.support.mariadb import MARIADB, server

from kessai.kernel.db import SERIAL, Db, MySqlDb, MySqlLimits, insert_ignore, open_database
from kessai.kernel.errors import ConstraintViolated, DatabaseUnavailable, Duplicate

METADATA = MetaData()
NOTE = Table(
    "note",
    METADATA,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", String(64)),
    Column("amount", Integer, CheckConstraint("amount >= 0"), nullable=False),
    Column("words", Text(16_777_215)),
    Column("bytes", LargeBinary(16_777_215)),
    Column("parent", BigInteger, ForeignKey("note.id")),
    UniqueConstraint("name", name="uq_note_name"),
)
LINE = Table(
    "line",
    METADATA,
    Column("id", SERIAL, primary_key=True),
    Column("words", String(64), nullable=False),
)
ADD = insert(NOTE)
IDS = select(NOTE.c.id).order_by(NOTE.c.id)
COUNT = select(func.count()).select_from(NOTE)
ONE = select(NOTE).where(NOTE.c.id == bindparam("of_id"))
RAISE = update(NOTE).where(NOTE.c.id == bindparam("of_id")).values(amount=NOTE.c.amount + 1)
SET = update(NOTE).where(NOTE.c.id == bindparam("of_id")).values(amount=bindparam("to"))


@dataclass
class World:
    """Opens databases on the same data; the first one has made the tables."""

    open: Callable[[], Awaitable[Db]]
    db: Db


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=MARIADB)])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    opened: list[Db] = []
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/a.db"
    else:
        url = server().url(server().fresh_schema())

    async def open_one() -> Db:
        if url.startswith("mysql"):
            opened.append(MySqlDb(url, limits=MySqlLimits(writers=4, readers=2)))
        else:
            opened.append(await open_database(url))
        return opened[-1]

    db = await open_one()
    db.migrate(METADATA.create_all)
    yield World(open_one, db)
    for one in opened:
        await one.close()


@pytest.fixture
def db(world: World) -> Db:
    return world.db


def a_note(note_id: int, **values: object) -> dict[str, object]:
    return {"id": note_id, "amount": 0, **values}


async def add(db: Db, note_id: int, *, then: Exception | None = None) -> None:
    async with db.transaction() as tx:
        await tx.run(ADD, a_note(note_id))
        if then is not None:
            raise then


async def ids(db: Db) -> list[int]:
    async with db.read() as tx:
        return [row["id"] for row in (await tx.run(IDS)).all()]


async def test_what_was_committed_is_seen_by_everybody(world: World) -> None:
    await add(world.db, 1)
    other = await world.open()
    assert await ids(other) == [1]
    await add(other, 2)
    assert await ids(world.db) == [1, 2]


async def test_a_body_that_raises_is_undone_alone(db: Db) -> None:
    bodies = [add(db, n, then=ValueError("no") if n % 3 == 0 else None) for n in range(12)]
    results = await asyncio.gather(*bodies, return_exceptions=True)
    assert [type(result) for result in results] == [ValueError, type(None), type(None)] * 4
    assert await ids(db) == [n for n in range(12) if n % 3]


async def test_a_refused_row_undoes_nothing_else_of_its_body(db: Db) -> None:
    await add(db, 1)
    async with db.transaction() as tx:
        await tx.run(ADD, a_note(2, name="a"))
        for taken in (a_note(1), a_note(3, name="a")):
            with pytest.raises(Duplicate):
                await tx.run(ADD, taken)
        await tx.run(ADD, a_note(4))
    assert await ids(db) == [1, 2, 4]


@pytest.mark.parametrize(
    "row", [a_note(1, amount=-1), a_note(1, amount=None), a_note(1, parent=99)]
)
async def test_a_rule_of_the_schema_refuses_what_breaks_it(db: Db, row: dict[str, object]) -> None:
    with pytest.raises(ConstraintViolated):
        async with db.transaction() as tx:
            await tx.run(ADD, row)
    assert await ids(db) == []


async def test_two_writers_of_one_key_have_one_winner(db: Db) -> None:
    async def claim(note_id: int) -> None:
        async with db.transaction() as tx:
            await tx.run(ADD, a_note(note_id, name="the key"))

    results = await asyncio.gather(*(claim(n) for n in range(8)), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results if result) in (
        ["Duplicate"] * 7,
        ["DuplicateKey"] * 7,
    )
    assert len(await ids(db)) == 1


async def test_rows_are_counted_alike(db: Db) -> None:
    async with db.transaction() as tx:
        assert (await tx.run(ADD, [a_note(1), a_note(2)])).rowcount == 2
        assert (await tx.run(insert_ignore(NOTE), a_note(1))).rowcount == 0
        assert (await tx.run(insert_ignore(NOTE), a_note(3))).rowcount == 1
        # A row that has the value already was found, and that is what counts.
        assert (await tx.run(SET, {"of_id": 1, "to": 0})).rowcount == 1
        assert (await tx.run(SET, {"of_id": 9, "to": 0})).rowcount == 0
        three = [{"of_id": n, "to": 5} for n in (1, 2, 9)]
        assert (await tx.run(SET, three)).rowcount == 2


async def test_rows_are_one_or_an_error(db: Db) -> None:
    await add(db, 7)
    async with db.read() as tx:
        assert (await tx.run(IDS)).one()["id"] == 7
        assert (await tx.run(COUNT)).scalar() == 1
        assert (await tx.run(ONE, {"of_id": 9})).first() is None
        assert (await tx.run(ONE, {"of_id": 9})).scalar() is None
        with pytest.raises(LookupError, match="found 0"):
            (await tx.run(ONE, {"of_id": 9})).one()


async def test_a_serial_column_counts_upwards(db: Db) -> None:
    async with db.transaction() as tx:
        for words in ("a", "b"):
            await tx.run(insert(LINE), {"words": words})
        rows = (await tx.run(select(LINE).order_by(LINE.c.id))).all()
    assert [row["words"] for row in rows] == ["a", "b"]
    assert rows[0]["id"] < rows[1]["id"]


async def test_listeners_hear_of_commits_only_and_in_order(db: Db) -> None:
    heard: list[str] = []

    async def body(note_id: int, *, fail: bool = False) -> None:
        async with db.transaction() as tx:
            tx.after_commit(lambda: heard.append(f"{note_id} first"))
            await tx.run(ADD, a_note(note_id))
            tx.after_commit(lambda: heard.append(f"{note_id} second"))
            assert heard == []
            if fail:
                raise ValueError("no")
        assert f"{note_id} second" in heard

    with pytest.raises(ValueError, match="no"):
        await body(2, fail=True)
    await body(1)
    assert heard == ["1 first", "1 second"]


async def test_a_listener_hears_of_what_others_can_see(world: World) -> None:
    other, seen = await world.open(), asyncio.get_running_loop().create_future()
    async with world.db.transaction() as tx:
        await tx.run(ADD, a_note(1))
        tx.after_commit(lambda: seen.set_result(asyncio.create_task(ids(other))))
    assert await (await seen) == [1]


async def test_a_listener_that_raises_does_not_make_its_neighbours_deaf(db: Db) -> None:
    heard: list[int] = []

    def broken() -> None:
        raise ValueError("deaf")

    async with db.transaction() as tx:
        await tx.run(ADD, a_note(1))
        tx.after_commit(broken)
        tx.after_commit(lambda: heard.append(1))
    assert heard == [1]
    assert await ids(db) == [1]


async def test_a_read_sees_no_open_neighbour(db: Db) -> None:
    async with db.transaction() as tx:
        await tx.run(ADD, a_note(1))
        assert await ids(db) == []
    assert await ids(db) == [1]


async def test_a_read_is_one_moment(world: World) -> None:
    await add(world.db, 1)
    other = await world.open()
    async with world.db.read() as tx:
        assert (await tx.run(COUNT)).scalar() == 1
        await add(other, 2)
        assert (await tx.run(COUNT)).scalar() == 1
    assert await ids(world.db) == [1, 2]


async def test_a_read_cannot_write(db: Db) -> None:
    with pytest.raises(DatabaseUnavailable):
        async with db.read() as tx:
            await tx.run(ADD, a_note(1))
    with pytest.raises(RuntimeError, match="no commit"):
        async with db.read() as tx:
            tx.after_commit(lambda: None)
    assert await ids(db) == []


async def test_a_transaction_that_has_ended_takes_no_more_statements(db: Db) -> None:
    async with db.transaction() as tx:
        pass
    with pytest.raises(RuntimeError, match="has ended"):
        await tx.run(ADD, a_note(1))
    assert await ids(db) == []


async def test_a_body_without_statements_is_fine(db: Db) -> None:
    heard: list[int] = []
    async with db.transaction() as tx:
        tx.after_commit(lambda: heard.append(1))
    assert heard == [1]
    await db.ping()


async def test_a_cancelled_body_is_undone_alone(db: Db) -> None:
    heard: list[int] = []

    async def cancelled() -> None:
        async with db.transaction() as tx:
            tx.after_commit(lambda: heard.append(1))
            await tx.run(ADD, a_note(1))
            raise asyncio.CancelledError

    results = await asyncio.gather(cancelled(), add(db, 2), return_exceptions=True)
    assert [type(result) for result in results] == [asyncio.CancelledError, type(None)]
    assert await ids(db) == [2]
    assert heard == []


async def test_a_caller_cancelled_while_it_waits_for_the_commit_does_not_stop_it(
    world: World,
) -> None:
    heard: list[int] = []

    async def cancelled() -> None:
        async with world.db.transaction() as tx:
            await tx.run(ADD, a_note(1))
            tx.after_commit(lambda: heard.append(1))
            task = asyncio.current_task()
            assert task is not None
            asyncio.get_running_loop().call_soon(task.cancel)

    results = await asyncio.gather(cancelled(), return_exceptions=True)
    assert [type(result) for result in results] == [asyncio.CancelledError]
    other = await world.open()
    await world.db.close()
    assert heard == [1]
    assert await ids(other) == [1]


async def test_increments_do_not_get_lost(db: Db) -> None:
    await add(db, 1)

    async def increment() -> None:
        async with db.transaction() as tx:
            assert (await tx.run(RAISE, {"of_id": 1})).rowcount == 1

    await asyncio.gather(*(increment() for _ in range(30)))
    async with db.read() as tx:
        assert (await tx.run(ONE, {"of_id": 1})).one()["amount"] == 30


@pytest.mark.parametrize(
    "mistake", ["SELECT * FROM nowhere", "SELEKT 1", "SELECT nothing FROM note"]
)
async def test_a_mistake_in_a_statement_is_not_taken_for_an_unavailable_database(
    db: Db, mistake: str
) -> None:
    async def body() -> None:
        async with db.transaction() as tx:
            await tx.run(ADD, a_note(1))
            await tx.run(text(mistake))

    with pytest.raises(DBAPIError):
        await body()
    assert await ids(db) == []


async def test_keys_are_bytes(db: Db) -> None:
    names = ["a", "A", "ä", "á", "ａ", "か", "が", "カ", "ss", "ß", "\u00e9", "e\u0301"]
    async with db.transaction() as tx:
        await tx.run(ADD, [a_note(n, name=name) for n, name in enumerate(names)])
        found = select(NOTE.c.id).where(NOTE.c.name == bindparam("of_name"))
        for n, name in enumerate(names):
            assert [row["id"] for row in (await tx.run(found, {"of_name": name})).all()] == [n]
        compared = await tx.run(text("SELECT 'a' = 'A'"))
        assert compared.scalar() == 0


NASTY = (
    "",
    'it\'s "quoted" `so`',
    "back\\slash \\' \\",
    "%s %% %(name)s :name ?",
    "\0 \r\n\t \x1a",
    "'; DROP TABLE note; -- /* # */",
    "日本語 𠮷 👩‍👩‍👧 \u202e",
    " leading and trailing ",
)


@pytest.mark.parametrize("words", NASTY)
async def test_text_comes_back_as_it_went(db: Db, words: str) -> None:
    async with db.transaction() as tx:
        await tx.run(ADD, a_note(1, words=words, bytes=words.encode()))
    async with db.read() as tx:
        row = (await tx.run(ONE, {"of_id": 1})).one()
    assert row["words"] == words
    assert row["bytes"] == words.encode()


async def test_large_rows_and_numbers_come_back_as_they_went(db: Db) -> None:
    every_byte = bytes(range(256)) * 4096
    big = a_note(2**63 - 1, amount=2**31 - 1, words="💴'" * 500_000, bytes=every_byte)
    async with db.transaction() as tx:
        await tx.run(ADD, big)
    async with db.read() as tx:
        row = (await tx.run(ONE, {"of_id": 2**63 - 1})).one()
    assert {name: row[name] for name in big} == big


async def test_a_schema_change_that_raises_says_so_and_the_next_one_works(world: World) -> None:
    with pytest.raises(ValueError, match="not today"):
        world.db.migrate(lambda _: (_ for _ in ()).throw(ValueError("not today")))
    world.db.migrate(METADATA.create_all)
    await add(world.db, 1)
    assert await ids(world.db) == [1]
