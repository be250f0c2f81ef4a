"""What is looked for, in words of no search engine: ranking is decided here, not by adapters.

Every engine scores a term or a phrase by BM25 (k1 = 1.2, b = 0.75) and then combines the scores
as this tree says, so that two engines rank alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

from kessai.contracts.search import Sort


# These three are made and compared by the hundred for each query, and tuples are fast at that.
class Term(NamedTuple):
    field: str
    token: str


class Phrase(NamedTuple):
    """At least two tokens, side by side and in this order."""

    field: str
    tokens: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fuzzy:
    """A term within so many edits (a transposition is one); scored as a constant 1."""

    field: str
    token: str
    edits: Literal[1, 2]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of them; the best score counts, and `tie` of each of the others."""

    parts: tuple[Wanted, ...]
    tie: float = 0.0


@dataclass(frozen=True, slots=True)
class AllOf:
    """All of them; their scores are added."""

    parts: tuple[Wanted, ...]


class Boost(NamedTuple):
    part: Wanted
    factor: float


@dataclass(frozen=True, slots=True)
class Const:
    """Whatever it would score, it scores this."""

    part: Wanted
    score: float


Wanted: TypeAlias = Term | Phrase | Fuzzy | AnyOf | AllOf | Boost | Const


@dataclass(frozen=True, slots=True)
class Filters:
    """Prices in yen, both ends included; no categories are all categories."""

    min_price: int | None = None
    max_price: int | None = None
    category_ids: tuple[int, ...] = ()
    in_stock: bool | None = None

    def without_category(self) -> Filters:
        return Filters(self.min_price, self.max_price, (), self.in_stock)

    def without_price(self) -> Filters:
        return Filters(None, None, self.category_ids, self.in_stock)

    def without_stock(self) -> Filters:
        return Filters(self.min_price, self.max_price, self.category_ids, None)


@dataclass(frozen=True, slots=True)
class Request:
    """Only what is on sale is found. `wanted` None is everything, by the documents' `level`.

    `preferred` are constants that a product gets on top of how well it fits. Equal ones come by id,
    so that no product is on two pages, whatever is written meanwhile. A `limit` of 0 only counts.
    """

    wanted: Wanted | None
    preferred: tuple[Const, ...] = ()
    filters: Filters = field(default=Filters())
    sort: Sort = "relevance"
    offset: int = 0
    limit: int = 20
    facets: bool = True

    @property
    def order(self) -> Sort | Literal["level"]:
        """Without words all fit alike."""
        return "level" if self.sort == "relevance" and self.wanted is None else self.sort


def all_of(parts: Sequence[Wanted]) -> Wanted:
    return parts[0] if len(parts) == 1 else AllOf(tuple(parts))


def any_of(parts: Sequence[Wanted], tie: float = 0.0) -> Wanted:
    """Ways within ways are ways like the others; of the same one the surest is kept."""
    factors: dict[Wanted, float] = {}
    _gather(factors, parts, tie, 1.0)
    # Thirty of them for a word: a function for each would take as long as all the rest.
    kept = tuple([part if f == 1.0 else Boost(part, f) for part, f in factors.items()])
    return kept[0] if len(kept) == 1 else AnyOf(kept, tie)


def _gather(
    factors: dict[Wanted, float], parts: Sequence[Wanted], tie: float, outer: float
) -> None:
    for part in parts:
        way, factor = part, outer
        while isinstance(way, Boost):
            factor *= way.factor
            way = way.part
        if isinstance(way, AnyOf) and way.tie == tie:
            _gather(factors, way.parts, tie, factor)
        elif factors.setdefault(way, factor) < factor:
            factors[way] = factor
