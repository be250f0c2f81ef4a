"""Who may come in, over which wire, and how the schema is changed."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect, text
from tests.support.mariadb import MARIADB, PASSWORD, USER, mysql_url, server
from tests.support.notes import ADD, METADATA, a_note, ids

from kessai.kernel.db import MySqlDb, MySqlLimits, open_database
from kessai.kernel.errors import DatabaseUnavailable
from kessai.kernel.migrations import migrate_from

__all__ = ["mysql_url"]
pytestmark = MARIADB


def spoiled(url: str, part: str, other: str) -> str:
    assert part in url
    return url.replace(part, other)


async def test_a_missing_schema_is_created_by_the_first_migration(mysql_url: str) -> None:
    db = MySqlDb(f"{mysql_url}_fresh", limits=MySqlLimits(connect_s=2.0))
    with pytest.raises(DatabaseUnavailable, match="cannot connect to"):
        await db.ping()
    db.migrate(METADATA.create_all)
    await db.ping()
    await db.close()


async def test_no_error_tells_who_we_are(mysql_url: str, caplog: pytest.LogCaptureFixture) -> None:
    quoted = mysql_url.split(":")[2].split("@")[0]
    urls = [
        spoiled(mysql_url, quoted, f"{quoted}wrong"),
        spoiled(mysql_url, f"{USER}:", f"{USER}x:"),
        spoiled(mysql_url, f":{server().port}/", ":1/"),
        spoiled(mysql_url, "127.0.0.1", "no-such-host.invalid"),
    ]
    told: list[str] = []
    with caplog.at_level(logging.DEBUG):
        for url in urls:
            db = MySqlDb(url, limits=MySqlLimits(connect_s=2.0))
            told += [repr(db), repr(vars(db))]
            with pytest.raises(DatabaseUnavailable, match="cannot connect to") as pooled:
                await db.ping()
            with pytest.raises(DatabaseUnavailable, match="cannot connect to") as batched:
                await db.batch().select("SELECT 1")
            with pytest.raises(DatabaseUnavailable, match="cannot connect to") as migrated:
                db.migrate(METADATA.create_all)
            for caught in (pooled, batched, migrated):
                told += traceback.format_exception(caught.value)
            await db.close()
    for secret in (PASSWORD, quoted, USER):
        assert secret not in "".join(told)
        assert secret not in caplog.text


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql+asyncmy://u:hidden@127.0.0.1:3306", "needs a user and a schema"),
        ("mysql+asyncmy://127.0.0.1:3306/a", "needs a user and a schema"),
        ("mysql+asyncmy://u:hidden@127.0.0.1/a?charset=latin1&ssl_ca=x", "does not know charset"),
        ("mysql://u:hidden@127.0.0.1/a", "no SQL adapter for scheme 'mysql'"),
        ("mysql+asyncmy://u:hidden@127.0.0.1:port/a", "port"),
    ],
)
async def test_an_address_that_is_not_one_is_refused_without_its_password(
    url: str, words: str
) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        await open_database(url)
    assert "hidden" not in "".join(traceback.format_exception(caught.value))


async def test_tls_verifies_the_server(mysql_url: str) -> None:
    cipher = text("SHOW STATUS LIKE 'Ssl_cipher'")
    open_wire = await open_database(mysql_url)
    async with open_wire.read() as tx:
        assert (await tx.run(cipher)).one()["Value"] == ""
    await open_wire.close()
    trusting = await open_database(f"{mysql_url}?ssl_ca={server().certificate}")
    async with trusting.read() as tx:
        assert (await tx.run(cipher)).one()["Value"] != ""
    assert isinstance(trusting, MySqlDb)
    rows = await trusting.batch().select("SHOW STATUS LIKE 'Ssl_cipher'")
    assert rows[0][1] != ""
    await trusting.close()
    stranger = mysql_url.replace("127.0.0.1", "localhost")
    doubting = await open_database(f"{stranger}?ssl_ca={server().certificate}")
    with pytest.raises(DatabaseUnavailable, match="certificate"):
        await doubting.ping()
    await doubting.close()


def create_slowly(connection: Connection) -> None:
    if not inspect(connection).has_table("slow"):
        time.sleep(0.3)
        connection.execute(text("CREATE TABLE slow (id BIGINT PRIMARY KEY)"))
        connection.execute(text("INSERT INTO slow VALUES (1)"))


async def test_two_processes_that_start_at_once_change_the_schema_once(mysql_url: str) -> None:
    databases = [await open_database(mysql_url) for _ in range(3)]
    await asyncio.gather(*(asyncio.to_thread(db.migrate, create_slowly) for db in databases))
    async with databases[0].read() as tx:
        assert (await tx.run(text("SELECT id FROM slow"))).scalar() == 1
    for db in databases:
        await db.close()


async def test_a_change_that_takes_too_long_is_not_waited_for(mysql_url: str) -> None:
    schema = mysql_url.rpartition("/")[2]
    waiting = MySqlDb(mysql_url, limits=MySqlLimits(migrate_wait_s=1.0))

    def meanwhile(_: Connection) -> None:
        with pytest.raises(DatabaseUnavailable, match="another process is changing") as caught:
            waiting.migrate(METADATA.create_all)
        assert schema in str(caught.value)

    (await open_database(mysql_url)).migrate(meanwhile)
    await waiting.close()


async def test_a_schema_that_compares_loosely_is_made_to_compare_bytes() -> None:
    schema = server().fresh_schema()
    server().sql(f"ALTER DATABASE {schema} COLLATE utf8mb4_general_ci")
    db = await open_database(server().url(schema))
    db.migrate(METADATA.create_all)
    async with db.transaction() as tx:
        await tx.run(ADD, [a_note(1, "key"), a_note(2, "KEY")])
    assert await ids(db) == [1, 2]
    db.migrate(METADATA.create_all)
    await db.close()


VERSION = '''
"""The saga log."""
from alembic import op
from kessai.saga.tables import saga_tables_v1

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

def upgrade():
    saga_tables_v1(op)
'''


async def test_the_tables_of_the_saga_log_come_from_their_migration(tmp_path: Path) -> None:
    db = await open_database(server().url(server().fresh_schema()))
    (tmp_path / "0001_saga.py").write_text(VERSION, "utf-8")
    for _ in range(2):
        migrate_from(db, str(tmp_path), name="proof")
    shape = text(
        "SELECT CONCAT(table_name, '.', column_name) AS name, column_type AS type, "
        "collation_name AS collation FROM information_schema.columns "
        "WHERE table_schema = DATABASE() AND table_name LIKE 'sg%'"
    )
    keys = text(
        "SELECT DISTINCT index_name FROM information_schema.statistics "
        "WHERE table_schema = DATABASE() AND table_name = 'sg_machine'"
    )
    async with db.read() as tx:
        columns = {row["name"]: row for row in (await tx.run(shape)).all()}
        names = {row["index_name"] for row in (await tx.run(keys)).all()}
    # TEXT would end at 64 kB.
    assert columns["sg_event.data"]["type"] in ("mediumtext", "longtext")
    assert columns["sg_event.at"]["type"].startswith("bigint")
    assert columns["sg_event.machine_id"]["type"].startswith("varchar")
    assert columns["sg_machine.business_key"]["collation"] == "utf8mb4_bin"
    assert {"PRIMARY", "uq_sg_machine_name_business_key", "ix_sg_machine_running_owner"} <= names
    await db.close()
