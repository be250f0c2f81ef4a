"""Rate limits on the injected clock: one bucket that is waited for, and one limit per key."""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from typing import Protocol

from kessai.kernel.clock import Clock
from kessai.kernel.errors import Kind, Refused


def too_many(retry_after_s: float, message: str = "too many requests") -> Refused:
    """Whole seconds, rounded up, at least one: what `Retry-After` can say."""
    wait_s = max(1, math.ceil(retry_after_s))
    return Refused("TOO_MANY_REQUESTS", message, kind=Kind.TOO_MANY, retry_after_s=wait_s)


class TokenBucket:
    """`rate_per_s` tokens a second, at most `burst` saved; takers are served in their order.

    With `step_s` those who have to wait go on in groups, at whole multiples of it.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        rate_per_s: float,
        burst: float = 1.0,
        max_wait_s: float = 30.0,
        step_s: float = 0.0,
    ) -> None:
        if rate_per_s <= 0 or burst <= 0:
            raise ValueError("rate and burst are above zero")
        self._clock = clock
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._max_wait_s = max_wait_s
        self._step_s = step_s
        self._tokens = burst  # below zero: promised to those who wait
        self._at = clock.monotonic()

    def try_take(self, n: float = 1.0) -> bool:
        """Takes now or not at all; never overtakes those who wait."""
        self._refill()
        if self._tokens < n:
            return False
        self._tokens -= n
        return True

    def take_ahead(self, n: float = 1.0, *, debt: float) -> bool:
        """Takes now, before those who wait, while no more than `debt` is promised; they wait on."""
        self._refill()
        if self._tokens - n < -debt:
            return False
        self._tokens -= n
        return True

    async def take(self, n: float = 1.0) -> None:
        """Waits for its turn. Raises `Refused` TOO_MANY_REQUESTS if that is over `max_wait_s`."""
        self._refill()
        wait_s = max(0.0, (n - self._tokens) / self._rate_per_s)
        if wait_s > self._max_wait_s:
            raise too_many(wait_s - self._max_wait_s)
        # The place is taken before the sleep: whoever comes later waits longer.
        self._tokens -= n
        try:
            if wait_s:
                await asyncio.sleep(self._in_step(wait_s))
        except asyncio.CancelledError:
            self._tokens += n
            raise

    def _in_step(self, wait_s: float) -> float:
        """Longer, up to the next common moment: what begins together can share a commit."""
        if not self._step_s:
            return wait_s
        now = self._clock.monotonic()
        return math.ceil((now + wait_s) / self._step_s) * self._step_s - now

    def set_rate(self, rate_per_s: float, burst: float) -> None:
        """From now on; what was saved or promised before stays, up to the new burst."""
        self._refill()
        self._rate_per_s, self._burst = rate_per_s, burst
        self._tokens = min(self._tokens, burst)

    def pause(self, seconds: float) -> None:
        """No token before `seconds` have passed: the other side said that it is too much."""
        self._refill()
        self._tokens = min(self._tokens, -seconds * self._rate_per_s)

    def _refill(self) -> None:
        now = self._clock.monotonic()
        earned = (now - self._at) * self._rate_per_s
        self._tokens = min(self._burst, self._tokens + max(0.0, earned))
        self._at = now


class RateLimit(Protocol):
    """So many requests of one key (a user, an address) in a period."""

    async def take(self, key: str) -> None:
        """Counts one request. Raises `Refused` TOO_MANY_REQUESTS with the seconds to wait."""
        ...


class MemoryRateLimit:
    """`requests` at once, then one each `period_s / requests`; one number per key is kept.

    At most `max_keys` are remembered: first those are forgotten that are idle, then the one that
    was seen longest ago.
    """

    def __init__(
        self, clock: Clock, *, requests: int, period_s: float, max_keys: int = 100_000
    ) -> None:
        self._clock = clock
        self._pace_s = period_s / requests
        self._period_s = period_s
        self._max_keys = max_keys
        # When the key's bucket is full again; the one touched last is at the end.
        self._full_at: OrderedDict[str, float] = OrderedDict()

    async def take(self, key: str) -> None:
        now = self._clock.monotonic()
        full_at = max(self._full_at.get(key, now), now)
        # Rounding: 600 paces of 0.1 s are a hair more than 60 s.
        over_s = full_at + self._pace_s - now - self._period_s
        if over_s > 1e-9 * self._period_s:
            self._full_at.move_to_end(key)
            raise too_many(over_s)
        self._full_at[key] = full_at + self._pace_s
        self._full_at.move_to_end(key)
        self._forget(now)

    def _forget(self, now: float) -> None:
        # Two looks per request keep up with one new key per request.
        for _ in range(2):
            oldest = next(iter(self._full_at))
            if self._full_at[oldest] > now and len(self._full_at) <= self._max_keys:
                return
            del self._full_at[oldest]
            if not self._full_at:
                return

    def __len__(self) -> int:
        return len(self._full_at)
