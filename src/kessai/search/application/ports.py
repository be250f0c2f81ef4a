"""What the use cases of es-service need from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final, Protocol

from kessai.contracts.search import Facets, PriceRange, StockCount
from kessai.search.domain.document import Document
from kessai.search.domain.wanted import Request


@dataclass(frozen=True, slots=True)
class Hit:
    """`shown` is the JSON that the document was put with."""

    product_id: int
    score: float
    shown: bytes


@dataclass(frozen=True, slots=True)
class Hits:
    items: tuple[Hit, ...]
    total: int
    facets: Facets | None


NOTHING: Final = Facets(
    categories=(), price=PriceRange(min=None, max=None), in_stock=StockCount(true=0, false=0)
)


@dataclass(frozen=True, slots=True)
class WordCount:
    """A word as documents carry it in `words`, and how many of those on sale do."""

    word: str
    count: int


@dataclass(frozen=True, slots=True)
class Indexed:
    product_id: int
    version: int


class Writable(Protocol):
    async def put(self, documents: Sequence[Document]) -> int:
        """Durable and searchable when it returns; how many were newer than what was there.

        A document of the same or a lower version changes nothing (external versions). Raises
        `Unknown` SEARCH_UNAVAILABLE: some of them may be in, and to put them again is safe.
        """
        ...


class ProductIndex(Writable, Protocol):
    """Every call raises `Unknown` SEARCH_UNAVAILABLE when there is no answer in time."""

    async def fits(self) -> bool:
        """There is an index, made by this version of the analysis."""
        ...

    def edition(self) -> object | None:
        """Another object once anything may be found otherwise; None where others write, too."""
        ...

    async def search(self, request: Request) -> Hits: ...

    async def words(self, limit: int) -> Sequence[WordCount]:
        """The commonest words of what is on sale."""
        ...

    async def versions(self, product_ids: Sequence[int]) -> Mapping[int, int]:
        """Of those that are there, 1,000 at most."""
        ...

    async def indexed(self, after: int, limit: int) -> Sequence[Indexed]:
        """Versions in the order of product ids."""
        ...

    async def remove(self, product_ids: Sequence[int]) -> None: ...

    def rebuild(self) -> AbstractAsyncContextManager[Writable]:
        """A new index beside the one that is searched; a clean end changes over, else it goes.

        What is put into it is durable and searchable from that end on.

        While it lasts, `put` of the index itself writes to both, so that nothing new is lost.
        """
        ...

    async def ping(self) -> None: ...

    async def close(self) -> None: ...
