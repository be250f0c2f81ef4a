"""Refunds: how much may go back, and what the attempt is called meanwhile."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from kessai.contracts.moves import ATTEMPT_MOVES, REFUND_MOVES, AttemptStatus, RefundStatus, move
from kessai.contracts.payment import ProviderName
from kessai.kernel.errors import Refused
from kessai.payment.domain.attempt import CAPTURED_PHASES, PaymentAttempt

MISMATCH_REASON = "AMOUNT_MISMATCH"


@dataclass(frozen=True, slots=True)
class RefundOrder:
    """Money on its way back; `id` is the merchantRefundId, the same for every try."""

    id: str
    order_id: str
    merchant_payment_id: str
    payment_id: str | None
    provider: ProviderName
    amount_yen: int
    reason: str
    status: RefundStatus
    requested_at_ms: int
    accepted_at_ms: int | None = None
    completed_at_ms: int | None = None
    tries: int = 0
    error_code: str | None = None
    version: int = 1


def check_refund(attempt: PaymentAttempt, refunds: Collection[RefundOrder], amount: int) -> None:
    """Raises `Refused` when nothing was captured, or when more would go back than came."""
    if attempt.captured_yen == 0:
        raise Refused("ILLEGAL_STATE", f"nothing is captured of {attempt.id}")
    free_yen = attempt.captured_yen - sum(
        one.amount_yen for one in refunds if one.status is not RefundStatus.REJECTED
    )
    if amount > free_yen:
        raise Refused("REFUND_EXCEEDS_CAPTURE", facts={"amount": amount, "free": free_yen})


def moved(refund: RefundOrder, to: RefundStatus, at_ms: int) -> RefundOrder:
    """One step of the refund; raises `IllegalMove`."""
    accepted_at_ms = refund.accepted_at_ms or (at_ms if to is not RefundStatus.REJECTED else None)
    return replace(
        refund,
        status=move(REFUND_MOVES, refund.status, to),
        accepted_at_ms=accepted_at_ms,
        completed_at_ms=at_ms if to is RefundStatus.COMPLETED else None,
        version=refund.version + 1,
    )


def after_refunds(attempt: PaymentAttempt, refunds: Collection[RefundOrder]) -> PaymentAttempt:
    """REFUNDING once the whole amount is asked back, REFUNDED once it is back; else unchanged."""
    if attempt.status not in CAPTURED_PHASES:
        return attempt
    asked = sum(one.amount_yen for one in refunds if one.status is not RefundStatus.REJECTED)
    back = sum(one.amount_yen for one in refunds if one.status is RefundStatus.COMPLETED)
    status = attempt.status
    if status is AttemptStatus.SUCCEEDED and asked >= attempt.captured_yen:
        status = move(ATTEMPT_MOVES, status, AttemptStatus.REFUNDING)
    if status is AttemptStatus.REFUNDING and back >= attempt.captured_yen:
        status = move(ATTEMPT_MOVES, status, AttemptStatus.REFUNDED)
    if status is attempt.status:
        return attempt
    return replace(attempt, status=status, version=attempt.version + 1)
