"""The tree of `domain.wanted` as tantivy's queries, and what a facet's answer says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tantivy import FieldType, Occur, Order, Query, Schema, SchemaBuilder

from kessai.contracts.search import CategoryCount, Facets, PriceRange, StockCount
from kessai.search.domain.document import Document
from kessai.search.domain.wanted import (
    AllOf,
    AnyOf,
    Boost,
    Const,
    Filters,
    Fuzzy,
    Phrase,
    Request,
    Term,
    Wanted,
)

# Phrases need positions, all else only how often.
WITH_POSITIONS: Final = ("title", "names", "reading", "category", "text")
WITHOUT_POSITIONS: Final = ("single", "whole", "prefix", "rank")
# Numbers that no two products share, so that equal ones come by id whatever was written last:
# tantivy itself takes them as they lie, and each change of a product lays it behind the others.
ORDERS: Final = {
    "level": ("by_level", Order.Desc),
    "newest": ("by_day", Order.Desc),
    "price_asc": ("by_price", Order.Asc),
    "price_desc": ("by_price_down", Order.Desc),
}
_ID_BITS: Final = 34
_DAY_ID_BITS: Final = 22
_MAX_PRICE: Final = 2**53
_MAX_ID: Final = 2**63 - 1
_CATEGORIES: Final = 1000


def build_schema() -> Schema:
    made = SchemaBuilder()
    for name in WITH_POSITIONS:
        made.add_text_field(name, tokenizer_name="whitespace", index_option="position")
    for name in WITHOUT_POSITIONS:
        made.add_text_field(name, tokenizer_name="whitespace", index_option="freq")
    # For lists of words and counts of categories, by their whole values.
    made.add_text_field("words", fast=True, tokenizer_name="raw", index_option="basic")
    made.add_text_field("category_key", fast=True, tokenizer_name="raw", index_option="basic")
    for name in ("product_id", "version", "category_id", "price"):
        made.add_unsigned_field(name, indexed=True, fast=True)
    for name, _ in ORDERS.values():
        made.add_unsigned_field(name, fast=True)
    made.add_boolean_field("in_stock", indexed=True, fast=True)
    made.add_boolean_field("on_sale", indexed=True, fast=True)
    made.add_bytes_field("shown", stored=True)
    return made.build()


def order_keys(of: Document) -> dict[str, int]:
    return {
        "by_level": _key(of.level, _ID_BITS, of.product_id, down=True),
        "by_day": _key(of.created_at_ms, _DAY_ID_BITS, of.product_id, down=True),
        "by_price": _key(of.price, _ID_BITS, of.product_id, down=False),
        "by_price_down": _key(of.price, _ID_BITS, of.product_id, down=True),
    }


def _key(value: int, id_bits: int, product_id: int, *, down: bool) -> int:
    """Both in 64 bits. Values and ids that have no room there are equal among themselves."""
    last = (1 << id_bits) - 1
    tie = min(product_id, last)
    room = (1 << (64 - id_bits)) - 1
    return min(max(value, 0), room) << id_bits | (last - tie if down else tie)


def whole_query(schema: Schema, request: Request, wanted: Query | None) -> Query:
    """What is found and how it ranks; `wanted` is the request's own, made once for all uses."""
    parts = found_by(schema, wanted, request.filters)
    if request.order == "relevance":
        parts += [(Occur.Should, query(schema, part)) for part in request.preferred]
    return Query.boolean_query(parts)


def found_by(schema: Schema, wanted: Query | None, of: Filters) -> list[tuple[Occur, Query]]:
    parts = [] if wanted is None else [(Occur.Must, wanted)]
    return parts + [(Occur.Must, part) for part in filters(schema, of)]


def query(schema: Schema, wanted: Wanted) -> Query:
    match wanted:
        case Term(field, token):
            option = "position" if field in WITH_POSITIONS else "freq"
            return Query.term_query(schema, field, token, option)
        case Phrase(field, tokens):
            return Query.phrase_query(schema, field, list(tokens))
        case Fuzzy(field, token, edits):
            found = Query.fuzzy_term_query(schema, field, token, edits, True)
            return Query.const_score_query(found, 1.0)
        case AnyOf(parts, tie):
            return Query.disjunction_max_query([query(schema, p) for p in parts], tie)
        case AllOf(parts):
            return Query.boolean_query([(Occur.Must, query(schema, p)) for p in parts])
        case Boost(part, factor):
            return Query.boost_query(query(schema, part), factor)
        case Const(part, score):
            return Query.const_score_query(query(schema, part), score)


def filters(schema: Schema, wanted: Filters) -> list[Query]:
    """Without a score of their own; what is not on sale passes none of them."""
    found = [Query.term_query(schema, "on_sale", True, "basic")]
    if wanted.category_ids:
        ids = [one for one in wanted.category_ids if 0 <= one <= _MAX_ID]
        found.append(Query.term_set_query(schema, "category_id", ids))
    if wanted.in_stock is not None:
        found.append(Query.term_query(schema, "in_stock", wanted.in_stock, "basic"))
    if wanted.min_price is not None or wanted.max_price is not None:
        low = min(wanted.min_price or 0, _MAX_PRICE)
        high = min(_MAX_PRICE if wanted.max_price is None else wanted.max_price, _MAX_PRICE)
        found.append(Query.range_query(schema, "price", FieldType.Unsigned, low, high))
    return [Query.const_score_query(part, 0.0) for part in found]


COUNTS: Final[Mapping[str, dict[str, Any]]] = {
    "categories": {"terms": {"field": "category_key", "size": _CATEGORIES}},
    "cheapest": {"min": {"field": "price"}},
    "dearest": {"max": {"field": "price"}},
    "stock": {"terms": {"field": "in_stock", "size": 2}},
}


def read_facets(counted: Mapping[str, Any]) -> Facets:
    categories = []
    for bucket in counted["categories"]["buckets"]:
        category_id, _, name = str(bucket["key"]).partition("\t")
        count = int(bucket["doc_count"])
        categories.append(CategoryCount(id=int(category_id), name=name, count=count))
    stock = {bool(b["key"]): int(b["doc_count"]) for b in counted["stock"]["buckets"]}
    return Facets(
        categories=tuple(sorted(categories, key=lambda c: (-c.count, c.id))),
        price=PriceRange(
            min=_yen(counted["cheapest"]["value"]),
            max=_yen(counted["dearest"]["value"]),
        ),
        in_stock=StockCount(true=stock.get(True, 0), false=stock.get(False, 0)),
    )


def _yen(value: object) -> int | None:
    """None where nothing was found."""
    return int(value) if isinstance(value, int | float) else None
