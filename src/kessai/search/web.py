"""What comes in: calls of other services, and picture files."""

from __future__ import annotations

import hmac

from fastapi import APIRouter, File, Request, UploadFile

from kessai.contracts.search import MAX_IMAGE_BYTES, ImportedImage, ProductImage, SearchService
from kessai.kernel.calls import mount
from kessai.kernel.errors import Kind, NotFound, Refused

IMAGES_PREFIX = "/internal/products/"
_LAST_ID = 2**53 - 1


def routes(search: SearchService, *, token: str) -> list[APIRouter]:
    return [mount(SearchService, search, token=token), _image_route(search, token)]


def _image_route(search: SearchService, token: str) -> APIRouter:
    router = APIRouter(tags=["images"])
    expected = f"Bearer {token}".encode()

    @router.post(IMAGES_PREFIX + "{product_id}/image", response_model=ImportedImage)
    async def import_image(
        request: Request, product_id: int, file: UploadFile = File()
    ) -> ImportedImage:
        given = request.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(given, expected):
            raise Refused("FORBIDDEN", "a service token is required", kind=Kind.FORBIDDEN)
        if not 0 < product_id <= _LAST_ID:
            raise NotFound("no such product")
        content = await file.read(MAX_IMAGE_BYTES + 1)
        if len(content) > MAX_IMAGE_BYTES:
            message = f"the picture is larger than {MAX_IMAGE_BYTES} bytes"
            raise Refused("VALIDATION", message, kind=Kind.TOO_LARGE)
        return await search.import_image(ProductImage(product_id=product_id, content=content))

    return router
