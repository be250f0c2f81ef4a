"""The file's rows and our entries side by side, sorted on disk, so that memory does not grow."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

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

# Ids in no order make a tree of all items read and write everywhere; each of these shares is
# sorted by itself, in some 50 ms for a million rows of a file, after all is in.
SHARES = 64

# Rows of the file count from 1 up, entries from -1 down, so that both lie beside each other.
_ITEMS = """
CREATE TABLE item_{0} (
  payment TEXT, seq INTEGER, code INTEGER, ref TEXT, amount INTEGER, at_ms INTEGER,
  kind TEXT, currency TEXT, entry TEXT
);
"""
_TABLES = """
CREATE TABLE left_over (entry TEXT PRIMARY KEY, attempt TEXT) WITHOUT ROWID;
CREATE TABLE used (entry TEXT PRIMARY KEY) WITHOUT ROWID;
"""
# With what an agreeing pair is judged by, so that the table itself rests.
_SORT = "CREATE INDEX IF NOT EXISTS sorted_{0} ON item_{0} (payment, seq, code, ref, amount)"
_ADD = "INSERT INTO item_{0} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_BOUND = "SELECT payment FROM item_{0} WHERE payment > ? ORDER BY payment LIMIT 1 OFFSET ?"
_LAST = "SELECT max(payment) FROM item_{0}"
# One row there, one entry here, and nothing else that day: the same payment to the yen.
_AGREES = """
count(*) = 2 AND sum(code) = 1 AND min(ref) = max(ref) AND min(amount) = max(amount)
"""
_COUNT = "SELECT count(*) FROM item_{0} WHERE payment > ? AND payment <= ?"
_ODD = (
    """
SELECT payment, sum(seq > 0), sum(seq < 0) FROM item_{0} WHERE payment > ? AND payment <= ?
GROUP BY payment HAVING NOT ("""
    + _AGREES
    + ") ORDER BY payment"
)
_ROWS = """
SELECT seq, kind, ref, amount, at_ms, currency FROM item_{0}
WHERE payment = ? AND seq > 0 ORDER BY seq LIMIT ?
"""
_ENTRIES = "SELECT entry, ref FROM item_{0} WHERE payment = ? AND seq < 0 ORDER BY seq DESC"
_LEFT = """
SELECT entry, attempt FROM left_over WHERE entry > ?
AND entry NOT IN (SELECT entry FROM used) ORDER BY entry LIMIT ?
"""


_Item = tuple[Any, ...]


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
        self._db.executescript(_TABLES + "".join(_ITEMS.format(share) for share in range(SHARES)))
        self._db.execute("BEGIN")
        self._next_entry = -1

    def close(self) -> None:
        self._db.close()
        self._path.unlink(missing_ok=True)

    def add_rows(self, rows: Iterable[FileRow]) -> None:
        self._add(
            (payment, number, _PAID, ref, amount_yen, at_ms, None, None, None)
            if movement is Movement.COMPLETED and currency == YEN
            else (payment, number, _OTHER, ref, amount_yen, at_ms, str(movement), currency, None)
            for number, movement, payment, ref, amount_yen, at_ms, currency in rows
        )

    def add_entries(self, entries: Iterable[DayEntry]) -> None:
        self._add(
            # Without the provider's id an entry stands alone, under no id that a file can have.
            (
                payment or f"\x7f{attempt}",
                self._number(),
                _CAPTURED if kind == CAPTURE else _OTHER,
                attempt,
                amount_yen,
                None,
                None,
                None,
                entry,
            )
            for entry, kind, attempt, payment, amount_yen, _ in entries
        )

    def _number(self) -> int:
        self._next_entry -= 1
        return self._next_entry + 1

    def _add(self, items: Iterable[_Item]) -> None:
        shares: dict[int, list[_Item]] = {}
        for item in items:
            shares.setdefault(crc32(item[0].encode()) % SHARES, []).append(item)
        for share, some in shares.items():
            self._db.executemany(_ADD.format(share), some)

    def slices(self) -> Iterator[Slice]:
        """Payment by payment, share by share, in slices that take some milliseconds each."""
        for share in range(SHARES):
            self._db.execute(_SORT.format(share))
            after = ""
            last = self._db.execute(_LAST.format(share)).fetchone()[0]
            while last is not None and after < last:
                found = self._db.execute(_BOUND.format(share), (after, SLICE_ITEMS)).fetchone()
                upper = found[0] if found else last
                (items,) = self._db.execute(_COUNT.format(share), (after, upper)).fetchone()
                odd = self._db.execute(_ODD.format(share), (after, upper)).fetchall()
                apart = sum(rows + entries for _, rows, entries in odd)
                groups = [self._group(share, *one) for one in odd]
                yield Slice((items - apart) // 2, groups)
                after = upper

    def _group(self, share: int, payment: str, rows: int, entries: int) -> Group:
        found = self._db.execute(_ROWS.format(share), (payment, GROUP_ROWS)) if rows else ()
        kept = [
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
        ]
        ours = list(self._db.execute(_ENTRIES.format(share), (payment,))) if entries else []
        return Group(kept, ours, more_rows=rows - len(kept))

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
