"""Our clock beside the provider's: it refuses what is signed two minutes off."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from kessai.contracts.paypay import MAX_SKEW_S
from kessai.kernel.actuator import Degraded
from kessai.kernel.clock import Clock, to_ms
from kessai.kernel.errors import JsonValue
from kessai.kernel.telemetry import get_log

# An answer that took longer says too little about when its `Date` was written.
SLOWEST_S = 5.0
_log = get_log("kessai.paypay")


class ClockSkew:
    """From the `Date` of the latest answer: `skew_s` is above zero when our clock is ahead."""

    def __init__(self, clock: Clock, *, alarm_s: float) -> None:
        self._clock = clock
        self._alarm_s = alarm_s
        self._latest = ""
        self._latest_ms: int | None = None
        self.skew_s = 0.0

    @property
    def is_off(self) -> bool:
        return abs(self.skew_s) > self._alarm_s

    def heard(self, date: str | None, took_s: float) -> None:
        """`took_s` by the monotonic clock, which no correction of the time moves."""
        if date is None or took_s > SLOWEST_S:
            return
        if date != self._latest:
            self._latest, self._latest_ms = date, _read(date)
        if self._latest_ms is None:
            return
        was_off = self.is_off
        # `Date` has whole seconds, and was written at some time of the exchange.
        got_ms = self._clock.now_ms()
        ahead_ms = got_ms - round(took_s * 1000) - (self._latest_ms + 999)
        behind_ms = self._latest_ms - got_ms
        self.skew_s = max(0, ahead_ms) / 1000 - max(0, behind_ms) / 1000
        if self.is_off is not was_off:
            _log.warning("paypay.clock_skew", skew_s=self.skew_s, is_off=self.is_off)

    async def check(self) -> Mapping[str, JsonValue]:
        """For the health: told before PayPay begins to refuse."""
        details = {
            "skewSeconds": round(self.skew_s, 3),
            "alarmSeconds": self._alarm_s,
            "refusedFromSeconds": MAX_SKEW_S,
        }
        if self.is_off:
            raise Degraded(details)
        return details


def _read(date: str) -> int | None:
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, TypeError):
        return None
    # A zone of "-0000" gives a time without one.
    return to_ms(moment) if moment.tzinfo is not None else None
