"""The time of a stream: that of its records while it catches up, a steady clock's while it is live.

No process's wall clock decides: a live stream goes on by the monotonic clock from where the wall
stood when the process began, so that a clock that leaps moves nothing.
"""

from __future__ import annotations

from typing import Final

from kessai.kernel.clock import Clock

# A live record's own time may differ so much from ours: the way through the bus, and bad clocks.
TOLERANCE_MS: Final = 5_000


class SteadyClock:
    """Epoch milliseconds that never leap; one for all shards of a process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began_ms = clock.now_ms()
        self._began_s = clock.monotonic()

    def now_ms(self) -> int:
        return self._began_ms + int((self._clock.monotonic() - self._began_s) * 1000)


def moment_of(record_ms: int, steady_ms: int, *, live: bool) -> int:
    """When the record came. In a backlog its own time is all there is, and a replay sees the same;
    a live one is believed within `TOLERANCE_MS`."""
    if not live or abs(record_ms - steady_ms) <= TOLERANCE_MS:
        return record_ms
    return steady_ms
