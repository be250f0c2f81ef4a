"""Bringing pictures in, making them small on demand, and hanging up those of the demo shop."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from typing import Protocol

from kessai.contracts.search import (
    MAX_IMAGE_BYTES,
    Format,
    ImportedImage,
    Made,
    ProductImage,
    Thumbnail,
    media_type,
    original_name,
    thumbnail_name,
)
from kessai.contracts.storage import (
    ListPictureless,
    Picture,
    Pictureless,
    ProductById,
    SetPictures,
    StorageService,
)
from kessai.contracts.wire import Nothing
from kessai.kernel.errors import Invalid, Kind, Refused, Unknown
from kessai.kernel.objects import Objects
from kessai.kernel.supervisor import Supervisor
from kessai.kernel.telemetry import get_log
from kessai.search.domain.drawings import draw

_log = get_log(__name__)
_DRAWING = "image/svg+xml"
_PAGE = 200
# A far bucket takes its time for each.
_AT_ONCE = 20
# A prologue and comments may stand before the element.
_HEAD_BYTES = 4096


class Raster(Protocol):
    """Turns what was brought into what is shown."""

    async def media_type(self, content: bytes) -> str | None:
        """Of a whole and sound PNG, JPEG or WebP; None for anything else.

        Raises `Invalid` for one of more pixels than anybody could wish to unpack.
        """
        ...

    async def shrink(self, content: bytes, width: int, format_: Format) -> bytes:
        """As wide as that at most, never larger than it came. Takes our own drawings too."""
        ...


class Pictures:
    """Implements `contracts.search.SearchService`."""

    def __init__(
        self, objects: Objects, raster: Raster, storage: StorageService, supervisor: Supervisor
    ) -> None:
        self._objects = objects
        self._raster = raster
        self._storage = storage
        self._supervisor = supervisor
        self._making: dict[str, asyncio.Task[Made]] = {}

    async def import_image(self, command: ProductImage) -> ImportedImage:
        """The picture first and then its name, so that no product ever names what is not there."""
        if not command.dry_run:
            await self._storage.get_product(ProductById(product_id=command.product_id))
        if len(command.content) > MAX_IMAGE_BYTES:
            message = f"the picture is larger than {MAX_IMAGE_BYTES} bytes"
            raise Refused("VALIDATION", message, kind=Kind.TOO_LARGE)
        found = await self._raster.media_type(command.content)
        if found is None and _is_drawing(command.content):
            message = "an SVG may carry scripts; PNG, JPEG and WebP are taken"
            raise Invalid("file", "SVG_REFUSED", message)
        if found is None:
            raise Invalid("file", "NOT_A_PICTURE", "the file is no PNG, JPEG or WebP that opens")
        key = hashlib.sha256(command.content).hexdigest()
        if not command.dry_run:
            await self._objects.put(original_name(key), command.content, media_type=found)
            await self._storage.set_pictures(_pictures({command.product_id: key}))
        return ImportedImage(image_key=key)

    async def make_thumbnail(self, command: Thumbnail) -> Made:
        """Once, however many ask for it at the same time."""
        name = thumbnail_name(command.image_key, command.width, command.format)
        making = self._making.get(name)
        if making is None:
            making = self._supervisor.spawn(name, self._make(name, command))
            self._making[name] = making
            making.add_done_callback(lambda _: self._making.pop(name, None))
        # One asker that goes away takes nothing from the others.
        return await asyncio.shield(making)

    async def _make(self, name: str, command: Thumbnail) -> Made:
        original = await self._objects.get(original_name(command.image_key))
        if original is None:
            return Made(made=False)
        small = await self._raster.shrink(original, command.width, command.format)
        await self._objects.put(name, small, media_type=media_type(command.format))
        return Made(made=True)

    async def hang_drawings(self) -> bool:
        """Gives every product whose file names a drawing of ours that drawing.

        False when storage-service or the object store did not answer; then it may be tried again.
        """
        try:
            hung = 0
            page = await self._storage.list_pictureless(ListPictureless(limit=_PAGE))
            while page.items:
                hung += await self._hang(page.items)
                after = page.items[-1].product_id
                page = await self._storage.list_pictureless(
                    ListPictureless(after=after, limit=_PAGE)
                )
        except Unknown as unknown:
            _log.debug("drawings.not_hung", code=unknown.code)
            return False
        if hung:
            _log.info("drawings.hung", products=hung)
        return True

    async def _hang(self, products: tuple[Pictureless, ...]) -> int:
        drawings = [
            (product.product_id, drawing.encode())
            for product in products
            if (drawing := draw(product.image_file)) is not None
        ]
        for first in range(0, len(drawings), _AT_ONCE):
            some = drawings[first : first + _AT_ONCE]
            keys = await asyncio.gather(*(self._put_drawing(content) for _, content in some))
            named = zip((product_id for product_id, _ in some), keys, strict=True)
            await self._storage.set_pictures(_pictures(dict(named)))
        return len(drawings)

    async def _put_drawing(self, content: bytes) -> str:
        key = hashlib.sha256(content).hexdigest()
        await self._objects.put(original_name(key), content, media_type=_DRAWING)
        return key

    async def ping(self, command: Nothing) -> Nothing:
        await self._objects.ping()
        return command


def _is_drawing(content: bytes) -> bool:
    """By its text: only those that our own code draws are ever drawn."""
    return b"<svg" in content[:_HEAD_BYTES].replace(b"\0", b"").lower()


def _pictures(keys: Mapping[int, str]) -> SetPictures:
    return SetPictures(
        items=tuple(
            Picture(product_id=product_id, image_key=key) for product_id, key in keys.items()
        )
    )
