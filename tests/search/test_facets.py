"""Facets of a few products are counted one by one, of many by tantivy: both say the same."""

from __future__ import annotations

from random import Random
from typing import Final

import pytest
from tests.support.indexes import POTS, TEA, fill, product

from kessai.contracts.search import CategoryCount
from kessai.kernel.aside import at_once
from kessai.search.domain.document import Document
from kessai.search.domain.wanted import Filters, Request, Term, Wanted
from kessai.search.gateway.tantivy_facets import COUNTED
from kessai.search.gateway.tantivy_index import TantivyIndex

CUPS = (7, "Cups\tand saucers")
# More than are counted one by one, few of which are teas.
MANY: Final = COUNTED + 200
EVERY, FEW = Term("title", "every"), Term("title", "tea")


def shelf(chance: Random) -> list[Document]:
    return [
        product(
            number,
            "every tea" if chance.random() < 0.2 else "every pot",
            on_sale=chance.random() < 0.95,
            category=chance.choice((TEA, POTS, CUPS)),
            price=chance.randrange(100, 10_000),
            in_stock=chance.random() < 0.7,
        )
        for number in range(1, MANY + 1)
    ]


def reckoned(shown: list[Document], filters: Filters) -> tuple[object, ...]:
    """By going through the shelf."""

    def within(these: Filters) -> list[Document]:
        return [
            one
            for one in shown
            if (these.min_price or 0) <= one.price <= (these.max_price or 10**9)
            and (not these.category_ids or one.category_id in these.category_ids)
            and these.in_stock in (None, one.in_stock)
        ]

    categories = [
        (one.category_id, one.category_name) for one in within(filters.without_category())
    ]
    counts = {one: categories.count(one) for one in set(categories)}
    ordered = sorted(counts, key=lambda one: (-counts[one], one[0]))
    prices = [one.price for one in within(filters.without_price())]
    stock = [one.in_stock for one in within(filters.without_stock())]
    return (
        tuple(CategoryCount(id=i, name=name, count=counts[i, name]) for i, name in ordered),
        (min(prices, default=None), max(prices, default=None)),
        (stock.count(True), stock.count(False)),
    )


@pytest.mark.parametrize("wanted", [EVERY, FEW])
@pytest.mark.parametrize(
    "filters",
    [
        Filters(),
        Filters(in_stock=True),
        Filters(max_price=2_000),
        Filters(category_ids=(2, 7)),
        Filters(min_price=9_000, in_stock=False, category_ids=(1,)),
        Filters(min_price=20_000),
    ],
)
async def test_they_are_those_of_the_shelf(wanted: Wanted, filters: Filters) -> None:
    documents = shelf(Random(3))
    index = await TantivyIndex.open(None, at_once)
    await fill(index, documents)
    found = (await index.search(Request(wanted, filters=filters))).facets
    await index.close()
    assert found is not None
    assert isinstance(wanted, Term)
    shown = [d for d in documents if d.on_sale and wanted.token in d.tokens["title"].split()]
    assert reckoned(shown, filters) == (
        found.categories,
        (found.price.min, found.price.max),
        (found.in_stock.true, found.in_stock.false),
    )


async def test_a_category_is_named_as_each_product_names_it() -> None:
    """While its new name has not reached all of them."""
    index = await TantivyIndex.open(None, at_once)
    await fill(index, [product(1, "tea"), product(2, "tea", category=(1, "お茶"))])
    found = (await index.search(Request(Term("title", "tea")))).facets
    assert found is not None
    assert {(one.id, one.name, one.count) for one in found.categories} == {
        (1, "茶", 1),
        (1, "お茶", 1),
    }
    await index.put([product(1, "tea", version=2, category=(1, "お茶"))])
    renamed = (await index.search(Request(Term("title", "tea")))).facets
    await index.close()
    assert renamed is not None
    assert renamed.categories == (CategoryCount(id=1, name="お茶", count=2),)
