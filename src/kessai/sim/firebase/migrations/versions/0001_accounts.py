"""Accounts, mails, signing keys and secrets."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, LargeBinary, SmallInteger, String, Text

from kessai.kernel.kernel_tables import exact

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "accounts",
        Column("local_id", exact(128), primary_key=True),
        Column("email", exact(254), nullable=False, unique=True),
        Column("password_hash", String(200), nullable=False),
        Column("refresh_mark", exact(16), nullable=False),
        Column("email_verified", SmallInteger, nullable=False),
        Column("display_name", String(256)),
        Column("photo_url", String(2048)),
        Column("disabled", SmallInteger, nullable=False),
        Column("custom_claims", Text, nullable=False),
        Column("created_at_ms", BigInteger, nullable=False),
        Column("last_login_at_ms", BigInteger, nullable=False),
        Column("password_updated_at_ms", BigInteger, nullable=False),
        Column("valid_since_s", BigInteger, nullable=False),
    )
    op.create_index("ix_accounts_created", "accounts", ["created_at_ms"])
    op.create_table(
        "mails",
        Column("code", exact(64), primary_key=True),
        Column("kind", String(20), nullable=False),
        Column("email", exact(254), nullable=False),
        Column("local_id", exact(128), nullable=False),
        Column("link", Text, nullable=False),
        Column("sent_at_ms", BigInteger, nullable=False),
        Column("is_used", SmallInteger, nullable=False),
    )
    op.create_index("ix_mails_sent", "mails", ["sent_at_ms"])
    op.create_table(
        "signing_keys",
        Column("kid", exact(64), primary_key=True),
        Column("private_pem", Text, nullable=False),
        Column("certificate_pem", Text, nullable=False),
        Column("created_at_ms", BigInteger, nullable=False),
    )
    op.create_table(
        "secrets",
        Column("name", exact(40), primary_key=True),
        Column("value", LargeBinary, nullable=False),
    )
