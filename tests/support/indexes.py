"""Product indexes for tests: small documents, and each adapter at a place of its own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from kessai.contracts.search import Sort
from kessai.kernel.aside import at_once
from kessai.kernel.elastic import elastic_at
from kessai.kernel.errors import Unknown
from kessai.search.application.ports import Hits, ProductIndex
from kessai.search.domain.document import Document
from kessai.search.domain.wanted import Filters, Request, Wanted
from kessai.search.gateway.elastic_index import open_elastic
from kessai.search.gateway.tantivy_index import TantivyIndex

TEA, POTS = (1, "茶"), (2, "Pots & cups")


def product(
    product_id: int,
    title: str = "",
    *,
    version: int = 1,
    on_sale: bool = True,
    words: tuple[str, ...] = (),
    category: tuple[int, str] = TEA,
    price: int = 1000,
    in_stock: bool = True,
    created_at_ms: int = 1_700_000_000_000,
    level: int = 0,
    **tokens: str,
) -> Document:
    """What it shows names its version, so that a test sees which one was found."""
    return Document(
        product_id=product_id,
        version=version,
        on_sale=on_sale,
        tokens={"title": title, **tokens},
        words=words,
        category_id=category[0],
        category_name=category[1],
        price=price,
        in_stock=in_stock,
        created_at_ms=created_at_ms,
        shown=json.dumps({"id": product_id, "version": version, "茶": '"\\\n'}).encode(),
        level=level,
    )


LATER, NOW = 1_800_000_000_000, 1_700_000_000_000
SHELF = (
    product(1, "tea", category=TEA, price=100, in_stock=True, created_at_ms=NOW + 1),
    product(2, "tea", category=TEA, price=200, in_stock=False, created_at_ms=NOW + 3),
    product(3, "tea pot", category=POTS, price=200, in_stock=True, created_at_ms=LATER),
    product(4, "pot", category=POTS, price=300, in_stock=True, created_at_ms=NOW),
    product(5, "cup", category=POTS, price=400, in_stock=False, created_at_ms=NOW + 2),
)


class Place(Protocol):
    """Where an index lies; each `open` is another process's view of it."""

    async def open(self, instance: str = "a") -> ProductIndex: ...

    async def parts(self) -> list[str]:
        """The names of what is kept there."""
        ...


@dataclass(frozen=True)
class TantivyPlace:
    folder: Path

    async def open(self, instance: str = "a") -> ProductIndex:
        return await TantivyIndex.open(self.folder, at_once)

    async def parts(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir() if path.is_dir())


@dataclass(frozen=True)
class ElasticPlace:
    url: str

    async def open(self, instance: str = "a") -> ProductIndex:
        return open_elastic(self.url, instance=instance)

    async def parts(self) -> list[str]:
        server = elastic_at(self.url)
        try:
            found = await server.client.indices.get(index=f"{server.prefix}-*")
            return sorted(found.body)
        finally:
            await server.client.close()


def own_prefix(url: str) -> str:
    """Of one test alone, on the server that everybody shares."""
    return urlsplit(url)._replace(path=f"/t{uuid4().hex[:8]}").geturl()


@asynccontextmanager
async def elastic_place(url: str) -> AsyncIterator[ElasticPlace]:
    """Its indexes are gone with the block."""
    made = ElasticPlace(own_prefix(url))
    try:
        yield made
    finally:
        names = await made.parts()
        server = elastic_at(made.url)
        if names:
            await server.client.indices.delete(index=names, ignore_unavailable=True)
        await server.client.close()


async def fill(index: ProductIndex, documents: Sequence[Document] = ()) -> None:
    async with index.rebuild() as new:
        await new.put(documents)


async def find(
    index: ProductIndex,
    wanted: Wanted | None = None,
    *,
    filters: Filters | None = None,
    sort: Sort = "relevance",
) -> list[int]:
    found = await index.search(Request(wanted, filters=filters or Filters(), sort=sort, limit=100))
    return ids(found)


def ids(found: Hits) -> list[int]:
    return [one.product_id for one in found.items]


def unavailable() -> pytest.RaisesExc[Unknown]:
    return pytest.raises(Unknown, check=lambda error: error.code == "SEARCH_UNAVAILABLE")
