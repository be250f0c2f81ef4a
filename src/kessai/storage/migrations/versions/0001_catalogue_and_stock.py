"""Products, stock with its ledger, reservations, restocks, outbox, leases."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, CheckConstraint, Column, Integer, SmallInteger, String, Text
from sqlalchemy import text as sql
from sqlalchemy.dialects.mysql import TEXT

from kessai.kernel.db import SERIAL
from kessai.kernel.kernel_tables import exact, leases_v1, outbox_v1

revision = "0001"
down_revision = None


def upgrade() -> None:
    outbox_v1(op)
    leases_v1(op)
    _catalogue()
    _stock()
    _reservations()


def _catalogue() -> None:
    op.create_table(
        "category",
        Column("category_id", Integer, primary_key=True, autoincrement=False),
        Column("name", exact(80), nullable=False, unique=True),
        Column("name_en", String(80)),
        Column("name_zh", String(80)),
        Column("image_key", exact(64)),
    )
    op.create_table(
        "product",
        Column("product_id", BigInteger, primary_key=True, autoincrement=False),
        Column("category_id", Integer, nullable=False),
        Column("title", String(200), nullable=False),
        Column("title_en", String(200)),
        Column("title_zh", String(200)),
        Column("reading", String(200)),
        Column("description", Text, nullable=False),
        Column("price", BigInteger, nullable=False),
        Column("status", String(10), nullable=False),
        Column("image_file", String(200)),
        Column("image_key", exact(64)),
        Column("imported_stock", BigInteger),
        Column("search_title", exact(400), nullable=False),
        Column("search_text", _exact_text(), nullable=False),
        Column("created_at_ms", BigInteger, nullable=False),
        CheckConstraint("price >= 1", name="ck_product_price"),
    )
    op.create_index("ix_product_category", "product", ["category_id", "product_id"])


def _stock() -> None:
    op.create_table(
        "stock",
        Column("product_id", BigInteger, primary_key=True, autoincrement=False),
        Column("on_hand", BigInteger, nullable=False),
        Column("available", BigInteger, nullable=False),
        Column("reserved", BigInteger, nullable=False),
        Column("sold", BigInteger, nullable=False),
        Column("version", BigInteger, nullable=False),
        Column("dirty", SmallInteger, nullable=False),
        Column("announced_at_ms", BigInteger, nullable=False),
        CheckConstraint("available >= 0", name="ck_stock_available"),
        CheckConstraint("reserved >= 0", name="ck_stock_reserved"),
        CheckConstraint("on_hand = available + reserved", name="ck_stock_on_hand"),
    )
    op.create_index("ix_stock_dirty", "stock", ["dirty", "product_id"], sqlite_where=sql("dirty=1"))
    op.create_table(
        "stock_ledger",
        Column("id", SERIAL, primary_key=True, autoincrement=True),
        Column("product_id", BigInteger, nullable=False),
        Column("kind", String(10), nullable=False),
        Column("cause_id", exact(64), nullable=False),
        Column("available_delta", BigInteger, nullable=False),
        Column("reserved_delta", BigInteger, nullable=False),
        Column("sold_delta", BigInteger, nullable=False),
        Column("at_ms", BigInteger, nullable=False),
    )
    op.create_index(
        "ux_ledger_cause", "stock_ledger", ["cause_id", "kind", "product_id"], unique=True
    )
    op.create_table(
        "sold_day",
        Column("product_id", BigInteger, primary_key=True, autoincrement=False),
        Column("day", Integer, primary_key=True, autoincrement=False),
        Column("quantity", BigInteger, nullable=False),
    )


def _reservations() -> None:
    op.create_table(
        "reservation",
        Column("reservation_id", exact(64), primary_key=True),
        Column("order_id", exact(26)),
        Column("status", String(10), nullable=False),
        Column("lines", String(2000), nullable=False),
        Column("created_at_ms", BigInteger, nullable=False),
        Column("ended_at_ms", BigInteger),
        Column("signalled", SmallInteger, nullable=False),
    )
    op.create_index("ix_reservation_open", "reservation", ["status", "signalled", "created_at_ms"])
    op.create_table(
        "restock",
        Column("restock_id", exact(64), primary_key=True),
        Column("reservation_id", exact(64), nullable=False, unique=True),
        Column("reason", String(60), nullable=False),
        Column("at_ms", BigInteger, nullable=False),
    )


def _exact_text() -> Text:
    """MySQL's default collation takes は, ば and ぱ for one letter."""
    return Text().with_variant(TEXT(collation="utf8mb4_bin"), "mysql", "mariadb")
