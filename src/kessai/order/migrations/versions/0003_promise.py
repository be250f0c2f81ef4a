"""Since when an order settles, and the counts behind the promise of PAID within 60 s."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, SmallInteger, String, text

from kessai.kernel.kernel_tables import exact

revision = "0003"
down_revision = "0002"

# Money that was on its way when this came: who proved it is not known any more.
_UNDER_WAY = text(
    "UPDATE orders SET settling_since_ms = payment_completed_at_ms, settling_channel = 'other' "
    "WHERE decision = 'SETTLE' AND status IN ('PENDING', 'WAITING_PAYMENT') "
    "AND method = 'PAYPAY' AND paid_attempt IS NOT NULL"
)


def upgrade() -> None:
    op.add_column("orders", Column("settling_since_ms", BigInteger))
    op.add_column("orders", Column("settling_channel", String(20)))
    op.execute(_UNDER_WAY)
    op.create_index(
        "ix_orders_settling",
        "orders",
        ["settling_since_ms", "settling_channel"],
        sqlite_where=text("settling_since_ms IS NOT NULL"),
    )
    op.create_table(
        "promise_sample",
        Column("merchant_payment_id", exact(64), primary_key=True),
        Column("channel", String(20), nullable=False),
        Column("outcome", String(40), nullable=False),
        Column("ended_at_ms", BigInteger, nullable=False),
        Column("took_ms", BigInteger, nullable=False),
    )
    op.create_table(
        "promise_count",
        Column("span", SmallInteger, primary_key=True, autoincrement=False),
        Column("minute", BigInteger, primary_key=True, autoincrement=False),
        Column("channel", exact(20), primary_key=True),
        Column("outcome", exact(40), primary_key=True),
        Column("bucket", SmallInteger, primary_key=True, autoincrement=False),
        Column("payments", BigInteger, nullable=False),
        Column("max_ms", BigInteger, nullable=False),
    )
