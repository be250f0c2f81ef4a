"""B9: purchases a second with two instances of each service, on real servers and on files.

The embedded default is measured in one process, and with two instances of each; `--servers` adds
MariaDB, Kafka and Redis, private ones that end with the run. A run counts only if `kessai verify`
finds nothing wrong after it. `--json` for machines.
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
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.purchase import EMAIL, PASSWORD, import_product, percentile
from tests.support.fleet import bff_urls, require_agreement, wait_until_up
from tests.support.outages import own_stack
from tests.support.process import Processes, processes

from kessai.proof.customer import Customer
from kessai.proof.line import AiohttpLine

PRODUCT = 900001
SETTINGS = {
    "KESSAI_LOG_LEVEL": "WARNING",
    "KESSAI_SIGN_INS_PER_MINUTE": "1000000",
    # PayPay's own limit would be what is measured; its simulator has none.
    "KESSAI_PAYPAY_RATE_PER_S": "100000",
}


async def purchases(
    customers: Sequence[Customer], clients: int, seconds: float
) -> tuple[dict[str, float], list[str]]:
    """One row of the table, and the orders. Clients go to the doors in turn."""
    latencies: list[float] = []
    orders: list[str] = []
    started = time.perf_counter()
    end = started + seconds

    async def client(number: int) -> None:
        customer = customers[number % len(customers)]
        while time.perf_counter() < end:
            before = time.perf_counter()
            order = await customer.purchase([(PRODUCT, 1)], key=uuid4().hex)
            latencies.append((time.perf_counter() - before) * 1000)
            orders.append(order.order_id)

    await asyncio.gather(*(client(number) for number in range(clients)))
    elapsed = time.perf_counter() - started
    row = {
        "clients": clients,
        "purchases": len(orders),
        "rate_per_s": round(len(orders) / elapsed, 1),
        "p50_ms": round(percentile(latencies, 50), 2),
        "p99_ms": round(percentile(latencies, 99), 2),
    }
    return row, orders


async def paid(customer: Customer, orders: Sequence[str]) -> dict[str, float]:
    """Milliseconds from "the customer pays" to the order being PAID, asked every 20 ms."""
    delays = []
    for order_id in orders:
        started = time.perf_counter()
        await customer.pay(f"{order_id}-1")
        await customer.until(order_id, "PAID", every_s=0.02)
        delays.append((time.perf_counter() - started) * 1000)
    return {
        "payments": len(delays),
        "p50_ms": round(percentile(delays, 50), 1),
        "p99_ms": round(percentile(delays, 99), 1),
    }


async def drive(system: Processes, doors: int, seconds: float, pay: int) -> dict[str, object]:
    urls = bff_urls(system, doors)
    customers = [
        # The pages' origin is that of the first door, as behind a proxy.
        Customer(replace(system.urls, shop=url), AiohttpLine(urls[0]))
        for url in urls
    ]
    try:
        for customer in customers:
            await customer.sign_in(EMAIL, PASSWORD)
        await purchases(customers, 2, 2.0)
        rows, orders = [], list[str]()
        for clients in (1, 8, 32):
            row, made = await purchases(customers, clients, seconds)
            rows.append(row)
            orders += made
        return {"purchase": rows, "pay_to_paid": await paid(customers[0], orders[-pay:])}
    finally:
        for customer in customers:
            await customer.close()


def measure(
    words: str, doors: int, env: Mapping[str, str], options: argparse.Namespace
) -> dict[str, object]:
    with (
        tempfile.TemporaryDirectory() as folder,
        processes(Path(folder), **{**SETTINGS, **env}) as system,
    ):
        import_product(system)
        system.start(*words.split())
        wait_until_up(system)
        result = asyncio.run(drive(system, doors, options.seconds, options.paid))
        report = require_agreement(system, settled=False)
        return {**result, "verified_orders": report["orders"]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--servers", action="store_true", help="on real servers, too")
    parser.add_argument("--seconds", type=float, default=8.0, help="length of each run")
    parser.add_argument("--paid", type=int, default=20, help="purchases that are paid")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result: dict[str, object] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "load": round(os.getloadavg()[0], 1),
        "embedded, one process": measure("up", 1, {}, options),
        # Sessions are in each bff's memory without Redis; a customer stays with one.
        "embedded, 2 of each": measure("up --instances 2", 2, {}, options),
    }
    if options.servers:
        servers = own_stack().settings()
        result["servers, 2 of each"] = measure("up --instances 2", 2, servers, options)
    print(json.dumps(result, indent=None if options.json else 2, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
