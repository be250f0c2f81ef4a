"""The saga engine: starts, drives, recovers and steers instances of Seata's state machines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import copy_context
from functools import partial

from kessai.kernel.chance import Chance
from kessai.kernel.clock import Clock
from kessai.kernel.db import Db, Tx
from kessai.kernel.errors import (
    DatabaseUnavailable,
    Duplicate,
    Fenced,
    JsonValue,
    Kind,
    NotFound,
    Refused,
)
from kessai.kernel.ids import Ids
from kessai.kernel.metrics import Metrics
from kessai.kernel.telemetry import get_log
from kessai.saga import interpreter
from kessai.saga.driver import Classify, Driver
from kessai.saga.folding import apply, loggable
from kessai.saga.gauges import Gauges
from kessai.saga.history import Event, NotStorable, Run
from kessai.saga.keeper import Keeper
from kessai.saga.language import DefinitionError, Machine
from kessai.saga.library import open_engine
from kessai.saga.limits import EngineLimits
from kessai.saga.log import Filter, Instance, MachineRow, MemoryLog, Rest, Session, SqlLog, log_of
from kessai.saga.log.tables import KEY_LENGTH
from kessai.saga.outcome import Outcome, outcome_of
from kessai.saga.services import Services, classify, plain
from kessai.saga.steering import NO_ORDER, Desk, Order, Steering
from kessai.saga.subs import Child, Steer, SubMachines
from kessai.saga.tasks import Tasks
from kessai.saga.writer import Writer

_log = get_log("kessai.saga")
Params = Mapping[str, JsonValue]
_NO_PARAMS: Params = {}


class Engine:
    """One per service and process. `owner` is the process's stable name; it runs once at a time.

    `store`: a database with the saga tables, or `MemoryLog()`. `machines`: the last one of a name
    is started, earlier versions go on with what they began. `on_end` gets every run that this
    process brought to an end.
    """

    def __init__(
        self,
        store: Db | SqlLog | MemoryLog,
        services: Mapping[str, object],
        machines: Iterable[Machine],
        clock: Clock,
        ids: Ids,
        chance: Chance,
        owner: str,
        limits: EngineLimits | None = None,
        *,
        metrics: Metrics | None = None,
        classify: Classify = classify,
        on_end: Callable[[Run], None] | None = None,
    ) -> None:
        self._on_end = on_end
        self.owner = f"{owner}#{ids.new()}"
        self._log = log_of(store)
        self._clock = clock
        self._ids = ids
        self._limits = limits or EngineLimits()
        self.gauges = Gauges(metrics)
        loaded = tuple(machines)
        self._machines = {one.name: one for one in loaded}
        bound = Services(services, loaded)
        if bound.any_local and isinstance(self._log, MemoryLog):
            raise DefinitionError("a saga in memory has no database for local steps")
        self._tasks = Tasks()
        steer = Steer(self._start_child, self._forward, self._compensate, self._end_of)
        subs = SubMachines(self._log, steer)
        self._writer = Writer(self._log, clock, self._limits)
        self._driver = Driver(
            self._log, self._writer, bound, subs, clock, chance, self._limits, classify
        )
        versions = {(one.name, one.version): one for one in loaded}
        desk = Desk(self.owner, clock.now_ms, self._driver.rest, self._launch_after)
        self._steering = Steering(self._log, versions, desk)
        self._keeper = Keeper(
            self.owner, self._log, self._steering, self._tasks, clock, self._limits, self.gauges
        )

    open = classmethod(open_engine)

    # --- starting ---------------------------------------------------------------------------

    async def start(
        self, tx: Tx, machine_name: str, business_key: str | None, params: Params
    ) -> str:
        """Writes the instance in the caller's transaction; it runs once that is committed.

        Raises `Refused`: SAGA_DUPLICATE when the business key has an instance of this machine,
        SAGA_BUSINESS_KEY when it is too long, SAGA_UNKNOWN.
        """
        instance, event = self.draft(machine_name, business_key, params)
        try:
            row = await self._create_in(self._log.within(tx), instance, event)
        except Duplicate as error:
            raise _duplicate(machine_name, business_key) from error
        self._began(instance, event, row)
        self._launch_after(self._log.within(tx), instance)
        return instance.run.instance_id

    async def start_once(self, tx: Tx, machine_name: str, business_key: str, params: Params) -> str:
        """As `start`; a business key that was started before answers that instance's id."""
        try:
            return await self.start(tx, machine_name, business_key, params)
        except Refused as error:
            row = await self._log.within(tx).machine_by_key(machine_name, business_key)
            if error.code != "SAGA_DUPLICATE" or row is None:
                raise
            return row.id

    async def begin(
        self, machine_name: str, params: Params | None, *, business_key: str | None = None
    ) -> str:
        """As `start`, without a transaction of the caller: durable and running when it returns."""
        instance, event = self.draft(machine_name, business_key, params)
        try:
            await self._create(instance, event)
        except Duplicate as error:
            raise _duplicate(machine_name, business_key) from error
        return instance.run.instance_id

    async def execute(
        self,
        machine_name: str,
        params: Params,
        *,
        business_key: str | None = None,
        timeout_s: float | None = None,
    ) -> Outcome | None:
        """Starts an instance and waits for its end; None when the time was up first."""
        instance, event = self.draft(machine_name, business_key, params)
        try:
            await self._create(instance, event)
        except Duplicate as error:
            raise _duplicate(machine_name, business_key) from error
        if not instance.run.machine.persist and not instance.run.running:
            return outcome_of(instance.run, needs_operator=False)
        return await self.wait(instance.run.instance_id, timeout_s)

    # --- looking ----------------------------------------------------------------------------

    async def find(self, machine_name: str, business_key: str) -> str | None:
        """The id of the instance that was started under this key."""
        async with self._log.reading() as session:
            row = await session.machine_by_key(machine_name, business_key)
        return None if row is None else row.id

    async def wait(self, instance_id: str, timeout_s: float | None) -> Outcome | None:
        """The outcome once nothing moves by itself any more; None while it still does.

        An unknown instance that will be driven again counts as running.
        """
        loop = asyncio.get_running_loop()
        deadline = None if timeout_s is None else loop.time() + timeout_s
        while True:
            live = instance_id in self._tasks
            if not live:
                outcome = await self.stored_outcome(instance_id)
                if outcome is not None:
                    return outcome
            left_s = None if deadline is None else deadline - loop.time()
            if left_s is not None and left_s <= 0:
                return None
            poll_s = self._limits.poll_s
            pause_s = left_s if live else (poll_s if left_s is None else min(left_s, poll_s))
            outcome = await self._tasks.next_outcome(instance_id, pause_s)
            if outcome is not None:
                return outcome

    async def list(self, wanted: Filter) -> Sequence[MachineRow]:
        async with self._log.reading() as session:
            return await session.list(wanted)

    async def inspect(self, instance_id: str) -> tuple[MachineRow, Run, Sequence[Event]]:
        """Row, run and events of one instance. Raises `NotFound`."""
        async with self._log.reading() as session:
            row = await session.machine(instance_id)
            if row is None:
                raise NotFound(f"no saga instance {instance_id}")
            run = (await self._steering.load(session, row)).run
            return row, run, [one.event() for one in await session.history(instance_id)]

    # --- steering ---------------------------------------------------------------------------

    async def forward(
        self,
        instance_id: str,
        params: Params = _NO_PARAMS,
        *,
        order: Order = NO_ORDER,
    ) -> bool:
        """Goes on after the last state that succeeded; `params` replace parts of the context.

        False: nothing to do. Raises `Refused`: SAGA_RUNNING, OPERATION_DENIED, VERSION_CONFLICT,
        NOT_FOUND.
        """
        return await self._steer(instance_id, interpreter.forward, params, order)

    async def compensate(
        self,
        instance_id: str,
        params: Params = _NO_PARAMS,
        *,
        order: Order = NO_ORDER,
    ) -> bool:
        """Undoes what is not undone yet, last step first. Refuses as `forward` does."""
        return await self._steer(instance_id, interpreter.compensate, params, order)

    async def skip(
        self,
        instance_id: str,
        params: Params = _NO_PARAMS,
        *,
        order: Order = NO_ORDER,
    ) -> bool:
        """Goes on behind the state that failed, as if it had done its work. Refuses likewise."""
        return await self._steer(instance_id, interpreter.skip, params, order)

    # --- living -----------------------------------------------------------------------------

    async def run(self) -> None:
        """Heartbeat, recovery and retention, for the Supervisor: ends only by being cancelled."""
        await self._keeper.begin()
        while True:
            await self.tick()
            await asyncio.sleep(self._limits.heartbeat_s)

    async def tick(self) -> None:
        """One heartbeat and one look for instances that nobody drives."""
        await self._keeper.tick()

    async def close(self) -> None:
        """Stops driving and gives the lease up, so that a successor need not wait for its end."""
        await self._tasks.close()
        await self._driver.close()
        try:
            async with self._log.session() as session:
                await session.renew(self.owner, 0)
        except DatabaseUnavailable as error:
            # A successor waits until the lease runs out.
            _log.warning("saga.lease_kept", owner=self.owner, reason=str(error))
        await self._log.close()

    # --- within -----------------------------------------------------------------------------

    def draft(
        self, machine_name: str, business_key: str | None, params: Params | None
    ) -> tuple[Instance, Event]:
        """An instance and its first event, of which nothing is written yet."""
        run = Run(self._definition(machine_name), self._ids.new(), business_key)
        return self._first(run, None if params is None else _params(params))

    def _definition(self, machine_name: str) -> Machine:
        definition = self._machines.get(machine_name)
        if definition is None:
            raise Refused("SAGA_UNKNOWN", f"no machine {machine_name!r}", kind=Kind.NOT_FOUND)
        return definition

    def _first(self, run: Run, params: Params | None) -> tuple[Instance, Event]:
        if run.business_key is not None and len(run.business_key) > KEY_LENGTH:
            # SQLite would keep it, MySQL would not.
            text = f"a business key has at most {KEY_LENGTH} characters"
            raise Refused("SAGA_BUSINESS_KEY", text, kind=Kind.INVALID)
        now_ms = self._clock.now_ms()
        limit_s = self._limits.machine_timeout_s
        event = interpreter.begin(run, params, now_ms=now_ms, timeout_s=limit_s)
        return Instance(run, epoch=1, started_at=now_ms), event

    async def _create(self, instance: Instance, event: Event) -> None:
        row, _ = loggable(instance.run, event)
        if row is not None and not await self._writer.create(instance, row, owner=self.owner):
            return
        self._began(instance, event, row)
        self._launch(instance)

    async def _create_in(self, session: Session, instance: Instance, event: Event) -> Event | None:
        row, _ = loggable(instance.run, event)
        if row is not None:
            await session.create(instance, row, owner=self.owner, at=instance.started_at)
        return row

    def _began(self, instance: Instance, event: Event, row: Event | None) -> None:
        apply(instance.run, event)
        instance.run.carried = loggable(instance.run, event)[1] if row is None else {}
        instance.run.seq += 1

    async def _start_child(self, child: Child) -> None:
        """Raises `Duplicate` where the step that asks has started it before."""
        definition = self._definition(child.machine)
        run = Run(definition, child.instance_id, child.business_key, child.parent_id)
        instance, event = self._first(run, _params(child.params))
        await self._create(instance, event)

    async def _forward(self, instance_id: str, params: Params) -> None:
        await self.forward(instance_id, params)

    async def _compensate(self, instance_id: str, params: Params) -> None:
        await self.compensate(instance_id, params)

    async def _end_of(self, instance_id: str) -> Outcome:
        while (outcome := await self.wait(instance_id, None)) is None:
            continue
        return outcome

    async def _steer(
        self,
        instance_id: str,
        operation: Callable[..., Event],
        params: Params,
        order: Order,
    ) -> bool:
        given = _params(params)
        timed = self._timed(operation)
        return await self._steering.operate(instance_id, lambda run: timed(run, given), order)

    def _timed(self, operation: Callable[..., Event]) -> Callable[..., Event]:
        limit_s = self._limits.machine_timeout_s
        return partial(operation, now_ms=self._clock.now_ms(), timeout_s=limit_s)

    def _launch_after(self, session: Session, instance: Instance) -> None:
        # The commit's callback runs in the context of whoever began its group.
        context = copy_context()
        session.after_commit(lambda: context.run(self._launch, instance))

    def _launch(self, instance: Instance) -> None:
        run = instance.run
        name = f"saga:{run.machine.name}:{run.instance_id}"
        drive = partial(self._drive, instance)
        self._tasks.launch(run.instance_id, name, drive, copy_context())

    async def _drive(self, instance: Instance) -> Outcome | None:
        instance_id = instance.run.instance_id
        try:
            return self._ended(instance, await self._driver.drive(instance))
        except Fenced as error:
            _log.warning("saga.fenced", instance_id=instance_id, reason=str(error))
        except DatabaseUnavailable as error:
            _log.error("saga.left_for_recovery", instance_id=instance_id, reason=str(error))
        except Exception:
            # The instance stays running in the log, and this engine's recovery finds it.
            _log.exception("saga.task_failed", instance_id=instance_id)
        return None

    def _ended(self, instance: Instance, rest: Rest) -> Outcome | None:
        run = instance.run
        self.gauges.ended(run.machine.name, run.status, run.compensation)
        if self._on_end is not None:
            self._on_end(run)
        if rest.needs_operator:
            _log.error(
                "saga.needs_operator",
                instance_id=run.instance_id,
                machine=run.machine.name,
                business_key=run.business_key,
                status=run.status,
                compensation=run.compensation,
                error=run.exception.code if run.exception else "",
            )
        if rest.due_ms is not None:
            return None
        return outcome_of(run, needs_operator=rest.needs_operator)

    async def stored_outcome(self, instance_id: str) -> Outcome | None:
        async with self._log.reading() as session:
            row = await session.machine(instance_id)
            if row is None:
                raise NotFound(f"no saga instance {instance_id}")
            if not row.at_rest:
                return None
            run = (await self._steering.load(session, row)).run
        return outcome_of(run, needs_operator=bool(row.needs_operator))


def _duplicate(machine_name: str, business_key: str | None) -> Refused:
    facts = {"machine": machine_name, "businessKey": business_key}
    return Refused("SAGA_DUPLICATE", f"{machine_name} was started", facts=facts)


def _params(params: Params) -> dict[str, JsonValue]:
    copied = plain(dict(params))
    if not isinstance(copied, dict):
        raise NotStorable("parameters are a map")
    return copied
