"""What is wrong or doubtful in definitions, one line each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kessai.cli.errors import USAGE
from kessai.cli.saga.given import readable
from kessai.cli.saga.paper import print_json, say, warn
from kessai.saga.language import (
    DefinitionError,
    Finding,
    Machine,
    Report,
    check_machines,
    explain,
)


@dataclass(slots=True)
class Checked:
    """What was found in all files, and between them."""

    reports: list[tuple[Path, Report]] = field(default_factory=list)
    between_errors: list[str] = field(default_factory=list)
    between_doubts: list[str] = field(default_factory=list)
    unreadable: int = 0

    @property
    def errors(self) -> int:
        return len(self.between_errors) + sum(len(one.errors) for _, one in self.reports)

    @property
    def doubts(self) -> int:
        return len(self.between_doubts) + sum(len(one.doubts) for _, one in self.reports)


def validate_files(files: Sequence[Path], *, strict: bool, as_json: bool) -> int:
    """The exit code."""
    checked = _check(files)
    if as_json:
        print_json(_as_json(checked))
    else:
        _print(checked)
    if checked.unreadable:
        return USAGE
    return 1 if checked.errors or (strict and checked.doubts) else 0


def _check(files: Sequence[Path]) -> Checked:
    checked = Checked()
    for file in files:
        if why := readable(file):
            warn(f"{file}: {why}")
            checked.unreadable += 1
        else:
            checked.reports.append((file, explain(file)))
    machines = [one.machine for _, one in checked.reports if one.machine is not None]
    if len(files) > 1:
        _check_between(machines, checked)
    return checked


def _check_between(machines: Sequence[Machine], checked: Checked) -> None:
    """One file alone may well call what is elsewhere; a set of files is meant to be whole."""
    try:
        checked.between_doubts += check_machines(machines)
    except DefinitionError as error:
        checked.between_errors.append(str(error))


def _print(checked: Checked) -> None:
    for file, report in checked.reports:
        for line in report.lines(str(file)):
            say(line)
        if report.machine is not None and not report.doubts:
            machine = report.machine
            say(f"{file}: ok (machine {machine.name!r}, {_count(len(machine.states), 'state')})")
    for error in checked.between_errors:
        say(f"error: {error}")
    for doubt in checked.between_doubts:
        say(f"doubt: {doubt}")
    files = _count(len(checked.reports), "file")
    say(f"{files}: {_count(checked.errors, 'error')}, {_count(checked.doubts, 'doubt')}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _as_json(checked: Checked) -> dict[str, object]:
    return {
        "errors": checked.errors,
        "doubts": checked.doubts,
        "between": {"errors": checked.between_errors, "doubts": checked.between_doubts},
        "files": [
            {
                "file": str(file),
                "machine": report.machine.name if report.machine else None,
                "errors": [_finding(one) for one in report.errors],
                "doubts": [_finding(one) for one in report.doubts],
            }
            for file, report in checked.reports
        ],
    }


def _finding(finding: Finding) -> dict[str, object]:
    at = finding.position
    return {
        "line": at.line if at else None,
        "column": at.column if at else None,
        "state": finding.state,
        "attribute": finding.attribute,
        "message": finding.what,
    }
