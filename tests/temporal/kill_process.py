"""The process that is killed: worker and starter on Temporal under load (saga.kill_process)."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.saga.kill_process import LIMITS, Ledger, machines, prepared
from tests.saga.world import Notes
from tests.support.saga_kills import customers
from tests.temporal.server import engine_on

from kessai.kernel.db import Db
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
        await customers(engine, ledger, folder, AT_ONCE)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4]))
