"""The notifications with exactly the fields that PayPay publishes for each state."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Literal

from kessai.sim.paypay.domain.book import Payment


def notice_of(
    payment: Payment,
    state: Literal["COMPLETED", "FAILED"],
    merchant_id: str,
    *,
    more_yen: int = 0,
) -> bytes:
    """`more_yen` makes it lie. The amount is text; times are without fractions."""
    common: dict[str, str | None] = {
        "notification_type": "Transaction",
        "merchant_id": merchant_id,
        "store_id": payment.asked.store_id,
        "pos_id": payment.asked.terminal_id,
        "order_id": payment.payment_id,
        "merchant_order_id": payment.merchant_payment_id,
    }
    dates: dict[str, str | None] = {}
    if state == "COMPLETED":
        paid_at = _iso(payment.paid_at_ms)
        dates = {"authorized_at": paid_at, "expires_at": None, "paid_at": paid_at}
    amount = str(payment.amount_yen + more_yen)
    return json.dumps({**common, **dates, "order_amount": amount, "state": state}).encode()


def corrupted(body: bytes) -> bytes:
    """Cut off in the middle, as by a broken connection: no JSON any more."""
    return body[: len(body) // 2]


def _iso(at_ms: int | None) -> str | None:
    if at_ms is None:
        return None
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
