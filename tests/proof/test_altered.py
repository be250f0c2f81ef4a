"""Each column of each table is altered by hand, row by row: verify sees it, or a list says why not.

The curated cases, with what must be named, are in `test_invariants.py`.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from tests.support.altered import DELETE, EMPTY, UNSEEN
from tests.support.verified import Kept, keep_a_shop, look_at

from kessai.proof.verify import ProviderRow

# The simulators are not ours, and the migrations' own tables hold a version.
BOOKS = ("account", "bus", "order", "payment", "storage", "system")
_OTHERS = ("alembic_version", "sqlite_")

Key = tuple[object, ...]


@dataclass(frozen=True)
class Table:
    book: str
    name: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[Key, ...]

    @property
    def where(self) -> str:
        return " AND ".join(f'"{name}" = ?' for name in self.key)

    def alterations(self, column: str) -> Iterator[str]:
        """Another value, nothing at all, and a value that another row has."""
        if column == DELETE:
            yield f'DELETE FROM "{self.name}" WHERE {self.where}'
            return
        set_ = f'UPDATE "{self.name}" SET "{column}" ='
        # An hour, where clocks may differ.
        more = 3_600_000 if column.endswith("_ms") else 1
        yield (
            f"""{set_} CASE typeof("{column}") WHEN 'integer' THEN "{column}" + {more}"""
            f""" WHEN 'null' THEN 1 WHEN 'blob' THEN CAST("{column}" || 'x' AS BLOB)"""
            f""" ELSE "{column}" || 'x' END WHERE {self.where}"""
        )
        yield f"{set_} NULL WHERE {self.where}"
        yield (
            f"""{set_} (SELECT other."{column}" FROM "{self.name}" AS other"""
            f""" WHERE other."{column}" <> "{self.name}"."{column}" LIMIT 1) WHERE {self.where}"""
        )


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return keep_a_shop(tmp_path_factory.mktemp("shop"))


@cache
def _tables(folder: Path) -> dict[str, Table]:
    found = {}
    for book in BOOKS:
        with closing(sqlite3.connect(folder / f"{book}.db")) as db:
            names = db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
            for (name,) in names.fetchall():
                if not name.startswith(_OTHERS):
                    found[f"{book}.{name}"] = _table(db, book, name)
    return found


def _table(db: sqlite3.Connection, book: str, name: str) -> Table:
    columns = db.execute(f'PRAGMA table_info("{name}")').fetchall()
    key = tuple(one[1] for one in sorted(columns, key=lambda one: one[5]) if one[5]) or ("rowid",)
    order = ", ".join(key)
    rows = db.execute(f'SELECT {order} FROM "{name}" ORDER BY {order}').fetchall()
    return Table(book, name, key, tuple(one[1] for one in columns), tuple(rows))


@pytest.mark.story
def test_the_list_is_of_the_tables_that_there_are(kept: Kept) -> None:
    tables = _tables(kept.folder)
    assert {name for name, table in tables.items() if not table.rows} == EMPTY
    assert UNSEEN.keys() <= tables.keys()
    for name, columns in UNSEEN.items():
        assert columns.keys() <= {DELETE, *tables[name].columns}


@pytest.mark.story
@pytest.mark.parametrize("book", BOOKS)
def test_what_is_altered_by_hand_is_noticed_or_listed(
    book: str, kept: Kept, tmp_path: Path
) -> None:
    folder = tmp_path / "shop"
    shutil.copytree(kept.folder, folder)
    unseen = set()
    for name, table in _tables(kept.folder).items():
        if table.book != book or not table.rows:
            continue
        listed = UNSEEN.get(name, {})
        for column in (DELETE, *table.columns):
            rows = _some(table.rows) if column in listed else table.rows
            if not _is_noticed(table, column, rows, kept, folder):
                unseen.add(f"{name}.{column}")
    listed_here = {
        f"{name}.{column}"
        for name in UNSEEN
        for column in UNSEEN[name]
        if name.startswith(f"{book}.")
    }
    assert unseen == listed_here


def _other_entries(row: ProviderRow) -> Iterator[tuple[str, ProviderRow | None]]:
    """The provider's entry, with one thing of it altered; None takes it out."""
    hour_ms = 3_600_000
    yield DELETE, None
    yield "merchant_payment_id", row._replace(merchant_payment_id=f"{row.merchant_payment_id}9")
    yield "payment_id", row._replace(payment_id="another")
    yield "status", row._replace(status="CREATED" if row.paid_at_ms else "COMPLETED", captured=1)
    yield "amount", row._replace(amount=row.amount + 1)
    yield "captured", row._replace(captured=row.captured + 1)
    yield "is_offered", row._replace(is_offered=not row.is_offered)
    yield "expires_at_ms", row._replace(expires_at_ms=row.expires_at_ms + hour_ms)
    yield "paid_at_ms", row._replace(paid_at_ms=(row.paid_at_ms or 0) + hour_ms)
    for back in row.refunds:
        others = (
            back._replace(amount=back.amount - 1),
            back._replace(status="CREATED"),
            back._replace(merchant_refund_id="another"),
        )
        for other in others:
            yield "refunds", row._replace(refunds=(other,))


@pytest.mark.story
def test_what_the_provider_has_otherwise_is_noticed(kept: Kept) -> None:
    noticed: dict[str, bool] = {}
    for at, row in enumerate(kept.provider):
        for what, other in _other_entries(row):
            book = [*kept.provider[:at], *([other] if other else []), *kept.provider[at + 1 :]]
            wrong = not look_at(kept, kept.folder, provider=book).ok
            noticed[what] = noticed.get(what, False) or wrong
    assert set(noticed) == {DELETE, *ProviderRow._fields}
    # A code that is offered longer counts from its order's end, where it can still be paid; and
    # what the provider told of its end need not have been true.
    unseen = {what for what, seen in noticed.items() if not seen}
    assert unseen == {"is_offered", "expires_at_ms"}


def _some(rows: Sequence[Key]) -> Sequence[Key]:
    """The first, one between, and the last."""
    return [rows[at] for at in sorted({0, len(rows) // 2, len(rows) - 1})]


def _is_noticed(table: Table, column: str, rows: Sequence[Key], kept: Kept, folder: Path) -> bool:
    """By verify in one row at least, or by the table itself, which refuses all of it."""
    path = folder / f"{table.book}.db"
    is_refused = True
    try:
        for statement in table.alterations(column):
            for row in rows:
                if _alter(path, statement, row):
                    is_refused = False
                    if not look_at(kept, folder).ok:
                        return True
                    shutil.copy(kept.folder / path.name, path)
        return is_refused
    finally:
        shutil.copy(kept.folder / path.name, path)


def _alter(path: Path, statement: str, row: Key) -> bool:
    """Whether the table lets it be done."""
    with closing(sqlite3.connect(path)) as db:
        try:
            changed = db.execute(statement, row).rowcount
            db.commit()
        except sqlite3.IntegrityError:
            return False
    return changed == 1
