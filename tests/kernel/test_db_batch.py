"""The batch: one packet, all or nothing, every error told apart, every text intact."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import AsyncIterator

import pytest
from asyncmy.errors import ProgrammingError
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Double,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    update,
)
from tests.support.mariadb import MARIADB, kill_session, mysql_url, proxy, until_one_waits

from kessai.kernel.db import (
    Batch,
    DuplicateKey,
    MySqlDb,
    MySqlLimits,
    RowsInsert,
    Statement,
    StatementTooLarge,
    Value,
)
from kessai.kernel.errors import ConstraintViolated, DatabaseUnavailable

__all__ = ["mysql_url"]
pytestmark = MARIADB

METADATA = MetaData()
ROW = Table(
    "row",
    METADATA,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", String(8)),
    Column("amount", Integer, CheckConstraint("amount >= 0"), nullable=False),
    Column("words", Text(16_777_215)),
    UniqueConstraint("name", name="uq_row_name"),
)
KEPT = Table(
    "kept",
    METADATA,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("words", Text(16_777_215)),
    Column("bytes", LargeBinary(16_777_215)),
    Column("number", Double),
)
ROWS = RowsInsert(ROW)
KEPTS = RowsInsert(KEPT)
RAISE = "UPDATE `row` SET amount = amount + 1 WHERE id = %s"
# The first results of a packet are there long before its COMMIT.
SLOW = ("DO SLEEP(%s)", (0.3,))


def a_row(row_id: int, name: str | None = None, amount: int | None = 0) -> tuple[Value, ...]:
    return (row_id, name, amount, None)


@pytest.fixture
async def db(mysql_url: str) -> AsyncIterator[MySqlDb]:
    db = MySqlDb(mysql_url)
    db.migrate(METADATA.create_all)
    async with db.transaction() as tx:
        for table in (ROW, KEPT):
            await tx.run(table.delete())
    yield db
    await db.close()


@pytest.fixture
def batch(db: MySqlDb) -> Batch:
    return db.batch()


async def ids(batch: Batch) -> list[object]:
    return [row[0] for row in await batch.select("SELECT id FROM `row` ORDER BY id")]


async def session_id(batch: Batch) -> int:
    return int(str((await batch.select("SELECT connection_id()"))[0][0]))


@pytest.mark.usefixtures("db")
async def test_many_statements_are_one_packet_and_say_what_each_did(mysql_url: str) -> None:
    async with proxy() as between:
        far = MySqlDb(between.url(mysql_url))
        batch = far.batch()
        assert await ids(batch) == []
        before = between.queries
        counts = await batch.run(
            [
                ROWS([a_row(1), a_row(2), a_row(3)]),
                (RAISE, (1,)),
                (RAISE, (9,)),
                ("UPDATE `row` SET amount = 0 WHERE id IN (%s, %s)", (2, 3)),
            ]
        )
        assert between.queries - before == 1
        # A row that has the value already was found, and that is what counts.
        assert counts == [3, 1, 0, 2]
        assert await batch.run([ROWS([a_row(4)])]) == [1]
        assert between.queries - before == 2
        assert await batch.run([]) == []
        assert between.queries - before == 2
        await far.close()


async def test_one_statement_needs_no_transaction_and_is_durable_at_once(
    db: MySqlDb, batch: Batch
) -> None:
    await batch.run([ROWS([a_row(1)])])
    other = db.batch()
    assert await ids(other) == [1]
    assert await batch.select("SELECT @@in_transaction") == ((0,),)
    await batch.run([ROWS([a_row(2)]), (RAISE, (1,))])
    assert await ids(other) == [1, 2]
    assert await batch.select("SELECT @@in_transaction") == ((0,),)


REFUSED: list[tuple[Statement, type[Exception]]] = [
    (ROWS([a_row(2), a_row(1)]), DuplicateKey),
    (ROWS([a_row(3, "taken")]), DuplicateKey),
    (ROWS([a_row(3, amount=None)]), ConstraintViolated),
    (ROWS([a_row(3, amount=-1)]), ConstraintViolated),
    (ROWS([a_row(3, "much too long")]), ConstraintViolated),
    (ROWS([a_row(3, amount=2**31)]), ConstraintViolated),
    (("INSERT INTO nowhere VALUES (%s)", (1,)), ProgrammingError),
    (("INSERT INTO `row` SELEKT", ()), ProgrammingError),
]


@pytest.mark.parametrize(("refused", "error"), REFUSED)
async def test_a_refused_statement_rolls_everything_back_and_lets_go_of_its_locks(
    db: MySqlDb, batch: Batch, refused: Statement, error: type[Exception]
) -> None:
    await batch.run([ROWS([a_row(1, "taken")])])
    session = await session_id(batch)
    for statements in ([ROWS([a_row(7)]), refused, ROWS([a_row(8)])], [refused]):
        with pytest.raises(error):
            await batch.run(statements)
        # Another session can have the same rows at once; it would wait for a lock in vain.
        other = db.batch()
        assert await other.run([ROWS([a_row(7)]), (RAISE, (1,))]) == [1, 1]
        await other.run([("DELETE FROM `row` WHERE id = %s", (7,))])
        assert await ids(batch) == [1]
    assert await batch.run([ROWS([a_row(9)])]) == [1]
    assert await session_id(batch) == session


async def test_a_duplicate_names_its_key_and_no_value(batch: Batch) -> None:
    await batch.run([ROWS([a_row(1, "secret")])])
    for row, key in ((a_row(1), "PRIMARY"), (a_row(2, "secret"), "uq_row_name")):
        with pytest.raises(DuplicateKey) as caught:
            await batch.run([ROWS([row])])
        assert caught.value.key == key
        assert str(caught.value) == f"UNIQUE constraint failed: {key}"


@pytest.mark.parametrize("more", [[], [(RAISE, (1,))], [SLOW]])
async def test_a_lost_answer_is_unknown_and_sent_again_the_rows_meet_themselves(
    mysql_url: str, batch: Batch, more: list[Statement]
) -> None:
    async with proxy() as between:
        far = MySqlDb(between.url(mysql_url))
        lossy = far.batch()
        assert await ids(lossy) == []
        between.lose_answers = 1
        with pytest.raises(DatabaseUnavailable):
            await lossy.run([ROWS([a_row(1)]), *more])
        # It was done, and nobody had known.
        assert await ids(batch) == [1]
        with pytest.raises(DuplicateKey):
            await lossy.run([ROWS([a_row(1)]), *more])
        assert await lossy.run([ROWS([a_row(2)])]) == [1]
        await far.close()


@pytest.mark.parametrize("more", [[], [(RAISE, (1,))], [SLOW]])
async def test_a_garbled_answer_is_unknown_and_nothing_is_left_of_it(
    mysql_url: str, batch: Batch, more: list[Statement]
) -> None:
    async with proxy() as between:
        far = MySqlDb(between.url(mysql_url))
        lossy = far.batch()
        assert await ids(lossy) == []
        between.garble_answers = 1
        with pytest.raises(DatabaseUnavailable, match="sequence number"):
            await lossy.run([ROWS([a_row(1)]), *more])
        assert await lossy.select("SELECT %s", ("mine",)) == (("mine",),)
        assert await ids(batch) == [1]
        await far.close()


@pytest.mark.usefixtures("db")
async def test_a_server_that_does_not_answer_is_unavailable(mysql_url: str) -> None:
    async with proxy() as between:
        far = MySqlDb(between.url(mysql_url), limits=MySqlLimits(answer_s=0.5, connect_s=0.5))
        batch = far.batch()
        assert await ids(batch) == []
        between.frozen = True
        with pytest.raises(DatabaseUnavailable, match="no answer"):
            await batch.run([ROWS([a_row(1)])])
        with pytest.raises(DatabaseUnavailable, match="cannot connect"):
            await batch.run([ROWS([a_row(1)])])
        between.frozen = False
        assert await batch.run([ROWS([a_row(2)])]) == [1]
        await far.close()


async def test_a_connection_that_died_while_idle_is_replaced_unseen(batch: Batch) -> None:
    await kill_session(await session_id(batch))
    assert await batch.run([ROWS([a_row(1)]), (RAISE, (1,))]) == [1, 1]


async def test_a_connection_killed_at_work_keeps_nothing(db: MySqlDb, batch: Batch) -> None:
    await batch.run([ROWS([a_row(1)])])
    session = await session_id(batch)
    async with db.transaction() as tx:
        await tx.run(_HOLD, {"of_id": 1})
        waiting = asyncio.create_task(batch.run([ROWS([a_row(2)]), (RAISE, (1,))]))
        await until_one_waits()
        await kill_session(session)
        with pytest.raises(DatabaseUnavailable):
            await waiting
    assert await ids(batch) == [1]


async def test_a_lock_that_is_held_too_long_keeps_nothing(mysql_url: str, db: MySqlDb) -> None:
    impatient = MySqlDb(mysql_url, lock_timeout_s=1.0)
    batch = impatient.batch()
    await batch.run([ROWS([a_row(1)])])
    async with db.transaction() as tx:
        await tx.run(_HOLD, {"of_id": 1})
        with pytest.raises(DatabaseUnavailable):
            await batch.run([ROWS([a_row(2)]), (RAISE, (1,))])
        assert await ids(batch) == [1]
    assert await batch.run([ROWS([a_row(2)]), (RAISE, (1,))]) == [1, 1]
    await impatient.close()


async def test_of_two_that_lock_each_other_one_is_rolled_back(db: MySqlDb, batch: Batch) -> None:
    await batch.run([ROWS([a_row(1), a_row(2)])])
    outcomes: list[str] = []

    async def other_way_round() -> None:
        async with db.transaction() as tx:
            await tx.run(_HOLD, {"of_id": 2})
            waiting = asyncio.create_task(batch.run([(RAISE, (1,)), (RAISE, (2,))]))
            await until_one_waits()
            try:
                await tx.run(_HOLD, {"of_id": 1})
            finally:
                outcomes.append(await _outcome(waiting))

    outcomes.append(await _outcome(asyncio.create_task(other_way_round())))
    assert sorted(outcomes) == ["DatabaseUnavailable", "done"]
    assert await batch.run([(RAISE, (1,)), (RAISE, (2,))]) == [1, 1]


async def _outcome(task: asyncio.Task[list[int]] | asyncio.Task[None]) -> str:
    try:
        await task
    except DatabaseUnavailable:
        return "DatabaseUnavailable"
    return "done"


async def test_a_cancelled_batch_leaves_no_answer_for_the_next(db: MySqlDb, batch: Batch) -> None:
    await batch.run([ROWS([a_row(1)])])
    async with db.transaction() as tx:
        await tx.run(_HOLD, {"of_id": 1})
        waiting = asyncio.create_task(batch.run([ROWS([a_row(2)]), (RAISE, (1,))]))
        await until_one_waits()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await batch.select("SELECT %s", ("mine",)) == (("mine",),)
    assert await batch.run([ROWS([a_row(3)])]) == [1]


async def test_one_call_at_a_time(batch: Batch) -> None:
    first = asyncio.create_task(batch.run([ROWS([a_row(1)]), (RAISE, (1,))]))
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="one call at a time"):
        await batch.select("SELECT 1")
    assert await first == [1, 1]
    assert await ids(batch) == [1]


WORDS: list[Value] = [
    "",
    'it\'s "quoted" `so`',
    "back\\slash \\' \\",
    "%s %% %(name)s {} {0} :name ?",
    "\0 \r\n\t\b \x1a",
    "', NULL, NULL); DROP TABLE kept; -- /* # */",
    "日本語 𠮷 👩‍👩‍👧 \u202e \ufeff",
    "".join(map(chr, range(0x800))),
    "".join(map(chr, (0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x10FFFF))),
    None,
]


async def test_text_comes_back_as_it_went(batch: Batch) -> None:
    rows = [(n, words, None, None) for n, words in enumerate(WORDS)]
    assert await batch.run([KEPTS(rows), ("UPDATE kept SET number = 1 WHERE id < 0", ())]) == [
        len(rows),
        0,
    ]
    found = await batch.select("SELECT words FROM kept ORDER BY id")
    assert [row[0] for row in found] == WORDS
    for n, words in enumerate(WORDS):
        same = await batch.select("SELECT id FROM kept WHERE words = %s AND id = %s", (words, n))
        assert same == (() if words is None else ((n,),))


class Colour(enum.StrEnum):
    RED = "r'd"


class Size(enum.IntEnum):
    BIG = 7


async def test_bytes_and_numbers_come_back_as_they_went(batch: Batch) -> None:
    every_byte = bytes(range(256))
    rows: list[tuple[Value, ...]] = [
        (2**63 - 1, Colour.RED, every_byte, 0.1),
        (-(2**63), None, b"", -1e300),
        (True, None, b"'", 5e-324),
        (Size.BIG, None, b"\\", 1.7976931348623157e308),
    ]
    await batch.run([KEPTS(rows)])
    found = await batch.select("SELECT id, words, bytes, number FROM kept ORDER BY id DESC")
    by_id = {row[0]: row for row in found}
    assert by_id == {row[0]: row for row in rows}
    assert by_id[2**63 - 1][1] == "r'd"


UNWRITABLE: list[tuple[object, type[Exception]]] = [
    (float("nan"), ConstraintViolated),
    (float("inf"), ConstraintViolated),
    ("half a pair \ud83d", ConstraintViolated),
    ("half a pair \udc27", ConstraintViolated),
    ([1], TypeError),
    ({"a": 1}, TypeError),
    (object(), TypeError),
]


@pytest.mark.parametrize(("value", "error"), UNWRITABLE)
async def test_a_value_without_an_sql_form_is_refused_before_anything_is_sent(
    batch: Batch, value: Value, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await batch.run([ROWS([a_row(1)]), KEPTS([(1, value, None, None)])])
    assert await ids(batch) == []


async def test_a_percent_sign_in_the_statement_is_doubled(batch: Batch) -> None:
    await batch.run([ROWS([a_row(1, "a%b"), a_row(2, "ab")])])
    found = await batch.select("SELECT id FROM `row` WHERE name LIKE 'a\\%%%%' AND id > %s", (0,))
    assert found == ((1,),)
    assert await batch.select("SELECT 7 %% 4") == ((3,),)


@pytest.mark.usefixtures("db")
async def test_rows_as_large_as_a_packet_pass_and_larger_ones_are_refused_unsent(
    mysql_url: str,
) -> None:
    async with proxy() as between:
        far = MySqlDb(between.url(mysql_url))
        batch = far.batch()
        allowed = int(str((await batch.select("SELECT @@max_allowed_packet"))[0][0]))
        # All but the text itself: the statement, the quotes, the command's byte.
        around = len(KEPTS([(1,) * 4])[0] % ("1", "''", "NULL", "NULL")) + 1
        limit = min(allowed, MySqlLimits().packet_bytes)
        largest = "x" * (limit - around)
        before = between.queries
        with pytest.raises(StatementTooLarge):
            await batch.run([KEPTS([(1, largest + "x", None, None)])])
        # Escaped, every quote is two characters.
        with pytest.raises(StatementTooLarge):
            await batch.run([KEPTS([(1, "'" * (limit // 2), None, None)])])
        assert between.queries == before
        assert await batch.run([KEPTS([(1, largest, None, None)])]) == [1]
        assert await batch.select("SELECT length(words) FROM kept") == ((len(largest),),)
        await far.close()


async def test_a_limit_of_ours_below_that_of_the_server_counts(mysql_url: str) -> None:
    db = MySqlDb(mysql_url, limits=MySqlLimits(packet_bytes=1000))
    batch = db.batch()
    with pytest.raises(StatementTooLarge, match="the limit is 1000"):
        await batch.run([KEPTS([(1, "x" * 1000, None, None)])])
    await db.close()


async def test_whole_rows_are_written_in_the_order_of_the_table() -> None:
    sql, values = KEPTS([(1, "a", b"b", 1.5), (2, None, None, None)])
    assert sql == (
        "INSERT INTO kept (id, words, bytes, number) VALUES (%s, %s, %s, %s),(%s, %s, %s, %s)"
    )
    assert values == (1, "a", b"b", 1.5, 2, None, None, None)
    assert ROWS([a_row(1)])[0].startswith("INSERT INTO `row` (id, name, amount, words) VALUES")


async def test_a_closed_batch_opens_again(batch: Batch) -> None:
    first = await session_id(batch)
    await batch.close()
    assert await session_id(batch) != first


_HOLD = update(ROW).where(ROW.c.id == bindparam("of_id")).values(amount=ROW.c.amount + 1)
