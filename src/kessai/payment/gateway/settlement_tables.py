"""The reports on the provider's files of a day, and the files that were announced."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table

from kessai.kernel.kernel_tables import exact
from kessai.kernel.leases import due_columns
from kessai.payment.gateway.tables import METADATA

RUN = Table(
    "settlement_run",
    METADATA,
    Column("id", exact(40), primary_key=True),
    Column("day", String(10), nullable=False),
    Column("digest", exact(64), nullable=False),
    Column("file_name", String(200), nullable=False),
    Column("layout", String(20), nullable=False),
    Column("file_rows", BigInteger, nullable=False),
    Column("matched", BigInteger, nullable=False),
    Column("missing_here", BigInteger, nullable=False),
    Column("missing_there", BigInteger, nullable=False),
    Column("differing", BigInteger, nullable=False),
    Column("duplicates", BigInteger, nullable=False),
    Column("broken", BigInteger, nullable=False),
    Column("without_money", BigInteger, nullable=False),
    Column("theirs_yen", BigInteger, nullable=False),
    Column("ours_yen", BigInteger, nullable=False),
    Column("began_at_ms", BigInteger, nullable=False),
    Column("ended_at_ms", BigInteger, nullable=False),
)
Index("ix_settlement_run_day", RUN.c.day, RUN.c.id)

DIFFERENCE = Table(
    "settlement_difference",
    METADATA,
    Column("run_id", exact(40), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("difference_key", exact(40), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("what", String(40), nullable=False),
    Column("file_row", BigInteger),
    Column("merchant_payment_id", exact(64)),
    Column("payment_id", exact(64)),
    Column("refund_id", exact(64)),
    Column("order_id", exact(26)),
    Column("theirs", String(200)),
    Column("ours", String(200)),
    Column("amount_yen", BigInteger),
    Column("remedy", String(20), nullable=False),
)
Index("ix_settlement_difference_key", DIFFERENCE.c.difference_key)

# Entries that were found in the file of another day than their own: a refund at midnight.
ELSEWHERE = Table(
    "settlement_elsewhere",
    METADATA,
    Column("entry_id", exact(40), primary_key=True),
    Column("day", String(10), nullable=False),
    Column("run_id", exact(40), nullable=False),
)

FILE = Table(
    "settlement_file",
    METADATA,
    Column("id", exact(40), primary_key=True),
    Column("link", String(2000), nullable=False),
    Column("status", String(20), nullable=False),
    Column("reason", String(200)),
    Column("run_id", exact(40)),
    Column("tries", Integer, nullable=False),
    Column("received_at_ms", BigInteger, nullable=False),
    Column("link_ends_at_ms", BigInteger, nullable=False),
    *due_columns(),
)
Index("ix_settlement_file_due", FILE.c.due_at_ms, FILE.c.id)
