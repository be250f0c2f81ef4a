"""Many apps, many ports, one process: all start or none, and a stop lets requests finish."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fastapi import FastAPI, WebSocket
from tests.support.web import a_runtime

from kessai.kernel.app import create_app
from kessai.kernel.http import AiohttpHttp, Answer, NotSent
from kessai.kernel.server import (
    Binding,
    CannotListen,
    PortTaken,
    StartFailed,
    serve_all,
    url_on_this_machine,
)

pytestmark = pytest.mark.network


class Shop:
    """Some services, the order in which they start and stop, and a request that waits."""

    def __init__(self, *names: str, failing: str = "") -> None:
        self.seen: list[str] = []
        self.gate = asyncio.Event()
        self.entered = asyncio.Event()
        self.failing = failing
        self.bindings = [Binding(name, self.an_app(name), 0) for name in names]

    def an_app(self, name: str) -> FastAPI:
        async def start() -> None:
            if name == self.failing:
                raise OSError("no disk")
            self.seen.append(f"+{name}")

        async def stop() -> None:
            self.seen.append(f"-{name}")

        app = create_app(title=name, runtime=a_runtime(), on_start=[start], on_stop=[stop])

        @app.get("/name")
        async def tell() -> str:
            return name

        @app.get("/waits")
        async def waits() -> str:
            self.entered.set()
            await self.gate.wait()
            return "finished"

        @app.websocket("/ws")
        async def ws(websocket: WebSocket) -> None:
            await websocket.accept()
            await websocket.receive_text()

        return app


@asynccontextmanager
async def a_client() -> AsyncIterator[AiohttpHttp]:
    http = AiohttpHttp()
    try:
        yield http
    finally:
        await http.close()


async def get(http: AiohttpHttp, port: int, path: str) -> Answer:
    return await http.send("GET", f"http://127.0.0.1:{port}{path}", timeout_s=5)


class Serving:
    def __init__(self, shop: Shop, *, stop_timeout_s: float = 5) -> None:
        self.stop = asyncio.Event()
        self.ports: Mapping[str, int] = {}
        self._ready = asyncio.Event()
        self.task = asyncio.create_task(
            serve_all(
                shop.bindings, self.stop, stop_timeout_s=stop_timeout_s, on_ready=self._is_ready
            )
        )

    def _is_ready(self, ports: Mapping[str, int]) -> None:
        self.ports = ports
        self._ready.set()

    async def ready(self) -> Mapping[str, int]:
        async with asyncio.timeout(5):
            await self._ready.wait()
        return self.ports


async def test_nine_services_answer_on_their_own_ports() -> None:
    shop = Shop(*(f"s{n}" for n in range(9)))
    serving = Serving(shop)
    ports = await serving.ready()
    assert list(ports) == [f"s{n}" for n in range(9)]
    async with a_client() as http:
        for name, port in ports.items():
            answer = await get(http, port, "/name")
            assert (answer.status, answer.body) == (200, f'"{name}"'.encode())
            assert "server" not in answer.headers
    serving.stop.set()
    await serving.task
    assert sorted(shop.seen) == sorted(
        [*(f"+s{n}" for n in range(9)), *(f"-s{n}" for n in range(9))]
    )


async def test_a_stop_finishes_what_is_in_flight_and_takes_nothing_new() -> None:
    shop = Shop("bff", "order-service")
    serving = Serving(shop)
    port = (await serving.ready())["order-service"]
    async with a_client() as http, a_client() as late:
        waiting = asyncio.create_task(get(http, port, "/waits"))
        await shop.entered.wait()
        serving.stop.set()
        await asyncio.sleep(0.2)
        with pytest.raises(NotSent):
            await get(late, port, "/name")
        assert "-order-service" not in shop.seen
        shop.gate.set()
        assert (await waiting).body == b'"finished"'
    await serving.task
    assert sorted(shop.seen) == ["+bff", "+order-service", "-bff", "-order-service"]


async def test_a_request_that_never_ends_does_not_hold_the_stop() -> None:
    shop = Shop("order-service")
    serving = Serving(shop, stop_timeout_s=1)
    port = (await serving.ready())["order-service"]
    async with a_client() as http:
        waiting = asyncio.create_task(get(http, port, "/waits"))
        await shop.entered.wait()
        started = asyncio.get_running_loop().time()
        serving.stop.set()
        await serving.task
        assert asyncio.get_running_loop().time() - started < 2.5
        answer = await waiting
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert json.loads(answer.body)["code"] == "STOPPING"
    assert shop.seen == ["+order-service", "-order-service"]


async def test_an_answer_without_an_end_is_ended_by_the_stop() -> None:
    shop = Shop("bff")
    (binding,) = shop.bindings
    assert isinstance(binding.app, FastAPI)
    binding.app.state.closing = shop.gate.set
    serving = Serving(shop)
    port = (await serving.ready())["bff"]
    async with a_client() as http:
        waiting = asyncio.create_task(get(http, port, "/waits"))
        await shop.entered.wait()
        serving.stop.set()
        assert (await waiting).body == b'"finished"'
    await serving.task


async def test_a_taken_port_is_named_and_nothing_starts() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        shop = Shop("bff", "order-service")
        shop.bindings[1] = Binding("order-service", shop.bindings[1].app, port)
        with pytest.raises(PortTaken) as error:
            await serve_all(shop.bindings, asyncio.Event())
    assert str(error.value) == f"port {port} of order-service is taken by another process"
    assert (error.value.port, error.value.service) == (port, "order-service")
    assert shop.seen == []


async def test_an_address_of_another_machine_is_not_called_taken() -> None:
    shop = Shop("bff")
    shop.bindings[0] = Binding("bff", shop.bindings[0].app, 0, "192.0.2.1")
    with pytest.raises(CannotListen, match=r"bff cannot listen on http://192\.0\.2\.1:0: Cannot"):
        await serve_all(shop.bindings, asyncio.Event())
    assert shop.seen == []


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:1"),
        ("::", "http://127.0.0.1:1"),
        ("10.0.0.5", "http://10.0.0.5:1"),
        ("::1", "http://[::1]:1"),
    ],
)
def test_where_a_door_is_reached_on_this_machine(host: str, url: str) -> None:
    assert url_on_this_machine(host, 1) == url


async def test_two_services_on_one_port_are_refused_as_well() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shop = Shop("bff", "order-service")
    shop.bindings = [Binding(item.service, item.app, port) for item in shop.bindings]
    with pytest.raises(PortTaken, match="of order-service"):
        await serve_all(shop.bindings, asyncio.Event())


async def test_one_that_cannot_start_stops_the_others() -> None:
    shop = Shop("bff", "order-service", "storage-service", failing="order-service")
    with pytest.raises(StartFailed, match="order-service did not start"):
        await serve_all(shop.bindings, asyncio.Event())
    assert sorted(shop.seen) == ["+bff", "+storage-service", "-bff", "-storage-service"]


PROGRAM = """
import asyncio, sys
from kessai.kernel.server import Binding, run, serve_all
from kessai.kernel.telemetry import configure
from tests.kernel.test_server import Shop

async def main():
    shop = Shop("bff", "order-service")
    def ready(ports):
        asyncio.get_running_loop().call_later(0.5, shop.gate.set)
        print(ports["order-service"], flush=True)
    await serve_all(shop.bindings, on_ready=ready)
    print(sorted(shop.seen), type(asyncio.get_running_loop()).__module__, flush=True)

configure("INFO", stream=sys.stdout)
run(main())
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_the_whole_process_cleanly(number: signal.Signals) -> None:
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{root / 'src'}:{root}"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, stdout=asyncio.subprocess.PIPE, env=environment
    )
    assert process.stdout
    async with asyncio.timeout(20):
        port = int(await process.stdout.readline())
        async with a_client() as http:
            waiting = asyncio.create_task(get(http, port, "/waits"))
            await asyncio.sleep(0.2)
            process.send_signal(number)
            assert (await waiting).body == b'"finished"'
        *lines, last = (await process.stdout.read()).decode().splitlines()
        assert await process.wait() == 0
    assert last == "['+bff', '+order-service', '-bff', '-order-service'] uvloop"
    signals = [line for line in map(json.loads, lines) if line["event"] == "server.signal"]
    assert [line["signal"] for line in signals] == [number.name]
