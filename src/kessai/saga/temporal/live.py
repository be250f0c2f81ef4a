"""Instances as they are now: a running one is asked for the rows that the database lacks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.service import RPCError

from kessai.kernel.clock import Clock
from kessai.kernel.errors import NotFound
from kessai.kernel.telemetry import get_log
from kessai.saga.language import Machine
from kessai.saga.log import EventRow, MachineRow, Session, SqlLog
from kessai.saga.records import Record, Records
from kessai.saga.temporal.book import Book
from kessai.saga.temporal.starting import workflow_id
from kessai.saga.temporal.trees import Tree
from kessai.saga.temporal.workflow import TREE

_LIMIT = timedelta(seconds=3)
_log = get_log("kessai.saga")


class LiveRecords(Records):
    def __init__(
        self, client: Client, book: Book, log: SqlLog, machines: Iterable[Machine], clock: Clock
    ) -> None:
        super().__init__(log, machines, clock)
        self._client = client
        self._book = book

    async def find(self, instance_id: str) -> Record:
        tree = await self._tree(instance_id)
        async with self._log.reading() as session:
            seen = Overlay(session, tree)
            row = await seen.machine(instance_id)
            if row is None:
                raise NotFound(f"no saga instance {instance_id}")
            return await self.record_of(seen, row)

    async def _tree(self, instance_id: str) -> Tree:
        """Nothing where the database has it all, or Temporal does not say more."""
        root = await self._root(instance_id)
        if root.owner != self._book.owner or not root.running:
            return Tree([], {})
        handle = self._client.get_workflow_handle(workflow_id(root))
        try:
            answer: dict[str, Any] = await handle.query(TREE, rpc_timeout=_LIMIT)
        except (RPCError, WorkflowQueryFailedError) as error:
            _log.warning("saga.not_asked", instance_id=instance_id, reason=str(error))
            return Tree([], {})
        return Tree.from_json(answer)

    async def _root(self, instance_id: str) -> MachineRow:
        async with self._log.reading() as session:
            while True:
                row = await session.machine(instance_id)
                if row is None:
                    raise NotFound(f"no saga instance {instance_id}")
                if row.parent_id is None:
                    return row
                instance_id = row.parent_id.partition(":")[0]


class Overlay:
    """A reading of the database in which the rows of one tree are newer."""

    def __init__(self, session: Session, tree: Tree) -> None:
        self._session = session
        self._machines = {one.id: one for one in tree.machines}
        self._children = {one.parent_id: one for one in tree.machines if one.parent_id}
        self._events = tree.events

    async def machine(self, instance_id: str) -> MachineRow | None:
        return self._machines.get(instance_id) or await self._session.machine(instance_id)

    async def child_of(self, parent_id: str) -> MachineRow | None:
        return self._children.get(parent_id) or await self._session.child_of(parent_id)

    async def history(self, instance_id: str) -> Sequence[EventRow]:
        return self._events.get(instance_id) or await self._session.history(instance_id)

    async def lease_of(self, owner: str) -> int | None:
        return await self._session.lease_of(owner)
