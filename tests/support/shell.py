"""A small service behind the web shell, with a route for each kind of error."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2
from fastapi import APIRouter, FastAPI
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from tests.support.web import a_client, a_runtime

from kessai.kernel.app import create_app
from kessai.kernel.errors import (
    DatabaseUnavailable,
    IllegalMove,
    Invalid,
    Kind,
    NotFound,
    Refused,
    Unknown,
)
from kessai.kernel.telemetry import correlation_id, service_name


class Line(BaseModel):
    product_id: int = Field(alias="productId")
    quantity: int = Field(ge=1, le=99)


class Purchase(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    customer_name: str = Field(alias="customerName")
    items: list[Line]


ERRORS: dict[str, Exception] = {
    "sold-out": Refused(
        "OUT_OF_STOCK",
        "two are left",
        facts={"orderId": "o1", "items": [{"productId": 7, "wanted": 3, "available": 2}]},
    ),
    "busy": Refused("TOO_MANY_REQUESTS", kind=Kind.TOO_MANY, retry_after_s=7),
    "no-session": Refused("SESSION_MISSING", kind=Kind.UNAUTHENTICATED),
    "foreign": NotFound(),
    "moved": IllegalMove("PAID -> PENDING"),
    "wrong-field": Invalid("items[0].quantity", "TOO_LARGE"),
    "unknown": Unknown("PAYMENT_UNAVAILABLE", "http://10.0.0.1:8090/v2/codes: timeout"),
    "locked": DatabaseUnavailable("database /var/kessai/order.db is locked"),
    "bug": KeyError("canary-in-a-bug"),
    "greedy": Refused("X", facts={"code": "Y", "status": 200, "correlationId": "z"}),
}


def a_router() -> APIRouter:
    router = APIRouter(prefix="/api")

    @router.get("/errors/{name}")
    async def fails(name: str) -> None:
        raise ERRORS[name]

    @router.post("/orders/purchase")
    async def purchase(wanted: Purchase) -> dict[str, int]:
        return {"lines": len(wanted.items)}

    @router.get("/orders/{orderId}")
    async def order(orderId: str, limit: int = 10) -> dict[str, object]:
        return {"order": orderId, "trail": correlation_id(), "service": service_name()}

    @router.post("/raw")
    async def raw(request: Request) -> dict[str, int]:
        return {"length": len(await request.body())}

    @router.post("/import/raw")
    async def large(request: Request) -> dict[str, int]:
        return {"length": len(await request.body())}

    @router.get("/page")
    async def page() -> Response:
        return HTMLResponse("<p>決済</p>")

    @router.get("/own-headers")
    async def own_headers() -> Response:
        own = {"Content-Security-Policy": "default-src 'none'", "Cache-Control": "max-age=60"}
        return HTMLResponse("<p>", headers=own)

    @router.get("/half")
    async def half() -> Response:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"half"
            raise KeyError("canary-in-a-stream")

        return StreamingResponse(chunks())

    return router


def an_app(**options: Any) -> FastAPI:
    settings = options.pop("settings", {})
    clock = options.pop("clock", None)
    nested = APIRouter()

    @nested.get("/{item}")
    async def nested_item(item: str) -> str:
        return item

    app = create_app(
        title="order-service",
        runtime=a_runtime(clock=clock, **settings),
        routers=[a_router()],
        **options,
    )
    app.include_router(nested, prefix="/nested/deeper")
    return app


async def ask(
    path: str, method: str = "GET", app: FastAPI | None = None, **request: Any
) -> httpx2.Response:
    async with a_client(app or an_app()) as client:
        return await client.request(method, path, **request)
