"""The tables of order-service in their newest shape; migrations tell how they came to be."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    text,
)

from kessai.kernel.kernel_tables import exact

METADATA = MetaData()

# Literals: SQLite uses a partial index only for the very condition that it was made with.
UNDECIDED = text("decision = ''")
UNDER_WAY = text("status = 'REQUESTED'")
SETTLING = text("settling_since_ms IS NOT NULL")

ORDERS = Table(
    "orders",
    METADATA,
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
    Column("status", String(20), nullable=False),
    Column("reason", String(40)),
    Column("decision", String(10), nullable=False),
    Column("closing", String(10), nullable=False),
    Column("version", Integer, nullable=False),
    Column("view_version", Integer, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    Column("news_at_ms", BigInteger, nullable=False),
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
    Column("settling_since_ms", BigInteger),
    Column("settling_channel", String(20)),
)
Index("ix_orders_user", ORDERS.c.user_id, ORDERS.c.order_id)
Index("ix_orders_deadline", ORDERS.c.decision, ORDERS.c.hold_until_ms, sqlite_where=UNDECIDED)
Index("ix_orders_news", ORDERS.c.decision, ORDERS.c.news_at_ms, sqlite_where=UNDECIDED)
Index(
    "ix_orders_settling",
    ORDERS.c.settling_since_ms,
    ORDERS.c.settling_channel,
    sqlite_where=SETTLING,
)

SAMPLES = Table(
    "promise_sample",
    METADATA,
    Column("merchant_payment_id", exact(64), primary_key=True),
    Column("channel", String(20), nullable=False),
    Column("outcome", String(40), nullable=False),
    Column("ended_at_ms", BigInteger, nullable=False),
    Column("took_ms", BigInteger, nullable=False),
)

# Minutes (span 1) and the hours that they make (span 60), so that a day is few rows.
COUNTS = Table(
    "promise_count",
    METADATA,
    Column("span", SmallInteger, primary_key=True, autoincrement=False),
    Column("minute", BigInteger, primary_key=True, autoincrement=False),
    Column("channel", exact(20), primary_key=True),
    Column("outcome", exact(40), primary_key=True),
    Column("bucket", SmallInteger, primary_key=True, autoincrement=False),
    Column("payments", BigInteger, nullable=False),
    Column("max_ms", BigInteger, nullable=False),
)

CARTS = Table(
    "order_cart",
    METADATA,
    Column("cart_id", exact(26), primary_key=True),
    Column("order_id", exact(26), nullable=False),
    Column("taken_at_ms", BigInteger, nullable=False),
)

REFUNDS = Table(
    "order_refund",
    METADATA,
    Column("refund_id", exact(64), primary_key=True),
    Column("order_id", exact(26), nullable=False),
    Column("merchant_payment_id", exact(64), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("reason", String(60), nullable=False),
    Column("status", String(20), nullable=False),
    Column("requested_at_ms", BigInteger, nullable=False),
    Column("news_at_ms", BigInteger, nullable=False),
)
Index("ix_order_refund_order", REFUNDS.c.order_id)
Index("ix_order_refund_news", REFUNDS.c.status, REFUNDS.c.news_at_ms, sqlite_where=UNDER_WAY)

AUDIT = Table(
    "order_audit",
    METADATA,
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
