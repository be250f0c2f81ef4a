"""Every change of any alert has a number, in the order of the commits."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, SmallInteger, text

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    column = Column("change_no", BigInteger, nullable=False, server_default=text("0"))
    op.add_column("sys_pay_alert", column)
    op.create_index("ix_alert_change", "sys_pay_alert", ["change_no"])
    op.create_table(
        "sys_pay_alert_change",
        Column("id", SmallInteger, primary_key=True, autoincrement=False),
        Column("last_no", BigInteger, nullable=False),
    )
    op.execute(text("INSERT INTO sys_pay_alert_change (id, last_no) VALUES (1, 0)"))
