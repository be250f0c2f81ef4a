"""What verify does not notice when somebody alters it by hand, column by column, and why.

Everything else of every table is noticed in one row at least: `tests/proof/test_altered.py`.
"""

from __future__ import annotations

from collections.abc import Mapping

DELETE = "DELETE"

PERSON = "of a person, and nobody else repeats it"
SHOWN = "a copy for the page; what it was copied from is asked"
WHEN = "a time, a place or a number of its own, which no other row repeats"
WORK = "who works on it now, or from when on: whoever comes next takes over"
HOW = "how it was done; what was done is in the order's trail"
HINT = "made us look; what was seen then is evidence, and that is sealed"
COUNTED = "a statistic"
GOODS = "what the shop says of its goods, which it may change at any time"
KEPT = "remembered for a while and then forgotten"

_LEASES = {DELETE: WORK, "name": WORK, "owner": WORK, "fence": WORK, "until_ms": WORK}
_OUTBOX = dict.fromkeys(("id", "headers", "created_at_ms", "sent", "sent_at_ms"), WHEN)


def _all(reason: str, *names: str) -> dict[str, str]:
    return dict.fromkeys(names, reason)


UNSEEN: Mapping[str, Mapping[str, str]] = {
    "account.balance_ledger": _all(WHEN, "id", "at_ms"),
    "account.credit": _all(SHOWN, "reason", "balance_after") | _all(WHEN, "at_ms"),
    "account.hold": _all(WHEN, "created_at_ms"),
    "account.user_account": _all(
        PERSON,
        *("firebase_uid", "email", "name", "role", "last_name", "first_name", "last_name_kana"),
        *("first_name_kana", "birth_date", "gender", "created_at_ms", "updated_at_ms"),
    ),
    "bus.bus_claim": _all(WORK, "member", "fence", "touched_at_ms"),
    "bus.bus_member": _all(WORK, DELETE, "consumer_group", "member", "epoch", "until_ms"),
    "bus.bus_once": _all(KEPT, DELETE, "topic", "event_id", "at_ms"),
    "bus.bus_record": _all(WHEN, "at_ms"),
    "order.idempotency": _all(
        KEPT, DELETE, "request_key", "request_hash", "answer", "created_at_ms", "progressed_at_ms"
    ),
    "order.inbox": _all(KEPT, "seen_at_ms"),
    "order.leases": _LEASES,
    "order.order_cart": _all(KEPT, DELETE, "cart_id", "taken_at_ms"),
    "order.order_refund": _all(WHEN, "requested_at_ms", "news_at_ms"),
    "order.orders": _all(PERSON, "customer_name", "customer_email", "shipping")
    | _all(WORK, "news_at_ms", "attempt_version", "settling_since_ms", "settling_channel")
    | _all(
        SHOWN,
        *("updated_at_ms", "paypay_status", "payment_url", "deeplink", "payment_expires_at_ms"),
        *("payment_requested_at_ms", "payment_completed_at_ms", "payment_error_code"),
        *("payment_error_message", "payment_last_event_id", "refund_reason", "refund_at_ms"),
        *("refusal", "timeline"),
    ),
    "order.outbox": _OUTBOX,
    "order.promise_count": _all(
        COUNTED,
        *(DELETE, "span", "minute", "channel", "outcome", "bucket", "payments", "max_ms"),
    ),
    "order.sg_engine": _all(WORK, DELETE, "owner", "lease_until"),
    "order.sg_event": _all(
        HOW, DELETE, "machine_id", "seq", "epoch", "kind", "at", "name", "status", "data"
    ),
    "order.sg_machine": _all(
        HOW,
        *(DELETE, "id", "name", "version", "business_key", "status", "compensation", "owner"),
        *("epoch", "redrives", "due_at", "started_at", "parent_id"),
    ),
    "payment.attempt": _all(
        WORK,
        *("lease_owner", "lease_until_ms", "lease_fence", "asked_at_ms", "lane", "version"),
        *("closing_at_ms", "lost"),
    )
    | _all(SHOWN, "provider_status", "url", "deeplink", "error_message")
    | _all(WHEN, "request_id", "code_id", "error_code"),
    "payment.evidence": _all(WHEN, "times", "first_observed_ms"),
    "payment.leases": _LEASES,
    "payment.ledger": _all(WHEN, "id", "at_ms"),
    "payment.outbox": _OUTBOX,
    "payment.payment_order": _all(WHEN, "closed_at_ms", "created_at_ms"),
    "payment.refund": _all(WORK, "tries", "version", "lease_owner", "lease_until_ms", "lease_fence")
    | _all(WHEN, "requested_at_ms", "accepted_at_ms", "error_code"),
    "payment.webhook_inbox": _all(
        HINT,
        *(DELETE, "id", "merchant_payment_id", "payment_id", "word", "amount_yen", "body"),
        *("source", "deliveries", "tries", "received_at_ms", "last_received_ms"),
        *("lease_owner", "lease_until_ms", "lease_fence"),
    ),
    "storage.category": _all(
        GOODS, DELETE, "category_id", "name", "name_en", "name_zh", "image_key"
    ),
    "storage.leases": _LEASES,
    "storage.outbox": _OUTBOX,
    "storage.product": _all(
        GOODS,
        *("category_id", "title", "title_en", "title_zh", "reading", "description", "price"),
        *("status", "image_file", "image_key", "imported_stock", "created_at_ms"),
    ),
    "storage.reservation": _all(WHEN, "signalled"),
    "storage.restock": _all(WHEN, "reason", "at_ms"),
    "storage.sold_day": _all(COUNTED, DELETE, "product_id", "day", "quantity"),
    "storage.stock": _all(WORK, "version", "dirty", "announced_at_ms"),
    "storage.stock_ledger": _all(WHEN, "id", "at_ms"),
    "system.leases": _LEASES,
    "system.outbox": _OUTBOX,
    "system.sys_pay_alert": _all(
        SHOWN, "facts_json", "assignee", "note", "count", "first_seen", "last_seen", "detected_at"
    )
    | _all(WORK, "version", "change_no"),
    "system.sys_pay_alert_act": _all(WHEN, "id", "version", "at", "reason", "note"),
    "system.sys_pay_alert_change": _all(WORK, DELETE, "id", "last_no"),
}
# Without a row in the shop that is looked at.
EMPTY = {
    "order.promise_sample",
    "order.sg_answer",
    "order.sg_intent",
    "payment.inbox",
    "payment.settlement_difference",
    "payment.settlement_elsewhere",
    "payment.settlement_file",
    "payment.settlement_run",
    "system.sys_pay_alert_notice",
}
