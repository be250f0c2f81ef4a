"""Rows for tests of the saga log without an engine: instances, their events, who wrote them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tests.saga.world import order_saga

from kessai.saga.folding import apply
from kessai.saga.history import Body, Event, EventKind, Run
from kessai.saga.language import Machine
from kessai.saga.log import NO_REST, Instance, MachineRow, Rest, SagaLog

ORDER = order_saga()
AT = 1_000


def a_start(**body: object) -> Event:
    content: Body = {"at": AT, "params": {"orderId": "o-1"}}
    content.update(body)  # type: ignore[arg-type]
    return Event(EventKind.START, "order", "RU", content)


def a_step(name: str = "Reserve", **body: object) -> Event:
    return Event(EventKind.STEP, name, "SU", dict(body))  # type: ignore[arg-type]


def an_end(status: str = "SU", compensation: str | None = None) -> Event:
    end: Body = {"end": {"status": status, "compensation": compensation}}
    return Event(EventKind.END, "Ship", "SU", end)


def an_undoing() -> Event:
    return Event(EventKind.STEP, "Ship", "FA", {"undo": [], "trigger": None})


def a_claim(operation: str = "recover", **body: object) -> Event:
    content: Body = {"op": operation, "at": AT}
    content.update(body)  # type: ignore[arg-type]
    return Event(EventKind.CLAIM, "order", "RU", content)


@dataclass
class Writer:
    """An engine as the log sees it. `instances` are what it believes to own."""

    log: SagaLog
    owner: str = "one#1"
    instances: dict[str, Instance] = field(default_factory=dict)

    async def create(
        self,
        instance_id: str,
        *,
        key: str | None = None,
        parent: str | None = None,
        machine: Machine = ORDER,
        at: int = AT,
        event: Event | None = None,
    ) -> Instance:
        run = Run(machine, instance_id, key, parent)
        instance = Instance(run, epoch=1, started_at=at)
        first = event or a_start()
        await self.log.create(instance, first, owner=self.owner, at=at)
        self._applied(instance, first)
        self.instances[instance_id] = instance
        return instance

    async def append(
        self, instance_id: str, event: Event | None = None, rest: Rest = NO_REST, *, at: int = AT
    ) -> None:
        instance = self.instances[instance_id]
        event = event or a_step()
        await self.log.append(instance, event, rest, at=at)
        self._applied(instance, event)

    async def claim(
        self, taken: Instance, event: Event | None = None, rest: Rest = NO_REST, *, at: int = AT
    ) -> Instance:
        """`taken`: what this engine read of it."""
        run = replace(taken.run, steps=dict(taken.run.steps), context=dict(taken.run.context))
        instance = Instance(run, taken.epoch + 1, taken.redrives, taken.started_at)
        event = event or a_claim()
        async with self.log.session() as session:
            await session.claim(instance, event, rest, owner=self.owner, at=at)
        self._applied(instance, event)
        self.instances[instance.run.instance_id] = instance
        return instance

    async def row(self, instance_id: str) -> MachineRow | None:
        async with self.log.reading() as session:
            return await session.machine(instance_id)

    async def history(self, instance_id: str) -> Sequence[tuple[int, int, str]]:
        async with self.log.reading() as session:
            rows = await session.history(instance_id)
            return [(row.seq, row.epoch, str(row.kind)) for row in rows]

    def _applied(self, instance: Instance, event: Event) -> None:
        apply(instance.run, event)
        instance.run.seq += 1
