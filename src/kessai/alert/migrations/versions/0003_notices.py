"""What is still to be told outside; a row goes when it was told."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, Text

from kessai.kernel.kernel_tables import exact
from kessai.kernel.leases import due_columns

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "sys_pay_alert_notice",
        Column("id", exact(26), primary_key=True),
        Column("alert_id", exact(26), nullable=False),
        Column("body", Text, nullable=False),
        Column("created_at", BigInteger, nullable=False),
        Column("tries", Integer, nullable=False),
        *due_columns(),
    )
    op.create_index("ix_alert_notice_due", "sys_pay_alert_notice", ["due_at_ms", "id"])
