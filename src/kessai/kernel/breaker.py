"""A circuit breaker that lets exactly one call try a sick dependency."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import TypeVar

from kessai.kernel.clock import Clock
from kessai.kernel.errors import Refused, Unknown
from kessai.kernel.telemetry import get_log

T = TypeVar("T")
_log = get_log("kessai.breaker")


class State(StrEnum):
    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"


class CircuitOpen(Unknown):
    """Not sent: the dependency failed often, and it is not yet time to try again."""


class CircuitBreaker:
    """Opens when `failures` of the last `2 * failures - 1` calls within `window_s` failed.

    After `open_s` the next call is the probe: all others are turned away until it ends. `Refused`
    is an answer and counts as health. A call that was cancelled counts as a failure when it had
    lasted `slow_s` (a deadline outside of the breaker), and as nothing when it was shorter.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        name: str = "",
        code: str = "NOT_SENT",
        failures: int = 5,
        window_s: float = 30.0,
        open_s: float = 2.0,
        slow_s: float = 2.0,
    ) -> None:
        self.name = name
        self.code = code
        self._clock = clock
        self._failures = failures
        self._window_s = window_s
        self._open_s = open_s
        self._slow_s = slow_s
        # (when, whether it failed) of the latest calls
        self._ended: deque[tuple[float, bool]] = deque(maxlen=2 * failures - 1)
        self._opened_at: float | None = None
        self._probing = False
        # Raised by every change of state: answers to calls of an earlier state count no more.
        self._era = 0

    @property
    def state(self) -> State:
        if self._opened_at is None:
            return State.CLOSED
        waited = self._clock.monotonic() - self._opened_at
        return State.HALF_OPEN if self._probing or waited >= self._open_s else State.OPEN

    async def call(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What `ask` answers. Raises `CircuitOpen` without asking while the circuit is open."""
        self._admit()
        era, started = self._era, self._clock.monotonic()
        try:
            answer = await ask()
        except Refused:
            self._record(era, failed=False)
            raise
        except Exception:
            self._record(era, failed=True)
            raise
        except BaseException:
            # Cancelled, or the process ends: the probe's place must not stay taken.
            self._record_cancelled(era, self._clock.monotonic() - started)
            raise
        self._record(era, failed=False)
        return answer

    def _admit(self) -> None:
        state = self.state
        if state is State.CLOSED:
            return
        if state is State.OPEN or self._probing:
            raise CircuitOpen(self.code, f"{self.name or 'circuit'} is open")
        self._probing = True
        self._era += 1

    def _record(self, era: int, *, failed: bool) -> None:
        if era != self._era:
            return
        if self._opened_at is not None:
            self._end_probe(failed=failed)
            return
        now = self._clock.monotonic()
        self._ended.append((now, failed))
        recent = sum(bad for at, bad in self._ended if now - at <= self._window_s)
        if recent >= self._failures:
            self._open(now)

    def _record_cancelled(self, era: int, lasted_s: float) -> None:
        if lasted_s >= self._slow_s:
            self._record(era, failed=True)
        elif era == self._era and self._opened_at is not None:
            self._probing = False
            self._era += 1

    def _end_probe(self, *, failed: bool) -> None:
        self._probing = False
        if failed:
            self._open(self._clock.monotonic())
            return
        self._opened_at = None
        self._ended.clear()
        self._era += 1
        _log.info("breaker.closed", breaker=self.name)

    def _open(self, now: float) -> None:
        self._opened_at = now
        self._era += 1
        _log.warning("breaker.opened", breaker=self.name, open_s=self._open_s)
