"""Brings sagas to Temporal: at once after the commit, and again until Temporal has them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import timedelta

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from kessai.kernel.clock import Clock
from kessai.kernel.errors import DatabaseUnavailable
from kessai.kernel.telemetry import get_log
from kessai.saga.language import Machine
from kessai.saga.language.model import SubStateMachine
from kessai.saga.limits import EngineLimits
from kessai.saga.log import MachineRow, encode
from kessai.saga.tasks import end_all
from kessai.saga.temporal.address import Address
from kessai.saga.temporal.book import Book
from kessai.saga.temporal.trees import Json, Tree
from kessai.saga.temporal.workflow import WORKFLOW, Given

RPC = timedelta(seconds=10)
_PAGE = 100
_AT_ONCE = 32
# Between the commit and the first look for what its own process did not bring to Temporal.
_PATIENCE_MS = 2_000
_LOST_PAGE = 20
_LOST_AFTER_MS = 60_000
NO_TRAIL: Json = {"correlation": "", "traceparent": ""}
_log = get_log("kessai.saga")


class Definitions:
    """What a workflow takes along: its machine and those that it calls."""

    def __init__(self, machines: Iterable[Machine]) -> None:
        loaded = tuple(machines)
        self._versions = {(one.name, one.version): one for one in loaded}
        self._newest = {one.name: one for one in loaded}
        self._texts = {id(one): encode(one.document) for one in loaded}

    def of(self, name: str, version: str) -> list[str]:
        """Raises LookupError for a machine that is not loaded here."""
        found: dict[str, Machine] = {}
        root = self._versions.get((name, version)) or self._newest[name]
        pending = [root]
        while pending:
            one = pending.pop(0)
            if one.name in found:
                continue
            found[one.name] = one
            called = [s.machine for s in one.states.values() if isinstance(s, SubStateMachine)]
            pending += [self._newest[name] for name in called if name in self._newest]
        return [self._texts[id(one)] for one in found.values()]


class Starter:
    def __init__(
        self,
        client: Client,
        address: Address,
        book: Book,
        definitions: Definitions,
        clock: Clock,
        limits: EngineLimits,
    ) -> None:
        self._client = client
        self._queue = address.queue
        self._book = book
        self._definitions = definitions
        self._clock = clock
        self._limits = limits
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._seen = ""
        self.waiting = 0

    def given(self, row: MachineRow, trail: Json, *, ordered: bool = False) -> Given:
        """Raises LookupError for a machine that is not loaded here."""
        return Given(
            instance_id=row.id,
            owner=self._book.owner,
            definitions=self._definitions.of(row.name, row.version),
            limits=asdict(self._limits),
            # A heartbeat may be late by as much as it takes to miss some.
            lease_s=2 * self._limits.lease_s,
            trail=trail,
            ordered=ordered,
        )

    def begin(self, tree: Tree, trail: Json) -> None:
        """Goes on by itself; what fails is left to `tick`."""
        instance_id = tree.machines[0].id
        if instance_id in self._tasks:
            return
        work = self._begin(tree, trail)
        task = asyncio.get_running_loop().create_task(work, name=f"saga-start:{instance_id}")
        self._tasks[instance_id] = task
        task.add_done_callback(lambda _: self._tasks.pop(instance_id, None))

    async def tick(self) -> None:
        """What waits for Temporal, oldest first."""
        before_ms = self._clock.now_ms() - _PATIENCE_MS
        intents = await self._book.intents(before_ms, _PAGE)
        self.waiting = len(intents)
        for instance_id, trail in intents:
            if instance_id not in self._tasks:
                self.begin(await self._book.load(instance_id), trail)
        if self._tasks and intents:
            await asyncio.wait(list(self._tasks.values()), timeout=RPC.total_seconds())

    async def look_for_lost(self, *, after_ms: int = _LOST_AFTER_MS) -> None:
        """A workflow that somebody ended, or a Temporal that lost its memory: begun anew from the
        rows that the database has. The steps are asked again under their old tokens.
        """
        before_ms = self._clock.now_ms() - after_ms
        found = await self._book.running(self._seen, before_ms, _LOST_PAGE)
        self._seen = found[-1] if found else ""
        for instance_id in found:
            try:
                await self._revive(instance_id)
            except (RPCError, LookupError) as error:
                _log.warning("saga.not_looked_at", instance_id=instance_id, reason=str(error))

    async def close(self) -> None:
        await end_all(list(self._tasks.values()))

    async def _begin(self, tree: Tree, trail: Json) -> None:
        row = tree.machines[0]
        try:
            if row.running:
                async with self._slots:
                    await self._start(row, tree, trail)
            await self._book.started(row.id)
        except (RPCError, DatabaseUnavailable) as error:
            _log.warning("saga.waits_for_temporal", instance_id=row.id, reason=str(error))
        except LookupError:
            _log.error("saga.not_startable", instance_id=row.id, machine=row.name)

    async def _start(self, row: MachineRow, tree: Tree, trail: Json) -> None:
        given = replace(self.given(row, trail), tree=tree.to_json())
        try:
            await self._client.start_workflow(
                WORKFLOW,
                given.to_json(),
                id=workflow_id(row),
                task_queue=self._queue,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                static_summary=f"{row.name} {row.business_key or row.id}",
                rpc_timeout=RPC,
            )
        except WorkflowAlreadyStartedError:
            return  # an answer that was lost, or another process

    async def _revive(self, instance_id: str) -> None:
        tree = await self._book.load(instance_id)
        row = tree.machines[0]
        if not row.running:
            return
        handle = self._client.get_workflow_handle(workflow_id(row))
        try:
            if (await handle.describe(rpc_timeout=RPC)).status is WorkflowExecutionStatus.RUNNING:
                return
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
        _log.error("saga.workflow_lost", instance_id=instance_id, machine=row.name)
        await self._client.start_workflow(
            WORKFLOW,
            self.given(row, NO_TRAIL).to_json(),
            id=workflow_id(row),
            task_queue=self._queue,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            rpc_timeout=RPC,
        )


def workflow_id(row: MachineRow) -> str:
    """Found by its business key, and unique where databases share a namespace."""
    return "/".join(filter(None, (row.name, row.business_key, row.id)))
