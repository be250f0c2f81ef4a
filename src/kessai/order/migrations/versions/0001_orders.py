"""Orders, carts, refunds wanted, the audit chain; outbox, inbox, keys, leases and the saga log."""

from __future__ import annotations

from typing import Any, cast

from alembic import op
from alembic.operations import Operations
from sqlalchemy import BigInteger, Column, Integer, String, Text, text

from kessai.kernel.kernel_tables import exact, idempotency_v1, inbox_v1, leases_v1, outbox_v1
from kessai.saga.tables import saga_tables_v1

revision = "0001"
down_revision = None


def upgrade() -> None:
    outbox_v1(op)
    inbox_v1(op)
    idempotency_v1(op)
    leases_v1(op)
    saga_tables_v1(cast("Operations", op))
    _orders()
    _sides()


def _orders() -> None:
    op.create_table(
        "orders",
        *_identity(),
        *_state(),
        *_payment(),
        *_refund_and_trail(),
    )
    op.create_index("ix_orders_user", "orders", ["user_id", "order_id"])
    undecided = text("decision = ''")
    for name, column in (("ix_orders_deadline", "hold_until_ms"), ("ix_orders_news", "news_at_ms")):
        op.create_index(name, "orders", ["decision", column], sqlite_where=undecided)


def _identity() -> tuple[Column[Any], ...]:
    return (
        Column("order_id", exact(26), primary_key=True),
        Column("user_id", exact(64), nullable=False),
        Column("method", String(10), nullable=False),
        Column("amount", BigInteger, nullable=False),
        Column("items", Text, nullable=False),
        Column("customer_name", String(100), nullable=False),
        Column("customer_email", String(254), nullable=False),
        Column("shipping", Text),
        Column("created_at_ms", BigInteger, nullable=False),
        Column("hold_until_ms", BigInteger, nullable=False),
    )


def _state() -> tuple[Column[Any], ...]:
    return (
        Column("status", String(20), nullable=False),
        Column("reason", String(40)),
        Column("decision", String(10), nullable=False),
        Column("closing", String(10), nullable=False),
        Column("version", Integer, nullable=False),
        Column("view_version", Integer, nullable=False),
        Column("updated_at_ms", BigInteger, nullable=False),
        Column("news_at_ms", BigInteger, nullable=False),
    )


def _payment() -> tuple[Column[Any], ...]:
    return (
        Column("attempt_number", Integer, nullable=False),
        Column("attempt_version", Integer, nullable=False),
        Column("payment_status", String(20)),
        Column("paypay_status", String(40)),
        Column("payment_id", String(64)),
        Column("payment_url", Text),
        Column("deeplink", Text),
        Column("payment_expires_at_ms", BigInteger),
        Column("payment_requested_at_ms", BigInteger),
        Column("payment_completed_at_ms", BigInteger),
        Column("payment_error_code", String(80)),
        Column("payment_error_message", Text),
        Column("payment_last_event_id", exact(80)),
        Column("paid_attempt", exact(64)),
        Column("paid_at_ms", BigInteger),
    )


def _refund_and_trail() -> tuple[Column[Any], ...]:
    return (
        Column("reservation_id", exact(64), nullable=False),
        Column("refunded_amount", BigInteger, nullable=False),
        Column("refund_amount", BigInteger),
        Column("refund_status", String(20)),
        Column("refund_reason", String(60)),
        Column("refund_at_ms", BigInteger),
        Column("refusal", Text),
        Column("timeline", Text, nullable=False),
        Column("audit_sequence", Integer, nullable=False),
        Column("audit_hash", String(64), nullable=False),
    )


def _sides() -> None:
    op.create_table(
        "order_cart",
        Column("cart_id", exact(26), primary_key=True),
        Column("order_id", exact(26), nullable=False),
        Column("taken_at_ms", BigInteger, nullable=False),
    )
    op.create_table(
        "order_refund",
        Column("refund_id", exact(64), primary_key=True),
        Column("order_id", exact(26), nullable=False),
        Column("merchant_payment_id", exact(64), nullable=False),
        Column("amount", BigInteger, nullable=False),
        Column("reason", String(60), nullable=False),
        Column("status", String(20), nullable=False),
        Column("requested_at_ms", BigInteger, nullable=False),
        Column("news_at_ms", BigInteger, nullable=False),
    )
    op.create_index("ix_order_refund_order", "order_refund", ["order_id"])
    op.create_index(
        "ix_order_refund_news",
        "order_refund",
        ["status", "news_at_ms"],
        sqlite_where=text("status = 'REQUESTED'"),
    )
    op.create_table(
        "order_audit",
        Column("order_id", exact(26), primary_key=True),
        Column("sequence", Integer, primary_key=True, autoincrement=False),
        Column("at_ms", BigInteger, nullable=False),
        Column("actor", String(40), nullable=False),
        Column("action", String(40), nullable=False),
        Column("from_status", String(20)),
        Column("to_status", String(20)),
        Column("cause", String(200), nullable=False),
        Column("details", Text, nullable=False),
        Column("previous_hash", String(64), nullable=False),
        Column("hash", String(64), nullable=False),
    )
