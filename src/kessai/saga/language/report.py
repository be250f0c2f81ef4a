"""Everything there is to say about one definition."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from kessai.saga.language.designer import from_drawing, is_drawing
from kessai.saga.language.document import Source, check_size, read_document
from kessai.saga.language.doubts import doubts
from kessai.saga.language.findings import Finding, Log
from kessai.saga.language.model import DefinitionError, Machine
from kessai.saga.language.parse import read_machine
from kessai.saga.language.rules import broken


@dataclass(frozen=True, slots=True)
class Report:
    """`machine` is None exactly when there are errors."""

    machine: Machine | None
    errors: tuple[Finding, ...]
    doubts: tuple[Finding, ...]

    def lines(self, source: str) -> Iterator[str]:
        """As compilers write them: SOURCE:LINE:COLUMN: error: SENTENCE."""
        for kind, findings in (("error", self.errors), ("doubt", self.doubts)):
            for finding in findings:
                at = finding.position
                place = f"{source}:{at.line}:{at.column}" if at else source
                yield f"{place}: {kind}: {finding.sentence}"


def explain(source: Source) -> Report:
    """Never raises for what the source contains."""
    log = Log()
    try:
        document = read_document(source)
        if is_drawing(document.values):
            document = from_drawing(document, log)
            check_size(document)
    except DefinitionError as error:
        return Report(None, error.findings, ())
    machine = read_machine(document.values, log)
    log.errors += broken(machine, log.references)
    if not log.errors:
        log.doubts += doubts(machine)
    errors = document.places.locate(log.errors)
    found = document.places.locate(log.doubts)
    if errors:
        return Report(None, errors, found)
    return Report(replace(machine, doubts=tuple(map(str, found))), (), found)


def load(source: Source, *, strict: bool = False) -> Machine:
    """Text, a file, its name or a parsed object; `strict` refuses doubts, too.

    Raises `DefinitionError`.
    """
    report = explain(source)
    refused = report.errors or (report.doubts if strict else ())
    if report.machine is None or refused:
        raise DefinitionError.because(refused)
    return report.machine
