"""Facets of what is found: counted one by one where it is little, else by tantivy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from tantivy import DocAddress

from kessai.contracts.search import CategoryCount, Facets, PriceRange, StockCount
from kessai.search.domain.wanted import Filters, Request
from kessai.search.gateway import tantivy_query as ask

# Up to so many are looked at one by one, which takes less time than to find them once more.
COUNTED: Final = 400

_Counted: TypeAlias = dict[str, Any]


def facets(edition: ask.Edition, request: Request, every: Sequence[DocAddress] | None) -> Facets:
    """A facet leaves its own filter out; those whose filters are the same are counted at once.

    `every` are all that the request found, where they are few enough to be known.
    """
    of = request.filters
    own = {
        "categories": of.without_category(),
        "price": of.without_price(),
        "stock": of.without_stock(),
    }
    counted: _Counted = {}
    if every is not None and edition.category_keys:
        counted = _one_by_one(edition, every)
        own = {name: without for name, without in own.items() if without != of}
    found = ask.found_by(edition, request.wanted) if own else None
    for filters in dict.fromkeys(own.values()):
        counted |= _aggregated(edition, own, filters, found)
    return _read(counted)


def _aggregated(
    edition: ask.Edition, own: Mapping[str, Filters], filters: Filters, found: ask.Found
) -> _Counted:
    asked = {name: ask.COUNTS[name] for name, without in own.items() if without == filters}
    return dict(edition.searcher.aggregate(ask.within(edition, found, filters), asked))


def _one_by_one(edition: ask.Edition, every: Sequence[DocAddress]) -> _Counted:
    """In the shape of an aggregation."""
    places = list(every)
    values = edition.searcher.fast_field_values
    prices = [price for price in values("price", places) if price is not None]
    by_category = Counter(values("category_id", places))
    by_stock = Counter(values("in_stock", places))
    names = edition.category_keys
    return {
        "categories": _buckets({names[int(i or 0)]: count for i, count in by_category.items()}),
        "price": {"min": min(prices, default=None), "max": max(prices, default=None)},
        "stock": _buckets(by_stock),
    }


def _buckets(counts: Mapping[Any, int]) -> _Counted:
    return {"buckets": [{"key": key, "doc_count": count} for key, count in counts.items()]}


def _read(counted: Mapping[str, Any]) -> Facets:
    categories = []
    for bucket in counted["categories"]["buckets"]:
        category_id, _, name = str(bucket["key"]).partition("\t")
        count = int(bucket["doc_count"])
        categories.append(CategoryCount(id=int(category_id), name=name, count=count))
    stock = {bool(b["key"]): int(b["doc_count"]) for b in counted["stock"]["buckets"]}
    return Facets(
        categories=tuple(sorted(categories, key=lambda c: (-c.count, c.id))),
        price=PriceRange(
            min=_yen(counted["price"]["min"]),
            max=_yen(counted["price"]["max"]),
        ),
        in_stock=StockCount(true=stock.get(True, 0), false=stock.get(False, 0)),
    )


def _yen(value: object) -> int | None:
    """None where nothing was found."""
    return int(value) if isinstance(value, int | float) else None
