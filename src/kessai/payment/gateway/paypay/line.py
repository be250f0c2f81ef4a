"""The line to PayPay: each request signed, within rate, bulkhead and circuit."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from kessai.contracts import paypay
from kessai.kernel.breaker import CircuitBreaker, CircuitOpen
from kessai.kernel.chance import Chance
from kessai.kernel.clock import Clock
from kessai.kernel.crash_points import reached
from kessai.kernel.errors import Refused, Unknown
from kessai.kernel.http import Answer, Http
from kessai.kernel.limits import TokenBucket
from kessai.payment.application.ports import NOT_SENT
from kessai.payment.gateway.paypay.key import KeyAccepted
from kessai.payment.gateway.paypay.limits import (
    CREATE,
    OPERATIONS,
    Bulkhead,
    Lane,
    LaneFull,
    Operation,
    PayPayLimits,
)
from kessai.payment.gateway.paypay.meters import Meters
from kessai.payment.gateway.paypay.skew import ClockSkew

CONTENT_TYPE: Final = "application/json;charset=UTF-8"
# 429 without a Retry-After: pauses double up to this.
_FIRST_PAUSE_S: Final = 1.0
_MAX_PAUSE_S: Final = 8.0
# A customer's own request waits at most so long for such a pause to end.
_FOREGROUND_WAIT_S: Final = 2.0
_AHEAD_S: Final = 2.0
# Five look-ups at 50 a second that come back together are written together.
_STEP_S: Final = 0.1


class Line:
    """Create never waits for the rate, everything else does."""

    def __init__(
        self,
        http: Http,
        clock: Clock,
        chance: Chance,
        *,
        base_url: str,
        credentials: paypay.Credentials,
        limits: PayPayLimits,
        meters: Meters,
    ) -> None:
        self._http = http
        self._clock = clock
        self._chance = chance
        self._base_url = base_url.rstrip("/")
        self._credentials = credentials
        self._limits = limits
        self._rate_per_s = limits.rate_per_s
        self._meters = meters
        self._rate = TokenBucket(
            clock,
            rate_per_s=limits.rate_per_s,
            burst=limits.rate_per_s,
            max_wait_s=limits.max_wait_s,
            step_s=_STEP_S,
        )
        self._breakers = {
            one.name: CircuitBreaker(clock, name=f"paypay.{one.name}") for one in OPERATIONS
        }
        self._bulkheads = {lane: Bulkhead(lane, limits.at_once(lane)) for lane in Lane}
        self.skew = ClockSkew(clock, alarm_s=limits.skew_alarm_s)
        self.key = KeyAccepted(clock)
        self._paused_until_s = 0.0
        self._pause_s = _FIRST_PAUSE_S
        meters.watch(self._breakers, self._bulkheads, self.skew)

    def share_among(self, processes: int) -> None:
        """The rate is the merchant's, and so many processes ask under it."""
        self._rate_per_s = self._limits.rate_per_s / max(1, processes)
        self._rate.set_rate(self._rate_per_s, max(1.0, self._rate_per_s))

    async def send(
        self,
        operation: Operation,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        query: str = "",
        urgent: bool = False,
        leaves_by_ms: int | None = None,
    ) -> Answer:
        """Any answer but 429 and 5xx. Raises `Unknown`, with NOT_SENT where nothing left."""
        await self._wait_for_rate(operation, urgent=urgent)
        started_s, outcome = self._clock.monotonic(), "cancelled"
        try:
            with self._bulkheads[operation.lane].place():
                answer = await self._breakers[operation.name].call(
                    lambda: self._ask(operation, method, path, query, body, leaves_by_ms)
                )
            outcome = str(answer.status)
        except Unknown as unknown:
            outcome = unknown.code
            if isinstance(unknown, CircuitOpen | LaneFull):
                reason = "circuit" if isinstance(unknown, CircuitOpen) else "bulkhead"
                self._meters.held_back(operation.name, reason)
            raise
        finally:
            self._meters.asked(operation.name, outcome, self._clock.monotonic() - started_s)
        if answer.status == 429:
            self._slow_down(answer)
        self.key.heard(answer)
        self._pause_s = _FIRST_PAUSE_S
        return answer

    async def _ask(
        self,
        operation: Operation,
        method: str,
        path: str,
        query: str,
        body: bytes,
        leaves_by_ms: int | None,
    ) -> Answer:
        if leaves_by_ms is not None and self._clock.now_ms() > leaves_by_ms:
            raise Unknown(NOT_SENT, "it is too late to send it")
        sent_s = self._clock.monotonic()
        reached(f"provider:{operation.name}:before")
        answer = await self._http.send(
            method,
            f"{self._base_url}{path}{query}",
            headers=self._headers(method, path, body),
            body=body or None,
            timeout_s=self._limits.timeout_of(operation),
        )
        reached(f"provider:{operation.name}:after")
        self.skew.heard(answer.headers.get("Date"), self._clock.monotonic() - sent_s)
        if answer.status >= 500:
            # A 5xx may come after the effect, so it proves nothing.
            raise Unknown("PROVIDER_ERROR", f"status {answer.status}")
        return answer

    def _headers(self, method: str, path: str, body: bytes) -> Mapping[str, str]:
        content_type = CONTENT_TYPE if body else ""
        signed = paypay.Signed(method, path, content_type, body)
        headers = {
            "Authorization": paypay.authorization(
                self._credentials,
                signed,
                nonce=self._chance.token_bytes(4).hex(),
                epoch_s=self._clock.now_ms() // 1000,
            ),
            paypay.MERCHANT_HEADER: self._credentials.merchant_id,
        }
        if body:
            headers["Content-Type"] = content_type
        return headers

    async def _wait_for_rate(self, operation: Operation, *, urgent: bool) -> None:
        started_s = self._clock.monotonic()
        try:
            if operation is CREATE:
                await self._customer_waits()
            else:
                await self._wait_its_turn(urgent=urgent)
        except Refused as full:
            self._meters.held_back(operation.name, "rate")
            raise Unknown(NOT_SENT, "the rate budget is used up") from full
        self._meters.waited(operation.name, self._clock.monotonic() - started_s)

    async def _customer_waits(self) -> None:
        """It counts against the rate, but a customer does not queue behind look-ups."""
        self._rate.try_take()
        paused_s = self._paused_until_s - self._clock.monotonic()
        if paused_s > 0:
            await asyncio.sleep(min(paused_s, _FOREGROUND_WAIT_S))

    async def _wait_its_turn(self, *, urgent: bool) -> None:
        # What was announced goes before what is only watched, but a flood of webhooks, which
        # anybody on the allow list can send, must not become a flood of look-ups.
        is_paused = self._clock.monotonic() < self._paused_until_s
        debt = _AHEAD_S * self._rate_per_s
        if not (urgent and not is_paused and self._rate.take_ahead(debt=debt)):
            await self._rate.take()

    def _slow_down(self, answer: Answer) -> None:
        wait_s = _retry_after_s(answer) or self._pause_s
        self._pause_s = min(_MAX_PAUSE_S, self._pause_s * 2)
        self._rate.pause(wait_s)
        self._paused_until_s = self._clock.monotonic() + wait_s
        raise Unknown("RATE_LIMIT", "the provider asks for a pause")


def _retry_after_s(answer: Answer) -> float | None:
    text = answer.headers.get("Retry-After", "")
    return min(60.0, float(text)) if text.isascii() and text.isdigit() else None
