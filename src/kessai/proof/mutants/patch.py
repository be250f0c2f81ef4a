"""A mutant: exact replacements of text in the source, and why somebody would write it so."""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass
from pathlib import Path


class Unfit(ValueError):
    """The source has moved on, or the result is no program: the mutant has to be written anew."""


@dataclass(frozen=True, slots=True)
class Edit:
    """`path` is below `src/kessai`. `old` is there exactly once."""

    path: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """`name` says the mistake, `why` what somebody thinks who makes it."""

    name: str
    why: str
    edits: tuple[Edit, ...]


def mutant(name: str, why: str, path: str, old: str, new: str, *more: Edit) -> Mutant:
    return Mutant(name, why, (Edit(path, old, new), *more))


def mutated(mutant: Mutant, source: Path) -> dict[Path, str]:
    """The changed files below `source` (the folder `kessai`). Raises `Unfit`."""
    texts: dict[Path, str] = {}
    for edit in mutant.edits:
        path = source / edit.path
        text = texts.get(path) or path.read_text("utf-8")
        if text.count(edit.old) != 1:
            raise Unfit(f"{mutant.name}: {edit.path} has its text {text.count(edit.old)} times")
        if edit.old == edit.new:
            raise Unfit(f"{mutant.name}: it changes nothing")
        texts[path] = text.replace(edit.old, edit.new)
    for path, text in texts.items():
        _require_program(mutant, path, text)
    return texts


def _require_program(mutant: Mutant, path: Path, text: str) -> None:
    try:
        if path.suffix == ".json":
            json.loads(text)
        else:
            ast.parse(text)
    except (SyntaxError, ValueError) as error:
        raise Unfit(f"{mutant.name}: {path.name} is broken: {error}") from error
