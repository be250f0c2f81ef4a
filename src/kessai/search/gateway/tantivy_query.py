"""The tree of `domain.wanted` as tantivy's queries, and what a facet's answer says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Final, TypeAlias

from tantivy import DocAddress, FieldType, Occur, Order, Query, Schema, SchemaBuilder, Searcher

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
# What is found, without a score; None is everything.
Found: TypeAlias = Query | None
_LEAVES: Final = (Term, Phrase)
_FACTORS: Final = (Boost, Const)
_ID_BITS: Final = 34
_DAY_ID_BITS: Final = 22
_MAX_PRICE: Final = 2**53
_MAX_ID: Final = 2**63 - 1
_CATEGORIES: Final = 1000
_MAX_KNOWN: Final = 20_000
_MAX_SHOWN: Final = 8_192


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


class Edition:
    """The index as one commit left it: what is asked of it, and which terms it has at all."""

    def __init__(self, schema: Schema, searcher: Searcher) -> None:
        self.schema = schema
        self.searcher = searcher
        self._asked: dict[Term | Phrase, Query | None] = {}
        self._shown: dict[int, bytes] = {}
        self._preferred: dict[tuple[Const, ...], tuple[Query, ...]] = {}

    @cached_property
    def category_keys(self) -> dict[int, str]:
        """By their ids, as facets name them; empty while one has two names."""
        on_sale = Query.term_query(self.schema, "on_sale", True, "basic")
        counted = self.searcher.aggregate(on_sale, {"categories": COUNTS["categories"]})
        keys = [str(bucket["key"]) for bucket in counted["categories"]["buckets"]]
        by_id = {int(key.partition("\t")[0]): key for key in keys}
        return by_id if len(by_id) == len(keys) < _CATEGORIES else {}

    def preferring(self, parts: tuple[Const, ...]) -> tuple[Query, ...]:
        """Every search prefers the same."""
        if parts not in self._preferred:
            made = [_scored(self, part) for part in parts]
            self._preferred = {parts: tuple(query for query in made if query is not None)}
        return self._preferred[parts]

    def ask(self, way: Term | Phrase) -> Query | None:
        """None where no product has it: most ways of finding a word are nowhere in a shop, and
        asking for them costs time."""
        try:
            return self._asked[way]
        except KeyError:
            if len(self._asked) >= _MAX_KNOWN:
                self._asked.clear()
            made = self._asked[way] = self._made(way)
            return made

    def _made(self, way: Term | Phrase) -> Query | None:
        if isinstance(way, Term):
            if not self.searcher.doc_freq(way.field, way.token):
                return None
            option = "position" if way.field in WITH_POSITIONS else "freq"
            return Query.term_query(self.schema, way.field, way.token, option)
        if any(self.ask(Term(way.field, token)) is None for token in way.tokens):
            return None
        return Query.phrase_query(self.schema, way.field, list(way.tokens))

    def shown(self, product_id: int, place: DocAddress) -> bytes:
        """What sells well is on many pages, and a block of stored documents is unpacked for one."""
        if product_id not in self._shown:
            if len(self._shown) >= _MAX_SHOWN:
                self._shown.clear()
            stored = self.searcher.doc(place).get_first("shown")
            self._shown[product_id] = bytes(stored or b"")
        return self._shown[product_id]


def whole_query(of: Edition, request: Request) -> Query:
    """What is found and how it ranks."""
    wanted = None if request.wanted is None else _scored(of, request.wanted)
    if request.wanted is not None and wanted is None:
        return Query.empty_query()
    found = within(of, wanted, request.filters)
    if request.order == "relevance":
        for preferred in of.preferring(request.preferred):
            # One around the other: all of them side by side would be read for every product that
            # there is, and not only for those that are found.
            found = Query.boolean_query([(Occur.Must, found), (Occur.Should, preferred)])
    return found


def found_by(of: Edition, wanted: Wanted | None) -> Found:
    """All that has it, without a score: for counting."""
    return None if wanted is None else _unscored(of, wanted) or Query.empty_query()


def within(of: Edition, wanted: Query | None, these: Filters) -> Query:
    """What is not on sale has no words by which it could be found."""
    schema = of.schema
    first = Query.term_query(schema, "on_sale", True, "basic") if wanted is None else wanted
    others = filters(schema, these)
    if not others:
        return first
    return Query.boolean_query([(Occur.Must, part) for part in (first, *others)])


def _scored(of: Edition, wanted: Wanted) -> Query | None:
    """None where nothing can have it."""
    if isinstance(wanted, Boost):
        way = _scored(of, wanted.part)
        return None if way is None else Query.boost_query(way, wanted.factor)
    if isinstance(wanted, _LEAVES):
        return of.ask(wanted)
    match wanted:
        case Fuzzy(field, token, edits):
            near = Query.fuzzy_term_query(of.schema, field, token, edits, True)
            return Query.const_score_query(near, 1.0)
        case AnyOf(parts, tie):
            ways = _ways(of, parts)
            return Query.disjunction_max_query(ways, tie) if len(ways) > 1 else _first(ways)
        case AllOf(parts):
            return _together([_scored(of, part) for part in parts])
        case Const(part, score):
            way = _scored(of, part)
            return None if way is None else Query.const_score_query(way, score)


def _ways(of: Edition, parts: Sequence[Wanted]) -> list[Query]:
    """Those that may be found. Nearly all parts of a plan are a term or a phrase with a factor."""
    ways: list[Query] = []
    for part in parts:
        inner, factor = part if isinstance(part, Boost) else (part, 1.0)
        way = of.ask(inner) if isinstance(inner, _LEAVES) else _scored(of, inner)
        if way is not None:
            ways.append(way if factor == 1.0 else Query.boost_query(way, factor))
    return ways


def _unscored(of: Edition, wanted: Wanted) -> Query | None:
    """The same products: without factors, ways within ways are ways like the others."""
    found: dict[Wanted, None] = {}
    _gather(found, wanted)
    ways = [way for one in found if (way := _without_factors(of, one)) is not None]
    if len(ways) < 2:
        return _first(ways)
    return Query.boolean_query([(Occur.Should, way) for way in ways])


def _gather(found: dict[Wanted, None], wanted: Wanted) -> None:
    way = wanted
    while isinstance(way, _FACTORS):
        way = way.part
    if isinstance(way, AnyOf):
        for part in way.parts:
            _gather(found, part)
    else:
        found[way] = None


def _without_factors(of: Edition, way: Wanted) -> Query | None:
    if isinstance(way, AllOf):
        return _together([_unscored(of, part) for part in way.parts])
    return _scored(of, way)


def _first(ways: Sequence[Query]) -> Query | None:
    return ways[0] if ways else None


def _together(parts: Sequence[Query | None]) -> Query | None:
    found = [(Occur.Must, part) for part in parts if part is not None]
    return Query.boolean_query(found) if len(found) == len(parts) else None


def filters(schema: Schema, wanted: Filters) -> list[Query]:
    """Without a score of their own."""
    found: list[Query] = []
    if wanted.category_ids:
        ids = [one for one in wanted.category_ids if 0 <= one <= _MAX_ID]
        found.append(_in_category(schema, ids))
    if wanted.in_stock is not None:
        found.append(Query.term_query(schema, "in_stock", wanted.in_stock, "basic"))
    if wanted.min_price is not None or wanted.max_price is not None:
        low = min(wanted.min_price or 0, _MAX_PRICE)
        high = min(_MAX_PRICE if wanted.max_price is None else wanted.max_price, _MAX_PRICE)
        found.append(Query.range_query(schema, "price", FieldType.Unsigned, low, high))
    return [Query.const_score_query(part, 0.0) for part in found]


def _in_category(schema: Schema, ids: Sequence[int]) -> Query:
    # A set is made into an automaton first, which one id does not need.
    if len(ids) == 1:
        return Query.term_query(schema, "category_id", ids[0], "basic")
    return Query.term_set_query(schema, "category_id", list(ids))


COUNTS: Final[Mapping[str, dict[str, Any]]] = {
    "categories": {"terms": {"field": "category_key", "size": _CATEGORIES}},
    "price": {"stats": {"field": "price"}},
    "stock": {"terms": {"field": "in_stock", "size": 2}},
}
