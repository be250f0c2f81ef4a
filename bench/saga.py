"""B-saga: sagas a second of the whole engine: 4 no-op steps with undo, inputs and outputs kept.

    .venv/bin/python bench/saga.py                      # memory, SQLite, MariaDB where mariadbd is
    .venv/bin/python bench/saga.py --store mysql --concurrency 32 --seconds 10 --processes 2
    .venv/bin/python bench/saga.py --history 100000     # start, recover and list beside old sagas

A run counts only if every saga that was started succeeded, each of its steps was called once and
no row of the log is missing. `--json` for machines. Ratios in one run say more than rates.

`cpu_ms` is the CPU time of this process for each saga, client included. `statements` and `commits`
of each saga are counted by the database, after the timed part, for one process: INSERT, UPDATE,
DELETE and SELECT (SQLite counts each row of a statement with many), and the transactions that wrote
(a COMMIT of SQLite's writer, a read-write transaction of InnoDB). Heartbeats are among them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import platform
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, cast

sys.path.insert(0, str(Path(__file__).parent.parent))

import uvloop
from sqlalchemy import insert, select, text

from kessai.kernel.chance import SeededChance
from kessai.kernel.clock import SystemClock
from kessai.kernel.db import Db, InlineDb
from kessai.kernel.errors import JsonValue
from kessai.kernel.ids import RandomIds
from kessai.kernel.server import settle_memory
from kessai.saga import (
    SG_EVENT,
    SG_MACHINE,
    Engine,
    Filter,
    Machine,
    MemoryLog,
    load,
)
from kessai.saga.library import MEMORY, living, open_store
from kessai.saga.outcome import Outcome
from kessai.saga.port import Params

STEPS = ("Reserve", "Pay", "Pack", "Ship")
PLANS = {"memory": (1, 32), "sqlite": (1, 8, 32), "mysql": (1, 8, 32)}
WARM_UP_S = 1.0
COUNTED = 400
WORDS = ("INSERT", "UPDATE", "DELETE", "SELECT")


def machine() -> Machine:
    states: dict[str, object] = {}
    for name, following in zip(STEPS, (*STEPS[1:], "Done"), strict=True):
        states[name] = {
            "Type": "ServiceTask",
            "ServiceName": "shop",
            "ServiceMethod": "work",
            "CompensateState": f"Undo{name}",
            "Input": [{"order": "$.[order]", "step": name, "amount": "$.[amount]"}],
            "Output": {name: "$.#root"},
            "Catch": [{"Exceptions": ["java.lang.Throwable"], "Next": "Undo"}],
            "Next": following,
        }
        states[f"Undo{name}"] = {
            "Type": "ServiceTask",
            "ServiceName": "shop",
            "ServiceMethod": "undo",
            "Input": [{"order": "$.[order]"}],
        }
    states["Undo"] = {"Type": "CompensationTrigger", "Next": "Failed"}
    states["Done"] = {"Type": "Succeed"}
    states["Failed"] = {"Type": "Fail", "ErrorCode": "E", "Message": "failed"}
    return load(json.dumps({"Name": "bench", "StartState": STEPS[0], "States": states}))


class VoidRunError(Exception):
    """The run proves nothing. (`SystemExit` would end a pool's worker and hang its parent.)"""


class Shop:
    """Services that do nothing but answer; they are asynchronous, as a remote one would be."""

    def __init__(self) -> None:
        self.calls = 0

    async def work(self, given: dict[str, object]) -> dict[str, object]:
        self.calls += 1
        return {"step": given["step"], "ok": True, "amount": given["amount"]}

    async def undo(self, given: dict[str, object]) -> None:
        raise AssertionError(f"nothing is undone here: {given}")


@dataclass
class Row:
    store: str
    concurrency: int
    sagas: int
    seconds: float
    cpu_s: float
    latencies_ms: list[float] = field(default_factory=list)
    counted: Counter[str] | None = None
    # Of a server beside the database (bench/saga_temporal.py).
    server_s: float | None = None

    def to_json(self) -> dict[str, object]:
        ordered = sorted(self.latencies_ms)
        return {
            "store": self.store,
            "concurrency": self.concurrency,
            "rate_per_s": round(self.sagas / self.seconds, 1),
            "p50_ms": round(ordered[len(ordered) // 2], 2),
            "p99_ms": round(ordered[int(len(ordered) * 0.99)], 2),
            "cpu_ms": round(self.cpu_s / self.sagas * 1000, 3),
            "statements": self.counted_of("statements"),
            "commits": self.counted_of("commits"),
        }

    def counted_of(self, name: str) -> float | None:
        return None if self.counted is None else round(self.counted[name] / COUNTED, 2)


@asynccontextmanager
async def an_engine(url: str, owner: str) -> AsyncIterator[tuple[Engine, Shop, Db | None]]:
    """As every process of the product runs one; what ends its loop ends the block."""
    clock, chance = SystemClock(), SeededChance(owner)
    shop = Shop()
    async with open_store(url) as store:
        engine = Engine(
            store, {"shop": shop}, [machine()], clock, RandomIds(clock, chance), chance, owner
        )
        settle_memory()  # as every service of the product does at its start
        async with living(engine):
            yield engine, shop, None if isinstance(store, MemoryLog) else store


async def measure(store: str, url: str, concurrency: int, seconds: float, owner: str) -> Row:
    async with an_engine(url, owner) as (engine, shop, db):
        row = Row(store, concurrency, 0, 0.0, 0.0)
        clients = Clients(engine, concurrency)
        await clients.run_for(WARM_UP_S)
        clients.latencies_ms.clear()
        begun, cpu = time.perf_counter(), time.process_time()
        await clients.run_for(seconds)
        row.seconds, row.cpu_s = time.perf_counter() - begun, time.process_time() - cpu
        row.latencies_ms = list(clients.latencies_ms)
        row.sagas = len(row.latencies_ms)
        if owner == "one":
            with counting(db) as counted:
                await clients.run_count(COUNTED)
            row.counted = counted
            if db is not None:
                await check_log(db, clients.done)
                if not (counted["statements"] and counted["commits"]):
                    raise VoidRunError(f"the database counted {dict(counted)}")
        if shop.calls != clients.done * len(STEPS):
            raise VoidRunError(f"{shop.calls} calls for {clients.done} sagas")
        return row


class Executes(Protocol):
    async def execute(self, machine_name: str, params: Params) -> Outcome | None: ...


class Clients:
    """Each starts a saga when its last one has ended."""

    def __init__(self, engine: Executes, concurrency: int) -> None:
        self._engine = engine
        self._concurrency = concurrency
        self.done = 0
        self.latencies_ms: list[float] = []

    async def run_for(self, seconds: float) -> None:
        until = time.perf_counter() + seconds
        await self._run(lambda: time.perf_counter() < until)

    async def run_count(self, count: int) -> None:
        left = iter(range(count))
        await self._run(lambda: next(left, None) is not None)

    async def _run(self, goes_on: Callable[[], bool]) -> None:
        await asyncio.gather(*(self._client(goes_on) for _ in range(self._concurrency)))

    async def _client(self, goes_on: Callable[[], bool]) -> None:
        while goes_on():
            begun = time.perf_counter()
            params: dict[str, JsonValue] = {"order": "o-1", "amount": 1200, "note": "x"}
            outcome = await self._engine.execute("bench", params)
            if outcome is None or not outcome.succeeded:
                raise VoidRunError(f"a saga ended {outcome}")
            self.done += 1
            self.latencies_ms.append((time.perf_counter() - begun) * 1000)


@contextmanager
def counting(db: Db | None) -> Iterator[Counter[str]]:
    """Fills in `statements` and `commits` when the block ends; a log in memory has neither."""
    counted: Counter[str] = Counter()
    if isinstance(db, InlineDb):
        words: Counter[str] = Counter()
        db._raw.set_trace_callback(lambda text: words.update([text.partition(" ")[0]]))
        yield counted
        db._raw.set_trace_callback(None)
        counted["statements"] = sum(words[word] for word in WORDS)
        counted["commits"] = words["COMMIT"]
    elif db is not None:
        before = counters()
        yield counted
        counted.update(counters())
        counted.subtract(before)
    else:
        yield counted


def counters() -> Counter[str]:
    """Of our own server. `Com_commit` would miss transactions of one statement, and
    `Handler_commit` counts every statement as one.
    """
    from tests.support.mariadb import server

    names = ",".join(f"'Com_{word.lower()}'" for word in WORDS)
    metric = "SELECT count FROM information_schema.innodb_metrics WHERE name='trx_rw_commits'"
    # Nothing happens when it is enabled already.
    server().sql("SET GLOBAL innodb_monitor_enable='trx_rw_commits'")
    ((commits,),) = server().sql(metric)
    rows = server().sql(f"SHOW GLOBAL STATUS WHERE Variable_name IN ({names})")
    return Counter(statements=sum(int(count) for _, count in rows), commits=int(commits))


async def check_log(db: Db, sagas: int) -> None:
    """Five rows for each saga that ended, and nobody still marked as running."""
    async with db.read() as tx:
        (events, running, ended) = [
            cast("int", (await tx.run(text(f"SELECT count(*) FROM {what}"))).scalar())
            for what in ("sg_event", "sg_machine WHERE running=1", "sg_machine WHERE status='SU'")
        ]
    if running or events != ended * 5 or ended < sagas:
        raise VoidRunError(f"{events} events, {ended} ended, {running} running, {sagas} done")


async def fill(db: Db, owner: str, count: int) -> None:
    """Finished instances as the engine writes them, copied from one that really ran."""
    async with db.read() as tx:
        row = dict((await tx.run(select(SG_MACHINE).limit(1))).one())
        same = SG_EVENT.c.machine_id == row["id"]
        events = [dict(one) for one in (await tx.run(select(SG_EVENT).where(same))).all()]
    for begun in range(0, count, 1000):
        ids = [f"{n:026d}" for n in range(begun, begun + 1000)]
        async with db.transaction() as tx:
            machines = [{**row, "id": one, "owner": owner, "business_key": one} for one in ids]
            await tx.run(insert(SG_MACHINE), machines)
            rows = [{**event, "machine_id": one} for one in ids for event in events]
            await tx.run(insert(SG_EVENT), rows)


async def measure_history(url: str, count: int) -> dict[str, float]:
    """Milliseconds of starting and ending one saga, of a look for orphans, and of three lists."""
    async with an_engine(url, "one") as (engine, _, db):
        if db is None:
            raise SystemExit("a history needs a database")
        params: dict[str, JsonValue] = {"order": "o-1", "amount": 1200}
        await engine.execute("bench", params)
        await fill(db, engine.owner, count)
        return {
            "start_ms": await median_ms(lambda: engine.execute("bench", params)),
            "recover_ms": await median_ms(engine.tick),
            "list_ms": await median_ms(lambda: engine.list(Filter(limit=50))),
            "list_failed_ms": await median_ms(lambda: engine.list(Filter(status="UN"))),
            "list_running_ms": await median_ms(lambda: engine.list(Filter(running=True))),
        }


async def median_ms(ask: Callable[[], Awaitable[object]]) -> float:
    times: list[float] = []
    for _ in range(61):
        begun = time.perf_counter()
        await ask()
        times.append((time.perf_counter() - begun) * 1000)
    return sorted(times)[30]


def histories(store: str, folder: Path, count: int) -> None:
    few, many = 1000, count
    found = {
        size: asyncio.run(measure_history(a_url(store, folder / f"h{size}"), size))
        for size in (few, many)
    }
    for name, before in found[few].items():
        after = found[many][name]
        print(f"{name:>18} {before:8.2f} {after:8.2f}   ratio {after / before:.2f}")


def in_process(store: str, url: str, concurrency: int, seconds: float, owner: str) -> Row:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(measure(store, url, concurrency, seconds, owner))


def several(store: str, url: str, concurrency: int, seconds: float, processes: int) -> Row:
    """Each process is an engine of its own on one database, with `concurrency` sagas at once."""
    jobs = [(store, url, concurrency, seconds, f"e{n}") for n in range(processes)]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        rows = pool.starmap(in_process, jobs)
    total = Row(f"{store} x{processes}", concurrency, 0, max(row.seconds for row in rows), 0.0)
    for row in rows:
        total.sagas += row.sagas
        total.cpu_s += row.cpu_s
        total.latencies_ms += row.latencies_ms
    return total


def show(rows: Sequence[Row], *, as_json: bool) -> None:
    found = [row.to_json() for row in rows]
    if as_json:
        print(json.dumps({"machine": platform.processor() or platform.machine(), "rows": found}))
        return
    latency = ("rate_per_s", "p50_ms", "p99_ms")
    keys = ("store", "concurrency", *latency, "cpu_ms", "statements", "commits")
    print("  ".join(f"{key:>12}" for key in keys))
    for row in found:
        print("  ".join(f"{'-' if row[key] is None else row[key]!s:>12}" for key in keys))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", choices=tuple(PLANS), action="append")
    parser.add_argument("--concurrency", type=int, action="append")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--history", type=int, help="finished instances, beside 1,000")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.history:
        with tempfile.TemporaryDirectory() as folder:
            histories((options.store or ["sqlite"])[0], Path(folder), options.history)
        return
    stores = options.store or [
        one for one in PLANS if one != "mysql" or shutil.which("mariadbd") is not None
    ]
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for store in stores:
            for concurrency in options.concurrency or PLANS[store]:
                url = a_url(store, Path(folder) / f"{store}{concurrency}")
                if options.processes > 1:
                    rows.append(
                        several(store, url, concurrency, options.seconds, options.processes)
                    )
                else:
                    rows.append(in_process(store, url, concurrency, options.seconds, "one"))
    show(rows, as_json=options.json)


def a_url(store: str, path: Path) -> str:
    if store == "mysql":
        from tests.support.mariadb import server

        return server().url(server().fresh_schema())
    return MEMORY if store == "memory" else f"sqlite:///{path}.db"


if __name__ == "__main__":
    try:
        main()
    except VoidRunError as error:
        raise SystemExit(f"void: {error}") from error
