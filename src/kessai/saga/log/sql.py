"""The log through `kernel.db`: statements that run alike on SQLite and MySQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import cast

from kessai.kernel.db import Body as Transaction
from kessai.kernel.db import Db, Tx
from kessai.kernel.errors import Duplicate, Fenced
from kessai.saga.folding import apply_claim
from kessai.saga.history import Body, Event, Run
from kessai.saga.log import statements as sql
from kessai.saga.log.rows import (
    EVENT_FIELDS,
    EVENT_VALUES,
    MACHINE_FIELDS,
    MACHINE_VALUES,
    EventRow,
    Filter,
    Instance,
    MachineRow,
    Rest,
    change_of,
    event_row,
    new_row,
)


class SqlSession:
    """See `ports.Session`."""

    __slots__ = ("_tx",)

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    async def create(self, instance: Instance, event: Event, *, owner: str, at: int) -> None:
        row = new_row(instance, event, owner=owner, at=at)
        await self._tx.run(
            sql.INSERT_MACHINE, dict(zip(MACHINE_FIELDS, MACHINE_VALUES(row), strict=True))
        )
        await self._insert(event_row(instance, event, at))

    async def append(self, instance: Instance, event: Event, rest: Rest, *, at: int) -> None:
        try:
            await self._insert(event_row(instance, event, at))
        except Duplicate as error:
            raise Fenced(f"instance {instance.run.instance_id} has another owner") from error
        await self._change(instance, event, rest, at)

    async def claim(
        self, instance: Instance, event: Event, rest: Rest, *, owner: str, at: int
    ) -> None:
        run = instance.run
        try:
            await self._insert(event_row(instance, event, at))
        except Duplicate as error:
            raise Fenced(f"instance {run.instance_id} was claimed") from error
        status, compensation = after_claim(run, event)
        values = {
            "m": run.instance_id,
            "old": instance.epoch - 1,
            "new": instance.epoch,
            "o": owner,
            "s": status,
            "c": compensation,
            "r": instance.redrives,
        }
        if (await self._tx.run(sql.CLAIM, values)).rowcount != 1:
            raise Fenced(f"instance {run.instance_id} was claimed")
        if "end" in event.body:
            await self._change(instance, event, rest, at)

    async def machine(self, instance_id: str) -> MachineRow | None:
        return await self._one(sql.MACHINE, {"m": instance_id})

    async def machine_by_key(self, name: str, business_key: str) -> MachineRow | None:
        return await self._one(sql.BY_KEY, {"n": name, "k": business_key})

    async def child_of(self, parent_id: str) -> MachineRow | None:
        return await self._one(sql.CHILD, {"p": parent_id})

    async def history(self, instance_id: str) -> Sequence[EventRow]:
        rows = await self._tx.run(sql.HISTORY, {"m": instance_id})
        return [EventRow(*(row[name] for name in EVENT_FIELDS)) for row in rows.all()]

    async def epoch_at(self, instance_id: str, seq: int) -> int | None:
        rows = await self._tx.run(sql.EPOCH_AT, {"m": instance_id, "s": seq})
        return cast("int | None", rows.scalar())

    async def list(self, wanted: Filter) -> Sequence[MachineRow]:
        rows = await self._tx.run(sql.listing(wanted))
        return [MachineRow(*(row[name] for name in MACHINE_FIELDS)) for row in rows.all()]

    async def due(self, now_ms: int, limit: int) -> Sequence[str]:
        rows = await self._tx.run(sql.DUE, {"now": now_ms, "n": limit})
        return [row["id"] for row in rows.all()]

    async def count_needing_operator(self) -> int:
        return cast("int", (await self._tx.run(sql.COUNT_NEEDS_OPERATOR)).scalar())

    async def renew(self, owner: str, lease_until_ms: int) -> None:
        values = {"o": owner, "t": lease_until_ms}
        if (await self._tx.run(sql.RENEW, values)).rowcount == 0:
            await self._tx.run(sql.REGISTER, {"owner": owner, "lease_until": lease_until_ms})

    async def retire_predecessors(self, owner: str) -> None:
        name, _, _ = owner.rpartition("#")
        escaped = name.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        await self._tx.run(sql.PREDECESSORS, {"prefix": f"{escaped}#%", "o": owner})

    async def forget_dead(self, now_ms: int) -> None:
        # Found first, then deleted by key and in order: a DELETE that searches waits for rows that
        # other engines have just renewed, and they wait for it.
        found = (await self._tx.run(sql.DEAD, {"now": now_ms})).all()
        for owner in [row["owner"] for row in found]:
            await self._tx.run(sql.FORGET, {"o": owner, "now": now_ms})

    async def lease_of(self, owner: str) -> int | None:
        return cast("int | None", (await self._tx.run(sql.LEASE, {"o": owner})).scalar())

    async def orphans(self, owner: str, now_ms: int, limit: int) -> Sequence[tuple[str, str]]:
        rows = await self._tx.run(sql.ORPHANS, {"o": owner, "now": now_ms, "n": limit})
        return sorted((row["id"], row["owner"]) for row in rows.all())

    async def own_running(self, owner: str, before_ms: int) -> Sequence[str]:
        rows = await self._tx.run(sql.OWN, {"o": owner, "before": before_ms})
        return sorted(row["id"] for row in rows.all())

    async def purge(self, ended_before_ms: int, limit: int) -> int:
        rows = await self._tx.run(sql.OLD, {"before": ended_before_ms, "n": limit})
        pending = [row["id"] for row in rows.all()]
        deleted = 0
        while pending:
            instance_id = pending.pop()
            children = {"low": f"{instance_id}:", "high": f"{instance_id};"}
            rows = await self._tx.run(sql.CHILDREN, children)
            pending += [row["id"] for row in rows.all()]
            await self._tx.run(sql.DELETE_EVENTS, {"m": instance_id})
            await self._tx.run(sql.DELETE_MACHINE, {"m": instance_id})
            deleted += 1
        return deleted

    def after_commit(self, fn: Callable[[], None]) -> None:
        self._tx.after_commit(fn)

    async def _insert(self, row: EventRow) -> None:
        await self._tx.run(
            sql.INSERT_EVENT, dict(zip(EVENT_FIELDS, EVENT_VALUES(row), strict=True))
        )

    async def _change(self, instance: Instance, event: Event, rest: Rest, at: int) -> None:
        change = change_of(event, rest, at)
        if change is None:
            return
        if change.ended_at is None:
            values = {"m": instance.run.instance_id, "c": change.compensation}
            await self._tx.run(sql.COMPENSATING, values)
            return
        await self._tx.run(sql.END, sql.end_values(instance.run.instance_id, change))

    async def _one(self, statement: sql.Statement, values: dict[str, object]) -> MachineRow | None:
        row = (await self._tx.run(statement, values)).first()
        return None if row is None else MachineRow(*(row[name] for name in MACHINE_FIELDS))


def after_claim(run: Run, event: Event) -> tuple[str, str | None]:
    """Statuses that the machine row shows while the instance runs again."""
    from_claim = Run(run.machine, run.instance_id, status=run.status, compensation=run.compensation)
    only: Body = {key: event.body[key] for key in ("op", "at", "forward") if key in event.body}
    apply_claim(from_claim, only)
    if "undo" not in event.body:
        return from_claim.status, from_claim.compensation
    # What had succeeded or failed before stays so while it is undone.
    return "UN" if from_claim.status == "RU" else from_claim.status, "RU"


class SqlLog:
    """One transaction for each write; what makes them durable together is the database's."""

    def __init__(self, db: Db) -> None:
        self._db = db

    @asynccontextmanager
    async def session(self) -> AsyncIterator[SqlSession]:
        async with self._db.transaction() as tx:
            yield SqlSession(tx)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[SqlSession]:
        async with self._db.read() as tx:
            yield SqlSession(tx)

    def within(self, tx: Tx) -> SqlSession:
        return SqlSession(tx)

    def transaction(self) -> Transaction:
        return self._db.transaction()

    async def create(self, instance: Instance, event: Event, *, owner: str, at: int) -> None:
        async with self._db.transaction() as tx:
            await SqlSession(tx).create(instance, event, owner=owner, at=at)

    async def append(self, instance: Instance, event: Event, rest: Rest, *, at: int) -> None:
        async with self._db.transaction() as tx:
            await SqlSession(tx).append(instance, event, rest, at=at)

    async def close(self) -> None:
        """The database belongs to whoever opened it."""
