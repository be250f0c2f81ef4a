"""A shop that was stocked by an older version: what it sells is kept, and its index hears of it."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import text

import kessai.storage.gateway.tables as tables
from kessai.kernel.db import open_database
from kessai.kernel.migrations import migrate, migrate_from

BEFORE = (
    "INSERT INTO category (category_id, name) VALUES (1, '茶')",
    "INSERT INTO product (product_id, category_id, title, description, price, status,"
    " search_title, search_text, created_at_ms)"
    " VALUES (7, 1, '急須', '土', 8800, 'ACTIVE', '急須', '急須 茶 土', 1000)",
    "INSERT INTO stock (product_id, on_hand, available, reserved, sold, version, dirty,"
    " announced_at_ms) VALUES (7, 3, 2, 1, 4, 9, 0, 5000)",
)


async def test_products_of_the_version_before_are_kept_and_announced_anew(tmp_path: Path) -> None:
    versions = Path(tables.__file__).parent.parent / "migrations" / "versions"
    first = versions / "0001_catalogue_and_stock.py"
    (tmp_path / first.name).write_text(first.read_text("utf-8"), "utf-8")
    db = await open_database("sqlite:")
    try:
        migrate_from(db, str(tmp_path), name="storage")
        async with db.transaction() as tx:
            for sql in BEFORE:
                await tx.run(text(sql))
        migrate(db, "storage")
        async with db.read() as tx:
            [product] = (await tx.run(text("SELECT * FROM product"))).all()
            [stock] = (await tx.run(text("SELECT * FROM stock"))).all()
    finally:
        await db.close()
    assert {column.name for column in tables.PRODUCT.c} == set(dict(product))
    assert (product["title"], product["price"]) == ("急須", 8800)
    assert (stock["available"], stock["reserved"], stock["sold"]) == (2, 1, 4)
    # A version of its own, or readers would take the event for one that they know.
    assert (stock["dirty"], stock["version"]) == (1, 10)
