"""Alerts, and what was done with them."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, String, Text

from kessai.kernel.db import SERIAL
from kessai.kernel.kernel_tables import exact

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "sys_pay_alert",
        Column("alert_id", exact(26), primary_key=True),
        Column("rule", String(10), nullable=False),
        Column("severity", String(2), nullable=False),
        Column("order_id", exact(64)),
        Column("source", exact(64)),
        Column("status", String(12), nullable=False),
        Column("facts_json", Text, nullable=False),
        Column("detected_at", BigInteger, nullable=False),
        Column("resolved_at", BigInteger),
        Column("resolved_by", String(64)),
        Column("assignee", String(64)),
        Column("note", Text),
        Column("count", Integer, nullable=False),
        Column("first_seen", BigInteger, nullable=False),
        Column("last_seen", BigInteger, nullable=False),
        Column("version", BigInteger, nullable=False),
    )
    op.create_index("ix_alert_newest", "sys_pay_alert", ["detected_at", "alert_id"])
    op.create_index("ix_alert_order", "sys_pay_alert", ["order_id"])
    op.create_table(
        "sys_pay_alert_act",
        Column("id", SERIAL, primary_key=True, autoincrement=True),
        Column("alert_id", exact(26), nullable=False),
        Column("version", BigInteger, nullable=False),
        Column("at", BigInteger, nullable=False),
        Column("action", String(16), nullable=False),
        Column("actor", String(64), nullable=False),
        Column("reason", Text, nullable=False),
        Column("note", Text),
    )
    op.create_index("ix_alert_act", "sys_pay_alert_act", ["alert_id", "id"])
