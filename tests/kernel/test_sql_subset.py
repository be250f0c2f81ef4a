"""Every statement of ours, as it is written for MySQL, is one that MariaDB understands as well."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from sqlalchemy import MetaData, Table
from sqlalchemy.dialects import mysql
from sqlalchemy.schema import CreateIndex, CreateTable, DDLElement
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.elements import ClauseElement
from tests.support.sql_subset import violations

import kessai

_DIALECT = mysql.dialect()
_DEPTH = 4
# These never meet a server, or are programs.
_FILES_ONLY = (
    "kessai.kernel.local_bus",
    "kessai.kernel.alembic",
    "kessai.payment.gateway.settlement_scratch",
    "kessai.proof.mutants.__main__",
    "kessai.sim.",
    "kessai.__main__",
)


@cache
def written() -> dict[str, str]:
    """The SQL of every statement that a module of ours holds, and of every table, by its place."""
    found: dict[str, str] = {}
    for module in pkgutil.walk_packages(kessai.__path__, "kessai."):
        if module.name.startswith(_FILES_ONLY) or ".migrations" in module.name:
            continue
        loaded = importlib.import_module(module.name)
        for name, value in vars(loaded).items():
            for place, part in held(f"{module.name}.{name}", value, _DEPTH):
                found.setdefault(*compiled(place, part))
    return found


def held(place: str, value: Any, depth: int) -> Iterator[tuple[str, Any]]:
    """Statements and tables in a value: itself, in a collection, in an object of ours."""
    if isinstance(value, Table) or (
        isinstance(value, Executable) and isinstance(value, ClauseElement)
    ):
        yield place, value
    elif isinstance(value, MetaData):
        for table in value.sorted_tables:
            yield f"{place}.{table.name}", table
    elif depth:
        if isinstance(value, dict):
            parts: list[tuple[object, object]] = list(value.items())
        elif isinstance(value, tuple | list):
            parts = list(enumerate(value))
        elif type(value).__module__.startswith("kessai.") and hasattr(value, "__dict__"):
            parts = list(vars(value).items())
        else:
            return
        for name, part in parts:
            yield from held(f"{place}.{name}", part, depth - 1)


def compiled(place: str, value: Any) -> tuple[str, str]:
    if not isinstance(value, Table):
        return place, str(value.compile(dialect=_DIALECT))
    indexes = [CreateIndex(index) for index in value.indexes]
    texts: list[DDLElement] = [CreateTable(value), *indexes]
    return place, ";\n".join(str(text.compile(dialect=_DIALECT)) for text in texts)


def test_every_statement_is_in_the_common_subset() -> None:
    wrong = {place: [*violations(sql)] for place, sql in written().items()}
    assert {place: found for place, found in wrong.items() if found} == {}


def test_the_statements_of_every_service_were_found() -> None:
    """So that the test above cannot pass by looking nowhere."""
    services = ("order", "payment", "storage", "account", "kernel", "saga")
    counts = {
        name: sum(place.startswith(f"kessai.{name}.") for place in written()) for name in services
    }
    assert {name: count >= 5 for name, count in counts.items()} == dict.fromkeys(services, True)
    for text in ("SKIP LOCKED", "INSERT IGNORE", "CREATE TABLE", "LOCK IN SHARE MODE"):
        assert any(text in sql for sql in written().values()), text


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 FROM t FOR SHARE",
        "SELECT 1 FROM t FOR UPDATE OF t",
        "INSERT INTO t VALUES (1) AS new ON DUPLICATE KEY UPDATE a = new.a",
        "INSERT INTO t VALUES (1) AS new (a) ON DUPLICATE KEY UPDATE b = a",
        "SELECT a->>'$.b' FROM t",
        "SELECT a->'$.b' FROM t",
        "CREATE TABLE t (a INT) COLLATE utf8mb4_0900_ai_ci",
        "CREATE INDEX i ON t ((lower(a)))",
        "SELECT uuid_to_bin(a)",
        "SELECT @@transaction_isolation",
        "SELECT @@session.tx_isolation",
        "INSERT INTO t VALUES (1) RETURNING id",
        "CREATE SEQUENCE s",
        "ALTER TABLE t ADD COLUMN IF NOT EXISTS a INT",
        "CREATE INDEX IF NOT EXISTS i ON t (a)",
        "CREATE OR REPLACE TABLE t (a INT)",
        "SELECT 1 FROM t FOR UPDATE WAIT 3",
        "SELECT rank FROM t",
        "CREATE TABLE groups (id INT)",
        "CREATE TABLE t (id UUID NOT NULL)",
    ],
)
def test_what_one_of_them_refuses_is_found(sql: str) -> None:
    assert [*violations(sql)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT `rank`, 'FOR SHARE', \"RETURNING\" FROM `groups` -- RETURNING\n",
        "SELECT RANK() OVER (ORDER BY a) FROM t LIMIT 3 FOR UPDATE SKIP LOCKED",
        "SELECT 1 FROM t LOCK IN SHARE MODE",
        "INSERT IGNORE INTO t (a) VALUES (%s)",
        "INSERT INTO t (a) VALUES (1) ON DUPLICATE KEY UPDATE a = VALUES(a)",
        "CREATE TABLE IF NOT EXISTS t (a VARCHAR(26) COLLATE utf8mb4_bin, KEY i (a, b))",
        "DROP TABLE IF EXISTS t",
        "SELECT 'it''s ->> here', 'a\\'RETURNING'",
        "SELECT JSON_VALUE(a, '$.b') FROM t /* FOR SHARE */",
    ],
)
def test_what_both_know_is_left_alone(sql: str) -> None:
    assert [*violations(sql)] == []
