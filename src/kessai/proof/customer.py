"""A customer of the running shop: signs in, buys, pays and watches, over public HTTP only."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from pydantic import JsonValue

from kessai.contracts.wire import Wire
from kessai.proof.line import AiohttpLine, Line, Socket

_PAYMENT_ID = re.compile(r'class="id">([^<]+)<')


@dataclass(frozen=True, slots=True)
class ShopUrls:
    """Where the shop and the two simulators are."""

    shop: str
    paypay: str
    firebase: str


class TimelineFact(Wire):
    at: str
    kind: str
    code: str


class SeenOrder(Wire):
    """What a customer looks at of an order; other fields are skipped."""

    order_id: str
    order_number: str
    amount: int
    status: str
    reason: str | None = None
    payment_status: str | None = None
    payment_url: str | None = None
    payment_expires_at: str | None = None
    payment_completed_at: str | None = None
    payment_last_event_id: str | None = None
    hold_until: str | None = None
    channel_token: str
    timeline: tuple[TimelineFact, ...] = ()
    actions: tuple[str, ...] = ()


class SeenFrame(Wire):
    """One message of the live channel, with the moment it arrived (loop seconds)."""

    event: str
    sequence: int
    order_status: str
    payment_status: str | None = None
    result: str
    arrived_at_s: float = 0.0


class Answered(Exception):
    """The shop said no: HTTP status and the problem's stable code."""

    def __init__(
        self,
        status: int,
        code: str,
        problem: dict[str, JsonValue],
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.problem = problem
        self.retry_after_s = retry_after_s


@dataclass(slots=True)
class Watch:
    """The frames of one order as they came; `begun` is set by the first, `ended` by a final one.

    `arrived` is set by each; `closed` when the other side has closed the channel.
    """

    frames: list[SeenFrame] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    closed: asyncio.Event = field(default_factory=asyncio.Event)


class Customer:
    """One browser: its own cookies. Use as a context manager, or `close` it.

    What no answer came to raises as its line does (`line.LOST`).
    """

    def __init__(self, urls: ShopUrls, line: Line | None = None) -> None:
        self._urls = urls
        self._line = line or AiohttpLine(urls.shop)
        self._id_token: JsonValue = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._line.close()

    async def sign_up(self, email: str, password: str) -> str:
        """Makes the account at Firebase and signs in."""
        return await self._begin_session("signUp", email, password)

    async def sign_in(self, email: str, password: str) -> str:
        """Signs in at Firebase and opens a session; returns the user id."""
        return await self._begin_session("signInWithPassword", email, password)

    async def _begin_session(self, how: str, email: str, password: str) -> str:
        url = f"{self._urls.firebase}/identitytoolkit.googleapis.com/v1/accounts:{how}?key=local"
        wish: dict[str, JsonValue] = {
            "email": email,
            "password": password,
            "returnSecureToken": True,
        }
        self._id_token = (await self._send("POST", url, wish))["idToken"]
        return await self.open_session()

    async def open_session(self) -> str:
        """A new session for who signed in at Firebase before; returns the user id."""
        session = await self._send(
            "POST", f"{self._urls.shop}/api/auth/session", {"idToken": self._id_token}
        )
        return str(session["userId"])

    @property
    def cookie(self) -> str:
        """The session cookie as a header's value."""
        return self._line.cookie

    async def products(self) -> list[dict[str, JsonValue]]:
        return await self._list(f"{self._urls.shop}/api/products?limit=100")

    async def purchase(
        self,
        items: Sequence[tuple[int, int]],
        *,
        key: str | None = None,
        method: str = "PAYPAY",
        expected_yen: int | None = None,
    ) -> SeenOrder:
        """`items` are (product id, quantity). Raises `Answered` for a refusal."""
        wish: dict[str, JsonValue] = {
            "customerName": "決済 花子",
            "customerEmail": "shopper@example.com",
            "items": [{"productId": product, "quantity": count} for product, count in items],
            "method": method,
        }
        if expected_yen is not None:
            wish["expectedAmount"] = expected_yen
        headers = {"Idempotency-Key": key} if key else {}
        answer = await self._send(
            "POST", f"{self._urls.shop}/api/orders/purchase", wish, headers=headers
        )
        return SeenOrder.model_validate(answer)

    async def order(self, order_id: str) -> SeenOrder:
        answer = await self._send("GET", f"{self._urls.shop}/api/orders/{order_id}")
        return SeenOrder.model_validate(answer)

    async def listed(self, cursor: str = "") -> dict[str, JsonValue]:
        """A page of the customer's orders: `items`, `nextCursor`."""
        more = f"&cursor={cursor}" if cursor else ""
        return await self._send("GET", f"{self._urls.shop}/api/orders?limit=100{more}")

    async def act(self, order_id: str, action: str, **body: JsonValue) -> SeenOrder:
        """`check`, `cancel`, `refund` or `payment`."""
        url = f"{self._urls.shop}/api/orders/{order_id}/{action}"
        return SeenOrder.model_validate(await self._send("POST", url, body or None))

    async def pay(self, merchant_payment_id: str, act: str = "pay") -> None:
        """In the wallet: `pay`, `decline` or `expire`."""
        await self._send(
            "POST", f"{self._urls.paypay}/sim/payments/{merchant_payment_id}/{act}", {}
        )

    async def open_payment_page(self, url: str) -> str | None:
        """Scans the code: the payment's id as the page shows it while it can be paid."""
        page = await self._line.send("GET", url)
        found = _PAYMENT_ID.search(page.text)
        return found[1] if found and page.status < 400 else None

    async def wallet_payments(self) -> list[dict[str, JsonValue]]:
        return await self._list(f"{self._urls.paypay}/sim/payments")

    async def set_faults(self, faults: dict[str, JsonValue]) -> None:
        await self._send("PUT", f"{self._urls.paypay}/sim/faults", faults)

    async def until(
        self, order_id: str, *statuses: str, timeout_s: float = 60.0, every_s: float = 0.1
    ) -> SeenOrder:
        """Asks until the order has one of the statuses. Raises `TimeoutError`."""
        async with asyncio.timeout(timeout_s):
            while True:
                order = await self.order(order_id)
                if order.status in statuses:
                    return order
                await asyncio.sleep(every_s)

    @asynccontextmanager
    async def watching(
        self, order: SeenOrder, watch: Watch | None = None, *, last_sequence: int | None = None
    ) -> AsyncIterator[Watch]:
        """The order's live channel while the block runs; `watch` goes on with an earlier one."""
        watch = watch or Watch()
        watch.closed.clear()
        url = self._urls.shop.replace("http", "ws", 1) + "/ws/orders"
        wish: dict[str, JsonValue] = {
            "type": "SUBSCRIBE",
            "orderId": order.order_id,
            "token": order.channel_token,
        }
        if last_sequence is not None:
            wish["lastSequence"] = last_sequence
        async with self._line.socket(url) as socket:
            await socket.send_json(wish)
            reading = asyncio.ensure_future(_read(socket, watch))
            try:
                yield watch
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)

    async def _list(self, url: str) -> list[dict[str, JsonValue]]:
        reply = await self._line.send("GET", url)
        listed: list[dict[str, JsonValue]] = json.loads(reply.text)
        return listed

    async def _send(
        self,
        method: str,
        url: str,
        body: dict[str, JsonValue] | None = None,
        *,
        headers: dict[str, str] | None = None,
    ) -> dict[str, JsonValue]:
        reply = await self._line.send(method, url, body, headers)
        content = json.loads(reply.text) if reply.text else {}
        if reply.status >= 400:
            raise Answered(reply.status, str(content.get("code", "")), content, reply.retry_after_s)
        return content if isinstance(content, dict) else {"items": content}


async def _read(socket: Socket, watch: Watch) -> None:
    loop = asyncio.get_running_loop()
    try:
        async for content in socket.frames():
            if content.get("type") != "ORDER_STATUS":
                continue
            frame = SeenFrame.model_validate({**content, "arrivedAtS": loop.time()})
            watch.frames.append(frame)
            watch.begun.set()
            watch.arrived.set()
            if frame.result != "PENDING":
                watch.ended.set()
    finally:
        watch.closed.set()
