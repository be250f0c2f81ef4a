"""The merchant's side: what PayPay's API does to the book."""

from __future__ import annotations

from functools import partial

from kessai.contracts.paypay import CreateCode, ProviderStatus, RefundAsked
from kessai.kernel.chance import Chance
from kessai.kernel.clock import Clock
from kessai.sim.paypay.application.alarms import Alarms
from kessai.sim.paypay.application.book import Book
from kessai.sim.paypay.application.customer import Customer
from kessai.sim.paypay.application.faults import FaultBox
from kessai.sim.paypay.application.happenings import Happenings
from kessai.sim.paypay.domain import moves, results
from kessai.sim.paypay.domain.book import Payment, Refund
from kessai.sim.paypay.domain.results import TurnedDown

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


class Merchant:
    """Every refusal is a `TurnedDown` with the published result."""

    def __init__(
        self,
        book: Book,
        faults: FaultBox,
        alarms: Alarms,
        customer: Customer,
        happenings: Happenings,
        *,
        clock: Clock,
        chance: Chance,
    ) -> None:
        self._book = book
        self._faults = faults
        self._alarms = alarms
        self._customer = customer
        self._happenings = happenings
        self._clock = clock
        self._chance = chance

    async def create_code(self, asked: CreateCode) -> Payment:
        faults = self._faults.faults
        wanted = moves.create(
            asked,
            self._new_code_id(),
            now_ms=self._clock.now_ms(),
            lifetime_s=faults.code_lifetime_s,
            rules=faults.behaviour,
        )
        payment = await self._book.add(wanted)
        if payment is wanted:
            self._alarms.watch(payment)
            self._happenings.tell("code.created", asked.merchant_payment_id, payment.code_id)
            await self._customer.hurry(payment)
        elif faults.behaviour.duplicate_id == "error":
            raise TurnedDown(results.DUPLICATE_CODE)
        return payment

    async def delete_code(self, code_id: str) -> None:
        found = self._book.by_code(code_id)
        if found is None:
            raise TurnedDown(results.NO_CODE)
        rules = self._faults.faults.behaviour
        move = partial(moves.delete, now_ms=self._clock.now_ms(), rules=rules)
        await self._book.change(found.merchant_payment_id, move)
        self._happenings.tell("code.deleted", found.merchant_payment_id, code_id)

    async def code_payment(self, merchant_payment_id: str, *, at_ms: int) -> Payment:
        """Also while it is unpaid; what is shown of an ended code is PayPay's to choose."""
        payment = self._book.get(merchant_payment_id)
        if payment is None:
            raise TurnedDown(results.NO_CODE_PAYMENT)
        unpaid = payment.status_at(at_ms) is ProviderStatus.CREATED
        ended = unpaid and not payment.is_payable(at_ms)
        if ended and self._faults.faults.behaviour.expired_code == "notFound":
            raise TurnedDown(results.NO_CODE_PAYMENT)
        return payment

    async def payment(self, merchant_payment_id: str, *, at_ms: int) -> Payment:
        """An unpaid code is no payment yet."""
        payment = self._book.get(merchant_payment_id)
        if payment is None or payment.status_at(at_ms) is ProviderStatus.CREATED:
            raise TurnedDown(results.NO_PAYMENT)
        return payment

    async def cancel(self, merchant_payment_id: str) -> None:
        if self._book.get(merchant_payment_id) is None:
            raise TurnedDown(results.NO_PAYMENT)
        move = partial(
            moves.cancel,
            now_ms=self._clock.now_ms(),
            rules=self._faults.faults.behaviour,
        )
        before, after = await self._book.change(merchant_payment_id, move)
        if after is not before:
            self._happenings.tell("payment.cancelAsked", merchant_payment_id, "")

    async def refund(self, asked: RefundAsked) -> tuple[Payment, Refund]:
        found = self._book.by_payment_id(asked.payment_id)
        if found is None and self._book.get(asked.payment_id) is not None:
            # What PayPay answers to those who send their own id instead of PayPay's.
            raise TurnedDown(results.INTERNAL_ERROR)
        if found is None:
            raise TurnedDown(results.NO_PAYMENT)
        move = partial(
            moves.refund,
            asked=asked,
            now_ms=self._clock.now_ms(),
            rules=self._faults.faults.behaviour,
        )
        before, after = await self._book.change(found.merchant_payment_id, move)
        if after is not before:
            self._happenings.tell(
                "refund.accepted", found.merchant_payment_id, f"¥{asked.amount.amount:,}"
            )
        refund = after.refund_of(asked.merchant_refund_id)
        assert refund is not None
        return after, refund

    async def get_refund(
        self, merchant_refund_id: str, payment_id: str | None
    ) -> tuple[Payment, Refund]:
        """`payment_id` is required by the documents and left out by the SDKs."""
        rules = self._faults.faults.behaviour
        if not payment_id and rules.refund_payment_id == "required":
            raise TurnedDown(results.MISSING_PARAMS)
        payment = (
            self._book.by_payment_id(payment_id)
            if payment_id
            else self._book.by_refund(merchant_refund_id)
        )
        refund = payment.refund_of(merchant_refund_id) if payment else None
        if payment is None or refund is None:
            raise TurnedDown(results.NO_REFUND)
        moves.require_kept(payment, now_ms=self._clock.now_ms(), rules=rules)
        return payment, refund

    def subject_of_code(self, code_id: str) -> str:
        """The merchantPaymentId by which faults are scoped; the id itself where there is none."""
        payment = self._book.by_code(code_id)
        return payment.merchant_payment_id if payment else code_id

    def subject_of_payment(self, payment_id: str) -> str:
        payment = self._book.by_payment_id(payment_id)
        return payment.merchant_payment_id if payment else payment_id

    def subject_of_refund(self, merchant_refund_id: str) -> str:
        payment = self._book.by_refund(merchant_refund_id)
        return payment.merchant_payment_id if payment else merchant_refund_id

    def _new_code_id(self) -> str:
        """`04-` and sixteen letters or digits."""
        chance = self._chance.token_bytes(16)
        return "04-" + "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in chance)
