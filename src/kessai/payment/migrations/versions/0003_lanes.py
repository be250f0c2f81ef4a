"""Attempts that somebody waits for are looked at before those that are only watched."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, SmallInteger

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("attempt", Column("asked_at_ms", BigInteger))
    op.add_column("attempt", Column("lane", SmallInteger, nullable=False, server_default="0"))
    op.create_index("ix_attempt_lane", "attempt", ["lane", "due_at_ms", "id"])
