"""es-service: pictures come in checked, are kept by their hash, and go out small."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final

import httpx2
import pytest
from PIL import Image
from tests.support.shop import Shop, story
from tests.support.storage import HEADER, a_runtime

import kessai.search.main
import kessai.storage.main
from kessai.contracts.search import (
    MAX_IMAGE_BYTES,
    Format,
    Made,
    ProductImage,
    SearchService,
    Thumbnail,
    Width,
    original_name,
    thumbnail_name,
)
from kessai.contracts.storage import (
    ImportCatalogue,
    ListProducts,
    Product,
    ProductById,
    StorageService,
)
from kessai.kernel.errors import Invalid, Kind, NotFound, Refused, Unknown
from kessai.kernel.objects import MemoryObjects
from kessai.kernel.service import Unit
from kessai.kernel.settings import Settings
from kessai.kernel.supervisor import Supervisor
from kessai.search.application.pictures import Pictures, Raster

TOKEN = {"Authorization": "Bearer kessai-local-service-token"}
ROW = "7,茶碗,白い碗,1200,ACTIVE,2026-01-05,{file},器,4"


@dataclass
class Shelf:
    storage: StorageService
    unit: Unit[SearchService]
    objects: MemoryObjects

    @property
    def search(self) -> SearchService:
        return self.unit.port

    async def bring(self, content: bytes, product_id: int = 7) -> str:
        image = ProductImage(product_id=product_id, content=content)
        return (await self.search.import_image(image)).image_key

    async def product(self, product_id: int = 7) -> Product:
        return await self.storage.get_product(ProductById(product_id=product_id))

    async def small(self, key: str, width: Width, format_: Format = "webp") -> Image.Image:
        thumbnail = Thumbnail(image_key=key, width=width, format=format_)
        assert (await self.search.make_thumbnail(thumbnail)).made
        content = await self.objects.get(thumbnail_name(key, width, format_))
        assert content is not None
        image = Image.open(io.BytesIO(content))
        assert image.format == format_.upper()
        return image


@asynccontextmanager
async def a_shelf(
    *rows: str, settings: Settings | None = None, demo: bool = False
) -> AsyncIterator[Shelf]:
    async with a_runtime(settings) as runtime:
        objects = runtime.objects
        assert isinstance(objects, MemoryObjects)
        storage = await kessai.storage.main.build(runtime, demo_catalogue=demo)
        content = "\n".join((HEADER, *(rows or (ROW.format(file=""),)))).encode()
        await storage.port.import_catalogue(ImportCatalogue(csv=content))
        unit = await kessai.search.main.build(runtime, storage=storage.port)
        try:
            yield Shelf(storage.port, unit, objects)
        finally:
            await unit.stop()
            await storage.stop()


def a_picture(
    width: int = 400, height: int = 300, format_: str = "PNG", mode: str = "RGB", **options: object
) -> bytes:
    written = io.BytesIO()
    colour = "black" if mode == "1" else "#C81E1E00" if mode == "RGBA" else "#C81E1E"
    Image.new(mode, (width, height), colour).save(written, format_, **options)
    return written.getvalue()


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP"])
async def test_a_picture_is_kept_by_its_hash_and_its_product_names_it(format_: str) -> None:
    async with a_shelf() as shelf:
        content = a_picture(format_=format_)
        key = await shelf.bring(content)
        assert key == hashlib.sha256(content).hexdigest()
        assert await shelf.objects.get(original_name(key)) == content
        assert (await shelf.product()).image_key == key
        assert await shelf.bring(content) == key


@pytest.mark.parametrize(("width", "height"), [(160, 120), (480, 360), (1200, 900)])
@pytest.mark.parametrize("format_", ["webp", "jpeg"])
async def test_thumbnails_have_their_width_and_the_shape_of_the_picture(
    width: Width, height: int, format_: Format
) -> None:
    async with a_shelf() as shelf:
        key = await shelf.bring(a_picture(2000, 1500))
        small = await shelf.small(key, width, format_)
        assert small.size == (width, height)
        red, green, blue = small.convert("RGB").resize((1, 1)).getpixel((0, 0))  # type: ignore[misc]
        assert abs(red - 200) < 6
        assert abs(green - 30) < 6
        assert abs(blue - 30) < 6


async def test_thumbnails_lie_where_others_look_for_them() -> None:
    async with a_shelf() as shelf:
        key = await shelf.bring(a_picture(2000, 1500))
        for format_, ending in (("webp", "webp"), ("jpeg", "jpg")):
            await shelf.small(key, 480, format_)  # type: ignore[arg-type]
            assert await shelf.objects.get(f"products/{key}/480.{ending}") is not None


async def test_a_small_picture_is_not_blown_up_and_a_tall_one_not_endless() -> None:
    async with a_shelf() as shelf:
        assert (await shelf.small(await shelf.bring(a_picture(90, 60)), 480)).size == (90, 60)
        tall = await shelf.bring(a_picture(50, 9000))
        assert (await shelf.small(tall, 160)).height <= 640


async def test_what_can_be_seen_through_lies_on_white() -> None:
    async with a_shelf() as shelf:
        key = await shelf.bring(a_picture(mode="RGBA"))
        for format_ in ("webp", "jpeg"):
            small = await shelf.small(key, 160, format_)
            assert small.convert("RGB").getpixel((5, 5)) == (255, 255, 255)


async def test_a_photograph_is_turned_upright_and_tells_nothing_of_its_place() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    exif[0x8825] = {1: "N", 2: (35.0, 41.0, 0.0)}
    async with a_shelf() as shelf:
        key = await shelf.bring(a_picture(400, 300, "JPEG", exif=exif))
        for format_ in ("webp", "jpeg"):
            small = await shelf.small(key, 160, format_)
            assert small.size == (160, 213)
            assert not small.getexif()


SVG: Final = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
NO_PICTURES: list[tuple[str, Callable[[], bytes]]] = [
    ("empty", lambda: b""),
    ("text", lambda: b"GIF89a is what I am"),
    ("html", lambda: b"<html><script>alert(1)</script></html>"),
    ("packed svg", lambda: gzip.compress(SVG)),
    ("gif", lambda: a_picture(format_="GIF")),
    ("tiff", lambda: a_picture(format_="TIFF")),
    ("cut off", lambda: a_picture()[:150]),
    ("jpeg cut off", lambda: a_picture(format_="JPEG")[:-300]),
    ("a head alone", lambda: b"\x89PNG\r\n\x1a\n"),
]


@pytest.mark.parametrize(("what", "made"), NO_PICTURES, ids=[what for what, _ in NO_PICTURES])
async def test_what_is_no_sound_picture_is_refused_and_kept_nowhere(
    what: str, made: Callable[[], bytes]
) -> None:
    async with a_shelf() as shelf:
        content = made()
        with pytest.raises(Invalid) as refused:
            await shelf.bring(content)
        assert refused.value.facts == {"errors": [{"field": "file", "code": "NOT_A_PICTURE"}]}
        assert (await shelf.product()).image_key is None
        key = hashlib.sha256(content).hexdigest()
        assert await shelf.objects.get(original_name(key)) is None


@pytest.mark.parametrize(
    "content",
    [
        SVG,
        b"\xef\xbb\xbf \n" + SVG.replace(b"<svg", b"<SVG"),
        b'<?xml version="1.0"?><!-- ' + b"-" * 2000 + b" --><!DOCTYPE svg>" + SVG,
        b"\xff\xfe" + SVG.decode().encode("utf-16-le"),
    ],
    ids=["plain", "marked", "late", "wide"],
)
async def test_a_drawing_may_carry_scripts_and_is_refused_by_name(content: bytes) -> None:
    async with a_shelf() as shelf:
        for dry_run in (True, False):
            with pytest.raises(Invalid) as refused:
                await shelf.search.import_image(
                    ProductImage(product_id=7, content=content, dry_run=dry_run)
                )
            assert refused.value.facts == {"errors": [{"field": "file", "code": "SVG_REFUSED"}]}
        assert (await shelf.product()).image_key is None
        key = hashlib.sha256(content).hexdigest()
        assert await shelf.objects.get(original_name(key)) is None


async def test_a_picture_that_would_fill_the_memory_is_refused_and_kept_nowhere() -> None:
    async with a_shelf() as shelf:
        content = a_picture(9000, 9000, mode="1")
        with pytest.raises(Invalid, match="million pixels"):
            await shelf.bring(content)
        assert (await shelf.product()).image_key is None
        key = hashlib.sha256(content).hexdigest()
        assert await shelf.objects.get(original_name(key)) is None


async def test_a_picture_of_no_product_is_refused_before_it_is_kept() -> None:
    async with a_shelf() as shelf:
        content = a_picture()
        with pytest.raises(NotFound):
            await shelf.bring(content, product_id=8)
        key = hashlib.sha256(content).hexdigest()
        assert await shelf.objects.get(original_name(key)) is None


async def test_a_dry_run_looks_and_keeps_nothing() -> None:
    async with a_shelf() as shelf:
        content = a_picture()
        for product_id in (7, 8):
            image = ProductImage(product_id=product_id, content=content, dry_run=True)
            key = (await shelf.search.import_image(image)).image_key
            assert key == hashlib.sha256(content).hexdigest()
            assert await shelf.objects.get(original_name(key)) is None
        assert (await shelf.product()).image_key is None
        with pytest.raises(Invalid):
            await shelf.search.import_image(
                ProductImage(product_id=7, content=b"no picture", dry_run=True)
            )


async def test_nothing_is_made_of_what_is_not_there() -> None:
    async with a_shelf() as shelf:
        thumbnail = Thumbnail(image_key="0" * 64, width=160, format="webp")
        assert (await shelf.search.make_thumbnail(thumbnail)) == Made(made=False)
        assert await shelf.objects.get(thumbnail_name("0" * 64, 160, "webp")) is None


class SlowRaster:
    """Counts how often it is asked to make something small, and waits to be let go on."""

    def __init__(self) -> None:
        self.made = 0
        self.asked = asyncio.Event()
        self.go_on = asyncio.Event()

    async def media_type(self, content: bytes) -> str | None:
        return "image/png" if content else None

    async def shrink(self, content: bytes, width: int, format_: Format) -> bytes:
        self.made += 1
        self.asked.set()
        await self.go_on.wait()
        return b"small"


@dataclass
class Lonely:
    """Pictures over a raster of the test's own, without storage-service."""

    raster: SlowRaster = field(default_factory=SlowRaster)
    objects: MemoryObjects = field(default_factory=MemoryObjects)
    supervisor: Supervisor = field(default_factory=lambda: Supervisor("es-service"))

    @property
    def pictures(self) -> Pictures:
        raster: Raster = self.raster
        return Pictures(self.objects, raster, Nobody(), self.supervisor)  # type: ignore[arg-type]


class Nobody:
    """A storage-service that does not answer."""

    def __getattr__(self, name: str) -> Callable[[object], object]:
        async def unknown(command: object) -> object:
            raise Unknown("STORAGE_SERVICE_UNAVAILABLE")

        return unknown


async def test_many_who_want_the_same_one_wait_for_one() -> None:
    lonely = Lonely()
    pictures = lonely.pictures
    await lonely.objects.put(original_name("0" * 64), b"x", media_type="image/png")
    thumbnail = Thumbnail(image_key="0" * 64, width=160, format="webp")
    asking = [asyncio.ensure_future(pictures.make_thumbnail(thumbnail)) for _ in range(5)]
    await lonely.raster.asked.wait()
    # Whoever goes away first takes nothing from the others.
    asking[0].cancel()
    await asyncio.sleep(0)
    lonely.raster.go_on.set()
    assert await asyncio.gather(*asking[1:]) == [Made(made=True)] * 4
    assert lonely.raster.made == 1
    await lonely.supervisor.stop()


async def test_the_demo_goods_have_their_pictures_when_the_service_has_started() -> None:
    async with a_shelf(demo=True) as shelf:
        await shelf.unit.start()
        page = await shelf.storage.list_products(ListProducts(limit=100))
        keys = [item.image_key for item in page.items if item.product_id != 7]
        assert len(keys) == 99
        assert None not in keys
        assert len(set(keys)) == 99
        assert (await shelf.product(7)).image_key is None
        key = (await shelf.product(1001)).image_key
        assert key is not None
        small = await shelf.small(key, 480)
        assert small.size == (480, 480)


async def test_only_files_of_our_own_names_are_drawn() -> None:
    rows = [
        ROW.format(file="kyusu-shu.svg"),
        ROW.format(file="mine.png").replace("7,", "8,", 1),
        ROW.format(file="").replace("7,", "9,", 1),
    ]
    async with a_shelf(*rows) as shelf:
        await shelf.unit.start()
        assert (await shelf.product(7)).image_key is not None
        assert (await shelf.product(8)).image_key is None
        assert (await shelf.product(9)).image_key is None


async def test_a_production_shop_draws_nothing() -> None:
    production = Settings(_env_file=None).model_copy(update={"env": "production"})
    async with a_shelf(ROW.format(file="kyusu.svg"), settings=production) as shelf:
        await shelf.unit.start()
        assert (await shelf.product()).image_key is None


async def test_without_storage_service_drawings_wait() -> None:
    assert not await Lonely().pictures.hang_drawings()


async def test_a_file_is_brought_by_form_behind_the_token() -> None:
    async with a_shelf() as shelf:
        transport = httpx2.ASGITransport(app=shelf.unit.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://es") as client:
            content = a_picture()
            # Neither the name nor the type that the sender gives is believed.
            form = {"file": ("any.exe", content, "text/plain")}
            url = "/internal/products/7/image"
            for headers in ({}, {"Authorization": "Bearer wrong"}):
                assert (await client.post(url, files=form, headers=headers)).status_code == 403
            assert (await shelf.product()).image_key is None
            for path in ("../../../etc/a.png", "/a.png", "a/b.png"):
                by_path = {"file": (path, content, "image/png")}
                refused = await client.post(url, files=by_path, headers=TOKEN)
                assert refused.status_code == 422, path
                assert refused.json()["errors"] == [{"field": "file", "code": "PATH_IN_NAME"}]
            assert (await shelf.product()).image_key is None
            done = await client.post(url, files=form, headers=TOKEN)
            assert done.json() == {"imageKey": hashlib.sha256(content).hexdigest()}
            for none in (8, 0, -1, 10**14, 10**30):
                url_of_none = f"/internal/products/{none}/image"
                nobody = await client.post(url_of_none, files=form, headers=TOKEN)
                assert (nobody.status_code, none) == (404, none)
            twice = [("file", ("a.png", b"first", "image/png")), ("file", form["file"])]
            assert (await client.post(url, files=twice, headers=TOKEN)).status_code in {200, 422}
            wrong = {"file": ("a.png", b"no picture", "image/png")}
            assert (await client.post(url, files=wrong, headers=TOKEN)).status_code == 422
            large = {"file": ("a.png", bytes(MAX_IMAGE_BYTES + 1), "image/png")}
            assert (await client.post(url, files=large, headers=TOKEN)).status_code == 413


async def test_a_picture_that_is_too_large_is_refused_by_a_call_too() -> None:
    async with a_shelf() as shelf:
        image = ProductImage.model_construct(product_id=7, content=bytes(MAX_IMAGE_BYTES + 1))
        with pytest.raises(Refused) as refused:
            await shelf.search.import_image(image)
        assert refused.value.kind is Kind.TOO_LARGE


class HeldObjects(MemoryObjects):
    """A bucket that takes everything, but only when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = asyncio.Event()
        self.waiting = self.most_waiting = 0

    async def put(self, name: str, content: bytes, *, media_type: str) -> None:
        self.waiting += 1
        self.most_waiting = max(self.most_waiting, self.waiting)
        await self.go_on.wait()
        self.waiting -= 1
        await super().put(name, content, media_type=media_type)


@story(1)
async def test_a_bucket_that_hangs_holds_the_shop_up_for_a_moment_only(shop: Shop) -> None:
    """Then what is missing is hung up as soon as it can be."""
    objects = HeldObjects()
    row = f"{HEADER}\n" + "\n".join(
        ROW.format(file=f"kyusu-{tone}.svg").replace("7,", f"{number},", 1)
        for number, tone in enumerate(("shu", "kin", "matsu"), 7)
    )
    storage = shop.ports.storage
    await storage.import_catalogue(ImportCatalogue(csv=row.encode()))
    runtime = replace(shop.runtime, objects=objects)
    unit = await kessai.search.main.build(runtime, storage=storage)
    before_s = runtime.clock.monotonic()
    await unit.start()
    assert runtime.clock.monotonic() - before_s == 5.0
    assert objects.most_waiting == 3
    assert (await storage.get_product(ProductById(product_id=7))).image_key is None
    objects.go_on.set()
    await asyncio.sleep(0.1)
    keys = {
        (await storage.get_product(ProductById(product_id=number))).image_key
        for number in (7, 8, 9)
    }
    assert None not in keys
    assert len(keys) == 3
    await unit.stop()
