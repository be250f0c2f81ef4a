"""The tables of the saga log (design.md section 6): append-only events, one row per instance."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

METADATA = MetaData()
MEDIUM_TEXT = 16_777_215
NAME_LENGTH = 128
KEY_LENGTH = 128
ASKED_LENGTH = 200

SG_EVENT = Table(
    "sg_event",
    METADATA,
    Column("machine_id", String(26), nullable=False),
    Column("seq", Integer, nullable=False, autoincrement=False),
    Column("epoch", Integer, nullable=False),
    Column("kind", String(8), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("name", String(NAME_LENGTH), nullable=False),
    Column("status", String(2), nullable=False),
    Column("data", Text(MEDIUM_TEXT), nullable=False),
    PrimaryKeyConstraint("machine_id", "seq", name="pk_sg_event"),
)

SG_MACHINE = Table(
    "sg_machine",
    METADATA,
    Column("id", String(26), nullable=False),
    Column("name", String(NAME_LENGTH), nullable=False),
    Column("version", String(32), nullable=False),
    Column("business_key", String(KEY_LENGTH), nullable=True),
    Column("parent_id", String(64), nullable=True),
    Column("status", String(2), nullable=False),
    Column("compensation", String(2), nullable=True),
    Column("running", Integer, nullable=False),
    Column("owner", String(100), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("redrives", Integer, nullable=False),
    Column("due_at", BigInteger, nullable=True),
    Column("needs_operator", Integer, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=True),
    PrimaryKeyConstraint("id", name="pk_sg_machine"),
    UniqueConstraint("name", "business_key", name="uq_sg_machine_name_business_key"),
    Index("ix_sg_machine_running_owner", "running", "owner"),
    Index("ix_sg_machine_due_at", "due_at"),
    Index("ix_sg_machine_needs_operator", "needs_operator"),
    Index("ix_sg_machine_parent_id", "parent_id"),
    Index("ix_sg_machine_status_id", "status", "id"),
    Index("ix_sg_machine_ended_at", "ended_at"),
)

# A saga that another engine runs: written with the order, deleted once that engine has it.
SG_INTENT = Table(
    "sg_intent",
    METADATA,
    Column("machine_id", String(26), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("correlation", String(200), nullable=False),
    Column("traceparent", String(64), nullable=False),
    PrimaryKeyConstraint("machine_id", name="pk_sg_intent"),
    Index("ix_sg_intent_at", "at"),
)

# What a local step of such a saga answered: asked again, it is not done again.
SG_ANSWER = Table(
    "sg_answer",
    METADATA,
    Column("machine_id", String(26), nullable=False),
    Column("asked", String(ASKED_LENGTH), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("data", Text(MEDIUM_TEXT), nullable=False),
    PrimaryKeyConstraint("machine_id", "asked", name="pk_sg_answer"),
    Index("ix_sg_answer_at", "at"),
)

SG_ENGINE = Table(
    "sg_engine",
    METADATA,
    Column("owner", String(100), nullable=False),
    Column("lease_until", BigInteger, nullable=False),
    PrimaryKeyConstraint("owner", name="pk_sg_engine"),
)
