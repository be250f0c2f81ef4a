"""Catalogue files on disk, CSV or JSON lines: read and written piece by piece."""

from __future__ import annotations

import codecs
import csv
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from kessai.contracts.storage import BadRow, ListedProduct
from kessai.storage.domain.catalogue_file import (
    CatalogueRow,
    CsvRows,
    RawRow,
    Source,
    Understood,
    no_file,
    understood,
)
from kessai.storage.domain.catalogue_json import COLUMNS, JsonRows, write_object

LONGEST_LINE = 1_000_000
CHUNK_ROWS = 500
# At most four bytes each: far below what storage-service takes at once.
CHUNK_LETTERS = 1_000_000
_PIECE_BYTES = 1 << 20
JSON_NAMES = (".jsonl", ".ndjson", ".json")


@dataclass(slots=True)
class Chunk:
    """Rows that follow each other; `good` is sent, and as many as `rows` were read for it."""

    good: list[tuple[RawRow, CatalogueRow]]
    bad: list[BadRow]

    @property
    def rows(self) -> int:
        return len(self.good) + len(self.bad)


class FileSource:
    """Read twice: before anything is sent it is known to be such a file, and how long it is."""

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self._is_json = _is_json(path, name)
        _require_utf8(path)
        self.rows = sum(1 for _ in self._open().raw())

    def chunks(self) -> Iterator[Chunk]:
        source = self._open()
        return _chunks(understood(source.header, source.raw()))

    @property
    def header(self) -> Sequence[str]:
        return self._open().header

    def _open(self) -> Source:
        lines = _lines(self._path)
        return JsonRows(lines) if self._is_json else CsvRows(lines)


@contextmanager
def open_source(path: Path) -> Iterator[FileSource]:
    """Raises `Refused` for what is no catalogue file, `OSError` for what cannot be read."""
    with path.open("rb") as opened:
        if opened.seekable():
            yield FileSource(path, path.name)
            return
        # A pipe can be read once only.
        with tempfile.NamedTemporaryFile() as kept:
            shutil.copyfileobj(opened, kept)
            kept.flush()
            yield FileSource(Path(kept.name), path.name)


def _is_json(path: Path, name: str) -> bool:
    """By its name, else by how it begins: no header of a CSV begins with a brace."""
    if name.lower().endswith(JSON_NAMES):
        return True
    with path.open("rb") as opened:
        return opened.read(100).lstrip(codecs.BOM_UTF8).lstrip().startswith(b"{")


def _require_utf8(path: Path) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    read = 0
    with path.open("rb") as opened:
        while True:
            piece = opened.read(_PIECE_BYTES)
            read += len(piece)
            try:
                decoder.decode(piece, final=not piece)
            except UnicodeDecodeError as error:
                at = read - len(error.object) + error.start
                raise no_file(f"the file is not UTF-8 (at byte {at})") from error
            if not piece:
                return


def _lines(path: Path) -> Iterator[str]:
    # `newline=""` leaves line breaks inside of quotes to the CSV reader.
    with path.open(encoding="utf-8-sig", newline="") as opened:
        while line := opened.readline(LONGEST_LINE + 1):
            if len(line) > LONGEST_LINE:
                raise no_file(f"a line is longer than {LONGEST_LINE} characters")
            yield line


def _chunks(rows: Iterable[Understood]) -> Iterator[Chunk]:
    chunk, letters = Chunk([], []), 0
    for found in rows:
        if isinstance(found, BadRow):
            chunk.bad.append(found)
        else:
            chunk.good.append(found)
            letters += sum(map(len, found[0].cells))
        if chunk.rows >= CHUNK_ROWS or letters >= CHUNK_LETTERS:
            yield chunk
            chunk, letters = Chunk([], []), 0
    if chunk.rows:
        yield chunk


class FileSink:
    """Writes what an import reads back as the same."""

    def __init__(self, file: TextIO, *, is_json: bool) -> None:
        self._file = file
        self._csv = None if is_json else csv.writer(file, lineterminator="\n")
        if self._csv:
            self._csv.writerow(COLUMNS)

    def write(self, products: Iterable[ListedProduct]) -> None:
        for product in products:
            if self._csv:
                self._csv.writerow(_cells(product))
            else:
                self._file.write(f"{write_object(_cells(product))}\n")


@contextmanager
def open_sink(path: Path) -> Iterator[FileSink]:
    """The file is there when it is whole, and until then what was there before."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as opened:
            yield FileSink(opened, is_json=path.name.lower().endswith(JSON_NAMES))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _cells(product: ListedProduct) -> tuple[str, ...]:
    """In the order of `COLUMNS`."""
    return (
        str(product.product_id),
        product.title,
        product.description,
        str(product.price),
        product.status,
        product.created_at,
        product.image_file or "",
        product.category.name,
        str(product.stock),
        product.titles.en or "",
        product.titles.zh or "",
        product.reading or "",
        product.category.names.en or "",
        product.category.names.zh or "",
    )
