"""Group commit: one fsync for many bodies, and yet each body stands or falls alone."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.exc import OperationalError

from kessai.kernel.db import Db, Tx, insert_ignore, open_database
from kessai.kernel.errors import ConstraintViolated, DatabaseUnavailable, Duplicate

METADATA = MetaData()
NOTE = Table(
    "note",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("amount", Integer, CheckConstraint("amount >= 0"), nullable=False, default=0),
    Column("body", LargeBinary),
    Column("parent", Integer, ForeignKey("note.id", deferrable=True, initially="DEFERRED")),
)
ADD = insert(NOTE)
IDS = select(NOTE.c.id).order_by(NOTE.c.id)
COUNT = select(func.count()).select_from(NOTE)


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Db]:
    db = await open_database(f"sqlite:///{tmp_path}/new/folder/a.db", lock_timeout_s=0.2)
    db.migrate(METADATA.create_all)
    yield db
    await db.close()


async def ids(db: Db) -> list[int]:
    async with db.read() as tx:
        return [row["id"] for row in (await tx.run(IDS)).all()]


async def add(db: Db, note_id: int, *, then: Exception | None = None) -> None:
    async with db.transaction() as tx:
        await tx.run(ADD, {"id": note_id})
        if then is not None:
            raise then


async def test_what_was_committed_is_there_after_the_file_is_opened_again(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    first = await open_database(url)
    first.migrate(METADATA.create_all)
    await add(first, 1)
    await first.close()
    second = await open_database(url)
    assert await ids(second) == [1]
    await second.close()


async def test_a_body_that_raises_is_undone_alone(db: Db) -> None:
    bodies = [add(db, n, then=ValueError("no") if n % 3 == 0 else None) for n in range(30)]
    results = await asyncio.gather(*bodies, return_exceptions=True)
    assert [type(result) for result in results[:4]] == [
        ValueError,
        type(None),
        type(None),
        ValueError,
    ]
    assert await ids(db) == [n for n in range(30) if n % 3]


async def test_bodies_of_one_turn_share_one_commit(db: Db, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "new/folder/a.db")
    before = other.execute("PRAGMA data_version").fetchone()
    seen: list[int] = []

    async def one(note_id: int) -> None:
        await add(db, note_id)
        seen.append(other.execute("SELECT count(*) FROM note").fetchone()[0])

    await asyncio.gather(*(one(n) for n in range(20)))
    # The first body to return sees all twenty on another connection: they came by one COMMIT.
    assert seen == [20] * 20
    assert other.execute("PRAGMA data_version").fetchone() != before
    other.close()


async def test_a_cancelled_body_is_undone_alone(db: Db) -> None:
    inside = asyncio.Event()

    async def suspended() -> None:
        async with db.transaction() as tx:
            await tx.run(ADD, {"id": 1})
            inside.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(suspended())
    await inside.wait()
    neighbour = asyncio.create_task(add(db, 2))
    with pytest.warns(RuntimeWarning, match=r"something other than tx\.run"):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await neighbour
    assert await ids(db) == [2]


async def test_a_caller_cancelled_while_it_waits_for_the_commit_takes_nobody_with_it(
    db: Db,
) -> None:
    first, second = asyncio.create_task(add(db, 1)), asyncio.create_task(add(db, 2))
    asyncio.get_running_loop().call_soon(first.cancel)
    results = await asyncio.gather(first, second, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert results[1] is None
    assert await ids(db) == [1, 2]


async def test_a_read_sees_what_is_committed_and_no_open_neighbour(db: Db) -> None:
    async with db.transaction() as tx:
        await tx.run(ADD, {"id": 1})
        assert await ids(db) == []
    assert await ids(db) == [1]


async def test_a_read_cannot_write(db: Db) -> None:
    with pytest.raises(DatabaseUnavailable):
        async with db.read() as tx:
            await tx.run(ADD, {"id": 1})
    with pytest.raises(RuntimeError, match="no commit"):
        async with db.read() as tx:
            tx.after_commit(lambda: None)
    assert await ids(db) == []


async def test_a_transaction_that_has_ended_takes_no_more_statements(db: Db) -> None:
    async with db.transaction() as tx:
        pass
    with pytest.raises(RuntimeError, match="has ended"):
        await tx.run(ADD, {"id": 1})
    assert await ids(db) == []


async def test_listeners_hear_of_durable_commits_only(db: Db) -> None:
    heard: list[str] = []

    async def body(note_id: int, *, fail: bool = False) -> None:
        async with db.transaction() as tx:
            tx.after_commit(lambda: heard.append(f"{note_id}"))
            await tx.run(ADD, {"id": note_id})
            assert heard == []
            if fail:
                raise ValueError("no")

    await asyncio.gather(body(1), body(2, fail=True), body(3), return_exceptions=True)
    assert heard == ["1", "3"]


async def test_a_listener_that_raises_does_not_make_its_neighbours_deaf(db: Db) -> None:
    heard: list[int] = []

    def broken() -> None:
        raise ValueError("deaf")

    async with db.transaction() as tx:
        await tx.run(ADD, {"id": 1})
        tx.after_commit(broken)
        tx.after_commit(lambda: heard.append(1))
    assert heard == [1]
    assert await ids(db) == [1]


async def test_a_commit_that_fails_fails_all_of_its_group_and_nothing_is_kept(db: Db) -> None:
    heard: list[int] = []

    async def body(tx: Tx, row: dict[str, int]) -> None:
        tx.after_commit(lambda: heard.append(row["id"]))
        await tx.run(ADD, row)

    async def transaction(row: dict[str, int]) -> None:
        async with db.transaction() as tx:
            await body(tx, row)

    # A deferred foreign key is checked by COMMIT itself.
    orphan = {"id": 2, "parent": 99}
    results = await asyncio.gather(
        transaction({"id": 1}), transaction(orphan), return_exceptions=True
    )
    assert [type(result) for result in results] == [DatabaseUnavailable, DatabaseUnavailable]
    assert heard == []
    assert await ids(db) == []
    await add(db, 3)
    assert await ids(db) == [3]


async def test_another_process_that_holds_the_lock_makes_it_unavailable_after_the_limit(
    db: Db, tmp_path: Path
) -> None:
    other = sqlite3.connect(tmp_path / "new/folder/a.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    loop = asyncio.get_running_loop()
    started = loop.time()
    with pytest.raises(DatabaseUnavailable, match="locked"):
        await add(db, 1)
    assert 0.2 <= loop.time() - started < 1.0
    with pytest.raises(DatabaseUnavailable):
        await db.ping()
    other.execute("ROLLBACK")
    await add(db, 2)
    await db.ping()
    assert await ids(db) == [2]
    other.close()


async def test_a_lock_that_is_let_go_in_time_is_waited_for(db: Db, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "new/folder/a.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    asyncio.get_running_loop().call_later(0.05, other.execute, "ROLLBACK")
    await add(db, 1)
    assert await ids(db) == [1]
    other.close()


async def set_pages(db: Db, limit: int) -> None:
    async with db.transaction() as tx:
        await tx.run(text(f"PRAGMA max_page_count={limit}"))


async def test_a_full_disk_undoes_the_group_and_later_it_works_again(db: Db) -> None:
    heard: list[int] = []
    await set_pages(db, 20)

    async def body(note_id: int, size: int) -> None:
        async with db.transaction() as tx:
            tx.after_commit(lambda: heard.append(note_id))
            await tx.run(ADD, {"id": note_id, "body": b"x" * size})

    results = await asyncio.gather(body(1, 10), body(2, 1_000_000), return_exceptions=True)
    assert [type(result) for result in results] == [DatabaseUnavailable, DatabaseUnavailable]
    assert await ids(db) == []
    assert heard == []
    await body(3, 10)
    await set_pages(db, 100_000)
    await body(4, 1_000_000)
    assert await ids(db) == [3, 4]
    assert heard == [3, 4]


async def test_a_body_that_goes_on_after_a_full_disk_writes_nothing(db: Db) -> None:
    await set_pages(db, 20)

    async def stubborn() -> None:
        async with db.transaction() as tx:
            with pytest.raises(DatabaseUnavailable):
                await tx.run(ADD, {"id": 1, "body": b"x" * 1_000_000})
            await tx.run(ADD, {"id": 2})

    with pytest.raises(DatabaseUnavailable):
        await stubborn()
    assert await ids(db) == []


async def test_each_refusal_of_the_schema_has_its_own_error(db: Db) -> None:
    await add(db, 1)
    with pytest.raises(Duplicate):
        await add(db, 1)
    with pytest.raises(ConstraintViolated):
        async with db.transaction() as tx:
            await tx.run(ADD, {"id": 2, "amount": -1})
    async with db.transaction() as tx:
        assert (await tx.run(insert_ignore(NOTE), {"id": 1})).rowcount == 0
        assert (await tx.run(insert_ignore(NOTE), {"id": 3})).rowcount == 1
    assert await ids(db) == [1, 3]


async def test_a_mistake_in_a_statement_is_not_taken_for_an_unavailable_database(db: Db) -> None:
    with pytest.raises(OperationalError, match="no such table"):
        async with db.transaction() as tx:
            await tx.run(text("SELECT * FROM nowhere"))


async def test_rows_are_one_or_an_error(db: Db) -> None:
    await add(db, 1)
    async with db.read() as tx:
        assert (await tx.run(IDS)).one()["id"] == 1
        assert (await tx.run(COUNT)).scalar() == 1
        assert (await tx.run(IDS.where(NOTE.c.id == 9))).first() is None
        with pytest.raises(LookupError, match="found 0"):
            (await tx.run(IDS.where(NOTE.c.id == 9))).one()


async def test_a_schema_change_that_fails_leaves_nothing_behind(db: Db) -> None:
    def change(connection: object) -> None:
        METADATA.tables["note"].drop(connection)  # type: ignore[arg-type]
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        db.migrate(change)
    await add(db, 1)
    assert await ids(db) == [1]


async def test_in_memory_there_is_one_connection_and_the_same_answers() -> None:
    db = await open_database("sqlite:")
    db.migrate(METADATA.create_all)
    results = await asyncio.gather(
        add(db, 1), add(db, 2, then=ValueError("no")), add(db, 3), return_exceptions=True
    )
    assert [type(result) for result in results] == [type(None), ValueError, type(None)]
    assert await ids(db) == [1, 3]
    await db.close()


async def test_an_address_of_another_kind_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="oracle"):
        await open_database("oracle://host")
