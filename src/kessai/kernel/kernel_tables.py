"""The kernel's own tables in every service's schema: outbox, inbox, idempotency, leases.

A service's migrations call `<table>_v1(op)`. What such a function creates is history and never
changes; a later shape is a `_v2` beside it. The `Table` objects are the newest shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.mysql import MEDIUMBLOB, VARCHAR
from sqlalchemy.schema import SchemaItem

from kessai.kernel.db import SERIAL


class Op(Protocol):
    """The two operations of `alembic.op` that new tables need."""

    def create_table(self, table_name: str, *columns: SchemaItem, **kw: Any) -> Table: ...

    def create_index(
        self, index_name: str | None, table_name: str, columns: Sequence[Any], **kw: Any
    ) -> None: ...


def exact(length: int) -> String:
    """Text that is compared byte by byte; MySQL's default takes `a` and `A` for one key."""
    binary = VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin")
    return String(length).with_variant(binary, "mysql", "mariadb")


def blob() -> LargeBinary:
    """Bytes up to 16 MiB, also on MySQL, whose plain BLOB ends at 64 KiB."""
    return LargeBinary().with_variant(MEDIUMBLOB(), "mysql", "mariadb")


KERNEL = MetaData()

OUTBOX = Table(
    "outbox",
    KERNEL,
    Column("id", SERIAL, primary_key=True, autoincrement=True),
    Column("topic", String(120), nullable=False),
    Column("message_key", exact(120), nullable=False),
    Column("value", blob(), nullable=False),
    Column("headers", Text, nullable=False),
    Column("event_id", exact(80), nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("sent", SmallInteger, nullable=False),
    Column("sent_at_ms", BigInteger),
    # An id is never given twice, or the relay's cursor would step over a new row.
    sqlite_autoincrement=True,
)
Index("ix_outbox_unsent", OUTBOX.c.sent, OUTBOX.c.id, sqlite_where=text("sent = 0"))

INBOX = Table(
    "inbox",
    KERNEL,
    Column("consumer", exact(80), primary_key=True),
    Column("event_id", exact(80), primary_key=True),
    Column("seen_at_ms", BigInteger, nullable=False),
)
Index("ix_inbox_seen", INBOX.c.seen_at_ms)

IDEMPOTENCY = Table(
    "idempotency",
    KERNEL,
    Column("scope", exact(120), primary_key=True),
    Column("request_key", exact(255), primary_key=True),
    Column("request_hash", exact(64), nullable=False),
    Column("state", String(10), nullable=False),
    Column("subject_id", exact(80), nullable=False),
    Column("status_code", Integer),
    Column("answer", Text),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("progressed_at_ms", BigInteger, nullable=False),
)
Index("ix_idempotency_created", IDEMPOTENCY.c.created_at_ms)

LEASES = Table(
    "leases",
    KERNEL,
    Column("name", exact(120), primary_key=True),
    Column("owner", exact(120), nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
)


def outbox_v1(op: Op) -> None:
    op.create_table(
        "outbox",
        Column("id", SERIAL, primary_key=True, autoincrement=True),
        Column("topic", String(120), nullable=False),
        Column("message_key", exact(120), nullable=False),
        Column("value", blob(), nullable=False),
        Column("headers", Text, nullable=False),
        Column("event_id", exact(80), nullable=False),
        Column("created_at_ms", BigInteger, nullable=False),
        Column("sent", SmallInteger, nullable=False),
        Column("sent_at_ms", BigInteger),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_outbox_unsent", "outbox", ["sent", "id"], unique=False, sqlite_where=text("sent = 0")
    )


def inbox_v1(op: Op) -> None:
    op.create_table(
        "inbox",
        Column("consumer", exact(80), primary_key=True),
        Column("event_id", exact(80), primary_key=True),
        Column("seen_at_ms", BigInteger, nullable=False),
    )
    op.create_index("ix_inbox_seen", "inbox", ["seen_at_ms"], unique=False)


def idempotency_v1(op: Op) -> None:
    op.create_table(
        "idempotency",
        Column("scope", exact(120), primary_key=True),
        Column("request_key", exact(255), primary_key=True),
        Column("request_hash", exact(64), nullable=False),
        Column("state", String(10), nullable=False),
        Column("subject_id", exact(80), nullable=False),
        Column("status_code", Integer),
        Column("answer", Text),
        Column("created_at_ms", BigInteger, nullable=False),
        Column("progressed_at_ms", BigInteger, nullable=False),
    )
    op.create_index("ix_idempotency_created", "idempotency", ["created_at_ms"], unique=False)


def leases_v1(op: Op) -> None:
    op.create_table(
        "leases",
        Column("name", exact(120), primary_key=True),
        Column("owner", exact(120), nullable=False),
        Column("fence", BigInteger, nullable=False),
        Column("until_ms", BigInteger, nullable=False),
    )
