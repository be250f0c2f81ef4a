"""`LocalBus`: publishes into the log, wakes consumers, trims, and revives dead letters."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial

from kessai.kernel.bus import (
    DEAD_LETTERS,
    REDRIVE_GROUP,
    Consumer,
    Handle,
    Message,
    Record,
    partition_of,
    revived,
)
from kessai.kernel.clock import Clock
from kessai.kernel.db import Db, open_database
from kessai.kernel.errors import Unknown
from kessai.kernel.local_bus import groups, log
from kessai.kernel.local_bus.consumer import LocalConsumer
from kessai.kernel.local_bus.groups import Start
from kessai.kernel.local_bus.limits import BusLimits
from kessai.kernel.local_bus.log import Place
from kessai.kernel.local_bus.tables import create_or_check
from kessai.kernel.local_bus.tails import Tails
from kessai.kernel.local_bus.watch import Watch
from kessai.kernel.telemetry import get_log

_log = get_log(__name__)


async def open_local_bus(
    path: str | None,
    clock: Clock,
    *,
    partitions: int,
    instance: str,
    limits: BusLimits | None = None,
) -> LocalBus:
    """`path` None keeps the log in memory. Processes that share a file differ in `instance`."""
    db = await open_database(f"sqlite:///{path}" if path else "sqlite:")
    return LocalBus(
        db,
        clock,
        partitions=partitions,
        instance=instance,
        limits=limits,
        path=path,
    )


class LocalBus:
    """Owns `db` and closes it. `path` is its file when other processes may publish into it."""

    def __init__(
        self,
        db: Db,
        clock: Clock,
        *,
        partitions: int,
        instance: str,
        limits: BusLimits | None = None,
        path: str | None = None,
    ) -> None:
        self.db = db
        self.clock = clock
        self.partitions = partitions
        self.limits = limits or BusLimits()
        self.tails = Tails()
        self._instance = instance
        self._seats: set[tuple[str, str]] = set()
        self._running = 0
        self._tending: asyncio.Task[None] | None = None
        db.migrate(create_or_check)
        self._watch = Watch(path) if path else None

    async def publish(self, messages: Sequence[Message]) -> None:
        if not messages:
            return
        batch = self._by_place(messages)
        async with self.db.transaction() as tx:
            heads = await log.append(tx, batch, self.clock.now_ms(), self.partitions)
            tx.after_commit(partial(self.tails.advance, heads))

    async def publish_once(
        self, messages: Mapping[str, Message], group: str, positions: Mapping[Place, int]
    ) -> None:
        """Those, by the ids of their events, that were not published before.

        What `group` has handled is written in the same transaction.
        """
        now_ms = self.clock.now_ms()
        async with self.db.transaction() as tx:
            fresh = [
                message
                for event_id, message in messages.items()
                if await log.is_new(tx, message.topic, event_id, now_ms)
            ]
            await groups.open_claims(tx, group, list(positions), "earliest", now_ms)
            for place, position in positions.items():
                await groups.move(tx, group, place, position, now_ms)
            if fresh:
                heads = await log.append(tx, self._by_place(fresh), now_ms, self.partitions)
                tx.after_commit(partial(self.tails.advance, heads))

    async def read(self, place: Place, position: int, limit: int) -> list[Record]:
        """For who keeps positions of its own; a trimmed past is passed over."""
        async with self.db.read() as tx:
            return await log.read(tx, place, position, limit)

    def _by_place(self, messages: Sequence[Message]) -> dict[Place, list[Message]]:
        batch: dict[Place, list[Message]] = {}
        for message in messages:
            place = message.topic, partition_of(message.key, self.partitions)
            batch.setdefault(place, []).append(message)
        return batch

    def consumer(
        self,
        group: str,
        topics: Sequence[str],
        handle: Handle,
        *,
        start: Start = "earliest",
        at_once: int = 1,
    ) -> Consumer:
        return LocalConsumer(self, group, topics, handle, start, at_once)

    async def lag(self, group: str) -> Mapping[str, int]:
        async with self.db.read() as tx:
            return await groups.lag(tx, group)

    async def redrive(self, topic: str, *, limit: int = 1000) -> int:
        """Reading on and publishing again are one transaction: no letter goes out twice."""
        letters = topic + DEAD_LETTERS
        places = [(letters, p) for p in range(self.partitions)]
        now_ms = self.clock.now_ms()
        async with self.db.transaction() as tx:
            await groups.open_claims(tx, REDRIVE_GROUP, places, "earliest", now_ms)
            messages: list[Message] = []
            for place in places:
                at = await groups.position(tx, REDRIVE_GROUP, place)
                records = await log.read(tx, place, at, limit - len(messages))
                messages += [one for record in records if (one := revived(record)) is not None]
                if records:
                    following = records[-1].offset + 1
                    await groups.move(tx, REDRIVE_GROUP, place, following, now_ms)
            if messages:
                batch = self._by_place(messages)
                heads = await log.append(tx, batch, now_ms, self.partitions)
                tx.after_commit(partial(self.tails.advance, heads))
        return len(messages)

    async def trim(self) -> int:
        """Drops records past their keeping time, a limited number; returns how many."""
        now_ms = self.clock.now_ms()
        async with self.db.read() as tx:
            places = await log.heads(tx)
        dropped = 0
        for place in places:
            async with self.db.transaction() as tx:
                dropped += await log.trim(tx, place, self.limits, now_ms)
        async with self.db.transaction() as tx:
            await log.forget_groups(tx, now_ms - int(self.limits.keep_group_s * 1000))
            # A record outlives its keeping time where a group is slow; its id does by far.
            await log.forget_once(tx, now_ms - int(2 * self.limits.keep_s * 1000))
        return dropped

    async def refresh(self) -> None:
        """Learns what other processes have appended."""
        async with self.db.read() as tx:
            self.tails.advance(await log.heads(tx))

    async def close(self) -> None:
        await self._stop_tending()
        if self._watch:
            self._watch.close()
        await self.db.close()

    @contextmanager
    def seated(self, group: str) -> Iterator[str]:
        """A member name that is stable over restarts: the instance, numbered within a process."""
        number = 1
        while (group, member := f"{self._instance}#{number}") in self._seats:
            number += 1
        self._seats.add((group, member))
        try:
            yield member
        finally:
            self._seats.discard((group, member))

    @asynccontextmanager
    async def tended(self) -> AsyncIterator[None]:
        """While any consumer runs, one task looks for other processes' records and trims."""
        self._running += 1
        if self._tending is None:
            self._tending = asyncio.create_task(self._tend(), name="local-bus")
        try:
            yield
        finally:
            self._running -= 1
            if self._running == 0:
                await self._stop_tending()

    async def _stop_tending(self) -> None:
        task, self._tending = self._tending, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    def check_tended(self) -> None:
        """Raises what ended the task that consumers rely on."""
        if self._tending is not None and self._tending.done():
            task, self._tending = self._tending, None
            task.result()

    async def _tend(self) -> None:
        pause_s = self.limits.poll_s if self._watch else self.limits.trim_every_s
        trim_at_s = self.clock.monotonic() + self.limits.trim_every_s
        failing = False
        while True:
            try:
                await self._follow()
                if self.clock.monotonic() >= trim_at_s:
                    more = await self.trim() >= self.limits.trim_rows
                    trim_at_s = self.clock.monotonic() + (0 if more else self.limits.trim_every_s)
                failing = False
            except Unknown as error:
                if not failing:
                    _log.warning("bus.cannot_look", code=error.code)
                failing = True
            await asyncio.sleep(pause_s)

    async def _follow(self) -> None:
        if self._watch is None or not self._watch.changed():
            return
        try:
            await self.refresh()
        except Unknown:
            self._watch.again()
            raise
