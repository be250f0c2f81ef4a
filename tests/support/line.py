"""A customer's line into the shop of a story: same requests, same sockets, virtual time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from pydantic import JsonValue
from tests.support.asgi_socket import AsgiSocket
from tests.support.shop import FIREBASE, PAYPAY, SHOP, Shop

from kessai.kernel.http import NoAnswer, NotSent
from kessai.proof.customer import Customer, ShopUrls
from kessai.proof.line import Reply, Socket

URLS = ShopUrls(SHOP, PAYPAY, FIREBASE)


@dataclass
class Network:
    """What a story does to the customers' lines."""

    shop: Shop
    # Requests whose path has this text take effect and are never answered, so many times.
    lost: dict[str, int] = field(default_factory=dict)
    sockets: list[AsgiSocket] = field(default_factory=list)
    silent: bool = False
    no_sockets: bool = False

    def browser(self) -> Customer:
        return Customer(URLS, AsgiLine(self))


class AsgiLine:
    def __init__(self, network: Network) -> None:
        self._network = network
        self._cookie = ""

    async def send(
        self,
        method: str,
        url: str,
        body: dict[str, JsonValue] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        typed = {"Content-Type": "application/json"} if body is not None else {}
        answer = await self._network.shop.http.send(
            method,
            url,
            headers={"Origin": SHOP, "Cookie": self._cookie, **typed, **(headers or {})},
            body=None if body is None else json.dumps(body).encode(),
            timeout_s=35,
        )
        for part in self._network.lost:
            if part in url and self._network.lost[part] > 0:
                self._network.lost[part] -= 1
                raise NoAnswer("lost on its way")
        if cookie := answer.headers.get("set-cookie"):
            self._cookie = cookie.split(";")[0]
        retry_after = answer.headers.get("retry-after", "")
        return Reply(
            answer.status,
            answer.body.decode("utf-8", "replace"),
            float(retry_after) if retry_after.isdigit() else None,
        )

    @asynccontextmanager
    async def socket(self, url: str) -> AsyncIterator[Socket]:
        if self._network.no_sockets:
            raise NotSent("the connection was refused")
        app = next(unit.app for unit in self._network.shop.system.units if unit.name == "bff")
        headers = {"cookie": self._cookie, "origin": SHOP}
        socket = AsgiSocket(app, "/ws/orders", "", headers)
        await socket.open()
        self._network.sockets.append(socket)
        try:
            yield _Socket(socket, self._network)
        finally:
            await socket.close()

    @property
    def cookie(self) -> str:
        return self._cookie

    async def close(self) -> None:
        return


class _Socket:
    def __init__(self, socket: AsgiSocket, network: Network) -> None:
        self._socket = socket
        self._network = network

    async def send_json(self, content: dict[str, JsonValue]) -> None:
        await self._socket.send_json(content)

    async def frames(self) -> AsyncIterator[dict[str, JsonValue]]:
        while not self._socket.closed.is_set():
            try:
                async with asyncio.timeout(1):
                    frame = await self._socket.frames.get()
            except TimeoutError:
                continue
            if not self._network.silent:
                yield frame
