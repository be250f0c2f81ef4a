"""The grouped log on SQLite: the rows of many sagas in one statement each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kessai.saga.log import statements as sql
from kessai.saga.log.group import GroupLog, Item, Place
from kessai.saga.log.rows import (
    EVENT_FIELDS,
    EVENT_VALUES,
    MACHINE_FIELDS,
    MACHINE_VALUES,
    MachineRow,
)


class InlineLog(GroupLog):
    async def send(self, items: Sequence[Item]) -> None:
        machines = [item.machine for item in items if item.machine is not None]
        changes = [(item.event.machine_id, one) for item in items if (one := item.change)]
        async with self._db.transaction() as tx:
            if machines:
                rows = [
                    dict(zip(MACHINE_FIELDS, MACHINE_VALUES(one), strict=True)) for one in machines
                ]
                await tx.run(sql.INSERT_MACHINE, rows)
            events = [
                dict(zip(EVENT_FIELDS, EVENT_VALUES(item.event), strict=True)) for item in items
            ]
            await tx.run(sql.INSERT_EVENT, events)
            ends = [sql.end_values(machine_id, one) for machine_id, one in changes if one.ended_at]
            if ends:
                await tx.run(sql.END, ends)
            undoing = [
                {"m": machine_id, "c": one.compensation}
                for machine_id, one in changes
                if not one.ended_at
            ]
            if undoing:
                await tx.run(sql.COMPENSATING, undoing)

    async def present(self, items: Sequence[Item]) -> Mapping[Place, int]:
        found: dict[Place, int] = {}
        async with self.reading() as session:
            for item in items:
                place = (item.event.machine_id, item.event.seq)
                epoch = await session.epoch_at(*place)
                if epoch is not None:
                    found[place] = epoch
        return found

    async def taken(self, machines: Sequence[MachineRow]) -> Mapping[tuple[str, str], str]:
        found: dict[tuple[str, str], str] = {}
        async with self.reading() as session:
            for one in machines:
                holder = await session.machine_by_key(one.name, one.business_key or "")
                if holder is not None:
                    found[one.name, one.business_key or ""] = holder.id
        return found
