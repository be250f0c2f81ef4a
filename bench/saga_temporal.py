"""B-saga beside Temporal: the same 4 steps on our own engine and on Temporal's dev server.

    make test-temporal                         # installs the dev server once
    .venv/bin/python bench/saga_temporal.py    # SQLite, MariaDB where mariadbd is, and Temporal
    .venv/bin/python bench/saga_temporal.py --concurrency 8 32 --seconds 10

One process with one engine each; on Temporal it is starter and worker at once, its book is a SQLite
file, and the dev server keeps its state in memory or, with `--durable`, in a SQLite file as well. A
run counts only if every saga succeeded and each step was called once. `cpu_ms` is this process's
CPU time for each saga, `server_ms` that of the dev server. Ratios in one run say more than rates:
the dev server is for development, a cluster behaves otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import uvloop
from bench.saga import (
    STEPS,
    WARM_UP_S,
    Clients,
    Row,
    Shop,
    VoidRunError,
    a_url,
    in_process,
    machine,
)
from tests.temporal.server import Server, dev_server, engine_on

from kessai.kernel.server import settle_memory
from kessai.saga import EngineLimits
from kessai.saga.library import open_store
from kessai.saga.log import MemoryLog
from kessai.saga.temporal.engine import TemporalEngine


@asynccontextmanager
async def an_engine(url: str, store: str) -> AsyncIterator[tuple[TemporalEngine, Shop]]:
    shop = Shop()
    async with open_store(store) as db:
        assert not isinstance(db, MemoryLog)
        async with engine_on(url, db, {"shop": shop}, [machine()], EngineLimits()) as engine:
            settle_memory()
            yield engine, shop


async def measure(server: Server, name: str, store: str, concurrency: int, seconds: float) -> Row:
    async with an_engine(server.url, store) as (engine, shop):
        row = Row(name, concurrency, 0, 0.0, 0.0)
        clients = Clients(engine, concurrency)
        await clients.run_for(2 * WARM_UP_S)
        clients.latencies_ms.clear()
        begun, cpu = time.perf_counter(), time.process_time()
        server_cpu = cpu_s_of(server.process.pid)
        await clients.run_for(seconds)
        row.seconds, row.cpu_s = time.perf_counter() - begun, time.process_time() - cpu
        row.server_s = cpu_s_of(server.process.pid) - server_cpu
        row.latencies_ms = list(clients.latencies_ms)
        row.sagas = len(row.latencies_ms)
        if shop.calls != clients.done * len(STEPS):
            raise VoidRunError(f"{shop.calls} calls for {clients.done} sagas")
        return row


def cpu_s_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rows(arguments: argparse.Namespace, folder: Path) -> list[Row]:
    found: list[Row] = []
    stores = ["sqlite", *(["mysql"] if shutil.which("mariadbd") else [])]
    for number, concurrency in enumerate(arguments.concurrency):
        for store in stores:
            url = a_url(store, folder / f"{store}{number}")
            found.append(in_process(store, url, concurrency, arguments.seconds, "two"))
    name = "temporal-db" if arguments.durable else "temporal"
    database = "temporal.db" if arguments.durable else ""
    with dev_server(folder, database=database) as server:
        for number, concurrency in enumerate(arguments.concurrency):
            store = a_url("sqlite", folder / f"book{number}")
            work = measure(server, name, store, concurrency, arguments.seconds)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                found.append(runner.run(work))
    return found


def show(found: list[Row]) -> None:
    keys = ("store", "concurrency", "rate_per_s", "p50_ms", "p99_ms", "cpu_ms", "server_ms")
    print("  ".join(f"{key:>12}" for key in keys))
    for row in found:
        values = {**row.to_json(), "server_ms": server_ms(row)}
        print("  ".join(f"{'-' if values[key] is None else values[key]!s:>12}" for key in keys))


def server_ms(row: Row) -> float | None:
    return None if row.server_s is None else round(row.server_s / row.sagas * 1000, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--concurrency", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--durable", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = rows(arguments, Path(folder))
    if arguments.json:
        print(json.dumps([{**one.to_json(), "server_ms": server_ms(one)} for one in found]))
        return
    show(found)


if __name__ == "__main__":
    main()
