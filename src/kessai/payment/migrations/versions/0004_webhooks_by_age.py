"""Webhooks that are old enough to be forgotten are found without reading all of them."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_index("ix_webhook_received", "webhook_inbox", ["last_received_ms"])
