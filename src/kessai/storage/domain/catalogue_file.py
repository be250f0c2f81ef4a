"""The catalogue's CSV: what a good row is, and in one sentence why a bad one is not.

Other formats bring their rows as cells of the same columns.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, TypeAlias

from kessai.contracts.storage import BadRow
from kessai.kernel.errors import Kind, Refused
from kessai.kernel.money import MAX_YEN

REQUIRED = ("productId", "title", "description", "price", "status", "createdAt", "imageFile")
OPTIONAL = ("category", "stock", "titleEn", "titleZh", "reading", "categoryEn", "categoryZh")
STATUSES = ("ACTIVE", "INACTIVE")
MAX_PRODUCT_ID = 2**53 - 1  # the largest whole number that every JSON reader keeps exact
MAX_STOCK = 1_000_000
MAX_NAME = 200
MAX_CATEGORY = 80
MAX_DESCRIPTION = 4_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DIGITS = re.compile(r"[0-9]{1,16}")
# C0, DEL and C1 controls, marks that turn the direction of what follows, halves of letters.
_UNSEEN = r"\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff"
_CONTROLS = re.compile(rf"[\x00-\x1f{_UNSEEN}]")
_CONTROLS_BUT_BREAKS = re.compile(rf"[\x00-\x09\x0b-\x1f{_UNSEEN}]")


@dataclass(frozen=True, slots=True)
class FileLimits:
    max_bytes: int = 10 * 1024 * 1024
    max_rows: int = 20_000


@dataclass(frozen=True, slots=True)
class RawRow:
    """`number` as a spreadsheet shows it: the header is row 1."""

    number: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CatalogueRow:
    """One product as the file has it; None where the file says nothing."""

    product_id: int
    title: str
    description: str
    price: int
    status: str
    created_at_ms: int
    image_file: str | None
    category: str | None = None
    stock: int | None = None
    title_en: str | None = None
    title_zh: str | None = None
    reading: str | None = None
    category_en: str | None = None
    category_zh: str | None = None


Understood: TypeAlias = "tuple[RawRow, CatalogueRow] | BadRow"


class Source(Protocol):
    """Rows of a file of some format, as cells of its header's columns."""

    @property
    def header(self) -> tuple[str, ...]: ...

    def raw(self) -> Iterator[RawRow | BadRow]:
        """Each row that can be read, once; blank lines are left out."""
        ...


class CsvRows:
    """Raises `Refused` for what is no such file at all. Lines are read as they are needed."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._reader = csv.reader(lines, strict=True)
        self.header = _header(self._reader)

    def raw(self) -> Iterator[RawRow | BadRow]:
        number = 1
        while True:
            number += 1
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield BadRow(row=number, column="", why=f"not readable as CSV: {error}")
                continue
            if cells:
                yield RawRow(number, tuple(cells))


class CatalogueFile:
    """One file within limits, held whole. Raises `Refused` for what is no such file at all."""

    def __init__(self, content: bytes, limits: FileLimits) -> None:
        if len(content) > limits.max_bytes:
            message = f"the file is larger than {limits.max_bytes} bytes"
            raise no_file(message, Kind.TOO_LARGE)
        self._limits = limits
        # `newline=""` leaves line breaks inside of quotes to the CSV reader.
        self._source = CsvRows(io.StringIO(_decode(content), newline=""))

    def rows(self) -> Iterator[Understood]:
        return understood(self._source.header, self._within_limits())

    def _within_limits(self) -> Iterator[RawRow | BadRow]:
        for found in self._source.raw():
            number = found.row if isinstance(found, BadRow) else found.number
            if number - 1 > self._limits.max_rows:
                why = f"the file has more than {self._limits.max_rows} rows; this and later ones"
                yield BadRow(row=number, column="", why=f"{why} were left out")
                return
            yield found


def understood(header: Sequence[str], raws: Iterable[RawRow | BadRow]) -> Iterator[Understood]:
    """Good rows with what they mean; a bad row is one `BadRow` and disturbs no other."""
    seen: dict[int, int] = {}
    for raw in raws:
        if isinstance(raw, BadRow):
            yield raw
            continue
        try:
            row = read_row(header, raw.cells)
            if row.product_id in seen:
                raise _Bad("productId", f"repeats row {seen[row.product_id]}")
        except _Bad as bad:
            yield BadRow(row=raw.number, column=bad.column, why=bad.why)
            continue
        seen[row.product_id] = raw.number
        yield raw, row


class _Bad(Exception):
    def __init__(self, column: str, why: str) -> None:
        super().__init__(why)
        self.column = column
        self.why = why


def no_file(why: str, kind: Kind = Kind.INVALID) -> Refused:
    return Refused("VALIDATION", why, kind=kind)


def _decode(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise no_file(f"the file is not UTF-8 (at byte {error.start})") from error


def _header(reader: Iterator[list[str]]) -> tuple[str, ...]:
    try:
        names = tuple(name.strip() for name in next(reader, []))
    except csv.Error as error:
        raise no_file(f"the header is not readable as CSV: {error}") from error
    if missing := [name for name in REQUIRED if name not in names]:
        raise no_file(f"the header lacks {', '.join(missing)}")
    if unknown := [name for name in names if name not in REQUIRED + OPTIONAL]:
        known = ", ".join(REQUIRED + OPTIONAL)
        raise no_file(f"unknown column {unknown[0][:40]!r}; known: {known}")
    if repeated := [name for name in names if names.count(name) > 1]:
        raise no_file(f"the header has {repeated[0]} twice")
    return names


def read_row(header: Sequence[str], cells: Sequence[str]) -> CatalogueRow:
    if len(cells) != len(header):
        raise _Bad("", f"has {len(cells)} cells, the header has {len(header)}")
    row = dict(zip(header, cells, strict=True))
    return CatalogueRow(
        product_id=_number(row, "productId", 1, MAX_PRODUCT_ID),
        title=_required(_text(row, "title", MAX_NAME), "title"),
        description=_text(row, "description", MAX_DESCRIPTION, breaks=True) or "",
        price=_number(row, "price", 1, MAX_YEN),
        status=_status(row),
        created_at_ms=_moment(row, "createdAt"),
        image_file=_file_name(row),
        category=_text(row, "category", MAX_CATEGORY),
        stock=_number(row, "stock", 0, MAX_STOCK) if row.get("stock", "").strip() else None,
        title_en=_text(row, "titleEn", MAX_NAME),
        title_zh=_text(row, "titleZh", MAX_NAME),
        reading=_text(row, "reading", MAX_NAME),
        category_en=_text(row, "categoryEn", MAX_CATEGORY),
        category_zh=_text(row, "categoryZh", MAX_CATEGORY),
    )


def _text(row: Mapping[str, str], column: str, longest: int, *, breaks: bool = False) -> str | None:
    """As it stands: a cell that begins like a formula is text and stays text."""
    text = row.get(column, "").replace("\r\n", "\n").strip()
    if (_CONTROLS_BUT_BREAKS if breaks else _CONTROLS).search(text):
        raise _Bad(column, "has a control character")
    if len(text) > longest:
        raise _Bad(column, f"is longer than {longest} characters")
    return text or None


def _required(text: str | None, column: str) -> str:
    if text is None:
        raise _Bad(column, "is empty")
    return text


def _number(row: Mapping[str, str], column: str, least: int, most: int) -> int:
    text = row[column].strip()
    if not _DIGITS.fullmatch(text):
        raise _Bad(column, "is empty" if not text else "is not a whole number")
    if not least <= int(text) <= most:
        raise _Bad(column, f"is not between {least} and {most}")
    return int(text)


def _status(row: Mapping[str, str]) -> str:
    status = row["status"].strip().upper()
    if status not in STATUSES:
        raise _Bad("status", f"is not one of {', '.join(STATUSES)}")
    return status


def _moment(row: Mapping[str, str], column: str) -> int:
    """Epoch milliseconds of a date or an ISO 8601 time; without a zone it is UTC."""
    try:
        moment = datetime.fromisoformat(row[column].strip())
    except ValueError as error:
        raise _Bad(column, "is not an ISO 8601 date or time") from error
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if not 1970 <= aware.year <= 9998:
        raise _Bad(column, "is not between the years 1970 and 9998")
    return round((aware - _EPOCH).total_seconds() * 1000)


def _file_name(row: Mapping[str, str]) -> str | None:
    """A plain name: it is looked up in one folder, so it must not lead out of it."""
    name = _text(row, "imageFile", MAX_NAME)
    if name and (set(name) & set('/\\:*?"<>|') or name.startswith(".")):
        raise _Bad("imageFile", "is not a plain file name")
    return name
