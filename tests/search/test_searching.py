"""What a shopper is told: what was typed, what was probably meant, and never what is not there."""

from __future__ import annotations

import pytest
from tests.support.search_shop import a_product, a_search_shop

from kessai.contracts.search import SearchProducts
from kessai.contracts.storage import Names, SnapshotCategory

KYUSU = a_product(
    1, "急須 白磁", reading="きゅうす", titles=Names(en="Teapot", zh="茶壶"), price=800
)
LARGE = a_product(2, "急須 大 400ml", reading="きゅうす", price=2500, stock=0)
SHOES = a_product(
    3,
    "スニーカー 紺",
    titles=Names(en="Sneakers"),
    category=SnapshotCategory(id=2, name="身につける"),
)
GONE = a_product(4, "急須 廃番", reading="きゅうす", status="INACTIVE")
GOODS = (KYUSU, LARGE, SHOES, GONE)


async def test_what_is_off_sale_is_never_found_or_suggested() -> None:
    shop = await a_search_shop(GOODS)
    assert sorted(await shop.find("急須")) == [1, 2]
    assert 4 not in await shop.find("")
    assert "急須 廃番" not in await shop.suggest("急須 廃")


@pytest.mark.parametrize("typed", ["kyuusu", "ｷｭｳｽ", "きゅうす", "Teapots", "茶壺", "急須白磁"])
async def test_one_product_many_ways(typed: str) -> None:
    shop = await a_search_shop(GOODS)
    assert (await shop.find(typed))[0] == 1
    assert await shop.meant(typed) is None


async def test_a_typing_error_is_corrected_and_said() -> None:
    shop = await a_search_shop(GOODS)
    assert await shop.find("すりーかー") == [3]
    assert await shop.meant("すりーかー") == "スニーカー"
    assert await shop.meant("sneekers") == "sneakers"


async def test_filters_that_leave_nothing_are_no_typing_error() -> None:
    shop = await a_search_shop(GOODS)
    page = await shop.searching.search(SearchProducts(q="急須", min_price=100_000))
    assert (page.total, page.did_you_mean) == (0, None)
    assert page.facets.price.max == 2500
    assert page.facets.in_stock.false == 0


async def test_of_several_words_some_are_better_than_nothing() -> None:
    shop = await a_search_shop(GOODS)
    assert set(await shop.find("急須 羅針盤")) == {1, 2}
    assert await shop.find("羅針盤") == []


async def test_facets_leave_their_own_filter_out() -> None:
    shop = await a_search_shop(GOODS)
    page = await shop.searching.search(SearchProducts(category_ids=(1,), in_stock=True))
    assert [item.product_id for item in page.items] == [1]
    assert {facet.id: facet.count for facet in page.facets.categories} == {1: 1, 2: 1}
    assert (page.facets.in_stock.true, page.facets.in_stock.false) == (1, 1)


async def test_signs_alone_find_nothing_and_nothing_typed_finds_all() -> None:
    shop = await a_search_shop(GOODS)
    assert await shop.find("!?") == []
    assert await shop.find("🍵") == []
    assert sorted(await shop.find("  ")) == [1, 2, 3]
    assert await shop.suggest("!?") == ()


async def test_pages_hold_every_product_once() -> None:
    shop = await a_search_shop([a_product(n, "急須") for n in range(1, 48)])
    seen = [i for page in range(6) for i in await shop.find("急須", page=page, size=10)]
    assert sorted(seen) == list(range(1, 48))
    assert await shop.find("急須", page=1000, size=100) == []


async def test_what_sells_comes_first_and_what_is_out_of_stock_last() -> None:
    # Equal ones stay in the order in which they came: the last shall be first.
    out, plain, sold = (a_product(n, "急須") for n in (1, 2, 3))
    shop = await a_search_shop(
        [
            out.model_copy(update={"stock": 0}),
            plain,
            sold.model_copy(update={"sold_count_30d": 50}),
        ]
    )
    assert await shop.find("急須") == [3, 2, 1]


async def test_the_title_says_more_than_the_description() -> None:
    told = a_product(1, "湯のみ", description="急須と揃いの湯のみです。急須は別売りです。")
    shop = await a_search_shop([told, a_product(2, "急須")])
    assert await shop.find("急須") == [2, 1]


async def test_suggestions_begin_as_typed_and_lead_to_something() -> None:
    shop = await a_search_shop(GOODS)
    for typed in ("き", "k", "ky", "急", "きゅうs", "sne", "s", "ｽﾆ"):
        texts = await shop.suggest(typed)
        assert texts, typed
        assert len(texts) == len(set(texts)) <= 10
        for text in texts:
            assert await shop.find(text), text
    assert (await shop.suggest("すn"))[0] == "スニーカー"
    assert [p.product_id for p in await shop.suggested("すn")] == [3]


async def test_a_word_that_went_is_suggested_no_more() -> None:
    shop = await a_search_shop(GOODS)
    assert "スニーカー" in await shop.suggest("すに")
    await shop.indexing.put([SHOES.model_copy(update={"version": 2, "status": "INACTIVE"})])
    assert await shop.suggest("すに") == ()


async def test_two_words_are_completed_only_to_what_the_shop_has_together() -> None:
    shop = await a_search_shop(GOODS)
    assert "急須 白磁" in await shop.suggest("急須 白")
    assert not any("スニーカー" in text for text in await shop.suggest("急須 す"))


async def test_synonyms_are_found_behind_the_word_itself() -> None:
    goods = [a_product(1, "鉛筆"), a_product(2, "ペン")]
    shop = await a_search_shop(goods, ["ペン => 鉛筆"])
    assert await shop.find("ペン") == [2, 1]
    assert await shop.find("鉛筆") == [1]
