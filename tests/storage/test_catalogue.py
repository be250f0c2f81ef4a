"""The catalogue as others read it: pages, whole snapshots, prices of record."""

from __future__ import annotations

import json
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
    ListSnapshots,
    ProductById,
    Quote,
    SnapshotPage,
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


async def snapshots(story: StorageStory, after: int = 0, limit: int = 200) -> SnapshotPage:
    return await story.storage.list_snapshots(ListSnapshots(after=after, limit=limit))


async def test_snapshots_are_everything_in_the_order_of_ids(shop: StorageStory) -> None:
    everything = (await snapshots(shop)).items
    assert [item.product_id for item in everything] == [1, 2, 3, 4, 5]
    # What is not sold any more is told too: an index must forget it.
    assert [item.status for item in everything][2:] == ["ACTIVE", "INACTIVE", "ACTIVE"]
    first = everything[0]
    assert (first.title, first.titles.en, first.titles.zh, first.reading) == (
        "常滑焼の急須 280ml",
        "Tokoname teapot",
        "常滑烧茶壶",
        "きゅうす",
    )
    assert (first.category.id, first.category.name, first.price, first.stock) == (1, "茶", 8800, 5)


async def test_pages_of_snapshots_miss_and_repeat_nothing(shop: StorageStory) -> None:
    first = await snapshots(shop, limit=2)
    await shop.load(a_row(6))
    second = await snapshots(shop, after=first.items[-1].product_id, limit=3)
    rest = await snapshots(shop, after=second.items[-1].product_id)
    pages = [[item.product_id for item in page.items] for page in (first, second, rest)]
    assert pages == [[1, 2], [3, 4, 5], [6]]
    assert (await snapshots(shop, after=6)).items == ()
    assert (await snapshots(shop, after=2**53)).items == ()


async def test_a_snapshot_is_what_the_event_of_its_version_carries(shop: StorageStory) -> None:
    await shop.reserve("sold", (1, 2))
    await shop.confirm("sold")
    await shop.announcements.announce_products()
    told = {
        event["payload"]["productId"]: event["payload"]
        for row in await shop.rows("SELECT value FROM outbox")
        for event in [json.loads(row["value"])]
    }
    listed = [
        item.model_dump(mode="json", by_alias=True, exclude={"image_file"})
        for item in (await snapshots(shop)).items
    ]
    assert {item["productId"]: item for item in listed} == told
    assert (told[1]["stock"], told[1]["soldCount30d"]) == (3, 2)


async def test_a_page_of_snapshots_is_one_statement() -> None:
    async with a_storage(dict.fromkeys(range(1, 41), 1)) as story:
        assert len((await snapshots(story)).items) == 40
        assert len(story.db.statements) == 1


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
