"""What a shop and its services answer while a server is away: searches, lists, pictures, trails."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import aiohttp
from PIL import Image
from tests.support.process import Processes
from yarl import URL

from kessai.contracts.search import WIDTHS
from kessai.kernel.calls import PATH
from kessai.kernel.settings import LOCAL_SECRETS
from kessai.topology import ORDER, SEARCH, STORAGE, ServiceCard

_COLUMNS = "productId,title,description,price,status,createdAt,imageFile,category,stock"
_AS_SERVICE = {"Authorization": f"Bearer {LOCAL_SECRETS['service_token']}"}
# Longer than any service takes to give up: what is looked for is its own answer.
_PATIENCE = aiohttp.ClientTimeout(total=45)


@dataclass
class Visitor:
    """Each answer is "ok", "nothing", or the status and the code of the problem."""

    system: Processes
    session: aiohttp.ClientSession
    _unseen: list[tuple[str, str]] = field(default_factory=list)

    async def search(self, q: str = "急須") -> str:
        return await self._ask(f"/api/products/search?q={q}", "total")

    async def browse(self) -> str:
        """The first category, as a page of the shop lists it."""
        async with self.session.get(f"{self.system.urls.shop}/api/categories") as answer:
            if answer.status != 200:
                return await _problem(answer)
            category = (await answer.json())[0]["id"]
        return await self._ask(f"/api/products?categoryId={category}")

    async def _ask(self, path: str, counted: str | None = None) -> str:
        async with self.session.get(self.system.urls.shop + path) as answer:
            if answer.status != 200:
                return await _problem(answer)
            told = await answer.json()
            return "ok" if (told[counted] if counted else told) else "nothing"

    async def collect_pictures(self) -> None:
        """All that are in the shop, in each size and kind: one seen before needs no store."""
        path: str | None = "/api/products?limit=100"
        addresses: set[str] = set()
        while path:
            async with self.session.get(self.system.urls.shop + path) as answer:
                found = await answer.json()
                addresses |= {one["imageUrl"].partition("?")[0] for one in found if one["imageUrl"]}
                path = URL(answer.links["next"]["url"]).raw_path_qs if answer.links else None
        kinds = ("image/webp", "image/jpeg")
        self._unseen = [(f"{a}?w={w}", k) for a in sorted(addresses) for w in WIDTHS for k in kinds]
        random.Random(1).shuffle(self._unseen)

    async def picture(self) -> str:
        """One that nobody has seen; the same again until it is shown."""
        what = await self._picture(*self._unseen[-1])
        if what == "ok":
            self._unseen.pop()
        return what

    async def shown(self, key: str) -> str:
        return await self._picture(f"/images/{key}?w=160", "image/webp")

    async def _picture(self, path: str, kind: str) -> str:
        url = self.system.urls.shop + path
        async with self.session.get(url, headers={"Accept": kind}) as answer:
            if answer.status == 200 and answer.content_type == kind:
                return "ok"
            assert (await answer.read()).startswith(b"<svg"), await answer.text()
            assert answer.headers["Cache-Control"] == "no-store"
            assert int(answer.headers["Retry-After"]) > 0
            return f"{answer.status} placeholder"

    async def upload(self, product_id: int, content: bytes) -> tuple[str, str]:
        """What was answered, and the key of the picture."""
        form = aiohttp.FormData()
        form.add_field("file", content, filename="one.png", content_type="image/png")
        url = f"{self._at(SEARCH)}/internal/products/{product_id}/image"
        async with self.session.post(url, data=form, headers=_AS_SERVICE) as answer:
            if answer.status != 200:
                return await _problem(answer), ""
            return "ok", str((await answer.json())["imageKey"])

    async def trail(self, order_id: str) -> tuple[str, dict[str, Any]]:
        url = f"{self._at(ORDER)}{PATH}/audit_order"
        async with self.session.post(
            url, json={"orderId": order_id}, headers=_AS_SERVICE
        ) as answer:
            told = await answer.json()
            if answer.status != 200:
                return f"{answer.status} {told['unknown']['code']}", {}
            return "ok", told

    async def put_on_sale(self, product_id: int, title: str) -> str:
        row = f"{product_id},{title},,1000,ACTIVE,2026-01-01T00:00:00Z,,茶,5"
        form = aiohttp.FormData()
        form.add_field("file", f"{_COLUMNS}\n{row}\n".encode(), filename="one.csv")
        url = f"{self._at(STORAGE)}/internal/products/import"
        async with self.session.post(url, data=form, headers=_AS_SERVICE) as answer:
            return "ok" if answer.status == 200 else await _problem(answer)

    def _at(self, card: ServiceCard) -> str:
        return f"http://127.0.0.1:{card.port + self.system.offset}"


async def _problem(answer: aiohttp.ClientResponse) -> str:
    assert answer.content_type == "application/problem+json", await answer.text()
    return f"{answer.status} {(await answer.json(content_type=None))['code']}"


@asynccontextmanager
async def visitor(system: Processes) -> AsyncIterator[Visitor]:
    async with aiohttp.ClientSession(timeout=_PATIENCE) as session:
        yield Visitor(system, session)


def a_picture(shade: int) -> bytes:
    """A small PNG; another shade is another picture."""
    content = BytesIO()
    Image.new("RGB", (64, 48), (shade, 80, 120)).save(content, "PNG")
    return content.getvalue()
