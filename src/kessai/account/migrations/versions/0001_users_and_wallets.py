"""Users with profile and role, wallets with holds, credits and the balance ledger."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, CheckConstraint, Column, String

from kessai.kernel.db import SERIAL
from kessai.kernel.kernel_tables import exact

revision = "0001"
down_revision = None


def upgrade() -> None:
    _users()
    _wallets()


def _users() -> None:
    op.create_table(
        "user_account",
        Column("user_id", exact(26), primary_key=True),
        Column("firebase_uid", exact(128), nullable=False, unique=True),
        Column("email", exact(254)),
        Column("name", String(200)),
        Column("role", String(10), nullable=False),
        Column("last_name", String(100)),
        Column("first_name", String(100)),
        Column("last_name_kana", String(100)),
        Column("first_name_kana", String(100)),
        Column("birth_date", String(10)),
        Column("gender", String(20)),
        Column("created_at_ms", BigInteger, nullable=False),
        Column("updated_at_ms", BigInteger, nullable=False),
    )
    op.create_index("ix_user_email", "user_account", ["email"])


def _wallets() -> None:
    op.create_table(
        "wallet",
        Column("user_id", exact(26), primary_key=True),
        Column("available", BigInteger, nullable=False),
        Column("held", BigInteger, nullable=False),
        CheckConstraint("available >= 0", name="ck_wallet_available"),
        CheckConstraint("held >= 0", name="ck_wallet_held"),
    )
    op.create_table(
        "hold",
        Column("hold_id", exact(64), primary_key=True),
        Column("user_id", exact(26)),
        Column("order_id", exact(26)),
        Column("amount", BigInteger, nullable=False),
        Column("status", String(10), nullable=False),
        Column("created_at_ms", BigInteger, nullable=False),
        Column("ended_at_ms", BigInteger),
    )
    op.create_table(
        "credit",
        Column("credit_id", exact(64), primary_key=True),
        Column("user_id", exact(26), nullable=False),
        Column("amount", BigInteger, nullable=False),
        Column("reason", String(60), nullable=False),
        Column("balance_after", BigInteger, nullable=False),
        Column("at_ms", BigInteger, nullable=False),
    )
    op.create_table(
        "balance_ledger",
        Column("id", SERIAL, primary_key=True, autoincrement=True),
        Column("user_id", exact(26), nullable=False),
        Column("kind", String(10), nullable=False),
        Column("cause_id", exact(64), nullable=False),
        Column("available_delta", BigInteger, nullable=False),
        Column("held_delta", BigInteger, nullable=False),
        Column("at_ms", BigInteger, nullable=False),
    )
    op.create_index("ux_balance_cause", "balance_ledger", ["cause_id", "kind"], unique=True)
    op.create_index("ix_balance_user", "balance_ledger", ["user_id", "id"])
