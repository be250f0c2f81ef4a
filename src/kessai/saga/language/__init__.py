"""Seata's Saga State Language: parse, check, refuse; a loaded machine can run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from kessai.kernel.errors import JsonValue
from kessai.saga.language.model import (
    Branch,
    Catch,
    Choice,
    CompensationTrigger,
    DefinitionError,
    Fail,
    Machine,
    Retry,
    ServiceTask,
    State,
    Status,
    Succeed,
    Template,
)
from kessai.saga.language.parse import read_machine
from kessai.saga.language.rules import check, doubts

__all__ = [
    "Branch",
    "Catch",
    "Choice",
    "CompensationTrigger",
    "DefinitionError",
    "Fail",
    "Machine",
    "Retry",
    "ServiceTask",
    "State",
    "Status",
    "Succeed",
    "Template",
    "load",
]


def load(source: str | bytes | Path | Mapping[str, JsonValue], *, strict: bool = False) -> Machine:
    """Text, a file or a parsed object. Raises `DefinitionError`; `strict` refuses doubts too."""
    machine = read_machine(source)
    check(machine)
    machine = replace(machine, warnings=tuple(doubts(machine)))
    if strict and machine.warnings:
        raise DefinitionError("; ".join(machine.warnings))
    return machine
