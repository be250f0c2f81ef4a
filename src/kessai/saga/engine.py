"""The saga engine: starts, drives, recovers and steers instances of Seata's state machines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextvars import Context, copy_context
from functools import partial

from sqlalchemy.engine import RowMapping

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
    VersionConflict,
)
from kessai.kernel.ids import Ids
from kessai.kernel.metrics import Metrics
from kessai.kernel.telemetry import get_log
from kessai.saga import log, machine, recovery
from kessai.saga.driver import Classify, Driver
from kessai.saga.gauges import Gauges
from kessai.saga.history import Event, Run, apply, fold, loggable
from kessai.saga.language import Machine
from kessai.saga.limits import EngineLimits
from kessai.saga.log import Instance, Rest
from kessai.saga.outcome import Outcome, is_settled, outcome_of
from kessai.saga.services import NotStorable, Services, classify, plain

_log = get_log("kessai.saga")
_NO_PARAMS: Mapping[str, JsonValue] = {}

Decide = Callable[[Run], Event]


class Engine:
    """One per service and process. `owner` is the process's stable name; it runs once at a time.

    `machines`: the last one of a name is started, earlier versions go on with what they began.
    """

    def __init__(
        self,
        db: Db,
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
    ) -> None:
        self.owner = f"{owner}#{ids.new()}"
        self._db = db
        self._clock = clock
        self._ids = ids
        self._limits = limits or EngineLimits()
        self._gauges = Gauges(metrics)
        loaded = tuple(machines)
        self._machines = {one.name: one for one in loaded}
        self._versions = {(one.name, one.version): one for one in loaded}
        bound = Services(services, loaded)
        self._driver = Driver(db, bound, clock, chance, self._limits, classify)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._waiting: dict[str, list[asyncio.Future[Outcome | None]]] = {}
        self._closed = False

    async def start(
        self,
        tx: Tx,
        machine_name: str,
        business_key: str | None,
        params: Mapping[str, JsonValue],
    ) -> str:
        """Writes the instance in the caller's transaction; it runs once that is committed.

        Raises `Refused` SAGA_DUPLICATE when the business key has an instance of this machine.
        """
        instance, event = self._begin(machine_name, business_key, params)
        try:
            now_ms = self._clock.now_ms()
            row = loggable(instance.run, event)
            if row is not None:
                await log.create(tx, instance, row, owner=self.owner, at=now_ms)
        except Duplicate as error:
            facts = {"machine": machine_name, "businessKey": business_key}
            raise Refused("SAGA_DUPLICATE", f"{machine_name} was started", facts=facts) from error
        instance.started_at = now_ms
        apply(instance.run, event)
        instance.run.seq += 1
        # The commit's callback runs in the context of whoever began its group.
        tx.after_commit(partial(self._launch, instance, copy_context()))
        return instance.run.instance_id

    async def start_once(
        self, tx: Tx, machine_name: str, business_key: str, params: Mapping[str, JsonValue]
    ) -> str:
        """As `start`; a business key that was started before answers that instance's id."""
        try:
            return await self.start(tx, machine_name, business_key, params)
        except Refused as error:
            row = await log.machine_by_key(tx, machine_name, business_key)
            if error.code != "SAGA_DUPLICATE" or row is None:
                raise
            return str(row["id"])

    async def find(self, machine_name: str, business_key: str) -> str | None:
        """The id of the instance that was started under this key."""
        async with self._db.read() as tx:
            row = await log.machine_by_key(tx, machine_name, business_key)
        return None if row is None else str(row["id"])

    async def wait(self, instance_id: str, timeout_s: float) -> Outcome | None:
        """The outcome once nothing moves by itself any more; None while it still does.

        An unknown instance that will be driven again counts as running.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while True:
            if instance_id not in self._tasks:
                outcome = await self._stored_outcome(instance_id)
                if outcome is not None:
                    return outcome
            left_s = deadline - loop.time()
            if left_s <= 0:
                return None
            live = instance_id in self._tasks
            outcome = await self._next_outcome(
                instance_id, left_s if live else min(left_s, self._limits.poll_s)
            )
            if outcome is not None:
                return outcome

    async def forward(
        self,
        instance_id: str,
        params: Mapping[str, JsonValue] = _NO_PARAMS,
        *,
        expected_seq: int | None = None,
    ) -> None:
        """Goes on after the last state that succeeded; `params` replace parts of the context.

        Raises `Refused`: SAGA_RUNNING, OPERATION_DENIED, VERSION_CONFLICT, NOT_FOUND.
        """
        given = _params(params)
        await self._operate(instance_id, partial(_forward, params=given), expected_seq)

    async def compensate(
        self,
        instance_id: str,
        params: Mapping[str, JsonValue] = _NO_PARAMS,
        *,
        expected_seq: int | None = None,
    ) -> None:
        """Undoes what is not undone yet, last step first. Refuses as `forward` does."""
        given = _params(params)
        await self._operate(instance_id, partial(_compensate, params=given), expected_seq)

    async def run(self) -> None:
        """Heartbeat and recovery, for the Supervisor: returns only by being cancelled."""
        async with self._db.transaction() as tx:
            await recovery.retire_predecessors(tx, self.owner)
        while True:
            await self.tick()
            await asyncio.sleep(self._limits.heartbeat_s)

    async def tick(self) -> None:
        """One heartbeat and one look for instances that nobody drives."""
        now_ms = self._clock.now_ms()
        async with self._db.transaction() as tx:
            await recovery.renew(tx, self.owner, now_ms + round(self._limits.lease_s * 1000))
            await recovery.forget_dead(tx, now_ms - round(60_000 * self._limits.lease_s))
        async with self._db.read() as tx:
            limit = self._limits.claims
            left = await recovery.orphans(tx, self.owner, now_ms, limit)
            lost = await recovery.own_running(
                tx, self.owner, now_ms - round(self._limits.lease_s * 1000)
            )
            due = await log.due(tx, now_ms, limit)
            self._gauges.needs_operator(await log.count_needing_operator(tx))
        own = [(one, self.owner) for one in lost if one not in self._tasks]
        for instance_id, dead_owner in [*left, *own]:
            await self._take_over(instance_id, machine.recover, dead_owner)
        for instance_id in due:
            await self._take_over(instance_id, machine.redrive, None)

    async def close(self) -> None:
        """Stops driving and gives the lease up, so that a successor need not wait for its end."""
        self._closed = True
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._wake_all()
        async with self._db.transaction() as tx:
            await recovery.release(tx, self.owner)

    def _begin(
        self, machine_name: str, business_key: str | None, params: Mapping[str, JsonValue]
    ) -> tuple[Instance, Event]:
        definition = self._machines.get(machine_name)
        if definition is None:
            raise Refused("SAGA_UNKNOWN", f"no machine {machine_name!r}", kind=Kind.NOT_FOUND)
        run = Run(definition, self._ids.new(), business_key)
        return Instance(run, epoch=1), machine.begin(run, _params(params))

    def _launch(self, instance: Instance, context: Context) -> None:
        instance_id = instance.run.instance_id
        if self._closed:
            return
        name = f"saga:{instance.run.machine.name}:{instance_id}"
        task = asyncio.get_running_loop().create_task(
            self._drive(instance), name=name, context=context
        )
        self._tasks[instance_id] = task

    async def _drive(self, instance: Instance) -> None:
        instance_id = instance.run.instance_id
        outcome: Outcome | None = None
        try:
            rest = await self._driver.drive(instance)
            outcome = self._ended(instance, rest)
        except Fenced as error:
            _log.warning("saga.fenced", instance_id=instance_id, reason=str(error))
        except DatabaseUnavailable as error:
            _log.error("saga.left_for_recovery", instance_id=instance_id, reason=str(error))
        except Exception:
            # The instance stays running in the log, and this engine's recovery finds it.
            _log.exception("saga.task_failed", instance_id=instance_id)
        finally:
            if self._tasks.get(instance_id) is asyncio.current_task():
                del self._tasks[instance_id]
            self._wake(instance_id, outcome)

    def _ended(self, instance: Instance, rest: Rest) -> Outcome | None:
        run = instance.run
        self._gauges.ended(run.machine.name, run.status, run.compensation)
        if rest.needs_operator:
            _log.error(
                "saga.needs_operator",
                instance_id=run.instance_id,
                machine=run.machine.name,
                business_key=run.business_key,
                status=run.status,
                compensation=run.compensation,
                error=run.thrown.code if run.thrown else "",
            )
        if rest.due_ms is not None:
            return None
        return outcome_of(run, needs_operator=rest.needs_operator)

    async def _operate(self, instance_id: str, decide: Decide, expected_seq: int | None) -> None:
        async with self._db.transaction() as tx:
            row = await self._claimable(tx, instance_id)
            instance = await self._load(tx, row)
            if expected_seq not in (None, instance.run.seq):
                raise VersionConflict(f"instance {instance_id} is at {instance.run.seq}")
            try:
                event = decide(instance.run)
            except _Unchanged:
                return
            await self._claim(tx, instance, event)

    async def _claimable(self, tx: Tx, instance_id: str) -> RowMapping:
        row = await log.machine_row(tx, instance_id)
        if row is None:
            raise NotFound(f"no saga instance {instance_id}")
        if row["running"]:
            lease = await recovery.lease_of(tx, row["owner"])
            alive = lease is not None and lease >= self._clock.now_ms()
            if alive or row["owner"] == self.owner:
                raise Refused("SAGA_RUNNING", f"instance {instance_id} is running")
        return row

    async def _take_over(self, instance_id: str, decide: Decide, dead_owner: str | None) -> None:
        """From a dead owner, or, without one, an instance at rest. Whoever is faster has it."""
        redrive = dead_owner is None
        try:
            async with self._db.transaction() as tx:
                row = await log.machine_row(tx, instance_id)
                if row is None or bool(row["running"]) is redrive:
                    return
                if row["owner"] != dead_owner and not redrive:
                    return
                instance = await self._load(tx, row)
                instance.redrives += redrive
                await self._claim(tx, instance, decide(instance.run))
        except Fenced:
            return
        except (Refused, LookupError) as error:
            _log.error("saga.not_recoverable", instance_id=instance_id, reason=str(error))
            return
        _log.info("saga.taken_over", instance_id=instance_id, redrive=redrive)

    async def _load(self, tx: Tx, row: RowMapping) -> Instance:
        """Folds the history. Raises LookupError for a machine that was not loaded."""
        name, version = row["name"], row["version"]
        definition = self._versions.get((name, version)) or self._machines[name]
        run = Run(definition, row["id"], row["business_key"])
        fold(run, [log.decode(one) for one in await log.history(tx, run.instance_id)])
        return Instance(run, row["epoch"], row["redrives"], row["started_at"])

    async def _claim(self, tx: Tx, instance: Instance, event: Event) -> None:
        instance.epoch += 1
        rest = self._driver.rest(instance, event)
        now_ms = self._clock.now_ms()
        row = loggable(instance.run, event) or event
        await log.claim(tx, instance, row, rest, owner=self.owner, at=now_ms)
        apply(instance.run, event)
        instance.run.seq += 1
        # The commit's callback runs in the context of whoever began its group.
        tx.after_commit(partial(self._launch, instance, copy_context()))

    async def _stored_outcome(self, instance_id: str) -> Outcome | None:
        async with self._db.read() as tx:
            row = await log.machine_row(tx, instance_id)
            if row is None:
                raise NotFound(f"no saga instance {instance_id}")
            settled = is_settled(row["status"], row["compensation"])
            if row["running"] or not (settled or row["needs_operator"]):
                return None
            run = (await self._load(tx, row)).run
        return outcome_of(run, needs_operator=bool(row["needs_operator"]))

    async def _next_outcome(self, instance_id: str, timeout_s: float) -> Outcome | None:
        """None when the time is up or the task ended without an outcome."""
        future: asyncio.Future[Outcome | None] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(instance_id, [])
        waiting.append(future)
        try:
            async with asyncio.timeout(timeout_s):
                return await future
        except TimeoutError:
            return None
        finally:
            if future in waiting:
                waiting.remove(future)
            if not waiting and self._waiting.get(instance_id) is waiting:
                del self._waiting[instance_id]

    def _wake(self, instance_id: str, outcome: Outcome | None) -> None:
        for future in self._waiting.pop(instance_id, ()):
            if not future.done():
                future.set_result(outcome)

    def _wake_all(self) -> None:
        for instance_id in list(self._waiting):
            self._wake(instance_id, None)


class _Unchanged(Exception):
    """Nothing to do: the instance is where the operation would bring it."""


def _forward(run: Run, params: Mapping[str, JsonValue]) -> Event:
    if run.status == "SU" and run.compensation is None:
        raise _Unchanged
    return machine.forward(run, params)


def _compensate(run: Run, params: Mapping[str, JsonValue]) -> Event:
    if run.compensation == "SU":
        raise _Unchanged
    return machine.compensate(run, params)


def _params(params: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    copied = plain(dict(params))
    if not isinstance(copied, dict):
        raise NotStorable("parameters are a map")
    return copied
