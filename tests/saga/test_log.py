"""The saga log's tables: the migrations make what the code uses, and keys are the fence."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection, inspect, text
from tests.saga.log_world import Writer, an_end
from tests.support.mariadb import MARIADB, server

from kessai.kernel.db import Db, open_database
from kessai.kernel.errors import DatabaseUnavailable
from kessai.saga import METADATA, saga_tables_v1, saga_tables_v2, saga_tables_v3
from kessai.saga.log import log_of


def described(connection: Connection) -> dict[str, Any]:
    """Without the order of the columns: a later migration adds at the end."""
    found = inspect(connection)
    return {
        table: {
            "columns": {
                column["name"]: (str(column["type"]), column["nullable"], column["default"])
                for column in found.get_columns(table)
            },
            "key": found.get_pk_constraint(table)["constrained_columns"],
            "unique": [one["column_names"] for one in found.get_unique_constraints(table)],
            "indexes": sorted(
                (str(one["name"]), one["column_names"]) for one in found.get_indexes(table)
            ),
        }
        for table in sorted(found.get_table_names())
    }


def migrate(connection: Connection) -> None:
    operations = Operations(MigrationContext.configure(connection))
    saga_tables_v1(operations)
    saga_tables_v2(operations)
    saga_tables_v3(operations)


async def opened(kind: str) -> Db:
    url = server().url(server().fresh_schema()) if kind == "mariadb" else "sqlite:"
    return await open_database(url)


def shape_of(db: Db) -> dict[str, Any]:
    shapes: list[dict[str, Any]] = []
    db.migrate(lambda connection: shapes.append(described(connection)))
    return shapes[0]


KINDS = ["sqlite", pytest.param("mariadb", marks=MARIADB)]


@pytest.mark.parametrize("kind", KINDS)
async def test_the_migrations_and_the_tables_agree(kind: str) -> None:
    by_migration, by_tables = await opened(kind), await opened(kind)
    by_migration.migrate(migrate)
    by_tables.migrate(METADATA.create_all)
    migrated = shape_of(by_migration)

    assert migrated == shape_of(by_tables)
    tables = ["sg_answer", "sg_engine", "sg_event", "sg_intent", "sg_machine"]
    assert sorted(migrated) == sorted(METADATA.tables) == tables
    assert migrated["sg_event"]["key"] == ["machine_id", "seq"]
    assert ["name", "business_key"] in migrated["sg_machine"]["unique"]
    await by_migration.close()
    await by_tables.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_the_log_writes_into_what_the_migrations_made(kind: str) -> None:
    """Each value into its own column, wherever a migration put that."""
    db = await opened(kind)
    db.migrate(migrate)
    log = log_of(db)
    writer = Writer(log)
    await writer.create("i-1", key="o-1", parent="p:1")
    await writer.append("i-1", an_end())
    row = await writer.row("i-1")
    assert row is not None
    assert (row.business_key, row.parent_id, row.status, row.ended_at) == ("o-1", "p:1", "SU", 1000)
    await log.close()
    await db.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_writer_that_fails_leaves_nobody_waiting_and_the_next_one_goes_on(
    kind: str,
) -> None:
    db = await opened(kind)
    db.migrate(METADATA.create_all)
    log = log_of(db)
    writer = Writer(log)
    for name in ("i-1", "i-2"):
        await writer.create(name)
    db.migrate(lambda connection: _rename(connection, "sg_event", "sg_gone"))
    answers = await asyncio.gather(
        *(writer.append(name, an_end()) for name in ("i-1", "i-2")), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [DatabaseUnavailable] * 2

    db.migrate(lambda connection: _rename(connection, "sg_gone", "sg_event"))
    for name in ("i-1", "i-2"):
        await writer.append(name, an_end())
        assert await writer.history(name) == [(1, 1, "start"), (2, 1, "end")]
    await log.close()
    await db.close()


def _rename(connection: Connection, old: str, new: str) -> None:
    connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))
