"""Catalogue, search and suggestions, row by row as the wire contract says; nobody signs in."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from tests.support.shop import SHOP, Reply, Shop, story
from tests.support.surface import TIME, assert_problem, assert_shape

NAMES = {"en": (str, None), "zh": (str, None)}
IMAGE = re.compile(r"/images/[0-9a-f]{64}\?w=(160|480)")
PRODUCT = {
    "id": int,
    "categoryId": int,
    "name": str,
    "names": NAMES,
    "description": str,
    "imageUrl": (IMAGE, None),
    "price": int,
    "stock": int,
}
FOUND = {
    "productId": int,
    "title": str,
    "titles": NAMES,
    "price": int,
    "thumbnailUrl": (IMAGE, None),
    "createdAt": TIME,
    "stock": int,
    "categoryId": int,
    "highlight": (str, None),
}
SEARCH = {
    "items": [FOUND],
    "total": int,
    "page": int,
    "size": int,
    "didYouMean": (str, None),
    "facets": {
        "categories": [{"id": int, "name": str, "count": int}],
        "price": {"min": (int, None), "max": (int, None)},
        "inStock": {"true": int, "false": int},
    },
}


async def get(shop: Shop, path: str) -> Reply:
    return await shop.send("GET", f"{SHOP}{path}")


async def search(shop: Shop, query: str = "") -> dict[str, Any]:
    answer = await get(shop, f"/api/products/search?{query}")
    assert answer.status == 200, answer.body
    assert_shape(answer.body, SEARCH)
    return dict(answer.body)


async def search_all(shop: Shop, query: str) -> list[dict[str, Any]]:
    """The items of every page, in their order."""
    first = await search(shop, f"{query}&size=100")
    pages_ = range(1, -(-first["total"] // 100))
    more = [await search(shop, f"{query}&size=100&page={page}") for page in pages_]
    return [item for answer in (first, *more) for item in answer["items"]]


async def all_products(shop: Shop) -> list[dict[str, Any]]:
    return [row for page in await pages(shop, "/api/products?limit=100") for row in page]


async def pages(shop: Shop, path: str) -> list[list[dict[str, Any]]]:
    """Follows the Link header to its end, as any HTTP client does."""
    found = []
    while path:
        answer = await get(shop, path)
        assert answer.status == 200, answer.body
        found.append(answer.body)
        link = re.fullmatch(r'<([^>]+)>; rel="next"', answer.headers.get("link", ""))
        assert bool(link) == ("link" in answer.headers)
        path = link[1] if link else ""
    return found


@story(1)
async def test_categories_and_products_have_their_fields(shop: Shop) -> None:
    categories = await get(shop, "/api/categories")
    assert categories.status == 200
    assert_shape(
        categories.body,
        [{"id": int, "name": str, "names": NAMES, "imageUrl": (IMAGE, None)}],
    )
    assert len(categories.body) >= 2
    products = await all_products(shop)
    assert len(products) == len(shop.prices) >= 60
    assert_shape(products, [PRODUCT])
    assert {row["id"]: row["price"] for row in products} == shop.prices
    one = await get(shop, f"/api/products/{shop.product}")
    assert one.status == 200
    assert one.body == next(row for row in products if row["id"] == shop.product)


@story(1)
async def test_pages_follow_each_other_without_gap_or_repeat(shop: Shop) -> None:
    everything = [row["id"] for row in await all_products(shop)]
    seven = await pages(shop, "/api/products?limit=7")
    assert {len(page) for page in seven[:-1]} == {7}
    assert [row["id"] for page in seven for row in page] == everything
    assert len((await get(shop, "/api/products")).body) == 24
    category = (await get(shop, "/api/categories")).body[0]["id"]
    mine = await pages(shop, f"/api/products?categoryId={category}&limit=3")
    assert len(mine) > 1
    assert {row["categoryId"] for page in mine for row in page} == {category}
    assert await pages(shop, "/api/products?categoryId=999999") == [[]]


@story(1)
async def test_wrong_queries_are_named(shop: Shop) -> None:
    for query, field in (
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("limit=", "limit"),
        ("categoryId=x", "categoryId"),
        ("categoryId=0", "categoryId"),
        ("categoryId=99999999999999999999", "categoryId"),
        ("cursor=x", "cursor"),
        ("cursor=%00", "cursor"),
        (f"cursor={'x' * 201}", "cursor"),
    ):
        assert_problem(await get(shop, f"/api/products?{query}"), 422, "VALIDATION", field)
    for query, field in (
        (f"q={'x' * 201}", "q"),
        ("minPrice=-1", "minPrice"),
        ("minPrice=1.5", "minPrice"),
        ("minPrice=5&maxPrice=4", "minPrice"),
        ("maxPrice=x", "maxPrice"),
        ("maxPrice=99999999999999999999", "maxPrice"),
        ("categoryId=1&categoryId=x", "categoryId[1]"),
        ("inStock=perhaps", "inStock"),
        ("sort=cheapest", "sort"),
        ("page=-1", "page"),
        ("page=1001", "page"),
        ("size=0", "size"),
        ("size=101", "size"),
    ):
        answer = await get(shop, f"/api/products/search?{query}")
        assert_problem(answer, 422, "VALIDATION", field)
    for query, field in ((f"q={'x' * 201}", "q"), ("q=a&size=11", "size"), ("size=0", "size")):
        answer = await get(shop, f"/api/products/suggest?{query}")
        assert_problem(answer, 422, "VALIDATION", field)


@story(1)
async def test_what_is_no_product_is_404(shop: Shop) -> None:
    for name in (
        "0", "-1", "999999", "x", "1.0", "1e3", "%31x", "01", "+1", "%EF%BC%91", "9" * 400,
        "searchX", "search/", "suggest%00", "null",
    ):  # fmt: skip
        answer = await get(shop, f"/api/products/{name}")
        assert_problem(answer, 404, "NOT_FOUND")


@story(1)
async def test_search_finds_filters_and_sorts(shop: Shop) -> None:
    products = {row["id"]: row for row in await all_products(shop)}
    everything = await search(shop, "size=100")
    assert (everything["total"], everything["page"], everything["size"]) == (len(products), 0, 100)
    items = await search_all(shop, "q=")
    assert {row["productId"]: row["price"] for row in items} == shop.prices
    price = sorted(shop.prices.values())
    assert everything["facets"]["price"] == {"min": price[0], "max": price[-1]}
    stocked = sum(1 for row in products.values() if row["stock"] > 0)
    rest = len(products) - stocked
    assert rest > 0
    assert everything["facets"]["inStock"] == {"true": stocked, "false": rest}
    counts = {row["id"]: row["count"] for row in everything["facets"]["categories"]}
    assert sum(counts.values()) == len(products)

    cheap = await search(shop, f"maxPrice={price[10]}&size=100")
    assert {row["price"] <= price[10] for row in cheap["items"]} == {True}
    assert cheap["total"] == sum(1 for value in price if value <= price[10])
    dear = await search(shop, f"minPrice={price[-5]}&size=100")
    assert dear["total"] == sum(1 for value in price if value >= price[-5])
    assert (await search(shop, "inStock=true"))["total"] == stocked
    assert (await search(shop, "inStock=false"))["total"] == rest
    one, two = list(counts)[:2]
    both = await search(shop, f"categoryId={one}&categoryId={two}&size=100")
    assert both["total"] == counts[one] + counts[two]
    assert {row["categoryId"] for row in both["items"]} == {one, two}


@story(1)
async def test_search_sorts_and_pages(shop: Shop) -> None:
    for sort, key in (
        ("price_asc", lambda row: row["price"]),
        ("price_desc", lambda row: -row["price"]),
        ("newest", lambda row: [-ord(letter) for letter in row["createdAt"]]),
    ):
        items = await search_all(shop, f"sort={sort}")
        assert len(items) == len(shop.prices)
        assert items == sorted(items, key=key), sort
    seen = []
    for page in range(len(shop.prices) // 7 + 2):
        found = await search(shop, f"size=7&page={page}&sort=relevance")
        assert found["page"] == page
        seen += [row["productId"] for row in found["items"]]
    assert sorted(seen) == sorted(shop.prices)
    assert len((await search(shop))["items"]) == 20


@story(1)
async def test_search_takes_every_text_as_text(shop: Shop) -> None:
    name = (await get(shop, f"/api/products/{shop.product}")).body["name"]
    hit = await search(shop, f"q={quote(name)}")
    assert shop.product in [row["productId"] for row in hit["items"]]
    for odd in ("%25", "%27%20OR%201=1--", "_", "%5C", "%22", "*", "{%22%24gt%22:%22%22}"):
        found = await search(shop, f"q={odd}")
        assert found["total"] < len(shop.prices), odd
    nothing = await search(shop, "q=qxqxqx")
    assert (nothing["items"], nothing["total"]) == ([], 0)
    assert nothing["facets"]["price"] == {"min": None, "max": None}
    assert nothing["facets"]["inStock"] == {"true": 0, "false": 0}


@story(1)
async def test_suggestions_while_typing(shop: Shop) -> None:
    name = str((await get(shop, f"/api/products/{shop.product}")).body["name"])
    shape = {
        "suggestions": [str],
        "products": [{"productId": int, "title": str, "thumbnailUrl": (IMAGE, None), "price": int}],
    }
    found = await get(shop, f"/api/products/suggest?q={quote(name[:2])}&size=3")
    assert found.status == 200
    assert_shape(found.body, shape)
    assert 1 <= len(found.body["suggestions"]) <= 3
    assert 1 <= len(found.body["products"]) <= 3
    for query in ("", "q=", "q=qxqxqx", "q=%25"):
        none = await get(shop, f"/api/products/suggest?{query}")
        assert none.status == 200
        assert_shape(none.body, shape)
        assert none.body == {"suggestions": [], "products": []}, query
