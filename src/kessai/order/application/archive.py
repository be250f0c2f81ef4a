"""The audit trail on a server of its own: entries wait with their order until they are kept there.

An entry is written in the transaction of its change, always. Where the trail is kept elsewhere,
that row waits; the order's events say that there is something to move, and rows that no event told
of are found by looking. A row goes when the archive has it, so a trail is whole at any time: what
is kept, and behind it what waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from kessai.contracts.order import AuditEntry
from kessai.kernel.clock import Clock
from kessai.kernel.db import Db
from kessai.kernel.errors import Unknown
from kessai.kernel.telemetry import get_log
from kessai.order.application.ports import (
    ArchiveBoard,
    AuditArchive,
    AuditRefused,
    AuditTrail,
    Limits,
)
from kessai.order.domain.audit import merged

CONSUMER = "order-service.audit"

_log = get_log("kessai.order")


class Archiving:
    def __init__(
        self,
        db: Db,
        trail: AuditTrail,
        archive: AuditArchive,
        board: ArchiveBoard | None,
        clock: Clock,
        limits: Limits,
    ) -> None:
        self._db = db
        self._trail = trail
        self._archive = archive
        self._board = board
        self._clock = clock
        self._limits = limits

    async def move(self, order_id: str) -> int:
        """Brings what waits of this order into the archive; returns how many entries.

        May be repeated and run side by side. Raises `Unknown`, and `AuditRefused`: then the
        rows stay where they are.
        """
        async with self._db.read() as tx:
            entries = await self._trail.read(tx, order_id)
        if not entries:
            return 0
        await self._archive.keep(entries)
        async with self._db.transaction() as tx:
            await self._trail.forget(tx, order_id, entries[-1].sequence)
        return len(entries)

    async def whole(self, order_id: str, waiting: Sequence[AuditEntry]) -> Sequence[AuditEntry]:
        """The trail of an order of which these rows still waited. Raises `Unknown`."""
        return merged(await self._archive.read(order_id), waiting)

    async def looking(self) -> None:
        """A loop: first for all that is there, then for what was late for its event."""
        late_ms = 0
        while True:
            await self.look(late_ms)
            late_ms = self._limits.archive_late_ms
            await asyncio.sleep(self._limits.archive_look_s)

    async def look(self, late_ms: int) -> int:
        """Moves the entries that have waited for so long; returns how many.

        An archive that does not answer ends the round, an order that it refuses is left out.
        """
        moved, after = 0, ""
        before_ms = self._clock.now_ms() - late_ms
        async with self._db.read() as tx:
            waiting = await self._trail.count(tx)
        if self._board is not None:
            self._board.waiting(waiting)
        while True:
            async with self._db.read() as tx:
                orders = await self._trail.waiting(
                    tx, before_ms, after, self._limits.rows_per_round
                )
            for order_id in orders:
                try:
                    moved += await self.move(order_id)
                except AuditRefused as refusal:
                    _log.error("order.audit_refused", order_id=order_id, why=str(refusal))
                except Unknown as error:
                    _log.warning("order.audit_waits", waiting=waiting, code=error.code)
                    return moved
            if not orders:
                return moved
            after = orders[-1]
