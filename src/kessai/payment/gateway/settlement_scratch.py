"""The file's rows and our entries side by side, sorted on disk, so that memory does not grow."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path

from kessai.contracts.paypay.settlement import Movement
from kessai.payment.application.reconcile_ports import DayEntry, Group, Slice
from kessai.payment.domain.ledger import CAPTURE
from kessai.payment.domain.settlement_file import YEN, FileRow

CACHE_KB = 24 * 1024
SLICE_ITEMS = 4000
# Of one payment; what goes beyond is counted and not looked at.
GROUP_ROWS = 200
# A row and an entry that are the same payment to the yen, and all other rows and entries.
_PAID, _CAPTURED, _OTHER = 0, 1, 9

# Rows of the file count from 1 up, entries from -1 down, so that both lie beside each other.
_TABLES = """
CREATE TABLE item (
  payment TEXT, seq INTEGER, code INTEGER, ref TEXT, amount INTEGER, at_ms INTEGER,
  kind TEXT, currency TEXT, entry TEXT, PRIMARY KEY (payment, seq)
) WITHOUT ROWID;
CREATE TABLE left_over (entry TEXT PRIMARY KEY, attempt TEXT) WITHOUT ROWID;
CREATE TABLE used (entry TEXT PRIMARY KEY) WITHOUT ROWID;
"""
_ADD_PAID = "INSERT INTO item (payment, seq, code, ref, amount, at_ms) VALUES (?, ?, ?, ?, ?, ?)"
_ADD_ROW = "INSERT INTO item VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)"
_ADD_ENTRY = "INSERT INTO item (payment, seq, code, ref, amount, entry) VALUES (?, ?, ?, ?, ?, ?)"
_BOUND = "SELECT payment FROM item WHERE payment > ? ORDER BY payment LIMIT 1 OFFSET ?"
_LAST = "SELECT max(payment) FROM item"
# One row there, one entry here, and nothing else that day: the same payment to the yen.
_AGREES = """
count(*) = 2 AND sum(code) = 1 AND min(ref) = max(ref) AND min(amount) = max(amount)
"""
_COUNT = "SELECT count(*) FROM item WHERE payment > ? AND payment <= ?"
_ODD = f"""
SELECT payment, sum(seq > 0), sum(seq < 0) FROM item WHERE payment > ? AND payment <= ?
GROUP BY payment HAVING NOT ({_AGREES}) ORDER BY payment
"""  # noqa: S608
_ROWS = """
SELECT seq, kind, ref, amount, at_ms, currency FROM item
WHERE payment = ? AND seq > 0 ORDER BY seq LIMIT ?
"""
_ENTRIES = "SELECT entry, ref FROM item WHERE payment = ? AND seq < 0 ORDER BY seq DESC"
_LEFT = """
SELECT entry, attempt FROM left_over WHERE entry > ?
AND entry NOT IN (SELECT entry FROM used) ORDER BY entry LIMIT ?
"""


class Scratch:
    """A private SQLite file that is gone after `close`."""

    def __init__(self, folder: str) -> None:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            prefix="settlement-", suffix=".scratch", dir=folder, delete=False
        ) as made:
            self._path = Path(made.name)
        self._db = sqlite3.connect(self._path, isolation_level=None)
        for pragma in (
            "journal_mode=OFF",
            "synchronous=OFF",
            "locking_mode=EXCLUSIVE",
            "temp_store=FILE",
            f"cache_size=-{CACHE_KB}",
        ):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.executescript(_TABLES)
        self._db.execute("BEGIN")
        self._next_entry = -1

    def close(self) -> None:
        self._db.close()
        self._path.unlink(missing_ok=True)

    def add_rows(self, rows: Iterable[FileRow]) -> None:
        paid, others = [], []
        for number, movement, payment, ref, amount_yen, at_ms, currency in rows:
            if movement is Movement.COMPLETED and currency == YEN:
                paid.append((payment, number, _PAID, ref, amount_yen, at_ms))
            else:
                kind = str(movement)
                others.append((payment, number, _OTHER, ref, amount_yen, at_ms, kind, currency))
        self._db.executemany(_ADD_PAID, paid)
        self._db.executemany(_ADD_ROW, others)

    def add_entries(self, entries: Iterable[DayEntry]) -> None:
        rows = [
            # Without the provider's id an entry stands alone, beyond all ids of the file.
            (
                payment or f"\x7f{attempt}",
                seq,
                _CAPTURED if kind == CAPTURE else _OTHER,
                attempt,
                amount_yen,
                entry,
            )
            for seq, (entry, kind, attempt, payment, amount_yen, _) in zip(
                count(self._next_entry, -1), entries, strict=False
            )
        ]
        self._next_entry -= len(rows)
        self._db.executemany(_ADD_ENTRY, rows)

    def slices(self) -> Iterator[Slice]:
        """Payment by payment, in slices that take some milliseconds each."""
        after = ""
        last = self._db.execute(_LAST).fetchone()[0]
        while last is not None and after < last:
            found = self._db.execute(_BOUND, (after, SLICE_ITEMS)).fetchone()
            upper = found[0] if found else last
            (items,) = self._db.execute(_COUNT, (after, upper)).fetchone()
            odd = self._db.execute(_ODD, (after, upper)).fetchall()
            apart = sum(rows + entries for _, rows, entries in odd)
            yield Slice((items - apart) // 2, [self._group(*one) for one in odd])
            after = upper

    def _group(self, payment: str, rows: int, entries: int) -> Group:
        found = self._db.execute(_ROWS, (payment, GROUP_ROWS)).fetchall() if rows else ()
        return Group(
            [
                FileRow(
                    seq,
                    Movement(kind or Movement.COMPLETED),
                    payment,
                    ref,
                    amount,
                    at_ms,
                    currency or YEN,
                )
                for seq, kind, ref, amount, at_ms, currency in found
            ],
            list(self._db.execute(_ENTRIES, (payment,))) if entries else [],
            more_rows=rows - len(found),
        )

    def leave(self, entries: Iterable[tuple[str, str]]) -> None:
        """Entries of the day, with their attempts, that no row stands for so far."""
        self._db.executemany("INSERT OR IGNORE INTO left_over VALUES (?, ?)", entries)

    def use(self, entries: Iterable[str]) -> None:
        self._db.executemany("INSERT OR IGNORE INTO used VALUES (?)", [(one,) for one in entries])

    def left(self, page: int) -> Iterator[list[tuple[str, str]]]:
        after = ""
        while rows := self._db.execute(_LEFT, (after, page)).fetchall():
            yield rows
            after = rows[-1][0]
