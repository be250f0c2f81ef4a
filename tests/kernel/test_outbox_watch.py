"""Messages that wait too long are told past the outbox, once, and so is their end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from tests.support.kernel import FlakyBus, a_database
from tests.support.web import run_virtual

from kessai.kernel.bus import Message
from kessai.kernel.db import Db
from kessai.kernel.outbox import Lag, Outbox, OutboxLimits
from kessai.kernel.outbox_watch import OutboxWatch
from kessai.proof.virtual_time import VirtualClock


def tell(lags: bool, episode: str, _: Lag) -> Message:
    return Message("signals", "s", f"{'lags' if lags else 'gone'} {episode}".encode())


class LeapingClock(VirtualClock):
    leap = timedelta()

    def now(self) -> datetime:
        return super().now() + self.leap


class Place:
    def __init__(self, db: Db) -> None:
        self.db, self.bus, self.clock = db, FlakyBus(), LeapingClock()
        self.box = self.an_outbox()

    def an_outbox(self) -> Outbox:
        limits = OutboxLimits()
        return Outbox(self.db, self.bus, self.clock, service="s", owner="a", limits=limits)

    async def say(self, word: str) -> None:
        async with self.db.transaction() as tx:
            await self.box.add(tx, "orders", "k", word.encode(), event_id=word)

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        watch = OutboxWatch(self.box, self.bus, limit_s=60, tell=tell)
        task = asyncio.create_task(watch.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    @asynccontextmanager
    async def relayed(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.box.relay())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    @property
    def told(self) -> list[str]:
        return [one.value.decode() for one in self.bus.taken if one.topic == "signals"]


def on_a_place(tale: Callable[[Place], Awaitable[None]]) -> Callable[[], None]:
    def test() -> None:
        async def live() -> None:
            await tale(Place(await a_database()))

        run_virtual(live())

    test.__doc__, test.__name__ = tale.__doc__, tale.__name__
    return test


@on_a_place
async def test_messages_that_nobody_relays_are_told_once_and_then_that_they_left(
    place: Place,
) -> None:
    async with place.watched():
        await place.say("a")
        await asyncio.sleep(60)
        assert place.told == []
        await place.say("b")
        await asyncio.sleep(300)
        assert place.told == ["lags 1"]
        async with place.relayed():
            await asyncio.sleep(30)
        assert place.told == ["lags 1", "gone 1"]


@on_a_place
async def test_what_could_not_be_told_is_told_when_the_bus_is_back(place: Place) -> None:
    async with place.watched(), place.relayed():
        await place.say("a")
        await asyncio.sleep(5)
        place.bus.down = True
        await place.say("b")
        await asyncio.sleep(200)
        place.bus.down = False
        await asyncio.sleep(40)
        assert place.told == ["lags 2", "gone 2"]


@on_a_place
async def test_a_new_process_tells_the_end_of_what_an_old_one_told(place: Place) -> None:
    async with place.watched():
        await place.say("a")
        await asyncio.sleep(100)
    async with place.relayed():
        await asyncio.sleep(5)
    async with place.watched():
        await asyncio.sleep(60)
    assert place.told == ["lags 1", "gone 1"]


@on_a_place
async def test_a_clock_that_leaps_makes_nothing_late(place: Place) -> None:
    """Under traffic there is always a message that was written just before the leap."""
    async with place.watched(), place.relayed():
        await asyncio.sleep(9)
        place.bus.down = True
        await place.say("a")
        place.clock.leap = timedelta(hours=1)
        await asyncio.sleep(2)
        place.bus.down = False
        await asyncio.sleep(300)
        assert place.told == []
