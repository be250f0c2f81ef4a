"""How a customer's browser reaches the shop: requests with a cookie, and live sockets."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Final, Protocol

import aiohttp
from pydantic import JsonValue

from kessai.kernel.errors import Unknown
from kessai.kernel.http import NotSent

TIMEOUT_S: Final = 35.0
# What a line raises when no answer came: it may have taken effect all the same.
LOST: Final = (aiohttp.ClientError, TimeoutError, OSError, Unknown)
# Of these, what certainly never left.
NOT_SENT: Final = (aiohttp.ClientConnectorError, NotSent)


@dataclass(frozen=True, slots=True)
class Reply:
    """Any status counts as an answer."""

    status: int
    text: str
    retry_after_s: float | None = None


class Socket(Protocol):
    async def send_json(self, content: dict[str, JsonValue]) -> None: ...

    def frames(self) -> AsyncIterator[dict[str, JsonValue]]:
        """As they come, until the other side closes."""
        ...


class Line(Protocol):
    """One browser's connections. Every method raises one of `LOST` when no answer comes."""

    async def send(
        self,
        method: str,
        url: str,
        body: dict[str, JsonValue] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply: ...

    def socket(self, url: str) -> AbstractAsyncContextManager[Socket]: ...

    @property
    def cookie(self) -> str: ...

    async def close(self) -> None: ...


class AiohttpLine:
    """Over real sockets; it keeps cookies as a browser does."""

    def __init__(self, origin: str, *, timeout_s: float = TIMEOUT_S) -> None:
        # Loopback addresses have no domain, which a cookie jar refuses by default.
        self._http = aiohttp.ClientSession(
            cookie_jar=aiohttp.CookieJar(unsafe=True),
            timeout=aiohttp.ClientTimeout(total=timeout_s),
            headers={"Origin": origin},
        )

    async def send(
        self,
        method: str,
        url: str,
        body: dict[str, JsonValue] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        async with self._http.request(method, url, json=body, headers=headers) as answer:
            retry_after = answer.headers.get("Retry-After", "")
            return Reply(
                answer.status,
                await answer.text(),
                float(retry_after) if retry_after.isdigit() else None,
            )

    @asynccontextmanager
    async def socket(self, url: str) -> AsyncIterator[Socket]:
        async with self._http.ws_connect(url) as socket:
            yield _AiohttpSocket(socket)

    @property
    def cookie(self) -> str:
        return "; ".join(f"{morsel.key}={morsel.value}" for morsel in self._http.cookie_jar)

    async def close(self) -> None:
        await self._http.close()


class _AiohttpSocket:
    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def send_json(self, content: dict[str, JsonValue]) -> None:
        await self._socket.send_json(content)

    async def frames(self) -> AsyncIterator[dict[str, JsonValue]]:
        async for message in self._socket:
            yield json.loads(message.data)
