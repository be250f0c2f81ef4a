"""What the rows of a settlement file mean, and what is wrong with those that mean nothing."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
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
from kessai.payment.domain.settlement_lines import Block, Cells, Lines, Unreadable, no_file

MAX_ID = 64
MAX_MINUTES = 10_000
_JAPANS = ("", "+09:00")
_MINUTE_LENGTH = len("2026/11/25 10:00:")
YEN = "JPY"
# Not among PayPay's columns; another provider of such files may have one of them.
CURRENCY_COLUMNS = ("通貨", "currency")
# How a person or a program writes "nothing".
_NOTHING = frozenset({"", "-", "–", "—", "null"})
_AMOUNT = re.compile(r"(-?)[¥\\]?(-?)([0-9]{1,18}|[0-9]{1,3}(?:,[0-9]{3})+)円?")
_MINUS = str.maketrans("−‐－▲△", "-----")
_MOMENT = re.compile(r"(\d{4})[/-](\d{1,2})[/-](\d{1,2})[ T](\d{1,2}):(\d{2})(?::(\d{2}))?")
_MINUTE = re.compile(r"\d{4}[/-]\d\d[/-]\d\d[ T]\d\d:\d\d:", re.ASCII)
# What nearly all cells look like; everything else is read with care. Many at once, a line each:
# asking for each cell costs as much as all the rest of its row.
_PLAIN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{1,63}(?<!null)")
_PLAIN_IDS = re.compile(rf"(?:{_PLAIN_ID.pattern}\n)+")
_PLAIN_AMOUNT = re.compile(r"[1-9][0-9]{0,10}", re.ASCII)
_PLAIN_AMOUNTS = re.compile(rf"(?:{_PLAIN_AMOUNT.pattern}\n)+")
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
        for page in self.pages():
            yield from page

    def pages(self) -> Iterator[Sequence[FileRow | BrokenRow]]:
        """All rows in the order of the file, many at a time."""
        for block in self._lines.blocks():
            if isinstance(block, Block):
                yield self._together(block) or self._one_by_one(_numbered(block))
            else:
                yield self._one_by_one(block)

    def _one_by_one(self, rows: Iterable[Cells | Unreadable]) -> list[FileRow | BrokenRow]:
        found: list[FileRow | BrokenRow] = []
        for row in rows:
            if isinstance(row, Unreadable):
                found.append(BrokenRow(row.number, "", row.why))
                continue
            try:
                found.append(self._row(row))
            except _Bad as bad:
                found.append(BrokenRow(row.number, self.layout.header[bad.column], bad.why))
        return found

    def _together(self, block: Block) -> list[FileRow] | None:
        """Column by column, which costs a third; None when a row of them is broken or blank."""
        number, rows = block
        if any(len(cells) != self._width for cells in rows):
            return None
        columns = list(zip(*rows, strict=True))
        payments, words, moments, amounts, references = (columns[at] for at in self._needed)
        merchant_at = self._merchant_at
        if merchant_at is not None and any(
            merchant.strip() != self._merchant_id
            for merchant in dict.fromkeys(columns[merchant_at])
        ):
            return None
        try:
            movements = [self._words.get(word) or self._movement(word) for word in words]
            return list(
                map(
                    FileRow,
                    range(number, number + len(rows)),
                    movements,
                    _ids(payments, lambda text: _id(text, Column.PAYMENT_ID)),
                    _ids(references, _reference),
                    _amounts(amounts, movements),
                    self._times.read_all(moments),
                    repeat(YEN) if self._currency_at is None else map(self._currency, rows),
                )
            )
        except _Bad:
            return None

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
            self._currency(cells),
        )

    def _currency(self, cells: Sequence[str]) -> str:
        return YEN if self._currency_at is None else cells[self._currency_at].strip()[:10]

    def _movement(self, text: str) -> Movement:
        word = _folded(text).strip()
        movement = self._words.get(word) or self._words.get(word.upper())
        if movement is None:
            raise _Bad(Column.STATUS, f"unknown word {word[:20]!r}" if word else "is empty")
        return movement


class _Times:
    """Reads the same minutes a million times; without a zone a time is Japan's."""

    def __init__(self) -> None:
        self._minutes = _Minutes()
        self._seconds = {
            f"{second:02d}{zone}": second * 1000 for second in range(60) for zone in _JAPANS
        }

    def read(self, text: str) -> int:
        try:
            return self._minutes[text[:_MINUTE_LENGTH]] + self._seconds[text[_MINUTE_LENGTH:]]
        except KeyError:
            return _moment(text)

    def read_all(self, texts: Iterable[str]) -> list[int]:
        minutes, seconds, length = self._minutes, self._seconds, _MINUTE_LENGTH
        try:
            return [minutes[text[:length]] + seconds[text[length:]] for text in texts]
        except KeyError:
            return [self.read(text) for text in texts]


class _Minutes(dict[str, int]):
    def __missing__(self, start: str) -> int:
        if not _MINUTE.fullmatch(start):
            raise KeyError(start)
        start_ms = _moment(f"{start}00")
        if len(self) < MAX_MINUTES:
            self[start] = start_ms
        return start_ms


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


def _amounts(texts: Sequence[str], movements: Sequence[Movement]) -> list[int]:
    if _PLAIN_AMOUNTS.fullmatch("\n".join((*texts, ""))):
        return list(map(int, texts))
    return [
        int(text) if _PLAIN_AMOUNT.fullmatch(text) else _amount(text, movement)
        for text, movement in zip(texts, movements, strict=True)
    ]


def _ids(texts: Sequence[str], read: Callable[[str], str]) -> Sequence[str]:
    if _PLAIN_IDS.fullmatch("\n".join((*texts, ""))):
        return texts
    return [text if _PLAIN_ID.fullmatch(text) else read(text) for text in texts]


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


def _numbered(block: Block) -> Iterator[Cells]:
    return (Cells(number, cells) for number, cells in enumerate(block.rows, block.number) if cells)


def _folded(text: str) -> str:
    """Full-width letters, digits and signs as the usual ones."""
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


def _lacking(names: list[str]) -> str:
    """Of the layout that it is nearest to."""
    lacks = [[known.header[c] for c in NEEDED if known.header[c] not in names] for known in LAYOUTS]
    return ", ".join(sorted(lacks, key=len)[0])
