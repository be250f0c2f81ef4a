"""The notifications with exactly the fields that PayPay publishes for each state."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Final, Literal

from kessai.sim.paypay.domain.book import Hold, Payment, Taking
from kessai.sim.paypay.domain.plans import WebhookPlan
from kessai.sim.paypay.domain.table import Told

# More than any door should take (http-api.md: 64 KiB).
OVERSIZED_BYTES: Final = 70_000
Fields = dict[str, str | None]


def notice_of(
    payment: Payment,
    told: Told,
    merchant_id: str,
    *,
    request_id: str | None = None,
    order_id: Literal["filled", "empty"] = "filled",
) -> Fields:
    """The amount is text; times are without fractions. `request_id` is a reauthorisation's."""
    common: Fields = {
        "notification_type": "Transaction",
        "merchant_id": merchant_id,
        "store_id": payment.asked.store_id,
        "pos_id": payment.asked.terminal_id,
        "order_id": payment.payment_id,
        "merchant_order_id": payment.merchant_payment_id,
    }
    if told == "FAILED":
        return {**common, "order_amount": str(payment.amount_yen), "state": "FAILED"}
    if told in ("AUTHORIZED", "REAUTHORIZED") and order_id == "empty":
        common["merchant_order_id"] = ""
    since_ms = payment.authorized_at_ms or payment.paid_at_ms
    dates: Fields = {
        "authorized_at": _iso(since_ms),
        "expires_at": _iso(payment.authorized_until_ms),
    }
    wish = _wish(payment, request_id)
    if told == "CONFIRMATION_EXPIRED":
        dates["confirmation_expires_at"] = _iso(wish.ask.until_ms if wish and wish.ask else None)
    else:
        dates["paid_at"] = _iso(payment.paid_at_ms) if told == "COMPLETED" else None
    tail: Fields = {"order_amount": str(_amount(payment, told, wish))}
    if told in ("REAUTHORIZED", "CONFIRMATION_EXPIRED"):
        tail["reauth_request_id"] = request_id
    state = "AUTHORIZED" if told in ("REAUTHORIZED", "CONFIRMATION_EXPIRED") else told
    return {**common, **dates, **tail, "state": state}


def _wish(payment: Payment, request_id: str | None) -> Hold | Taking | None:
    if request_id is None:
        return None
    for hold in payment.holds:
        if hold.request_id == request_id:
            return hold
    return next((t for t in payment.takings if t.merchant_capture_id == request_id), None)


def _amount(payment: Payment, told: Told, wish: Hold | Taking | None) -> int:
    """What is held; of a capture what came, of a change what it became, or would have."""
    if told == "COMPLETED":
        return payment.captured_yen
    if wish is not None:
        return wish.amount_yen
    held = [hold.amount_yen for hold in payment.holds if hold.since_ms is not None]
    return held[-1] if held else payment.amount_yen


def body_of(fields: Fields, plan: WebhookPlan) -> bytes:
    """The bytes as they are sent: the book's truth unless a fault bends it."""
    sent: dict[str, object] = dict(fields)
    if plan.wrong_amount:
        sent["order_amount"] = str(int(fields["order_amount"] or 0) + 100)
    if plan.wrong_merchant:
        sent["merchant_id"] = f"{fields['merchant_id']}-2"
    if plan.unknown_state:
        sent["state"] = "ON_HOLD"
    if plan.extra_fields:
        sent |= {"notification_id": "9f2b", "campaign": {"id": 7, "names": ["春"]}, "risk": None}
    if plan.oversized:
        sent["memo"] = "x" * OVERSIZED_BYTES
    body = json.dumps(sent).encode()
    if plan.not_utf8:
        body = body.replace(b'"order_id"', b'"memo": "\xff\xfe\x83", "order_id"', 1)
    # Cut off in the middle, as by a broken connection: no JSON any more.
    return body[: len(body) // 2] if plan.corrupt else body


def _iso(at_ms: int | None) -> str | None:
    if at_ms is None:
        return None
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
