"""The shop in three languages: every name is there, and whoever types any of them finds it."""

from __future__ import annotations

import csv
import io
import re
from importlib import resources
from urllib.parse import quote

from tests.support.shop import SHOP, Shop, story

KANA = re.compile(r"[ぁ-ヿ]")
LATIN = re.compile(r"[\x20-\x7eéōū×″–’]+")


def demo_rows() -> list[dict[str, str]]:
    text = resources.files("kessai.storage").joinpath("catalogue.csv").read_text("utf-8")
    return list(csv.DictReader(io.StringIO(text)))


async def get(shop: Shop, path: str) -> object:
    answer = await shop.send("GET", f"{SHOP}{path}")
    assert answer.status == 200, answer.body
    return answer.body


async def found(shop: Shop, query: str) -> list[int]:
    body = await get(shop, f"/api/products/search?size=100&q={quote(query)}")
    assert isinstance(body, dict)
    return [item["productId"] for item in body["items"]]


@story(1)
async def test_every_product_and_category_has_its_three_names(shop: Shop) -> None:
    rows = {int(row["productId"]): row for row in demo_rows()}
    on_sale = [row for row in rows.values() if row["status"] == "ACTIVE"]
    assert len(on_sale) >= 160
    for product_id, row in rows.items():
        product = await get(shop, f"/api/products/{product_id}")
        assert isinstance(product, dict)
        assert (product["name"], product["names"]) == (
            row["title"],
            {"en": row["titleEn"], "zh": row["titleZh"]},
        )
        assert LATIN.fullmatch(row["titleEn"]), row["titleEn"]
        assert not KANA.search(row["titleZh"]), row["titleZh"]
        assert product["description"]
    categories = await get(shop, "/api/categories")
    assert isinstance(categories, list)
    assert len(categories) == 8
    names = {row["category"]: (row["categoryEn"], row["categoryZh"]) for row in on_sale}
    assert {c["name"]: (c["names"]["en"], c["names"]["zh"]) for c in categories} == names


@story(1)
async def test_whoever_types_a_name_finds_the_product(shop: Shop) -> None:
    """Every seventh, in each language, and as a hasty thumb types it."""
    for row in demo_rows()[::7]:
        product_id = int(row["productId"])
        for column in ("title", "titleEn", "titleZh", "reading"):
            assert product_id in await found(shop, row[column]), row[column]
        assert product_id in await found(shop, row["titleEn"].upper())
        assert product_id in await found(shop, f"  {row['titleEn'].split()[0]}　")


@story(1)
async def test_whoever_types_a_category_finds_its_goods(shop: Shop) -> None:
    rows = demo_rows()
    for row in {row["category"]: row for row in rows}.values():
        for column in ("category", "categoryEn", "categoryZh"):
            ids = await found(shop, row[column])
            assert int(row["productId"]) in ids, row[column]


@story(1)
async def test_what_is_found_has_its_names_and_one_picture_everywhere(shop: Shop) -> None:
    items = await shop.found(f"q={quote('teapot')}")
    assert len(items) >= 3
    for item in items:
        product = await get(shop, f"/api/products/{item['productId']}")
        assert isinstance(product, dict)
        assert (item["title"], item["titles"]) == (product["name"], product["names"])
        key = re.fullmatch(r"/images/([0-9a-f]{64})\?w=\d+", item["thumbnailUrl"])
        assert key is not None
        assert key[1] in product["imageUrl"]


@story(1)
async def test_completions_come_in_the_language_that_is_typed(shop: Shop) -> None:
    for row in demo_rows()[::15]:
        for column in ("titleEn", "titleZh", "title"):
            typed = row[column]
            body = await get(shop, f"/api/products/suggest?q={quote(typed)}")
            assert isinstance(body, dict)
            assert row[column] in body["suggestions"], typed
            assert int(row["productId"]) in [one["productId"] for one in body["products"]], typed
