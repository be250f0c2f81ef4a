"""Reading a webhook: unsigned text from outside, of which nothing is believed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from kessai.kernel.errors import Kind, Refused
from kessai.payment.domain.evidence import provider_word
from kessai.payment.domain.file_notice import FILE_CREATED, FileNotice, read_notice

NO_TRANSACTION = "NO_TRANSACTION"
FOREIGN_MERCHANT = "FOREIGN_MERCHANT"
UNKNOWN_ORDER = "UNKNOWN_ORDER"
UNREADABLE_FIELDS = "UNREADABLE_FIELDS"
# Nobody looks into the notice itself; the file is work of its own.
FILE_ANNOUNCED = "FILE_ANNOUNCED"

MAX_ID = 64
# What tells two notifications apart; PayPay's Transaction has no id (paypay.md, 3.2).
_FIELDS = (
    "notification_type",
    "merchant_id",
    "merchant_order_id",
    "order_id",
    "state",
    "order_amount",
    "paid_at",
    "reauth_request_id",
)


@dataclass(frozen=True, slots=True)
class Delivery:
    """`parked` says why nobody will look into it; None where it is worth a look-up.

    `file` is what a notice of a settlement file announces.
    """

    digest: str
    merchant_payment_id: str
    payment_id: str | None
    word: str
    amount_yen: int | None
    parked: str | None
    file: FileNotice | None = None


def read_webhook(body: bytes, merchant_id: str, limit_bytes: int) -> Delivery:
    """Raises `Refused` BAD_REQUEST for what is no JSON object, TOO_LARGE beyond the limit."""
    if len(body) > limit_bytes:
        raise Refused("TOO_LARGE", "the body is too large", kind=Kind.TOO_LARGE)
    fields = _object(body)
    word = provider_word(fields.get("state"))
    order_id = _text(fields.get("merchant_order_id"), MAX_ID)
    file = read_notice(fields) if fields.get("notification_type") == FILE_CREATED else None
    parked = _why_parked(fields, merchant_id, order_id, file)
    return Delivery(
        digest=_digest(fields),
        merchant_payment_id=order_id or "",
        payment_id=_text(fields.get("order_id"), MAX_ID),
        word=word,
        amount_yen=_amount(fields.get("order_amount")),
        parked=parked,
        file=file if parked == FILE_ANNOUNCED else None,
    )


def _object(body: bytes) -> Mapping[str, object]:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused("BAD_REQUEST", "the body is no JSON", kind=Kind.BAD_REQUEST) from error
    if not isinstance(fields, dict):
        raise Refused("BAD_REQUEST", "the body is no JSON object", kind=Kind.BAD_REQUEST)
    return fields


def _why_parked(
    fields: Mapping[str, object], merchant_id: str, order_id: str | None, file: FileNotice | None
) -> str | None:
    if fields.get("notification_type") == FILE_CREATED:
        # PayPay's notice has no merchant; one that has another's is not ours.
        if fields.get("merchant_id", merchant_id) != merchant_id:
            return FOREIGN_MERCHANT
        return FILE_ANNOUNCED if file else UNREADABLE_FIELDS
    if fields.get("notification_type") != "Transaction":
        return NO_TRANSACTION
    if fields.get("merchant_id") != merchant_id:
        return FOREIGN_MERCHANT
    # An odd state is no reason: something has happened to this payment, and we can ask.
    if order_id is None:
        return UNREADABLE_FIELDS
    return None


def _digest(fields: Mapping[str, object]) -> str:
    """Of the merchant and the fields that tell notifications apart: a repeat is one row."""
    named = [fields.get(name) for name in _FIELDS]
    if fields.get("notification_type") != "Transaction":
        named.append(dict(sorted(fields.items())))
    text = json.dumps(named, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def _text(value: object, longest: int) -> str | None:
    """None for what is no usable text: the columns hold printable text of bounded length."""
    if isinstance(value, str) and 0 < len(value) <= longest and value.isprintable():
        return value
    return None


def _amount(value: object) -> int | None:
    """PayPay's samples have a string, others an integer: both are read (paypay.md, 3.1)."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int) and 0 <= value < 10**11:
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 11:
        return int(value)
    return None
