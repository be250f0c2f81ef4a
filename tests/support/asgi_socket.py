"""A WebSocket client that speaks ASGI to an app in the same loop, so that virtual time works."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from starlette.types import ASGIApp, Message, Scope


class AsgiSocket:
    """Frames in order of arrival; `closed_with` is the close code once the server closed."""

    def __init__(self, app: ASGIApp, path: str, query: str, headers: Mapping[str, str]) -> None:
        self._app = app
        self._to_app: asyncio.Queue[Message] = asyncio.Queue()
        self.frames: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.accepted = asyncio.Event()
        self.closed = asyncio.Event()
        self.closed_with: int | None = None
        self._scope: Scope = {
            "type": "websocket",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": "ws",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8080),
            "subprotocols": [],
            "state": {},
        }

    async def open(self) -> None:
        """Returns when the server has accepted or closed."""
        self._to_app.put_nowait({"type": "websocket.connect"})
        self._task = asyncio.ensure_future(
            self._app(self._scope, self._to_app.get, self._on_message)
        )
        waiting = [asyncio.ensure_future(e.wait()) for e in (self.accepted, self.closed)]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()

    async def send_json(self, content: object) -> None:
        await self.send_text(json.dumps(content))

    async def send_text(self, text: str) -> None:
        self._to_app.put_nowait({"type": "websocket.receive", "text": text})

    async def receive(
        self, *, within_s: float = 60.0, kind: str = "ORDER_STATUS"
    ) -> dict[str, Any]:
        """The next frame of a kind; others are passed over. Raises `TimeoutError`."""
        async with asyncio.timeout(within_s):
            while True:
                frame = await self.frames.get()
                if frame["type"] == kind:
                    return frame

    async def until(self, result: str, *, within_s: float = 60.0) -> list[dict[str, Any]]:
        """All frames up to the first with this result."""
        seen: list[dict[str, Any]] = []
        async with asyncio.timeout(within_s):
            while not seen or seen[-1]["result"] != result:
                seen.append(await self.receive(within_s=within_s))
        return seen

    async def wait_closed(self, *, within_s: float = 30.0) -> int | None:
        async with asyncio.timeout(within_s):
            await self.closed.wait()
        return self.closed_with

    async def close(self) -> None:
        self._to_app.put_nowait({"type": "websocket.disconnect", "code": 1000})
        try:
            async with asyncio.timeout(5):
                await self._task
        except TimeoutError:
            self._task.cancel()
            raise

    async def _on_message(self, message: Message) -> None:
        if message["type"] == "websocket.accept":
            self.accepted.set()
        elif message["type"] == "websocket.send":
            self.frames.put_nowait(json.loads(message["text"]))
        elif message["type"] in ("websocket.close", "websocket.http.response.start"):
            self.closed_with = message.get("code", message.get("status"))
            self.closed.set()
