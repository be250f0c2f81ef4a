"""The service's database beside Temporal: intents, answers of local steps, and the saga's rows.

What Temporal decides is written here as the engine's own log has it, so lists, proofs and
operators read one book, and its primary key fences an instance that another engine took over.
"""

from __future__ import annotations

from collections.abc import Sequence

from kessai.kernel.db import Db, Tx
from kessai.kernel.errors import Duplicate, Fenced, NotFound, Refused
from kessai.kernel.telemetry import correlation_id, outgoing_headers
from kessai.saga.log import EventRow, Instance, MachineRow, SqlLog
from kessai.saga.log import statements as log_sql
from kessai.saga.log.rows import EVENT_FIELDS, EVENT_VALUES, MACHINE_FIELDS, MACHINE_VALUES
from kessai.saga.temporal import statements as sql
from kessai.saga.temporal.trees import Json, Tree

# Its instances have no heartbeat: Temporal drives them, so no engine may take them for abandoned.
FOR_EVER_MS = 253_402_300_799_000
_FORGOTTEN = 500


class Book:
    def __init__(self, db: Db, owner: str) -> None:
        self.owner = owner
        self.db = db
        self._log = SqlLog(db)

    async def register(self) -> None:
        async with self.db.transaction() as tx:
            if (await tx.run(log_sql.LEASE, {"o": self.owner})).scalar() is not None:
                return
            try:
                await tx.run(log_sql.REGISTER, {"owner": self.owner, "lease_until": FOR_EVER_MS})
            except Duplicate:
                return  # another process was faster

    # --- starts -----------------------------------------------------------------------------

    async def intend(self, tx: Tx, instance: Instance, at: int) -> Json:
        """In the transaction of whoever starts the saga. Returns the trail that its calls carry."""
        headers = outgoing_headers()
        trail = {
            "correlation": correlation_id()[:200],
            "traceparent": headers.get("traceparent", "")[:64],
        }
        values = {"machine_id": instance.run.instance_id, "at": at, **trail}
        await tx.run(sql.INTEND, values)
        return trail

    async def intents(self, before_ms: int, limit: int) -> Sequence[tuple[str, Json]]:
        async with self.db.read() as tx:
            rows = (await tx.run(sql.INTENTS, {"before": before_ms, "n": limit})).all()
        trails = ("correlation", "traceparent")
        return [(row["machine_id"], {name: row[name] for name in trails}) for row in rows]

    async def started(self, instance_id: str) -> None:
        async with self.db.transaction() as tx:
            await tx.run(sql.STARTED, {"m": instance_id})

    async def running(self, after: str, before_ms: int, limit: int) -> Sequence[str]:
        values = {"o": self.owner, "after": after, "before": before_ms, "n": limit}
        async with self.db.read() as tx:
            return [row["id"] for row in (await tx.run(sql.RUNNING, values)).all()]

    # --- answers of local steps ---------------------------------------------------------------

    async def answer(self, tx: Tx, instance_id: str, asked: str) -> str | None:
        found = await tx.run(sql.ANSWERED, {"m": instance_id, "asked": asked})
        data = found.scalar()
        return None if data is None else str(data)

    async def keep_answer(self, tx: Tx, instance_id: str, asked: str, data: str, at: int) -> None:
        """Raises `Duplicate` where another sending of the same question was faster."""
        values = {"machine_id": instance_id, "asked": asked, "at": at, "data": data}
        await tx.run(sql.ANSWER, values)

    async def forget_answers(self, before_ms: int) -> None:
        async with self.db.transaction() as tx:
            found = (await tx.run(sql.OLD_ANSWERS, {"before": before_ms, "n": _FORGOTTEN})).all()
            for row in found:
                await tx.run(sql.FORGET_ANSWER, {"m": row["machine_id"], "asked": row["asked"]})

    # --- the saga's rows ----------------------------------------------------------------------

    async def save(self, tree: Tree) -> None:
        """Rows that are there already are skipped: a save may be sent twice.

        Raises `Fenced` where another engine wrote meanwhile, `Refused` SAGA_DUPLICATE for the
        business key of a sub machine that is taken.
        """
        async with self.db.transaction() as tx:
            for machine in tree.machines:
                await self._save(tx, machine, tree.events.get(machine.id, ()))

    async def _save(self, tx: Tx, machine: MachineRow, events: Sequence[EventRow]) -> None:
        if not events:
            return
        first = events[0].seq
        values = {"m": machine.id, "first": first}
        there = {row["seq"]: row["epoch"] for row in (await tx.run(sql.EPOCHS, values)).all()}
        for one in events:
            if there.get(one.seq, one.epoch) != one.epoch:
                raise Fenced(f"instance {machine.id} was taken over")
        if len(there) > len(events):
            raise Fenced(f"instance {machine.id} was taken over")
        fresh = [one for one in events if one.seq not in there]
        if not fresh:
            return
        if fresh[0].seq == 1:
            await self._create(tx, machine)
        try:
            for one in fresh:
                row = dict(zip(EVENT_FIELDS, EVENT_VALUES(one), strict=True))
                await tx.run(log_sql.INSERT_EVENT, row)
        except Duplicate as error:
            raise Fenced(f"instance {machine.id} was taken over") from error
        await tx.run(sql.PUT_MACHINE, _put(machine, self.owner))

    async def _create(self, tx: Tx, machine: MachineRow) -> None:
        row = dict(zip(MACHINE_FIELDS, MACHINE_VALUES(machine), strict=True))
        try:
            await tx.run(log_sql.INSERT_MACHINE, row)
        except Duplicate as error:
            raise Refused("SAGA_DUPLICATE", f"{machine.name} was started") from error

    async def load(self, instance_id: str) -> Tree:
        """With its sub machines. Raises `NotFound`."""
        async with self.db.read() as tx:
            session = self._log.within(tx)
            row = await session.machine(instance_id)
            if row is None:
                raise NotFound(f"no saga instance {instance_id}")
            machines = [row]
            for one in machines:
                below = {"low": f"{one.id}:", "high": f"{one.id};"}
                for child in (await tx.run(log_sql.CHILDREN, below)).all():
                    found = await session.machine(child["id"])
                    if found is not None:
                        machines.append(found)
            events = {one.id: await session.history(one.id) for one in machines}
        return Tree(machines, events)


def _put(machine: MachineRow, owner: str) -> dict[str, object]:
    """Due again is running for others: nobody else may take it up meanwhile."""
    due = machine.due_at is not None
    return {
        "m": machine.id,
        "o": owner,
        "s": machine.status,
        "c": machine.compensation,
        "run": 1 if due else machine.running,
        "e": machine.epoch,
        "r": machine.redrives,
        "operator": machine.needs_operator,
        "ended": None if due else machine.ended_at,
    }
