"""The Firebase simulator without sockets: its own clock, a seed, real tables in a folder."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from tests.support.web import StillClock, a_runtime

from kessai.kernel.clock import Clock
from kessai.kernel.db import Db, open_database
from kessai.kernel.http import AsgiHttp
from kessai.kernel.oidc import TokenVerifier
from kessai.kernel.service import Unit
from kessai.sim.firebase.domain import Limits
from kessai.sim.firebase.gateway.crypto import new_rsa_key
from kessai.sim.firebase.main import build

ORIGIN = "http://127.0.0.1:8091"
PROJECT = "kessai-local"
SIGNER = "securetoken@system.gserviceaccount.com"
JWK_URL = f"{ORIGIN}/service_accounts/v1/jwk/{SIGNER}"
X509_URL = f"{ORIGIN}/robot/v1/metadata/x509/{SIGNER}"
SHOPPER = "kessaiDemoShopper00000000001"

Json = dict[str, Any]


class Keyring:
    """Real RSA keys, made once for all tests and handed out in the same order."""

    def __init__(self) -> None:
        self.given = 0

    def __call__(self) -> RSAPrivateKey:
        self.given += 1
        return _nth_key(self.given % 3)


@cache
def _nth_key(n: int) -> RSAPrivateKey:
    assert n >= 0
    return new_rsa_key()


@dataclass
class Firebase:
    """The simulator as a browser and an operator see it."""

    unit: Unit[None]
    client: httpx2.AsyncClient
    now: Clock

    @property
    def clock(self) -> StillClock:
        assert isinstance(self.now, StillClock)
        return self.now

    async def call(self, verb: str, **body: object) -> httpx2.Response:
        """`accounts:<verb>` as the SDK sends it."""
        return await self.client.post(
            f"/identitytoolkit.googleapis.com/v1/accounts:{verb}?key=fake", json=body
        )

    async def ok(self, verb: str, **body: object) -> Json:
        answer = await self.call(verb, **body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def refused(self, verb: str, **body: object) -> str:
        """The error's message, after its shape was checked."""
        answer = await self.call(verb, **body)
        assert answer.status_code == 400, answer.text
        return refusal(answer)

    async def sign_up(self, email: str = "new@example.com", password: str = "secret1") -> Json:
        return await self.ok("signUp", email=email, password=password, returnSecureToken=True)

    async def sign_in(
        self, email: str = "shopper@example.com", password: str = "kessai-demo"
    ) -> Json:
        return await self.ok(
            "signInWithPassword", email=email, password=password, returnSecureToken=True
        )

    async def refresh(self, refresh_token: str) -> httpx2.Response:
        return await self.client.post(
            "/securetoken.googleapis.com/v1/token?key=fake",
            data={"grant_type": "refresh_token", "refresh_token": refresh_token},
        )

    async def mails(self) -> list[Json]:
        return list((await self.client.get("/sim/mails")).json())

    async def switch(self, local_id: str, **switches: object) -> httpx2.Response:
        return await self.client.post(f"/sim/accounts/{local_id}", json=switches)

    def verifier(self, keys_url: str = JWK_URL, clock: Clock | None = None) -> TokenVerifier:
        return TokenVerifier(
            AsgiHttp({ORIGIN: self.unit.app}),
            clock or self.now,
            issuer=f"https://securetoken.google.com/{PROJECT}",
            audience=PROJECT,
            keys_url=keys_url,
        )


@asynccontextmanager
async def a_firebase(
    folder: Path | None = None,
    *,
    clock: Clock | None = None,
    limits: Limits | None = None,
    keyring: Keyring | None = None,
    project: str = PROJECT,
) -> AsyncIterator[Firebase]:
    """In memory, or in `folder` so that a second one finds what the first one left."""

    async def open_db(name: str) -> Db:
        return await open_database(f"sqlite:///{folder / name}.db" if folder else "sqlite:")

    now = clock or StillClock()
    runtime = replace(a_runtime(firebase_project=project), clock=now, open_db=open_db)
    unit = await build(runtime, limits=limits, new_key=keyring or Keyring())
    transport = httpx2.ASGITransport(app=unit.app)
    async with httpx2.AsyncClient(transport=transport, base_url=ORIGIN) as client:
        yield Firebase(unit, client, now)
    await unit.stop()


def refusal(answer: httpx2.Response) -> str:
    error = answer.json()["error"]
    message = str(error["message"])
    assert error["code"] == answer.status_code
    assert error["errors"] == [{"message": message, "domain": "global", "reason": "invalid"}]
    return message


def unverified(token: str) -> Mapping[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})
