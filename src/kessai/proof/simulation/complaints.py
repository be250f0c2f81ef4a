"""What the services log with a traceback: a mistake in the code, or what follows from faults."""

from __future__ import annotations

import json
import re

# Errors that follow from the faults alone: a loop met a database that refused, a peer was silent.
_EXPECTED = re.compile(r"\b(DatabaseUnavailable|Unknown|NoAnswer|NotSent|CircuitOpen|Fenced)\b")
_LAST_LINE = 300


class Complaints:
    """Lines come as `kernel.telemetry` writes them; what is not expected becomes a finding."""

    def __init__(self) -> None:
        self._findings: list[str] | None = None

    def begin(self, findings: list[str]) -> None:
        self._findings = findings

    def end(self) -> None:
        self._findings = None

    def hear(self, line: str) -> None:
        if self._findings is None:
            return
        told = json.loads(line)
        if "exception" not in told:
            # An operator is told of something; that is no mistake of the code.
            return
        text = str(told["exception"]).strip()
        # Of a group the causes stand inside of it, else the last line names the error.
        cause = text if "ExceptionGroup" in text else text.splitlines()[-1]
        if not _EXPECTED.search(cause):
            name = f"{told.get('service', '')} logged {told.get('event', '')}"
            self._findings.append(f"{name}: {cause[:_LAST_LINE]}")
