"""The pages of the runbook, and what they name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
OPERATIONS = ROOT / "docs/operations"
ALERTS = OPERATIONS / "alerts"
STUCK = OPERATIONS / "stuck"
HEADINGS = ("What you see", "What it means", "What you do", "How you know it worked")

_SQL = re.compile(r"```sql\n-- (?P<file>\w+)\.db[^\n]*\n(?P<text>.*?)```", re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")


class Place(NamedTuple):
    page: Path
    line: int

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


class Query(NamedTuple):
    place: Place
    file: str
    text: str


def pages() -> list[Path]:
    return sorted(OPERATIONS.rglob("*.md"))


def runbook_pages() -> list[Path]:
    return [page for page in pages() if page.parent in (ALERTS, STUCK)]


def headings(page: Path) -> list[str]:
    lines = page.read_text("utf-8").splitlines()
    return [line.removeprefix("## ") for line in lines if line.startswith("## ")]


def spans(page: Path) -> Iterator[tuple[Place, str]]:
    """What stands in backticks, line by line."""
    for number, line in enumerate(page.read_text("utf-8").splitlines(), start=1):
        for found in _SPAN.findall(line):
            yield Place(page, number), found


def queries(page: Path) -> list[Query]:
    text = page.read_text("utf-8")
    return [
        Query(Place(page, text.count("\n", 0, found.start()) + 1), found["file"], found["text"])
        for found in _SQL.finditer(text)
    ]
