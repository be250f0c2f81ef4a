"""Whether the provider accepts our key, for the health of the service."""

from __future__ import annotations

from collections.abc import Mapping

from kessai.kernel.actuator import Degraded
from kessai.kernel.clock import Clock, wire
from kessai.kernel.errors import JsonValue
from kessai.kernel.http import Answer
from kessai.kernel.telemetry import get_log
from kessai.payment.gateway.paypay.replies import INACTIVE_USER

_log = get_log("kessai.paypay")


class KeyAccepted:
    """By the latest answer. PayPay says 401 of key, clock and contract; of a customer, too."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._refused_since_ms: int | None = None

    def heard(self, answer: Answer) -> None:
        is_refused = answer.status == 401 and INACTIVE_USER.encode() not in answer.body
        since_ms = self._refused_since_ms
        if is_refused and since_ms is None:
            self._refused_since_ms = self._clock.now_ms()
        elif not is_refused and since_ms is not None:
            self._refused_since_ms = None
            _log.info("paypay.authorized", refused_since=wire(since_ms))

    async def check(self) -> Mapping[str, JsonValue]:
        """Degraded, not down: what PayPay has told us before is settled all the same."""
        if self._refused_since_ms is not None:
            raise Degraded({"refusedSince": wire(self._refused_since_ms)})
        return {}
