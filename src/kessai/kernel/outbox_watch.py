"""Whether a service's messages wait too long, told past the outbox that they wait in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from kessai.kernel.bus import Bus, Message
from kessai.kernel.errors import Unknown
from kessai.kernel.outbox import Lag, Outbox
from kessai.kernel.runtime import Runtime
from kessai.kernel.telemetry import get_log

LOOK_EVERY_S = 10.0
_log = get_log(__name__)
# Whether they lag (or have gone), the episode's first message, and what waits now.
Tell = Callable[[bool, str, Lag], Message]


class OutboxWatch:
    """An episode begins with the oldest message that is late, and ends when none is late.

    Late is what two looks in a row find late: a clock that leaps makes all old for a moment.
    Every process of a service tells the same by the same ids, so one is enough and more do no harm.
    What could not be told while the bus was away is told when it is back: first that messages
    lagged, then that they have gone.
    """

    def __init__(self, outbox: Outbox, bus: Bus, *, limit_s: float, tell: Tell) -> None:
        self._outbox = outbox
        self._bus = bus
        self._limit_s = limit_s
        self._tell = tell
        self._episode: str | None = None
        self._was_late = False
        self._pending: list[Message] = []

    async def run(self) -> None:
        """A loop for the Supervisor."""
        self._episode = await self._late_before()
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        try:
            self._judge(await self._outbox.lag())
            if self._pending:
                await self._bus.publish(self._pending)
                self._pending.clear()
        except Unknown as error:
            _log.warning("outbox.lag_not_told", code=error.code)

    def _judge(self, lag: Lag) -> None:
        is_late = lag.oldest_age_s > self._limit_s
        if is_late and self._was_late and self._episode is None:
            self._episode = str(lag.oldest_id)
            self._add(True, self._episode, lag)
            _log.warning("outbox.lags", messages=lag.messages, age_s=lag.oldest_age_s)
        elif not is_late and self._episode is not None:
            self._add(False, self._episode, lag)
            self._episode = None
        self._was_late = is_late

    async def _late_before(self) -> str | None:
        """A process that told of a lag may have died before it could tell of the end."""
        try:
            late_id = await self._outbox.last_late(self._limit_s)
        except Unknown:
            return None
        return None if late_id is None else str(late_id)

    def _add(self, lags: bool, episode: str, lag: Lag) -> None:
        self._pending.append(self._tell(lags, episode, lag))


def watch_outbox(runtime: Runtime, outbox: Outbox, tell: Tell) -> OutboxWatch:
    limit_s = runtime.settings.outbox_lag_s
    return OutboxWatch(outbox, runtime.bus, limit_s=limit_s, tell=tell)
