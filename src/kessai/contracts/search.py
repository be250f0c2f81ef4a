"""What es-service offers: pictures of products, and the sizes in which they are shown."""

from __future__ import annotations

from typing import Literal, Protocol

from pydantic import Field

from kessai.contracts.wire import Nothing, Wire

Width = Literal[160, 480, 1200]
Format = Literal["webp", "jpeg"]
WIDTHS: tuple[Width, ...] = (160, 480, 1200)
IMAGE_KEY = r"[0-9a-f]{64}"
MAX_IMAGE_BYTES = 8 * 1024 * 1024


class ProductImage(Wire):
    """A dry run looks at the picture alone: its product may come with the same file."""

    product_id: int
    content: bytes = Field(max_length=MAX_IMAGE_BYTES)
    dry_run: bool = False


class ImportedImage(Wire):
    """`image_key` is the sha256 of the content, so the same picture has one key everywhere."""

    image_key: str


class Thumbnail(Wire):
    image_key: str = Field(pattern=f"^{IMAGE_KEY}$")
    width: Width
    format: Format


class Made(Wire):
    """False when there is no picture with this key."""

    made: bool


class SearchService(Protocol):
    async def import_image(self, command: ProductImage) -> ImportedImage:
        """Refused VALIDATION for what is no PNG, JPEG or WebP, NOT_FOUND without the product."""
        ...

    async def make_thumbnail(self, command: Thumbnail) -> Made:
        """Puts it into the object store, where `thumbnail_name` says."""
        ...

    async def ping(self, command: Nothing) -> Nothing: ...


def original_name(image_key: str) -> str:
    return f"originals/{image_key}"


def thumbnail_name(image_key: str, width: int, format_: Format) -> str:
    return f"thumbnails/{image_key}/{width}.{format_}"


def media_type(format_: Format) -> str:
    return f"image/{format_}"
