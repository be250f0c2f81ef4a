"""The customer's side: the wallet behind the payment page, and paying by remote control."""

from __future__ import annotations

from functools import partial

from kessai.kernel.chance import Chance
from kessai.kernel.clock import Clock
from kessai.kernel.errors import NotFound, Refused
from kessai.sim.paypay.application.book import Book
from kessai.sim.paypay.application.expiry import Expiry
from kessai.sim.paypay.application.faults import FaultBox
from kessai.sim.paypay.application.happenings import Happenings
from kessai.sim.paypay.application.ports import Store
from kessai.sim.paypay.application.webhooks import Webhooks
from kessai.sim.paypay.domain import book as moves
from kessai.sim.paypay.domain.book import Payer, Payment
from kessai.sim.paypay.domain.ledger import CHARGE_YEN, wallet_balance_yen

_CHARGED = "charged_yen"


class Customer:
    """Moves that the payment's state does not allow raise `IllegalMove`, unknown ids `NotFound`."""

    def __init__(
        self,
        book: Book,
        store: Store,
        faults: FaultBox,
        webhooks: Webhooks,
        expiry: Expiry,
        happenings: Happenings,
        *,
        clock: Clock,
        chance: Chance,
    ) -> None:
        self._book = book
        self._store = store
        self._faults = faults
        self._webhooks = webhooks
        self._expiry = expiry
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
        move = partial(
            moves.pay,
            payment_id=self._new_payment_id(),
            by=by,
            now_ms=self._clock.now_ms(),
            cancel_delay_ms=self._faults.faults.behaviour.cancel_delay_ms,
        )
        _, paid = await self._book.change(merchant_payment_id, move)
        self._happenings.tell("payment.completed", merchant_payment_id, f"¥{paid.amount_yen:,}")
        self._webhooks.announce(paid, "COMPLETED")
        return paid

    async def decline(self, merchant_payment_id: str) -> Payment:
        self._known(merchant_payment_id)
        move = partial(
            moves.decline, payment_id=self._new_payment_id(), now_ms=self._clock.now_ms()
        )
        _, declined = await self._book.change(merchant_payment_id, move)
        self._happenings.tell("payment.declined", merchant_payment_id, "")
        self._webhooks.announce(declined, "FAILED")
        return declined

    async def expire(self, merchant_payment_id: str) -> Payment:
        """Nobody pays, and the time is up at once."""
        self._known(merchant_payment_id)
        move = partial(moves.expire, now_ms=self._clock.now_ms())
        before, after = await self._book.change(merchant_payment_id, move)
        if after is not before:
            self._expiry.watch(after)
            self._expiry.look()
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
