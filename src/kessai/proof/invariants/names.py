"""Rows that name each other: ids made of what they are about, and copies of what another row says.

Whoever alters one of two such rows by hand leaves the other one as it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

from kessai.contracts.events import refund_id
from kessai.contracts.moves import Method
from kessai.proof.invariants.limits import CLOCKS_MS
from kessai.proof.invariants.rows import (
    AttemptRow,
    EvidenceRow,
    HoldRow,
    OrderRow,
    ProviderRow,
    RefundRow,
    WantedRow,
)

OPERATOR: Final = "OPERATOR"
_PROVIDERS: Final[Mapping[str, str]] = {Method.PAYPAY: "PayPay", Method.BALANCE: "Balance"}
# What a source's word is: a webhook is unsigned, so it proves nothing.
_WEIGHTS: Final[Mapping[str, str]] = {
    "WEBHOOK": "hint",
    **dict.fromkeys(("CREATE", "ANNOUNCED", "POLL", "CLOSE", "OPERATOR"), "proof"),
}


def of_attempt(attempt: AttemptRow, order: OrderRow | None) -> Iterator[str]:
    """Its id is made of its order and number, and its provider is the one that the order names."""
    if attempt.id != f"{attempt.order_id}-{attempt.number}":
        yield f"number {attempt.number} of {attempt.order_id}, by its id another one"
    if order is None:
        return
    if attempt.provider != _PROVIDERS.get(order.method):
        yield f"asked of {attempt.provider}, the order is to be paid by {order.method}"
    # A wallet is not held open: its hold is taken in one step.
    elif order.method == Method.PAYPAY and attempt.hold_until_ms != order.hold_until_ms:
        yield f"to be paid until {attempt.hold_until_ms}, the order until {order.hold_until_ms}"


def of_payment(attempt: AttemptRow, there: ProviderRow | None) -> Iterator[str]:
    """The provider knows the payment by the same id, and paid at the same time."""
    if there is None:
        return
    if _differ(attempt.payment_id, there.payment_id):
        yield f"payment {attempt.payment_id} here, {there.payment_id} at the provider"
    here_ms, there_ms = attempt.completed_at_ms, there.paid_at_ms
    if here_ms is not None and there_ms is not None and abs(here_ms - there_ms) > CLOCKS_MS:
        yield f"paid at {here_ms} here, at {there_ms} at the provider"


def _differ(one: str | None, other: str | None) -> bool:
    """Who does not know the id yet says nothing else."""
    return None not in (one, other) and one != other


def of_refund(
    refund: RefundRow, attempt: AttemptRow | None, wanted: WantedRow | None
) -> Iterator[str]:
    """It goes back where the payment came from, for the reason for which it is wanted."""
    name = refund_id(refund.merchant_payment_id, refund.reason)
    if refund.reason != OPERATOR and refund.id != name:
        yield "its id is not made of payment and reason"
    if attempt is None:
        yield f"a refund of {refund.merchant_payment_id}, and there is no such attempt"
    elif refund.provider != attempt.provider or _differ(refund.payment_id, attempt.payment_id):
        yield f"the payment is {attempt.payment_id} of {attempt.provider}"
    if (refund.completed_at_ms is None) != (refund.status != "COMPLETED"):
        yield f"{refund.status}, and it was completed at {refund.completed_at_ms}"
    if wanted is not None and (refund.merchant_payment_id, refund.reason) != (
        wanted.merchant_payment_id,
        wanted.reason,
    ):
        yield f"wanted for {wanted.merchant_payment_id}, {wanted.reason}"


def of_hold(hold: HoldRow, order: OrderRow) -> Iterator[str]:
    """It is of the order's own customer, and has an end when it has ended."""
    if hold.user_id not in (None, order.user_id):
        yield f"of {hold.user_id}, the order is of {order.user_id}"
    if hold.order_id not in (None, order.order_id):
        yield f"for {hold.order_id}, by its id for another one"
    if (hold.ended_at_ms is None) != (hold.status == "HELD"):
        yield f"{hold.status}, and its end is {hold.ended_at_ms}"


def is_as_seen(evidence: EvidenceRow) -> bool:
    """Evidence has a digest of what was said, so that a repeat of it is one row."""
    said = (
        f"{_WEIGHTS.get(evidence.source)}\x1f{evidence.word}\x1f{evidence.payment_id}"
        f"\x1f{evidence.amount_yen}\x1f{evidence.currency}"
        f"\x1f{evidence.accepted_at_ms}\x1f{evidence.canceled_at_ms}"
    )
    # Words without an amount are said of all payments alike.
    return evidence.digest == (_digest if evidence.amount_yen else _known)(said)


def _digest(said: str) -> str:
    return hashlib.sha256(said.encode()).hexdigest()[:40]


_known = lru_cache(maxsize=256)(_digest)
