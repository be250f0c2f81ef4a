"""The saga tests' shop of steps on Temporal."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from temporalio.client import WorkflowHistory
from tests.saga.world import NOTES, Notes, Shop
from tests.temporal.server import engine_on

from kessai.kernel.db import Db, open_database
from kessai.kernel.errors import JsonValue
from kessai.saga import METADATA, EngineLimits, Filter, Local, Machine, Outcome
from kessai.saga.temporal.engine import TemporalEngine
from kessai.saga.temporal.starting import workflow_id

LIMITS = EngineLimits(
    lease_s=1.0, heartbeat_s=0.1, redrives=0, retry_max_s=0.1, redrive_first_s=0.1
)
WAIT_S = 30.0


@dataclass
class Scene:
    engine: TemporalEngine
    db: Db
    shop: Shop = field(default_factory=Shop)
    notes: Notes = field(default_factory=Notes)

    async def run(self, machine: str, key: str, **params: JsonValue) -> Outcome:
        instance_id = await self.engine.begin(machine, params, business_key=key)
        return await self.end(instance_id)

    async def end(self, instance_id: str) -> Outcome:
        outcome = await self.engine.wait(instance_id, WAIT_S)
        assert outcome is not None, "it still moves"
        return outcome

    async def history(self, instance_id: str) -> WorkflowHistory:
        """Of the newest run, once it is closed."""
        (row,) = [one for one in await self.engine.list(Filter()) if one.id == instance_id]
        handle = self.engine.client.get_workflow_handle(workflow_id(row))
        await handle.result(rpc_timeout=timedelta(seconds=WAIT_S))
        return await handle.fetch_history()


@asynccontextmanager
async def a_scene(
    url: str, machines: Sequence[Machine], limits: EngineLimits = LIMITS, db: Db | None = None
) -> AsyncIterator[Scene]:
    opened = db or await open_database("sqlite:")
    opened.migrate(METADATA.create_all)
    opened.migrate(NOTES.create_all)
    shop, notes = Shop(), Notes()
    services = {"shop": shop, "notes": Local(notes)}
    try:
        async with engine_on(url, opened, services, machines, limits) as engine:
            yield Scene(engine, opened, shop, notes)
    finally:
        if db is None:
            await opened.close()
