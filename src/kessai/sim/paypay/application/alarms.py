"""Tells when a time is up: of a code, an authorisation, a question to the customer.

The book itself needs no timer for that; only what PayPay tells then does.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterator
from contextlib import suppress
from typing import Final, Literal

from kessai.contracts.paypay import ProviderStatus
from kessai.kernel.clock import Clock
from kessai.sim.paypay.application.book import Book
from kessai.sim.paypay.application.happenings import Happenings
from kessai.sim.paypay.application.webhooks import Webhooks
from kessai.sim.paypay.domain.book import Hold, Payment, Taking
from kessai.sim.paypay.domain.table import told_of

# The machine's clock may be set, so no sleep is longer.
_LONGEST_S: Final = 60.0
Kind = Literal["code", "authorisation", "ask", "capture"]
Alarm = tuple[int, str, Kind]


class Alarms:
    def __init__(
        self, book: Book, webhooks: Webhooks, happenings: Happenings, clock: Clock
    ) -> None:
        self._book = book
        self._webhooks = webhooks
        self._happenings = happenings
        self._clock = clock
        self._due: list[Alarm] = []
        self._set: dict[Alarm, None] = {}
        self._sooner = asyncio.Event()

    def watch(self, payment: Payment, *, only_future: bool = False) -> None:
        """To be called after every change; the same moment counts once."""
        now_ms = self._clock.now_ms()
        for alarm in _moments(payment):
            if alarm not in self._set and not (only_future and alarm[0] <= now_ms):
                self._set[alarm] = None
                heapq.heappush(self._due, alarm)
                if self._due[0] == alarm:
                    self._sooner.set()

    async def run(self) -> None:
        """A loop for the supervisor."""
        while True:
            self.look()
            self._sooner.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._next_s()):
                    await self._sooner.wait()

    def _next_s(self) -> float:
        if not self._due:
            return _LONGEST_S
        return min(_LONGEST_S, max(0.001, (self._due[0][0] - self._clock.now_ms()) / 1000))

    def look(self) -> None:
        now_ms = self._clock.now_ms()
        while self._due and self._due[0][0] <= now_ms:
            alarm = heapq.heappop(self._due)
            del self._set[alarm]
            payment = self._book.get(alarm[1])
            # What changed since has another moment, or none.
            if payment is not None and alarm in tuple(_moments(payment)):
                self._ring(payment, alarm)

    def clear(self) -> None:
        self._due.clear()
        self._set.clear()

    def _ring(self, payment: Payment, alarm: Alarm) -> None:
        at_ms, name, kind = alarm
        if kind == "code":
            lifetime_s = payment.expires_at_s - payment.created_at_ms // 1000
            self._happenings.tell("code.expired", name, f"{lifetime_s} s")
        elif kind == "authorisation" and payment.status_at(at_ms) is ProviderStatus.EXPIRED:
            self._happenings.tell("payment.expired", name, "")
            self._webhooks.announce(payment, told_of(payment.flow, "expire"))
        elif kind == "ask" and payment.status_at(at_ms - 1) is ProviderStatus.AUTHORIZED:
            self._happenings.tell("confirmation.expired", name, "")
            wish = payment.open_ask(at_ms - 1)
            request_id = _request_id(wish) if wish else None
            self._webhooks.announce(payment, "CONFIRMATION_EXPIRED", request_id=request_id)
        elif kind == "capture":
            self._happenings.tell("payment.captured", name, f"¥{payment.captured_yen:,}")
            self._webhooks.announce(payment, told_of(payment.flow, "capture"))


def _moments(payment: Payment) -> Iterator[Alarm]:
    name = payment.merchant_payment_id
    if payment.payment_id is None:
        if payment.deleted_at_ms is None:
            yield payment.expires_at_s * 1000, name, "code"
        return
    if payment.authorized_until_ms is None:
        return
    yield payment.authorized_until_ms, name, "authorisation"
    taking = payment.takings[-1] if payment.takings else None
    hold = payment.holds[-1] if payment.holds else None
    for wish in (taking, hold):
        if wish and wish.ask and wish.ask.agreed_at_ms is None and wish.ask.refused_at_ms is None:
            yield wish.ask.until_ms, name, "ask"
    if taking and taking.ask and taking.taken_at_ms is not None:
        yield taking.taken_at_ms, name, "capture"


def _request_id(wish: Hold | Taking) -> str | None:
    return wish.request_id if isinstance(wish, Hold) else wish.merchant_capture_id
