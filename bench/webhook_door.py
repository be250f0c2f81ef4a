"""The webhook door: five hundred deliveries a second for ten seconds, then one of them 5,000 times.

    .venv/bin/python bench/webhook_door.py [--rate 500] [--seconds 10]

Deliveries leave at their times, whether earlier ones were answered or not. Each is an event for an
order of its own that waits for its payment, and none of them is true: the inbox stores every one
before it answers, and no order may change. Then copies of one delivery arrive at once, which may
change counters only. The simulator, the shop and this client are processes of their own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sqlite3
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import aiohttp
from bench.purchase import EMAIL, PASSWORD, cpu_s, import_product, percentile
from tests.support.process import Processes, processes

from kessai.proof.customer import Customer

PRODUCT = 900001
BUYERS = 16
COPIES = 5_000
# Look-ups of what came before go on meanwhile.
SETTLE_S = 5.0
AT_ONCE = 100
# What a repeat may change, and what look-ups of others note meanwhile.
COUNTERS = ("deliveries", "last_received_ms", "news_at_ms", "lane")


@dataclass(slots=True)
class Answers:
    statuses: Counter[int] = field(default_factory=Counter)
    latencies_ms: list[float] = field(default_factory=list)

    def row(self, seconds: float) -> dict[str, object]:
        return {
            "deliveries": sum(self.statuses.values()),
            "statuses": dict(self.statuses),
            "accepted_per_s": round(self.statuses[200] / seconds, 1),
            "p50_ms": round(percentile(self.latencies_ms, 50), 2),
            "p99_ms": round(percentile(self.latencies_ms, 99), 2),
            "max_ms": round(max(self.latencies_ms), 2),
        }


def notice(order_id: str, number: int) -> bytes:
    """Another event each time, by PayPay's id of the payment."""
    return json.dumps(
        {
            "notification_type": "Transaction",
            "merchant_id": "kessai-merchant",
            "store_id": None,
            "pos_id": None,
            "order_id": f"{number:020d}",
            "merchant_order_id": f"{order_id}-1",
            "authorized_at": "2026-01-15T03:00:00Z",
            "expires_at": None,
            "paid_at": "2026-01-15T03:00:00Z",
            "order_amount": "1200",
            "state": "COMPLETED",
        }
    ).encode()


class Door:
    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self._url = url

    async def deliver(self, body: bytes, answers: Answers) -> None:
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        async with self._http.post(self._url, data=body) as answer:
            await answer.read()
        answers.latencies_ms.append((loop.time() - begun_s) * 1000)
        answers.statuses[answer.status] += 1

    async def steady(self, orders: list[str], rate: int, seconds: float) -> tuple[Answers, float]:
        """An open loop: a late answer delays no later delivery."""
        answers, loop = Answers(), asyncio.get_running_loop()
        begun_s = loop.time()
        async with asyncio.TaskGroup() as tasks:
            for number in range(int(rate * seconds)):
                await asyncio.sleep(max(0.0, begun_s + number / rate - loop.time()))
                body = notice(orders[number % len(orders)], number)
                tasks.create_task(self.deliver(body, answers))
        return answers, loop.time() - begun_s

    async def burst(self, body: bytes) -> tuple[Answers, float]:
        answers, loop = Answers(), asyncio.get_running_loop()
        begun_s, copies = loop.time(), iter(range(COPIES))

        async def sender() -> None:
            for _ in copies:
                await self.deliver(body, answers)

        await asyncio.gather(*(sender() for _ in range(AT_ONCE)))
        return answers, loop.time() - begun_s


def rows_of(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    """Everything that payment-service and order-service know, without counters and leases."""
    found: dict[str, list[tuple[object, ...]]] = {}
    for name, tables in (
        ("payment", ("attempt", "refund", "ledger", "webhook_inbox")),
        ("order", ("orders", "order_timeline")),
    ):
        with sqlite3.connect(f"file:{folder / 'data' / name}.db?mode=ro", uri=True) as db:
            known = {row[0] for row in db.execute("select name from sqlite_master")}
            for table in known.intersection(tables):
                columns = [
                    row[1]
                    for row in db.execute(f"pragma table_info({table})")
                    if row[1] not in COUNTERS and not row[1].startswith(("lease_", "due_", "tries"))
                ]
                listed = ", ".join(columns)
                found[table] = sorted(db.execute(f"select {listed} from {table}"), key=repr)
    return found


async def waiting_orders(customer: Customer, count: int) -> list[str]:
    numbers, found = iter(range(count)), []

    async def buyer() -> None:
        for number in numbers:
            order = await customer.purchase([(PRODUCT, 1)], key=f"door-{number}")
            found.append(order.order_id)

    await asyncio.gather(*(buyer() for _ in range(BUYERS)))
    return found


async def measure(system: Processes, rate: int, seconds: float) -> dict[str, object]:
    pid = system.running["up --no-simulators"].pid
    async with (
        Customer(system.urls) as customer,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=AT_ONCE)) as http,
    ):
        await customer.sign_in(EMAIL, PASSWORD)
        orders = await waiting_orders(customer, int(rate * seconds))
        door = Door(http, f"{system.urls.shop}/paypay/callback")
        cpu = cpu_s(pid)
        steady, steady_s = await door.steady(orders, rate, seconds)
        shop_cpu_ms = (cpu_s(pid) - cpu) / sum(steady.statuses.values()) * 1000
        body = notice(orders[0], 0)
        await asyncio.sleep(SETTLE_S)
        before = rows_of(system.folder)
        burst, burst_s = await door.burst(body)
        after = rows_of(system.folder)
        statuses = Counter([(await customer.order(one)).status for one in orders[:200]])
    changed = [name for name in before if before[name] != after[name]]
    stored = len(after["webhook_inbox"])
    wrong = [f"the burst changed {name}" for name in changed]
    if stored != sum(steady.statuses.values()):
        wrong.append(f"{stored} rows in the inbox, {sum(steady.statuses.values())} deliveries")
    if set(statuses) != {"WAITING_PAYMENT"}:
        wrong.append(f"orders moved by a webhook's word: {dict(statuses)}")
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "steady": {**steady.row(steady_s), "shop_cpu_ms": round(shop_cpu_ms, 2)},
        "copies": burst.row(burst_s),
        "disagreements": wrong,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=int, default=500, help="deliveries a second")
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, processes(Path(folder)) as system:
        import_product(system)
        system.start("sim", "paypay")
        system.start("sim", "firebase")
        system.start("up", "--no-simulators", KESSAI_LOG_LEVEL="ERROR")
        result = asyncio.run(measure(system, options.rate, options.seconds))
    print(json.dumps(result, indent=2))
    return 1 if result["disagreements"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
