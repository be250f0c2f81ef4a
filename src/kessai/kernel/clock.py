"""Time as a port: aware UTC from an injected clock, milliseconds in SQL, ISO 8601 on the wire."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone
from typing import Protocol

# The provider's business day (00:14:59 JST cancel window); Japan has no summer time.
JST = timezone(timedelta(hours=9), "JST")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Clock(Protocol):
    def now(self) -> datetime: ...

    def now_ms(self) -> int: ...

    def monotonic(self) -> float: ...


class SystemClock:
    """The machine's own clock; `skew_s` makes it wrong, as that of another machine may be."""

    def __init__(self, skew_s: float = 0.0) -> None:
        self._skew_ms = round(skew_s * 1000)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._skew_ms * _MILLISECOND

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self._skew_ms

    def monotonic(self) -> float:
        return time.monotonic()


def to_ms(moment: datetime) -> int:
    """Epoch milliseconds of an aware moment, exact (no float on the way)."""
    return (moment - _EPOCH) // _MILLISECOND


def from_ms(ms: int) -> datetime:
    return _EPOCH + ms * _MILLISECOND


def wire(moment: datetime | int) -> str:
    """`YYYY-MM-DDTHH:MM:SS.mmmZ` of an aware moment or of epoch milliseconds."""
    value = from_ms(moment) if isinstance(moment, int) else moment.astimezone(UTC)
    # A tenth of what `strftime` takes; UTC's own "+00:00" is cut off.
    return f"{value.isoformat(timespec='milliseconds')[:-6]}Z"


def parse_wire(text: str) -> datetime:
    """The moment that `wire` wrote; other ISO 8601 forms with a zone are read as well."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"a time without a zone: {text!r}")
    return moment.astimezone(UTC)
