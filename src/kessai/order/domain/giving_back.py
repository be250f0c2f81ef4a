"""What an operator's remedy gives back: everything beyond what the order counts as its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kessai.contracts.events import again_of, refund_id
from kessai.contracts.moves import OrderReason, OrderStatus
from kessai.order.domain.news import RefundReason, RefundWanted
from kessai.order.domain.order import Decision, Order


@dataclass(frozen=True, slots=True)
class Taken:
    """A payment that came, whatever became of it since."""

    merchant_payment_id: str
    amount: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A refund that was wanted. `is_refused`: for good, so this one gives nothing back."""

    refund_id: str
    merchant_payment_id: str
    amount: int
    is_refused: bool


def own_payment(order: Order) -> str | None:
    """What settled the order; a failed order keeps nothing."""
    if order.decision is not Decision.SETTLE or order.status is OrderStatus.FAILED:
        return None
    return order.paid_attempt


def merged(ours: Iterable[Asked], theirs: Iterable[Asked]) -> list[Asked]:
    """payment-service executes, so its word on a refund counts; ours are those it never got."""
    known: dict[str, Asked] = {one.refund_id: one for one in ours}
    known |= {one.refund_id: one for one in theirs}
    return list(known.values())


def to_give_back(
    order: Order, taken: Sequence[Taken], asked: Sequence[Asked], *, own: bool
) -> list[RefundWanted]:
    """Refunds that are missing, under ids that the automatic ones have too: a race is one refund.

    `own`: what was refused of the order's own payment is asked for again as well. While it is
    not decided whether the order is paid, a payment that could still settle it is left alone.
    """
    ids = {one.refund_id for one in asked}
    left = _left(taken, asked)
    wanted: list[RefundWanted] = []
    for refund in (*_never_asked(order, taken, left), *_again(order, asked, own=own)):
        payment = refund.merchant_payment_id
        is_known = refund_id(payment, refund.key) in ids
        if is_known or not 0 < refund.amount <= left.get(payment, 0):
            continue
        left[payment] -= refund.amount
        wanted.append(refund)
    return wanted


def may_settle(order: Order, one: Taken) -> bool:
    return order.decision is Decision.OPEN and one.amount == order.amount


def _left(taken: Sequence[Taken], asked: Sequence[Asked]) -> dict[str, int]:
    """Of each payment what nobody asks back. Of one that never counted as paid (another amount
    came than was asked for) only its refunds tell how much it was."""
    came: dict[str, int] = {}
    for refund in asked:
        payment = refund.merchant_payment_id
        came[payment] = max(came.get(payment, 0), refund.amount)
    came |= {one.merchant_payment_id: one.amount for one in taken}
    for refund in asked:
        if not refund.is_refused:
            came[refund.merchant_payment_id] -= refund.amount
    return came


def _never_asked(
    order: Order, taken: Sequence[Taken], left: Mapping[str, int]
) -> list[RefundWanted]:
    own = own_payment(order)
    return [
        RefundWanted(
            one.merchant_payment_id,
            left[one.merchant_payment_id],
            _reason(order, one.merchant_payment_id),
        )
        for one in taken
        if one.merchant_payment_id != own and not may_settle(order, one)
    ]


def _again(order: Order, asked: Sequence[Asked], *, own: bool) -> list[RefundWanted]:
    """Each refused refund once more, under an id of its own that only follows from it."""
    kept = None if own else own_payment(order)
    return [
        RefundWanted(
            one.merchant_payment_id,
            one.amount,
            RefundReason.OPERATOR,
            again_of(one.refund_id),
        )
        for one in asked
        if one.is_refused and one.merchant_payment_id != kept
    ]


def _reason(order: Order, payment: str) -> RefundReason:
    """As the news of the payment, or the end of its saga, would have it."""
    if payment == order.paid_attempt and order.reason is OrderReason.OUT_OF_STOCK_AFTER_PAYMENT:
        return RefundReason.OUT_OF_STOCK_AFTER_PAYMENT
    if order.decision is Decision.SETTLE:
        return RefundReason.DUPLICATE_PAYMENT
    return RefundReason.LATE_SUCCESS
