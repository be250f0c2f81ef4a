"""Reading the catalogue: pages, products, prices of record, search and suggestions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kessai.contracts.storage import (
    Categories,
    ListProducts,
    Product,
    ProductById,
    ProductPage,
    Quote,
    Quoted,
    QuotedLine,
    SearchPage,
    SearchProducts,
    Suggest,
    Suggestions,
)
from kessai.kernel.db import Db
from kessai.kernel.errors import JsonValue, Kind, NotFound, Refused
from kessai.kernel.money import yen
from kessai.storage.application.ports import Priced, ProductBook
from kessai.storage.domain import search
from kessai.storage.domain.cursor import read_cursor, write_cursor
from kessai.storage.domain.folding import terms


@dataclass(frozen=True, slots=True)
class SearchLimits:
    """A search looks at so many matches at most, and says so by its total."""

    matches: int = 10_000
    suggestions: int = 200


class Catalogue:
    def __init__(self, db: Db, products: ProductBook, limits: SearchLimits | None = None) -> None:
        self._db = db
        self._products = products
        self._limits = limits or SearchLimits()

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

    async def search_products(self, command: SearchProducts) -> SearchPage:
        async with self._db.read() as tx:
            matches = await self._products.matches(tx, terms(command.q), self._limits.matches)
            found = search.find(command, matches, await self._products.categories(tx))
            products = await self._products.get(tx, found.product_ids)
        return SearchPage(
            items=tuple(products[product_id] for product_id in found.product_ids),
            total=found.total,
            page=command.page,
            size=command.size,
            facets=found.facets,
        )

    async def suggest(self, command: Suggest) -> Suggestions:
        wanted = terms(command.q)
        if not wanted:
            return Suggestions(suggestions=(), products=())
        async with self._db.read() as tx:
            named = await self._products.named(tx, wanted, self._limits.suggestions)
            texts, product_ids = search.suggest(command.q, named, command.size)
            products = await self._products.get(tx, product_ids)
        return Suggestions(
            suggestions=texts,
            products=tuple(products[product_id] for product_id in product_ids),
        )


def _unsold(command: Quote, prices: Mapping[int, Priced]) -> list[JsonValue]:
    errors: list[JsonValue] = []
    for place, line in enumerate(command.lines):
        priced = prices.get(line.product_id)
        if priced is None or not priced.active:
            code = "UNKNOWN_PRODUCT" if priced is None else "NOT_SOLD"
            errors.append({"field": f"items[{place}].productId", "code": code})
    return errors
