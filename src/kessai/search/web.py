"""What comes in: calls of other services, products that changed, and picture files."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable

from fastapi import APIRouter, File, Request, UploadFile

from kessai.contracts.events import read_product_event
from kessai.contracts.search import (
    MAX_IMAGE_BYTES,
    ImportedImage,
    ProductImage,
    Reindexed,
    SearchService,
)
from kessai.contracts.storage import ProductSnapshot
from kessai.contracts.wire import Nothing
from kessai.kernel.bus import Record
from kessai.kernel.calls import mount
from kessai.kernel.errors import Invalid, Kind, NotFound, Refused

IMAGES_PREFIX = "/internal/products/"
_LAST_ID = 2**53 - 1
# Nothing is kept under the name, but whoever sends a path means something else.
_NOT_IN_A_NAME = frozenset("/\\\0")


def routes(search: SearchService, *, token: str) -> list[APIRouter]:
    return [
        mount(SearchService, search, token=token),
        _index_routes(search, token),
        _image_route(search, token),
    ]


def on_product(
    take: Callable[[ProductSnapshot], Awaitable[None]],
) -> Callable[[Record], Awaitable[None]]:
    async def handle(record: Record) -> None:
        event = read_product_event(record.value)
        if event is not None:
            await take(ProductSnapshot.model_validate(event.payload))

    return handle


def _require(request: Request, token: str) -> None:
    given = request.headers.get("Authorization", "").encode()
    if not hmac.compare_digest(given, f"Bearer {token}".encode()):
        raise Refused("FORBIDDEN", "a service token is required", kind=Kind.FORBIDDEN)


def _index_routes(search: SearchService, token: str) -> APIRouter:
    """For operators and their jobs; `kessai catalog reindex` calls the same use case."""
    router = APIRouter(tags=["index"])

    @router.post(IMAGES_PREFIX + "index/init", response_model=Reindexed)
    async def init_index(request: Request) -> Reindexed:
        _require(request, token)
        return await search.init_index(Nothing())

    @router.post(IMAGES_PREFIX + "reindex", response_model=Reindexed)
    async def reindex(request: Request) -> Reindexed:
        _require(request, token)
        return await search.reindex(Nothing())

    return router


def _image_route(search: SearchService, token: str) -> APIRouter:
    router = APIRouter(tags=["images"])

    @router.post(IMAGES_PREFIX + "{product_id}/image", response_model=ImportedImage)
    async def import_image(
        request: Request, product_id: int, file: UploadFile = File()
    ) -> ImportedImage:
        _require(request, token)
        if not 0 < product_id <= _LAST_ID:
            raise NotFound("no such product")
        if set(file.filename or "") & _NOT_IN_A_NAME:
            raise Invalid("file", "PATH_IN_NAME", "the name of the file is a path")
        content = await file.read(MAX_IMAGE_BYTES + 1)
        if len(content) > MAX_IMAGE_BYTES:
            message = f"the picture is larger than {MAX_IMAGE_BYTES} bytes"
            raise Refused("VALIDATION", message, kind=Kind.TOO_LARGE)
        return await search.import_image(ProductImage(product_id=product_id, content=content))

    return router
