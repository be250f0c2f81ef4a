"""News of alerts for the consoles of this instance: one reader of changes, many who follow it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

import structlog

from kessai.contracts.alert import AlertRow, AlertService, ChangesAfter
from kessai.kernel.bus import Record
from kessai.kernel.errors import Refused, Unknown

_log = structlog.get_logger(__name__)

# A record may be here before alert-service has its row, so it is looked for again, ever later.
SOON_S = 0.1
EVERY_S = 5.0
KEPT = 1_000
MAX_STREAMS = 200
MAX_STREAMS_OF_USER = 10


class AlertFeed:
    """The latest changes, bounded; whoever is further behind reads at alert-service.

    A follower keeps only how far it has read, so a slow one costs nothing and misses nothing: of
    an alert that changed often meanwhile it gets the newest state.
    """

    def __init__(self, alerts: AlertService) -> None:
        self._alerts = alerts
        self._recent: deque[AlertRow] = deque(maxlen=KEPT)
        # Every change beyond the floor, up to the head, lies in `_recent`. None: nobody has looked.
        self._floor: int | None = None
        self._head = 0
        self._streams: dict[str, int] = {}
        self._wake = asyncio.Event()
        self._pulse = asyncio.Event()
        self.is_closing = False

    @property
    def count(self) -> int:
        return sum(self._streams.values())

    @property
    def pulse(self) -> asyncio.Event:
        """Set at the next news; take it before reading, or news in between are waited for."""
        return self._pulse

    def admit(self, user_id: str) -> bool:
        mine = self._streams.get(user_id, 0)
        if self.is_closing or mine >= MAX_STREAMS_OF_USER or self.count >= MAX_STREAMS:
            return False
        if not self._streams:
            # Nobody read while nobody followed.
            self._floor = None
            self._recent.clear()
        self._streams[user_id] = mine + 1
        self._wake.set()
        return True

    def dismiss(self, user_id: str) -> None:
        left = self._streams[user_id] - 1
        if left:
            self._streams[user_id] = left
        else:
            del self._streams[user_id]

    async def on_record(self, _: Record) -> None:
        """Every instance reads the alerts' topic; what it says is read from alert-service."""
        self.nudge()

    def nudge(self) -> None:
        self._wake.set()

    def close(self) -> None:
        """The server stops: streams have no end of their own."""
        self.is_closing = True
        self._ring()

    async def watch(self) -> None:
        """Acts of people come without a record, from other instances too: hence the slow look."""
        pause_s = EVERY_S
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._wake.wait()
            pause_s = SOON_S if self._wake.is_set() else min(2 * pause_s, EVERY_S)
            self._wake.clear()
            if self._streams:
                await self._look()

    async def head(self) -> int:
        """How far changes go. Raises `Unknown`."""
        return (await self._alerts.list_changes(ChangesAfter())).change

    async def read(self, after: int) -> Sequence[AlertRow]:
        """Some of the changes beyond `after`, in their order. Raises `Unknown`."""
        if self._floor is None or after < self._floor:
            return (await self._alerts.list_changes(ChangesAfter(after=after))).alerts
        return [row for row in self._recent if row.change > after]

    async def _look(self) -> None:
        try:
            if self._floor is None:
                self._floor = self._head = await self.head()
            page = await self._alerts.list_changes(ChangesAfter(after=self._head))
        except (Refused, Unknown) as error:
            _log.warning("alerts.unread", code=error.code)
            return
        # Whoever follows now may have come meanwhile, after a time without anybody.
        if not page.alerts or self._floor is None:
            return
        for row in page.alerts:
            if len(self._recent) == KEPT:
                self._floor = self._recent[0].change
            self._recent.append(row)
        self._head = page.change
        # There may be more of them than one page.
        self._wake.set()
        self._ring()

    def _ring(self) -> None:
        self._pulse.set()
        self._pulse = asyncio.Event()
