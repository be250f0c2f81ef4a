"""docs/adr/index.md: the decisions by their titles, out of the files themselves."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tests.docs.markdown import page, table

FOLDER = Path(__file__).parents[2] / "docs" / "adr"
SECTIONS = (
    "Context",
    "Decision",
    "What was measured",
    "What was refused",
    "Consequences",
    "Held by",
)
LEAD = (
    "A decision that binds others is a page here: what was needed, what was decided, what was "
    "measured, what was refused, what follows, and which tests hold it. The title is the decision. "
    "A page is never rewritten into its opposite: a new one says that it takes the old one's place."
)


@dataclass(frozen=True, slots=True)
class Decision:
    path: Path
    title: str
    scope: str
    sections: tuple[str, ...]
    lines: tuple[str, ...]

    @property
    def number(self) -> str:
        return self.path.name[:4]


def decisions(folder: Path = FOLDER) -> list[Decision]:
    return [read(path) for path in sorted(folder.glob("[0-9]*.md"))]


def read(path: Path) -> Decision:
    """Raises `ValueError`, with the line, for a page of another form."""
    lines = tuple(path.read_text("utf-8").splitlines())
    if not lines or not lines[0].startswith("# "):
        raise ValueError(f"{path}:1: the title is missing")
    scope = re.fullmatch(r"(?:In force|Replaced by \[\d{4}\]\(.+\))\. Holds for (.+)\.", lines[2])
    if scope is None:
        raise ValueError(f"{path}:3: says neither whether it is in force nor for whom it holds")
    sections = tuple(line[3:] for line in lines if line.startswith("## "))
    return Decision(path, lines[0][2:], scope[1], sections, lines)


def index_page() -> str:
    rows = [
        (f"[{one.number}]({one.path.name})", one.title, f"for {one.scope}") for one in decisions()
    ]
    return page("Decisions", LEAD, table(("No.", "decision", "holds"), rows))
