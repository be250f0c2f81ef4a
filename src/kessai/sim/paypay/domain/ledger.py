"""The book as money: what was captured, what went back, what the merchant keeps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kessai.contracts.paypay import ProviderStatus, RefundState
from kessai.sim.paypay.domain.book import Payment


@dataclass(frozen=True, slots=True)
class Entry:
    """`reference`: the merchantPaymentId of a capture or reversal, else the merchantRefundId."""

    merchant_payment_id: str
    payment_id: str
    reference: str
    amount_yen: int
    at_ms: int
    state: str


@dataclass(frozen=True, slots=True)
class Ledger:
    """Refunds count as soon as they are accepted, because they cannot fail any more."""

    captures: tuple[Entry, ...]
    reversals: tuple[Entry, ...]
    refunds: tuple[Entry, ...]

    @property
    def captured_yen(self) -> int:
        return sum(entry.amount_yen for entry in self.captures)

    @property
    def reversed_yen(self) -> int:
        return sum(entry.amount_yen for entry in self.reversals)

    @property
    def refunded_yen(self) -> int:
        return sum(entry.amount_yen for entry in self.refunds)

    @property
    def net_yen(self) -> int:
        return self.captured_yen - self.reversed_yen - self.refunded_yen


def ledger_of(payments: Iterable[Payment], *, now_ms: int) -> Ledger:
    captures: list[Entry] = []
    reversals: list[Entry] = []
    refunds: list[Entry] = []
    for payment in payments:
        if payment.paid_at_ms is None or payment.paid_at_ms > now_ms:
            continue
        own_id, came_yen = payment.merchant_payment_id, payment.captured_yen
        captures.append(_entry(payment, own_id, came_yen, payment.paid_at_ms, "DONE"))
        if payment.reversed_at_ms is not None and payment.reversed_at_ms <= now_ms:
            reversals.append(_entry(payment, own_id, came_yen, payment.reversed_at_ms, "DONE"))
        for refund in payment.refunds:
            state: RefundState = refund.state_at(now_ms)
            refunds.append(
                _entry(
                    payment, refund.merchant_refund_id, refund.amount_yen, refund.asked_at_ms, state
                )
            )
    return Ledger(tuple(captures), tuple(reversals), tuple(refunds))


def _entry(payment: Payment, reference: str, amount_yen: int, at_ms: int, state: str) -> Entry:
    return Entry(
        payment.merchant_payment_id, payment.payment_id or "", reference, amount_yen, at_ms, state
    )


OPENING_BALANCE_YEN = 50_000
CHARGE_YEN = 20_000


def wallet_balance_yen(page_payments: Iterable[Payment], charged_yen: int, *, now_ms: int) -> int:
    """Of the wallet behind the payment page: what it paid or has in reserve left it."""
    spent = sum(
        _spent_yen(payment, now_ms) for payment in page_payments if payment.paid_by == "page"
    )
    return OPENING_BALANCE_YEN + charged_yen - spent


def _spent_yen(payment: Payment, now_ms: int) -> int:
    status = payment.status_at(now_ms)
    if status in (ProviderStatus.AUTHORIZED, ProviderStatus.REAUTHORIZING):
        return payment.held_yen(now_ms)
    if status not in (ProviderStatus.COMPLETED, ProviderStatus.REFUNDED):
        return 0
    settled = (r for r in payment.refunds if r.state_at(now_ms) is RefundState.REFUNDED)
    return payment.captured_yen - sum(refund.amount_yen for refund in settled)
