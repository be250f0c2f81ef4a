"""The log in memory: the same engine without a database; nothing outlives the process."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

from kessai.kernel.db import Tx
from kessai.kernel.errors import Duplicate, Fenced
from kessai.saga.history import Event
from kessai.saga.log.rows import (
    EventRow,
    Filter,
    Instance,
    MachineRow,
    Rest,
    change_of,
    encode,
    new_row,
)
from kessai.saga.log.sql import after_claim


class MemoryLog:
    """Session and log in one: without anything to wait for, every call is a transaction."""

    def __init__(self) -> None:
        self._machines: dict[str, MachineRow] = {}
        self._events: dict[str, list[tuple[Event, int, int]]] = {}
        self._keys: dict[tuple[str, str], str] = {}
        self._children: dict[str, str] = {}
        self._running: dict[str, None] = {}
        self._due: dict[str, int] = {}
        self._leases: dict[str, int] = {}

    @asynccontextmanager
    async def session(self) -> AsyncIterator[MemoryLog]:
        yield self

    reading = session

    def within(self, tx: Tx) -> MemoryLog:
        raise TypeError(f"a saga in memory has no part in {tx}")

    def transaction(self) -> AbstractAsyncContextManager[Tx]:
        raise TypeError("a saga in memory has no local steps")

    def after_commit(self, fn: Callable[[], None]) -> None:
        fn()

    async def create(self, instance: Instance, event: Event, *, owner: str, at: int) -> None:
        row = new_row(instance, event, owner=owner, at=at)
        if row.id in self._machines:
            raise Duplicate(f"instance {row.id} exists")
        if row.business_key is not None:
            key = (row.name, row.business_key)
            if key in self._keys:
                raise Duplicate(f"business key {row.business_key!r} has an instance")
            self._keys[key] = row.id
        self._put(row)
        if row.parent_id is not None:
            self._children[row.parent_id] = row.id
        self._events[row.id] = [(event, instance.epoch, at)]

    async def append(self, instance: Instance, event: Event, rest: Rest, *, at: int) -> None:
        instance_id = instance.run.instance_id
        history = self._events[instance_id]
        if len(history) != instance.run.seq:
            raise Fenced(f"instance {instance_id} has another owner")
        history.append((event, instance.epoch, at))
        self._change(instance_id, event, rest, at)

    async def claim(
        self, instance: Instance, event: Event, rest: Rest, *, owner: str, at: int
    ) -> None:
        instance_id = instance.run.instance_id
        row = self._machines[instance_id]
        if row.epoch != instance.epoch - 1 or len(self._events[instance_id]) != instance.run.seq:
            raise Fenced(f"instance {instance_id} was claimed")
        status, compensation = after_claim(instance.run, event)
        self._events[instance_id].append((event, instance.epoch, at))
        self._put(
            replace(
                row,
                owner=owner,
                epoch=instance.epoch,
                running=1,
                status=status,
                compensation=compensation,
                redrives=instance.redrives,
                due_at=None,
                needs_operator=0,
                ended_at=None,
            )
        )
        if "end" in event.body:
            self._change(instance_id, event, rest, at)

    def put_back(self, row: MachineRow, events: Sequence[EventRow]) -> None:
        """An instance as another log kept it."""
        self._put(row)
        if row.business_key is not None:
            self._keys[row.name, row.business_key] = row.id
        if row.parent_id is not None:
            self._children[row.parent_id] = row.id
        self._events[row.id] = [(one.event(), one.epoch, one.at) for one in events]

    async def machine(self, instance_id: str) -> MachineRow | None:
        return self._machines.get(instance_id)

    async def machine_by_key(self, name: str, business_key: str) -> MachineRow | None:
        return self._machines.get(self._keys.get((name, business_key), ""))

    async def child_of(self, parent_id: str) -> MachineRow | None:
        return self._machines.get(self._children.get(parent_id, ""))

    async def history(self, instance_id: str) -> Sequence[EventRow]:
        return self._rows(instance_id)

    def kept(self) -> Sequence[tuple[MachineRow, Sequence[EventRow]]]:
        """All of it, in the order in which it came."""
        return [(row, self._rows(row.id)) for row in self._machines.values()]

    def _rows(self, instance_id: str) -> Sequence[EventRow]:
        """Encoded only now: nobody reads the history of most instances."""
        kept = enumerate(self._events.get(instance_id, ()), 1)
        return [
            EventRow(instance_id, seq, epoch, one.kind, at, one.name, one.status, _text(one))
            for seq, (one, epoch, at) in kept
        ]

    async def epoch_at(self, instance_id: str, seq: int) -> int | None:
        history = self._events.get(instance_id, [])
        return history[seq - 1][1] if 0 < seq <= len(history) else None

    async def list(self, wanted: Filter) -> Sequence[MachineRow]:
        found: list[MachineRow] = []
        for instance_id in sorted(self._machines, reverse=True):
            if len(found) == wanted.limit:
                break
            if _fits(self._machines[instance_id], wanted):
                found.append(self._machines[instance_id])
        return found

    async def due(self, now_ms: int, limit: int) -> Sequence[str]:
        due = sorted((at, one) for one, at in self._due.items() if at <= now_ms)
        return [one for _, one in due[:limit]]

    async def count_needing_operator(self) -> int:
        return sum(row.needs_operator for row in self._machines.values())

    async def renew(self, owner: str, lease_until_ms: int) -> None:
        self._leases[owner] = lease_until_ms

    async def retire_predecessors(self, owner: str) -> None:
        name, _, _ = owner.rpartition("#")
        for other in self._leases:
            if other != owner and other.rpartition("#")[0] == name:
                self._leases[other] = 0

    async def forget_dead(self, now_ms: int) -> None:
        owners = {self._machines[one].owner for one in self._running}
        dead = [one for one, t in self._leases.items() if t < now_ms and one not in owners]
        for owner in dead:
            del self._leases[owner]

    async def lease_of(self, owner: str) -> int | None:
        return self._leases.get(owner)

    async def orphans(self, owner: str, now_ms: int, limit: int) -> Sequence[tuple[str, str]]:
        found = []
        for instance_id in sorted(self._running):
            other = self._machines[instance_id].owner
            if other != owner and self._leases.get(other, 0) < now_ms:
                found.append((instance_id, other))
        return found[:limit]

    async def own_running(self, owner: str, before_ms: int) -> Sequence[str]:
        rows = (self._machines[one] for one in sorted(self._running))
        return [row.id for row in rows if row.owner == owner and row.started_at < before_ms]

    async def purge(self, ended_before_ms: int, limit: int) -> int:
        old = [row for row in self._machines.values() if _is_old(row, ended_before_ms)]
        old.sort(key=lambda row: (row.ended_at or 0, row.id))
        pending = [row.id for row in old[:limit]]
        deleted = 0
        while pending:
            instance_id = pending.pop()
            pending += [
                child
                for parent, child in self._children.items()
                if parent.partition(":")[0] == instance_id
            ]
            row = self._machines.pop(instance_id)
            del self._events[instance_id]
            if row.business_key is not None:
                del self._keys[row.name, row.business_key]
            self._children.pop(row.parent_id or "", None)
            deleted += 1
        return deleted

    async def close(self) -> None:
        """Nothing is open."""

    def _put(self, row: MachineRow) -> None:
        self._machines[row.id] = row
        if row.running:
            self._running[row.id] = None
        else:
            self._running.pop(row.id, None)
        if row.due_at is not None:
            self._due[row.id] = row.due_at
        else:
            self._due.pop(row.id, None)

    def _change(self, instance_id: str, event: Event, rest: Rest, at: int) -> None:
        change = change_of(event, rest, at)
        if change is None:
            return
        ended = change.ended_at is not None
        row = self._machines[instance_id]
        self._put(
            replace(
                row,
                status=change.status,
                compensation=change.compensation,
                running=0 if ended else row.running,
                ended_at=change.ended_at,
                due_at=rest.due_ms,
                needs_operator=int(rest.needs_operator),
            )
        )


def _text(event: Event) -> str:
    """Of any length: it takes no place in a row."""
    return encode(event.body, sys.maxsize)


def _is_old(row: MachineRow, ended_before_ms: int) -> bool:
    settled = row.at_rest and not row.needs_operator and row.parent_id is None
    return settled and row.ended_at is not None and row.ended_at < ended_before_ms


def _fits(row: MachineRow, wanted: Filter) -> bool:
    return (
        wanted.status in (None, row.status)
        and wanted.compensation in (None, row.compensation)
        and wanted.machine in (None, row.name)
        and wanted.business_key in (None, row.business_key)
        and wanted.running in (None, bool(row.running))
        and wanted.needs_operator in (None, bool(row.needs_operator))
        and (wanted.before_id is None or row.id < wanted.before_id)
    )
