"""Webhooks are kept for whoever looks into a payment, not for good: each names an address."""

from __future__ import annotations

import asyncio

from kessai.kernel.clock import Clock
from kessai.kernel.db import Db
from kessai.kernel.errors import Unknown
from kessai.kernel.telemetry import get_log
from kessai.payment.application.ports import WebhookInbox
from kessai.payment.application.silence import Heard

LOOK_EVERY_S = 3600.0
# In one transaction, so that nobody who pays waits for it.
_ROWS = 500
_log = get_log("kessai.payment")


class Forgetting:
    """What a webhook was a reason to ask for is evidence by then, and evidence stays."""

    def __init__(
        self, db: Db, clock: Clock, webhooks: WebhookInbox, heard: Heard, *, keep_ms: int
    ) -> None:
        self._db = db
        self._clock = clock
        self._webhooks = webhooks
        self._heard = heard
        self._keep_ms = keep_ms

    async def run(self) -> None:
        """A loop for the Supervisor."""
        while True:
            try:
                await self.forget()
            except Unknown as error:
                _log.warning("webhooks.not_forgotten", code=error.code)
            await asyncio.sleep(LOOK_EVERY_S)

    async def forget(self) -> int:
        """How many were old enough, and nothing was to be done for them any more."""
        before_ms = self._clock.now_ms() - self._keep_ms
        forgotten = 0
        while True:
            async with self._db.transaction() as tx:
                # A silence is named after the last one of all.
                last_ms = await self._heard.last_heard_ms(tx)
                until_ms = before_ms if last_ms is None else min(before_ms, last_ms)
                count = await self._webhooks.forget(tx, until_ms, limit=_ROWS)
            forgotten += count
            if count < _ROWS:
                break
        if forgotten:
            _log.info("webhooks.forgotten", webhooks=forgotten)
        return forgotten
