"""Tells when a code's time is up. The book itself needs no timer for that."""

from __future__ import annotations

import asyncio
import heapq
from typing import Final

from kessai.kernel.clock import Clock
from kessai.sim.paypay.application.book import Book
from kessai.sim.paypay.application.happenings import Happenings
from kessai.sim.paypay.domain.book import Payment

_EVERY_S: Final = 1.0


class Expiry:
    def __init__(self, book: Book, happenings: Happenings, clock: Clock) -> None:
        self._book = book
        self._happenings = happenings
        self._clock = clock
        self._due: list[tuple[int, str]] = []

    def watch(self, payment: Payment) -> None:
        heapq.heappush(self._due, (payment.expires_at_s, payment.merchant_payment_id))

    async def run(self) -> None:
        """A loop for the supervisor."""
        while True:
            self.look()
            await asyncio.sleep(_EVERY_S)

    def look(self) -> None:
        now_ms = self._clock.now_ms()
        while self._due and self._due[0][0] * 1000 <= now_ms:
            expires_at_s, name = heapq.heappop(self._due)
            payment = self._book.get(name)
            if (
                payment is not None
                and payment.expires_at_s == expires_at_s
                and payment.deleted_at_ms is None
                and payment.payment_id is None
            ):
                lifetime_s = expires_at_s - payment.created_at_ms // 1000
                self._happenings.tell("code.expired", name, f"{lifetime_s} s")

    def clear(self) -> None:
        self._due.clear()
