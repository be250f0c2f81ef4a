"""Products and categories in SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import BindParameter, bindparam, func, insert, select, text, update

from kessai.contracts.storage import (
    Category,
    ListedProduct,
    Names,
    Pictureless,
    Product,
    ProductSnapshot,
    SnapshotCategory,
)
from kessai.kernel.clock import wire
from kessai.kernel.db import Row, Tx
from kessai.storage.application.ports import Announcement, Priced
from kessai.storage.domain.catalogue import CategoryName, Change, Content, Plan, Stored
from kessai.storage.gateway.tables import CATEGORY, PRODUCT, SOLD_DAY, STOCK

_ACTIVE = "ACTIVE"
_ON_SALE = PRODUCT.c.status == _ACTIVE
_IDS: BindParameter[Sequence[int]] = bindparam("ids", expanding=True)
_CATEGORIES = select(CATEGORY).order_by(CATEGORY.c.category_id)
_SHOWN = select(
    PRODUCT.c.product_id,
    PRODUCT.c.category_id,
    PRODUCT.c.title,
    PRODUCT.c.title_en,
    PRODUCT.c.title_zh,
    PRODUCT.c.description,
    PRODUCT.c.price,
    PRODUCT.c.status,
    PRODUCT.c.image_key,
    PRODUCT.c.created_at_ms,
    STOCK.c.available,
).join_from(PRODUCT, STOCK, PRODUCT.c.product_id == STOCK.c.product_id)
_PAGE = (
    _SHOWN.where(_ON_SALE, PRODUCT.c.product_id > bindparam("after"))
    .order_by(PRODUCT.c.product_id)
    .limit(bindparam("limit"))
)
_PAGE_OF_CATEGORY = _PAGE.where(PRODUCT.c.category_id == bindparam("category_id"))
_GET = _SHOWN.where(PRODUCT.c.product_id.in_(_IDS))
_PRICES = select(
    PRODUCT.c.product_id, PRODUCT.c.title, PRODUCT.c.image_key, PRODUCT.c.price, PRODUCT.c.status
).where(PRODUCT.c.product_id.in_(_IDS))
_ANY = select(PRODUCT.c.product_id).limit(1)
_STORED = (
    select(PRODUCT, STOCK.c.available, CATEGORY.c.name.label("category"))
    .join_from(PRODUCT, STOCK, PRODUCT.c.product_id == STOCK.c.product_id)
    .join(CATEGORY, CATEGORY.c.category_id == PRODUCT.c.category_id)
)
_STORED_OF = _STORED.where(PRODUCT.c.product_id.in_(_IDS))
_ADD_CATEGORY = insert(CATEGORY)
_ADD = insert(PRODUCT)
_CHANGE = (
    update(PRODUCT)
    .where(PRODUCT.c.product_id == bindparam("of_product"))
    .values(
        {
            column: bindparam(f"new_{column.name}")
            for column in PRODUCT.c
            if column.name not in ("product_id", "image_key")
        }
    )
)
_NOTE_STOCK = (
    update(PRODUCT)
    .where(PRODUCT.c.product_id == bindparam("of_product"))
    .values(imported_stock=bindparam("figure"))
)
_PICTURELESS = (
    select(PRODUCT.c.product_id, PRODUCT.c.image_file)
    .where(
        PRODUCT.c.image_key.is_(None),
        PRODUCT.c.image_file.is_not(None),
        PRODUCT.c.product_id > bindparam("after"),
    )
    .order_by(PRODUCT.c.product_id)
    .limit(bindparam("limit"))
)
_PICTURE = (
    update(PRODUCT)
    .where(PRODUCT.c.product_id == bindparam("of_product"))
    .values(image_key=bindparam("new_key"))
)
_FIRST_PICTURE = (
    select(PRODUCT.c.image_key)
    .where(PRODUCT.c.category_id == CATEGORY.c.category_id, PRODUCT.c.image_key.is_not(None))
    .order_by(PRODUCT.c.product_id)
    .limit(1)
    .scalar_subquery()
)
_PICTURE_CATEGORIES = (
    update(CATEGORY).where(CATEGORY.c.image_key.is_(None)).values(image_key=_FIRST_PICTURE)
)
# Literals, so that SQLite takes the partial index of what is dirty.
_UNANNOUNCED = (
    select(STOCK.c.product_id)
    .where(text("dirty = 1"), STOCK.c.announced_at_ms <= bindparam("before_ms"))
    .order_by(STOCK.c.product_id)
    .limit(bindparam("limit"))
)
_SOLD_SINCE = (
    select(func.coalesce(func.sum(SOLD_DAY.c.quantity), 0))
    .where(SOLD_DAY.c.product_id == PRODUCT.c.product_id, SOLD_DAY.c.day > bindparam("since_day"))
    .scalar_subquery()
)
_SNAPSHOT = _STORED.add_columns(
    STOCK.c.version,
    CATEGORY.c.name_en.label("category_en"),
    CATEGORY.c.name_zh.label("category_zh"),
    _SOLD_SINCE.label("sold_recently"),
)
_SNAPSHOTS = (
    _SNAPSHOT.where(PRODUCT.c.product_id > bindparam("after"))
    .order_by(PRODUCT.c.product_id)
    .limit(bindparam("limit"))
)
# From here to the commit no count of theirs can change, on a server database either.
_ANNOUNCE = (
    update(STOCK)
    .where(
        STOCK.c.product_id.in_(_IDS),
        text("dirty = 1"),
        STOCK.c.announced_at_ms <= bindparam("before_ms"),
    )
    .values(dirty=0, announced_at_ms=bindparam("now_ms"))
)
_ANNOUNCED = _SNAPSHOT.where(
    PRODUCT.c.product_id.in_(_IDS),
    text("dirty = 0"),
    STOCK.c.announced_at_ms == bindparam("now_ms"),
).order_by(PRODUCT.c.product_id)


class SqlProductBook:
    async def categories(self, tx: Tx) -> tuple[Category, ...]:
        return tuple(_category(row) for row in (await tx.run(_CATEGORIES)).all())

    async def page(self, tx: Tx, category_id: int | None, after: int, limit: int) -> list[Product]:
        values = {"after": after, "limit": limit}
        if category_id is None:
            rows = await tx.run(_PAGE, values)
        else:
            rows = await tx.run(_PAGE_OF_CATEGORY, {**values, "category_id": category_id})
        return [_product(row) for row in rows.all()]

    async def get(self, tx: Tx, product_ids: Sequence[int]) -> Mapping[int, Product]:
        rows = (await tx.run(_GET, {"ids": product_ids})).all() if product_ids else ()
        return {row["product_id"]: _product(row) for row in rows}

    async def prices(self, tx: Tx, product_ids: Sequence[int]) -> Mapping[int, Priced]:
        rows = (await tx.run(_PRICES, {"ids": product_ids})).all()
        return {
            row["product_id"]: Priced(
                product_id=row["product_id"],
                title=row["title"],
                image_key=row["image_key"],
                price=row["price"],
                active=row["status"] == _ACTIVE,
            )
            for row in rows
        }

    async def any(self, tx: Tx) -> bool:
        return (await tx.run(_ANY)).first() is not None

    async def stored(self, tx: Tx, product_ids: Sequence[int]) -> Mapping[int, Stored]:
        rows = (await tx.run(_STORED_OF, {"ids": product_ids})).all()
        return {row["product_id"]: _stored(row) for row in rows}

    async def add_category(self, tx: Tx, category_id: int, name: CategoryName) -> None:
        row = {"name": name.name, "name_en": name.name_en, "name_zh": name.name_zh}
        await tx.run(_ADD_CATEGORY, {"category_id": category_id, "image_key": None, **row})

    async def write(self, tx: Tx, plans: Sequence[Plan], categories: Sequence[Category]) -> None:
        by_name = {category.name: category for category in categories}
        rows = [(plan, _row(plan, by_name[plan.category.name])) for plan in plans]
        if new := [row for plan, row in rows if plan.change is Change.CREATED]:
            await tx.run(_ADD, [{**row, "image_key": None} for row in new])
        if changed := [row for plan, row in rows if plan.change is Change.CHANGED]:
            await tx.run(_CHANGE, [_as_change(row) for row in changed])

    async def note_stock(self, tx: Tx, figures: Mapping[int, int | None]) -> None:
        rows = [{"of_product": product, "figure": figure} for product, figure in figures.items()]
        if rows:
            await tx.run(_NOTE_STOCK, rows)

    async def pictureless(self, tx: Tx, after: int, limit: int) -> list[Pictureless]:
        rows = (await tx.run(_PICTURELESS, {"after": after, "limit": limit})).all()
        return [
            Pictureless(product_id=row["product_id"], image_file=row["image_file"]) for row in rows
        ]

    async def picture(self, tx: Tx, keys: Mapping[int, str]) -> None:
        await tx.run(
            _PICTURE, [{"of_product": product, "new_key": key} for product, key in keys.items()]
        )
        await tx.run(_PICTURE_CATEGORIES)

    async def unannounced(self, tx: Tx, before_ms: int, limit: int) -> list[int]:
        rows = (await tx.run(_UNANNOUNCED, {"before_ms": before_ms, "limit": limit})).all()
        return [row["product_id"] for row in rows]

    async def announce(
        self, tx: Tx, product_ids: Sequence[int], announcement: Announcement
    ) -> list[ProductSnapshot]:
        now = {"ids": product_ids, "now_ms": announcement.now_ms}
        if not (await tx.run(_ANNOUNCE, {**now, "before_ms": announcement.before_ms})).rowcount:
            return []
        rows = await tx.run(_ANNOUNCED, {**now, "since_day": announcement.since_day})
        return [_snapshot(row) for row in rows.all()]

    async def snapshots(
        self, tx: Tx, after: int, limit: int, since_day: int
    ) -> list[ListedProduct]:
        of = {"after": after, "limit": limit, "since_day": since_day}
        return [_listed(row) for row in (await tx.run(_SNAPSHOTS, of)).all()]


def _category(row: Row) -> Category:
    return Category(
        id=row["category_id"],
        name=row["name"],
        names=Names(en=row["name_en"], zh=row["name_zh"]),
        image_key=row["image_key"],
    )


def _product(row: Row) -> Product:
    return Product(
        product_id=row["product_id"],
        category_id=row["category_id"],
        name=row["title"],
        names=Names(en=row["title_en"], zh=row["title_zh"]),
        description=row["description"],
        price=row["price"],
        stock=row["available"],
        image_key=row["image_key"],
        created_at=wire(row["created_at_ms"]),
        active=row["status"] == _ACTIVE,
    )


def _stored(row: Row) -> Stored:
    content = Content(
        product_id=row["product_id"],
        category=row["category"],
        title=row["title"],
        title_en=row["title_en"],
        title_zh=row["title_zh"],
        reading=row["reading"],
        description=row["description"],
        price=row["price"],
        status=row["status"],
        image_file=row["image_file"],
        created_at_ms=row["created_at_ms"],
    )
    return Stored(content, row["imported_stock"], row["available"])


def _row(plan: Plan, category: Category) -> dict[str, object]:
    content = plan.content
    return {
        "product_id": content.product_id,
        "category_id": category.id,
        "title": content.title,
        "title_en": content.title_en,
        "title_zh": content.title_zh,
        "reading": content.reading,
        "description": content.description,
        "price": content.price,
        "status": content.status,
        "image_file": content.image_file,
        "imported_stock": plan.imported_stock,
        "created_at_ms": content.created_at_ms,
    }


def _as_change(row: Mapping[str, object]) -> dict[str, object]:
    changed = {f"new_{name}": value for name, value in row.items() if name != "product_id"}
    return {"of_product": row["product_id"], **changed}


def _listed(row: Row) -> ListedProduct:
    return ListedProduct(**_fields(row), image_file=row["image_file"])


def _snapshot(row: Row) -> ProductSnapshot:
    return ProductSnapshot(**_fields(row))


def _fields(row: Row) -> dict[str, Any]:
    """The whole product as it is now, so that a reader needs no earlier event."""
    return {
        "product_id": row["product_id"],
        "version": row["version"],
        "title": row["title"],
        "titles": Names(en=row["title_en"], zh=row["title_zh"]),
        "reading": row["reading"],
        "description": row["description"],
        "category": SnapshotCategory(
            id=row["category_id"],
            name=row["category"],
            names=Names(en=row["category_en"], zh=row["category_zh"]),
        ),
        "price": row["price"],
        "stock": row["available"],
        "status": row["status"],
        "image_key": row["image_key"],
        # MySQL sums up to a Decimal.
        "sold_count_30d": max(0, int(row["sold_recently"])),
        "created_at": wire(row["created_at_ms"]),
    }
