"""What is made of pictures of every kind: nothing of what they say of themselves goes out."""

from __future__ import annotations

import io

import pytest
from PIL import Image, ImageCms, PngImagePlugin

from kessai.contracts.search import Format
from kessai.kernel.aside import at_once
from kessai.kernel.errors import Invalid
from kessai.search.gateway.raster import PictureRaster

SECRET = b"35.6812N 139.7671E"
FORMATS: tuple[Format, ...] = ("webp", "jpeg")
RASTER = PictureRaster(at_once)


def written(image: Image.Image, format_: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format_, **options)
    return file.getvalue()


async def shrunk(content: bytes, format_: Format, width: int = 160) -> Image.Image:
    assert await RASTER.media_type(content) is not None
    image = Image.open(io.BytesIO(await RASTER.shrink(content, width, format_)))
    image.load()
    return image


def colour(image: Image.Image) -> tuple[int, int, int]:
    red, green, blue = image.convert("RGB").getpixel((image.width // 2, image.height // 2))  # type: ignore[misc]
    return int(red), int(green), int(blue)


def near(found: tuple[int, int, int], wanted: tuple[int, int, int]) -> bool:
    return all(abs(one - other) <= 4 for one, other in zip(found, wanted, strict=True))


def chunk_of_text() -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", SECRET.decode())
    info.add_itxt("XML:com.adobe.xmp", f"<x>{SECRET.decode()}</x>")
    return info


def exif() -> Image.Exif:
    told = Image.Exif()
    told[0x010E] = SECRET.decode()
    return told


def srgb() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


TELLING = {
    "jpeg comment": lambda image: written(image, "JPEG", comment=SECRET),
    "jpeg xmp": lambda image: written(image, "JPEG", xmp=b"<x>" + SECRET + b"</x>"),
    "jpeg exif": lambda image: written(image, "JPEG", exif=exif()),
    "jpeg profile": lambda image: written(image, "JPEG", icc_profile=srgb() + SECRET),
    "png text": lambda image: written(image, "PNG", pnginfo=chunk_of_text()),
    "png exif": lambda image: written(image, "PNG", exif=exif()),
    "webp xmp": lambda image: written(image, "WEBP", xmp=b"<x>" + SECRET + b"</x>"),
    "webp exif": lambda image: written(image, "WEBP", exif=exif()),
    "after its end": lambda image: written(image, "JPEG") + SECRET,
}


@pytest.mark.parametrize("what", TELLING)
@pytest.mark.parametrize("format_", FORMATS)
async def test_what_a_picture_says_of_itself_is_not_shown(what: str, format_: Format) -> None:
    content = TELLING[what](Image.new("RGB", (300, 200), (200, 30, 30)))
    assert SECRET in content
    small = await RASTER.shrink(content, 160, format_)
    assert SECRET not in small
    image = Image.open(io.BytesIO(small))
    told = {"comment", "exif", "xmp", "icc_profile", "photoshop", "XML:com.adobe.xmp"}
    assert not told & image.info.keys()
    assert near(colour(image), (200, 30, 30))


SHADES = {
    "black and white": (Image.new("1", (300, 200), 1), (255, 255, 255)),
    "grey": (Image.new("L", (300, 200), 90), (90, 90, 90)),
    "grey of sixteen bits": (Image.new("I;16", (300, 200), 40_000), (156, 156, 156)),
    "grey glass": (Image.new("LA", (300, 200), (0, 0)), (255, 255, 255)),
    "glass": (Image.new("RGBA", (300, 200), (0, 0, 0, 128)), (127, 127, 127)),
    "palette": (
        Image.new("RGB", (300, 200), (200, 30, 30)).convert("P", palette=Image.Palette.ADAPTIVE),
        (200, 30, 30),
    ),
}


@pytest.mark.parametrize("what", SHADES)
@pytest.mark.parametrize("format_", FORMATS)
async def test_every_way_to_keep_pixels_is_understood(what: str, format_: Format) -> None:
    image, wanted = SHADES[what]
    assert near(colour(await shrunk(written(image, "PNG"), format_)), wanted)


@pytest.mark.parametrize("format_", FORMATS)
async def test_one_colour_of_a_palette_may_be_none(format_: Format) -> None:
    for mode in ("P", "L"):
        content = written(Image.new(mode, (300, 200), 0), "PNG", transparency=0)
        assert colour(await shrunk(content, format_)) == (255, 255, 255)


@pytest.mark.parametrize("format_", FORMATS)
async def test_inks_of_a_printer_become_colours_of_a_screen(format_: Format) -> None:
    content = written(Image.new("CMYK", (300, 200), (255, 0, 255, 0)), "JPEG")
    small = await shrunk(content, format_)
    assert small.mode == "RGB"
    red, green, blue = colour(small)
    assert green > red
    assert green > blue


def swapped() -> bytes:
    """A profile that says: my red is your green. No screen has it, so nothing else looks alike."""
    profile = bytearray(srgb())
    count = int.from_bytes(profile[128:132], "big")
    places = {bytes(profile[at : at + 4]): at for at in range(132, 132 + 12 * count, 12)}
    red, green = places[b"rXYZ"], places[b"gXYZ"]
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(profile)


@pytest.mark.parametrize("format_", FORMATS)
async def test_colours_are_those_that_the_profile_means(format_: Format) -> None:
    image = Image.new("RGB", (300, 200), (220, 20, 20))
    content = written(image, "PNG", icc_profile=swapped())
    assert near(colour(await shrunk(content, format_)), (20, 220, 20))


async def test_a_profile_that_is_none_is_not_heeded() -> None:
    image = Image.new("RGB", (300, 200), (220, 20, 20))
    content = written(image, "JPEG", icc_profile=b"no profile at all")
    assert near(colour(await shrunk(content, "webp")), (220, 20, 20))


@pytest.mark.parametrize("format_", ["PNG", "WEBP"])
async def test_of_a_film_the_first_picture_is_shown(format_: str) -> None:
    red, blue = Image.new("RGB", (300, 200), "red"), Image.new("RGB", (300, 200), "blue")
    content = written(red, format_, save_all=True, append_images=[blue], lossless=True)
    assert near(colour(await shrunk(content, "webp")), (255, 0, 0))


@pytest.mark.parametrize(
    ("size", "small"), [((1, 1), (1, 1)), ((4000, 1), (160, 1)), ((1, 30_000), (1, 640))]
)
async def test_odd_shapes_stay_within_their_frame(
    size: tuple[int, int], small: tuple[int, int]
) -> None:
    assert (await shrunk(written(Image.new("RGB", size), "PNG"), "webp")).size == small


@pytest.mark.parametrize("orientation", range(1, 9))
async def test_every_way_to_hold_a_camera_is_set_right(orientation: int) -> None:
    """The sky is above, however the camera was held."""
    upright = Image.new("RGB", (200, 300), "green")
    upright.paste("blue", (0, 0, 200, 150))
    as_taken = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    told = Image.Exif()
    told[0x0112] = orientation
    taken = upright if as_taken is None else upright.transpose(as_taken)
    small = await shrunk(written(taken, "JPEG", exif=told, quality=95), "webp", width=100)
    assert small.size == (100, 150)
    sky, grass = small.getpixel((50, 10)), small.getpixel((50, 140))
    assert isinstance(sky, tuple)
    assert isinstance(grass, tuple)
    assert sky[2] > 200 > sky[1]
    assert grass[2] < 60 < grass[1]


@pytest.mark.parametrize("side", [7000, 9500, 14_000])
async def test_a_bomb_is_known_by_its_head(side: int) -> None:
    """A few kilobytes that would take gigabytes to unpack."""
    content = written(Image.new("1", (side, side), 1), "PNG")
    assert len(content) < 64 * 1024
    with pytest.raises(Invalid, match="40 million pixels") as refused:
        await RASTER.media_type(content)
    assert refused.value.facts == {"errors": [{"field": "file", "code": "TOO_MANY_PIXELS"}]}


async def test_text_that_swells_is_no_picture() -> None:
    info = PngImagePlugin.PngInfo()
    for number in range(80):
        info.add_text(f"t{number}", "x" * 1_000_000, zip=True)
    content = written(Image.new("RGB", (10, 10)), "PNG", pnginfo=info)
    assert len(content) < 200_000
    assert await RASTER.media_type(content) is None
