"""One payment in the book: dated facts, from which its status at any moment follows.

What takes effect later (a cancel, a refund) is written at once with its future date, so time alone
moves the status: no timer, and a look into the past is the same function of an earlier moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Final, Literal

from kessai.contracts.paypay import CreateCode, ProviderStatus, RefundAsked, RefundState
from kessai.kernel.errors import IllegalMove
from kessai.sim.paypay.domain import results
from kessai.sim.paypay.domain.results import TurnedDown

Payer = Literal["page", "api"]

# Every move there is for a payment without authorisation (paypay.md, section 1.3).
MOVES: Final[Mapping[ProviderStatus, frozenset[ProviderStatus]]] = {
    ProviderStatus.CREATED: frozenset({ProviderStatus.COMPLETED, ProviderStatus.FAILED}),
    ProviderStatus.COMPLETED: frozenset({ProviderStatus.REFUNDED, ProviderStatus.FAILED}),
    ProviderStatus.REFUNDED: frozenset(),
    ProviderStatus.FAILED: frozenset(),
}

_JST: Final = timezone(timedelta(hours=9))
# A payment can be cancelled until 00:14:59 of the next day in Japan.
_CANCEL_UNTIL: Final = timedelta(days=1, minutes=15)


@dataclass(frozen=True, slots=True)
class Refund:
    """`settles_at_ms`: until then it is CREATED, from then on REFUNDED."""

    merchant_refund_id: str
    amount_yen: int
    asked_at_ms: int
    settles_at_ms: int
    requested_at_s: int
    reason: str | None = None

    def state_at(self, at_ms: int) -> RefundState:
        return RefundState.REFUNDED if at_ms >= self.settles_at_ms else RefundState.CREATED


@dataclass(frozen=True, slots=True)
class Payment:
    """`reversed_at_ms`: a cancel that won sends the money back then. Ids of PayPay's come late."""

    asked: CreateCode
    code_id: str
    created_at_ms: int
    expires_at_s: int
    deleted_at_ms: int | None = None
    payment_id: str | None = None
    paid_at_ms: int | None = None
    paid_by: Payer | None = None
    declined_at_ms: int | None = None
    cancel_asked_at_ms: int | None = None
    reversed_at_ms: int | None = None
    refunds: tuple[Refund, ...] = ()

    @property
    def merchant_payment_id(self) -> str:
        return self.asked.merchant_payment_id

    @property
    def amount_yen(self) -> int:
        return self.asked.amount.amount

    @property
    def refunded_yen(self) -> int:
        return sum(refund.amount_yen for refund in self.refunds)

    def status_at(self, at_ms: int) -> ProviderStatus:
        if _by(self.declined_at_ms, at_ms) or _by(self.reversed_at_ms, at_ms):
            return ProviderStatus.FAILED
        if any(_by(refund.settles_at_ms, at_ms) for refund in self.refunds):
            return ProviderStatus.REFUNDED
        if _by(self.paid_at_ms, at_ms):
            return ProviderStatus.COMPLETED
        return ProviderStatus.CREATED

    def is_expired(self, at_ms: int) -> bool:
        """From the very second of `expires_at_s` on; a paid code does not expire."""
        return self.paid_at_ms is None and at_ms >= self.expires_at_s * 1000

    def is_payable(self, at_ms: int) -> bool:
        return (
            self.status_at(at_ms) is ProviderStatus.CREATED
            and self.deleted_at_ms is None
            and not self.is_expired(at_ms)
        )

    def refund_of(self, merchant_refund_id: str) -> Refund | None:
        return next((r for r in self.refunds if r.merchant_refund_id == merchant_refund_id), None)


def _by(moment_ms: int | None, at_ms: int) -> bool:
    return moment_ms is not None and moment_ms <= at_ms


def create(asked: CreateCode, code_id: str, *, now_ms: int, lifetime_s: int) -> Payment:
    if asked.is_authorization:
        raise TurnedDown(results.PRE_AUTH_UNSUPPORTED)
    return Payment(asked, code_id, now_ms, now_ms // 1000 + lifetime_s)


def pay(
    payment: Payment, payment_id: str, *, by: Payer, now_ms: int, cancel_delay_ms: int
) -> Payment:
    """Raises `IllegalMove`. After a cancel the money comes, and soon goes back (paypay.md, 4.4)."""
    _require_payable(payment, now_ms)
    cancelled = payment.cancel_asked_at_ms is not None
    return replace(
        payment,
        payment_id=payment_id,
        paid_at_ms=now_ms,
        paid_by=by,
        reversed_at_ms=now_ms + cancel_delay_ms if cancelled else None,
    )


def decline(payment: Payment, payment_id: str, *, now_ms: int) -> Payment:
    _require_payable(payment, now_ms)
    return replace(payment, payment_id=payment_id, declined_at_ms=now_ms)


def expire(payment: Payment, *, now_ms: int) -> Payment:
    """The code's time is up now. Changes nothing where it is up already; raises `IllegalMove`."""
    if payment.status_at(now_ms) is not ProviderStatus.CREATED:
        raise IllegalMove(f"the payment is {payment.status_at(now_ms)}")
    return payment if payment.is_expired(now_ms) else replace(payment, expires_at_s=now_ms // 1000)


def _require_payable(payment: Payment, now_ms: int) -> None:
    if payment.is_payable(now_ms):
        return
    status = payment.status_at(now_ms)
    if status is not ProviderStatus.CREATED:
        raise IllegalMove(f"the payment is {status}")
    raise IllegalMove("the code was deleted" if payment.deleted_at_ms else "the code has expired")


def delete(payment: Payment, *, now_ms: int) -> Payment:
    if payment.paid_at_ms is not None:
        raise TurnedDown(results.ALREADY_PAID)
    if not payment.is_payable(now_ms):
        raise TurnedDown(results.NO_CODE)
    return replace(payment, deleted_at_ms=now_ms)


def cancel(payment: Payment, *, now_ms: int, delay_ms: int) -> Payment:
    """Accepted, also before payment: it takes effect later. A repeat changes nothing."""
    if payment.cancel_asked_at_ms is not None:
        return payment
    if payment.refunds or not _is_cancellable(payment.paid_at_ms, now_ms):
        raise TurnedDown(results.NOT_REVERSIBLE)
    takes_effect = payment.paid_at_ms is not None
    return replace(
        payment,
        cancel_asked_at_ms=now_ms,
        reversed_at_ms=now_ms + delay_ms if takes_effect else None,
    )


def _is_cancellable(paid_at_ms: int | None, now_ms: int) -> bool:
    if paid_at_ms is None:
        return True
    midnight = datetime.fromtimestamp(paid_at_ms / 1000, UTC).astimezone(_JST)
    midnight = midnight.replace(hour=0, minute=0, second=0, microsecond=0)
    return now_ms < (midnight + _CANCEL_UNTIL).timestamp() * 1000


def refund(
    payment: Payment, asked: RefundAsked, *, now_ms: int, delay_ms: int, several: bool
) -> Payment:
    """The same refund id is the same refund, whatever else it says."""
    if payment.refund_of(asked.merchant_refund_id) is not None:
        return payment
    if payment.paid_at_ms is None or payment.reversed_at_ms is not None:
        raise TurnedDown(results.NOT_REFUNDABLE)
    if payment.refunds and not several:
        raise TurnedDown(results.NO_SECOND_REFUND)
    if payment.refunded_yen + asked.amount.amount > payment.amount_yen:
        raise TurnedDown(results.WRONG_REFUND_AMOUNT)
    more = Refund(
        merchant_refund_id=asked.merchant_refund_id,
        amount_yen=asked.amount.amount,
        asked_at_ms=now_ms,
        settles_at_ms=now_ms + delay_ms,
        requested_at_s=asked.requested_at,
        reason=asked.reason,
    )
    return replace(payment, refunds=(*payment.refunds, more))
