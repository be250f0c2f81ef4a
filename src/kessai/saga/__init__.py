"""Seata's Saga State Language, run from a durable log in the service's own database.

    create_order = load(Path("order_create_saga.json"))
    engine = Engine(
        db,
        {"storageService": storage, "orderService": Local(order_steps)},
        [create_order], clock, ids, chance, owner="order-1",
    )
    supervisor.start("saga", engine.run)
    async with db.transaction() as tx:
        instance_id = await engine.start(tx, "order_create_saga", order_id, {"orderId": order_id})
    outcome = await engine.wait(instance_id, timeout_s=8)

A remote method is `async def reserve(step: StepContext, *input)`, a local one
`async def mark_paid(step: StepContext, tx: Tx, *input)`. Each returns a JSON value, or raises
`Refused` (a final no) or `Unknown` (asked again with the same `step.token`).
"""

from __future__ import annotations

from kessai.saga.engine import Engine
from kessai.saga.history import Thrown, Verdict
from kessai.saga.http_service import HttpService
from kessai.saga.language import DefinitionError, Machine, Status, load
from kessai.saga.limits import EngineLimits
from kessai.saga.log import METADATA, SG_ENGINE, SG_EVENT, SG_MACHINE, Filter, MachineRow, MemoryLog
from kessai.saga.outcome import Outcome
from kessai.saga.services import Local, Service, StepContext
from kessai.saga.steering import Order
from kessai.saga.tables import saga_tables_v1, saga_tables_v2, saga_tables_v3

__all__ = [
    "METADATA",
    "SG_ENGINE",
    "SG_EVENT",
    "SG_MACHINE",
    "DefinitionError",
    "Engine",
    "EngineLimits",
    "Filter",
    "HttpService",
    "Local",
    "Machine",
    "MachineRow",
    "MemoryLog",
    "Order",
    "Outcome",
    "Service",
    "Status",
    "StepContext",
    "Thrown",
    "Verdict",
    "load",
    "saga_tables_v1",
    "saga_tables_v2",
    "saga_tables_v3",
]
