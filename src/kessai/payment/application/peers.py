"""The processes of this service on one database: they share the provider's quota and their work.

The quota is the merchant's, so each asks its part of it. What a process had taken when it was
killed is free as soon as the others notice, not when its leases run out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from kessai.kernel.clock import Clock
from kessai.kernel.db import Db, Tx
from kessai.kernel.telemetry import get_log

BEAT_S = 1.0
# Three beats: one that is late costs nobody a share.
DEAD_AFTER_S = 3.0
_log = get_log("kessai.payment")


class Presence(Protocol):
    """Who lives, by leases that each process prolongs."""

    async def show(self, tx: Tx, owner: str, *, now_ms: int, until_ms: int) -> int:
        """How many live now, this one included."""
        ...

    async def dead(self, tx: Tx, *, now_ms: int) -> list[str]:
        """Owners whose lease ran out and who were not buried yet."""
        ...

    async def bury(self, tx: Tx, owner: str, *, now_ms: int) -> bool:
        """False when it lives after all, or somebody else was faster."""
        ...


class Peers:
    """A newcomer may overdraw the quota for one beat; then PayPay's own 429 is what counts.

    `free`: gives back what an owner had taken; the fences move on, so should a process that was
    only slow come back, its results of that time are refused.
    """

    def __init__(
        self,
        db: Db,
        clock: Clock,
        presence: Presence,
        owner: str,
        *,
        free: Callable[[Tx, str], Awaitable[int]],
        share_among: Callable[[int], None],
        wake: Callable[[], None],
    ) -> None:
        self._db = db
        self._clock = clock
        self._presence = presence
        self._owner = owner
        self._free = free
        self._share_among = share_among
        self._wake = wake
        self._alive = 1

    async def run(self) -> None:
        """A loop for the Supervisor."""
        while True:
            await self.beat()
            await asyncio.sleep(BEAT_S)

    async def beat(self) -> None:
        now_ms = self._clock.now_ms()
        until_ms = now_ms + int(DEAD_AFTER_S * 1000)
        async with self._db.transaction() as tx:
            alive = await self._presence.show(tx, self._owner, now_ms=now_ms, until_ms=until_ms)
            dead = await self._presence.dead(tx, now_ms=now_ms)
        if alive != self._alive:
            _log.info("payment.quota_shared", processes=alive)
            self._alive = alive
            self._share_among(alive)
        for owner in dead:
            await self._bury(owner, now_ms)

    async def _bury(self, owner: str, now_ms: int) -> None:
        async with self._db.transaction() as tx:
            if not await self._presence.bury(tx, owner, now_ms=now_ms):
                return
            freed = await self._free(tx, owner)
            tx.after_commit(self._wake)
        _log.warning("payment.work_of_the_dead", owner=owner, rows=freed)
