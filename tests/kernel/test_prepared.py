"""Statements that skip SQLAlchemy's executor return what they return through it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import (
    BigInteger,
    Column,
    LargeBinary,
    MetaData,
    String,
    Table,
    bindparam,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.engine import Connection
from sqlalchemy.exc import StatementError
from sqlalchemy.sql.base import Executable

from kessai.kernel.db import Db, Params, Row, open_database

_TABLES = MetaData()
_NOTE = Table(
    "note",
    _TABLES,
    Column("id", BigInteger, primary_key=True),
    Column("word", String(20)),
    Column("body", LargeBinary),
    Column("colour", String(10), default="grey"),
)
_ADD = insert(_NOTE)
_ONE = select(_NOTE.c.id, _NOTE.c.word).where(_NOTE.c.id == bindparam("wanted"))
_ROWS: list[Row] = [
    {"id": 1, "word": "a", "body": b"\x00\xff"},
    {"id": 2, "word": None, "body": None},
]


@pytest.fixture
async def db() -> AsyncIterator[Db]:
    opened = await open_database("sqlite:")
    opened.migrate(_create)
    async with opened.transaction() as tx:
        added = await tx.run(_ADD, _ROWS)
        assert added.rowcount == 2
    yield opened
    await opened.close()


def _create(connection: Connection) -> None:
    _TABLES.create_all(connection)


async def _run(db: Db, statement: Executable, params: Params | None = None) -> list[Row]:
    async with db.transaction() as tx:
        return list((await tx.run(statement, params)).all())


@pytest.mark.parametrize(
    ("statement", "params", "rows"),
    [
        (_ONE, {"wanted": 2}, [{"id": 2, "word": None}]),
        (select(func.count()).select_from(_NOTE), None, [{"count_1": 2}]),
        (select(_NOTE.c.word.label("said")).where(_NOTE.c.id == 1), None, [{"said": "a"}]),
        (
            select(_NOTE.c.id).where(_NOTE.c.id.in_(bindparam("ids", expanding=True))),
            {"ids": [1, 2, 3]},
            [{"id": 1}, {"id": 2}],
        ),
        (text("select id from note where word = :word"), {"word": "a"}, [{"id": 1}]),
        (
            update(_NOTE)
            .where(_NOTE.c.id == bindparam("wanted"))
            .values(word=bindparam("now"))
            .returning(_NOTE.c.word),
            {"wanted": 1, "now": "b"},
            [{"word": "b"}],
        ),
    ],
)
async def test_rows_come_back_by_their_names(
    db: Db, statement: Executable, params: Params | None, rows: list[Row]
) -> None:
    assert await _run(db, statement, params) == rows
    # Once more, from what was kept.
    assert await _run(db, statement, params) == rows


async def test_bytes_stay_bytes_and_a_default_of_python_is_filled_in(db: Db) -> None:
    [first, second] = await _run(db, select(_NOTE).order_by(_NOTE.c.id))
    assert (first["body"], second["body"]) == (b"\x00\xff", None)
    assert first["colour"] == "grey"


async def test_one_statement_serves_different_columns(db: Db) -> None:
    await _run(db, _ADD, {"id": 3, "colour": "red"})
    await _run(db, _ADD, {"id": 4, "word": "d", "colour": "blue"})
    found = await _run(db, select(_NOTE.c.word, _NOTE.c.colour).where(_NOTE.c.id > 2))
    assert found == [{"word": None, "colour": "red"}, {"word": "d", "colour": "blue"}]


@pytest.mark.parametrize("params", [None, {}, {"other": 1}])
async def test_a_missing_parameter_is_refused(db: Db, params: Params | None) -> None:
    with pytest.raises(StatementError, match="wanted"):
        await _run(db, _ONE, params)


async def test_changed_rows_are_counted(db: Db) -> None:
    async with db.transaction() as tx:
        changed = await tx.run(update(_NOTE).values(word="z"))
        assert changed.rowcount == 2
        assert (await tx.run(_ONE, {"wanted": 9})).first() is None


_OF_IDS = (
    select(_NOTE.c.id)
    .where(_NOTE.c.id.in_(bindparam("ids", expanding=True)))
    .where(_NOTE.c.id < bindparam("under"))
    .where(_NOTE.c.word.not_in(bindparam("words", expanding=True)) | (_NOTE.c.word == "a"))
    .order_by(_NOTE.c.id)
)


@pytest.mark.parametrize("_again", range(2))
async def test_lists_of_every_length_find_their_own_rows(db: Db, _again: int) -> None:
    await _run(db, _ADD, [{"id": number, "word": f"w{number}"} for number in range(3, 9)])
    for ids, words, under in [
        ([], [], 9),
        ([3], [], 9),
        ([3, 4, 5, 1], ["w4"], 9),
        ([5, 3, 4, 1], ["a", "w3", "w5"], 9),
        ([3, 3, 3, 7], ["w9"], 6),
        ([], ["w3"], 9),
    ]:
        found = await _run(db, _OF_IDS, {"ids": ids, "words": words, "under": under})
        wanted = [
            number
            for number in range(1, 9)
            if number in ids
            and number < under
            and number != 2
            and (number == 1 or f"w{number}" not in words)
        ]
        assert [row["id"] for row in found] == wanted


async def test_a_list_that_the_statement_brings_along(db: Db) -> None:
    found = await _run(db, select(_NOTE.c.id).where(_NOTE.c.id.in_([2, 7])))
    assert found == [{"id": 2}]


async def test_a_missing_list_is_refused(db: Db) -> None:
    with pytest.raises(StatementError, match="ids"):
        await _run(db, _OF_IDS, {"words": [], "under": 1})
