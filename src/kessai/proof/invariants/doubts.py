"""What an invariant says about what it saw: how much, what still settles, what cannot be right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


class HasFields(Protocol):
    """A row of the reading: a named tuple."""

    def _asdict(self) -> dict[str, Any]: ...


Shown = Mapping[str, Any] | HasFields


@dataclass(frozen=True, slots=True)
class Doubt:
    """One thing that is not, or not yet, as it must be.

    `subject` is stable from look to look. `since_ms` is None for what may never be; otherwise it
    is what settles, for `limit_s` seconds from then.
    """

    subject: str
    why: str
    row: Mapping[str, Any]
    since_ms: int | None = None
    limit_s: float = 0.0

    def is_settling(self, now_ms: int) -> bool:
        return self.since_ms is not None and now_ms - self.since_ms <= self.limit_s * 1000


@dataclass(slots=True)
class Tally:
    """Collects for one invariant during one look, which is of the moment `now_ms`."""

    now_ms: int
    checked: int = 0
    doubts: list[Doubt] = field(default_factory=list)

    def wrong(self, subject: str, why: str, row: Shown | None = None) -> None:
        self.doubts.append(Doubt(subject, why, _shown(row)))

    def unsettled(
        self, subject: str, why: str, row: Shown | None, since_ms: int | None, limit_s: float
    ) -> None:
        """Right if it ends within `limit_s`; without a known beginning it is as old as can be."""
        self.doubts.append(Doubt(subject, why, _shown(row), since_ms or 0, limit_s))

    def unreadable(self, subject: str, error: Exception, row: Shown | None = None) -> None:
        """A row that cannot be read is as wrong as any other."""
        self.wrong(subject, f"a row cannot be read: {type(error).__name__}: {error}", row)


def _shown(row: Shown | None) -> Mapping[str, Any]:
    if row is None:
        return {}
    return row if isinstance(row, Mapping) else row._asdict()
