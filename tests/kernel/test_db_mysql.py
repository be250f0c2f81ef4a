"""What only a server can do to us: locks, deadlocks, lost connections and answers, silence."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from tests.support.mariadb import MARIADB, kill_session, mysql_url, proxy, server
from tests.support.notes import ADD, METADATA, NOTE, RAISE, a_database, a_note, add, ids

from kessai.kernel.db import Db, MySqlDb, MySqlLimits, Tx, insert_ignore, open_database
from kessai.kernel.errors import DatabaseUnavailable

__all__ = ["mysql_url"]
pytestmark = MARIADB

SESSION = text("SELECT connection_id()")


@pytest.fixture
async def db(mysql_url: str) -> AsyncIterator[Db]:
    db = await a_database(mysql_url)
    yield db
    await db.close()


async def session_of(tx: Tx) -> int:
    return int(str((await tx.run(SESSION)).scalar()))


async def test_every_session_is_strict_and_the_same_whatever_the_server_says(db: Db) -> None:
    ours = text(
        "SELECT @@sql_mode AS mode, @@time_zone AS zone, @@character_set_client AS text, "
        "@@collation_connection AS collation, @@innodb_lock_wait_timeout AS row_wait_s, "
        "@@lock_wait_timeout AS table_wait_s, @@tx_isolation AS isolation"
    )
    expected = {
        "mode": "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,"
        "ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION",
        "zone": "+00:00",
        "text": "utf8mb4",
        "collation": "utf8mb4_bin",
        "row_wait_s": 5,
        "table_wait_s": 5,
    }
    async with db.transaction() as tx:
        found = dict((await tx.run(ours)).one())
    assert found == expected | {"isolation": "READ-COMMITTED"}
    async with db.read() as tx:
        found = dict((await tx.run(ours)).one())
    assert found == expected | {"isolation": "REPEATABLE-READ"}


async def test_a_pooled_session_takes_one_statement_at_a_time(db: Db) -> None:
    with pytest.raises(DBAPIError, match="syntax"):
        async with db.transaction() as tx:
            await tx.run(text("DELETE FROM note; DELETE FROM note"))
    assert await ids(db) == [1, 2]


async def test_ignored_duplicates_leave_no_values_in_the_log(
    db: Db, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        async with db.transaction() as tx:
            await tx.run(insert_ignore(NOTE), a_note(3, "taro@example.com"))
            again = await tx.run(insert_ignore(NOTE), a_note(4, "taro@example.com"))
    assert again.rowcount == 0
    assert "taro" not in caplog.text


async def test_of_two_that_lock_each_other_one_fails_whole_and_may_try_again(db: Db) -> None:
    first_has_one, second_has_two = asyncio.Event(), asyncio.Event()

    async def move(own: int, mine: asyncio.Event, theirs: asyncio.Event, other: int) -> None:
        async with db.transaction() as tx:
            await tx.run(ADD, a_note(10 * own))
            await tx.run(RAISE, {"of_id": own})
            mine.set()
            await theirs.wait()
            await tx.run(RAISE, {"of_id": other})

    results = await asyncio.gather(
        move(1, first_has_one, second_has_two, 2),
        move(2, second_has_two, first_has_one, 1),
        return_exceptions=True,
    )
    failed = [type(result) for result in results if result is not None]
    assert failed == [DatabaseUnavailable]
    survivor, victim = (1, 2) if results[0] is None else (2, 1)
    assert await ids(db) == [1, 2, 10 * survivor]
    await move(victim, first_has_one, second_has_two, survivor)
    assert await ids(db) == [1, 2, 10, 20]


async def test_what_came_before_a_lock_that_was_not_had_is_not_committed_alone(
    mysql_url: str, db: Db
) -> None:
    impatient = await open_database(mysql_url, lock_timeout_s=1.0)

    async def stubborn() -> None:
        async with impatient.transaction() as tx:
            await tx.run(ADD, a_note(3))
            with pytest.raises(DatabaseUnavailable):
                await tx.run(RAISE, {"of_id": 1})
            with pytest.raises(DatabaseUnavailable, match="was rolled back"):
                await tx.run(ADD, a_note(4))

    async with db.transaction() as tx:
        await tx.run(RAISE, {"of_id": 1})
        with pytest.raises(DatabaseUnavailable, match="was rolled back"):
            await stubborn()
    assert await ids(db) == [1, 2]
    await add(impatient, 3)
    await impatient.close()


async def test_a_session_killed_in_a_body_takes_that_body_and_no_other(db: Db) -> None:
    heard: list[int] = []

    async def killed() -> None:
        async with db.transaction() as tx:
            tx.after_commit(lambda: heard.append(3))
            await tx.run(ADD, a_note(3))
            await kill_session(await session_of(tx))
            await tx.run(ADD, a_note(4))

    with pytest.raises(DatabaseUnavailable):
        await killed()
    await add(db, 5)
    assert await ids(db) == [1, 2, 5]
    assert heard == []


async def test_a_session_killed_before_the_commit_is_not_taken_for_committed(db: Db) -> None:
    heard: list[int] = []

    async def killed() -> None:
        async with db.transaction() as tx:
            tx.after_commit(lambda: heard.append(3))
            await tx.run(ADD, a_note(3))
            await kill_session(await session_of(tx))

    with pytest.raises(DatabaseUnavailable, match="not known to be committed"):
        await killed()
    assert await ids(db) == [1, 2]
    assert heard == []


async def test_sessions_that_died_while_idle_are_replaced_unseen(db: Db) -> None:
    async with db.transaction() as tx:
        writer = await session_of(tx)
    async with db.read() as tx:
        reader = await session_of(tx)
    await kill_session(writer)
    await kill_session(reader)
    await add(db, 3)
    assert await ids(db) == [1, 2, 3]


async def test_a_server_that_died_is_unavailable_until_it_is_back(db: Db) -> None:
    await add(db, 3)
    server().kill()
    try:
        for use in (add(db, 4), ids(db), db.ping()):
            with pytest.raises(DatabaseUnavailable):
                await use
        with pytest.raises(DatabaseUnavailable):
            db.migrate(METADATA.create_all)
    finally:
        server().start()
    await db.ping()
    await add(db, 5)
    assert await ids(db) == [1, 2, 3, 5]


async def test_a_lost_answer_to_the_commit_is_unknown(mysql_url: str, db: Db) -> None:
    heard: list[int] = []
    async with proxy() as between:
        far = await open_database(between.url(mysql_url))

        async def lossy() -> None:
            async with far.transaction() as tx:
                tx.after_commit(lambda: heard.append(3))
                await tx.run(ADD, a_note(3))
                between.lose_answers = 1

        with pytest.raises(DatabaseUnavailable, match="not known to be committed"):
            await lossy()
        # Here it was, and nobody was told.
        assert await ids(db) == [1, 2, 3]
        assert heard == []
        await add(far, 4)
        await far.close()


async def test_a_garbled_answer_is_unknown_and_nothing_is_left_of_it(
    mysql_url: str, db: Db
) -> None:
    async with proxy() as between:
        far = MySqlDb(between.url(mysql_url), limits=MySqlLimits(writers=1, readers=1))
        await add(far, 3)

        async def garbled() -> None:
            async with far.transaction() as tx:
                between.garble_answers = 1
                await tx.run(ADD, a_note(4))

        with pytest.raises(DatabaseUnavailable, match="sequence number"):
            await garbled()
        await add(far, 5)
        assert await ids(far) == await ids(db) == [1, 2, 3, 5]
        await far.close()


async def test_a_silent_server_is_unavailable_and_forgotten(mysql_url: str, db: Db) -> None:
    limits = MySqlLimits(answer_s=0.5, connect_s=0.5, writers=1, readers=1)
    async with proxy() as between:
        far = MySqlDb(between.url(mysql_url), limits=limits)
        await add(far, 3)

        async def into_silence(*, before: bool) -> None:
            async with far.transaction() as tx:
                between.frozen = before
                await tx.run(ADD, a_note(4))
                between.frozen = True

        for before, words in ((True, "no answer"), (False, "not known to be committed")):
            with pytest.raises(DatabaseUnavailable, match=words):
                await into_silence(before=before)
            with pytest.raises(DatabaseUnavailable, match="cannot connect"):
                await add(far, 5)
            between.frozen = False
        await add(far, 6)
        assert await ids(db) == [1, 2, 3, 4, 6]
        await far.close()
