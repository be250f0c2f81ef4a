"""Every product index keeps the same promises: in files of this machine and on Elasticsearch.

What is put, filters, facets, orders and pages. Ranking and the life of an index stand beside it.
"""

from __future__ import annotations

import asyncio

import pytest
from tests.support.indexes import POTS, SHELF, Place, TantivyPlace, find, ids, product

from kessai.contracts.search import CategoryCount, PriceRange, Sort, StockCount
from kessai.search.application.ports import Indexed, ProductIndex, WordCount
from kessai.search.domain.wanted import Const, Filters, Request, Term

# What is put.


async def test_what_was_put_is_found_as_it_was(index: ProductIndex) -> None:
    given = product(7, "green tea")
    assert await index.put([given]) == 1
    (hit,) = (await index.search(Request(Term("title", "tea")))).items
    assert (hit.product_id, hit.shown) == (7, given.shown)


async def test_only_a_newer_version_changes_anything(index: ProductIndex) -> None:
    await index.put([product(1, "second", version=5)])
    assert await index.put([product(1, "first", version=4)]) == 0
    assert await index.put([product(1, "first", version=5)]) == 0
    assert await find(index, Term("title", "first")) == []
    assert await index.put([product(1, "third", version=6)]) == 1
    assert await find(index, Term("title", "second")) == []
    assert await find(index, Term("title", "third")) == [1]
    assert await index.indexed(0, 10) == [Indexed(1, 6)]


async def test_an_edition_is_known_only_where_nobody_else_writes_and_ends_with_a_change(
    place: Place, index: ProductIndex
) -> None:
    before = index.edition()
    assert (before is None) == (not isinstance(place, TantivyPlace))
    assert index.edition() is before
    await index.put([product(1, "tea")])
    if before is not None:
        after = index.edition()
        assert after is not before
        await index.put([product(1, "tea")])
        assert index.edition() is after
        await index.remove([1])
        assert index.edition() not in (before, after)


async def test_of_one_batch_the_newest_counts(index: ProductIndex) -> None:
    await index.put([product(2, "old", version=3)])
    batch = [
        product(1, "second", version=2),
        product(1, "third", version=3),
        product(1, "first", version=1),
        product(2, "older", version=2),
        product(3, "new", version=0),
    ]
    assert await index.put(batch) == 2
    assert await index.indexed(0, 10) == [Indexed(1, 3), Indexed(2, 3), Indexed(3, 0)]
    assert await find(index, Term("title", "third")) == [1]


async def test_nothing_put_is_nothing(index: ProductIndex) -> None:
    assert await index.put([]) == 0
    await index.remove([])
    assert await find(index) == []


async def test_more_than_one_request_holds(index: ProductIndex) -> None:
    many = [product(number, f"tea n{number}") for number in range(1, 1302)]
    assert await index.put(many) == 1301
    found = await index.search(Request(Term("title", "tea")))
    assert (found.total, len(found.items)) == (1301, 20)
    assert await find(index, Term("title", "n1301")) == [1301]


async def test_side_by_side_the_newest_stays(index: ProductIndex) -> None:
    versions = [3, 9, 1, 7, 5, 8, 2, 6, 4]
    counts = await asyncio.gather(
        *(index.put([product(1, f"v{version}", version=version)]) for version in versions)
    )
    assert 1 <= sum(counts) <= 9
    assert await index.indexed(0, 10) == [Indexed(1, 9)]
    assert await find(index, Term("title", "v9")) == [1]


async def test_what_is_not_on_sale_is_never_found_nor_brought_back(index: ProductIndex) -> None:
    await index.put([product(1, "tea", version=1), product(2, "tea", words=("tea",))])
    assert await index.put([product(1, "tea", version=3, on_sale=False, words=("tea",))]) == 1
    assert await index.put([product(1, "tea", version=2)]) == 0
    found = await index.search(Request(None))
    assert ids(found) == await find(index, Term("title", "tea")) == [2]
    assert found.facets is not None
    assert found.facets.categories == (CategoryCount(id=1, name="茶", count=1),)
    assert await index.words(10) == [WordCount("tea", 1)]
    assert await index.indexed(0, 10) == [Indexed(1, 3), Indexed(2, 1)]
    assert await index.put([product(1, "tea", version=4)]) == 1
    assert sorted(await find(index, Term("title", "tea"))) == [1, 2]


async def test_what_was_removed_is_gone_until_a_newer_one_comes(index: ProductIndex) -> None:
    await index.put([product(number, "tea", version=5) for number in (1, 2, 3)])
    await index.remove([1, 3, 4])
    assert await find(index, Term("title", "tea")) == [2]
    assert await index.indexed(0, 10) == [Indexed(2, 5)]
    assert await index.put([product(1, "tea", version=6)]) == 1
    assert sorted(await find(index, Term("title", "tea"))) == [1, 2]


# Filters, facets, orders and pages.


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (Filters(), [1, 2, 3, 4, 5]),
        (Filters(min_price=200), [2, 3, 4, 5]),
        (Filters(max_price=200), [1, 2, 3]),
        (Filters(min_price=200, max_price=300), [2, 3, 4]),
        (Filters(min_price=0, max_price=0), []),
        (Filters(min_price=300, max_price=200), []),
        (Filters(min_price=10**30), []),
        (Filters(max_price=10**30), [1, 2, 3, 4, 5]),
        (Filters(category_ids=(2,)), [3, 4, 5]),
        (Filters(category_ids=(1, 2, 99)), [1, 2, 3, 4, 5]),
        (Filters(category_ids=(99,)), []),
        (Filters(category_ids=(10**30, -1, 1)), [1, 2]),
        (Filters(category_ids=(-(10**30),)), []),
        (Filters(in_stock=True), [1, 3, 4]),
        (Filters(in_stock=False), [2, 5]),
        (Filters(min_price=200, category_ids=(2,), in_stock=True), [3, 4]),
    ],
)
@pytest.mark.parametrize("facets", [True, False])
async def test_filters_hold_with_both_ends(
    index: ProductIndex, filters: Filters, found: list[int], facets: bool
) -> None:
    await index.put(SHELF)
    answer = await index.search(Request(None, filters=filters, facets=facets))
    assert (sorted(ids(answer)), answer.total) == (found, len(found))
    assert (answer.facets is not None) is facets


async def test_each_facet_leaves_its_own_filter_out(index: ProductIndex) -> None:
    await index.put(SHELF)
    filters = Filters(min_price=200, max_price=300, category_ids=(2,), in_stock=True)
    answer = await index.search(Request(None, filters=filters))
    assert answer.total == 2
    assert answer.facets is not None
    # In stock and 200 to 300 yen: no tea. Of pots in stock: 200 to 300. Of such pots: both.
    assert answer.facets.categories == (CategoryCount(id=2, name="Pots & cups", count=2),)
    assert answer.facets.price == PriceRange(min=200, max=300)
    assert answer.facets.in_stock == StockCount(true=2, false=0)


async def test_facets_tell_what_another_choice_would_give(index: ProductIndex) -> None:
    await index.put(SHELF)
    tea, pots = CategoryCount(id=1, name="茶", count=2), CategoryCount(id=2, name=POTS[1], count=3)
    by_category = await index.search(Request(None, filters=Filters(category_ids=(1,))))
    assert by_category.facets is not None
    assert by_category.facets.categories == (pots, tea)
    assert by_category.facets.price == PriceRange(min=100, max=200)
    assert by_category.facets.in_stock == StockCount(true=1, false=1)
    by_price = await index.search(Request(None, filters=Filters(max_price=100)))
    assert by_price.facets is not None
    assert by_price.facets.price == PriceRange(min=100, max=400)
    assert by_price.facets.in_stock == StockCount(true=1, false=0)
    by_stock = await index.search(Request(Term("title", "tea"), filters=Filters(in_stock=False)))
    assert (by_stock.total, by_stock.facets is not None) == (1, True)
    assert by_stock.facets is not None
    assert by_stock.facets.in_stock == StockCount(true=2, false=1)
    assert by_stock.facets.price == PriceRange(min=200, max=200)


async def test_facets_of_nothing(index: ProductIndex) -> None:
    for _ in range(2):
        found = await index.search(Request(Term("title", "nothing")))
        assert (found.items, found.total) == ((), 0)
        assert found.facets is not None
        assert found.facets.categories == ()
        assert found.facets.price == PriceRange(min=None, max=None)
        assert found.facets.in_stock == StockCount(true=0, false=0)
        await index.put(SHELF)


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("newest", [3, 2, 5, 1, 4]),
        ("price_asc", [1, 2, 3, 4, 5]),
        ("price_desc", [5, 4, 2, 3, 1]),
    ],
)
async def test_sorts(index: ProductIndex, sort: Sort, order: list[int]) -> None:
    await index.put(SHELF)
    assert await find(index, sort=sort) == order


@pytest.mark.parametrize("sort", ["relevance", "newest", "price_asc", "price_desc"])
async def test_pages_over_ties_show_each_product_once(index: ProductIndex, sort: Sort) -> None:
    for start in (1, 21, 41):
        await index.put([product(number, "tea") for number in range(start, start + 20)])
    await index.put([product(number, "tea", version=2) for number in range(5, 60, 7)])
    seen: list[int] = []
    for offset in range(0, 70, 7):
        asked = Request(Term("title", "tea"), sort=sort, offset=offset, limit=7)
        found = await index.search(asked)
        assert found.total == 60
        seen += ids(found)
    assert sorted(seen) == list(range(1, 61))


@pytest.mark.parametrize("sort", ["relevance", "newest", "price_asc", "price_desc"])
@pytest.mark.parametrize("wanted", [Term("title", "tea"), None])
async def test_equal_ones_come_by_id_whatever_was_written_last(
    index: ProductIndex, sort: Sort, wanted: Term | None
) -> None:
    await index.put([product(number, "tea") for number in (4, 2, 5, 3, 1)])
    for version, number in enumerate((1, 3, 2), start=2):
        await index.put([product(number, "tea", version=version)])
        assert await find(index, wanted, sort=sort) == [1, 2, 3, 4, 5]


async def test_a_list_without_words_is_ordered_by_level(index: ProductIndex) -> None:
    levels = {1: 4, 2: 9, 3: 0, 4: 9}
    await index.put([product(n, "tea", level=level) for n, level in levels.items()])
    assert await find(index) == [2, 4, 1, 3]


@pytest.mark.parametrize("offset", [5, 9_990, 10_000, 100_000, 10**9])
async def test_a_page_behind_the_last_is_empty_and_knows_the_total(
    index: ProductIndex, offset: int
) -> None:
    await index.put(SHELF)
    found = await index.search(Request(None, offset=offset, limit=100))
    assert (found.items, found.total) == ((), 5)


@pytest.mark.parametrize("wanted", [Term("title", "tea"), None])
async def test_a_page_of_none_only_counts(index: ProductIndex, wanted: Term | None) -> None:
    await index.put([product(number, "tea", price=number) for number in (1, 2, 3)])
    asked = Request(wanted, filters=Filters(min_price=2), limit=0, facets=False)
    found = await index.search(asked)
    assert (found.items, found.total, found.facets) == ((), 2, None)


async def test_preferred_ones_come_first_and_shut_nobody_out(index: ProductIndex) -> None:
    await index.put([product(1, "tea", rank="a"), product(2, "tea", rank="b"), product(3, "tea")])
    preferred = (Const(Term("rank", "b"), 2.0), Const(Term("rank", "a"), 1.0))
    found = await index.search(Request(Term("title", "tea"), preferred=preferred))
    assert ids(found) == [2, 1, 3]
    first, second, third = (one.score for one in found.items)
    assert (first - third, second - third) == pytest.approx((2.0, 1.0), rel=1e-3)
    by_price = await index.search(Request(None, preferred=preferred, sort="price_asc"))
    assert by_price.total == 3


async def test_words_are_counted_commonest_first(index: ProductIndex) -> None:
    await index.put(
        [
            product(1, words=("お茶", "green tea")),
            product(2, words=("お茶", "Pot")),
            product(3, words=("お茶", "green tea"), on_sale=True),
            product(4, words=("Pot",), on_sale=False),
        ]
    )
    counted = await index.words(10)
    assert counted == [WordCount("お茶", 3), WordCount("green tea", 2), WordCount("Pot", 1)]
    assert await index.words(2) == counted[:2]
    assert await index.words(1_000_000) == counted


async def test_versions_come_in_the_order_of_ids_page_by_page(index: ProductIndex) -> None:
    numbers = [9, 100, 20, 1, 11, 2**53]
    await index.put([product(number, version=number % 7 + 1) for number in numbers])
    seen: list[Indexed] = []
    after = 0
    while page := await index.indexed(after, 2):
        seen += page
        after = page[-1].product_id
    assert seen == [Indexed(number, number % 7 + 1) for number in sorted(numbers)]


async def test_versions_of_those_that_are_there(index: ProductIndex) -> None:
    await index.put(
        [product(number, version=number, on_sale=number % 2 == 0) for number in (1, 2, 3)]
    )
    await index.remove([3])
    assert await index.versions([3, 2, 1, 9]) == {1: 1, 2: 2}
    assert await index.versions([]) == {}
