"""The events that payments known by asking imply, with the ids that the bus would bring."""

from __future__ import annotations

from kessai.contracts.events import (
    PaymentEvent,
    PaymentExpired,
    PaymentFailed,
    PaymentSucceeded,
    RefundCompleted,
    payment_event_id,
)
from kessai.contracts.moves import AttemptStatus, RefundStatus
from kessai.contracts.payment import Attempt, Payments

_SUCCEEDED = frozenset({AttemptStatus.SUCCEEDED, AttemptStatus.REFUNDING, AttemptStatus.REFUNDED})


def events_of(payments: Payments) -> tuple[PaymentEvent, ...]:
    """Ends of attempts in their order, then refunds that are through."""
    ends = tuple(event for attempt in payments.attempts if (event := _end_of(attempt)))
    providers = {one.merchant_payment_id: one.provider for one in payments.attempts}
    refunds = tuple(
        RefundCompleted(
            event_id=payment_event_id(
                refund.merchant_payment_id, "RefundCompleted", refund.refund_id
            ),
            occurred_at=refund.completed_at or refund.requested_at,
            order_id=refund.order_id,
            merchant_payment_id=refund.merchant_payment_id,
            provider=providers.get(refund.merchant_payment_id, "PayPay"),
            amount=refund.amount,
            refund_id=refund.refund_id,
        )
        for refund in payments.refunds
        if refund.status is RefundStatus.COMPLETED
    )
    return ends + refunds


def _end_of(attempt: Attempt) -> PaymentEvent | None:
    if attempt.status in _SUCCEEDED:
        return PaymentSucceeded.model_validate(
            {
                **_common(attempt, "PaymentSucceeded"),
                "captured_at": attempt.completed_at,
                "channel": attempt.channel,
            }
        )
    if attempt.status is AttemptStatus.FAILED:
        return PaymentFailed.model_validate(_common(attempt, "PaymentFailed"))
    if attempt.status is AttemptStatus.EXPIRED:
        return PaymentExpired.model_validate(_common(attempt, "PaymentExpired"))
    return None


def _common(attempt: Attempt, kind: str) -> dict[str, object]:
    return {
        "event_id": payment_event_id(attempt.merchant_payment_id, kind),
        "occurred_at": attempt.completed_at or attempt.requested_at,
        "order_id": attempt.order_id,
        "payment_id": attempt.payment_id,
        "merchant_payment_id": attempt.merchant_payment_id,
        "provider": attempt.provider,
        "amount": attempt.amount,
    }
