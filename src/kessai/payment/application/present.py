"""What the others see: attempts and refunds as contract models, changes as events."""

from __future__ import annotations

from typing import Any

from kessai.contracts.events import (
    PaymentAttemptChanged,
    PaymentEvent,
    PaymentExpired,
    PaymentFailed,
    PaymentSucceeded,
    RefundCompleted,
    Signal,
    payment_event_id,
)
from kessai.contracts.moves import AttemptStatus
from kessai.contracts.payment import Attempt, ProviderError, Refund
from kessai.kernel.clock import wire
from kessai.kernel.ids import content_id
from kessai.payment.application.file_ports import AnnouncedFile, FileStatus
from kessai.payment.application.reconcile_ports import Run, Stored
from kessai.payment.domain.attempt import PaymentAttempt
from kessai.payment.domain.refund import RefundOrder

SERVICE = "payment-service"
_FILE_SIGNALS = {
    FileStatus.REFUSED: ("SettlementFileRefused", "OPERATOR"),
    FileStatus.BROKEN: ("SettlementFileBroken", "NEW_FILE"),
    FileStatus.LOST: ("SettlementFileLost", "NEW_FILE"),
}
_RUN_FACTS = ("missing_here", "missing_there", "differing", "duplicates", "broken", "matched")
_DIFFERENCE_FACTS = (
    "row",
    "merchant_payment_id",
    "payment_id",
    "refund_id",
    "order_id",
    "theirs",
    "ours",
    "amount_yen",
)


def attempt_view(attempt: PaymentAttempt, channel: str | None = None) -> Attempt:
    error = None
    if attempt.error_code is not None:
        error = ProviderError(code=attempt.error_code, message=attempt.error_message or "")
    return Attempt(
        order_id=attempt.order_id,
        merchant_payment_id=attempt.id,
        number=attempt.number,
        provider=attempt.provider,
        status=attempt.status,
        provider_status=attempt.provider_status,
        payment_id=attempt.payment_id,
        amount=attempt.amount_yen,
        url=attempt.url,
        deeplink=attempt.deeplink,
        expires_at=_time(attempt.expires_at_ms),
        requested_at=wire(attempt.requested_at_ms),
        completed_at=_time(attempt.completed_at_ms),
        error=error,
        version=attempt.version,
        channel=channel,
    )


def refund_view(refund: RefundOrder) -> Refund:
    return Refund(
        refund_id=refund.id,
        order_id=refund.order_id,
        merchant_payment_id=refund.merchant_payment_id,
        amount=refund.amount_yen,
        reason=refund.reason,
        status=refund.status,
        requested_at=wire(refund.requested_at_ms),
        completed_at=_time(refund.completed_at_ms),
    )


def change_event(
    before: PaymentAttempt, after: PaymentAttempt, now_ms: int, channel: str | None = None
) -> PaymentEvent | None:
    """What others must hear of the change; None for steps of a refund, which tell themselves.

    `channel` is who proved a success.
    """
    if after.status in (AttemptStatus.REFUNDING, AttemptStatus.REFUNDED):
        return None
    common: dict[str, Any] = {
        "occurred_at": wire(now_ms),
        "order_id": after.order_id,
        "payment_id": after.payment_id,
        "merchant_payment_id": after.id,
        "provider": after.provider,
        "amount": after.amount_yen,
    }
    if before.status is not after.status:
        match after.status:
            case AttemptStatus.SUCCEEDED:
                common |= {
                    "amount": after.captured_yen,
                    "captured_at": _time(after.completed_at_ms),
                    "channel": channel,
                }
                event_id = payment_event_id(after.id, "PaymentSucceeded")
                return PaymentSucceeded(event_id=event_id, **common)
            case AttemptStatus.FAILED:
                event_id = payment_event_id(after.id, "PaymentFailed")
                return PaymentFailed(event_id=event_id, **common)
            case AttemptStatus.EXPIRED:
                event_id = payment_event_id(after.id, "PaymentExpired")
                return PaymentExpired(event_id=event_id, **common)
    event_id = payment_event_id(after.id, "PaymentAttemptChanged", str(after.version))
    return PaymentAttemptChanged(
        event_id=event_id, status=after.status, version=after.version, **common
    )


def refund_event(refund: RefundOrder, now_ms: int) -> RefundCompleted:
    return RefundCompleted(
        event_id=payment_event_id(refund.merchant_payment_id, "RefundCompleted", refund.id),
        occurred_at=wire(now_ms),
        order_id=refund.order_id,
        payment_id=refund.payment_id,
        merchant_payment_id=refund.merchant_payment_id,
        provider=refund.provider,
        amount=refund.amount_yen,
        refund_id=refund.id,
    )


def signal(name: str, order_id: str, subject: str, now_ms: int, **facts: str | int) -> Signal:
    """The same fact about the same subject is the same signal."""
    return Signal(
        event_id=content_id("signal", name, subject),
        occurred_at=wire(now_ms),
        signal=name,
        source=SERVICE,
        order_id=order_id,
        facts={"subject": subject, **facts},
    )


def settlement_signal(run: Run, stored: Stored | None, now_ms: int) -> Signal:
    """A difference between the provider's file and our books; without one, how many there are.

    Its id comes from the day and what differs, so that another file of the day repeats it.
    """
    facts: dict[str, str | int]
    if stored is None:
        subject = run.id
        facts = {name: getattr(run, name) for name in _RUN_FACTS}
    else:
        subject, one = stored.key, stored.difference
        facts = {"kind": one.kind, "what": one.what, "remedy": one.remedy}
        facts |= {
            name: value for name in _DIFFERENCE_FACTS if (value := getattr(one, name)) is not None
        }
    name = "SettlementDifference"
    return Signal(
        event_id=content_id("signal", name, subject),
        occurred_at=wire(now_ms),
        signal=name,
        source=SERVICE,
        facts={"subject": subject, "day": run.day, "run": run.id, **facts},
    )


def agreement_signal(run: Run, subject: str, now_ms: int) -> Signal:
    """What an earlier file of the day differed in, this one does not."""
    name = "SettlementAgrees"
    return Signal(
        event_id=content_id("signal", name, subject, run.id),
        occurred_at=wire(now_ms),
        signal=name,
        source=SERVICE,
        facts={"subject": subject, "day": run.day, "run": run.id},
    )


def file_signal(
    file: AnnouncedFile, status: FileStatus, why: str, link: str, now_ms: int
) -> Signal:
    """A file that will not be reconciled unless somebody acts; `link` without its secret."""
    name, remedy = _FILE_SIGNALS[status]
    return Signal(
        event_id=content_id("signal", name, file.id, str(file.link_ends_at_ms)),
        occurred_at=wire(now_ms),
        signal=name,
        source=SERVICE,
        facts={
            "subject": file.id,
            "why": why,
            "remedy": remedy,
            "link": link,
            "tries": file.tries,
            "received_at": wire(file.received_at_ms),
            "link_ends_at": wire(file.link_ends_at_ms),
        },
    )


def _time(ms: int | None) -> str | None:
    return wire(ms) if ms is not None else None
