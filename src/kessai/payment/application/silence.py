"""Whether the provider's webhooks still arrive, or payments are found by polling alone."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

from kessai.contracts.signals import WEBHOOK_SILENCE, WEBHOOKS_HEARD, source_signal
from kessai.kernel.clock import Clock
from kessai.kernel.db import Db, Tx
from kessai.kernel.errors import Unknown
from kessai.kernel.telemetry import get_log
from kessai.payment.application.ports import Events
from kessai.payment.application.present import SERVICE
from kessai.payment.domain.attempt import POLLED

LOOK_EVERY_S = 30.0
# Fewer may be found by polling by chance: one webhook that got lost is no silence.
FOUND_AT_LEAST = 5
_NEVER = "never"
_log = get_log("kessai.payment")


class Heard(Protocol):
    async def last_heard_ms(self, tx: Tx) -> int | None:
        """When any process last got a webhook about a payment of ours."""
        ...

    async def any_money(self, tx: Tx) -> bool:
        """Whether any payment was ever captured."""
        ...


class WebhookEar:
    """Silence is named after the last webhook, so that every process tells the same."""

    def __init__(
        self, db: Db, clock: Clock, heard: Heard, events: Events, *, window_s: float
    ) -> None:
        self._db = db
        self._clock = clock
        self._heard = heard
        self._events = events
        self._window_s = window_s
        self._found_s: deque[float] = deque(maxlen=FOUND_AT_LEAST)
        self._silence: str | None = None
        self._is_told = False

    def heard(self) -> None:
        self._found_s.clear()

    def found(self, channel: str | None) -> None:
        """A payment was proved; by what, is told by `channel`."""
        if channel == POLLED:
            self._found_s.append(self._clock.monotonic())

    async def remember(self) -> None:
        """Before any webhook can come in: a process that told of silence may have died before it
        could tell of the end."""
        async with self._db.read() as tx:
            if await self._heard.any_money(tx):
                self._silence = await self._last_before_window(tx)

    async def run(self) -> None:
        """A loop for the Supervisor."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self.look()
            except Unknown as error:
                _log.warning("webhooks.not_looked_at", code=error.code)

    async def look(self) -> None:
        is_enough = self._are_enough()
        if self._silence is None and not is_enough:
            return
        async with self._db.read() as tx:
            last = await self._last_before_window(tx)
        if last is None:
            if self._silence is not None:
                await self._tell(WEBHOOKS_HEARD, self._silence)
            self._silence, self._is_told = None, False
        elif is_enough and not self._is_told:
            await self._tell(WEBHOOK_SILENCE, last)
            self._silence, self._is_told = last, True
            _log.warning("webhooks.silent", last=last, window_s=self._window_s)

    def _are_enough(self) -> bool:
        found_s = self._found_s
        since_s = self._clock.monotonic() - self._window_s
        return len(found_s) == FOUND_AT_LEAST and found_s[0] >= since_s

    async def _last_before_window(self, tx: Tx) -> str | None:
        """The last webhook of all; None where one came within the window."""
        last_ms = await self._heard.last_heard_ms(tx)
        if last_ms is None:
            return _NEVER
        quiet_ms = self._clock.now_ms() - last_ms
        return str(last_ms) if quiet_ms >= self._window_s * 1000 else None

    async def _tell(self, name: str, silence: str) -> None:
        now_ms = self._clock.now_ms()
        signal = source_signal(name, SERVICE, silence, now_ms, windowS=self._window_s)
        async with self._db.transaction() as tx:
            await self._events.signal(tx, signal)
