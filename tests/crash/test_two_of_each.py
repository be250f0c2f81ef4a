"""Two instances of every service on files alone; one of each is killed while customers shop."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.fleet import (
    SHORT_WINDOWS,
    Shoppers,
    bff_urls,
    children,
    kill_one_of_each,
    require_agreement,
    wait_until_up,
)
from tests.support.process import Processes, processes

from kessai.proof.customer import Customer
from kessai.proof.line import AiohttpLine
from kessai.topology import BFF, SERVICES

pytestmark = [pytest.mark.crash, pytest.mark.long, pytest.mark.network, pytest.mark.timeout(400)]


async def buy_at_the_second_door(system: Processes) -> str:
    """It pushes what the services of the others' requests do, too."""
    first, second = bff_urls(system, 2)
    # Sessions are in each bff's memory here; the page's origin is that of the first door.
    customer = Customer(replace(system.urls, shop=second), AiohttpLine(first))
    async with customer:
        await customer.sign_in("shopper@example.com", "kessai-demo")
        listed = await customer.products()
        product = next(int(str(p["id"])) for p in listed if int(str(p["stock"])) >= 20)
        order = await customer.purchase([(product, 1)], key="second-door")
        async with customer.watching(order) as watch, asyncio.timeout(60):
            await watch.begun.wait()
            await customer.pay(f"{order.order_id}-1")
            await watch.ended.wait()
        return watch.frames[-1].order_status


def test_one_of_each_is_killed_and_all_converges(tmp_path: Path) -> None:
    with processes(tmp_path, **SHORT_WINDOWS) as system:
        up = "up --instances 2"
        system.start(*up.split())
        wait_until_up(system)
        supervisor = system.running[up].pid
        assert len(children(supervisor)) == 2 * len(SERVICES)
        shoppers = Shoppers(system, bff_urls(system, 1), orders=40, over_s=20)
        try:
            inner = [card.name for card in SERVICES if card is not BFF]
            kill_one_of_each(system, up, inner, pause_s=3)
            assert shoppers.are_there
            assert asyncio.run(buy_at_the_second_door(system)) == "PAID"
            (crowd,) = shoppers.to_their_end(timeout_s=200)
        finally:
            shoppers.end()
        assert require_agreement(system)["orders"] == int(str(crowd["orders"])) + 1 == 41
        assert system.stop(up, timeout_s=60) == 0
        assert children(supervisor) == {}
