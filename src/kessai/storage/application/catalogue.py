"""Reading the catalogue: pages, products, whole snapshots, prices of record."""

from __future__ import annotations

from collections.abc import Mapping

from kessai.contracts.storage import (
    Categories,
    ListProducts,
    ListSnapshots,
    Product,
    ProductById,
    ProductPage,
    Quote,
    Quoted,
    QuotedLine,
    SnapshotPage,
)
from kessai.kernel.clock import Clock
from kessai.kernel.db import Db
from kessai.kernel.errors import JsonValue, Kind, NotFound, Refused
from kessai.kernel.money import yen
from kessai.storage.application.ports import Priced, ProductBook
from kessai.storage.domain.cursor import read_cursor, write_cursor
from kessai.storage.domain.movements import sold_since


class Catalogue:
    def __init__(self, db: Db, clock: Clock, products: ProductBook) -> None:
        self._db = db
        self._clock = clock
        self._products = products

    async def list_categories(self) -> Categories:
        async with self._db.read() as tx:
            return Categories(items=await self._products.categories(tx))

    async def list_products(self, command: ListProducts) -> ProductPage:
        """What is on sale, in the order of product ids; a new product disturbs no page."""
        after = read_cursor(command.cursor, command.category_id) if command.cursor else 0
        async with self._db.read() as tx:
            found = await self._products.page(tx, command.category_id, after, command.limit + 1)
        items = tuple(found[: command.limit])
        more = len(found) > command.limit
        cursor = write_cursor(command.category_id, items[-1].product_id) if more else None
        return ProductPage(items=items, next_cursor=cursor)

    async def get_product(self, command: ProductById) -> Product:
        """Also one that is not sold any more: an old order still links to it."""
        async with self._db.read() as tx:
            found = await self._products.get(tx, [command.product_id])
        if command.product_id not in found:
            raise NotFound("no such product")
        return found[command.product_id]

    async def list_snapshots(self, command: ListSnapshots) -> SnapshotPage:
        """By the product id, so that whoever reads them all misses and repeats none."""
        since_day = sold_since(self._clock.now_ms())
        async with self._db.read() as tx:
            found = await self._products.snapshots(tx, command.after, command.limit, since_day)
        return SnapshotPage(items=tuple(found))

    async def quote(self, command: Quote) -> Quoted:
        wanted = tuple(dict.fromkeys(line.product_id for line in command.lines))
        async with self._db.read() as tx:
            prices = await self._products.prices(tx, wanted)
        if errors := _unsold(command, prices):
            message = "a product is unknown or not sold any more"
            raise Refused("VALIDATION", message, kind=Kind.INVALID, facts={"errors": errors})
        lines = tuple(
            QuotedLine(
                product_id=line.product_id,
                title=prices[line.product_id].title,
                image_key=prices[line.product_id].image_key,
                unit_price=prices[line.product_id].price,
                quantity=line.quantity,
            )
            for line in command.lines
        )
        amount = sum(line.unit_price * line.quantity for line in lines)
        return Quoted(lines=lines, amount=yen(amount))


def _unsold(command: Quote, prices: Mapping[int, Priced]) -> list[JsonValue]:
    errors: list[JsonValue] = []
    for place, line in enumerate(command.lines):
        priced = prices.get(line.product_id)
        if priced is None or not priced.active:
            code = "UNKNOWN_PRODUCT" if priced is None else "NOT_SOLD"
            errors.append({"field": f"items[{place}].productId", "code": code})
    return errors
