"""A client of server-sent events that speaks ASGI to an app in the same loop."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message, Scope


@dataclass(frozen=True)
class Sent:
    """One event; a comment has its text as `data` and no name."""

    name: str
    data: str
    id: int | None


class AsgiStream:
    """Events in order of arrival; `ended` once the server ended the answer."""

    def __init__(self, app: ASGIApp, path: str, query: str, headers: Mapping[str, str]) -> None:
        self._app = app
        self._from_client: asyncio.Queue[Message] = asyncio.Queue()
        self._text = ""
        self.status = 0
        self.headers: dict[str, str] = {}
        self.events: asyncio.Queue[Sent] = asyncio.Queue()
        self.started = asyncio.Event()
        self.ended = asyncio.Event()
        self._scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8080),
            "state": {},
        }

    async def open(self) -> None:
        """Returns when the answer has begun."""
        self._from_client.put_nowait({"type": "http.request", "body": b"", "more_body": False})
        self._task = asyncio.ensure_future(
            self._app(self._scope, self._from_client.get, self._on_message)
        )
        await self.started.wait()

    async def next(self, name: str = "alert", *, within_s: float = 60.0) -> Sent:
        """The next event of a name; others are passed over. Raises `TimeoutError`."""
        async with asyncio.timeout(within_s):
            while True:
                event = await self.events.get()
                if event.name == name:
                    return event

    async def wait_ended(self, *, within_s: float = 30.0) -> None:
        async with asyncio.timeout(within_s):
            await self.ended.wait()

    async def leave(self) -> None:
        """As a browser that is closed."""
        self._from_client.put_nowait({"type": "http.disconnect"})
        async with asyncio.timeout(5):
            await self._task

    async def _on_message(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {k.decode(): v.decode() for k, v in message["headers"]}
            self.started.set()
            return
        self._text += message.get("body", b"").decode()
        *whole, self._text = self._text.split("\n\n")
        for block in whole:
            self.events.put_nowait(_read(block))
        if not message.get("more_body", False):
            self.ended.set()


def _read(block: str) -> Sent:
    fields: dict[str, Any] = {"event": "", "data": "", "id": None}
    for line in block.split("\n"):
        name, _, value = line.partition(":")
        fields["data" if name == "" else name] = value.strip()
    return Sent(fields["event"], fields["data"], int(fields["id"]) if fields["id"] else None)
