"""When money moved at the provider, what an entry is about, and the reports on the day's files."""

from __future__ import annotations

from typing import Any

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, String, bindparam, text

from kessai.kernel.ids import content_id
from kessai.kernel.kernel_tables import exact

revision = "0002"
down_revision = "0001"

_PAGE = 1000


def upgrade() -> None:
    _ledger()
    _runs()
    _files()


def _ledger() -> None:
    """A process of the version before may still write entries: both columns stay optional."""
    op.add_column("ledger", Column("refund_id", exact(64)))
    op.add_column("ledger", Column("value_at_ms", BigInteger))
    _fill()
    op.create_index("ix_ledger_value", "ledger", ["value_at_ms", "id"])
    op.create_index("ix_ledger_attempt", "ledger", ["merchant_payment_id"])
    op.create_index("ix_attempt_payment", "attempt", ["payment_id"])


def _fill() -> None:
    op.execute(text("UPDATE ledger SET value_at_ms = at_ms"))
    op.execute(
        text(
            "UPDATE ledger SET value_at_ms = COALESCE((SELECT attempt.completed_at_ms FROM attempt "
            "WHERE attempt.id = ledger.merchant_payment_id), at_ms) WHERE kind = 'CAPTURE'"
        )
    )
    connection = op.get_bind()
    page = text(
        "SELECT id, accepted_at_ms FROM refund WHERE id > :after AND status = 'COMPLETED' "
        "ORDER BY id LIMIT :size"
    )
    name = text(
        "UPDATE ledger SET refund_id = :refund, value_at_ms = COALESCE(:accepted, at_ms) "
        "WHERE id = :entry"
    ).bindparams(bindparam("accepted", type_=BigInteger()))
    after = ""
    while rows := connection.execute(page, {"after": after, "size": _PAGE}).all():
        for refund, accepted in rows:
            entry = content_id("ledger", "REFUND", refund)
            connection.execute(name, {"refund": refund, "accepted": accepted, "entry": entry})
        after = rows[-1][0]


def _runs() -> None:
    op.create_table(
        "settlement_run",
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
    op.create_index("ix_settlement_run_day", "settlement_run", ["day", "id"])
    op.create_table(
        "settlement_difference",
        Column("run_id", exact(40), primary_key=True),
        Column("number", Integer, primary_key=True),
        Column("difference_key", exact(40), nullable=False),
        Column("kind", String(20), nullable=False),
        Column("what", String(40), nullable=False),
        Column("file_row", BigInteger),
        *_about(),
        Column("theirs", String(200)),
        Column("ours", String(200)),
        Column("amount_yen", BigInteger),
        Column("remedy", String(20), nullable=False),
    )
    op.create_index("ix_settlement_difference_key", "settlement_difference", ["difference_key"])
    op.create_table(
        "settlement_elsewhere",
        Column("entry_id", exact(40), primary_key=True),
        Column("day", String(10), nullable=False),
        Column("run_id", exact(40), nullable=False),
    )


def _about() -> tuple[Column[Any], ...]:
    return (
        Column("merchant_payment_id", exact(64)),
        Column("payment_id", exact(64)),
        Column("refund_id", exact(64)),
        Column("order_id", exact(26)),
    )


def _files() -> None:
    op.create_table(
        "settlement_file",
        Column("id", exact(40), primary_key=True),
        Column("link", String(2000), nullable=False),
        Column("status", String(20), nullable=False),
        Column("reason", String(200)),
        Column("run_id", exact(40)),
        Column("tries", Integer, nullable=False),
        Column("received_at_ms", BigInteger, nullable=False),
        Column("link_ends_at_ms", BigInteger, nullable=False),
        Column("due_at_ms", BigInteger),
        Column("lease_owner", String(120)),
        Column("lease_until_ms", BigInteger, nullable=False, server_default=text("0")),
        Column("lease_fence", BigInteger, nullable=False, server_default=text("0")),
    )
    op.create_index("ix_settlement_file_due", "settlement_file", ["due_at_ms", "id"])
