"""The engine's port on Temporal: starts with the caller's transaction, runs a worker, steers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from functools import partial

from temporalio.client import (
    Client,
    RPCError,
    RPCTimeoutOrCancelledError,
    WithStartWorkflowOperation,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from kessai.kernel.clock import Clock
from kessai.kernel.db import Db, Tx
from kessai.kernel.errors import DatabaseUnavailable, Duplicate, JsonValue, Kind, Refused, Unknown
from kessai.kernel.telemetry import get_log
from kessai.saga.driver import Classify
from kessai.saga.engine import Engine
from kessai.saga.folding import loggable
from kessai.saga.history import Event, Operation, Run
from kessai.saga.language import DefinitionError, Machine
from kessai.saga.limits import EngineLimits
from kessai.saga.log import Filter, MachineRow, SqlLog
from kessai.saga.log.rows import event_row, new_row
from kessai.saga.outcome import Outcome
from kessai.saga.records import Records
from kessai.saga.services import Services, classify, plain
from kessai.saga.steering import NO_ORDER, Order
from kessai.saga.temporal.activities import Activities
from kessai.saga.temporal.address import Address
from kessai.saga.temporal.book import Book
from kessai.saga.temporal.live import LiveRecords
from kessai.saga.temporal.news import News
from kessai.saga.temporal.opening import connect
from kessai.saga.temporal.starting import NO_TRAIL, RPC, Definitions, Starter, workflow_id
from kessai.saga.temporal.trees import Json, Tree
from kessai.saga.temporal.workflow import STEER, WORKFLOW, SagaWorkflow

Params = Mapping[str, JsonValue]
_NO_PARAMS: Params = {}
_TIDY_S = 30.0
_ANSWERS_KEPT_MS = 3_600_000
_STICKY_S = 5.0
_log = get_log("kessai.saga")


class TemporalEngine:
    """See `engine.Engine`. An instance stays with the engine that began it: `before` is the one of
    the service's own database, and goes on with what it has.
    """

    def __init__(
        self,
        client: Client,
        address: Address,
        before: Engine,
        db: Db,
        services: Mapping[str, object],
        machines: Iterable[Machine],
        clock: Clock,
        limits: EngineLimits,
        *,
        classify: Classify = classify,
    ) -> None:
        loaded = tuple(machines)
        if quiet := [one.name for one in loaded if not one.document]:
            raise DefinitionError(f"Temporal needs the document of {', '.join(quiet)}")
        self.client = client
        self._address = address
        self._before = before
        self._clock = clock
        self._limits = limits
        self._log = SqlLog(db)
        self._book = Book(db, owner_of(address))
        self._news = News()
        self.starter = Starter(client, address, self._book, Definitions(loaded), clock, limits)
        self._activities = Activities(
            self._book, Services(services, loaded), clock, classify, limits.lease_s, self._saved
        )
        self.records = LiveRecords(client, self._book, self._log, loaded, clock)

    # --- starting ---------------------------------------------------------------------------

    async def start(
        self, tx: Tx, machine_name: str, business_key: str | None, params: Params | None
    ) -> str:
        """Writes the instance and the intent to run it in the caller's transaction."""
        instance, event = self._before.draft(machine_name, business_key, params)
        row, _ = loggable(instance.run, event)
        if row is None:
            text = f"{machine_name} has IsPersist false, and Temporal keeps everything"
            raise Refused("SAGA_NOT_DURABLE", text, kind=Kind.INVALID)
        at = instance.started_at
        session = self._log.within(tx)
        try:
            await session.create(instance, row, owner=self._book.owner, at=at)
        except Duplicate as error:
            facts = {"machine": machine_name, "businessKey": business_key}
            raise Refused("SAGA_DUPLICATE", f"{machine_name} was started", facts=facts) from error
        machine = new_row(instance, row, owner=self._book.owner, at=at)
        if machine.running:
            tree = Tree([machine], {machine.id: [event_row(instance, row, at)]})
            trail = await self._book.intend(tx, instance, at)
            tx.after_commit(partial(self.starter.begin, tree, trail))
        return machine.id

    async def start_once(self, tx: Tx, machine_name: str, business_key: str, params: Params) -> str:
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
        """As `start`, without a transaction of the caller."""
        async with self._book.db.transaction() as tx:
            return await self.start(tx, machine_name, business_key, params)

    async def execute(
        self,
        machine_name: str,
        params: Params,
        *,
        business_key: str | None = None,
        timeout_s: float | None = None,
    ) -> Outcome | None:
        """Starts an instance and waits for its end; None when the time was up first."""
        instance_id = await self.begin(machine_name, params, business_key=business_key)
        return await self.wait(instance_id, timeout_s)

    # --- looking ----------------------------------------------------------------------------

    async def find(self, machine_name: str, business_key: str) -> str | None:
        return await self._before.find(machine_name, business_key)

    async def list(self, wanted: Filter) -> Sequence[MachineRow]:
        return await self._before.list(wanted)

    async def wait(self, instance_id: str, timeout_s: float | None) -> Outcome | None:
        """The outcome once nothing moves by itself any more; None while it still does."""
        loop = asyncio.get_running_loop()
        deadline = None if timeout_s is None else loop.time() + timeout_s
        while True:
            with self._news.of(instance_id) as news:
                outcome = await self._before.stored_outcome(instance_id)
                if outcome is not None:
                    return outcome
                left_s = None if deadline is None else deadline - loop.time()
                if left_s is not None and left_s <= 0:
                    return None
                poll_s = self._limits.poll_s
                await asyncio.wait(
                    [news], timeout=poll_s if left_s is None else min(left_s, poll_s)
                )

    async def inspect(self, instance_id: str) -> tuple[MachineRow, Run, Sequence[Event]]:
        record = await self.records.find(instance_id)
        if record.run is None:
            raise LookupError(f"machine {record.row.name!r} is not loaded")
        return record.row, record.run, [one.event() for one in record.events]

    # --- steering ---------------------------------------------------------------------------

    async def forward(
        self, instance_id: str, params: Params = _NO_PARAMS, *, order: Order = NO_ORDER
    ) -> bool:
        return await self._steer(Operation.FORWARD, instance_id, params, order)

    async def compensate(
        self, instance_id: str, params: Params = _NO_PARAMS, *, order: Order = NO_ORDER
    ) -> bool:
        return await self._steer(Operation.COMPENSATE, instance_id, params, order)

    async def skip(
        self, instance_id: str, params: Params = _NO_PARAMS, *, order: Order = NO_ORDER
    ) -> bool:
        return await self._steer(Operation.SKIP, instance_id, params, order)

    # --- living -----------------------------------------------------------------------------

    async def run(self) -> None:
        """The worker, the starter, and the engine of before; ends only by being cancelled."""
        await self._book.register()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._worker().run(), name="saga-worker")
            tasks.create_task(self._start_for_ever(), name="saga-starter")
            tasks.create_task(self._tidy_for_ever(), name="saga-tidy")
            tasks.create_task(self._before.run(), name="saga-before")

    async def tick(self) -> None:
        await self.starter.tick()

    async def close(self) -> None:
        await self.starter.close()
        await self._before.close()

    # --- within -----------------------------------------------------------------------------

    def _worker(self) -> Worker:
        return Worker(
            self.client,
            task_queue=self._address.queue,
            workflows=[SagaWorkflow],
            activities=self._activities.all(),
            # The house's own rules keep clocks, chance and threads out of what it runs.
            workflow_runner=UnsandboxedWorkflowRunner(),
            max_concurrent_activities=self._limits.calls,
            # After a crash the next worker gets its workflows no later than this.
            sticky_queue_schedule_to_start_timeout=timedelta(seconds=_STICKY_S),
            max_heartbeat_throttle_interval=timedelta(seconds=self._limits.lease_s / 3),
            default_heartbeat_throttle_interval=timedelta(seconds=self._limits.lease_s / 3),
        )

    async def _start_for_ever(self) -> None:
        while True:
            try:
                await self.starter.tick()
            except DatabaseUnavailable as error:
                _log.warning("saga.engine_waits", reason=str(error))
            await asyncio.sleep(self._limits.heartbeat_s)

    async def _tidy_for_ever(self) -> None:
        while True:
            await asyncio.sleep(_TIDY_S)
            try:
                await self.starter.look_for_lost()
                await self._book.forget_answers(self._clock.now_ms() - _ANSWERS_KEPT_MS)
            except DatabaseUnavailable as error:
                _log.warning("saga.engine_waits", reason=str(error))

    def _saved(self, tree: Tree) -> None:
        for row in tree.machines:
            if row.parent_id is None and not row.running and row.due_at is None:
                self._before.gauges.ended(row.name, row.status, row.compensation)
                self._news.tell(row.id)
                if row.needs_operator:
                    _log.error(
                        "saga.needs_operator",
                        instance_id=row.id,
                        machine=row.name,
                        business_key=row.business_key,
                        status=row.status,
                        compensation=row.compensation,
                    )

    async def _steer(
        self, operation: Operation, instance_id: str, params: Params, order: Order
    ) -> bool:
        row = await self._row(instance_id)
        if row.owner != self._book.owner:
            steer = getattr(self._before, operation.value)
            changed: bool = await steer(instance_id, params, order=order)
            return changed
        if row.parent_id is not None:
            text = "on Temporal a sub machine is steered through the saga that called it"
            raise Refused("OPERATION_DENIED", text)
        by = None
        if order is not NO_ORDER:
            by = {"actor": order.actor, "reason": order.reason, "version": order.version}
        asked = {"operation": operation.value, "params": plain(dict(params)), "by": by}
        answer = await self._ordered(row, asked)
        if "refused" in answer:
            kind = Kind(answer["kind"])
            raise Refused(answer["refused"], answer["message"], kind=kind)
        return bool(answer["changed"])

    async def _row(self, instance_id: str) -> MachineRow:
        return (await self._book.load(instance_id)).machines[0]

    async def _ordered(self, row: MachineRow, asked: Json) -> Json:
        """To the workflow that is open; one that has ended is opened again from its rows."""
        opening: WithStartWorkflowOperation[SagaWorkflow, Json] = WithStartWorkflowOperation(
            WORKFLOW,
            self.starter.given(row, NO_TRAIL, ordered=True).to_json(),
            id=workflow_id(row),
            task_queue=self._address.queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        )
        try:
            answer: Json = await self.client.execute_update_with_start_workflow(
                STEER, asked, start_workflow_operation=opening, rpc_timeout=RPC
            )
        except WorkflowUpdateFailedError as error:
            raise Refused("SAGA_RUNNING", f"instance {row.id} was taken over") from error
        except (
            RPCError,
            RPCTimeoutOrCancelledError,
            WorkflowUpdateRPCTimeoutOrCancelledError,
        ) as error:
            text = f"Temporal did not answer for instance {row.id}: {error}"
            raise Unknown("TEMPORAL_UNAVAILABLE", text) from error
        return answer


class Attached:
    """See `loading.Attach`."""

    def __init__(self, client: Client, address: Address) -> None:
        self._client = client
        self._address = address

    def engine(
        self,
        before: Engine,
        db: Db,
        services: Mapping[str, object],
        machines: Iterable[Machine],
        clock: Clock,
        limits: EngineLimits,
    ) -> TemporalEngine:
        return TemporalEngine(
            self._client,
            self._address,
            before,
            db,
            services,
            machines,
            clock,
            limits,
        )

    def records(self, db: Db, machines: Iterable[Machine], clock: Clock) -> Records:
        book = Book(db, owner_of(self._address))
        return LiveRecords(self._client, book, SqlLog(db), machines, clock)


async def attach(url: str) -> Attached:
    """Raises `ValueError` with a line for people."""
    client, address = await connect(url)
    return Attached(client, address)


def owner_of(address: Address) -> str:
    return f"temporal:{address.namespace}"
