"""Case files and the machines that their cases name."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from kessai.saga.conformance.seen import Json
from kessai.saga.language import DefinitionError, Machine, load
from kessai.saga.language.model import SubStateMachine

# Machines that the recordings use and that Seata keeps elsewhere, made anew from their traces.
_REBUILT = Path(__file__).with_name("machines")
_SUFFIXES = (".json", ".yaml", ".yml")


class Unreadable(Exception):
    """A file that is no case file; the message is one line."""


@dataclass(slots=True)
class Library:
    """Definitions by file name and by the machine's own name; earlier folders win."""

    by_file: dict[str, Machine] = field(default_factory=dict)
    by_name: dict[str, Machine] = field(default_factory=dict)
    refused: dict[str, DefinitionError] = field(default_factory=dict)

    def needed(self, machine: Machine) -> Mapping[str, Machine]:
        """A machine and those that it calls, as far as they are there."""
        found: dict[str, Machine] = {}
        pending = [machine]
        while pending:
            one = pending.pop()
            if one.name in found:
                continue
            found[one.name] = one
            calls = [s.machine for s in one.states.values() if isinstance(s, SubStateMachine)]
            pending += [self.by_name[name] for name in calls if name in self.by_name]
        return found


def is_uncompilable(error: DefinitionError) -> bool:
    """Refused for an expression or a script that Seata would only meet when a state runs."""
    return any(word in str(error) for word in ("has a wrong expression", "has a wrong script"))


def read_library(cases: Path, folders: Sequence[Path]) -> Library:
    """A file's own `machines`, then folders: without any those beside it that recordings use."""
    beside = [cases.parent / name for name in ("", "statelang", "probes", "machines")]
    library = Library()
    for name, definition in _content(cases).get("machines", {}).items():
        _add(library, name, definition)
    for folder in [*(folders or beside), _REBUILT]:
        if not folder.is_dir():
            continue
        for path in sorted(folder.iterdir()):
            if path.suffix in _SUFFIXES and path != cases and path.name not in library.by_file:
                _add(library, path.name, path)
    return library


def _add(library: Library, name: str, source: Path | Json) -> None:
    try:
        machine = load(source)
    except DefinitionError as error:
        library.refused.setdefault(name, error)
        return
    library.by_file[name] = machine
    library.by_name.setdefault(machine.name, machine)


def read_cases(path: Path) -> list[Json]:
    """Raises `Unreadable`."""
    cases = _content(path).get("cases")
    if not isinstance(cases, list) or not all(isinstance(one, dict) for one in cases):
        raise Unreadable(f"{path}: a case file is an object with an array `cases` of objects")
    return cast("list[Json]", cases)


def _content(path: Path) -> dict[str, dict[str, Json]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Unreadable(f"{path}: {error}") from error
    if not isinstance(content, dict):
        raise Unreadable(f"{path}: a case file is an object with an array `cases` of objects")
    return content
