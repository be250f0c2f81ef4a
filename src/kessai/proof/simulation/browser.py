"""A customer's browser over the simulated network: it signs in again when the shop forgot it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kessai.kernel.errors import Unknown
from kessai.kernel.http import Answer
from kessai.proof.simulation.network import SimHttp
from kessai.proof.simulation.scene import FIREBASE, SHOP, Member

_TIMEOUT_S = 20.0
_SIGN_IN_TRIES = 20
_SIGN_IN_PAUSE_S = 2.0


class NoReply(Exception):
    """The answer did not come: what was asked may have happened or not."""


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: Any

    @property
    def code(self) -> str:
        return str(self.body.get("code", "")) if isinstance(self.body, dict) else ""

    def field(self, name: str) -> Any:
        return self.body.get(name) if isinstance(self.body, dict) else None


class Browser:
    def __init__(self, http: SimHttp, member: Member) -> None:
        self._http = http
        self._member = member
        self._id_token = member.id_token
        self._cookie = ""
        self._signing_in = asyncio.Lock()

    async def send(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Raises `NoReply`."""
        for _ in range(3):
            cookie = self._cookie or await self.sign_in("")
            sent = {"Cookie": cookie, "Origin": SHOP, **(headers or {})}
            reply = await self._send(method, f"{SHOP}{path}", body, sent)
            if reply.status != 401:
                return reply
            await self.sign_in(cookie)
        return reply

    async def sign_in(self, stale: str) -> str:
        """The new cookie; the old one when somebody else has just renewed it."""
        async with self._signing_in:
            if self._cookie and self._cookie != stale:
                return self._cookie
            for _ in range(_SIGN_IN_TRIES):
                if cookie := await self._session():
                    self._cookie = cookie
                    return cookie
                await asyncio.sleep(_SIGN_IN_PAUSE_S)
        raise NoReply("could not sign in")

    async def _session(self) -> str:
        try:
            answer = await self._ask(
                "POST", f"{SHOP}/api/auth/session", {"idToken": self._id_token}, {}
            )
            if answer.status == 401:
                await self._refresh()
        except (NoReply, Unknown):
            return ""
        return str(answer.headers.get("set-cookie", "")).split(";")[0]

    async def _refresh(self) -> None:
        """ID tokens last an hour, refresh tokens do not end."""
        wish = {"grant_type": "refresh_token", "refresh_token": self._member.refresh_token}
        answer = await self._ask(
            "POST", f"{FIREBASE}/securetoken.googleapis.com/v1/token?key=k", wish, {}
        )
        if answer.status == 200:
            self._id_token = str(json.loads(answer.body)["id_token"])

    async def _send(self, method: str, url: str, body: object, headers: Mapping[str, str]) -> Reply:
        answer = await self._ask(method, url, body, headers)
        try:
            content = json.loads(answer.body) if answer.body else None
        except ValueError:
            content = None
        return Reply(answer.status, content)

    async def _ask(self, method: str, url: str, body: object, headers: Mapping[str, str]) -> Answer:
        sent = None if body is None else json.dumps(body).encode()
        typed = {"Content-Type": "application/json"} if sent is not None else {}
        try:
            return await self._http.send(
                method, url, headers={**typed, **headers}, body=sent, timeout_s=_TIMEOUT_S
            )
        except Unknown as unknown:
            raise NoReply(str(unknown)) from unknown
