"""What the services log with a traceback: a mistake in the code, or what follows from faults."""

from __future__ import annotations

import re
import traceback

from kessai.kernel.telemetry import Heard

# Errors that follow from the faults alone: a loop met a database that refused, a peer was silent.
_EXPECTED = re.compile(r"\b(DatabaseUnavailable|Unknown|NoAnswer|NotSent|CircuitOpen|Fenced)\b")
_LAST_LINE = 300


class Complaints:
    """What is told with an error that is not expected becomes a finding."""

    def __init__(self) -> None:
        self._findings: list[str] | None = None

    def begin(self, findings: list[str]) -> None:
        self._findings = findings

    def end(self) -> None:
        self._findings = None

    def hear(self, heard: Heard) -> None:
        error = heard.error
        # Without an error an operator is told of something; that is no mistake of the code.
        if self._findings is None or error is None or _EXPECTED.search(_last_line(error)):
            return
        text = "".join(traceback.format_exception(error)).strip()
        # Of a group the causes stand inside of it, else the last line names the error.
        cause = text if "ExceptionGroup" in text else text.splitlines()[-1]
        if not _EXPECTED.search(cause):
            self._findings.append(f"{heard.service} logged {heard.event}: {cause[:_LAST_LINE]}")


def _last_line(error: BaseException) -> str:
    """Of its traceback, which takes a thousand times as long to write."""
    return f"{type(error).__qualname__}: {error}".strip().splitlines()[-1]
