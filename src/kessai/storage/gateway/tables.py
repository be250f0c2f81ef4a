"""The newest shape of storage-service's tables; the migrations tell how they came to be."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, MetaData, SmallInteger, String, Table, Text

from kessai.kernel.db import SERIAL
from kessai.kernel.kernel_tables import exact

STORAGE = MetaData()

CATEGORY = Table(
    "category",
    STORAGE,
    Column("category_id", Integer, primary_key=True, autoincrement=False),
    Column("name", exact(80), nullable=False, unique=True),
    Column("name_en", String(80)),
    Column("name_zh", String(80)),
    Column("image_key", exact(64)),
)

PRODUCT = Table(
    "product",
    STORAGE,
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
    Column("created_at_ms", BigInteger, nullable=False),
)

# Apart from the product: a reservation rewrites these few numbers and no description.
STOCK = Table(
    "stock",
    STORAGE,
    Column("product_id", BigInteger, primary_key=True, autoincrement=False),
    Column("on_hand", BigInteger, nullable=False),
    Column("available", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False),
    Column("sold", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("dirty", SmallInteger, nullable=False),
    Column("announced_at_ms", BigInteger, nullable=False),
)

STOCK_LEDGER = Table(
    "stock_ledger",
    STORAGE,
    Column("id", SERIAL, primary_key=True, autoincrement=True),
    Column("product_id", BigInteger, nullable=False),
    Column("kind", String(10), nullable=False),
    Column("cause_id", exact(64), nullable=False),
    Column("available_delta", BigInteger, nullable=False),
    Column("reserved_delta", BigInteger, nullable=False),
    Column("sold_delta", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)

SOLD_DAY = Table(
    "sold_day",
    STORAGE,
    Column("product_id", BigInteger, primary_key=True, autoincrement=False),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("quantity", BigInteger, nullable=False),
)

RESERVATION = Table(
    "reservation",
    STORAGE,
    Column("reservation_id", exact(64), primary_key=True),
    Column("order_id", exact(26)),
    Column("status", String(10), nullable=False),
    Column("lines", String(2000), nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("ended_at_ms", BigInteger),
    Column("signalled", SmallInteger, nullable=False),
)

RESTOCK = Table(
    "restock",
    STORAGE,
    Column("restock_id", exact(64), primary_key=True),
    Column("reservation_id", exact(64), nullable=False, unique=True),
    Column("reason", String(60), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)
