"""The tree of `domain.wanted` as Elasticsearch's queries, its mapping, and what answers say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from kessai.contracts.search import CategoryCount, Facets, PriceRange, StockCount
from kessai.search.domain.document import TEXT_FIELDS, Document
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

Json: TypeAlias = dict[str, Any]

# Phrases need positions, all else only how often.
WITHOUT_POSITIONS: Final = ("single", "whole", "prefix", "rank")
# Elasticsearch's own limit; a search that goes deeper answers nothing more.
DEEPEST: Final = 10_000
# `whitespace` breaks tokens of 255 UTF-16 units; ours end before, in documents and questions alike.
_LONGEST_TOKEN: Final = 120
_LONGEST_WORD: Final = 256
_MAX_LONG: Final = 2**63 - 1
_CATEGORIES: Final = 1000
_SORTS: Final[Mapping[str, Json]] = {
    "relevance": {"_score": "desc"},
    "level": {"level": "desc"},
    "newest": {"created_at_ms": "desc"},
    "price_asc": {"price": "asc"},
    "price_desc": {"price": "desc"},
}


def mapping() -> Json:
    """`_source` keeps only what is shown: everything else comes from storage-service again."""
    fields: Json = {name: {"type": "text", "analyzer": "whitespace"} for name in TEXT_FIELDS}
    for name in WITHOUT_POSITIONS:
        fields[name]["index_options"] = "freqs"
    number = {"type": "long"}
    fields |= {
        "words": {"type": "keyword", "ignore_above": _LONGEST_WORD},
        "category_key": {"type": "keyword"},
        "category_id": number,
        "product_id": number,
        "price": number,
        "created_at_ms": {**number, "index": False},
        "level": {**number, "index": False},
        "in_stock": {"type": "boolean"},
        "on_sale": {"type": "boolean"},
        "shown": {"type": "keyword", "index": False, "doc_values": False},
    }
    return {"dynamic": "strict", "_source": {"includes": ["shown"]}, "properties": fields}


def source(document: Document) -> Json:
    tokens, words = (document.tokens, document.words) if document.on_sale else ({}, ())
    made: Json = {name: _cut_all(text) for name, text in tokens.items()}
    return made | {
        "words": words,
        "category_key": f"{document.category_id}\t{document.category_name}",
        "category_id": document.category_id,
        "product_id": document.product_id,
        "price": document.price,
        "created_at_ms": document.created_at_ms,
        "level": document.level,
        "in_stock": document.in_stock,
        "on_sale": document.on_sale,
        "shown": document.shown.decode(),
    }


def body(request: Request) -> Json:
    """Filters stand beside the query where a facet must not be bound by all of them."""
    depth = min(request.limit, max(0, DEEPEST - request.offset))
    given = filters(request.filters)
    late = request.facets and bool(given)
    asked: Json = {
        "query": _whole_query(request, [] if late else given),
        "from": request.offset if depth else 0,
        "size": depth,
        "track_total_hits": True,
        "sort": [_SORTS[request.order], {"product_id": "asc"}],
    }
    if late:
        asked["post_filter"] = {"bool": {"filter": given}}
    if request.facets:
        asked["aggs"] = _facets(request.filters)
    return asked


def _whole_query(request: Request, given: Sequence[Json]) -> Json:
    wanted = {"match_all": {}} if request.wanted is None else query(request.wanted)
    made: Json = {
        "must": [wanted],
        "filter": [{"term": {"on_sale": True}}, *given],
    }
    if request.order == "relevance" and request.preferred:
        made["should"] = [query(part) for part in request.preferred]
        made["minimum_should_match"] = 0
    return {"bool": made}


def query(wanted: Wanted, boost: float = 1.0) -> Json:
    match wanted:
        case Term(field, token):
            return {"term": {field: {"value": _cut(token), "boost": boost}}}
        case Phrase(field, tokens):
            # Read by the field's analyzer, which takes what stands between blanks as it is.
            text = " ".join(map(_cut, tokens))
            return {"match_phrase": {field: {"query": text, "boost": boost}}}
        case Fuzzy(field, token, edits):
            # This rewriting has no limit of expansions, and so none of clauses either.
            near = {
                "value": _cut(token),
                "fuzziness": edits,
                "transpositions": True,
                "rewrite": "constant_score",
            }
            return {"constant_score": {"filter": {"fuzzy": {field: near}}, "boost": boost}}
        case AnyOf(parts, tie):
            queries = [query(part) for part in parts]
            return {"dis_max": {"queries": queries, "tie_breaker": tie, "boost": boost}}
        case AllOf(parts):
            return {"bool": {"must": [query(part) for part in parts], "boost": boost}}
        case Boost(part, factor):
            return query(part, boost * factor)
        case Const(part, score):
            return {"constant_score": {"filter": query(part), "boost": boost * score}}


def filters(wanted: Filters) -> list[Json]:
    found: list[Json] = []
    if wanted.category_ids:
        ids = [one for one in wanted.category_ids if abs(one) <= _MAX_LONG]
        found.append({"terms": {"category_id": ids}})
    if wanted.in_stock is not None:
        found.append({"term": {"in_stock": wanted.in_stock}})
    ends = {"gte": wanted.min_price, "lte": wanted.max_price}
    if price := {end: min(yen, _MAX_LONG) for end, yen in ends.items() if yen is not None}:
        found.append({"range": {"price": price}})
    return found


def _facets(wanted: Filters) -> Json:
    """Each within what the other filters let through."""

    def within(others: Filters, counted: Json) -> Json:
        return {"filter": {"bool": {"filter": filters(others)}}, "aggs": counted}

    by_category = {"terms": {"field": "category_key", "size": _CATEGORIES}}
    price = {"min": {"min": {"field": "price"}}, "max": {"max": {"field": "price"}}}
    by_stock = {"terms": {"field": "in_stock", "size": 2}}
    return {
        "categories": within(wanted.without_category(), {"by": by_category}),
        "price": within(wanted.without_price(), price),
        "in_stock": within(wanted.without_stock(), {"by": by_stock}),
    }


def read_facets(counted: Json) -> Facets:
    categories = []
    for bucket in counted["categories"]["by"]["buckets"]:
        category_id, _, name = bucket["key"].partition("\t")
        categories.append(CategoryCount(id=int(category_id), name=name, count=bucket["doc_count"]))
    stock = {b["key_as_string"]: b["doc_count"] for b in counted["in_stock"]["by"]["buckets"]}
    price = counted["price"]
    return Facets(
        categories=tuple(sorted(categories, key=lambda c: (-c.count, c.id, c.name))),
        price=PriceRange(min=_yen(price["min"]["value"]), max=_yen(price["max"]["value"])),
        in_stock=StockCount(true=stock.get("true", 0), false=stock.get("false", 0)),
    )


def _yen(value: float | None) -> int | None:
    return None if value is None else int(value)


def _cut(token: str) -> str:
    return token[:_LONGEST_TOKEN]


def _cut_all(tokens: str) -> str:
    if len(tokens) <= _LONGEST_TOKEN:
        return tokens
    return " ".join(map(_cut, tokens.split()))
