"""The tables of payment-service in their newest shape; how they came about is in migrations."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from kessai.kernel.kernel_tables import blob, exact
from kessai.kernel.leases import due_columns

METADATA = MetaData()

PAYMENT_ORDER = Table(
    "payment_order",
    METADATA,
    Column("order_id", exact(26), primary_key=True),
    Column("closed", SmallInteger, nullable=False),
    Column("closed_reason", String(60)),
    Column("closed_at_ms", BigInteger),
    Column("created_at_ms", BigInteger, nullable=False),
)

ATTEMPT = Table(
    "attempt",
    METADATA,
    Column("id", exact(64), primary_key=True),
    Column("order_id", exact(26), nullable=False),
    Column("number", Integer, nullable=False),
    Column("provider", String(20), nullable=False),
    Column("request_id", exact(110), nullable=False),
    Column("status", String(20), nullable=False),
    Column("amount_yen", BigInteger, nullable=False),
    Column("requested_at_ms", BigInteger, nullable=False),
    Column("hold_until_ms", BigInteger, nullable=False),
    Column("provider_status", String(40)),
    Column("payment_id", exact(64)),
    Column("captured_yen", BigInteger, nullable=False),
    Column("code_id", exact(64)),
    Column("url", String(500)),
    Column("deeplink", String(1000)),
    Column("expires_at_ms", BigInteger),
    Column("completed_at_ms", BigInteger),
    Column("ended_at_ms", BigInteger),
    Column("closing_at_ms", BigInteger),
    Column("lost", SmallInteger, nullable=False),
    Column("error_code", String(60)),
    Column("error_message", Text),
    Column("version", Integer, nullable=False),
    Column("asked_at_ms", BigInteger),
    Column("lane", SmallInteger, nullable=False, server_default=text("0")),
    *due_columns(),
    UniqueConstraint("order_id", "number", name="uq_attempt_order"),
    CheckConstraint("amount_yen >= 1", name="ck_attempt_amount"),
    CheckConstraint("captured_yen >= 0", name="ck_attempt_captured"),
)
Index("ix_attempt_due", ATTEMPT.c.due_at_ms, ATTEMPT.c.id)
Index("ix_attempt_payment", ATTEMPT.c.payment_id)
Index("ix_attempt_lane", ATTEMPT.c.lane, ATTEMPT.c.due_at_ms, ATTEMPT.c.id)

EVIDENCE = Table(
    "evidence",
    METADATA,
    Column("attempt_id", exact(64), primary_key=True),
    Column("digest", exact(40), primary_key=True),
    Column("source", String(20), nullable=False),
    Column("word", String(40), nullable=False),
    Column("payment_id", exact(64)),
    Column("amount_yen", BigInteger),
    Column("currency", String(10)),
    Column("accepted_at_ms", BigInteger),
    Column("canceled_at_ms", BigInteger),
    Column("times", Integer, nullable=False),
    Column("first_observed_ms", BigInteger, nullable=False),
    Column("observed_at_ms", BigInteger, nullable=False),
)

WEBHOOK_INBOX = Table(
    "webhook_inbox",
    METADATA,
    Column("id", exact(40), primary_key=True),
    Column("merchant_payment_id", exact(64), nullable=False),
    Column("payment_id", exact(64)),
    Column("word", String(40), nullable=False),
    Column("amount_yen", BigInteger),
    Column("body", blob(), nullable=False),
    Column("source", String(60), nullable=False),
    Column("deliveries", Integer, nullable=False),
    Column("status", String(10), nullable=False),
    Column("reason", String(40)),
    Column("tries", Integer, nullable=False),
    Column("received_at_ms", BigInteger, nullable=False),
    Column("last_received_ms", BigInteger, nullable=False),
    *due_columns(),
)
Index("ix_webhook_due", WEBHOOK_INBOX.c.due_at_ms, WEBHOOK_INBOX.c.id)
Index("ix_webhook_payment", WEBHOOK_INBOX.c.merchant_payment_id)
Index("ix_webhook_received", WEBHOOK_INBOX.c.last_received_ms)

REFUND = Table(
    "refund",
    METADATA,
    Column("id", exact(64), primary_key=True),
    Column("order_id", exact(26), nullable=False),
    Column("merchant_payment_id", exact(64), nullable=False),
    Column("payment_id", exact(64)),
    Column("provider", String(20), nullable=False),
    Column("amount_yen", BigInteger, nullable=False),
    Column("reason", String(60), nullable=False),
    Column("status", String(20), nullable=False),
    Column("requested_at_ms", BigInteger, nullable=False),
    Column("accepted_at_ms", BigInteger),
    Column("completed_at_ms", BigInteger),
    Column("tries", Integer, nullable=False),
    Column("error_code", String(60)),
    Column("version", Integer, nullable=False),
    *due_columns(),
    CheckConstraint("amount_yen >= 1", name="ck_refund_amount"),
)
Index("ix_refund_due", REFUND.c.due_at_ms, REFUND.c.id)
Index("ix_refund_order", REFUND.c.order_id)
Index("ix_refund_payment", REFUND.c.merchant_payment_id)

# One row is one entry: what the one account gives is what the other takes, by its shape.
LEDGER = Table(
    "ledger",
    METADATA,
    Column("id", exact(40), primary_key=True),
    Column("order_id", exact(26), nullable=False),
    Column("merchant_payment_id", exact(64), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("debit_account", String(80), nullable=False),
    Column("credit_account", String(80), nullable=False),
    Column("amount_yen", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    # Of a REFUND entry; and when the money moved at the provider, which settles by that day.
    Column("refund_id", exact(64)),
    Column("value_at_ms", BigInteger),
    CheckConstraint("amount_yen >= 1", name="ck_ledger_amount"),
    CheckConstraint("debit_account <> credit_account", name="ck_ledger_accounts"),
)
Index("ix_ledger_order", LEDGER.c.order_id)
Index("ix_ledger_value", LEDGER.c.value_at_ms, LEDGER.c.id)
Index("ix_ledger_attempt", LEDGER.c.merchant_payment_id)
