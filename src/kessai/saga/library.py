"""The engine without a service around it: opens a store, keeps the engine alive, closes both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from kessai.kernel.chance import SystemChance
from kessai.kernel.clock import SystemClock
from kessai.kernel.db import Db, open_database
from kessai.kernel.errors import DatabaseUnavailable
from kessai.kernel.ids import RandomIds
from kessai.kernel.telemetry import get_log
from kessai.saga.driver import Classify
from kessai.saga.language import Machine
from kessai.saga.limits import EngineLimits
from kessai.saga.log import METADATA, MemoryLog
from kessai.saga.services import classify
from kessai.saga.tasks import end_all

if TYPE_CHECKING:
    from kessai.saga.engine import Engine

MEMORY = "memory:"
_PAUSE_S = 0.1
_PAUSE_MAX_S = 5.0
_FIRST_TRIES = 5
_log = get_log("kessai.saga")


@asynccontextmanager
async def open_engine(
    engine_class: type[Engine],
    url: str,
    services: Mapping[str, object],
    machines: Iterable[Machine],
    *,
    limits: EngineLimits | None = None,
    owner: str | None = None,
    classify: Classify = classify,
) -> AsyncIterator[Engine]:
    """An engine that runs while the block does: `memory:`, `sqlite:///FILE` or
    `mysql+asyncmy://user:pw@host:port/schema`, whose tables are made where they are missing.

    An error that ends the engine's own loop ends the block and is raised from it. What still runs
    when the block ends is left in the log, and the next engine on that database goes on with it.
    Give an `owner` where one process at a time has that name: its successor need not wait for the
    lease to run out.
    """
    clock, chance = SystemClock(), SystemChance()
    ids = RandomIds(clock, chance)
    async with open_store(url) as store:
        name = owner or f"saga-{ids.new()}"
        engine = engine_class(
            store, services, machines, clock, ids, chance, name, limits, classify=classify
        )
        async with living(engine):
            yield engine


@asynccontextmanager
async def open_store(url: str) -> AsyncIterator[Db | MemoryLog]:
    """With the saga tables. Raises `ValueError` for a scheme that nobody serves."""
    if url == MEMORY:
        yield MemoryLog()
        return
    db = await open_database(url)
    try:
        # Under the database's own lock: a second process waits, and finds the tables.
        db.migrate(METADATA.create_all)
        yield db
    finally:
        await db.close()


@asynccontextmanager
async def living(engine: Engine) -> AsyncIterator[None]:
    """Heartbeat and recovery while the block runs, then the end of all that the engine does."""
    try:
        # The lease before the first instance: one without looks abandoned to other engines.
        await _first_tick(engine)
        try:
            async with asyncio.TaskGroup() as tasks:
                loop = tasks.create_task(_keep_running(engine), name=f"saga:{engine.owner}")
                yield
                await end_all([loop])
        except BaseExceptionGroup as group:
            # One error is that error: nobody who calls this knows of a group.
            raise group.exceptions[0] if len(group.exceptions) == 1 else group from None
    finally:
        await engine.close()


async def _first_tick(engine: Engine) -> None:
    """Raises `DatabaseUnavailable` where the database does not take it within some seconds."""
    for attempt in range(_FIRST_TRIES):
        try:
            await engine.tick()
            break
        except DatabaseUnavailable as error:
            if attempt == _FIRST_TRIES - 1:
                raise
            _log.warning("saga.engine_waits", owner=engine.owner, reason=str(error))
        await asyncio.sleep(_PAUSE_S * 2**attempt)


async def _keep_running(engine: Engine) -> None:
    """A database that is away comes back; every other error is the caller's to know."""
    pause_s = _PAUSE_S
    while True:
        started_s = asyncio.get_running_loop().time()
        try:
            await engine.run()
        except DatabaseUnavailable as error:
            _log.warning("saga.engine_waits", owner=engine.owner, reason=str(error))
        steady = asyncio.get_running_loop().time() - started_s > _PAUSE_MAX_S
        pause_s = _PAUSE_S if steady else min(pause_s * 2, _PAUSE_MAX_S)
        await asyncio.sleep(pause_s)
