"""Pictures by resvg (our drawings) and Pillow (photographs)."""

from __future__ import annotations

import io
from typing import Final

import resvg_py
from PIL import Image, ImageCms, ImageOps

from kessai.contracts.search import Format
from kessai.kernel.aside import Aside
from kessai.kernel.errors import Invalid
from kessai.kernel.telemetry import get_log

# What a file says of itself is not asked; only these decoders are.
_FORMATS: Final = ("PNG", "JPEG", "WEBP")
_MEDIA_TYPES: Final = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
_MAX_PIXELS: Final = 40_000_000
_PHOTO_QUALITY: Final = 82
_JPEG_QUALITY: Final = 88
_WHITE: Final = (255, 255, 255)
# No more than so many times as tall as it is wide.
_TALLEST: Final = 4
_ORIENTATION: Final = 0x0112
_ON_ITS_SIDE: Final = frozenset({5, 6, 7, 8})
_SRGB: Final = ImageCms.createProfile("sRGB")
_log: Final = get_log(__name__)
# All that Pillow raises for bytes that are no sound picture.
_BROKEN: Final = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    MemoryError,
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
                raise _too_many_pixels()
            image.load()
            return _MEDIA_TYPES[str(image.format)]
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels() from error
    except _BROKEN:
        return None


def _too_many_pixels() -> Invalid:
    message = f"the picture has more than {_MAX_PIXELS // 1_000_000} million pixels"
    return Invalid("file", "TOO_MANY_PIXELS", message)


def _shrink(content: bytes, width: int, format_: Format) -> bytes:
    is_drawing = content.startswith(b"<svg")
    if is_drawing:
        content = resvg_py.svg_to_bytes(
            svg_string=content.decode(), width=width, skip_system_fonts=True
        )
    with Image.open(io.BytesIO(content), formats=_FORMATS) as opened:
        image = _small(opened, width)
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


def _small(opened: Image.Image, width: int) -> Image.Image:
    """Made small before all else, so that a large picture is in memory no second time."""
    profile = opened.info.get("icc_profile")
    turned = opened.getexif().get(_ORIENTATION) in _ON_ITS_SIDE
    image = _smooth(opened)
    image.thumbnail(
        (_TALLEST * width, width) if turned else (width, _TALLEST * width),
        Image.Resampling.LANCZOS,
    )
    # Nothing of what it says of itself goes out: it may tell where somebody lives.
    shown = _opaque(_in_srgb(ImageOps.exif_transpose(image), profile))
    shown.info.clear()
    return shown


def _smooth(image: Image.Image) -> Image.Image:
    """In a mode whose pixels can be mixed, which those of a palette cannot."""
    if image.mode.startswith("I"):
        # Sixteen bits of grey, which a plain conversion would cut off at the eighth.
        return image.convert("I").point(lambda value: value / 256).convert("L")
    if image.mode in ("1", "P"):
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    if "transparency" in image.info:
        return image.convert("RGBA")
    return image


def _in_srgb(image: Image.Image, profile: object) -> Image.Image:
    """Browsers take a picture without a profile for sRGB; phones take photographs in others."""
    if not isinstance(profile, bytes) or image.mode not in ("RGB", "CMYK"):
        return image
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        changed = ImageCms.profileToProfile(image, own, _SRGB, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError) as error:
        # A picture in slightly wrong colours is better than none.
        _log.debug("image.profile", error=str(error))
        return image
    return changed or image


def _opaque(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    sheet = Image.new("RGBA", image.size, (*_WHITE, 255))
    sheet.alpha_composite(image.convert("RGBA"))
    return sheet.convert("RGB")
