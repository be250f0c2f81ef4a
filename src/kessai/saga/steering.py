"""Takes instances up again: recovery from dead engines, redrives, and operators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kessai.kernel.errors import DatabaseUnavailable, Fenced, NotFound, Refused, VersionConflict
from kessai.kernel.telemetry import get_log
from kessai.saga.folding import apply, fold, loggable, reload
from kessai.saga.history import Body, Event, EventKind, Run
from kessai.saga.interpreter.operations import Unchanged
from kessai.saga.language import Machine
from kessai.saga.log import Instance, MachineRow, Rest, SagaLog, Session

Decide = Callable[[Run], Event]

_log = get_log("kessai.saga")


@dataclass(frozen=True, slots=True)
class Order:
    """Who asks for an operation and why: kept in its event. `version`: the seq that they saw."""

    actor: str | None = None
    reason: str | None = None
    version: int | None = None

    def to_json(self) -> Body:
        return {"actor": self.actor, "reason": self.reason}


NO_ORDER = Order()


@dataclass(frozen=True, slots=True)
class Desk:
    """What the engine lends to steering: its place in the log, and what to do once it is taken."""

    owner: str
    now_ms: Callable[[], int]
    rest: Callable[[Instance, Event], Rest]
    launch: Callable[[Session, Instance], None]


class Steering:
    def __init__(self, log: SagaLog, machines: dict[tuple[str, str], Machine], desk: Desk) -> None:
        self._log = log
        self._machines = machines
        self._newest = {machine.name: machine for machine in machines.values()}
        self._desk = desk

    async def operate(self, instance_id: str, decide: Decide, order: Order) -> bool:
        """False when there was nothing to do; an order leaves its trace either way.

        Raises `Refused`: SAGA_RUNNING, VERSION_CONFLICT, OPERATION_DENIED, NOT_FOUND.
        """
        try:
            return await self._operate(instance_id, decide, order)
        except Fenced as error:
            raise Refused("SAGA_RUNNING", f"instance {instance_id} was taken over") from error

    async def _operate(self, instance_id: str, decide: Decide, order: Order) -> bool:
        async with self._log.session() as session:
            row = await self._claimable(session, instance_id)
            instance = await self.load(session, row)
            if order.version not in (None, instance.run.seq):
                raise VersionConflict(f"instance {instance_id} is at {instance.run.seq}")
            reload(instance.run)
            try:
                event = decide(instance.run)
            except Unchanged:
                await self._note(session, instance, order)
                return False
            if order is not NO_ORDER:
                event.body["by"] = order.to_json()
            await self._claim(session, instance, event)
            return True

    async def _note(self, session: Session, instance: Instance, order: Order) -> None:
        if order is NO_ORDER or not instance.run.machine.persist:
            return
        body: Body = {"by": order.to_json(), "unchanged": True}
        note = Event(EventKind.NOTE, instance.run.machine.name, instance.run.status, body)
        await session.append(instance, note, Rest(), at=self._desk.now_ms())

    async def take_over(self, instance_id: str, decide: Decide, dead_owner: str | None) -> bool:
        """From a dead owner, or, without one, an instance at rest. Whoever is faster has it.

        False: this engine does not understand its history.
        """
        redrive = dead_owner is None
        try:
            async with self._log.session() as session:
                row = await session.machine(instance_id)
                if row is None or bool(row.running) is redrive:
                    return True
                if row.due_at is None if redrive else row.owner != dead_owner:
                    return True
                instance = await self.load(session, row)
                instance.redrives += redrive
                if redrive:
                    reload(instance.run)
                await self._claim(session, instance, decide(instance.run))
        except Fenced:
            return True
        except DatabaseUnavailable:
            raise
        except Exception as error:
            # One history that nobody understands must not keep the others from being taken up.
            _log.error("saga.not_recoverable", instance_id=instance_id, reason=repr(error))
            return False
        _log.info("saga.taken_over", instance_id=instance_id, redrive=redrive)
        return True

    async def load(self, session: Session, row: MachineRow) -> Instance:
        """Folds the history. Raises LookupError for a machine that was not loaded."""
        definition = self._machines.get((row.name, row.version)) or self._newest.get(row.name)
        if definition is None:
            raise LookupError(f"machine {row.name!r} is not loaded")
        run = Run(definition, row.id, row.business_key, row.parent_id)
        fold(run, [one.event() for one in await session.history(row.id)])
        return Instance(run, row.epoch, row.redrives, row.started_at)

    async def _claimable(self, session: Session, instance_id: str) -> MachineRow:
        row = await session.machine(instance_id)
        if row is None:
            raise NotFound(f"no saga instance {instance_id}")
        if row.running:
            lease = await session.lease_of(row.owner)
            alive = lease is not None and lease >= self._desk.now_ms()
            if alive or row.owner == self._desk.owner:
                raise Refused("SAGA_RUNNING", f"instance {instance_id} is running")
        return row

    async def _claim(self, session: Session, instance: Instance, event: Event) -> None:
        instance.epoch += 1
        rest = self._desk.rest(instance, event)
        row, carried = loggable(instance.run, event)
        written = row or event
        now_ms = self._desk.now_ms()
        await session.claim(instance, written, rest, owner=self._desk.owner, at=now_ms)
        apply(instance.run, event)
        instance.run.carried = carried
        instance.run.seq += 1
        self._desk.launch(session, instance)
