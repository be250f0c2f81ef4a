"""Over a real socket: what a client sees when the simulator keeps its answer to itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from tests.support.paypay import MERCHANT, an_order
from tests.support.web import a_runtime

from kessai.contracts.paypay import Signed, authorization
from kessai.kernel.clock import SystemClock
from kessai.kernel.db import Db, open_database
from kessai.kernel.http import AiohttpHttp, Answer, NoAnswer
from kessai.kernel.server import Binding, serve_all
from kessai.sim.paypay.main import build

pytestmark = pytest.mark.network


@dataclass
class Served:
    base: str
    http: AiohttpHttp

    async def api(self, method: str, path: str, content: Any = None) -> Answer:
        body = json.dumps(content).encode() if content is not None else b""
        signed = Signed(method, path, "application/json", body)
        epoch_s = SystemClock().now_ms() // 1000
        headers = {
            "Authorization": authorization(MERCHANT, signed, nonce="acd02834", epoch_s=epoch_s),
            "Content-Type": "application/json",
        }
        return await self.send(method, path, headers, body)

    async def send(self, method: str, path: str, headers: Any, body: bytes) -> Answer:
        return await self.http.send(
            method, self.base + path, headers=headers, body=body or None, timeout_s=5
        )

    async def faults(self, **faults: Any) -> None:
        headers = {"Content-Type": "application/json"}
        answer = await self.send("PUT", "/sim/faults", headers, json.dumps(faults).encode())
        assert answer.status == 200, answer.body


@asynccontextmanager
async def served() -> AsyncIterator[Served]:
    async def open_db(_: str) -> Db:
        return await open_database("sqlite:")

    http = AiohttpHttp()
    unit = await build(replace(a_runtime(), clock=SystemClock(), http=http, open_db=open_db))
    await unit.start()
    stop, ports = asyncio.Event(), asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(
        serve_all([Binding(unit.name, unit.app, 0)], stop, on_ready=ports.set_result)
    )
    try:
        yield Served(f"http://127.0.0.1:{(await ports)[unit.name]}", http)
    finally:
        stop.set()
        await http.close()
        await serving
        await unit.stop()


async def test_a_lost_answer_is_a_broken_connection_and_the_next_call_is_fine() -> None:
    async with served() as paypay:
        await paypay.faults(api={"createCode": {"lostAnswer": 100}})
        with pytest.raises(NoAnswer):
            await paypay.api("POST", "/v2/codes", an_order())
        await paypay.faults(api={"createCode": {"lostAnswer": 0}})
        again = await paypay.api("POST", "/v2/codes", an_order())
        assert again.status == 400
        assert json.loads(again.body)["resultInfo"]["code"] == "DUPLICATE_DYNAMIC_QR_REQUEST"
        assert (await paypay.api("GET", "/v2/codes/payments/m-1")).status == 200
