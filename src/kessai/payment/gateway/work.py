"""Due-time work in SQL, with the time of the next row."""

from __future__ import annotations

from typing import cast

from sqlalchemy import Table, TextClause, bindparam, case, func, select, text

from kessai.kernel.db import Tx
from kessai.kernel.leases import Due, DueWork
from kessai.payment.domain.schedule import Lane
from kessai.payment.gateway.settlement_tables import FILE
from kessai.payment.gateway.tables import ATTEMPT, REFUND, WEBHOOK_INBOX

OTHERS_ONE_IN = 5


class SqlWork:
    """Build it once, as a module constant: a statement that is built anew is prepared anew."""

    def __init__(self, table: Table, *, where: TextClause | None = None) -> None:
        self._work = DueWork(table, where=where)
        due, leased = table.c.due_at_ms, table.c.lease_until_ms
        self._soonest = select(func.min(case((leased > due, leased), else_=due))).where(
            due <= bindparam("until_ms")
        )

    async def claim_due(
        self, tx: Tx, *, owner: str, lease_ms: int, now_ms: int, limit: int
    ) -> list[Due]:
        return await self._work.claim_due(
            tx, owner=owner, lease_ms=lease_ms, now_ms=now_ms, limit=limit
        )

    async def renew(self, tx: Tx, due: Due, *, lease_ms: int, now_ms: int) -> None:
        await self._work.renew(tx, due, lease_ms=lease_ms, now_ms=now_ms)

    async def finish(self, tx: Tx, due: Due, *, next_ms: int | None) -> None:
        await self._work.finish(tx, due, next_ms=next_ms)

    async def soonest(self, tx: Tx, until_ms: int) -> int | None:
        return cast(int | None, (await tx.run(self._soonest, {"until_ms": until_ms})).scalar())


_ANY_VISIT = SqlWork(ATTEMPT)
_FAST_VISIT = SqlWork(ATTEMPT, where=text(f"lane = {int(Lane.FAST)}"))


class Visits:
    """Attempts: the fast lane first, but one place in five is always that of the longest due.

    So ten thousand who are only watched cannot keep the one waiting who pays right now, and the
    other way round. Build one for each process: it counts the places.
    """

    def __init__(self) -> None:
        self._kept = 0
        self.renew = _ANY_VISIT.renew
        self.finish = _ANY_VISIT.finish
        self.soonest = _ANY_VISIT.soonest

    async def claim_due(
        self, tx: Tx, *, owner: str, lease_ms: int, now_ms: int, limit: int
    ) -> list[Due]:
        self._kept += limit
        kept, self._kept = divmod(self._kept, OTHERS_ONE_IN)
        fast: list[Due] = []
        if limit > kept:
            fast = await _FAST_VISIT.claim_due(
                tx, owner=owner, lease_ms=lease_ms, now_ms=now_ms, limit=limit - kept
            )
        if len(fast) == limit:
            return fast
        others = await _ANY_VISIT.claim_due(
            tx, owner=owner, lease_ms=lease_ms, now_ms=now_ms, limit=limit - len(fast)
        )
        return [*fast, *others]


WEBHOOK_WORK = SqlWork(WEBHOOK_INBOX)
REFUND_WORK = SqlWork(REFUND)
FILE_WORK = SqlWork(FILE)
