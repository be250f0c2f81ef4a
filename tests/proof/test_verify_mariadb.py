"""The same books in MariaDB: verify finds them by KESSAI_SQL_URL, and sees what is broken there."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.mariadb import MARIADB, server
from tests.support.verified import Kept, RememberedBook, keep_a_shop

from kessai.kernel.clock import from_ms
from kessai.kernel.db import open_database
from kessai.kernel.http import AsgiHttp
from kessai.kernel.migrations import migrate
from kessai.kernel.settings import Settings
from kessai.proof.invariants.books import BooksUnreadable
from kessai.proof.live import ALERT_PACKAGE, ALERTS, SERVICES, live_books
from kessai.proof.schemas import require_schema
from kessai.proof.verify import Report, check
from kessai.proof.virtual_time import VirtualClock

pytestmark = [*MARIADB, pytest.mark.story]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return keep_a_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def prefix(kept: Kept) -> str:
    """The files' rows in schemas that the migrations made."""
    made = f"t{os.getpid()}v_"
    for name, package in (*((one, one) for one in SERVICES), (ALERTS, ALERT_PACKAGE)):
        server().sql(f"CREATE DATABASE {made}{name} COLLATE utf8mb4_bin")
        asyncio.run(_migrate(server().url(f"{made}{name}"), package))
        rows = list(_inserts(kept.folder / f"{name}.db", f"{made}{name}"))
        for start in range(0, len(rows), 50):
            server().sql("\n".join(rows[start : start + 50]))
    return made


async def _migrate(url: str, name: str) -> None:
    db = await open_database(url)
    migrate(db, name)
    await db.close()


def _inserts(path: Path, schema: str) -> Iterator[str]:
    with closing(sqlite3.connect(path)) as db:
        tables = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            if table.startswith(("sqlite_", "alembic_")):
                continue
            rows = db.execute(f'SELECT * FROM "{table}"')
            names = ",".join(f"`{column[0]}`" for column in rows.description)
            for row in rows:
                values = ",".join(map(_literal, row))
                yield f"REPLACE INTO {schema}.`{table}` ({names}) VALUES ({values});"


def _literal(value: object) -> str:
    if isinstance(value, str | bytes):
        raw = value.encode() if isinstance(value, str) else value
        kind = "" if isinstance(value, bytes) else "_utf8mb4"
        return f"{kind} x'{raw.hex()}'" if raw else "''"
    return "NULL" if value is None else str(value)


async def look(kept: Kept, prefix: str) -> Report:
    url = server().url(prefix)
    settings = Settings(_env_file=None, sql_url=url, data_dir=str(kept.folder))
    began_s = asyncio.get_running_loop().time()
    clock = VirtualClock(from_ms(kept.at_ms - int(began_s * 1000)))
    async with live_books(settings, clock, AsgiHttp(), check=require_schema) as books:
        return await check(replace(books, provider=RememberedBook(kept.provider)))


async def test_books_that_agree(kept: Kept, prefix: str) -> None:
    report = await look(kept, prefix)
    assert report.ok, str(report)
    assert report.orders == len(kept.orders)
    idle = [one.id for one in report.findings if not one.checked and one.not_asked is None]
    assert idle == ["I8", "I38"]


BREAKS = {
    "I2": "UPDATE {p}order.orders SET amount = amount + 1 WHERE order_id = '{paid}'",
    "I6": "UPDATE {p}payment.ledger SET amount_yen = 1 WHERE order_id = '{paid}'",
    "I21": "UPDATE {p}storage.reservation SET status = 'RELEASED' WHERE order_id = '{paid}'",
    "I24": "DELETE FROM {p}order.outbox WHERE message_key = '{paid}' LIMIT 1",
    "I29": "UPDATE {p}order.order_audit SET actor = 'x' WHERE order_id = '{paid}' AND sequence = 2",
}


async def test_what_is_broken_is_named(kept: Kept, prefix: str) -> None:
    """One after the other, each on top of those before."""
    wrong: list[str] = []
    for id_, statement in BREAKS.items():
        server().sql(statement.format(p=prefix, paid=kept.orders["paid"]))
        wrong.append(id_)
        report = await look(kept, prefix)
        found = {one.id: one for one in report.wrong}
        assert set(wrong) <= found.keys()
        first = found[id_].first
        assert first is not None
        assert kept.orders["paid"] in f"{first.subject} {dict(first.row)}"


async def test_a_half_migrated_schema(kept: Kept, prefix: str) -> None:
    server().sql(f"ALTER TABLE {prefix}account.wallet DROP COLUMN held")
    with pytest.raises(BooksUnreadable, match="Unknown column 'held'"):
        await look(kept, prefix)
    server().sql(f"DROP TABLE {prefix}payment.alembic_version_payment")
    with pytest.raises(BooksUnreadable, match="payment: this is no database of Kessai"):
        await look(kept, prefix)
