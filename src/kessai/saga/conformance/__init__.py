"""Measures our engine by what the real Seata engine was seen to do: `kessai saga conformance`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kessai.saga.conformance.expressions import check_expressions
from kessai.saga.conformance.files import Unreadable, read_cases, read_library
from kessai.saga.conformance.parsing import check_parsing
from kessai.saga.conformance.report import Report
from kessai.saga.conformance.seen import Json
from kessai.saga.conformance.traces import check_traces

__all__ = ["KINDS", "Report", "Unreadable", "run"]

KINDS = ("traces", "expressions", "parsing")


def run(cases: Path, machines: Sequence[Path] = (), kind: str | None = None) -> Report:
    """Runs every case of a file; the kind is told by its cases where none is given.

    `machines`: folders with definitions, by default those beside the file. Raises `Unreadable`.
    """
    content = read_cases(cases)
    try:
        match kind or _kind_of(content):
            case "traces":
                return check_traces(content, read_library(cases, machines))
            case "expressions":
                return check_expressions(content)
            case "parsing":
                return check_parsing(content)
    except KeyError as error:
        raise Unreadable(f"{cases}: a case has no {error}") from error
    raise Unreadable(f"{cases}: no cases of the kind {kind!r}")


def _kind_of(cases: Sequence[Json]) -> str:
    first: Json = cases[0] if cases else {}
    if "expr" in first:
        return "expressions"
    return "traces" if "steps" in first else "parsing"
