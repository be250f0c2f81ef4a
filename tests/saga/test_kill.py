"""A real process killed with SIGKILL: its successor finishes every saga, no effect twice."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from tests.saga.world import machines, order_saga, prepare

from kessai.kernel.chance import SystemChance
from kessai.kernel.clock import SystemClock
from kessai.kernel.db import Db, open_database
from kessai.kernel.ids import RandomIds
from kessai.saga import Engine, StepContext

SAGAS = 60
ROOT = Path(__file__).resolve().parents[2]


class Ledger:
    """Effects by token in a file of their own, as a remote service keeps them."""

    def __init__(self, folder: Path) -> None:
        self._db = sqlite3.connect(folder / "effects.db", isolation_level=None)
        # SIGKILL does not lose what the system holds, so no fsync is needed here.
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute("CREATE TABLE IF NOT EXISTS effect (token PRIMARY KEY, method)")

    async def reserve(self, step: StepContext, *_: object) -> None:
        await self._do("reserve", step)

    async def pay(self, step: StepContext, *_: object) -> None:
        await self._do("pay", step)

    async def ship(self, step: StepContext, *_: object) -> None:
        await self._do("ship", step)

    release = refund = fail = ship

    def count(self) -> dict[str, int]:
        rows = self._db.execute("SELECT method, count(*) FROM effect GROUP BY method")
        return dict(rows.fetchall())

    async def _do(self, method: str, step: StepContext) -> None:
        await asyncio.sleep(0.002)
        values = (step.token, method)
        self._db.execute("INSERT OR IGNORE INTO effect VALUES (?, ?)", values)
        await asyncio.sleep(0.002)


def real_engine(db: Db, folder: Path) -> Engine:
    clock, chance = SystemClock(), SystemChance()
    services = {"shop": Ledger(folder)}
    machine = order_saga()
    return Engine(db, services, [machine], clock, RandomIds(clock, chance), chance, "killed")


async def serve(folder: Path) -> None:
    """What the process to be killed does: many sagas at once, and a word about it."""
    db = await open_database(f"sqlite:///{folder}/saga.db")
    prepare(db)
    engine = real_engine(db, folder)
    loop = asyncio.create_task(engine.run())
    for n in range(SAGAS):
        async with db.transaction() as tx:
            await engine.start(tx, "order", f"o-{n}", {"orderId": f"o-{n}"})
        await asyncio.sleep(0.002)
        sys.stdout.write("started\n")
        sys.stdout.flush()
    await loop


def serve_and_die(folder: Path, started_before: int) -> None:
    program = (
        "import asyncio; from pathlib import Path; from tests.saga.test_kill import serve; "
        f"asyncio.run(serve(Path({str(folder)!r})))"
    )
    path = f"{ROOT / 'src'}{os.pathsep}{ROOT}"
    victim = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert victim.stdout is not None
    for _ in range(started_before):
        assert victim.stdout.readline() == "started\n"
    victim.send_signal(signal.SIGKILL)
    victim.communicate()


@pytest.mark.crash
@pytest.mark.parametrize("started_before", [5, 30, 60])
async def test_after_kill_9_every_saga_ends_and_no_effect_happens_twice(
    tmp_path: Path, started_before: int
) -> None:
    serve_and_die(tmp_path, started_before)

    db = await open_database(f"sqlite:///{tmp_path}/saga.db")
    begun = await machines(db)
    engine = real_engine(db, tmp_path)
    loop = asyncio.create_task(engine.run())
    outcomes = [await engine.wait(row["id"], 10) for row in begun]
    loop.cancel()

    assert len(begun) >= started_before
    assert all(outcome is not None and outcome.succeeded for outcome in outcomes)
    n = len(begun)
    assert Ledger(tmp_path).count() == {"reserve": n, "pay": n, "ship": n}
    await engine.close()
    await db.close()
