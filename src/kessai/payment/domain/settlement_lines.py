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
# The rows of so much fit a processor's cache: larger pieces are slower.
PIECE_BYTES = 32 * 1024
# Where something is wrong in a piece, so many lines are tried together.
GROUP_LINES = 64
# No character of either encoding takes more.
_BYTES_PER_CHARACTER = 4
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Cells(NamedTuple):
    """`number` is the line of the file where the row begins; the header is line 1."""

    number: int
    cells: list[str]


class Block(NamedTuple):
    """Lines of the file that follow each other, each a row; a blank one has no cells."""

    number: int
    rows: list[list[str]]


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
        self._pieces = _pieces(chunks)
        self._ahead: deque[tuple[int, bytes | None]] = deque()
        if not self._fill():
            raise no_file("the file is empty")
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

    def blocks(self) -> Iterator[Block | list[Cells | Unreadable]]:
        """Many lines at once where nothing is wrong with them, else one by one."""
        while True:
            yield from self._grouped()
            number, piece = next(self._pieces, (0, None))
            if number == 0:
                return
            block = self._together(number, piece)
            if block is None:
                self._look_at(number, piece)
            else:
                yield block

    def _grouped(self) -> Iterator[Block | list[Cells | Unreadable]]:
        while self._ahead:
            group = list(islice(self._ahead, GROUP_LINES))
            lines = [line for _, line in group if line is not None]
            whole = len(lines) == len(group)
            block = self._together(group[0][0], b"\n".join(lines)) if whole else None
            if block is None:
                yield list(islice(self._one_by_one(), GROUP_LINES))
                continue
            for _ in group:
                self._ahead.popleft()
            yield block

    def _together(self, number: int, piece: bytes | None) -> Block | None:
        """None when a line of them is broken, or when a row has more lines than one."""
        if piece is None:
            return None
        try:
            text = piece.decode(self.encoding)
            lines = text.split("\n")
            if "\0" in text or max(map(len, lines)) > MAX_LINE_BYTES // _BYTES_PER_CHARACTER:
                return None
            found = list(csv.reader(lines, strict=True))
        except (UnicodeDecodeError, csv.Error):
            return None
        if len(found) != len(lines):
            return None
        if min(map(len, found)) < 2:
            found = [
                cells if line.strip() else [] for cells, line in zip(found, lines, strict=True)
            ]
        return Block(number, found)

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
        number, piece = next(self._pieces, (0, None))
        if number:
            self._look_at(number, piece)
        return number > 0

    def _look_at(self, number: int, piece: bytes | None) -> None:
        """Line by line; None for one that is too long."""
        lines = (None,) if piece is None else piece.split(b"\n")
        self._ahead.extend(
            (at, None if line is None or len(line) > MAX_LINE_BYTES else line)
            for at, line in enumerate(lines, number)
        )

    def _detect(self) -> str:
        """By the mark, else by the first lines: Shift_JIS in Japanese is never valid UTF-8."""
        first = self._ahead[0][1] or b""
        if first.startswith(_WIDE):
            raise no_file("the file is UTF-16: save it as Shift_JIS or UTF-8")
        if first.startswith(codecs.BOM_UTF8):
            self._ahead[0] = (1, first.removeprefix(codecs.BOM_UTF8))
            return "utf-8"
        sample, at = bytearray(), 0
        while len(sample) < SAMPLE_BYTES and (at < len(self._ahead) or self._fill()):
            sample += (self._ahead[at][1] or b"") + b"\n"
            at += 1
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


def _pieces(chunks: Iterable[bytes]) -> Iterator[tuple[int, bytes | None]]:
    """Whole lines, many at once, with the first one's number.

    None for a line that is too long and came in several chunks, of which nothing is kept.
    """
    number, rest, is_long = 1, b"", False
    for part in _bounded(chunks):
        whole, end, rest_of_part = part.rpartition(b"\n")
        if not end:
            rest += part
        else:
            if is_long:
                yield number, None
                _, end, whole = whole.partition(b"\n")
                number, rest, is_long = number + 1, b"", False
            if end:
                yield number, rest + whole
                number += whole.count(b"\n") + 1
            rest = rest_of_part
        if len(rest) > MAX_LINE_BYTES:
            rest, is_long = b"", True
    if rest or is_long:
        yield number, None if is_long else rest


def _bounded(chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        for start in range(0, len(chunk), PIECE_BYTES):
            yield chunk[start : start + PIECE_BYTES]
