"""The saga of bench/saga.py run by DBOS: 4 no-op durable steps with undo, on SQLite.

DBOS is no dependency of ours; run this in an environment that is thrown away afterwards:

    python -m venv X && X/bin/pip install dbos
    X/bin/python bench/peers/dbos_sagas.py --concurrency 8 --seconds 5
    X/bin/python bench/peers/dbos_sagas.py --concurrency 8 --seconds 5 --journal wal --pool-size 1

What differs from ours and moves the figures: DBOS keeps the inputs of a workflow and the output of
each step, but no step's input, and leaves SQLite at its rollback journal with full syncs.
`--journal wal` gives it the journal that we use; it still syncs each commit. `--pool-size 1` ends
the fight of its connections for SQLite's one write lock, which else grows with concurrency.

A run is void, with exit status 1, unless each result is right, each step of each saga was called
once, and the database holds those workflows as successful with exactly their 4 outputs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

STEPS = ("Reserve", "Pay", "Pack", "Ship")
JOURNALS = ("delete", "wal")
AMOUNT = 1200
WARM_UP_S = 1.0

Record = dict[str, object]
Workflow = Callable[[str, int, str], Awaitable[Record]]
Step = Callable[[Record], Awaitable[Record]]


class Void(Exception):
    """What was measured is not what was to be measured."""


class Shop:
    """Services that do nothing but answer; they are asynchronous, as a remote one would be."""

    def __init__(self) -> None:
        self.calls: Counter[tuple[str, str]] = Counter()

    async def work(self, given: Record) -> Record:
        self.calls[str(given["order"]), str(given["step"])] += 1
        return answer(str(given["step"]))

    async def undo(self, given: Record) -> Record:
        raise AssertionError(f"nothing is undone here: {given}")


def answer(step: str) -> Record:
    return {"step": step, "ok": True, "amount": AMOUNT}


RIGHT: Record = {step: answer(step) for step in STEPS}


@dataclass
class Load:
    workflow: Workflow
    concurrency: int
    orders: list[str] = field(default_factory=list)
    wrong: list[Record] = field(default_factory=list)

    async def run(self, seconds: float) -> list[float]:
        """Milliseconds of each saga."""
        until = time.perf_counter() + seconds
        latencies_ms: list[float] = []
        async with asyncio.TaskGroup() as group:
            for _ in range(self.concurrency):
                group.create_task(self._client(until, latencies_ms))
        return latencies_ms

    async def _client(self, until: float, latencies_ms: list[float]) -> None:
        while time.perf_counter() < until and not self.wrong:
            order = f"o-{len(self.orders)}"
            self.orders.append(order)
            begun = time.perf_counter()
            result = await self.workflow(order, AMOUNT, "x")
            latencies_ms.append((time.perf_counter() - begun) * 1000)
            if result != RIGHT:
                self.wrong.append(result)


def register(shop: Shop) -> Workflow:
    from dbos import DBOS

    async def call_work(given: Record) -> Record:
        return await shop.work(given)

    async def call_undo(given: Record) -> Record:
        return await shop.undo(given)

    work: Step = DBOS.step(name="work")(call_work)
    undo: Step = DBOS.step(name="undo")(call_undo)

    async def bench(order: str, amount: int, note: str) -> Record:
        found: Record = {}
        try:
            for step in STEPS:
                found[step] = await work({"order": order, "step": step, "amount": amount})
        except Exception:
            for step in reversed(found):
                await undo({"order": order, "step": step, "note": note})
            raise
        return found

    workflow: Workflow = DBOS.workflow(name="bench")(bench)
    return workflow


async def measure(load: Load, seconds: float) -> Record:
    await load.run(WARM_UP_S)
    begun, cpu = time.perf_counter(), time.process_time()
    latencies_ms = sorted(await load.run(seconds))
    took_s, cpu_s = time.perf_counter() - begun, time.process_time() - cpu
    if load.wrong:
        raise Void(f"a saga ended with {load.wrong[0]}")
    sagas = len(latencies_ms)
    return {
        "rate_per_s": round(sagas / took_s, 1),
        "p50_ms": round(latencies_ms[sagas // 2], 2),
        "p99_ms": round(latencies_ms[int(sagas * 0.99)], 2),
        "cpu_ms": round(cpu_s / sagas * 1000, 3),
    }


def check_calls(calls: Counter[tuple[str, str]], orders: list[str]) -> None:
    expected = Counter({(order, step): 1 for order in orders for step in STEPS})
    if calls != expected:
        amiss = sorted(key for key in calls | expected if calls[key] != expected[key])
        raise Void(f"{len(amiss)} steps did not run exactly once, first {amiss[0]}")


def check_database(path: Path, sagas: int, journal: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
        statuses = dict(
            connection.execute("SELECT status, count(*) FROM workflow_status GROUP BY status")
        )
        (complete,) = connection.execute(
            "SELECT count(*) FROM (SELECT 1 FROM operation_outputs WHERE output IS NOT NULL"
            " AND error IS NULL AND function_name = 'work'"
            " GROUP BY workflow_uuid HAVING count(*) = ?)",
            (len(STEPS),),
        ).fetchone()
        (outputs,) = connection.execute("SELECT count(*) FROM operation_outputs").fetchone()
    if mode != journal:
        raise Void(f"the journal is {mode}")
    if statuses != {"SUCCESS": sagas} or complete != sagas or outputs != sagas * len(STEPS):
        raise Void(f"{statuses}, {complete} complete, {outputs} outputs for {sagas} sagas")


def peer(
    path: Path, concurrency: int, seconds: float, journal: str, pool_size: int | None
) -> Record:
    from dbos import DBOS

    with closing(sqlite3.connect(path)) as connection:
        # The file remembers a WAL, so the library's own connections use it as well.
        connection.execute(f"PRAGMA journal_mode={journal}")
    shop = Shop()
    DBOS(
        config={
            "name": "kessai-bench",
            "system_database_url": f"sqlite:///{path}",
            "sys_db_pool_size": pool_size,
            "log_level": "ERROR",
        }
    )
    load = Load(register(shop), concurrency)
    DBOS.launch()
    try:
        figures = asyncio.run(measure(load, seconds))
    finally:
        DBOS.destroy()
    check_calls(shop.calls, load.orders)
    check_database(path, len(load.orders), journal)
    return {
        "peer": "dbos",
        "version": version("dbos"),
        "journal": journal,
        "pool_size": pool_size,
        "concurrency": concurrency,
        **figures,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--journal", choices=JOURNALS, default=JOURNALS[0])
    parser.add_argument("--pool-size", type=int, help="else the library's own")
    options = parser.parse_args()
    if options.concurrency < 1 or options.seconds <= 0 or (options.pool_size or 1) < 1:
        parser.error("concurrency, seconds and pool size are above 0")
    try:
        import dbos  # noqa: F401
    except ImportError as missing:
        raise SystemExit(f"{missing}: pip install dbos, in a throw-away environment") from None
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = peer(
                Path(folder) / "dbos.db",
                options.concurrency,
                options.seconds,
                options.journal,
                options.pool_size,
            )
        except Void as void:
            raise SystemExit(f"void: {void}") from None
    print(json.dumps(found))


if __name__ == "__main__":
    main()
