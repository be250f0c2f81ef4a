"""The grouped log on MySQL: one packet, one transaction, one answer (saga-log.md section 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from kessai.kernel.db import Batch, MySqlDb, RowsInsert, Statement
from kessai.saga.log.group import GroupLog, Item, Place
from kessai.saga.log.rows import EVENT_VALUES, MACHINE_VALUES, MachineRow
from kessai.saga.log.tables import SG_EVENT, SG_MACHINE

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


class MySqlLog(GroupLog):
    def __init__(self, db: MySqlDb) -> None:
        super().__init__(db)
        self._batch: Batch = db.batch()

    async def close(self) -> None:
        await super().close()
        await self._batch.close()

    async def send(self, items: Sequence[Item]) -> None:
        await self._batch.run(_statements(items))

    async def present(self, items: Sequence[Item]) -> Mapping[Place, int]:
        places = [part for item in items for part in (item.event.machine_id, item.event.seq)]
        rows = await self._batch.select(_PRESENT.format(_pairs(len(items))), places)
        found = cast("Sequence[tuple[str, int, int]]", rows)
        return {(machine_id, seq): epoch for machine_id, seq, epoch in found}

    async def taken(self, machines: Sequence[MachineRow]) -> Mapping[tuple[str, str], str]:
        keys = [part for one in machines for part in (one.name, one.business_key)]
        rows = await self._batch.select(_KEYS.format(_pairs(len(machines))), keys)
        found = cast("Sequence[tuple[str, str, str]]", rows)
        return {(name, key): instance_id for instance_id, name, key in found}


def _pairs(count: int) -> str:
    return ",".join(["(%s,%s)"] * count)


def _statements(items: Sequence[Item]) -> list[Statement]:
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


def _changes(items: Sequence[Item]) -> list[Statement]:
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
