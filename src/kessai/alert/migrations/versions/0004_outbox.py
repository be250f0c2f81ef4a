"""The outbox: what a person closed is told to the topic and to the rules."""

from __future__ import annotations

from alembic import op

from kessai.kernel.kernel_tables import leases_v1, outbox_v1

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    outbox_v1(op)
    leases_v1(op)
