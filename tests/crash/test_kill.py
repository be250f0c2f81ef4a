"""The process is killed at the worst moments; afterwards orders, stock and money agree."""

from __future__ import annotations

import asyncio
import contextlib
import random
import uuid
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.support.process import NO_INDEX, Processes, processes

from kessai.contracts.order import OrderById
from kessai.embedded import open_runtime, remote_ports
from kessai.kernel.settings import Settings
from kessai.proof.customer import Answered, Customer

pytestmark = [pytest.mark.crash, pytest.mark.network]

DEADLINE_S = 20
FINAL_WITHIN_S = 60.0
SHOP = "up --no-simulators"
LOST = (aiohttp.ClientError, TimeoutError, ConnectionError)

# One of each seam: before and after a commit, a call, a request, a produce, an acknowledgement.
# The default run has two; the rest has half a minute each in the long one.
POINTS = [
    "commit:order:after",
    "call:payment-service.create_payment:before",
    *(
        pytest.param(point, marks=pytest.mark.long)
        for point in (
            "publish:payment-service:after",
            "ack:order-service.payments:before",
            "commit:order:before",
            "call:storage-service.reserve_stock:after",
            "commit:payment:after",
            "provider:create:after",
            "call:payment-service.create_payment:after",
            "call:payment-service.receive_webhook:after",
            "call:storage-service.confirm_stock:before",
            "call:storage-service.confirm_stock:after",
        )
    ),
]


class Crowd:
    """Customers who buy and mostly pay; what the shop never answered is not counted as failed."""

    def __init__(self, urls: Processes, seed: int) -> None:
        self._urls = urls.urls
        self._random = random.Random(seed)
        self.wishes = 0
        self.answered: dict[str, str] = {}
        self.refused: list[int] = []

    async def buy(self, purchases: int, concurrency: int) -> None:
        async with Customer(self._urls) as customer:
            await customer.sign_in("shopper@example.com", "kessai-demo")
            listed = await customer.products()
            products = [int(str(p["id"])) for p in listed if int(str(p["stock"])) >= 10]
            left = asyncio.Semaphore(concurrency)

            async def one(number: int) -> None:
                async with left:
                    product = products[number % len(products)]
                    with contextlib.suppress(*LOST):
                        await self._buy_one(customer, product)

            await asyncio.gather(*(one(number) for number in range(purchases)))

    async def _buy_one(self, customer: Customer, product: int) -> None:
        self.wishes += 1
        try:
            order = await customer.purchase([(product, 1)], key=str(uuid.uuid4()))
        except Answered as answered:
            self.refused.append(answered.status)
            return
        self.answered[order.order_id] = order.status
        if self._random.random() < 0.8:
            with contextlib.suppress(Answered):
                await customer.pay(f"{order.order_id}-1")


async def final_orders(system: Processes) -> dict[str, tuple[str, str | None, int]]:
    """Every order of the customer once all are final: id -> (status, reason, amount)."""
    async with Customer(system.urls) as customer:
        await customer.sign_in("shopper@example.com", "kessai-demo")
        loop = asyncio.get_running_loop()
        end = loop.time() + FINAL_WITHIN_S
        while True:
            orders = await all_orders(customer)
            waiting = {k: v for k, v in orders.items() if v[0] in ("PENDING", "WAITING_PAYMENT")}
            if not waiting:
                return orders
            assert loop.time() < end, f"not final after {FINAL_WITHIN_S} s: {waiting}"
            await asyncio.sleep(0.5)


async def all_orders(customer: Customer) -> dict[str, tuple[str, str | None, int]]:
    found: dict[str, tuple[str, str | None, int]] = {}
    cursor = ""
    while True:
        page = await customer.listed(cursor)
        for row in page["items"]:  # type: ignore[union-attr]
            assert isinstance(row, dict)
            found[str(row["orderId"])] = (
                str(row["status"]),
                row["reason"],  # type: ignore[assignment]
                int(str(row["amount"])),
            )
        if not page["nextCursor"]:
            return found
        cursor = str(page["nextCursor"])


async def assert_agreement(system: Processes, opening: dict[int, int], crowd: Crowd) -> None:
    """The provider's book is the truth about money; stock and audit must tell the same story."""
    orders = await final_orders(system)
    assert set(crowd.answered) <= set(orders)
    assert [status for status in crowd.refused if status not in (409, 503)] == []
    async with Customer(system.urls) as customer:
        book: list[dict[str, Any]] = list(await customer.wallet_payments())
        left = {int(str(p["id"])): int(str(p["stock"])) for p in await customer.products()}
        await customer.sign_in("shopper@example.com", "kessai-demo")
        kept: dict[str, int] = {}
        for row in book:
            refunds = [int(refund["amount"]) for refund in row["refunds"]]
            assert len(refunds) <= 1, row
            captured = int(str(row["amount"])) if row["status"] in ("COMPLETED", "REFUNDED") else 0
            order_id = str(row["merchantPaymentId"])[:26]
            kept[order_id] = kept.get(order_id, 0) + captured - sum(refunds)
    for order_id, (status, reason, amount) in orders.items():
        owed = amount if status == "PAID" else 0
        assert kept.get(order_id, 0) == owed, (order_id, status, reason, kept.get(order_id))
    assert {k: v for k, v in kept.items() if v and k not in orders} == {}
    paid = sum(1 for status, _, _ in orders.values() if status == "PAID")
    assert sum(opening.values()) - sum(left.values()) == paid
    await assert_audit(system, orders)


async def assert_audit(system: Processes, orders: dict[str, tuple[str, str | None, int]]) -> None:
    settings = Settings(
        _env_file=None, port_offset=system.offset, data_dir=str(system.folder / "asker")
    )
    runtime = await open_runtime(settings)
    try:
        ports = remote_ports(runtime)
        for order_id, (status, _, _) in orders.items():
            trail = await ports.order.audit_order(OrderById(order_id=order_id))
            assert trail.intact, order_id
            moves = [str(e.to_status) for e in trail.entries if e.to_status != e.from_status]
            assert moves[-1] == status
            assert len(moves) == len(set(moves)), moves
    finally:
        await runtime.bus.close()
        await runtime.http.close()


async def opening_stock(system: Processes) -> dict[int, int]:
    async with Customer(system.urls) as customer:
        return {int(str(p["id"])): int(str(p["stock"])) for p in await customer.products()}


def start_simulators(system: Processes) -> None:
    system.start("sim", "paypay")
    system.start("sim", "firebase")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("point", POINTS)
def test_killed_at_a_named_point(point: str, tmp_path: Path) -> None:
    with processes(tmp_path, **NO_INDEX, KESSAI_ORDER_DEADLINE_S="8") as system:
        start_simulators(system)
        system.start("up", "--no-simulators")
        opening = asyncio.run(opening_stock(system))
        system.stop(SHOP)
        # Records are published and acknowledged many at once, so it happens a few times only.
        count = 2 if point.startswith(("ack:", "publish:")) else 9
        system.start("up", "--no-simulators", KESSAI_CRASH_AT=f"{point}#{count}")
        crowd = Crowd(system, seed=7)
        asyncio.run(crowd.buy(20, concurrency=4))
        died = system.wait_death(SHOP, 10)
        assert died, f"{point} was never reached: {system.log_tail(5)}"
        system.start("up", "--no-simulators")
        asyncio.run(crowd.buy(5, concurrency=2))
        asyncio.run(assert_agreement(system, opening, crowd))


@pytest.mark.timeout(300)
@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_random_moments_of_two_hundred_purchases(seed: int, tmp_path: Path) -> None:
    moments = random.Random(seed)
    with processes(tmp_path, **NO_INDEX, KESSAI_ORDER_DEADLINE_S=str(DEADLINE_S)) as system:
        start_simulators(system)
        system.start("up", "--no-simulators")
        opening = asyncio.run(opening_stock(system))
        crowd = Crowd(system, seed)

        async def buy_until_killed() -> None:
            buying = asyncio.ensure_future(crowd.buy(100, concurrency=8))
            await asyncio.sleep(moments.uniform(0.2, 1.2))
            await asyncio.to_thread(system.kill, SHOP)
            await asyncio.gather(buying, return_exceptions=True)

        for _ in range(2):
            asyncio.run(buy_until_killed())
            system.start("up", "--no-simulators")
        assert crowd.wishes >= 10
        asyncio.run(assert_agreement(system, opening, crowd))


@pytest.mark.timeout(120)
def test_everything_in_one_process_survives_kill_9(tmp_path: Path) -> None:
    with processes(tmp_path, **NO_INDEX, KESSAI_ORDER_DEADLINE_S=str(DEADLINE_S)) as system:
        system.start("up")
        opening = asyncio.run(opening_stock(system))
        crowd = Crowd(system, seed=3)

        async def buy_and_die() -> None:
            buying = asyncio.ensure_future(crowd.buy(60, concurrency=4))
            await asyncio.sleep(0.8)
            await asyncio.to_thread(system.kill, "up")
            await asyncio.gather(buying, return_exceptions=True)

        asyncio.run(buy_and_die())
        system.start("up")
        asyncio.run(assert_agreement(system, opening, crowd))


@pytest.mark.timeout(60)
def test_sigterm_stops_within_ten_seconds(tmp_path: Path) -> None:
    with processes(tmp_path) as system:
        system.start("up")
        assert system.stop("up", timeout_s=10) == 0


@pytest.mark.timeout(60)
def test_a_taken_port_is_named_in_one_line(tmp_path: Path) -> None:
    with processes(tmp_path) as system:
        system.start("sim", "paypay")
        with pytest.raises(RuntimeError) as raised:
            system.start("up")
        last = str(raised.value).splitlines()[-1]
        assert f"port {8090 + system.offset} is taken" in last
        assert "paypay-simulator" in last
