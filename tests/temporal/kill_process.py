"""The process that is killed: worker and starter on Temporal under load (saga.kill_process)."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.saga.kill_process import LIMITS, Ledger, machines, prepared
from tests.saga.world import Notes
from tests.temporal.server import engine_on

from kessai.kernel.db import Db
from kessai.kernel.errors import DatabaseUnavailable, JsonValue
from kessai.saga import Local
from kessai.saga.temporal.engine import TemporalEngine

AT_ONCE = 8


@asynccontextmanager
async def an_engine(url: str, db: Db, ledger: Ledger, owner: str) -> AsyncIterator[TemporalEngine]:
    services = {"shop": ledger, "notes": Local(Notes())}
    async with engine_on(url, db, services, machines(), LIMITS, owner=owner) as engine:
        yield engine


async def serve(temporal: str, url: str, folder: Path, owner: str) -> None:
    """Sagas one after another, many at once, until it is killed or told to begin no more."""
    db, ledger = await prepared(url), Ledger(folder)
    async with an_engine(temporal, db, ledger, owner) as engine:
        await asyncio.gather(*(_customer(engine, ledger, folder, n) for n in range(AT_ONCE)))
        await asyncio.Event().wait()


async def _customer(engine: TemporalEngine, ledger: Ledger, folder: Path, number: int) -> None:
    orders = 0
    while not (folder / "stop").exists():
        order_id = f"{os.getpid()}-{number}-{orders}"
        params: dict[str, JsonValue] = {"orderId": order_id, "all": [1, 2, 3]}
        name = "bulk" if number % 4 == 0 else "order"
        orders += 1
        try:
            instance_id = await engine.begin(name, params, business_key=order_id)
            ledger.acknowledge(instance_id)
            await engine.wait(instance_id, 5)
        except DatabaseUnavailable:
            await asyncio.sleep(0.1)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4]))
