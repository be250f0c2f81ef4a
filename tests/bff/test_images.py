"""`/images`: the picture of a product by its hash, in its widths, for ever; and what is none."""

from __future__ import annotations

import io
import re

import httpx2
import pytest
from fastapi import FastAPI
from PIL import Image
from tests.support.shop import SHOP, Reply, Shop, story
from tests.support.surface import assert_problem

from kessai.bff.application import Images
from kessai.bff.web.images import image_routes
from kessai.contracts.search import (
    Made,
    SearchService,
    Thumbnail,
    original_name,
    thumbnail_name,
)
from kessai.kernel.calls import absent
from kessai.kernel.errors import Unknown
from kessai.kernel.objects import MemoryObjects
from kessai.topology import SEARCH

CHROME = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
SAFARI = "image/png,image/svg+xml,image/*;q=0.8,video/*;q=0.8,*/*;q=0.5"
FOR_EVER = "public, max-age=31536000, immutable"
NOBODY = "0" * 64


async def ask(
    shop: Shop, path: str, accept: str | None = CHROME, method: str = "GET", **headers: str
) -> Reply:
    wanted: dict[str, str] = {} if accept is None else {"accept": accept}
    return await shop.send(method, f"{SHOP}{path}", headers=wanted | headers)


async def a_key(shop: Shop) -> str:
    product = await ask(shop, f"/api/products/{shop.product}")
    found = re.fullmatch(r"/images/([0-9a-f]{64})\?w=480", product.body["imageUrl"])
    assert found is not None
    return found[1]


def picture(reply: Reply) -> Image.Image:
    assert reply.status == 200, reply.body
    return Image.open(io.BytesIO(reply.body))


@story(1)
async def test_every_product_and_category_has_a_picture_that_is_shown(shop: Shop) -> None:
    products = (await ask(shop, "/api/products?limit=100")).body
    urls = [product["imageUrl"] for product in products[:3]]
    urls += [category["imageUrl"] for category in (await ask(shop, "/api/categories")).body]
    found = (await ask(shop, "/api/products/search?q=急須")).body["items"]
    urls += [item["thumbnailUrl"] for item in found[:1]]
    assert all(product["imageUrl"] for product in products)
    assert len({product["imageUrl"] for product in products}) == len(products)
    for url in urls:
        shown = picture(await ask(shop, url))
        assert f"{url}".endswith(f"?w={shown.width}")
        assert shown.height == shown.width


@story(1)
async def test_three_widths_and_the_widest_by_itself(shop: Shop) -> None:
    key = await a_key(shop)
    for query, width in (("?w=160", 160), ("?w=480", 480), ("?w=1200", 1200), ("", 1200)):
        assert picture(await ask(shop, f"/images/{key}{query}")).size == (width, width)


@story(1)
async def test_webp_for_those_who_say_so_and_jpeg_for_the_rest(shop: Shop) -> None:
    path = f"/images/{await a_key(shop)}?w=160"
    for accept in (
        CHROME, "image/webp", "IMAGE/WEBP;q=0.9, */*", "image/webp;q=0.001",
        "image/jpeg;q=0.5, image/webp;q=0.5", "image/webp;q=strange",
    ):  # fmt: skip
        answer = await ask(shop, path, accept)
        assert answer.headers["content-type"] == "image/webp"
        assert picture(answer).format == "WEBP"
        assert answer.headers["vary"] == "Accept"
    liked_less = "image/webp;q=0.5, image/jpeg"
    for other in (
        SAFARI, "*/*", "image/*", "image/jpeg", "image/webp;q=0, */*", liked_less, "", None,
    ):  # fmt: skip
        answer = await ask(shop, path, other)
        assert answer.headers["content-type"] == "image/jpeg"
        assert picture(answer).format == "JPEG"
        assert answer.headers["vary"] == "Accept"


@story(1)
async def test_a_picture_may_be_kept_for_ever(shop: Shop) -> None:
    path = f"/images/{await a_key(shop)}"
    tags = set()
    for width in (160, 480):
        for accept in (CHROME, SAFARI):
            first = await ask(shop, f"{path}?w={width}", accept)
            assert first.headers["cache-control"] == FOR_EVER
            assert first.headers["x-content-type-options"] == "nosniff"
            assert "set-cookie" not in first.headers
            tag = first.headers["etag"]
            tags.add(tag)
            for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
                again = await ask(shop, f"{path}?w={width}", accept, **{"if-none-match": known})
                assert (again.status, again.body) == (304, None)
                assert again.headers["etag"] == tag
                assert again.headers["cache-control"] == FOR_EVER
                assert again.headers["vary"] == "Accept"
            other = await ask(shop, f"{path}?w={width}", accept, **{"if-none-match": '"other"'})
            assert (other.status, other.body) == (200, first.body)
    assert len(tags) == 4


@story(1)
async def test_a_head_tells_what_a_get_would(shop: Shop) -> None:
    path = f"/images/{await a_key(shop)}?w=160"
    got, told = await ask(shop, path), await ask(shop, path, method="HEAD")
    assert told.status == 200
    for name in ("content-type", "content-length", "etag", "cache-control"):
        assert told.headers[name] == got.headers[name]
    assert (await ask(shop, path, method="POST")).status == 405


@story(1)
async def test_what_is_no_picture_is_a_gap_with_something_in_it(shop: Shop) -> None:
    for method in ("GET", "HEAD"):
        answer = await ask(shop, f"/images/{NOBODY}?w=480", method=method)
        assert answer.status == 404
        assert answer.headers["content-type"] == "image/svg+xml"
        assert answer.headers["cache-control"] == "public, max-age=60"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert "etag" not in answer.headers
    assert (await ask(shop, f"/images/{NOBODY}", **{"if-none-match": "*"})).status == 404
    shown = await ask(shop, f"/images/{NOBODY}")
    assert shown.body.startswith(b"<svg")
    assert b"script" not in shown.body


@story(1)
async def test_other_widths_are_named(shop: Shop) -> None:
    key = await a_key(shop)
    for w in ("0", "-160", "161", "100000000000000000000", "160.5", "x", ""):
        assert_problem(await ask(shop, f"/images/{key}?w={w}"), 422, "VALIDATION", "w")


@story(1)
async def test_nothing_else_is_found_there(shop: Shop) -> None:
    key = await a_key(shop)
    paths = [
        "/images",
        "/images/",
        f"/images/{key}/",
        f"/images/{key[:-1]}",
        f"/images/{key}0",
        f"/images/{key.upper()}",
        f"/images/{key}.webp",
        f"/images/products/{key}/160.webp",
        f"/images/originals/{key}",
        f"/images/originals%2F{key}",
        "/images/..%2F..%2Fetc%2Fpasswd",
        "/images/%2e%2e%2fbus.db",
        "/images/..%5c..%5cbus.db",
        "/images/....//....//bus.db",
        f"/images/{key}%00",
        f"/images/{key}%0a",
    ]
    for path in paths:
        answer = await ask(shop, path)
        assert (answer.status, answer.code) == (404, "NOT_FOUND"), path


class Makers:
    """An es-service that counts what it is asked for."""

    def __init__(self) -> None:
        self.objects = MemoryObjects()
        self.asked: list[int] = []

    async def make_thumbnail(self, command: Thumbnail) -> Made:
        self.asked.append(command.width)
        if await self.objects.get(original_name(command.image_key)) is None:
            return Made(made=False)
        name = thumbnail_name(command.image_key, command.width, command.format)
        await self.objects.put(name, b"x" * command.width, media_type="image/webp")
        return Made(made=True)


async def test_a_picture_is_made_once_and_then_kept() -> None:
    makers = Makers()
    images = Images(makers.objects, makers)
    assert await images.find(NOBODY, 160, "webp") is None
    await makers.objects.put(original_name(NOBODY), b"o", media_type="image/png")
    makers.asked.clear()
    for _ in range(3):
        assert await images.find(NOBODY, 160, "webp") == b"x" * 160
    assert makers.asked == [160]
    # Another door finds it made.
    assert await Images(makers.objects, absent(SearchService, service=SEARCH.name)).find(
        NOBODY, 160, "webp"
    )


async def test_what_is_kept_in_memory_has_its_limit() -> None:
    makers = Makers()
    images = Images(makers.objects, makers, kept_bytes=500)
    keys = [f"{number:064x}" for number in range(4)]
    for key in keys:
        await makers.objects.put(original_name(key), b"o", media_type="image/png")
        await images.find(key, 160, "webp")
    assert images.kept_bytes == 480
    await images.find(keys[0], 1200, "webp")  # larger than all there is room for
    assert images.kept_bytes == 480
    # The one that was looked at last is kept, the store is asked for the others.
    assert await images.find(keys[3], 160, "webp") == b"x" * 160


async def test_without_the_one_who_makes_them_a_gap_is_shown_and_not_remembered() -> None:
    """What was made is there still; what is to be made is not, and may be asked for again."""
    objects = MemoryObjects()
    await objects.put(thumbnail_name(NOBODY, 160, "webp"), b"made", media_type="image/webp")
    images = Images(objects, absent(SearchService, service=SEARCH.name))
    with pytest.raises(Unknown):
        await images.find(NOBODY, 480, "webp")
    app = FastAPI()
    app.include_router(image_routes(images))
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url=SHOP) as client:
        made = await client.get(f"/images/{NOBODY}?w=160", headers={"accept": CHROME})
        assert (made.status_code, made.content) == (200, b"made")
        gap = await client.get(f"/images/{NOBODY}?w=480", headers={"accept": CHROME})
        assert (gap.status_code, gap.headers["content-type"]) == (503, "image/svg+xml")
        assert (gap.headers["cache-control"], gap.headers["retry-after"]) == ("no-store", "5")
        assert gap.content.startswith(b"<svg")
