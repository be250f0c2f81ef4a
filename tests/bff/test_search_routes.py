"""Search and suggestions at the door: what es-service answers, and what it is never asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from fastapi import FastAPI

from kessai.bff.web.catalogue import search_routes
from kessai.contracts.search import (
    CategoryCount,
    Facets,
    FoundProduct,
    PriceRange,
    SearchPage,
    SearchProducts,
    StockCount,
    Suggest,
    Suggestions,
)
from kessai.contracts.storage import Names
from kessai.kernel.errors import Unknown
from kessai.kernel.problem import install

SHOP = "http://127.0.0.1:8080"
KEY = "a" * 64
POT = FoundProduct(
    product_id=7,
    title="常滑焼の急須",
    titles=Names(en="Tokoname teapot"),
    price=8800,
    stock=3,
    category_id=2,
    image_key=KEY,
    created_at="2026-01-05T00:00:00.000Z",
    highlight="常滑焼の<em>急須</em>",
)


class Searching:
    """An es-service that finds one pot, or does not answer."""

    def __init__(self) -> None:
        self.asked: list[SearchProducts | Suggest] = []
        self.is_down = False

    async def search_products(self, command: SearchProducts) -> SearchPage:
        self._hear(command)
        return SearchPage(
            items=(POT,),
            total=1,
            page=command.page,
            size=command.size,
            did_you_mean="急須",
            facets=Facets(
                categories=(CategoryCount(id=2, name="茶", count=1),),
                price=PriceRange(min=8800, max=8800),
                in_stock=StockCount(true=1, false=0),
            ),
        )

    async def suggest(self, command: Suggest) -> Suggestions:
        self._hear(command)
        return Suggestions(suggestions=("急須",), products=(POT,))

    def _hear(self, command: SearchProducts | Suggest) -> None:
        if self.is_down:
            raise Unknown("SEARCH_UNAVAILABLE", "http://search.inside:9200 does not answer")
        self.asked.append(command)


@asynccontextmanager
async def a_door(searching: Searching) -> AsyncIterator[httpx2.AsyncClient]:
    app = FastAPI()
    install(app)
    app.include_router(search_routes(searching))
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url=SHOP) as client:
        yield client


async def get(searching: Searching, path: str) -> httpx2.Response:
    async with a_door(searching) as client:
        return await client.get(f"/api/products/{path}")


async def test_everything_that_was_found_is_told() -> None:
    searching = Searching()
    answer = await get(searching, f"search?q={quote('きゅうづ')}&page=2&size=5&categoryId=2")
    assert answer.status_code == 200
    assert answer.json() == {
        "items": [
            {
                "productId": 7,
                "title": "常滑焼の急須",
                "titles": {"en": "Tokoname teapot", "zh": None},
                "price": 8800,
                "thumbnailUrl": f"/images/{KEY}?w=160",
                "createdAt": "2026-01-05T00:00:00.000Z",
                "stock": 3,
                "categoryId": 2,
                "highlight": "常滑焼の<em>急須</em>",
            }
        ],
        "total": 1,
        "page": 2,
        "size": 5,
        "didYouMean": "急須",
        "facets": {
            "categories": [{"id": 2, "name": "茶", "count": 1}],
            "price": {"min": 8800, "max": 8800},
            "inStock": {"true": 1, "false": 0},
        },
    }
    assert searching.asked == [SearchProducts(q="きゅうづ", page=2, size=5, category_ids=(2,))]


async def test_suggestions_are_words_and_products() -> None:
    searching = Searching()
    answer = await get(searching, f"suggest?q={quote('にk')}&size=3")
    assert answer.json() == {
        "suggestions": ["急須"],
        "products": [
            {
                "productId": 7,
                "title": "常滑焼の急須",
                "thumbnailUrl": f"/images/{KEY}?w=160",
                "price": 8800,
            }
        ],
    }
    assert searching.asked == [Suggest(q="にk", size=3)]


WRONG = [
    ("search?minPrice=5&maxPrice=4", "minPrice"),
    ("search?minPrice=-1", "minPrice"),
    ("search?maxPrice=100000000001", "maxPrice"),
    (f"search?q={'x' * 201}", "q"),
    (f"search?q={'x' * 10_000}", "q"),
    (f"search?q={quote('😀' * 201)}", "q"),
    ("search?page=-1", "page"),
    ("search?size=1000000", "size"),
    ("search?size=0", "size"),
    ("search?sort=cheapest", "sort"),
    ("search?categoryId=0", "categoryId[0]"),
    ("search?categoryId=1&categoryId=99999999999999999999", "categoryId[1]"),
    ("search?" + "categoryId=1&" * 51, "categoryId"),
    (f"suggest?q={'x' * 201}", "q"),
    ("suggest?q=a&size=11", "size"),
]


@pytest.mark.parametrize(("path", "field"), WRONG)
async def test_what_nobody_can_mean_is_named_and_not_asked(path: str, field: str) -> None:
    searching = Searching()
    answer = await get(searching, path)
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["code"]) == (422, "VALIDATION")
    assert [error["field"] for error in body["errors"]] == [field]
    assert searching.asked == []


@pytest.mark.parametrize(
    ("sent", "heard"),
    [
        ("%00%1b%5b2J", "\x00\x1b[2J"),
        ("%ff%fe", "��"),
        ("%ed%a0%80", "���"),
        ("%F0%9F%98%80" * 200, "😀" * 200),
        ("title:*%20OR%20(", "title:* OR ("),
        ("", ""),
    ],
)
async def test_any_text_is_a_text(sent: str, heard: str) -> None:
    searching = Searching()
    for path in (f"search?q={sent}", f"suggest?q={sent}"):
        assert (await get(searching, path)).status_code == 200
    assert [command.q for command in searching.asked] == [heard, heard]


async def test_one_price_is_a_range_too() -> None:
    searching = Searching()
    assert (await get(searching, "search?minPrice=5&maxPrice=5")).status_code == 200
    assert searching.asked == [SearchProducts(min_price=5, max_price=5)]


@pytest.mark.parametrize("path", ["search?q=a", "suggest?q=a"])
async def test_without_an_index_the_caller_is_told_to_come_back(path: str) -> None:
    searching = Searching()
    searching.is_down = True
    answer = await get(searching, path)
    assert (answer.status_code, answer.json()["code"]) == (503, "SEARCH_UNAVAILABLE")
    assert int(answer.headers["retry-after"]) >= 1
    # Where it is asked is nobody's business outside.
    assert "inside" not in answer.text
