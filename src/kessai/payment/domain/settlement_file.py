"""What the rows of a settlement file mean, and what is wrong with those that mean nothing."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from kessai.contracts.paypay.settlement import (
    LAYOUTS,
    NEEDED,
    Column,
    Layout,
    Movement,
    layout_of,
    read_at,
)
from kessai.kernel.money import MAX_YEN
from kessai.payment.domain.settlement_lines import Cells, Lines, Unreadable, no_file

MAX_ID = 64
MAX_MINUTES = 10_000
_JAPANS = ("", "+09:00")
YEN = "JPY"
# Not among PayPay's columns; another provider of such files may have one of them.
CURRENCY_COLUMNS = ("通貨", "currency")
# How a person or a program writes "nothing".
_NOTHING = frozenset({"", "-", "–", "—", "null"})
_AMOUNT = re.compile(r"(-?)[¥\\]?(-?)([0-9]{1,18}|[0-9]{1,3}(?:,[0-9]{3})+)円?")
_MINUS = str.maketrans("−‐－▲△", "-----")
_MOMENT = re.compile(r"(\d{4})[/-](\d{1,2})[/-](\d{1,2})[ T](\d{1,2}):(\d{2})(?::(\d{2}))?")
# What nearly all cells look like; everything else is read with care.
_PLAIN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{1,63}(?<!null)")
_PLAIN_AMOUNT = re.compile(r"[1-9][0-9]{0,10}", re.ASCII)
_ROUNDED = re.compile(r"\d(?:\.\d+)?[eE]\+\d+")
_REFUNDS = frozenset({Movement.REFUNDED, Movement.REFUND_FAILED, Movement.REFUND_PENDING})


class FileRow(NamedTuple):
    """One good row. `amount_yen` is absolute: the movement tells which way the money went.

    `reference` is the merchantPaymentId or the id of the capture or refund; the file decides.
    """

    number: int
    movement: Movement
    payment_id: str
    reference: str
    amount_yen: int
    at_ms: int
    currency: str = YEN


@dataclass(frozen=True, slots=True)
class BrokenRow:
    """`column` as the file calls it, empty where the row as a whole is wrong."""

    number: int
    column: str
    why: str


class _Bad(Exception):
    def __init__(self, column: Column, why: str) -> None:
        super().__init__(why)
        self.column = column
        self.why = why


class SettlementFile:
    """Rows of one file, one at a time. Raises `Refused` BAD_FILE for what is no such file."""

    def __init__(self, chunks: Iterable[bytes], merchant_id: str | None = None) -> None:
        self._lines = Lines(chunks)
        self._merchant_id = merchant_id
        names = self._header()
        layout = layout_of(names)
        if layout is None:
            raise no_file(f"no header of a settlement file: it lacks {_lacking(names)}")
        self.layout: Layout = layout
        self.encoding = self._lines.encoding
        self._width = len(names)
        self._at = {
            column: names.index(name) for column, name in layout.header.items() if name in names
        }
        # The cells that are read, in the order of `_row`; looking them up costs as much as a row.
        self._needed = tuple(self._at[column] for column in NEEDED)
        self._merchant_at = self._at.get(Column.MERCHANT_ID) if merchant_id else None
        self._currency_at = next((names.index(n) for n in CURRENCY_COLUMNS if n in names), None)
        self._words: Mapping[str, Movement] = {
            word: movement for known in (*LAYOUTS, layout) for movement, word in known.words.items()
        }
        self._times = _Times()

    def rows(self) -> Iterator[FileRow | BrokenRow]:
        """A broken row disturbs no other."""
        for row in self._lines.rows():
            if isinstance(row, Unreadable):
                yield BrokenRow(row.number, "", row.why)
                continue
            try:
                yield self._row(row)
            except _Bad as bad:
                yield BrokenRow(row.number, self.layout.header[bad.column], bad.why)

    def _header(self) -> list[str]:
        first = self._lines.first()
        if not isinstance(first, Cells):
            raise no_file(f"no header: line 1 {first.why if first else 'is missing'}")
        names = [_folded(name).strip() for name in first.cells]
        if twice := [name for name in names if name and names.count(name) > 1]:
            raise no_file(f"the header has {twice[0][:40]} twice")
        return names

    def _row(self, row: Cells) -> FileRow | BrokenRow:
        number, cells = row
        if len(cells) != self._width:
            return BrokenRow(number, "", f"has {len(cells)} cells, the header has {self._width}")
        payment_at, status_at, moment_at, amount_at, reference_at = self._needed
        merchant_at = self._merchant_at
        if merchant_at is not None and cells[merchant_at].strip() != self._merchant_id:
            raise _Bad(Column.MERCHANT_ID, "is another merchant's")
        movement = self._words.get(cells[status_at])
        if movement is None:
            movement = self._movement(cells[status_at])
        amount, payment, reference = cells[amount_at], cells[payment_at], cells[reference_at]
        is_plain = _PLAIN_AMOUNT.fullmatch(amount)
        return FileRow(
            number,
            movement,
            payment if _PLAIN_ID.fullmatch(payment) else _id(payment, Column.PAYMENT_ID),
            reference if _PLAIN_ID.fullmatch(reference) else _reference(reference),
            int(amount) if is_plain else _amount(amount, movement),
            self._times.read(cells[moment_at]),
            YEN if self._currency_at is None else cells[self._currency_at].strip()[:10],
        )

    def _movement(self, text: str) -> Movement:
        word = _folded(text).strip()
        movement = self._words.get(word) or self._words.get(word.upper())
        if movement is None:
            raise _Bad(Column.STATUS, f"unknown word {word[:20]!r}" if word else "is empty")
        return movement


class _Times:
    """Reads the same minutes a million times; without a zone a time is Japan's."""

    def __init__(self) -> None:
        self._minutes: dict[str, int] = {}
        self._seconds = {f"{second:02d}": second * 1000 for second in range(60)}

    def read(self, text: str) -> int:
        start_ms = self._minutes.get(text[:17])
        second_ms = self._seconds.get(text[17:19]) if text[19:] in _JAPANS else None
        if start_ms is not None and second_ms is not None:
            return start_ms + second_ms
        at_ms = _moment(text)
        if second_ms is not None and len(self._minutes) < MAX_MINUTES:
            self._minutes[text[:17]] = at_ms - second_ms
        return at_ms


def _moment(text: str) -> int:
    folded = _folded(text).strip()
    if not folded:
        raise _Bad(Column.AT, "is empty")
    found = _MOMENT.match(folded)
    if found is None:
        raise _Bad(Column.AT, "is not a date and time")
    year, month, day, hour, minute, second = found.groups("00")
    zone = folded[found.end() :].strip()
    try:
        at_ms = read_at(f"{year}-{month:0>2}-{day:0>2}T{hour:0>2}:{minute}:{second}{zone}")
    except (ValueError, OverflowError) as error:
        raise _Bad(Column.AT, "is not a date and time") from error
    if not 2000 <= int(year) <= 2999:
        raise _Bad(Column.AT, "is not of this millennium")
    return at_ms


def _amount(text: str, movement: Movement) -> int:
    """Whole yen, also as a person writes them: `1,200`, `¥1,200`, full-width digits."""
    folded = _folded(text).strip().replace(" ", "").translate(_MINUS)
    found = _AMOUNT.fullmatch(folded)
    if found is None:
        raise _Bad(Column.AMOUNT, "is not a whole number of yen" if folded else "is empty")
    if (found[1] or found[2]) and movement not in _REFUNDS:
        raise _Bad(Column.AMOUNT, "is negative, and the row is no refund")
    if found[1] and found[2]:
        raise _Bad(Column.AMOUNT, "is not a whole number of yen")
    amount_yen = int(found[3].replace(",", ""))
    if not 1 <= amount_yen <= MAX_YEN:
        raise _Bad(Column.AMOUNT, f"is not between 1 and {MAX_YEN} yen")
    return amount_yen


def _reference(text: str) -> str:
    return "" if text.strip() in _NOTHING else _id(text, Column.REFERENCE)


def _id(text: str, column: Column) -> str:
    text = text.strip()
    if text in _NOTHING:
        raise _Bad(column, "is empty")
    if len(text) > MAX_ID:
        raise _Bad(column, f"is longer than {MAX_ID} characters")
    if _ROUNDED.fullmatch(text):
        raise _Bad(column, "was rounded by a spreadsheet")
    if not text.isprintable():
        raise _Bad(column, "has a control character")
    return text


def _folded(text: str) -> str:
    """Full-width letters, digits and signs as the usual ones."""
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


def _lacking(names: list[str]) -> str:
    """Of the layout that it is nearest to."""
    lacks = [[known.header[c] for c in NEEDED if known.header[c] not in names] for known in LAYOUTS]
    return ", ".join(sorted(lacks, key=len)[0])
