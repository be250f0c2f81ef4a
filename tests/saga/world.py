"""A small shop of steps for saga tests: what was asked, what took effect, what happens next."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from sqlalchemy import Column, Integer, MetaData, String, Table, insert, select

from kessai.kernel.chance import SeededChance
from kessai.kernel.clock import Clock
from kessai.kernel.db import Db, Tx, open_database
from kessai.kernel.errors import JsonValue
from kessai.kernel.ids import RandomIds
from kessai.kernel.metrics import Metrics
from kessai.proof.virtual_time import VirtualClock, VirtualLoop
from kessai.saga import (
    METADATA,
    SG_EVENT,
    SG_MACHINE,
    Engine,
    EngineLimits,
    Local,
    Machine,
    MemoryLog,
    StepContext,
    load,
)
from kessai.saga.driver import Classify
from kessai.saga.log import SqlLog
from kessai.saga.services import classify

NOTES = MetaData()
NOTE = Table(
    "note", NOTES, Column("id", Integer, primary_key=True), Column("text", String(80), unique=True)
)
_ADD = insert(NOTE)
_TEXTS = select(NOTE.c.text).order_by(NOTE.c.id)
_EVENTS = select(SG_EVENT).order_by(SG_EVENT.c.machine_id, SG_EVENT.c.seq)
_MACHINES = select(SG_MACHINE).order_by(SG_MACHINE.c.id)

UNKNOWN_AGAIN: Mapping[str, JsonValue] = {
    "Exceptions": ["Unknown"],
    "IntervalSeconds": 0.2,
    "BackoffRate": 2,
    "MaxAttempts": 3,
}


class Shop:
    """Remote steps. `plan[method]` holds what the next calls do: an exception, a value, a point.

    An effect is kept by token, as an idempotent service keeps it: asked twice, done once.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.effects: dict[str, str] = {}
        self.plan: dict[str, list[object]] = {}
        self.contexts: list[StepContext] = []
        self.crash_after: int | None = None
        self._points = 0

    async def reserve(self, step: StepContext, *input: JsonValue) -> JsonValue:
        return await self._do("reserve", step, input)

    async def release(self, step: StepContext, *input: JsonValue) -> JsonValue:
        return await self._do("release", step, input)

    async def pay(self, step: StepContext, *input: JsonValue) -> JsonValue:
        return await self._do("pay", step, input)

    async def refund(self, step: StepContext, *input: JsonValue) -> JsonValue:
        return await self._do("refund", step, input)

    async def ship(self, step: StepContext, *input: JsonValue) -> JsonValue:
        return await self._do("ship", step, input)

    async def fail(self, step: StepContext, *input: JsonValue) -> JsonValue:
        return await self._do("fail", step, input)

    @property
    def done(self) -> list[str]:
        """Effects in the order in which they first happened."""
        return list(self.effects.values())

    async def _do(self, method: str, step: StepContext, input: tuple[JsonValue, ...]) -> JsonValue:
        self.asked.append((method, step.token))
        self.contexts.append(step)
        await self._crash_point()
        planned = (self.plan.get(method) or ["ok"]).pop(0)
        if isinstance(planned, Exception):
            raise planned
        self.effects.setdefault(step.token, method)
        await self._crash_point()
        return planned if isinstance(planned, dict | list) else {"method": method}

    async def _crash_point(self) -> None:
        """At the chosen point the process is gone: never resumed, not cancelled."""
        self._points += 1
        if self._points == self.crash_after:
            await asyncio.Event().wait()


class Notes:
    """Local steps: a row of our own, in the transaction of the log row."""

    def __init__(self) -> None:
        self.plan: list[object] = []

    async def write(self, step: StepContext, tx: Tx, text: str) -> JsonValue:
        await tx.run(_ADD, {"text": text})
        planned = self.plan.pop(0) if self.plan else None
        if isinstance(planned, BaseException):
            raise planned
        return {"note": text}


def order_saga(
    *, machine: Mapping[str, Any] | None = None, **changes: Mapping[str, Any]
) -> Machine:
    """Reserve, pay, ship; any refusal undoes what was done. `changes` go into the states."""
    refused = [{"Exceptions": ["Refused"], "Next": "Undo"}]
    states: dict[str, dict[str, Any]] = {
        "Reserve": a_task("reserve", Next="Pay", CompensateState="Release", Catch=refused),
        "Pay": a_task("pay", Next="Ship", CompensateState="Refund", Catch=refused),
        "Ship": a_task("ship", Next="Done", Catch=refused),
        "Release": a_task("release"),
        "Refund": a_task("refund"),
        "Undo": {"Type": "CompensationTrigger", "Next": "Tell"},
        "Tell": a_task("fail", Next="Failed", Input=["$.#exception.code"]),
        "Done": {"Type": "Succeed"},
        "Failed": {"Type": "Fail", "ErrorCode": "REFUSED", "Message": "undone"},
    }
    for name, change in changes.items():
        states[name] = {**states.get(name, {}), **change}
    return a_machine(states, name="order", Version="1", **(machine or {}))


def a_task(method: str, **more: Any) -> dict[str, Any]:
    return {
        "Type": "ServiceTask",
        "ServiceName": "shop",
        "ServiceMethod": method,
        "Input": ["$.[orderId]"],
        "Output": {method: "$.#root"},
        "Retry": [UNKNOWN_AGAIN],
        **more,
    }


def a_machine(states: Mapping[str, Any], *, name: str = "m", **attributes: Any) -> Machine:
    """Starts with the first of its states."""
    start = next(iter(states))
    return load({"Name": name, "StartState": start, "States": dict(states), **attributes})


def run_virtual(story: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(story)


def prepare(db: Db) -> None:
    db.migrate(METADATA.create_all)
    db.migrate(NOTES.create_all)


Story = Callable[[Db, Shop], Awaitable[None]]


async def a_database() -> Db:
    db = await open_database("sqlite:")
    prepare(db)
    return db


def play(story: Story) -> None:
    async def main() -> None:
        db = await a_database()
        await story(db, Shop())
        await db.close()

    run_virtual(main())


def an_engine(
    store: Db | SqlLog | MemoryLog,
    shop: Shop,
    *machines: Machine,
    owner: str = "one",
    limits: EngineLimits | None = None,
    notes: Notes | None = None,
    clock: Clock | None = None,
    seed: int = 1,
    services: Mapping[str, object] | None = None,
    classify: Classify = classify,
    metrics: Metrics | None = None,
) -> Engine:
    clock = clock or VirtualClock()
    chance = SeededChance(f"{owner}{seed}")
    known = {"shop": shop, "notes": Local(notes or Notes()), **(services or {})}
    ids = RandomIds(clock, chance)
    return Engine(
        store,
        known,
        machines,
        clock,
        ids,
        chance,
        owner,
        limits,
        classify=classify,
        metrics=metrics,
    )


async def start(engine: Engine, db: Db, key: str | None = "o-1") -> str:
    async with db.transaction() as tx:
        return await engine.start(tx, "order", key, {"orderId": "o-1"})


async def goes_on(engine: Engine, instance_id: str) -> tuple[str, str | None]:
    """The outcome, which must be there within ten seconds of the crash."""
    loop = asyncio.create_task(engine.run())
    outcome = await engine.wait(instance_id, 10)
    loop.cancel()
    assert outcome is not None
    return outcome.status, outcome.compensation


async def kinds(db: Db) -> list[str]:
    return [row["kind"] for row in await events(db)]


async def events(db: Db) -> list[dict[str, Any]]:
    async with db.read() as tx:
        return [dict(row) for row in (await tx.run(_EVENTS)).all()]


async def machines(db: Db) -> list[dict[str, Any]]:
    async with db.read() as tx:
        return [dict(row) for row in (await tx.run(_MACHINES)).all()]


async def notes_in(db: Db) -> list[str]:
    async with db.read() as tx:
        return [row["text"] for row in (await tx.run(_TEXTS)).all()]
