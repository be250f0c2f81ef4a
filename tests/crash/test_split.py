"""Every service in a process of its own, over HTTP and one shared bus; one of them is killed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.support.process import Processes, processes

from kessai.proof.customer import Answered, Customer, SeenOrder
from kessai.topology import SERVICES

pytestmark = [pytest.mark.crash, pytest.mark.long, pytest.mark.network, pytest.mark.timeout(180)]


def start_all(system: Processes) -> None:
    for simulator in ("paypay", "firebase"):
        system.start("sim", simulator)
    for card in reversed(SERVICES):
        system.start("serve", card.name)


async def a_shopper(system: Processes) -> tuple[Customer, int]:
    customer = Customer(system.urls)
    await customer.sign_in("shopper@example.com", "kessai-demo")
    listed = await customer.products()
    return customer, next(int(str(p["id"])) for p in listed if int(str(p["stock"])) >= 20)


async def buy_pay_watch(system: Processes) -> None:
    customer, product = await a_shopper(system)
    async with customer:
        order = await customer.purchase([(product, 1)], key="split")
        assert order.status == "WAITING_PAYMENT"
        async with customer.watching(order) as watch:
            await customer.pay(f"{order.order_id}-1")
            async with asyncio.timeout(20):
                await watch.ended.wait()
        assert watch.frames[-1].order_status == "PAID"
        assert (await customer.order(order.order_id)).status == "PAID"


async def order_of(buying: asyncio.Future[SeenOrder]) -> str:
    """Also a purchase that was refused has an order, which tells why."""
    try:
        return (await buying).order_id
    except Answered as answered:
        if answered.code != "PAYMENT_UNAVAILABLE":
            raise
        return str(answered.problem["orderId"])


async def buy_while_payment_service_is_down(system: Processes) -> None:
    customer, product = await a_shopper(system)
    async with customer:
        system.kill("serve payment-service")
        buying = asyncio.ensure_future(customer.purchase([(product, 1)], key="down"))
        await asyncio.sleep(2)
        await asyncio.to_thread(system.start, "serve", "payment-service")
        order_id = await order_of(buying)
        order = await customer.until(order_id, "WAITING_PAYMENT", "FAILED", timeout_s=30)
        if order.status == "WAITING_PAYMENT":
            await customer.pay(f"{order_id}-1")
            await customer.until(order_id, "PAID", timeout_s=60)
        left = {int(str(p["id"])): int(str(p["stock"])) for p in await customer.products()}
        again = await customer.purchase([(product, 1)], key="after")
        assert again.status == "WAITING_PAYMENT"
        now = {int(str(p["id"])): int(str(p["stock"])) for p in await customer.products()}
        assert now[product] == left[product] - 1


def test_every_service_runs_in_its_own_process(tmp_path: Path) -> None:
    with processes(tmp_path) as system:
        start_all(system)
        asyncio.run(buy_pay_watch(system))
        asyncio.run(buy_while_payment_service_is_down(system))
