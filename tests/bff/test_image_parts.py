"""Parts of pictures, for whoever goes on where a download broke off; and stores that are away."""

from __future__ import annotations

import asyncio

import httpx2
import pytest
from fastapi import FastAPI
from tests.support.shop import SHOP
from tests.support.web import StillClock

from kessai.bff.application import Images
from kessai.bff.web.images import image_routes
from kessai.contracts.search import SearchService, thumbnail_name
from kessai.kernel.breaker import CircuitBreaker
from kessai.kernel.calls import absent
from kessai.kernel.errors import Unknown
from kessai.kernel.objects import UNAVAILABLE, GuardedObjects, MemoryObjects, Objects
from kessai.topology import SEARCH

KEY = "0" * 64
CONTENT = bytes(range(100))
PATH = f"/images/{KEY}?w=160"
TAG = f'"{KEY}-160-jpeg"'


async def ask(
    objects: Objects, *requests: dict[str, str], method: str = "GET"
) -> list[httpx2.Response]:
    """What one door answers to requests with these headers, one after the other."""
    app = FastAPI()
    app.include_router(image_routes(Images(objects, absent(SearchService, service=SEARCH.name))))
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url=SHOP) as client:
        return [await client.request(method, PATH, headers=headers) for headers in requests]


async def a_store() -> MemoryObjects:
    objects = MemoryObjects()
    await objects.put(thumbnail_name(KEY, 160, "jpeg"), CONTENT, media_type="image/jpeg")
    return objects


@pytest.mark.parametrize(
    ("wanted", "first", "last"),
    [
        ("bytes=0-9", 0, 9),
        ("bytes=0-0", 0, 0),
        ("bytes=90-", 90, 99),
        ("bytes=99-", 99, 99),
        ("bytes=50-4000", 50, 99),
        ("bytes=-10", 90, 99),
        ("bytes=-4000", 0, 99),
        ("BYTES= 3-4 ", 3, 4),
    ],
)
async def test_a_part_is_given_by_its_bytes(wanted: str, first: int, last: int) -> None:
    for condition in ({}, {"if-range": TAG}, {"if-none-match": '"other"'}):
        [part] = await ask(await a_store(), {"range": wanted, **condition})
        assert part.status_code == 206
        assert part.content == CONTENT[first : last + 1]
        assert part.headers["content-range"] == f"bytes {first}-{last}/100"
        assert part.headers["content-length"] == str(last + 1 - first)
        assert part.headers["content-type"] == "image/jpeg"
        assert part.headers["etag"] == TAG
        assert part.headers["vary"] == "Accept"
        assert "immutable" in part.headers["cache-control"]


@pytest.mark.parametrize("wanted", ["bytes=100-", "bytes=4000-5000", "bytes=-0"])
async def test_a_part_beyond_the_end_is_none(wanted: str) -> None:
    [nothing] = await ask(await a_store(), {"range": wanted})
    assert (nothing.status_code, nothing.content) == (416, b"")
    assert nothing.headers["content-range"] == "bytes */100"
    assert nothing.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "wanted",
    ["bytes=-", "bytes=9-3", "bytes=0-1,5-6", "lines=0-1", "bytes", "bytes=a-b", "bytes=+1-2", ""],
)
async def test_what_is_no_single_range_gives_the_whole(wanted: str) -> None:
    [whole] = await ask(await a_store(), {"range": wanted})
    assert (whole.status_code, whole.content) == (200, CONTENT)
    assert whole.headers["accept-ranges"] == "bytes"
    assert "content-range" not in whole.headers


@pytest.mark.parametrize("condition", ['"other"', f"W/{TAG}", "Wed, 01 Jan 2025 00:00:00 GMT"])
async def test_a_part_of_another_picture_is_no_use(condition: str) -> None:
    [whole] = await ask(await a_store(), {"range": "bytes=0-9", "if-range": condition})
    assert (whole.status_code, whole.content) == (200, CONTENT)


async def test_a_known_picture_has_no_parts_and_a_head_neither() -> None:
    store = await a_store()
    [known] = await ask(store, {"range": "bytes=0-9", "if-none-match": TAG})
    assert (known.status_code, known.content) == (304, b"")
    [head] = await ask(store, {"range": "bytes=0-9"}, method="HEAD")
    assert head.status_code == 200
    assert head.headers["content-length"] == "100"
    assert head.headers["accept-ranges"] == "bytes"


class Shaky(MemoryObjects):
    """A store that can be away, or hang, and counts who came."""

    def __init__(self) -> None:
        super().__init__()
        self.is_away = self.hangs = False
        self.asked = 0

    async def get(self, name: str) -> bytes | None:
        self.asked += 1
        if self.hangs:
            await asyncio.Event().wait()
        if self.is_away:
            raise Unknown(UNAVAILABLE)
        return await super().get(name)


async def test_without_the_store_a_gap_is_shown_and_not_remembered() -> None:
    store = Shaky()
    await store.put(thumbnail_name(KEY, 160, "jpeg"), CONTENT, media_type="image/jpeg")
    store.is_away = True
    for headers in ({}, {"range": "bytes=0-9"}, {"if-none-match": "*"}):
        [gap] = await ask(store, headers)
        assert (gap.status_code, gap.headers["content-type"]) == (503, "image/svg+xml")
        assert (gap.headers["cache-control"], gap.headers["retry-after"]) == ("no-store", "5")
        assert gap.content.startswith(b"<svg")
        assert "etag" not in gap.headers
    store.is_away = False
    [back] = await ask(store, {})
    assert (back.status_code, back.content) == (200, CONTENT)


async def test_what_was_shown_before_is_shown_without_the_store() -> None:
    store = Shaky()
    await store.put(thumbnail_name(KEY, 160, "jpeg"), CONTENT, media_type="image/jpeg")
    images = Images(store, absent(SearchService, service=SEARCH.name))
    assert await images.find(KEY, 160, "jpeg") == CONTENT
    store.is_away = True
    assert await images.find(KEY, 160, "jpeg") == CONTENT
    with pytest.raises(Unknown):
        await images.find(KEY, 480, "jpeg")


async def test_a_store_that_hangs_is_left_alone_for_a_moment() -> None:
    """Six connections are all that a browser has, and the pay page needs one of them."""
    clock, store = StillClock(), Shaky()
    breaker = CircuitBreaker(clock, code=UNAVAILABLE, failures=3, open_s=5)
    guarded = GuardedObjects(store, breaker, within_s=0.001)
    await guarded.put("originals/a", b"1", media_type="image/png")
    store.hangs = True
    for _ in range(20):
        with pytest.raises(Unknown) as unknown:
            await guarded.get("originals/a")
        assert unknown.value.code == UNAVAILABLE
    assert store.asked == 3
    store.hangs = False
    clock.pass_s(5)
    assert await guarded.get("originals/a") == b"1"
    assert await guarded.get("originals/b") is None
    await guarded.ping()
