"""Attempts, evidence, webhook inbox, refunds, ledger, outbox, inbox, leases."""

from __future__ import annotations

from typing import Any

from alembic import op
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Integer,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
    text,
)

from kessai.kernel.kernel_tables import blob, exact, inbox_v1, leases_v1, outbox_v1

revision = "0001"
down_revision = None


def upgrade() -> None:
    outbox_v1(op)
    inbox_v1(op)
    leases_v1(op)
    _attempts()
    _evidence()
    _webhooks()
    _refunds()
    _ledger()


def _due() -> tuple[Column[Any], ...]:
    return (
        Column("due_at_ms", BigInteger),
        Column("lease_owner", String(120)),
        Column("lease_until_ms", BigInteger, nullable=False, server_default=text("0")),
        Column("lease_fence", BigInteger, nullable=False, server_default=text("0")),
    )


def _attempts() -> None:
    op.create_table(
        "payment_order",
        Column("order_id", exact(26), primary_key=True),
        Column("closed", SmallInteger, nullable=False),
        Column("closed_reason", String(60)),
        Column("closed_at_ms", BigInteger),
        Column("created_at_ms", BigInteger, nullable=False),
    )
    op.create_table(
        "attempt",
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
        *_due(),
        UniqueConstraint("order_id", "number", name="uq_attempt_order"),
        CheckConstraint("amount_yen >= 1", name="ck_attempt_amount"),
        CheckConstraint("captured_yen >= 0", name="ck_attempt_captured"),
    )
    op.create_index("ix_attempt_due", "attempt", ["due_at_ms", "id"])


def _evidence() -> None:
    op.create_table(
        "evidence",
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


def _webhooks() -> None:
    op.create_table(
        "webhook_inbox",
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
        *_due(),
    )
    op.create_index("ix_webhook_due", "webhook_inbox", ["due_at_ms", "id"])
    op.create_index("ix_webhook_payment", "webhook_inbox", ["merchant_payment_id"])


def _refunds() -> None:
    op.create_table(
        "refund",
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
        *_due(),
        CheckConstraint("amount_yen >= 1", name="ck_refund_amount"),
    )
    op.create_index("ix_refund_due", "refund", ["due_at_ms", "id"])
    op.create_index("ix_refund_order", "refund", ["order_id"])
    op.create_index("ix_refund_payment", "refund", ["merchant_payment_id"])


def _ledger() -> None:
    op.create_table(
        "ledger",
        Column("id", exact(40), primary_key=True),
        Column("order_id", exact(26), nullable=False),
        Column("merchant_payment_id", exact(64), nullable=False),
        Column("kind", String(20), nullable=False),
        Column("debit_account", String(80), nullable=False),
        Column("credit_account", String(80), nullable=False),
        Column("amount_yen", BigInteger, nullable=False),
        Column("at_ms", BigInteger, nullable=False),
        CheckConstraint("amount_yen >= 1", name="ck_ledger_amount"),
        CheckConstraint("debit_account <> credit_account", name="ck_ledger_accounts"),
    )
    op.create_index("ix_ledger_order", "ledger", ["order_id"])
