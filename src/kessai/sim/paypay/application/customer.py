"""The customer's side: the wallet behind the payment page, and paying by remote control."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import Final

from kessai.kernel.chance import Chance
from kessai.kernel.clock import Clock
from kessai.kernel.errors import NotFound, Refused
from kessai.sim.paypay.application.alarms import Alarms
from kessai.sim.paypay.application.book import Book
from kessai.sim.paypay.application.faults import FaultBox
from kessai.sim.paypay.application.happenings import Happenings
from kessai.sim.paypay.application.ports import Store
from kessai.sim.paypay.application.webhooks import Sending, Webhooks
from kessai.sim.paypay.domain import authorisation, moves
from kessai.sim.paypay.domain.book import Payer, Payment
from kessai.sim.paypay.domain.ledger import CHARGE_YEN, wallet_balance_yen
from kessai.sim.paypay.domain.plans import hits
from kessai.sim.paypay.domain.table import told_of

_CHARGED: Final = "charged_yen"
# An early webhook is not waited for any longer.
HURRY_S: Final = 5.0


class Customer:
    """Moves that the payment's state does not allow raise `IllegalMove`, unknown ids `NotFound`."""

    def __init__(
        self,
        book: Book,
        store: Store,
        faults: FaultBox,
        webhooks: Webhooks,
        alarms: Alarms,
        happenings: Happenings,
        *,
        clock: Clock,
        chance: Chance,
    ) -> None:
        self._book = book
        self._store = store
        self._faults = faults
        self._webhooks = webhooks
        self._alarms = alarms
        self._happenings = happenings
        self._clock = clock
        self._chance = chance
        self._charged_yen = 0

    async def open(self) -> None:
        self._charged_yen = int(await self._store.kept(_CHARGED) or 0)

    def clear(self) -> None:
        self._charged_yen = 0

    async def pay(self, merchant_payment_id: str, *, by: Payer) -> Payment:
        """The page pays from its wallet; by remote control there is always enough money."""
        payment = self._known(merchant_payment_id)
        if by == "page" and payment.amount_yen > self.balance_yen():
            raise Refused("NO_SUFFICIENT_FUND", "the wallet has not enough money")
        paid, _ = await self._pay(merchant_payment_id, by)
        return paid

    async def hurry(self, payment: Payment) -> None:
        """Faults around a new code: it is paid, and told, before its own answer; or a lie is told.

        Returns when the notification arrived, or should have.
        """
        name, faults = payment.merchant_payment_id, self._faults.faults
        self._webhooks.forge(payment)
        if hits(faults, faults.webhooks.early, "early", name, "webhook"):
            self._faults.note("webhooks", "early", name, "")
            # Whoever was quicker still has paid, or declined.
            with suppress(Refused):
                _, sending = await self._pay(name, "api")
                if sending:
                    await asyncio.wait(sending[:1], timeout=HURRY_S)

    async def _pay(self, name: str, by: Payer) -> tuple[Payment, Sending]:
        move = partial(
            moves.pay,
            payment_id=self._new_payment_id(),
            by=by,
            now_ms=self._clock.now_ms(),
            rules=self._faults.faults.behaviour,
        )
        _, paid = await self._book.change(name, move)
        kind = "payment.authorized" if paid.asked.is_authorization else "payment.completed"
        self._happenings.tell(kind, name, f"¥{paid.amount_yen:,}")
        self._alarms.watch(paid)
        return paid, self._webhooks.announce(paid, told_of(paid.flow, "pay"))

    async def decline(self, merchant_payment_id: str) -> Payment:
        self._known(merchant_payment_id)
        move = partial(
            moves.decline, payment_id=self._new_payment_id(), now_ms=self._clock.now_ms()
        )
        _, declined = await self._book.change(merchant_payment_id, move)
        self._happenings.tell("payment.declined", merchant_payment_id, "")
        self._webhooks.announce(declined, told_of(declined.flow, "decline"))
        return declined

    async def expire(self, merchant_payment_id: str) -> Payment:
        """The time of the code, or of the authorisation, is up at once."""
        self._known(merchant_payment_id)
        move = partial(moves.expire, now_ms=self._clock.now_ms())
        before, after = await self._book.change(merchant_payment_id, move)
        if after is not before:
            self._alarms.watch(after)
            self._alarms.look()
        return after

    async def shorten(self, merchant_payment_id: str, left_ms: int) -> Payment:
        """The authorisation will end sooner, which is told."""
        self._known(merchant_payment_id)
        now_ms = self._clock.now_ms()
        move = partial(authorisation.shorten, until_ms=now_ms + left_ms, now_ms=now_ms)
        _, after = await self._book.change(merchant_payment_id, move)
        self._alarms.watch(after)
        self._happenings.tell("authorisation.shortened", merchant_payment_id, f"{left_ms} ms")
        self._webhooks.announce(after, told_of(after.flow, "pay"))
        return after

    async def answer(self, merchant_payment_id: str, *, agrees: bool) -> Payment:
        """Yes or no to a higher amount. A capture follows a little later, a reserve at once."""
        self._known(merchant_payment_id)
        move = partial(
            authorisation.answer,
            agrees=agrees,
            now_ms=self._clock.now_ms(),
            rules=self._faults.faults.behaviour,
        )
        before, after = await self._book.change(merchant_payment_id, move)
        kind = "confirmation.agreed" if agrees else "confirmation.refused"
        self._happenings.tell(kind, merchant_payment_id, "")
        self._alarms.watch(after)
        self._alarms.look()
        if agrees and before.takings == after.takings:
            told = told_of(after.flow, "reauthorize")
            self._webhooks.announce(after, told, request_id=after.holds[-1].request_id)
        return after

    async def charge(self) -> None:
        charged_yen = self._charged_yen + CHARGE_YEN
        await self._store.keep(_CHARGED, str(charged_yen))
        self._charged_yen = charged_yen
        self._happenings.tell("wallet.charged", "", f"¥{CHARGE_YEN:,}")

    def balance_yen(self) -> int:
        return wallet_balance_yen(
            self._book.paid_by_page(), self._charged_yen, now_ms=self._clock.now_ms()
        )

    def _known(self, merchant_payment_id: str) -> Payment:
        payment = self._book.get(merchant_payment_id)
        if payment is None:
            raise NotFound(f"no payment {merchant_payment_id!r}")
        return payment

    def _new_payment_id(self) -> str:
        """Twenty digits, as PayPay's."""
        number = int.from_bytes(self._chance.token_bytes(8), "big") % 10**16
        return f"0463{number:016d}"
