"""Pages of any origin may call Firebase's paths, and none of the simulator's own."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send


class OpenPaths:
    def __init__(self, app: ASGIApp, *, prefixes: Sequence[str], max_age_s: int = 3600) -> None:
        self._app = app
        self._prefixes = tuple(prefixes)
        # With every header allowed, the preflight's answer names the very ones that were asked.
        self._open = CORSMiddleware(
            app,
            allow_origins=["*"],
            allow_methods=["GET", "POST"],
            allow_headers=["*"],
            allow_private_network=True,
            max_age=max_age_s,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_open = scope["type"] == "http" and scope["path"].startswith(self._prefixes)
        await (self._open if is_open else self._app)(scope, receive, send)
