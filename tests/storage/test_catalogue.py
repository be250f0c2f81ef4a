"""The catalogue as the shop reads it: pages, prices of record, search, suggestions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator
from importlib import resources

import pytest
from tests.support.storage import HEADER, StorageStory, a_row, a_storage

from kessai.contracts.storage import (
    BadRow,
    Line,
    ListProducts,
    ProductById,
    Quote,
    SearchPage,
    SearchProducts,
    Suggest,
)
from kessai.contracts.wire import Nothing
from kessai.kernel.errors import Invalid, NotFound, Refused
from kessai.storage.domain.catalogue_file import CatalogueFile, FileLimits

_KANA = re.compile(r"[ぁ-んー]+")
_LATIN = re.compile(r"[\x20-\x7e]+")
WIDE = f"{HEADER},titleEn,titleZh,reading"
ROWS = (
    "1,常滑焼の急須 280ml,土,8800,ACTIVE,2026-01-01,,茶,5,Tokoname teapot,常滑烧茶壶,きゅうす",
    "2,鉄の釜敷き,キュウスにも釜にも,1200,ACTIVE,2026-01-03,,台所,0,Iron trivet,铁制锅垫,",
    "3,ほうじ茶 100%,浅煎り,900,ACTIVE,2026-01-02,,茶,7,Hojicha 100%,焙茶,ほうじちゃ",
    "4,昔の急須,もう作らない,5000,INACTIVE,2026-01-04,,茶,9,Old teapot,旧茶壶,きゅうす",
    "5,ペン_先 A5,替え芯,300,ACTIVE,2026-01-05,,文具,50,Nib,笔尖,ぺんさき",
)


@pytest.fixture
async def shop() -> AsyncIterator[StorageStory]:
    async with a_storage() as story:
        loaded = await story.load(*ROWS, header=WIDE)
        assert (loaded.created, loaded.bad) == (5, ())
        yield story


async def search(story: StorageStory, **wanted: object) -> SearchPage:
    return await story.storage.search_products(SearchProducts.model_validate(wanted))


def ids(page: SearchPage) -> list[int]:
    return [item.product_id for item in page.items]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("きゅうす", [1, 2]),
        ("キュウス", [1, 2]),
        ("ｷｭｳｽ", [1, 2]),
        ("急須", [1]),
        ("TEAPOT", [1]),
        ("ｔｅａｐｏｔ", [1]),
        ("茶壶", [1]),
        ("tokoname 急須", [1]),
        ("急須　280ML", [1]),
        ("茶", [1, 3]),
        ("急須 ほうじ", []),
        ("100%", [3]),
        ("%", [3]),
        ("_", [5]),
        ("ペン_先", [5]),
        ("ペンx先", []),
        ("!", []),
        ("'", []),
        ("\\", []),
        ("", [1, 2, 3, 5]),
        ("   ", [1, 2, 3, 5]),
    ],
)
async def test_search_finds(shop: StorageStory, query: str, found: list[int]) -> None:
    page = await search(shop, q=query)
    assert sorted(ids(page)) == found
    assert page.total == len(found)


async def test_what_begins_with_the_word_comes_first(shop: StorageStory) -> None:
    await shop.load(
        "6,茶こし,竹,700,ACTIVE,2026-01-06,,台所,1,,,",
        "7,帯,茶色,700,ACTIVE,2026-01-06,,布,1,,,",
        header=WIDE,
    )
    assert ids(await search(shop, q="茶")) == [6, 3, 1, 7]


async def test_among_equals_the_one_that_sells_comes_first(shop: StorageStory) -> None:
    assert ids(await search(shop)) == [1, 2, 3, 5]
    await shop.reserve("r", (5, 2))
    await shop.confirm("r")
    assert ids(await search(shop)) == [5, 1, 2, 3]


@pytest.mark.parametrize(
    ("sort", "order"),
    [("price_asc", [5, 3, 2, 1]), ("price_desc", [1, 2, 3, 5]), ("newest", [5, 2, 3, 1])],
)
async def test_search_sorts(shop: StorageStory, sort: str, order: list[int]) -> None:
    assert ids(await search(shop, sort=sort)) == order


async def test_search_filters_and_counts_what_other_choices_would_give(shop: StorageStory) -> None:
    page = await search(shop, category_ids=[1], in_stock=True, min_price=1000, max_price=9000)
    assert ids(page) == [1]
    facets = page.facets
    assert [(c.id, c.name, c.count) for c in facets.categories] == [(1, "茶", 1)]
    assert (facets.price.min, facets.price.max) == (900, 8800)
    assert (facets.in_stock.true, facets.in_stock.false) == (1, 0)
    everything = (await search(shop)).facets
    assert [(c.name, c.count) for c in everything.categories] == [
        ("茶", 2),
        ("台所", 1),
        ("文具", 1),
    ]
    assert (everything.price.min, everything.price.max) == (300, 8800)
    assert (everything.in_stock.true, everything.in_stock.false) == (3, 1)
    assert ids(await search(shop, in_stock=False)) == [2]
    nothing = (await search(shop, q="無い")).facets
    assert (nothing.categories, nothing.price.min, nothing.price.max) == ((), None, None)


async def test_search_pages_do_not_overlap(shop: StorageStory) -> None:
    pages = [await search(shop, sort="price_asc", page=n, size=3) for n in range(3)]
    assert [ids(page) for page in pages] == [[5, 3, 2], [1], []]
    assert [page.total for page in pages] == [4, 4, 4]


@pytest.mark.parametrize(
    ("typed", "texts", "products"),
    [
        ("きゅう", ("常滑焼の急須 280ml",), [1, 2]),
        ("ｷｭｳ", ("常滑焼の急須 280ml",), [1, 2]),
        ("急", ("常滑焼の急須 280ml",), [1]),
        ("tea", ("Tokoname teapot",), [1]),
        ("焙", ("焙茶",), [3]),
        ("", (), []),
        ("%", ("ほうじ茶 100%",), [3]),
        ("無い", (), []),
    ],
)
async def test_suggestions_come_in_the_language_that_is_typed(
    shop: StorageStory, typed: str, texts: tuple[str, ...], products: list[int]
) -> None:
    found = await shop.storage.suggest(Suggest(q=typed))
    assert found.suggestions == texts
    assert [product.product_id for product in found.products] == products


async def test_pages_of_the_list_follow_each_other(shop: StorageStory) -> None:
    first = await shop.storage.list_products(ListProducts(limit=3))
    assert [item.product_id for item in first.items] == [1, 2, 3]
    # A product that comes in between neither repeats nor hides another one.
    await shop.load(a_row(6))
    rest = await shop.storage.list_products(ListProducts(limit=3, cursor=first.next_cursor))
    assert [item.product_id for item in rest.items] == [5, 6]
    assert rest.next_cursor is None
    teas = await shop.storage.list_products(ListProducts(category_id=1))
    assert [item.product_id for item in teas.items] == [1, 3]
    assert (await shop.storage.list_products(ListProducts(category_id=99))).items == ()


async def test_a_bent_cursor_is_refused(shop: StorageStory) -> None:
    cursor = (await shop.storage.list_products(ListProducts(limit=1))).next_cursor
    assert cursor is not None
    other_letter = "A" if cursor[-1] != "A" else "B"
    bent = [
        cursor[:-1] + other_letter,
        cursor[::-1],
        cursor + "=",
        f" {cursor}",
        "1",
        "MQ",
        "茶",
        "' OR 1=1 --",
    ]
    for text in bent:
        with pytest.raises(Invalid) as refused:
            await shop.storage.list_products(ListProducts(cursor=text))
        assert refused.value.facts == {"errors": [{"field": "cursor", "code": "INVALID"}]}
    with pytest.raises(Invalid):
        await shop.storage.list_products(ListProducts(cursor=cursor, category_id=1))


async def test_a_product_is_shown_with_its_stock_even_when_it_is_sold_no_more(
    shop: StorageStory,
) -> None:
    product = await shop.storage.get_product(ProductById(product_id=1))
    assert (product.name, product.price, product.stock) == ("常滑焼の急須 280ml", 8800, 5)
    assert (product.names.en, product.names.zh) == ("Tokoname teapot", "常滑烧茶壶")
    assert (product.created_at, product.active) == ("2026-01-01T00:00:00.000Z", True)
    assert (await shop.storage.get_product(ProductById(product_id=4))).active is False
    for unknown in (0, -1, 99, 2**53):
        with pytest.raises(NotFound):
            await shop.storage.get_product(ProductById(product_id=unknown))


async def test_categories_keep_the_order_in_which_they_came(shop: StorageStory) -> None:
    found = (await shop.storage.list_categories(Nothing())).items
    assert [(category.id, category.name) for category in found] == [
        (1, "茶"),
        (2, "台所"),
        (3, "文具"),
    ]


async def test_a_quote_has_the_prices_of_record(shop: StorageStory) -> None:
    quoted = await shop.storage.quote(
        Quote(lines=(Line(product_id=3, quantity=2), Line(product_id=1, quantity=1)))
    )
    assert [(q.product_id, q.title, q.unit_price, q.quantity) for q in quoted.lines] == [
        (3, "ほうじ茶 100%", 900, 2),
        (1, "常滑焼の急須 280ml", 8800, 1),
    ]
    assert quoted.amount == 10_600
    # Stock is the business of the reservation.
    assert (
        await shop.storage.quote(Quote(lines=(Line(product_id=2, quantity=9),)))
    ).amount == 10_800


async def test_a_quote_names_every_line_that_is_not_sold(shop: StorageStory) -> None:
    lines = tuple(Line(product_id=product, quantity=1) for product in (1, 99, 4))
    with pytest.raises(Refused) as refused:
        await shop.storage.quote(Quote(lines=lines))
    assert refused.value.code == "VALIDATION"
    assert refused.value.facts == {
        "errors": [
            {"field": "items[1].productId", "code": "UNKNOWN_PRODUCT"},
            {"field": "items[2].productId", "code": "NOT_SOLD"},
        ]
    }


async def test_an_amount_that_no_payment_can_carry_is_refused(shop: StorageStory) -> None:
    await shop.load(a_row(8, price=99_999_999_999))
    with pytest.raises(Invalid):
        await shop.storage.quote(Quote(lines=(Line(product_id=8, quantity=2),)))


async def test_reading_the_catalogue_is_one_statement_for_a_price() -> None:
    async with a_storage({1: 10}) as story:
        await story.storage.quote(Quote(lines=(Line(product_id=1, quantity=1),)))
        assert len(story.db.statements) == 1


def seed() -> bytes:
    return resources.files("kessai.storage").joinpath("catalogue.csv").read_bytes()


def test_the_shop_opens_with_a_catalogue_in_three_languages() -> None:
    rows = []
    for found in CatalogueFile(seed(), FileLimits()).rows():
        assert not isinstance(found, BadRow), found
        rows.append(found[1])
    assert len(rows) >= 160
    assert [row.product_id for row in rows] == list(range(1001, 1001 + len(rows)))
    sizes = Counter((row.category, row.category_en, row.category_zh) for row in rows)
    assert len(sizes) == len({row.category for row in rows}) == 8
    assert min(sizes.values()) >= 15
    assert all(row.title_en and row.title_zh and row.reading for row in rows)
    assert all(len(row.description) >= 20 for row in rows)
    for names in ([row.title for row in rows], [row.title_zh for row in rows]):
        assert len(set(names)) == len(names)
    assert all(_KANA.fullmatch(row.reading or "") for row in rows)
    assert all(_LATIN.fullmatch(row.title_en or "") for row in rows)
    assert all(100 <= row.price <= 60_000 for row in rows)
    stocks = [row.stock for row in rows if row.stock is not None]
    assert len(stocks) == len(rows)
    assert 3 in stocks
    assert 3 <= stocks.count(0) <= len(rows) // 20
    assert 5 <= sum(0 < stock <= 5 for stock in stocks) <= len(rows) // 10
    sizes_of_shoes = {found for row in rows for found in re.findall(r"\d\d\.\dcm", row.title)}
    assert len(sizes_of_shoes) >= 3


async def test_the_first_catalogue_comes_once() -> None:
    async with a_storage() as story:
        await story.imports.seed(seed())
        [before] = await story.rows("SELECT COUNT(*) n, SUM(available) pieces FROM stock")
        await story.reserve("r", (1001, 1))
        await story.imports.seed(seed() + b"9999,x,x,1,ACTIVE,2026-01-01,,,,,,,,\n")
        [after] = await story.rows("SELECT COUNT(*) n, SUM(available) pieces FROM stock")
        assert after == {"n": before["n"], "pieces": before["pieces"] - 1}
        # Everything is to be told to the search index.
        assert await story.rows("SELECT * FROM stock WHERE dirty = 0") == []


async def test_a_shop_with_goods_of_its_own_gets_no_demo_goods() -> None:
    async with a_storage({1: 10}) as story:
        await story.imports.seed(seed())
        assert await story.rows("SELECT product_id FROM product") == [{"product_id": 1}]
