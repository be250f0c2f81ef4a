"""Taking due rows of one table, and knowing when there will be some."""

from __future__ import annotations

from collections.abc import Sequence

from kessai.kernel.leases import Due
from kessai.payment.application.ports import Books, Work


class DueRows:
    def __init__(self, books: Books, work: Work, *, lease_ms: int) -> None:
        self._books = books
        self._work = work
        self._lease_ms = lease_ms

    async def claim(self, limit: int) -> Sequence[Due]:
        """Longest due first; the lease is committed before anybody works on them."""
        books = self._books
        now_ms = books.clock.now_ms()
        async with books.db.transaction() as tx:
            return await self._work.claim_due(
                tx, owner=books.owner, lease_ms=self._lease_ms, now_ms=now_ms, limit=limit
            )

    async def pause_s(self, at_most_s: float) -> float:
        """Until the next row is due and free; a row of another process may come sooner."""
        books = self._books
        now_ms = books.clock.now_ms()
        async with books.db.read() as tx:
            next_ms = await self._work.soonest(tx, now_ms + int(at_most_s * 1000))
        if next_ms is None:
            return at_most_s
        return min(at_most_s, max(0, next_ms - now_ms) / 1000)
