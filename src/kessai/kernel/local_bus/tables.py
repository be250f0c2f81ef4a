"""The bus file: records, heads of partitions, members of groups and what they have claimed."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

from kessai.kernel.errors import KessaiError

FORMAT = 1
BUS = MetaData()

RECORD = Table(
    "bus_record",
    BUS,
    Column("topic", String, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("position", BigInteger, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("message_key", String, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Column("headers", Text, nullable=False),
    # The rows lie in the order in which they are read.
    sqlite_with_rowid=False,
)

HEAD = Table(
    "bus_head",
    BUS,
    Column("topic", String, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("first_position", BigInteger, nullable=False),
    Column("next_position", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# `position` is the next one to handle; an empty member means that nobody works the partition.
CLAIM = Table(
    "bus_claim",
    BUS,
    Column("consumer_group", String, primary_key=True),
    Column("topic", String, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("member", String, nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("touched_at_ms", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
Index("ix_bus_claim_place", CLAIM.c.topic, CLAIM.c.partition, CLAIM.c.position)

# `epoch` grows with every start under the same name: the elder of two processes must end.
MEMBER = Table(
    "bus_member",
    BUS,
    Column("consumer_group", String, primary_key=True),
    Column("member", String, primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# Messages that are published once, by the id of their event: for who may have to send them again.
ONCE = Table(
    "bus_once",
    BUS,
    Column("topic", String, primary_key=True),
    Column("event_id", String, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)


def create_or_check(connection: Connection) -> None:
    """The file belongs to the bus alone, so its format is one number and not a migration."""
    found = connection.execute(text("PRAGMA user_version")).scalar_one()
    if found not in (0, FORMAT):
        raise KessaiError(f"the bus file has format {found}, this program knows {FORMAT}")
    if found == 0:
        BUS.create_all(connection)
        connection.execute(text(f"PRAGMA user_version={FORMAT}"))
    # Younger than the format: older programs do not miss it.
    ONCE.create(connection, checkfirst=True)
