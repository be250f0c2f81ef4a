"""B3 and B2: from "the customer pays" to the pushed PAID, with and without webhooks.

    .venv/bin/python bench/convergence.py                    # all three
    .venv/bin/python bench/convergence.py --only lost --orders 3000

lost:      so many orders wait, every webhook is lost, each is paid at a random moment of 60 s
carts:     ten abandoned carts before one that is paid, every webhook is lost
webhooks:  twenty payments a second, every webhook arrives

The simulators run in processes of their own, the shop in another, this client in a third. A run
counts only if every paid order was pushed PAID and the provider's book agrees.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.purchase import EMAIL, PASSWORD, cpu_s, import_product, percentile
from pydantic import JsonValue
from tests.support.process import Processes, processes

from kessai.proof.customer import Customer, SeenOrder, ShopUrls, Watch

PRODUCT = 900001
LOST: dict[str, JsonValue] = {"webhooks": {"drop": 100}}
QUIET: dict[str, JsonValue] = {"webhooks": {"drop": 0}}
PAID_WITHIN_S = 60.0
LIMIT_S = 120.0
BUYERS = 8
# The bff lets one user watch twenty orders at once.
ORDERS_OF_ONE = 18


@dataclass(slots=True)
class Waiting:
    """An order that waits for its payment, its live channel, and whose it is."""

    customer: Customer
    order: SeenOrder
    watch: Watch

    async def paid_to_pushed_s(self, after_s: float) -> float:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(after_s)
        paid_s = loop.time()
        await self.customer.pay(f"{self.order.order_id}-1")
        async with asyncio.timeout(LIMIT_S):
            await self.watch.ended.wait()
        last = self.watch.frames[-1]
        if last.order_status != "PAID":
            raise RuntimeError(f"{self.order.order_id} ended {last.order_status}")
        return last.arrived_at_s - paid_s


class Crowd:
    """As many customers as the orders need, who all leave with the block."""

    def __init__(self, urls: ShopUrls, stack: AsyncExitStack, name: str) -> None:
        self._urls = urls
        self._stack = stack
        self._name = name

    async def orders(self, count: int) -> list[Waiting]:
        found: list[Waiting] = []
        parts = iter(range(0, count, ORDERS_OF_ONE))

        async def buyer() -> None:
            for begun in parts:
                customer = await self._stack.enter_async_context(Customer(self._urls))
                await customer.sign_up(f"{self._name}-{begun}@example.com", PASSWORD)
                for number in range(begun, min(count, begun + ORDERS_OF_ONE)):
                    found.append(await self._order(customer, number))

        await asyncio.gather(*(buyer() for _ in range(BUYERS)))
        return found

    async def _order(self, customer: Customer, number: int) -> Waiting:
        order = await customer.purchase([(PRODUCT, 1)], key=f"{self._name}-{number}")
        watch = await self._stack.enter_async_context(customer.watching(order))
        async with asyncio.timeout(10):
            await watch.begun.wait()
        return Waiting(customer, order, watch)


async def lost(urls: ShopUrls, customer: Customer, count: int) -> list[float]:
    await customer.set_faults(LOST)
    moments = random.Random(7)
    async with AsyncExitStack() as stack:
        waiting = await Crowd(urls, stack, "lost").orders(count)
        return await asyncio.gather(
            *(one.paid_to_pushed_s(moments.uniform(0, PAID_WITHIN_S)) for one in waiting)
        )


async def carts(urls: ShopUrls, customer: Customer, count: int) -> list[float]:
    """Ten that nobody pays come first; the eleventh is paid at any moment of its first seconds."""
    await customer.set_faults(LOST)
    moments = random.Random(7)
    delays = []
    for number in range(count):
        async with AsyncExitStack() as stack:
            await Crowd(urls, stack, f"cart-{number}").orders(10)
            (paid,) = await Crowd(urls, stack, f"paid-{number}").orders(1)
            delays.append(await paid.paid_to_pushed_s(moments.uniform(0, 10)))
    return delays


async def webhooks(urls: ShopUrls, customer: Customer, count: int) -> list[float]:
    await customer.set_faults(QUIET)
    async with AsyncExitStack() as stack:
        waiting = await Crowd(urls, stack, "webhooks").orders(count)
        return await asyncio.gather(
            *(one.paid_to_pushed_s(number / 20) for number, one in enumerate(waiting))
        )


RUNS: dict[str, Callable[[ShopUrls, Customer, int], Awaitable[list[float]]]] = {
    "webhooks": webhooks,
    "carts": carts,
    "lost": lost,
}


async def measure(system: Processes, only: Sequence[str], counts: dict[str, int]) -> int:
    rows: list[dict[str, object]] = []
    wrong: list[str] = []
    pid = system.running["up --no-simulators"].pid
    paid = 0
    async with Customer(system.urls) as customer:
        await customer.sign_in(EMAIL, PASSWORD)
        for name in only:
            cpu = cpu_s(pid)
            delays = await RUNS[name](system.urls, customer, counts[name])
            paid += len(delays)
            rows.append(
                {
                    "run": name,
                    "paid": len(delays),
                    "p50_s": round(percentile(delays, 50), 3),
                    "p99_s": round(percentile(delays, 99), 3),
                    "max_s": round(max(delays), 3),
                    "shop_cpu_s": round(cpu_s(pid) - cpu, 1),
                }
            )
            print(json.dumps(rows[-1]), file=sys.stderr)
        captured = [row for row in await customer.wallet_payments() if row["paidAt"]]
        if len(captured) != paid:
            wrong.append(f"{paid} pushed PAID, {len(captured)} captured in the provider's book")
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    print(json.dumps({"machine": machine, "rows": rows, "disagreements": wrong}, indent=2))
    return 1 if wrong else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=tuple(RUNS), action="append")
    parser.add_argument("--orders", type=int, default=1000, help="that wait in `lost`")
    parser.add_argument("--quota", type=int, default=50, help="requests a second to the provider")
    options = parser.parse_args()
    counts = {"webhooks": 200, "carts": 5, "lost": options.orders}
    with tempfile.TemporaryDirectory() as folder, processes(Path(folder)) as system:
        import_product(system)
        system.start("sim", "paypay")
        system.start("sim", "firebase")
        system.start(
            "up",
            "--no-simulators",
            KESSAI_LOG_LEVEL="WARNING",
            KESSAI_PAYPAY_RATE_PER_S=str(options.quota),
        )
        return asyncio.run(measure(system, options.only or list(RUNS), counts))


if __name__ == "__main__":
    raise SystemExit(main())
