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
async def served(**settings: Any) -> AsyncIterator[Served]:
    async def open_db(_: str) -> Db:
        return await open_database("sqlite:")

    http = AiohttpHttp()
    unit = await build(
        replace(a_runtime(**settings), clock=SystemClock(), http=http, open_db=open_db)
    )
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


async def test_a_webhook_that_breaks_in_its_body_is_less_than_it_promised() -> None:
    got: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue()

    async def door(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        promised = int(head.split("content-length:")[1].split("\r\n")[0])
        got.put_nowait((promised, await reader.read()))
        writer.close()

    server = await asyncio.start_server(door, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, served(sim_webhook_url=f"http://127.0.0.1:{port}/hook") as paypay:
        await paypay.faults(webhooks={"cutMidBody": 100})
        await paypay.api("POST", "/v2/codes", an_order())
        await paypay.send("POST", "/sim/payments/m-1/pay", {}, b"")
        for _ in range(4):
            promised, body = await asyncio.wait_for(got.get(), 10)
            assert 0 < len(body) < promised
            assert body.startswith(b'{"notification_type"')
