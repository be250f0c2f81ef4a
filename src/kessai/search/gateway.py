"""Pictures by resvg (our drawings) and Pillow (photographs)."""

from __future__ import annotations

import io
from typing import Final

import resvg_py
from PIL import Image, ImageOps

from kessai.contracts.search import Format
from kessai.kernel.aside import Aside

# What a file says of itself is not asked; only these decoders are.
_FORMATS: Final = ("PNG", "JPEG", "WEBP")
_MEDIA_TYPES: Final = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
_MAX_PIXELS: Final = 40_000_000
_PHOTO_QUALITY: Final = 82
_JPEG_QUALITY: Final = 88
_WHITE: Final = (255, 255, 255)
# All that Pillow raises for bytes that are no sound picture.
_BROKEN: Final = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    MemoryError,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


class PictureRaster:
    def __init__(self, aside: Aside) -> None:
        self._aside = aside

    async def media_type(self, content: bytes) -> str | None:
        return await self._aside(lambda: _media_type(content))

    async def shrink(self, content: bytes, width: int, format_: Format) -> bytes:
        return await self._aside(lambda: _shrink(content, width, format_))


def _media_type(content: bytes) -> str | None:
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            # The header alone tells the size: nothing is unpacked before it is known to be sane.
            if image.width * image.height > _MAX_PIXELS:
                return None
            image.load()
            return _MEDIA_TYPES[str(image.format)]
    except _BROKEN:
        return None


def _shrink(content: bytes, width: int, format_: Format) -> bytes:
    is_drawing = content.startswith(b"<svg")
    if is_drawing:
        content = resvg_py.svg_to_bytes(
            svg_string=content.decode(), width=width, skip_system_fonts=True
        )
    with Image.open(io.BytesIO(content), formats=_FORMATS) as opened:
        # Without its EXIF, which may tell where somebody lives; turned as it says before that.
        image = _opaque(ImageOps.exif_transpose(opened))
    image.thumbnail((width, 4 * width), Image.Resampling.LANCZOS)
    written = io.BytesIO()
    if format_ == "jpeg":
        image.save(
            written, "JPEG", quality=_JPEG_QUALITY, subsampling=0, optimize=True, progressive=True
        )
    else:
        # Flat colour is smaller without loss than with it, and takes no effort to pack.
        effort = 1 if is_drawing else 4
        image.save(written, "WEBP", lossless=is_drawing, quality=_PHOTO_QUALITY, method=effort)
    return written.getvalue()


def _opaque(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    sheet = Image.new("RGBA", image.size, (*_WHITE, 255))
    sheet.alpha_composite(image.convert("RGBA"))
    return sheet.convert("RGB")
