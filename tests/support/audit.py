"""Audit trails of orders that nobody bought: with the orders, or moved to an archive."""

from __future__ import annotations

from collections.abc import Sequence

from kessai.contracts.order import AuditEntry
from kessai.kernel.clock import Clock, wire
from kessai.kernel.db import Db, open_database
from kessai.kernel.errors import JsonValue, Unknown
from kessai.kernel.migrations import migrate
from kessai.order.application.archive import Archiving
from kessai.order.application.ports import AuditArchive, AuditRefused, Limits
from kessai.order.domain.audit import chained
from kessai.order.domain.order import Fact, FactKind, Policy
from kessai.order.gateway.sides import SqlAuditTrail

LIMITS = Limits(Policy(deadline_ms=900_000, customer_refund_ms=1, code_lifetime_ms=1))


class MemoryArchive:
    """An archive of this process, which can be away and can refuse."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, int], AuditEntry] = {}
        self.is_away = False
        self.refuses: set[str] = set()

    async def keep(self, entries: Sequence[AuditEntry]) -> None:
        self._answer()
        for entry in entries:
            other = self.kept.setdefault((entry.order_id, entry.sequence), entry)
            if other.hash != entry.hash or entry.order_id in self.refuses:
                raise AuditRefused(f"{entry.order_id}: another entry {entry.sequence} is kept")

    async def read(self, order_id: str) -> Sequence[AuditEntry]:
        self._answer()
        return [entry for place, entry in self.kept.items() if place[0] == order_id]

    async def close(self) -> None:
        return None

    def _answer(self) -> None:
        if self.is_away:
            raise Unknown("AUDIT_UNAVAILABLE", "it is away")


class Seen:
    """What the board was told last."""

    def __init__(self) -> None:
        self.entries: int | None = None

    def waiting(self, entries: int) -> None:
        self.entries = entries


class Trails:
    """The trail as order-service uses it; `archive` is None where it lies with the orders."""

    def __init__(self, db: Db, archive: AuditArchive | None, clock: Clock) -> None:
        self.db = db
        self.rows = SqlAuditTrail()
        self.board = Seen()
        self._clock = clock
        self.archiving: Archiving | None = None
        if archive is not None:
            self.archiving = Archiving(db, self.rows, archive, self.board, clock, LIMITS)

    def now(self) -> str:
        return wire(self._clock.now_ms())

    async def write(self, entries: Sequence[AuditEntry]) -> None:
        async with self.db.transaction() as tx:
            await self.rows.append(tx, entries)

    async def grow(self, order_id: str, count: int, **values: JsonValue) -> list[AuditEntry]:
        """The next entries of an order, written now."""
        trail = await self.read(order_id)
        last = trail[-1] if trail else None
        entries = entries_of(
            order_id,
            count,
            at=self.now(),
            last_sequence=last.sequence if last else 0,
            last_hash=last.hash if last else "",
            **values,
        )
        await self.write(entries)
        return entries

    async def move(self, order_id: str) -> None:
        if self.archiving is not None:
            await self.archiving.move(order_id)

    async def read(self, order_id: str) -> Sequence[AuditEntry]:
        async with self.db.read() as tx:
            waiting = await self.rows.read(tx, order_id)
        if self.archiving is None:
            return waiting
        return await self.archiving.whole(order_id, waiting)

    async def count(self) -> int:
        async with self.db.read() as tx:
            return await self.rows.count(tx)


def entries_of(
    order_id: str,
    count: int,
    *,
    at: str = "2027-01-15T08:00:00.123Z",
    last_sequence: int = 0,
    last_hash: str = "",
    **values: JsonValue,
) -> list[AuditEntry]:
    return chained(
        [Fact(FactKind.ORDER, f"FACT_{n}", values) for n in range(count)],
        order_id=order_id,
        at=at,
        actor="花子",
        cause='a "cause" \\ 原因',
        last_sequence=last_sequence,
        last_hash=last_hash,
    )


async def open_trails(archive: AuditArchive | None, clock: Clock) -> Trails:
    db = await open_database("sqlite:")
    migrate(db, "order")
    return Trails(db, archive, clock)
