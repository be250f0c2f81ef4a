"""The pools: bounded, fair, and whole again whoever was cancelled where."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from tests.support.kernel import eventually
from tests.support.mariadb import MARIADB, USER, mysql_url, server, until_one_waits
from tests.support.notes import ADD, RAISE, a_database, a_note, add, ids

from kessai.kernel.db import Db, MySqlDb, MySqlLimits, open_database
from kessai.kernel.errors import DatabaseUnavailable

__all__ = ["mysql_url"]
pytestmark = MARIADB

OPEN_SESSIONS = f"SELECT count(*) FROM information_schema.processlist WHERE user = '{USER}'"


@pytest.fixture
async def db(mysql_url: str) -> AsyncIterator[Db]:
    db = await a_database(mysql_url)
    yield db
    await db.close()


@pytest.fixture
async def narrow(mysql_url: str, db: Db) -> AsyncIterator[MySqlDb]:
    narrow = MySqlDb(mysql_url, limits=MySqlLimits(writers=1, readers=1, pool_wait_s=0.1))
    yield narrow
    await narrow.close()


async def test_a_full_pool_refuses_after_its_time_and_readers_have_their_own(
    narrow: MySqlDb,
) -> None:
    async with narrow.transaction() as tx:
        await tx.run(ADD, a_note(3))
        with pytest.raises(DatabaseUnavailable, match="no connection became free"):
            await add(narrow, 4)
        assert await ids(narrow) == [1, 2]
        async with narrow.read():
            with pytest.raises(DatabaseUnavailable, match="no connection became free"):
                await ids(narrow)
    await add(narrow, 5)
    assert await ids(narrow) == [1, 2, 3, 5]


async def test_who_waits_for_a_place_gets_it(mysql_url: str, db: Db) -> None:
    one_place = MySqlDb(mysql_url, limits=MySqlLimits(writers=1, readers=1))
    await asyncio.gather(*(add(one_place, n) for n in range(3, 23)))
    assert await ids(one_place) == list(range(1, 23))
    await one_place.close()


async def test_who_is_cancelled_while_waiting_for_a_place_takes_none(narrow: MySqlDb) -> None:
    async with narrow.transaction() as tx:
        waiting = [asyncio.create_task(add(narrow, n)) for n in range(3, 6)]
        await asyncio.sleep(0)
        for task in waiting:
            task.cancel()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(result) for result in results] == [asyncio.CancelledError] * 3
        await tx.run(ADD, a_note(6))
    await add(narrow, 7)
    assert await ids(narrow) == [1, 2, 6, 7]


async def test_a_statement_cancelled_in_flight_lets_go_of_everything(
    narrow: MySqlDb, db: Db
) -> None:
    async def raise_one() -> None:
        async with narrow.transaction() as tx:
            await tx.run(ADD, a_note(3))
            await tx.run(RAISE, {"of_id": 1})

    async with db.transaction() as tx:
        await tx.run(RAISE, {"of_id": 1})
        waiting = asyncio.create_task(raise_one())
        await until_one_waits()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        # The only place is free again, and its session is no half-read one.
        await add(narrow, 4)
    await raise_one()
    assert await ids(narrow) == [1, 2, 3, 4]


async def test_no_cancelled_caller_leaves_its_answer_to_another(mysql_url: str, db: Db) -> None:
    """The driver's old disease: a query cut off in the middle hands its rows to the next."""
    pool = MySqlDb(mysql_url, limits=MySqlLimits(writers=3, readers=3))
    chance = random.Random(4)
    wrong: list[object] = []
    answers = 0

    async def ask(number: int) -> None:
        nonlocal answers
        body = pool.read() if number % 2 else pool.transaction()
        async with body as tx:
            rows = await tx.run(text("SELECT :n AS n, SLEEP(:s)"), {"n": number, "s": 0.001})
            wrong.extend([] if rows.scalar() == number else [number])
            rows = await tx.run(text("SELECT :n AS n"), {"n": -number})
            wrong.extend([] if rows.scalar() == -number else [number])
            answers += 1

    async def round_of(numbers: range) -> None:
        tasks = [asyncio.create_task(ask(number)) for number in numbers]
        for task in tasks:
            if chance.random() < 0.7:
                asyncio.get_running_loop().call_later(chance.random() * 0.03, task.cancel)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(result) for result in results} <= {type(None), asyncio.CancelledError}

    for start in range(0, 300, 30):
        await round_of(range(start, start + 30))
    assert wrong == []
    assert 0 < answers < 300
    # All places are there and whole: three bodies of each kind are open at once.
    async with pool.read(), pool.read(), pool.read(), pool.transaction(), pool.transaction():
        await ask(302)
    await pool.close()


async def test_a_closed_database_leaves_no_session_behind(mysql_url: str, db: Db) -> None:
    async def cancelled() -> None:
        async with db.transaction() as tx:
            await tx.run(ADD, a_note(3))
            task = asyncio.current_task()
            assert task is not None
            asyncio.get_running_loop().call_soon(task.cancel)

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(cancelled())
    assert isinstance(db, MySqlDb)
    await db.batch().select("SELECT 1")
    await db.close()
    await eventually(lambda: server().sql(OPEN_SESSIONS) == [["0"]])
    again = await open_database(mysql_url)
    assert await ids(again) == [1, 2, 3]
    await again.close()
