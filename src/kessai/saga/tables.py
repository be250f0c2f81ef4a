"""Schema changes of the saga log, for the migrations of the service that owns the database."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

MEDIUM_TEXT = 16_777_215


def saga_tables_v1(op: Operations) -> None:
    """`from alembic import op; saga_tables_v1(op)` in one revision. Never edited once released."""
    op.create_table(
        "sg_event",
        sa.Column("machine_id", sa.String(26), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("status", sa.String(2), nullable=False),
        sa.Column("data", sa.Text(MEDIUM_TEXT), nullable=False),
        sa.PrimaryKeyConstraint("machine_id", "seq", name="pk_sg_event"),
    )
    op.create_table(
        "sg_machine",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("version", sa.String(32), nullable=False),
        sa.Column("business_key", sa.String(128), nullable=True),
        sa.Column("status", sa.String(2), nullable=False),
        sa.Column("compensation", sa.String(2), nullable=True),
        sa.Column("running", sa.Integer(), nullable=False),
        sa.Column("owner", sa.String(100), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("redrives", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("needs_operator", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_sg_machine"),
        sa.UniqueConstraint("name", "business_key", name="uq_sg_machine_name_business_key"),
    )
    op.create_index("ix_sg_machine_running_owner", "sg_machine", ["running", "owner"])
    op.create_index("ix_sg_machine_due_at", "sg_machine", ["due_at"])
    op.create_index("ix_sg_machine_needs_operator", "sg_machine", ["needs_operator"])
    op.create_table(
        "sg_engine",
        sa.Column("owner", sa.String(100), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("owner", name="pk_sg_engine"),
    )


def saga_tables_v2(op: Operations) -> None:
    """Sub machines know the step that began them, and lists by status stay fast."""
    op.add_column("sg_machine", sa.Column("parent_id", sa.String(64), nullable=True))
    op.create_index("ix_sg_machine_parent_id", "sg_machine", ["parent_id"])
    op.create_index("ix_sg_machine_status_id", "sg_machine", ["status", "id"])
    op.create_index("ix_sg_machine_ended_at", "sg_machine", ["ended_at"])


def saga_tables_v3(op: Operations) -> None:
    """Sagas that another engine runs: what it has to be told, and what local steps answered."""
    op.create_table(
        "sg_intent",
        sa.Column("machine_id", sa.String(26), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("correlation", sa.String(200), nullable=False),
        sa.Column("traceparent", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("machine_id", name="pk_sg_intent"),
    )
    op.create_index("ix_sg_intent_at", "sg_intent", ["at"])
    op.create_table(
        "sg_answer",
        sa.Column("machine_id", sa.String(26), nullable=False),
        sa.Column("asked", sa.String(200), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.Text(MEDIUM_TEXT), nullable=False),
        sa.PrimaryKeyConstraint("machine_id", "asked", name="pk_sg_answer"),
    )
    op.create_index("ix_sg_answer_at", "sg_answer", ["at"])
