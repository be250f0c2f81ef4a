"""What the news of a payment means for an order; old news never overwrites newer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from kessai.contracts.moves import ATTEMPT_MOVES, AttemptStatus, Method, OrderReason, OrderStatus
from kessai.kernel.errors import JsonValue
from kessai.order.domain.order import (
    OPEN_STATUSES,
    Change,
    Closing,
    Decision,
    FactKind,
    Order,
    PaymentView,
    RefundNote,
    decide,
)

_TOLD: Mapping[AttemptStatus, str] = {
    AttemptStatus.AWAITING: "CODE_CREATED",
    AttemptStatus.UNKNOWN: "PAYMENT_UNKNOWN",
    AttemptStatus.SUCCEEDED: "PAYMENT_SUCCEEDED",
    AttemptStatus.FAILED: "PAYMENT_FAILED",
    AttemptStatus.EXPIRED: "PAYMENT_EXPIRED",
    AttemptStatus.CANCELLED: "CODE_CLOSED",
}


class RefundReason(StrEnum):
    """Why money goes back; the refund's id is made of the payment and this."""

    LATE_SUCCESS = "LATE_SUCCESS"
    DUPLICATE_PAYMENT = "DUPLICATE_PAYMENT"
    OUT_OF_STOCK_AFTER_PAYMENT = "OUT_OF_STOCK_AFTER_PAYMENT"
    CUSTOMER = "CUSTOMER"
    OPERATOR = "OPERATOR"


@dataclass(frozen=True, slots=True)
class Success:
    """`captured_at_ms` is the provider's time, None where the money never left the house."""

    merchant_payment_id: str
    event_id: str
    payment_id: str | None
    amount: int
    at_ms: int
    captured_at_ms: int | None = None
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class RefundWanted:
    """`request_id` tells the refunds of operators apart; every other reason is there once."""

    merchant_payment_id: str
    amount: int
    reason: RefundReason
    request_id: str | None = None

    @property
    def key(self) -> str:
        return self.reason if self.request_id is None else f"{self.reason}:{self.request_id}"


@dataclass(frozen=True, slots=True)
class SignalWanted:
    signal: str
    facts: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a success leads to; at most one of `settle` and `refund`."""

    change: Change
    settle: bool = False
    refund: RefundWanted | None = None
    signal: SignalWanted | None = None


def attempt_number(merchant_payment_id: str) -> int:
    """The n of `<orderId>-<n>`; 0 for an id of another shape."""
    _, _, number = merchant_payment_id.rpartition("-")
    return int(number) if number.isdecimal() else 0


def on_success(order: Order, news: Success) -> Verdict:
    """Settles an open order once; every other success is given back."""
    change = Change.of(order).put(payment_last_event_id=news.event_id)
    paid: dict[str, JsonValue] = {
        "merchantPaymentId": news.merchant_payment_id,
        "amount": news.amount,
    }
    if news.amount != order.amount:
        facts = {**paid, "expectedAmount": order.amount}
        change = change.note(FactKind.PAYMENT, "AMOUNT_DIFFERS", facts)
        return Verdict(change, signal=SignalWanted("AmountDiffers", facts))
    if order.decision is Decision.OPEN and order.status in OPEN_STATUSES:
        return _settle(change, news)
    if news.merchant_payment_id == order.paid_attempt:
        return Verdict(change)
    reason = RefundReason.LATE_SUCCESS
    if order.decision is Decision.SETTLE:
        reason = RefundReason.DUPLICATE_PAYMENT
    change = change.note(FactKind.PAYMENT, reason.value, paid)
    change = _shown(change, _succeeded(order.payment, news))
    return Verdict(change, refund=RefundWanted(news.merchant_payment_id, news.amount, reason))


def _settle(change: Change, news: Success) -> Verdict:
    order = change.after
    decided = decide(order, Decision.SETTLE)
    change = replace(change, after=decided.after, facts=(*change.facts, *decided.facts))
    change = _shown(change, _succeeded(order.payment, news), always=True)
    change = change.put(
        paid_attempt=news.merchant_payment_id,
        settling_since_ms=news.captured_at_ms,
        settling_channel=news.channel,
    )
    # The wallet's saga confirms the stock itself; it only has to learn nothing new here.
    return Verdict(change, settle=order.method is Method.PAYPAY)


def _succeeded(view: PaymentView, news: Success) -> PaymentView:
    number = attempt_number(news.merchant_payment_id)
    base = view if number == view.number else PaymentView(number=number)
    return replace(
        base,
        status=AttemptStatus.SUCCEEDED,
        provider_status="COMPLETED",
        payment_id=news.payment_id or base.payment_id,
        completed_at_ms=news.at_ms,
        error_code=None,
        error_message=None,
    )


def on_view(order: Order, news: PaymentView) -> Change:
    """News of an attempt that is no success: it changes what is shown and never the order."""
    change = Change.of(order)
    if order.paid_attempt is None:
        return _shown(change, news)
    if news.number != attempt_number(order.paid_attempt):
        return change
    if news.status is AttemptStatus.FAILED:
        told: dict[str, JsonValue] = {"attempt": news.number}
        return change.note(FactKind.PAYMENT, "FAILURE_AFTER_SUCCESS", told)
    return _shown(change, news)


def _shown(change: Change, news: PaymentView, *, always: bool = False) -> Change:
    """The change with the news in view, if they are newer than what is shown."""
    seen = change.after.payment
    if not (always or is_newer(seen, news)) or news == seen:
        return change
    merged = _merged(seen, news)
    if merged == seen:
        return change
    change = change.put(payment=merged)
    told = _TOLD.get(merged.status) if merged.status else None
    if told is None or (seen.status is merged.status and seen.number == merged.number):
        return change
    values: dict[str, JsonValue] = {"attempt": merged.number}
    if merged.error_code:
        values["error"] = merged.error_code
    return change.note(FactKind.PAYMENT, told, values)


def _merged(seen: PaymentView, news: PaymentView) -> PaymentView:
    """News without details (an event) keep the details that are known of the same attempt."""
    if seen.number != news.number:
        return news
    return replace(
        news,
        version=max(seen.version, news.version),
        provider_status=news.provider_status or seen.provider_status,
        payment_id=news.payment_id or seen.payment_id,
        url=news.url or seen.url,
        deeplink=news.deeplink or seen.deeplink,
        expires_at_ms=news.expires_at_ms or seen.expires_at_ms,
        requested_at_ms=news.requested_at_ms or seen.requested_at_ms,
        completed_at_ms=news.completed_at_ms or seen.completed_at_ms,
    )


def is_newer(seen: PaymentView, news: PaymentView) -> bool:
    """By attempt, then by version; where a version is missing (0), by what can still follow."""
    if seen.number != news.number:
        return news.number > seen.number
    if seen.version and news.version and news.version < seen.version:
        return False
    if seen.status is None or news.status is None or seen.status is news.status:
        return True
    return news.status in _after(seen.status)


def _after(status: AttemptStatus) -> frozenset[AttemptStatus]:
    """Every status that can still be reached."""
    found: dict[AttemptStatus, None] = {}
    queue = [status]
    while queue:
        for following in sorted(ATTEMPT_MOVES[queue.pop()]):
            if following not in found:
                found[following] = None
                queue.append(following)
    return frozenset(found)


def mark_waiting(order: Order, attempt: PaymentView | None) -> Change:
    """The code is there: WAITING_PAYMENT, unless the order went on without this answer."""
    change = Change.of(order) if attempt is None else on_view(order, attempt)
    if order.status is not OrderStatus.PENDING:
        return change
    change = replace(
        change,
        facts=(*Change.of(order).note(FactKind.STOCK, "STOCK_RESERVED").facts, *change.facts),
    )
    return change.to(OrderStatus.WAITING_PAYMENT)


def left_to_refund_yen(order: Order, asked_yen: int) -> int:
    """Of the settling payment; `asked_yen` was asked back before, done or under way."""
    return order.amount - max(order.refunded_amount, asked_yen)


def ask_refund(order: Order, wanted: RefundWanted, now_ms: int, asked_yen: int = 0) -> Change:
    """The refund is on its way; PAID moves to REFUNDING when it gives the whole amount back."""
    values: dict[str, JsonValue] = {"amount": wanted.amount, "reason": wanted.reason}
    change = Change.of(order).note(FactKind.REFUND, "REFUND_REQUESTED", values)
    note = RefundNote(wanted.amount, "REQUESTED", wanted.reason, now_ms)
    change = change.put(refund=note)
    whole = wanted.amount >= left_to_refund_yen(order, asked_yen)
    if order.status is OrderStatus.PAID and wanted.merchant_payment_id == order.paid_attempt:
        return change.to(OrderStatus.REFUNDING) if whole else change
    return change


def on_refund(order: Order, merchant_payment_id: str, amount: int, at_ms: int) -> Change:
    """Money came back. Only what comes back of the settling payment counts for the status."""
    values: dict[str, JsonValue] = {"amount": amount, "merchantPaymentId": merchant_payment_id}
    change = Change.of(order).note(FactKind.REFUND, "REFUND_COMPLETED", values)
    reason = order.refund.reason if order.refund else "OTHER"
    change = change.put(refund=RefundNote(amount, "COMPLETED", reason, at_ms))
    if merchant_payment_id != order.paid_attempt:
        return change
    change = change.put(refunded_amount=order.refunded_amount + amount)
    if change.after.refunded_amount < order.amount:
        return change
    if order.status is OrderStatus.PAID:
        change = change.to(OrderStatus.REFUNDING)
    if change.after.status is OrderStatus.REFUNDING:
        change = change.to(OrderStatus.REFUNDED)
    return change


def refund_refused(order: Order, code: str, now_ms: int) -> Change:
    """The payment cannot be given back: a person has to look (the signal says so)."""
    amount, reason = (order.refund.amount, order.refund.reason) if order.refund else (0, "OTHER")
    change = Change.of(order).put(refund=RefundNote(amount, "REJECTED", reason, now_ms))
    return change.note(FactKind.REFUND, "REFUND_REFUSED", {"code": code})


def failure_reason(
    order: Order, *, stock: str | None, hold: str | None, payment: str | None
) -> OrderReason:
    """Why the order fails, by the refusals that its steps met; `stock` came first."""
    if stock == "RESERVATION_RELEASED" or payment == "ORDER_CLOSED":
        return closing_reason(order, None)
    if stock is not None:
        return OrderReason.OUT_OF_STOCK
    return OrderReason.PAYMENT_DECLINED if hold else OrderReason.PAYMENT_UNAVAILABLE


def closing_reason(order: Order, last_attempt: OrderReason | None) -> OrderReason:
    """The customer's own cancel, else the last attempt's reason, else what never came to be."""
    if order.closing is Closing.CUSTOMER:
        return OrderReason.CANCELLED
    if last_attempt is not None and last_attempt is not OrderReason.CANCELLED:
        return last_attempt
    if order.status is OrderStatus.PENDING:
        return OrderReason.PAYMENT_UNAVAILABLE
    return OrderReason.PAYMENT_EXPIRED


def settle_with(order: Order, merchant_payment_id: str, news: PaymentView) -> Change:
    """The wallet's saga recorded the payment: SETTLE, unless FAIL was taken before."""
    change = decide(order, Decision.SETTLE)
    if change.after.decision is not Decision.SETTLE or order.paid_attempt is not None:
        return change
    return _shown(change, news, always=True).put(paid_attempt=merchant_payment_id)
