"""A product as it is kept, and what a row of a file makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from kessai.storage.domain.catalogue_file import CatalogueRow

OTHER_CATEGORY = ("その他", "Other", "其他")


class Change(StrEnum):
    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class CategoryName:
    name: str
    name_en: str | None = None
    name_zh: str | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """Everything of a product that a file decides, without its stock."""

    product_id: int
    category: str
    title: str
    title_en: str | None
    title_zh: str | None
    reading: str | None
    description: str
    price: int
    status: str
    image_file: str | None
    created_at_ms: int


@dataclass(frozen=True, slots=True)
class Stored:
    """`imported_stock` is the last figure that a file gave; `available` is what is left today."""

    content: Content
    imported_stock: int | None
    available: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What one row asks for. `stock_delta` is 0 unless the file's own figure has changed.

    `is_noted`: nothing changes, but the file gave another figure than the last one did.
    """

    change: Change
    content: Content
    category: CategoryName
    imported_stock: int | None
    stock_delta: int
    is_noted: bool = False


def plan(row: CatalogueRow, stored: Stored | None) -> Plan:
    """A row that says what is known already changes nothing, however much was sold since.

    A new figure for stock sets what can be bought from now on; what is reserved stays reserved.
    """
    category = _category(row, stored)
    content = _content(row, category.name, stored)
    if stored is None:
        return Plan(Change.CREATED, content, category, row.stock, row.stock or 0)
    recounted = row.stock is not None and row.stock != stored.imported_stock
    delta = row.stock - stored.available if recounted and row.stock is not None else 0
    same = content == stored.content and delta == 0
    return Plan(
        change=Change.UNCHANGED if same else Change.CHANGED,
        content=content,
        category=category,
        imported_stock=row.stock if recounted else stored.imported_stock,
        stock_delta=delta,
        is_noted=same and recounted,
    )


def _category(row: CatalogueRow, stored: Stored | None) -> CategoryName:
    if row.category is not None:
        return CategoryName(row.category, row.category_en, row.category_zh)
    return CategoryName(stored.content.category) if stored else CategoryName(*OTHER_CATEGORY)


def _content(row: CatalogueRow, category: str, stored: Stored | None) -> Content:
    """Optional columns that are empty leave what is there."""
    known = stored.content if stored else None
    return Content(
        product_id=row.product_id,
        category=category,
        title=row.title,
        title_en=row.title_en or (known.title_en if known else None),
        title_zh=row.title_zh or (known.title_zh if known else None),
        reading=row.reading or (known.reading if known else None),
        description=row.description,
        price=row.price,
        status=row.status,
        image_file=row.image_file or (known.image_file if known else None),
        created_at_ms=row.created_at_ms,
    )
