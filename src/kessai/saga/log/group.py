"""The log on MySQL: one writer puts what all sagas of the process write into one transaction.

Measured: 0.2 instead of 10 statements a saga (saga-log.md section 2). The primary key is the fence,
so a zombie's row fails alone: its batch is undone, the row is sifted out, the others go again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from kessai.kernel.db import Batch, MySqlDb, RowsInsert, Statement
from kessai.kernel.errors import ConstraintViolated, DatabaseUnavailable, Duplicate, Fenced
from kessai.saga.history import Event
from kessai.saga.log.rows import (
    EVENT_VALUES,
    MACHINE_VALUES,
    Change,
    EventRow,
    Instance,
    MachineRow,
    Rest,
    change_of,
    event_row,
    new_row,
)
from kessai.saga.log.sql import SqlLog
from kessai.saga.log.tables import SG_EVENT, SG_MACHINE

MAX_ROWS = 500
MAX_BYTES = 4_000_000
# A batch is sent again after zombies were sifted out; each time at least one of them is gone.
MAX_SIFTS = MAX_ROWS + 1

_INSERT_EVENTS = RowsInsert(SG_EVENT)
_INSERT_MACHINES = RowsInsert(SG_MACHINE)
_COMPENSATING = "UPDATE sg_machine SET status='UN', compensation=%s WHERE id=%s"
_END = (
    "UPDATE sg_machine SET status=%s, compensation=%s, running=0, ended_at=%s,"
    " due_at=NULL, needs_operator=0 WHERE id IN ({})"
)
_END_WITH_REST = (
    "UPDATE sg_machine SET status=%s, compensation=%s, running=0, ended_at=%s,"
    " due_at=%s, needs_operator=%s WHERE id=%s"
)
_PRESENT = "SELECT machine_id, seq, epoch FROM sg_event WHERE (machine_id, seq) IN ({})"
_KEYS = "SELECT id, name, business_key FROM sg_machine WHERE (name, business_key) IN ({})"


@dataclass(slots=True, eq=False)
class _Item:
    event: EventRow
    machine: MachineRow | None
    change: Change | None
    done: asyncio.Future[None]

    @property
    def size(self) -> int:
        # Escaping may double a text, and the driver's packet is made of bytes.
        return 4 * len(self.event.data) + 400


class GroupLog(SqlLog):
    """Reads, claims and local steps go through `kernel.db`; creates and appends through one writer.

    No pause is needed to form groups: while one commits, the next one fills.
    """

    def __init__(self, db: MySqlDb) -> None:
        super().__init__(db)
        self._batch: Batch = db.batch()
        self._queue: deque[_Item] = deque()
        self._writer: asyncio.Task[None] | None = None

    async def create(self, instance: Instance, event: Event, *, owner: str, at: int) -> None:
        machine = new_row(instance, event, owner=owner, at=at)
        row = event_row(instance, event, at)
        await self._enqueue(row, machine, None)

    async def append(self, instance: Instance, event: Event, rest: Rest, *, at: int) -> None:
        await self._enqueue(event_row(instance, event, at), None, change_of(event, rest, at))

    async def close(self) -> None:
        if self._writer is not None:
            await asyncio.gather(self._writer, return_exceptions=True)
        await self._batch.close()

    async def _enqueue(
        self, event: EventRow, machine: MachineRow | None, change: Change | None
    ) -> None:
        loop = asyncio.get_running_loop()
        item = _Item(event, machine, change, loop.create_future())
        self._queue.append(item)
        if self._writer is None:
            self._writer = loop.create_task(self._write_all(), name="saga-log-writer")
        # A caller that gives up does not take its row back: it may be written already.
        await asyncio.shield(item.done)

    async def _write_all(self) -> None:
        """Ends when nothing is left, so a writer that fails cannot leave anybody waiting."""
        items: list[_Item] = []
        try:
            while self._queue:
                # The sagas that the last commit woke write their next rows first.
                await asyncio.sleep(0)
                items = self._cut()
                await self._write(items)
        except BaseException as error:
            for item in (*items, *self._queue):
                _reject(item, DatabaseUnavailable(f"the saga log's writer failed: {error!r}"))
            self._queue.clear()
            raise
        finally:
            self._writer = None

    def _cut(self) -> list[_Item]:
        items: list[_Item] = []
        size = 0
        while self._queue and len(items) < MAX_ROWS:
            size += self._queue[0].size
            if items and size > MAX_BYTES:
                break
            items.append(self._queue.popleft())
        return items

    async def _write(self, items: Sequence[_Item]) -> None:
        try:
            for _ in range(MAX_SIFTS):
                if not items:
                    return
                try:
                    await self._batch.run(_statements(items))
                except Duplicate:
                    items = await self._sift(items)
                    continue
                for item in items:
                    if not item.done.done():
                        item.done.set_result(None)
                return
            raise DatabaseUnavailable("the saga log's batch found no end")
        except ConstraintViolated as error:
            await self._write_halves(items, error)
        except DatabaseUnavailable as error:
            # The outcome is unknown: whoever sends a row again meets it, if it is there.
            for item in items:
                _reject(item, error)

    async def _write_halves(self, items: Sequence[_Item], error: ConstraintViolated) -> None:
        """Until the row that cannot be written stands alone."""
        if len(items) == 1:
            _reject(items[0], error)
            return
        middle = len(items) // 2
        await self._write(items[:middle])
        await self._write(items[middle:])

    async def _sift(self, items: Sequence[_Item]) -> list[_Item]:
        """Answers whoever is written already, is fenced, or has a taken key; returns the rest."""
        keys = [part for item in items for part in (item.event.machine_id, item.event.seq)]
        found = await self._batch.select(_PRESENT.format(_pairs(len(items))), keys)
        present = {(machine_id, seq): epoch for machine_id, seq, epoch in found}
        taken = await self._taken_keys(items)
        left = []
        for item in items:
            event, machine = item.event, item.machine
            epoch = present.get((event.machine_id, event.seq))
            holder = taken.get((machine.name, machine.business_key)) if machine else None
            if epoch == event.epoch:
                if not item.done.done():
                    item.done.set_result(None)
            elif epoch is not None:
                _reject(item, Fenced(f"instance {event.machine_id} has another owner"))
            elif holder is not None and holder != event.machine_id:
                _reject(item, Duplicate("the business key has an instance"))
            else:
                left.append(item)
        if len(left) == len(items):
            # Nobody is in the way any more: a transaction that was open has been undone.
            await asyncio.sleep(0.001)
        return left

    async def _taken_keys(self, items: Sequence[_Item]) -> dict[tuple[object, object], object]:
        named = [one for item in items if (one := item.machine) and one.business_key is not None]
        if not named:
            return {}
        keys = [part for one in named for part in (one.name, one.business_key)]
        rows = await self._batch.select(_KEYS.format(_pairs(len(named))), keys)
        return {(name, key): instance_id for instance_id, name, key in rows}


def _reject(item: _Item, error: Exception) -> None:
    if not item.done.done():
        item.done.set_exception(error)


def _pairs(count: int) -> str:
    return ",".join(["(%s,%s)"] * count)


def _statements(items: Sequence[_Item]) -> list[Statement]:
    """In one lock order: machines by key, events, then ends by id (saga-log.md section 6)."""
    machines = [item.machine for item in items if item.machine is not None]
    machines.sort(key=lambda one: (one.name, one.business_key or "", one.id))
    events = sorted((item.event for item in items), key=lambda one: (one.machine_id, one.seq))
    statements: list[Statement] = []
    if machines:
        statements.append(_INSERT_MACHINES([MACHINE_VALUES(one) for one in machines]))
    statements.append(_INSERT_EVENTS([EVENT_VALUES(one) for one in events]))
    statements.extend(_changes(items))
    return statements


def _changes(items: Sequence[_Item]) -> list[Statement]:
    statements: list[Statement] = []
    ends: dict[tuple[str, str | None], list[tuple[str, int]]] = {}
    changed = [(item.event.machine_id, item.change) for item in items if item.change is not None]
    for machine_id, change in sorted(changed, key=lambda one: one[0]):
        status, compensation, rest = change.status, change.compensation, change.rest
        if change.ended_at is None:
            statements.append((_COMPENSATING, (compensation, machine_id)))
        elif rest.due_ms is None and not rest.needs_operator:
            ends.setdefault((status, compensation), []).append((machine_id, change.ended_at))
        else:
            values = (status, compensation, change.ended_at, rest.due_ms, int(rest.needs_operator))
            statements.append((_END_WITH_REST, (*values, machine_id)))
    for (status, compensation), ended in ends.items():
        at = max(ended_at for _, ended_at in ended)
        ids = [machine_id for machine_id, _ in ended]
        text = _END.format(",".join(["%s"] * len(ids)))
        statements.append((text, (status, compensation, at, *ids)))
    return statements
