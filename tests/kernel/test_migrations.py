"""Every service's schema comes from its migrations, as one step, and only forward."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Table, text

from kessai.kernel.db import Db, open_database
from kessai.kernel.kernel_tables import (
    KERNEL,
    Op,
    idempotency_v1,
    inbox_v1,
    leases_v1,
    outbox_v1,
)
from kessai.kernel.migrations import SchemaTooNew, migrate, migrate_from

SOURCE = Path(__file__).parents[2] / "src" / "kessai"
PACKAGES = sorted(
    {
        path.parents[2].relative_to(SOURCE).as_posix().replace("/", ".")
        for path in SOURCE.glob("**/migrations/versions/*.py")
        if path.stem != "__init__"
    }
)
VERSION = """
from alembic import op
from sqlalchemy import Column, Integer

revision = "{revision}"
down_revision = {down}


def upgrade():
    op.create_table("t{revision}", Column("id", Integer, primary_key=True))
    {more}
"""


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Db]:
    db = await open_database(f"sqlite:///{tmp_path}/a.db")
    yield db
    await db.close()


def write_version(folder: Path, revision: str, down: str | None, more: str = "") -> None:
    folder.mkdir(exist_ok=True)
    source = VERSION.format(revision=revision, down=repr(down), more=more)
    (folder / f"{revision}.py").write_text(source)


async def tables(db: Db) -> list[str]:
    async with db.read() as tx:
        rows = await tx.run(
            text("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        )
    return [row["name"] for row in rows.all()]


async def test_versions_are_applied_once_and_new_ones_later(db: Db, tmp_path: Path) -> None:
    folder = tmp_path / "versions 100%"
    write_version(folder, "0001", None)
    migrate_from(db, str(folder), name="shop")
    migrate_from(db, str(folder), name="shop")
    assert await tables(db) == ["alembic_version_shop", "t0001"]
    write_version(folder, "0002", "0001")
    migrate_from(db, str(folder), name="shop")
    assert await tables(db) == ["alembic_version_shop", "t0001", "t0002"]
    # What was migrated is committed: another connection sees it.
    with sqlite3.connect(tmp_path / "a.db") as other:
        assert other.execute("SELECT * FROM alembic_version_shop").fetchall() == [("0002",)]
    other.close()


async def test_a_version_that_fails_leaves_the_schema_as_it_was(db: Db, tmp_path: Path) -> None:
    folder = tmp_path / "versions"
    write_version(folder, "0001", None)
    migrate_from(db, str(folder), name="shop")
    write_version(folder, "0002", "0001")
    write_version(folder, "0003", "0002", more="raise ValueError('half-way')")
    with pytest.raises(ValueError, match="half-way"):
        migrate_from(db, str(folder), name="shop")
    assert await tables(db) == ["alembic_version_shop", "t0001"]
    write_version(folder, "0003", "0002")
    migrate_from(db, str(folder), name="shop")
    assert await tables(db) == ["alembic_version_shop", "t0001", "t0002", "t0003"]


async def test_a_database_of_a_newer_program_is_refused(db: Db, tmp_path: Path) -> None:
    newer, older = tmp_path / "newer", tmp_path / "older"
    write_version(newer, "0001", None)
    write_version(newer, "0002", "0001")
    write_version(older, "0001", None)
    migrate_from(db, str(newer), name="shop")
    with pytest.raises(SchemaTooNew, match=r"0002.*start the newer one"):
        migrate_from(db, str(older), name="shop")


async def test_two_services_may_share_a_database(db: Db, tmp_path: Path) -> None:
    write_version(tmp_path / "a", "0001", None)
    write_version(tmp_path / "b", "0009", None)
    migrate_from(db, str(tmp_path / "a"), name="a")
    migrate_from(db, str(tmp_path / "b"), name="b")
    assert await tables(db) == ["alembic_version_a", "alembic_version_b", "t0001", "t0009"]


async def test_it_says_nothing_and_leaves_the_logging_alone(
    db: Db, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = logging.root.handlers[:], logging.root.level, logging.getLogger("alembic").level
    write_version(tmp_path / "versions", "0001", None)
    migrate_from(db, str(tmp_path / "versions"), name="shop")
    assert capfd.readouterr() == ("", "")
    assert before == (
        logging.root.handlers[:],
        logging.root.level,
        logging.getLogger("alembic").level,
    )


@pytest.mark.parametrize("package", PACKAGES)
async def test_a_service_migrates_and_an_up_to_date_one_is_quick(db: Db, package: str) -> None:
    migrate(db, package)
    before = await tables(db)
    started = time.process_time()
    migrate(db, package)
    assert time.process_time() - started < 0.1
    assert f"alembic_version_{package.replace('.', '_')}" in before
    assert await tables(db) == before


async def test_the_kernels_migrations_make_the_tables_that_its_statements_use(db: Db) -> None:
    differences: list[object] = []

    def change(connection: Connection) -> None:
        connection.execute(text("SELECT 1"))
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        op: Op = Operations(context)
        for create in (outbox_v1, inbox_v1, idempotency_v1, leases_v1):
            create(op)
        differences.extend(compare_metadata(context, KERNEL))

    db.migrate(change)
    assert differences == []
    assert await definitions(db) == await definitions(await reference())


async def reference() -> Db:
    db = await open_database("sqlite:")
    db.migrate(KERNEL.create_all)
    return db


async def definitions(db: Db) -> dict[str, str]:
    """The database's own words: they show partial indexes and AUTOINCREMENT, which Alembic
    does not compare."""
    async with db.read() as tx:
        rows = await tx.run(text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
    return {row["name"]: " ".join(row["sql"].split()) for row in rows.all()}


def test_every_table_of_the_kernel_has_a_migration() -> None:
    assert [table.name for table in KERNEL.sorted_tables] == [
        "idempotency",
        "inbox",
        "leases",
        "outbox",
    ]
    assert all(isinstance(table, Table) for table in KERNEL.tables.values())
