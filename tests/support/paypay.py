"""The PayPay simulator without sockets: virtual time, a signing merchant, a webhook door."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx2
from starlette.types import Receive, Scope, Send
from tests.support.web import a_runtime, run_virtual

from kessai.contracts.paypay import (
    MERCHANT_HEADER,
    CreateCode,
    Credentials,
    RefundAsked,
    Signed,
    authorization,
)
from kessai.kernel.clock import Clock
from kessai.kernel.db import Db, open_database
from kessai.kernel.http import AsgiHttp
from kessai.kernel.service import Unit
from kessai.proof.virtual_time import VirtualClock
from kessai.sim.paypay.application.control import Control
from kessai.sim.paypay.domain.behaviour import Behaviour
from kessai.sim.paypay.domain.book import Payment
from kessai.sim.paypay.domain.moves import create as create_payment
from kessai.sim.paypay.main import build

Json = dict[str, Any]
BASE = "http://127.0.0.1:8090"
MERCHANT = Credentials("kessai-sim-key", "kessai-sim-secret", "kessai-merchant")
JSON_TYPE = "application/json"

NOW_MS = 1_800_000_000_000


def an_order(name: str = "m-1", amount: int = 25180, **more: Any) -> Json:
    """The body of a code request."""
    return {
        "merchantPaymentId": name,
        "amount": {"amount": amount, "currency": "JPY"},
        "codeType": "ORDER_QR",
        **more,
    }


def a_payment(name: str = "m-1", amount: int = 25180, **more: Any) -> Payment:
    """An unpaid code, made at NOW_MS, that lives for 300 s."""
    asked = CreateCode.model_validate(an_order(name, amount, **more))
    return create_payment(
        asked, "04-abcdefghijklmnop", now_ms=NOW_MS, lifetime_s=300, rules=Behaviour()
    )


def a_refund(name: str = "r-1", amount: int = 25180) -> RefundAsked:
    return RefundAsked.model_validate(
        {
            "merchantRefundId": name,
            "paymentId": "p-1",
            "amount": {"amount": amount, "currency": "JPY"},
            "requestedAt": NOW_MS // 1000,
            "reason": "CHANGED_MIND",
        }
    )


@dataclass
class Door:
    """The merchant's webhook address. `answers` come first, then 200; `waits_s` before each."""

    clock: Clock
    answers: list[int] = field(default_factory=list)
    waits_s: float = 0.0
    received: list[tuple[int, bytes]] = field(default_factory=list)
    headers: list[dict[bytes, bytes]] = field(default_factory=list)
    most_at_once: int = 0
    _inside: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = (await receive())["body"]
        self.received.append((self.clock.now_ms(), body))
        self.headers.append(dict(scope["headers"]))
        self._inside += 1
        self.most_at_once = max(self.most_at_once, self._inside)
        await asyncio.sleep(self.waits_s)
        self._inside -= 1
        status = self.answers.pop(0) if self.answers else 200
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"OK", "more_body": False})

    def notices(self) -> list[Json]:
        return [dict(json.loads(body)) for _, body in self.received]

    def times_ms(self) -> list[int]:
        """Since the first one."""
        return [at_ms - self.received[0][0] for at_ms, _ in self.received]


@dataclass
class PayPay:
    """The simulator as a merchant, a customer and an operator see it."""

    unit: Unit[Control]
    client: httpx2.AsyncClient
    http: AsgiHttp
    clock: Clock
    door: Door

    async def api(
        self,
        method: str,
        path: str,
        content: Json | None = None,
        *,
        raw: bytes | None = None,
        signed_as: Credentials = MERCHANT,
        content_type: str = JSON_TYPE,
        skew_s: int = 0,
        headers: Json | None = None,
    ) -> httpx2.Response:
        """Signed as the merchant would; the query of `path` is not covered."""
        body = raw if raw is not None else b"" if content is None else json.dumps(content).encode()
        signed = Signed(method, path.split("?")[0], content_type, body)
        now_s = self.clock.now_ms() // 1000 + skew_s
        sent = {
            "Authorization": authorization(signed_as, signed, nonce="acd02834", epoch_s=now_s),
            MERCHANT_HEADER: signed_as.merchant_id,
            "Content-Type": content_type,
            **(headers or {}),
        }
        return await self.client.request(method, path, headers=sent, content=body)

    async def create(self, name: str = "m-1", amount: int = 25180, **more: Any) -> Json:
        answer = await self.api("POST", "/v2/codes", an_order(name, amount, **more))
        assert answer.status_code == 201, answer.text
        return dict(answer.json()["data"])

    async def details(self, name: str = "m-1") -> Json:
        answer = await self.api("GET", f"/v2/codes/payments/{name}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json()["data"])

    async def refund(
        self, payment_id: str, amount: int, name: str = "r-1", path: str = "/v2/refunds"
    ) -> httpx2.Response:
        wish = {
            "merchantRefundId": name,
            "paymentId": payment_id,
            "amount": {"amount": amount, "currency": "JPY"},
            "requestedAt": self.clock.now_ms() // 1000,
            "reason": "x",
        }
        return await self.api("POST", path, wish)

    async def act(self, name: str = "m-1", act: str = "pay") -> Json:
        answer = await self.client.post(f"/sim/payments/{name}/{act}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def faults(self, **faults: Any) -> Json:
        answer = await self.client.put("/sim/faults", json=faults)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def fired(self) -> Json:
        return dict((await self.client.get("/sim/faults")).json()["fired"])

    async def payments(self) -> list[Json]:
        return list((await self.client.get("/sim/payments")).json())

    async def kinds(self) -> list[str]:
        """Of what happened, in order."""
        return [event["kind"] for event in (await self.client.get("/sim/events")).json()]


def code_of(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["resultInfo"]["code"]


@asynccontextmanager
async def a_paypay(path: object = None, **settings: Any) -> AsyncIterator[PayPay]:
    """Must run on virtual time. With a `path` the book is a file, else in memory."""
    clock = VirtualClock()
    databases: list[Db] = []

    async def open_db(_: str) -> Db:
        databases.append(await open_database(f"sqlite:///{path}" if path else "sqlite:"))
        return databases[-1]

    door, http = Door(clock), AsgiHttp()
    http.route("http://127.0.0.1:8080", door)
    runtime = replace(a_runtime(**settings), clock=clock, http=http, open_db=open_db)
    unit = await build(runtime)
    await unit.start()
    http.route(BASE, unit.app)
    transport = httpx2.ASGITransport(app=unit.app)
    async with httpx2.AsyncClient(transport=transport, base_url=BASE) as client:
        try:
            yield PayPay(unit, client, http, clock, door)
        finally:
            await unit.stop()
            await http.close()


Tale = Callable[[PayPay], Awaitable[None]]


def paypay_test(tale: Tale) -> Callable[[], None]:
    """Makes a test of a coroutine that is given a simulator on virtual time."""

    async def live() -> None:
        async with a_paypay() as paypay:
            await tale(paypay)

    @functools.wraps(tale, assigned=("__module__", "__name__", "__qualname__", "__doc__"))
    def test() -> None:
        run_virtual(live())

    del test.__wrapped__
    return test
