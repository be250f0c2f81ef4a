"""What a webhook is while it is carried, and which ones a payment has ever been due."""

from __future__ import annotations

from dataclasses import dataclass

from kessai.contracts.paypay import ProviderStatus
from kessai.sim.paypay.domain.book import Payment
from kessai.sim.paypay.domain.table import Told


@dataclass(frozen=True, slots=True)
class Letter:
    """`id` comes from the book, so it outlives this process: see `letter_id`.

    `is_cut`: its connection breaks in the middle. `source`: another address than the simulator's.
    """

    id: str
    merchant_payment_id: str
    state: str
    body: bytes
    is_cut: bool = False
    source: str | None = None


def letter_id(merchant_payment_id: str, told: Told, request_id: str | None) -> str:
    """`<merchantPaymentId>.<what is told>`, with the request's id where there may be several."""
    name = f"{merchant_payment_id}.{told}"
    return name if request_id is None else f"{name}.{request_id}"


def told_long_ago(payment: Payment, rest: str) -> tuple[Told, str | None] | None:
    """What `letter_id` made of it, if the payment ever came to that."""
    asked, _, request_id = rest.partition(".")
    if asked == "REAUTHORIZED":
        known = any(h.request_id == request_id and h.since_ms is not None for h in payment.holds)
        return ("REAUTHORIZED", request_id) if known else None
    if request_id:
        return None
    reached: dict[str, tuple[Told, bool]] = {
        "AUTHORIZED": ("AUTHORIZED", payment.authorized_at_ms is not None),
        "COMPLETED": ("COMPLETED", payment.paid_at_ms is not None),
        "CANCELED": ("CANCELED", payment.reverted is not None),
        "EXPIRED": ("EXPIRED", _has_expired(payment)),
        "FAILED": ("FAILED", payment.declined_at_ms is not None),
    }
    told, was_due = reached.get(asked, ("FAILED", False))
    return (told, None) if was_due else None


def _has_expired(payment: Payment) -> bool:
    end_ms = payment.authorized_until_ms
    return end_ms is not None and payment.status_at(end_ms) is ProviderStatus.EXPIRED
