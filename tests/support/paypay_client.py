"""Our client of PayPay, and a wire that says what a test wants."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tests.support.paypay import BASE, MERCHANT, NOW_MS

from kessai.kernel.chance import SeededChance
from kessai.kernel.clock import Clock
from kessai.kernel.http import Answer, Http, Sink
from kessai.kernel.metrics import Metrics
from kessai.payment.application.ports import CodeRequest
from kessai.payment.gateway.paypay import Meters, PayPay, PayPayLimits


def a_client(
    http: Http, clock: Clock, *, metrics: Metrics | None = None, **limits: float
) -> PayPay:
    """Settings as in production but for `limits`."""
    return PayPay(
        http,
        clock,
        SeededChance(1),
        base_url=f"{BASE}/",
        credentials=MERCHANT,
        limits=replace(PayPayLimits(30, 15, 50), **limits),  # type: ignore[arg-type]
        meters=Meters(metrics or Metrics("test")),
    )


def a_request(name: str = "o-1", amount_yen: int = 1200) -> CodeRequest:
    return CodeRequest(name, amount_yen, "注文 1", (), "http://shop.test/o", "Mozilla", NOW_MS)


@dataclass
class ScriptedHttp:
    """Gives the answers of a script, then the last one again; remembers what was asked."""

    script: list[Answer | Exception]
    sent: list[tuple[str, str, Mapping[str, str], bytes, float]] = field(default_factory=list)
    # While it is set, nobody is answered.
    gate: asyncio.Event | None = None

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout_s: float,
    ) -> Answer:
        self.sent.append((method, url, headers or {}, body or b"", timeout_s))
        if self.gate:
            await self.gate.wait()
        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def download(self, url: str, to: Sink, *, limit_bytes: int, timeout_s: float) -> Answer:
        raise AssertionError(f"nobody downloads here: {url}")

    async def close(self) -> None:
        return None


def an_answer(status: int, code: str = "SUCCESS", content: object = None, **headers: str) -> Answer:
    body = {"resultInfo": {"code": code, "message": "m", "codeId": "1"}, "data": content}
    return Answer(status, headers, json.dumps(body).encode())


def a_code(name: str = "o-1", amount: int = 1200) -> dict[str, object]:
    return {
        "codeId": "04-1",
        "url": "https://pay.test/1",
        "expiryDate": NOW_MS // 1000 + 300,
        "merchantPaymentId": name,
        "amount": {"amount": amount, "currency": "JPY"},
    }
