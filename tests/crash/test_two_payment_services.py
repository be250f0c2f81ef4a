"""Two processes of payment-service on one database: nobody is asked twice, one may be killed."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from tests.support.process import Processes, free_offset, processes

from kessai.proof.customer import Customer, SeenOrder
from kessai.topology import SERVICES

pytestmark = [pytest.mark.crash, pytest.mark.long, pytest.mark.network, pytest.mark.timeout(240)]

ORDERS = 24
WATCHED_S = 20.0
# The first minute's interval is 3 s, spread by 5 %; what it takes on the way varies a little.
SHORTEST_GAP_S = 2.7
HEADERS = ("Authorization", "Content-Type", "X-ASSUME-MERCHANT")
ASKED = "/v2/codes/payments/"


@dataclass
class Wire:
    """Stands between one payment-service and PayPay, and writes down what it was asked when."""

    url: str
    asked: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    async def pass_on(self, request: web.Request) -> web.Response:
        if request.method == "GET" and request.path.startswith(ASKED):
            now_s = asyncio.get_running_loop().time()
            self.asked[request.path.removeprefix(ASKED)].append(now_s)
        headers = {name: request.headers[name] for name in HEADERS if name in request.headers}
        async with (
            aiohttp.ClientSession(auto_decompress=False) as http,
            http.request(
                request.method,
                f"{self.url}{request.path_qs}",
                data=await request.read(),
                headers=headers,
            ) as answer,
        ):
            return web.Response(
                status=answer.status, body=await answer.read(), content_type="application/json"
            )


@asynccontextmanager
async def listening(url: str) -> AsyncIterator[tuple[Wire, str]]:
    wire = Wire(url)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", wire.pass_on)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    (address,) = runner.addresses
    try:
        yield wire, f"http://127.0.0.1:{address[1]}"
    finally:
        await runner.cleanup()


async def start_all(system: Processes, second: Processes, urls: tuple[str, str]) -> None:
    def start() -> None:
        for simulator in ("paypay", "firebase"):
            system.start("sim", simulator)
        for card in reversed(SERVICES):
            system.start("serve", card.name, KESSAI_PAYPAY_URL=urls[0])
        second.start("serve", "payment-service", KESSAI_PAYPAY_URL=urls[1])

    await asyncio.to_thread(start)


async def buy(customer: Customer) -> list[SeenOrder]:
    listed = await customer.products()
    product = next(int(str(p["id"])) for p in listed if int(str(p["stock"])) >= ORDERS)
    return [
        await customer.purchase([(product, 1)], key=f"two-{number}") for number in range(ORDERS)
    ]


def assert_nobody_was_asked_twice(wires: list[Wire], orders: list[SeenOrder]) -> None:
    for order in orders:
        name = f"{order.order_id}-1"
        times = sorted(time for wire in wires for time in wire.asked[name])
        assert len(times) >= 3, f"{name} was asked about only {len(times)} times"
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert min(gaps) >= SHORTEST_GAP_S, f"{name}: {gaps}"


async def story(system: Processes, second: Processes) -> None:
    paypay = system.urls.paypay
    async with listening(paypay) as (one, one_url), listening(paypay) as (two, two_url):
        await start_all(system, second, (one_url, two_url))
        async with Customer(system.urls) as customer:
            await customer.sign_in("shopper@example.com", "kessai-demo")
            await customer.set_faults({"webhooks": {"drop": 100}})
            orders = await buy(customer)
            await asyncio.sleep(WATCHED_S)
            assert_nobody_was_asked_twice([one, two], orders)
            shares = [sum(map(len, wire.asked.values())) for wire in (one, two)]
            assert min(shares) > 0, f"one of them did nothing: {shares}"

            system.kill("serve payment-service")
            for order in orders:
                await customer.pay(f"{order.order_id}-1")
            paid_s = asyncio.get_running_loop().time()
            # The order-service's own calls need the first one; events come by the bus.
            for order in orders:
                await customer.until(order.order_id, "PAID", timeout_s=15)
            took_s = asyncio.get_running_loop().time() - paid_s
            assert took_s <= 10 + 3, f"one interval and the notice of a death, but {took_s:.1f} s"


def test_two_of_them_share_the_work_and_one_can_be_killed(tmp_path: Path) -> None:
    with processes(tmp_path) as system:
        elsewhere = Processes(
            tmp_path,
            free_offset() + 11,
            {
                "KESSAI_INSTANCE": "second",
                "KESSAI_SIM_PUBLIC_URL": system.urls.paypay,
            },
        )
        try:
            asyncio.run(story(system, elsewhere))
        finally:
            for name in list(elsewhere.running):
                elsewhere.kill(name)
