"""B1 and B2: purchases a second, and how long PAID takes, on the embedded default.

The simulators run in their own process, the shop in another, this client in a third. A run counts
only if orders, the provider's book and the stock agree afterwards. `--json` for machines.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.support.process import Processes, processes

from kessai.proof.customer import Customer, SeenOrder

EMAIL, PASSWORD = "shopper@example.com", "kessai-demo"
STOCK = 1_000_000


@dataclass
class Run:
    """One row of the table: latencies in ms, CPU of the shop's process in ms per purchase."""

    clients: int
    purchases: int
    seconds: float
    latencies_ms: list[float]
    shop_cpu_s: float

    def row(self) -> dict[str, float]:
        return {
            "clients": self.clients,
            "purchases": self.purchases,
            "rate_per_s": round(self.purchases / self.seconds, 1),
            "p50_ms": round(percentile(self.latencies_ms, 50), 2),
            "p99_ms": round(percentile(self.latencies_ms, 99), 2),
            "shop_cpu_ms": round(self.shop_cpu_s / self.purchases * 1000, 2),
        }


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share / 100))]


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


async def purchases(
    customer: Customer, product: int, clients: int, seconds: float, pid: int
) -> tuple[Run, list[SeenOrder]]:
    latencies: list[float] = []
    orders: list[SeenOrder] = []
    end = time.perf_counter() + seconds
    started, cpu = time.perf_counter(), cpu_s(pid)

    async def client(number: int) -> None:
        count = 0
        while time.perf_counter() < end:
            before = time.perf_counter()
            key = f"bench-{clients}-{number}-{count}-{started}"
            orders.append(await customer.purchase([(product, 1)], key=key))
            latencies.append((time.perf_counter() - before) * 1000)
            count += 1

    await asyncio.gather(*(client(number) for number in range(clients)))
    elapsed = time.perf_counter() - started
    run = Run(clients, len(orders), elapsed, latencies, cpu_s(pid) - cpu)
    return run, orders


async def convergence(customer: Customer, product: int, count: int) -> list[float]:
    """Milliseconds from "the customer pays" to the pushed frame that says PAID."""
    delays = []
    loop = asyncio.get_running_loop()
    for _ in range(count):
        order = await customer.purchase([(product, 1)], key=f"paid-{time.perf_counter()}")
        async with customer.watching(order) as watch:
            await watch.begun.wait()
            started = loop.time()
            await customer.pay(f"{order.order_id}-1")
            async with asyncio.timeout(60):
                await watch.ended.wait()
            delays.append((watch.frames[-1].arrived_at_s - started) * 1000)
    return delays


async def agreement(customer: Customer, product: int, bought: int, paid: int) -> list[str]:
    """What disagrees; empty when the run may be quoted."""
    book = await customer.wallet_payments()
    captured = [row for row in book if row["status"] == "COMPLETED"]
    stock = {int(str(p["id"])): int(str(p["stock"])) for p in await customer.products()}
    wrong = []
    if len(book) != bought:
        wrong.append(f"{bought} orders, {len(book)} codes in the provider's book")
    if len(captured) != paid:
        wrong.append(f"{paid} paid, {len(captured)} captured in the provider's book")
    if stock[product] != STOCK - bought:
        wrong.append(f"stock is {stock[product]}, not {STOCK - bought}")
    return wrong


def import_product(system: Processes) -> None:
    """A catalogue of one product that never runs out, before the shop starts."""
    path = system.folder / "bench.csv"
    path.write_text(
        "productId,title,description,price,status,createdAt,imageFile,category,stock\n"
        f"900001,ベンチ用の湯のみ,測定のための商品です。,1200,ACTIVE,2026-01-01T00:00:00Z,,器,{STOCK}\n",
        "utf-8",
    )
    system.run("catalog", "import", str(path))


async def measure(system: Processes, seconds: float, paid: int) -> dict[str, object]:
    pid = system.running["up --no-simulators"].pid
    rows, bought = [], 0
    async with Customer(system.urls) as customer:
        await customer.sign_in(EMAIL, PASSWORD)
        product = 900001
        _, warm = await purchases(customer, product, 2, 2.0, pid)
        bought += len(warm)
        for clients in (1, 8, 32):
            run, orders = await purchases(customer, product, clients, seconds, pid)
            bought += len(orders)
            rows.append(run.row())
        delays = await convergence(customer, product, paid)
        bought += paid
        wrong = await agreement(customer, product, bought, paid)
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "purchase": rows,
        "pay_to_paid_push_ms": {
            "count": paid,
            "p50": round(percentile(delays, 50), 1),
            "p99": round(percentile(delays, 99), 1),
        },
        "shop_rss_mb": round(rss_mb(pid), 1),
        "disagreements": wrong,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="length of each run")
    parser.add_argument("--paid", type=int, default=50, help="purchases that are paid and pushed")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, processes(Path(folder)) as system:
        import_product(system)
        system.start("sim", "paypay")
        system.start("sim", "firebase")
        system.start("up", "--no-simulators", KESSAI_LOG_LEVEL="WARNING")
        result = asyncio.run(measure(system, options.seconds, options.paid))
    print(json.dumps(result, indent=None if options.json else 2, ensure_ascii=False))
    return 1 if result["disagreements"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
