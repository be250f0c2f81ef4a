"""What a search answers, decided over everything that matched: filters, facets, order, pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kessai.contracts.storage import (
    Category,
    CategoryCount,
    Facets,
    PriceRange,
    SearchProducts,
    StockCount,
)
from kessai.storage.domain.folding import fold, terms


@dataclass(frozen=True, slots=True)
class Match:
    """A product whose text contains every term. `title` is folded."""

    product_id: int
    category_id: int
    price: int
    available: int
    sold: int
    created_at_ms: int
    title: str


@dataclass(frozen=True, slots=True)
class Found:
    product_ids: tuple[int, ...]
    total: int
    facets: Facets


@dataclass(frozen=True, slots=True)
class Named:
    """A product with the names by which people may type it."""

    product_id: int
    title: str
    title_en: str | None
    title_zh: str | None
    reading: str | None
    sold: int


def find(
    command: SearchProducts, matches: Iterable[Match], categories: Iterable[Category]
) -> Found:
    """One page and the facets. A facet leaves its own filter out: it tells what a choice gives."""
    everything = list(matches)
    right_category = [m for m in everything if _in_category(command, m)]
    by_category = [m for m in everything if _in_price(command, m) and _in_stock(command, m)]
    by_price = [m for m in right_category if _in_stock(command, m)]
    by_stock = [m for m in right_category if _in_price(command, m)]
    hits = [m for m in by_price if _in_price(command, m)]
    first = command.page * command.size
    page = _ordered(command, hits)[first : first + command.size]
    return Found(
        product_ids=tuple(m.product_id for m in page),
        total=len(hits),
        facets=Facets(
            categories=_category_counts(by_category, categories),
            price=PriceRange(
                min=min((m.price for m in by_price), default=None),
                max=max((m.price for m in by_price), default=None),
            ),
            in_stock=StockCount(
                true=sum(m.available > 0 for m in by_stock),
                false=sum(m.available <= 0 for m in by_stock),
            ),
        ),
    )


def _in_category(command: SearchProducts, match: Match) -> bool:
    return not command.category_ids or match.category_id in command.category_ids


def _in_price(command: SearchProducts, match: Match) -> bool:
    if command.min_price is not None and match.price < command.min_price:
        return False
    return command.max_price is None or match.price <= command.max_price


def _in_stock(command: SearchProducts, match: Match) -> bool:
    return command.in_stock is None or (match.available > 0) == command.in_stock


def _ordered(command: SearchProducts, hits: Sequence[Match]) -> list[Match]:
    """The product id decides last, so that no product is on two pages."""
    if command.sort == "newest":
        return sorted(hits, key=lambda m: (-m.created_at_ms, m.product_id))
    if command.sort == "price_asc":
        return sorted(hits, key=lambda m: (m.price, m.product_id))
    if command.sort == "price_desc":
        return sorted(hits, key=lambda m: (-m.price, m.product_id))
    wanted = terms(command.q)
    return sorted(hits, key=lambda m: (_rank(wanted, m.title), -m.sold, m.product_id))


def _rank(wanted: Sequence[str], title: str) -> int:
    """0: the title begins with it, 1: the title has all of it, 2: it stands somewhere else."""
    if wanted and title.startswith(wanted[0]):
        return 0
    return 1 if all(term in title for term in wanted) else 2


def _category_counts(
    matches: Iterable[Match], categories: Iterable[Category]
) -> tuple[CategoryCount, ...]:
    counts = Counter(m.category_id for m in matches)
    return tuple(
        CategoryCount(id=category.id, name=category.name, count=counts[category.id])
        for category in categories
        if counts[category.id]
    )


def suggest(query: str, names: Iterable[Named], size: int) -> tuple[tuple[str, ...], list[int]]:
    """Completions in the language that was typed, and the products they name, best first."""
    typed = fold(query).strip()
    if not typed:
        return (), []
    ranked: dict[int, tuple[tuple[int, int, int], str]] = {}
    for named in names:
        place, text = _best_name(typed, named)
        ranked[named.product_id] = ((place, -named.sold, named.product_id), text)
    best = sorted(ranked, key=lambda product_id: ranked[product_id][0])
    texts: Mapping[str, None] = dict.fromkeys(
        ranked[product_id][1] for product_id in best if ranked[product_id][0][0] < _NOT_IN_A_NAME
    )
    return tuple(texts)[:size], best[:size]


_NOT_IN_A_NAME = 2


def _best_name(typed: str, named: Named) -> tuple[int, str]:
    """0: a name begins with it, 1: a name contains it, 2: none does; and the name to show.

    A reading is how a title is typed, so its title is shown.
    """
    shown = (
        (named.title, named.title),
        (named.reading, named.title),
        (named.title_en, named.title_en),
        (named.title_zh, named.title_zh),
    )
    best = (_NOT_IN_A_NAME, named.title)
    for searched, text in shown:
        folded = fold(searched or "")
        place = 0 if folded.startswith(typed) else 1 if typed in folded else _NOT_IN_A_NAME
        if place < best[0] and text:
            best = (place, text)
    return best
