"""The simulator's book: one row for each payment, and what else must outlive the process."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Text

from kessai.kernel.db import SERIAL
from kessai.kernel.kernel_tables import blob, exact

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "sim_payment",
        Column("number", SERIAL, primary_key=True, autoincrement=True),
        Column("merchant_payment_id", exact(64), nullable=False, unique=True),
        Column("body", blob(), nullable=False),
    )
    op.create_table(
        "sim_kept",
        Column("name", exact(60), primary_key=True),
        Column("value", Text, nullable=False),
    )
