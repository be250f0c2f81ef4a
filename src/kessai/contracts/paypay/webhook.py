"""PayPay's notifications: unsigned, snake case, told at most a few times."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict

from kessai.contracts.wire import Wire


class TransactionWebhook(Wire):
    """A notification, unsigned: a hint to go and ask. Names are snake case on the wire.

    `order_id` is PayPay's paymentId, `merchant_order_id` the merchantPaymentId. The amount is a
    string in every published sample, though some read it as a number.
    """

    model_config = ConfigDict(alias_generator=None)

    notification_type: str
    merchant_id: str | None = None
    store_id: str | None = None
    pos_id: str | None = None
    order_id: str | None = None
    merchant_order_id: str | None = None
    authorized_at: str | None = None
    expires_at: str | None = None
    paid_at: str | None = None
    order_amount: str | int | None = None
    state: str | None = None
    reauth_request_id: str | None = None
    confirmation_expires_at: str | None = None


class FileWebhook(Wire):
    """The day's settlement file is ready: `path` is a link that ends after two hours."""

    model_config = ConfigDict(alias_generator=None)

    notification_type: Literal["file.created"] = "file.created"
    notification_id: str
    fileType: str = "transaction_recon"
    path: str
    requestedAt: str
