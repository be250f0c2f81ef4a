"""From rows to what the contracts promise, and from payment-service's attempts to our view."""

from __future__ import annotations

from pydantic import TypeAdapter

from kessai.contracts.moves import AttemptStatus, OrderStatus
from kessai.contracts.order import Order as OrderView
from kessai.contracts.order import (
    OrderItem,
    OrderSummary,
    RefundView,
    ShippingAddress,
    TimelineEntry,
)
from kessai.contracts.payment import Attempt, ProviderError
from kessai.kernel.clock import parse_wire, to_ms, wire
from kessai.kernel.money import tax_included_yen
from kessai.order.domain.order import Order, PaymentView, Policy, actions, order_number

_ITEMS: TypeAdapter[tuple[OrderItem, ...]] = TypeAdapter(tuple[OrderItem, ...])
_TIMELINE: TypeAdapter[tuple[TimelineEntry, ...]] = TypeAdapter(tuple[TimelineEntry, ...])
_ENDED_BADLY = frozenset({AttemptStatus.FAILED, AttemptStatus.EXPIRED})
_SUMMARY_ITEMS = 3


def order_view(order: Order, policy: Policy, now_ms: int) -> OrderView:
    payment = order.payment
    return OrderView(
        order_id=order.order_id,
        order_number=order_number(order.order_id),
        user_id=order.user_id,
        created_at=wire(order.created_at_ms),
        method=order.method,
        amount=order.amount,
        tax_yen=tax_included_yen(order.amount),
        status=order.status,
        reason=order.reason,
        view_version=order.view_version,
        payment_status=payment.status,
        paypay_status=payment.provider_status,
        payment_id=payment.payment_id,
        payment_last_event_id=order.payment_last_event_id,
        payment_url=payment.url,
        deeplink=payment.deeplink,
        payment_expires_at=_wire(payment.expires_at_ms),
        payment_requested_at=_wire(payment.requested_at_ms),
        payment_completed_at=_wire(payment.completed_at_ms),
        hold_until=wire(order.hold_until_ms),
        paypay_error=_error(order),
        items=_ITEMS.validate_json(order.items),
        shipping_address=(
            ShippingAddress.model_validate_json(order.shipping) if order.shipping else None
        ),
        timeline=_TIMELINE.validate_json(order.timeline),
        refund=_refund(order),
        actions=actions(order, policy, now_ms),
    )


def order_summary(order: Order) -> OrderSummary:
    items = _ITEMS.validate_json(order.items)
    return OrderSummary(
        order_id=order.order_id,
        order_number=order_number(order.order_id),
        created_at=wire(order.created_at_ms),
        amount=order.amount,
        status=order.status,
        reason=order.reason,
        payment_status=order.payment.status,
        items=items[:_SUMMARY_ITEMS],
        item_count=len(items),
    )


def items_text(items: tuple[OrderItem, ...]) -> str:
    return _ITEMS.dump_json(items, by_alias=True).decode()


def payment_view(attempt: Attempt) -> PaymentView:
    return PaymentView(
        number=attempt.number,
        version=attempt.version,
        status=attempt.status,
        provider_status=attempt.provider_status,
        payment_id=attempt.payment_id,
        url=attempt.url,
        deeplink=attempt.deeplink,
        expires_at_ms=ms(attempt.expires_at),
        requested_at_ms=ms(attempt.requested_at),
        completed_at_ms=ms(attempt.completed_at),
        error_code=attempt.error.code if attempt.error else None,
        error_message=attempt.error.message if attempt.error else None,
    )


def ms(text: str | None) -> int | None:
    return None if text is None else to_ms(parse_wire(text))


def _wire(moment_ms: int | None) -> str | None:
    return None if moment_ms is None else wire(moment_ms)


def _error(order: Order) -> ProviderError | None:
    """There whenever the last attempt or the order failed or expired."""
    payment = order.payment
    if payment.status in _ENDED_BADLY:
        code = payment.error_code or f"PAYMENT_{payment.status}"
        return ProviderError(code=code, message=payment.error_message or code)
    if order.status is OrderStatus.FAILED:
        code = payment.error_code or order.reason or "FAILED"
        return ProviderError(code=code, message=payment.error_message or code)
    return None


def _refund(order: Order) -> RefundView | None:
    note = order.refund
    if note is None:
        return None
    return RefundView(
        amount=note.amount, status=note.status, reason=note.reason, at=wire(note.at_ms)
    )
