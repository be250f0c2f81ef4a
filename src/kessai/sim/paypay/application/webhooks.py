"""Webhooks: told once and unsigned, retried within milliseconds, then never again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Final

from kessai.kernel.errors import NotFound
from kessai.sim.paypay.application.book import Book
from kessai.sim.paypay.application.faults import FaultBox
from kessai.sim.paypay.application.happenings import Happenings
from kessai.sim.paypay.application.letters import Letter, letter_id, told_long_ago
from kessai.sim.paypay.application.ports import Courier
from kessai.sim.paypay.domain.book import Payment
from kessai.sim.paypay.domain.notice import body_of, notice_of
from kessai.sim.paypay.domain.plans import WebhookPlan, hits
from kessai.sim.paypay.domain.table import Told

Sending = list["asyncio.Task[None]"]
Spawn = Callable[[str, Coroutine[None, None, None]], "asyncio.Task[None]"]

MAX_WAITING: Final = 20_000
MAX_AT_ONCE: Final = 100
# One that is held back lets the next one pass, or goes after this time when none comes.
HELD_BACK_S: Final = 2.0
# How far back an old capture is looked for.
REMEMBERED: Final = 100
# An address of the range for documents: nobody's.
FORGED_SOURCE: Final = "203.0.113.66"


@dataclass(frozen=True, slots=True)
class Retries:
    """`count` after the first try, each `pause_s` after the last one failed."""

    count: int
    pause_s: float


# The stored page of the provider lost the labels of its rows, so both are on offer.
RETRIES: Final = {"3x100": Retries(3, 0.1), "10x500": Retries(10, 0.5)}


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

    def announce(
        self, payment: Payment, told: Told | None, *, request_id: str | None = None
    ) -> Sending:
        """Returns at once what is on its way. Faults decide what becomes of it."""
        if told is None:
            return []
        plan = self._faults.webhook(payment.merchant_payment_id, told, request_id)
        if plan.dropped:
            return []
        letter = self._letter(payment, told, request_id, plan)
        sending: Sending = []
        if plan.replay:
            self._send_later(self._replayed(payment, letter), 0, sending)
        passing = self._held_pop() if self._held else None
        for copy, delay_ms in enumerate(plan.delays_ms):
            held = asyncio.Event() if plan.held_back and copy == 0 and not passing else None
            if held:
                self._held.append(held)
            then = passing if copy == 0 else None
            self._send_later(letter, delay_ms, sending, held=held, then=then)
        return sending

    def _replayed(self, payment: Payment, letter: Letter) -> Letter:
        """The oldest capture that is remembered, word for word; else this one once more."""
        for old in reversed(self._book.newest(REMEMBERED)):
            if old.paid_at_ms is not None and old is not payment:
                return self._letter(old, "COMPLETED", None, WebhookPlan())
        return letter

    def forge(self, payment: Payment) -> None:
        """A stranger says that the code was paid."""
        name = payment.merchant_payment_id
        faults = self._faults.faults
        if not hits(faults, faults.webhooks.forged, "forged", name, "webhook"):
            return
        self._faults.note("webhooks", "forged", name, FORGED_SOURCE)
        lie = replace(payment, payment_id="04630000000000000000", paid_at_ms=payment.created_at_ms)
        letter = self._letter(lie, "COMPLETED", None, WebhookPlan())
        self._send_later(replace(letter, source=FORGED_SOURCE), 0, [])

    def resend(self, webhook_id: str) -> Letter:
        """Once more, as it truly was, without faults. Raises `NotFound`."""
        name, _, rest = webhook_id.partition(".")
        payment = self._book.get(name)
        told = told_long_ago(payment, rest) if payment else None
        if payment is None or told is None:
            raise NotFound(f"no webhook {webhook_id!r} was ever due")
        letter = self._letter(payment, told[0], told[1], WebhookPlan())
        self._send_later(letter, 0, [])
        return letter

    def file_created(self, day: str, body: bytes) -> None:
        """Announces a day's file; faults leave it alone."""
        self._send_later(Letter(f"file.{day}", "", "FILE", body), 0, [])

    def clear(self) -> None:
        """What is on its way is forgotten."""
        self._era += 1
        while self._held:
            self._held_pop().set()

    def _letter(
        self, payment: Payment, told: Told, request_id: str | None, plan: WebhookPlan
    ) -> Letter:
        name = payment.merchant_payment_id
        fields = notice_of(
            payment,
            told,
            self._merchant_id,
            request_id=request_id,
            order_id=self._faults.faults.behaviour.authorized_order_id,
        )
        return Letter(
            letter_id(name, told, request_id),
            name,
            fields["state"] or "",
            body_of(fields, plan),
            is_cut=plan.cut_mid_body,
        )

    def _held_pop(self) -> asyncio.Event:
        return self._held.pop(0)

    def _send_later(
        self,
        letter: Letter,
        delay_ms: int,
        sending: Sending,
        *,
        held: asyncio.Event | None = None,
        then: asyncio.Event | None = None,
    ) -> None:
        if self._waiting >= MAX_WAITING:
            self._happenings.tell("webhook.overflow", letter.merchant_payment_id, letter.id)
            return
        self._waiting += 1
        sending.append(
            self._spawn(f"webhook:{letter.id}", self._send(letter, delay_ms, held, then, self._era))
        )

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
            if await self._courier.deliver(letter.body, cut=letter.is_cut, source=letter.source):
                self._happenings.tell("webhook.sent", name, letter.id)
                return
            self._happenings.tell("webhook.failed", name, f"{letter.id} try {number + 1}")
        self._happenings.tell("webhook.gaveUp", name, letter.id)
