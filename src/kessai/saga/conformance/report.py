"""What came of a file of cases: passed, deviating, failed, skipped, and one line for each."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from kessai.kernel.errors import JsonValue


class Result(StrEnum):
    PASSED = "passed"
    DEVIATING = "deviating"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Entry:
    """`deviation`: its number in docs/architecture/saga-deviations.md."""

    case: str
    result: Result
    reason: str = ""
    deviation: int | None = None


@dataclass(slots=True)
class Report:
    kind: str
    entries: list[Entry] = field(default_factory=list)

    @property
    def passed(self) -> int:
        return self._count(Result.PASSED)

    @property
    def deviating(self) -> int:
        return self._count(Result.DEVIATING)

    @property
    def failed(self) -> int:
        return self._count(Result.FAILED)

    @property
    def skipped(self) -> int:
        return self._count(Result.SKIPPED)

    @property
    def lines(self) -> list[str]:
        """One line for each failure."""
        failed = [one for one in self.entries if one.result is Result.FAILED]
        return [f"{one.case}: {' '.join(one.reason.split())}" for one in failed]

    @property
    def summary(self) -> str:
        text = f"{self.passed} passed, {self.deviating} deviating, {self.failed} failed"
        return f"{text}, {self.skipped} skipped" if self.skipped else text

    def to_json(self) -> dict[str, JsonValue]:
        return {
            "kind": self.kind,
            "passed": self.passed,
            "deviating": self.deviating,
            "failed": self.failed,
            "skipped": self.skipped,
            "cases": [
                {
                    "case": one.case,
                    "result": one.result.value,
                    "reason": one.reason,
                    "deviation": one.deviation,
                }
                for one in self.entries
            ],
        }

    def _count(self, result: Result) -> int:
        return sum(one.result is result for one in self.entries)
