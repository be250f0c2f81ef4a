"""Searching over a catalogue in memory: the real use cases, index and words, and a storage-service
that has just products."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import cast

from kessai.contracts.search import FoundProduct, SearchProducts, Suggest
from kessai.contracts.storage import (
    ListedProduct,
    ListSnapshots,
    Names,
    SnapshotCategory,
    SnapshotPage,
    StorageService,
)
from kessai.kernel.aside import at_once
from kessai.kernel.clock import SystemClock
from kessai.search.application.indexing import Indexing
from kessai.search.application.searching import Searching
from kessai.search.application.wordlist import WordList
from kessai.search.domain.planner import Planner
from kessai.search.domain.synonyms import Synonyms
from kessai.search.gateway.dictionary import SudachiWords
from kessai.search.gateway.tantivy_index import TantivyIndex

SPLIT = SudachiWords()


def a_product(product_id: int, title: str, **more: object) -> ListedProduct:
    given = {
        "version": 1,
        "titles": Names(),
        "description": "",
        "category": SnapshotCategory(id=1, name="茶"),
        "price": 1000,
        "stock": 5,
        "status": "ACTIVE",
        "created_at": "2026-03-02T00:00:00.000Z",
        **more,
    }
    return ListedProduct.model_validate({"product_id": product_id, "title": title, **given})


@dataclass
class Shelf:
    """storage-service as far as es-service asks it."""

    products: dict[int, ListedProduct] = field(default_factory=dict)

    def set(self, products: Iterable[ListedProduct]) -> None:
        self.products |= {product.product_id: product for product in products}

    async def list_snapshots(self, command: ListSnapshots) -> SnapshotPage:
        after = [self.products[i] for i in sorted(self.products) if i > command.after]
        return SnapshotPage(items=tuple(after[: command.limit]))


@dataclass
class SearchShop:
    shelf: Shelf
    index: TantivyIndex
    indexing: Indexing
    searching: Searching

    async def find(self, q: str, **more: object) -> list[int]:
        command = SearchProducts.model_validate({"q": q, **more})
        return [item.product_id for item in (await self.searching.search(command)).items]

    async def meant(self, q: str) -> str | None:
        return (await self.searching.search(SearchProducts(q=q))).did_you_mean

    async def suggest(self, q: str) -> tuple[str, ...]:
        return (await self.searching.suggest(Suggest(q=q))).suggestions

    async def suggested(self, q: str) -> tuple[FoundProduct, ...]:
        return (await self.searching.suggest(Suggest(q=q))).products


async def a_search_shop(
    products: Iterable[ListedProduct], synonyms: Iterable[str] = ()
) -> SearchShop:
    shelf = Shelf()
    shelf.set(products)
    index = await TantivyIndex.open(None, at_once)
    words = WordList(index, SystemClock(), fresh_ms=0)
    indexing = Indexing(index, cast(StorageService, shelf), words, SPLIT)
    planner = Planner(SPLIT, Synonyms.read(synonyms, SPLIT))
    await indexing.init()
    return SearchShop(shelf, index, indexing, Searching(index, planner, words))
