"""A settlement file cut into rows of cells, in bounded memory, whatever is in it."""

from __future__ import annotations

import codecs
import csv
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from kessai.contracts.paypay.settlement import ENCODING
from kessai.kernel.errors import Kind, Refused

# A row has some 400 bytes. What is longer is no row, and what follows it is read again.
MAX_LINE_BYTES = 64 * 1024
# A cell in quotes may have line breaks; a quote that is never closed may not eat the file.
MAX_ROW_LINES = 8
SAMPLE_BYTES = 64 * 1024
BLOCK_LINES = 500
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Cells(NamedTuple):
    """`number` is the line of the file where the row begins; the header is line 1."""

    number: int
    cells: list[str]


@dataclass(frozen=True, slots=True)
class Unreadable:
    number: int
    why: str


def no_file(why: str) -> Refused:
    return Refused("BAD_FILE", why, kind=Kind.INVALID)


class Lines:
    """Rows of the file. Raises `Refused` BAD_FILE for what has no text in it at all.

    The encoding is Shift_JIS (cp932) as documented; a file that is UTF-8, with or without its
    mark, was saved again by somebody, and is read as well.
    """

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._lines = _physical(chunks)
        first = next(self._lines, None)
        if first is None:
            raise no_file("the file is empty")
        self._ahead: deque[tuple[int, bytes | None]] = deque([first])
        self._splitter = _Splitter()
        self.encoding = self._detect()
        self.width: int | None = None

    def first(self) -> Cells | Unreadable | None:
        """The header, which says how wide the rows are."""
        for row in self._one_by_one():
            if isinstance(row, Cells):
                self.width = len(row.cells)
            return row
        return None

    def rows(self) -> Iterator[Cells | Unreadable]:
        """Many lines at once where nothing is wrong with them, else one by one."""
        while True:
            yield from self._one_by_one()
            block = list(islice(self._lines, BLOCK_LINES))
            if not block:
                return
            rows = self._together(block)
            if rows is None:
                self._ahead.extend(block)
            else:
                yield from rows

    def _together(self, block: list[tuple[int, bytes | None]]) -> list[Cells] | None:
        """None when a line of them is broken, or when a row has more lines than one."""
        lines = [line for _, line in block if line is not None]
        if len(lines) < len(block):
            return None
        try:
            text = b"\n".join(lines).decode(self.encoding)
            if "\0" in text:
                return None
            found = list(csv.reader(text.split("\n"), strict=True))
        except (UnicodeDecodeError, csv.Error):
            return None
        if len(found) != len(block):
            return None
        first = block[0][0]
        return [
            Cells(number, cells)
            for number, cells in enumerate(found, first)
            if len(cells) > 1 or (cells and cells[0].strip())
        ]

    def _one_by_one(self) -> Iterator[Cells | Unreadable]:
        while self._ahead:
            number, line = self._ahead.popleft()
            if line is None:
                yield Unreadable(number, f"is longer than {MAX_LINE_BYTES} bytes")
                continue
            row = self._row(number, line)
            if row is not None:
                yield row

    def _fill(self) -> bool:
        line = next(self._lines, None)
        if line is not None:
            self._ahead.append(line)
        return line is not None

    def _detect(self) -> str:
        """By the mark, else by the first lines: Shift_JIS in Japanese is never valid UTF-8."""
        sample = self._ahead[0][1] or b""
        if sample.startswith(_WIDE):
            raise no_file("the file is UTF-16: save it as Shift_JIS or UTF-8")
        if sample.startswith(codecs.BOM_UTF8):
            self._ahead[0] = (1, sample.removeprefix(codecs.BOM_UTF8))
            return "utf-8"
        size = len(sample)
        while size < SAMPLE_BYTES and self._fill():
            line = self._ahead[-1][1] or b""
            sample, size = sample + line, size + len(line)
        if sample.isascii():
            return ENCODING
        try:
            sample.decode("utf-8")
        except UnicodeDecodeError:
            return ENCODING
        return "utf-8"

    def _row(self, number: int, line: bytes) -> Cells | Unreadable | None:
        try:
            text = line.decode(self.encoding)
        except UnicodeDecodeError as error:
            return Unreadable(number, f"is not {self.encoding} text (at byte {error.start + 1})")
        if "\0" in text:
            return Unreadable(number, "has a NUL character")
        text = text.removesuffix("\r")
        if not text.strip():
            return None
        cells, why = self._splitter.split(text)
        if cells is None:
            cells = self._joined(text)
        return Unreadable(number, why) if cells is None else Cells(number, cells)

    def _joined(self, text: str) -> list[str] | None:
        """The row over several lines, if that makes a row; else those lines are left as they are.

        Without the header's number of cells it is a quote that was never closed.
        """
        for count in range(1, MAX_ROW_LINES):
            if len(self._ahead) < count and not self._fill():
                return None
            line = self._ahead[count - 1][1]
            if line is None or len(text) + len(line) > MAX_LINE_BYTES:
                return None
            text = f"{text}\n{line.decode(self.encoding, 'replace').removesuffix(chr(13))}"
            cells, _ = self._splitter.split(text)
            if cells is not None and (self.width is None or len(cells) == self.width):
                for _ in range(count):
                    self._ahead.popleft()
                return cells
        return None


class _Splitter:
    """One CSV reader for all lines, each by itself: making a reader costs as much as a row."""

    def __init__(self) -> None:
        self._line: str | None = None
        self._reader = csv.reader(self, strict=True)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line, self._line = self._line, None
        if line is None:
            raise StopIteration
        return line

    def split(self, text: str) -> tuple[list[str] | None, str]:
        self._line = text
        try:
            return next(self._reader), ""
        except (csv.Error, StopIteration) as error:
            return None, f"is not readable as CSV: {error}"


def _physical(chunks: Iterable[bytes]) -> Iterator[tuple[int, bytes | None]]:
    """Lines with their numbers; None for one that is too long, of which nothing is kept."""
    number, rest, is_long = 1, b"", False
    for chunk in chunks:
        lines = (rest + chunk).split(b"\n")
        rest = lines.pop()
        for line in lines:
            yield number, None if is_long or len(line) > MAX_LINE_BYTES else line
            number, is_long = number + 1, False
        if len(rest) > MAX_LINE_BYTES:
            rest, is_long = b"", True
    if rest or is_long:
        yield number, None if is_long else rest
