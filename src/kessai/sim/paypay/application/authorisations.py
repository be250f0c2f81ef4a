"""The merchant's side of an authorisation: capture, another amount, giving it back."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from kessai.contracts.paypay import CaptureAsked, ReauthorizeAsked, RevertAsked
from kessai.kernel.clock import Clock
from kessai.sim.paypay.application.alarms import Alarms
from kessai.sim.paypay.application.book import Book
from kessai.sim.paypay.application.faults import FaultBox
from kessai.sim.paypay.application.happenings import Happenings
from kessai.sim.paypay.application.webhooks import Webhooks
from kessai.sim.paypay.domain import authorisation as moves
from kessai.sim.paypay.domain import results
from kessai.sim.paypay.domain.book import Payment
from kessai.sim.paypay.domain.results import TurnedDown
from kessai.sim.paypay.domain.table import told_of


class Authorisations:
    """Every refusal is a `TurnedDown` with the published result."""

    def __init__(
        self,
        book: Book,
        faults: FaultBox,
        alarms: Alarms,
        webhooks: Webhooks,
        happenings: Happenings,
        *,
        clock: Clock,
    ) -> None:
        self._book = book
        self._faults = faults
        self._alarms = alarms
        self._webhooks = webhooks
        self._happenings = happenings
        self._clock = clock

    async def capture(self, asked: CaptureAsked) -> Payment:
        """Without a `paid_at_ms` it waits for the customer."""
        found = self._book.get(asked.merchant_payment_id)
        payment = await self._changed(found, partial(moves.capture, asked=asked))
        name = payment.merchant_payment_id
        if payment.paid_at_ms is None:
            self._happenings.tell("confirmation.asked", name, f"¥{asked.amount.amount:,}")
        else:
            self._happenings.tell("payment.captured", name, f"¥{payment.captured_yen:,}")
            self._webhooks.announce(payment, told_of(payment.flow, "capture"))
        return payment

    async def reauthorize(self, asked: ReauthorizeAsked) -> Payment:
        """While its last hold is not valid yet, it waits for the customer."""
        found = self._book.by_payment_id(asked.payment_id)
        payment = await self._changed(found, partial(moves.reauthorize, asked=asked))
        name, amount = payment.merchant_payment_id, f"¥{asked.updated_amount.amount:,}"
        if payment.holds[-1].since_ms is None:
            self._happenings.tell("confirmation.asked", name, amount)
        else:
            self._happenings.tell("payment.reauthorized", name, amount)
            told = told_of(payment.flow, "reauthorize")
            self._webhooks.announce(payment, told, request_id=asked.request_id)
        return payment

    async def revert(self, asked: RevertAsked) -> Payment:
        found = self._book.by_payment_id(asked.payment_id)
        payment = await self._changed(found, partial(moves.revert, asked=asked))
        self._happenings.tell("payment.reverted", payment.merchant_payment_id, "")
        self._webhooks.announce(payment, told_of(payment.flow, "revert"))
        return payment

    async def _changed(self, found: Payment | None, move: Callable[..., Payment]) -> Payment:
        if found is None:
            raise TurnedDown(results.NO_PAYMENT)
        rules, now_ms = self._faults.faults.behaviour, self._clock.now_ms()
        _, after = await self._book.change(
            found.merchant_payment_id, partial(move, now_ms=now_ms, rules=rules)
        )
        self._alarms.watch(after)
        return after
