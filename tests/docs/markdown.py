"""Pieces of pages that are generated."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

NOTE = "<!-- Generated from the code by `python -m tests.docs.generated`; edits here are lost. -->"


def page(title: str, lead: str, *parts: Iterable[str]) -> str:
    """A whole page: its heading, one sentence, and its parts with a line between them."""
    pieces = [NOTE, f"# {title}", lead, *("\n".join(part) for part in parts)]
    return "\n\n".join(piece.strip("\n") for piece in pieces) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cell(text) for text in line) + " |" for line in lines]


def cell(text: str) -> str:
    """One line, whose bars end no cell and whose angles begin no tag."""
    parts = " ".join(text.split()).replace("|", "\\|").split("`")
    return "`".join(
        part if inside % 2 else part.replace("<", "&lt;") for inside, part in enumerate(parts)
    )


def code(text: str) -> str:
    return f"`{text}`" if text else ""
