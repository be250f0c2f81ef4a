"""The whole shop in one process on virtual time: real rooms, real SQL, simulators, a seed."""

from __future__ import annotations

import asyncio
import functools
import json
import os
import shutil
import tempfile
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.types import ASGIApp
from tests.support.asgi_socket import AsgiSocket
from tests.support.versions import mixed_system

from kessai.contracts.storage import ListProducts
from kessai.embedded import Ports, System, build_system
from kessai.kernel.chance import SeededChance
from kessai.kernel.db import Db, open_database
from kessai.kernel.http import Answer, AsgiHttp
from kessai.kernel.ids import RandomIds
from kessai.kernel.local_bus import LocalBus, open_local_bus
from kessai.kernel.runtime import Runtime
from kessai.kernel.settings import Settings
from kessai.proof.virtual_time import VirtualClock, VirtualLoop
from kessai.topology import PARTITIONS, service

Json = dict[str, Any]
SHOP = "http://127.0.0.1:8080"
PAYPAY = "http://127.0.0.1:8090"
FIREBASE = "http://127.0.0.1:8091"
PASSWORD = "kessai-demo"
# Whether somebody built the pages here must not change what a story sees; nothing is synced.
_HERE: dict[str, Any] = {"frontend_dir": "", "search_url": "memory:"}
_TIMEOUT_S = 60.0
# All stories with one service a version behind: `STORY_BEHIND=order-service pytest tests/story`.
BEHIND = os.environ.get("STORY_BEHIND", "")


@dataclass
class Reply:
    """An HTTP answer as a story looks at it."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def code(self) -> str:
        return str(self.body.get("code", "")) if isinstance(self.body, dict) else ""

    def ok(self) -> Any:
        assert self.status < 300, (self.status, self.body)
        return self.body


@dataclass
class Shop:
    """The running system and what a story asks of it."""

    system: System
    http: AsgiHttp
    databases: dict[str, Db]
    seed: int
    customers: int = 0
    opening_stock: dict[int, int] = field(default_factory=dict)
    prices: dict[int, int] = field(default_factory=dict)

    @property
    def product(self) -> int:
        """One that there is plenty of."""
        return min(key for key, count in self.opening_stock.items() if count >= 20)

    @property
    def other_product(self) -> int:
        return max(key for key, count in self.opening_stock.items() if count >= 20)

    @property
    def scarce(self) -> int:
        """One of which there are three."""
        return min(key for key, count in self.opening_stock.items() if count == 3)

    @property
    def sold_out(self) -> int:
        return min(key for key, count in self.opening_stock.items() if count == 0)

    @property
    def runtime(self) -> Runtime:
        return self.system.runtime

    @property
    def ports(self) -> Ports:
        assert self.system.ports is not None
        return self.system.ports

    async def send(
        self,
        method: str,
        url: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        raw: bytes | None = None,
    ) -> Reply:
        sent = raw if raw is not None else None if body is None else json.dumps(body).encode()
        typed = {"Content-Type": "application/json"} if sent is not None else {}
        answer: Answer = await self.http.send(
            method, url, headers={**typed, **(headers or {})}, body=sent, timeout_s=_TIMEOUT_S
        )
        try:
            content = json.loads(answer.body) if answer.body else None
        except ValueError:
            content = answer.body
        return Reply(answer.status, content, answer.headers)

    async def customer(self, email: str = "shopper@example.com") -> Customer:
        """A browser that is signed in."""
        signed_in = await self.send(
            "POST",
            f"{FIREBASE}/identitytoolkit.googleapis.com/v1/accounts:signInWithPassword?key=k",
            {"email": email, "password": PASSWORD, "returnSecureToken": True},
        )
        return await self.browser(str(signed_in.ok()["idToken"]))

    async def new_customer(self) -> Customer:
        """Somebody who has never been here."""
        self.customers += 1
        signed_up = await self.send(
            "POST",
            f"{FIREBASE}/identitytoolkit.googleapis.com/v1/accounts:signUp?key=k",
            {
                "email": f"c{self.customers}@example.com",
                "password": PASSWORD,
                "returnSecureToken": True,
            },
        )
        return await self.browser(str(signed_up.ok()["idToken"]))

    async def browser(self, id_token: str) -> Customer:
        answer = await self.send("POST", f"{SHOP}/api/auth/session", {"idToken": id_token})
        cookie = str(answer.headers.get("set-cookie", "")).split(";")[0]
        return Customer(self, cookie, str(answer.ok()["userId"]))

    async def wallet(self, order_id: str, act: str = "pay", attempt: int = 1) -> Reply:
        """In the customer's wallet: pay, decline or expire."""
        return await self.send("POST", f"{PAYPAY}/sim/payments/{order_id}-{attempt}/{act}", {})

    async def faults(self, **faults: object) -> None:
        (await self.send("PUT", f"{PAYPAY}/sim/faults", faults)).ok()

    async def book(self) -> list[Json]:
        """The provider's own book: the ground truth of money."""
        return list((await self.send("GET", f"{PAYPAY}/sim/payments")).ok())

    async def entry(self, order_id: str, attempt: int = 1) -> Json:
        wanted = f"{order_id}-{attempt}"
        found = [row for row in await self.book() if row["merchantPaymentId"] == wanted]
        assert len(found) == 1, found
        return found[0]

    async def found(self, query: str, *, within_s: float = 10.0) -> list[Json]:
        """What a search finds, once the index has heard of all that happened, pictures too."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + within_s
        while True:
            found = (await self.send("GET", f"{SHOP}/api/products/search?{query}")).ok()["items"]
            if found and all(item["thumbnailUrl"] for item in found):
                return list(found)
            assert loop.time() < end_s, f"{query} finds no product with a picture: {found}"
            await asyncio.sleep(0.2)

    async def stock(self, product_id: int) -> int:
        product = (await self.send("GET", f"{SHOP}/api/products/{product_id}")).ok()
        return int(product["stock"])

    async def webhook(self, body: object = None, raw: bytes | None = None) -> Reply:
        """A notification as anybody on the allow list may send it, true or forged."""
        return await self.send("POST", f"{SHOP}/paypay/callback", body, raw=raw)


@dataclass
class Customer:
    """One browser with its cookie."""

    shop: Shop
    cookie: str
    user_id: str
    orders: list[str] = field(default_factory=list)

    async def send(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        sent = {"Cookie": self.cookie, "Origin": SHOP, **(headers or {})}
        return await self.shop.send(method, f"{SHOP}{path}", body, sent)

    async def purchase(
        self,
        *lines: tuple[int, int],
        key: str | None = None,
        **more: object,
    ) -> Reply:
        """The raw answer; `lines` are (product id, quantity), one of the plentiful by default."""
        wanted = lines or ((self.shop.product, 1),)
        items = [{"productId": p, "quantity": q} for p, q in wanted]
        body = {
            "customerName": "決済 花子",
            "customerEmail": "shopper@example.com",
            "items": items,
            **more,
        }
        headers = {"Idempotency-Key": key} if key else {}
        return await self.send("POST", "/api/orders/purchase", body, headers)

    async def buy(self, *lines: tuple[int, int], **more: Any) -> str:
        """The id of a new order that waits for payment."""
        if "key" not in more:
            more["key"] = f"k{len(self.orders)}-{self.user_id}"
        order = (await self.purchase(*lines, **more)).ok()
        self.orders.append(order["orderId"])
        return str(order["orderId"])

    async def order(self, order_id: str) -> Json:
        return dict((await self.send("GET", f"/api/orders/{order_id}")).ok())

    async def act(self, order_id: str, action: str, body: object = None) -> Reply:
        """check, cancel, refund or payment."""
        return await self.send("POST", f"/api/orders/{order_id}/{action}", body)

    async def until(self, order_id: str, *statuses: str, within_s: float = 60.0) -> Json:
        """The order as soon as it has one of the statuses; virtual seconds pass meanwhile."""
        loop = asyncio.get_running_loop()
        end = loop.time() + within_s
        while True:
            order = await self.order(order_id)
            if order["status"] in statuses:
                return order
            assert loop.time() < end, f"{order['status']} is not {statuses} after {within_s} s"
            await asyncio.sleep(0.1)

    @asynccontextmanager
    async def watching(
        self,
        order_id: str,
        *,
        last_sequence: int | None = None,
        token: str | None = None,
        door: ASGIApp | None = None,
    ) -> AsyncIterator[AsgiSocket]:
        """The live channel of an order, subscribed."""
        ticket = token or (await self.order(order_id))["channelToken"]
        async with self.socket(door=door) as socket:
            wish: Json = {"type": "SUBSCRIBE", "orderId": order_id, "token": ticket}
            if last_sequence is not None:
                wish["lastSequence"] = last_sequence
            await socket.send_json(wish)
            yield socket

    @asynccontextmanager
    async def socket(
        self,
        *,
        query: str = "",
        origin: str | None = SHOP,
        cookie: str | None = None,
        door: ASGIApp | None = None,
    ) -> AsyncIterator[AsgiSocket]:
        """At the shop's own door, or at another instance of it."""
        app = door or next(unit.app for unit in self.shop.system.units if unit.name == "bff")
        headers = {"cookie": self.cookie if cookie is None else cookie}
        if origin is not None:
            headers["origin"] = origin
        socket = AsgiSocket(app, "/ws/orders", query, headers)
        await socket.open()
        try:
            yield socket
        finally:
            await socket.close()


async def open_shop(seed: int, behind: str = BEHIND, **settings: Any) -> Shop:
    """`behind` names a service that is a version behind the others."""
    clock, chance = VirtualClock(), SeededChance(seed)
    databases: dict[str, Db] = {}

    async def open_db(name: str) -> Db:
        databases[name] = await open_database("sqlite:")
        return databases[name]

    bus: LocalBus = await open_local_bus(None, clock, partitions=PARTITIONS, instance="story")
    http = AsgiHttp()
    folder = tempfile.mkdtemp(prefix="kessai-story-")
    runtime = Runtime(
        settings=Settings(_env_file=None, **{**_HERE, "data_dir": folder, **settings}),
        clock=clock,
        ids=RandomIds(clock, chance),
        chance=chance,
        bus=bus,
        http=http,
        open_db=open_db,
    )
    if behind:
        system = await mixed_system(runtime, behind)
    else:
        system = await build_system(runtime, round_trip=True)
    for unit in system.units:
        http.route(f"http://127.0.0.1:{service(unit.name).port}", unit.app)
    await system.start()
    shop = Shop(system, http, databases, seed)
    weakref.finalize(shop, shutil.rmtree, folder, ignore_errors=True)
    cursor: str | None = None
    while True:
        page = await shop.ports.storage.list_products(ListProducts(cursor=cursor, limit=100))
        shop.opening_stock |= {item.product_id: item.stock for item in page.items}
        shop.prices |= {item.product_id: item.price for item in page.items}
        cursor = page.next_cursor
        if cursor is None:
            return shop


Tale = Callable[[Shop], Awaitable[None]]


def story(*seeds: int, **settings: Any) -> Callable[[Tale], Callable[[int], None]]:
    """Makes a test of a coroutine that is given a shop; each seed is a test of its own."""

    def decorate(tale: Tale) -> Callable[[int], None]:
        async def live(seed: int) -> None:
            shop = await open_shop(seed, **settings)
            try:
                await tale(shop)
            finally:
                await shop.system.stop()

        @pytest.mark.story
        @pytest.mark.parametrize("seed", seeds or (1,))
        @functools.wraps(tale, assigned=("__module__", "__name__", "__qualname__", "__doc__"))
        def test(seed: int) -> None:
            with asyncio.Runner(loop_factory=VirtualLoop) as runner:
                runner.run(live(seed))

        del test.__wrapped__
        return test

    return decorate
