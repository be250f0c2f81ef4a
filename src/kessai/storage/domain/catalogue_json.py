"""The catalogue as JSON lines: one object for each product, with the columns of the CSV."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Final

from kessai.contracts.storage import BadRow
from kessai.storage.domain.catalogue_file import OPTIONAL, REQUIRED, RawRow

COLUMNS: Final = REQUIRED + OPTIONAL
# What is given as a number; everything else is text.
_NUMBERS: Final = frozenset({"productId", "price", "stock"})


class JsonRows:
    """What is missing or null is an empty cell. A row has the number of its line."""

    header = COLUMNS

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = lines

    def raw(self) -> Iterator[RawRow | BadRow]:
        for number, line in enumerate(self._lines, 1):
            if line.strip():
                yield _row(number, line)


def write_object(cells: Iterable[str]) -> str:
    """The line that `JsonRows` reads back as these cells, in the order of `COLUMNS`."""
    named = zip(COLUMNS, cells, strict=True)
    content = {name: int(cell) if name in _NUMBERS else cell for name, cell in named if cell}
    return json.dumps(content, ensure_ascii=False)


def _row(number: int, line: str) -> RawRow | BadRow:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError) as error:
        # The place counts within the line, so the line that it names would only confuse.
        why = error.msg if isinstance(error, json.JSONDecodeError) else "too large or too deep"
        return BadRow(row=number, column="", why=f"not readable as JSON: {why}")
    if not isinstance(content, dict):
        return BadRow(row=number, column="", why="is not a JSON object")
    if unknown := [name for name in content if name not in COLUMNS]:
        why = f"has an unknown field {unknown[0][:40]!r}; known: {', '.join(COLUMNS)}"
        return BadRow(row=number, column="", why=why)
    for name, value in content.items():
        if isinstance(value, bool) or not isinstance(value, str | int | float | None):
            kind = "a number" if name in _NUMBERS else "text"
            return BadRow(row=number, column=name, why=f"is not {kind}")
        if name not in _NUMBERS and isinstance(value, int | float):
            return BadRow(row=number, column=name, why="is not text")
    cells = (content.get(name) for name in COLUMNS)
    return RawRow(number, tuple("" if cell is None else str(cell) for cell in cells))
