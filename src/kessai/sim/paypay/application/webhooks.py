"""Webhooks: told once and unsigned, retried within milliseconds, then never again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Final, Literal

from kessai.kernel.errors import NotFound
from kessai.sim.paypay.application.book import Book
from kessai.sim.paypay.application.faults import FaultBox
from kessai.sim.paypay.application.happenings import Happenings
from kessai.sim.paypay.application.ports import Courier
from kessai.sim.paypay.domain.book import Payment
from kessai.sim.paypay.domain.notice import corrupted, notice_of

State = Literal["COMPLETED", "FAILED"]
Spawn = Callable[[str, Coroutine[None, None, None]], object]

MAX_WAITING: Final = 20_000
MAX_AT_ONCE: Final = 100
# One that is held back lets the next one pass, or goes after this time when none comes.
HELD_BACK_S: Final = 2.0
_SEPARATOR: Final = "."


@dataclass(frozen=True, slots=True)
class Retries:
    """`count` after the first try, each `pause_s` after the last one failed."""

    count: int
    pause_s: float


# The stored page of the provider lost the labels of its rows, so both are on offer.
RETRIES: Final = {"3x100": Retries(3, 0.1), "10x500": Retries(10, 0.5)}


@dataclass(frozen=True, slots=True)
class Letter:
    """`id` is `<merchantPaymentId>.<STATE>`: from the book, so it outlives this process."""

    id: str
    merchant_payment_id: str
    state: State
    body: bytes


class Webhooks:
    def __init__(
        self,
        book: Book,
        faults: FaultBox,
        courier: Courier,
        happenings: Happenings,
        *,
        spawn: Spawn,
        merchant_id: str,
    ) -> None:
        self._book = book
        self._faults = faults
        self._courier = courier
        self._happenings = happenings
        self._spawn = spawn
        self._merchant_id = merchant_id
        self._waiting = 0
        self._at_once = asyncio.Semaphore(MAX_AT_ONCE)
        self._held: list[asyncio.Event] = []
        self._era = 0

    def announce(self, payment: Payment, state: State) -> None:
        """Returns at once. Faults decide what becomes of it."""
        name = payment.merchant_payment_id
        plan = self._faults.webhook(name, state)
        if plan.dropped:
            return
        body = notice_of(
            payment, state, self._merchant_id, more_yen=100 if plan.wrong_amount else 0
        )
        letter = Letter(
            name + _SEPARATOR + state, name, state, corrupted(body) if plan.corrupt else body
        )
        passing = self._held_pop() if self._held else None
        for copy, delay_ms in enumerate(plan.delays_ms):
            held = asyncio.Event() if plan.held_back and copy == 0 and not passing else None
            if held:
                self._held.append(held)
            self._send_later(letter, delay_ms, held=held, then=passing if copy == 0 else None)

    def resend(self, webhook_id: str) -> Letter:
        """Once more, as it truly was, without faults. Raises `NotFound`."""
        name, _, state = webhook_id.rpartition(_SEPARATOR)
        payment = self._book.get(name)
        if payment is not None and state == "COMPLETED" and payment.paid_at_ms is not None:
            letter = self._letter(payment, "COMPLETED")
        elif payment is not None and state == "FAILED" and payment.declined_at_ms is not None:
            letter = self._letter(payment, "FAILED")
        else:
            raise NotFound(f"no webhook {webhook_id!r} was ever due")
        self._send_later(letter, 0)
        return letter

    def clear(self) -> None:
        """What is on its way is forgotten."""
        self._era += 1
        while self._held:
            self._held_pop().set()

    def _letter(self, payment: Payment, state: State) -> Letter:
        name = payment.merchant_payment_id
        body = notice_of(payment, state, self._merchant_id)
        return Letter(name + _SEPARATOR + state, name, state, body)

    def _held_pop(self) -> asyncio.Event:
        return self._held.pop(0)

    def _send_later(
        self,
        letter: Letter,
        delay_ms: int,
        *,
        held: asyncio.Event | None = None,
        then: asyncio.Event | None = None,
    ) -> None:
        if self._waiting >= MAX_WAITING:
            self._happenings.tell("webhook.overflow", letter.merchant_payment_id, letter.id)
            return
        self._waiting += 1
        self._spawn(f"webhook:{letter.id}", self._send(letter, delay_ms, held, then, self._era))

    async def _send(
        self,
        letter: Letter,
        delay_ms: int,
        held: asyncio.Event | None,
        then: asyncio.Event | None,
        era: int,
    ) -> None:
        try:
            if delay_ms:
                await asyncio.sleep(delay_ms / 1000)
            if held:
                await self._let_another_pass(held)
            if era != self._era:
                return
            async with self._at_once:
                await self._deliver(letter, era)
        finally:
            self._waiting -= 1
            if then:
                then.set()

    async def _let_another_pass(self, held: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(HELD_BACK_S):
                await held.wait()
        except TimeoutError:
            if held in self._held:
                self._held.remove(held)

    async def _deliver(self, letter: Letter, era: int) -> None:
        name = letter.merchant_payment_id
        if self._faults.has_blackout():
            self._faults.note("webhooks", "blackout", name, letter.state)
            return
        retries = RETRIES[self._faults.faults.behaviour.webhook_retries]
        for number in range(1 + retries.count):
            if number:
                await asyncio.sleep(retries.pause_s)
            if era != self._era:
                return
            if await self._courier.deliver(letter.body):
                self._happenings.tell("webhook.sent", name, letter.id)
                return
            self._happenings.tell("webhook.failed", name, f"{letter.id} try {number + 1}")
        self._happenings.tell("webhook.gaveUp", name, letter.id)
