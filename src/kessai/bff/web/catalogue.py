"""The catalogue without a session: categories, products, search, suggestions."""

from __future__ import annotations

import re
from typing import Annotated, Protocol
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Response
from pydantic import Field

from kessai.bff.web import present
from kessai.bff.web.door import Door, reply
from kessai.bff.web.models import (
    CategoryAnswer,
    ProductAnswer,
    SearchAnswer,
    SuggestAnswer,
)
from kessai.contracts.search import (
    MAX_QUERY,
    SearchPage,
    SearchProducts,
    Sort,
    Suggest,
    Suggestions,
)
from kessai.contracts.storage import ListProducts, ProductById
from kessai.contracts.wire import Nothing
from kessai.kernel.errors import Invalid, NotFound

_Limit = Annotated[int, Query(ge=1, le=100)]
_Price = Annotated[int | None, Query(ge=0, le=10**11)]
_PRODUCT_ID = re.compile(r"[1-9][0-9]{0,15}")
_Text = Annotated[str, Query(max_length=MAX_QUERY)]
_CategoryId = Annotated[int, Field(ge=1, le=2**53)]


def catalogue_routes(door: Door) -> APIRouter:
    router = APIRouter(tags=["catalogue"])

    @router.get("/api/categories", response_model=list[CategoryAnswer])
    async def categories() -> list[CategoryAnswer]:
        found = await door.catalogue.list_categories(Nothing())
        return [
            CategoryAnswer(
                id=item.id,
                name=item.name,
                names=item.names,
                image_url=present.image_url(item.image_key, 160),
            )
            for item in found.items
        ]

    @router.get("/api/products", response_model=list[ProductAnswer])
    async def products(
        response: Response,
        categoryId: Annotated[int | None, Query(ge=1, le=2**53)] = None,
        cursor: Annotated[str | None, Query(max_length=200)] = None,
        limit: _Limit = 24,
    ) -> list[ProductAnswer]:
        page = await door.catalogue.list_products(
            ListProducts(category_id=categoryId, cursor=cursor, limit=limit)
        )
        if page.next_cursor:
            more = {"categoryId": categoryId, "cursor": page.next_cursor, "limit": limit}
            query = urlencode({key: value for key, value in more.items() if value is not None})
            response.headers["Link"] = f'</api/products?{query}>; rel="next"'
        return [present.product(item) for item in page.items]

    @router.get("/api/products/{product_id}", response_model=ProductAnswer)
    async def product(product_id: str) -> Response:
        """What is no product id cannot be any product."""
        if not _PRODUCT_ID.fullmatch(product_id):
            raise NotFound("no such product")
        found = await door.catalogue.get_product(ProductById(product_id=int(product_id)))
        return reply(present.product(found))

    return router


class Searching(Protocol):
    """What is asked of es-service for a text."""

    async def search_products(self, command: SearchProducts) -> SearchPage: ...

    async def suggest(self, command: Suggest) -> Suggestions: ...


def search_routes(searching: Searching) -> APIRouter:
    """Mounted before the catalogue, since `/api/products/search` is no product id."""
    router = APIRouter(tags=["search"])

    @router.get("/api/products/search", response_model=SearchAnswer)
    async def search(
        q: _Text = "",
        minPrice: _Price = None,
        maxPrice: _Price = None,
        categoryId: Annotated[list[_CategoryId] | None, Query(max_length=50)] = None,
        inStock: bool | None = None,
        sort: Sort = "relevance",
        page: Annotated[int, Query(ge=0, le=1000)] = 0,
        size: _Limit = 20,
    ) -> Response:
        if minPrice is not None and maxPrice is not None and minPrice > maxPrice:
            raise Invalid("minPrice", "GREATER_THAN_MAX_PRICE", "minPrice is above maxPrice")
        found = await searching.search_products(
            SearchProducts(
                q=q,
                min_price=minPrice,
                max_price=maxPrice,
                category_ids=tuple(categoryId or ()),
                in_stock=inStock,
                sort=sort,
                page=page,
                size=size,
            )
        )
        return reply(
            SearchAnswer(
                items=tuple(present.found(item) for item in found.items),
                total=found.total,
                page=found.page,
                size=found.size,
                did_you_mean=found.did_you_mean,
                facets=found.facets,
            )
        )

    @router.get("/api/products/suggest", response_model=SuggestAnswer)
    async def suggest(q: _Text = "", size: Annotated[int, Query(ge=1, le=10)] = 10) -> Response:
        found = await searching.suggest(Suggest(q=q, size=size))
        return reply(
            SuggestAnswer(
                suggestions=found.suggestions,
                products=tuple(present.suggested(item) for item in found.products),
            )
        )

    return router
