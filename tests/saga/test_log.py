"""The saga log's tables: the migration makes what the code uses, and keys are the fence."""

from __future__ import annotations

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection, MetaData, create_engine, inspect

from kessai.saga import METADATA, saga_tables_v1


def described(connection: Connection) -> dict[str, object]:
    found = inspect(connection)
    return {
        table: {
            "columns": [
                (column["name"], str(column["type"]), column["nullable"])
                for column in found.get_columns(table)
            ],
            "key": found.get_pk_constraint(table)["constrained_columns"],
            "unique": [one["column_names"] for one in found.get_unique_constraints(table)],
            "indexes": sorted(
                (str(one["name"]), one["column_names"]) for one in found.get_indexes(table)
            ),
        }
        for table in sorted(found.get_table_names())
    }


def test_the_migration_and_the_tables_agree() -> None:
    by_migration, by_tables = create_engine("sqlite://"), create_engine("sqlite://")
    with by_migration.connect() as migrated, by_tables.connect() as created:
        saga_tables_v1(Operations(MigrationContext.configure(migrated)))
        METADATA.create_all(created)
        assert described(migrated) == described(created)
        assert sorted(MetaData().tables) == []
        assert described(migrated)["sg_event"]["key"] == ["machine_id", "seq"]  # type: ignore[index]
    by_migration.dispose()
    by_tables.dispose()
