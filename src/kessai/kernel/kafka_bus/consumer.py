"""Handles what a member of a group fetches: each partition in a task, in order, at least once."""

from __future__ import annotations

import asyncio
from asyncio import FIRST_COMPLETED
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from kessai.kernel.bus import Delivery, Handle, Record, set_within
from kessai.kernel.errors import Fenced, Unknown
from kessai.kernel.kafka_bus.errors import BusUnavailable, ClientSilent
from kessai.kernel.kafka_bus.member import Member, Place, Start
from kessai.kernel.telemetry import get_log

if TYPE_CHECKING:
    from kessai.kernel.kafka_bus.bus import KafkaBus

_log = get_log(__name__)


@dataclass(slots=True)
class _Work:
    """One assigned partition: `position` is handled up to, `committed` is written down."""

    place: Place
    position: int
    committed: int
    queue: deque[Record] = field(default_factory=deque)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    paused: bool = False
    barred: bool = False

    def end(self) -> None:
        self.stop.set()
        self.wake.set()


class KafkaConsumer:
    def __init__(
        self,
        bus: KafkaBus,
        group: str,
        topics: Sequence[str],
        handle: Handle,
        start: Start,
        at_once: int = 1,
    ) -> None:
        self.group = group
        self._bus = bus
        self._limits = bus.limits
        self._topics = sorted(topics)
        self._start: Start = start
        self._at_once = at_once
        self._delivery = Delivery(group, handle, bus.publish, bus.limits.retry)
        self._working: dict[Place, _Work] = {}
        self._tasks: dict[Place, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()
        self._ready = asyncio.Event()
        self._ended: asyncio.Future[None] | None = None
        self._member: Member | None = None

    async def ready(self) -> None:
        await self._ready.wait()

    async def run(self) -> None:
        failures = 0
        while True:
            try:
                await self._bus.ensure(self._topics)
                await self._belong()
            except Unknown as error:
                # Long after the last failure it is a first one again.
                failures = 0 if self._ready.is_set() else failures + 1
                self._ready.clear()
                why = str(error)
                _log.warning("bus.cannot_consume", consumer=self.group, code=error.code, why=why)
                await asyncio.sleep(self._limits.retry.pause_s(failures + 1))

    async def _belong(self) -> None:
        """One membership, until it breaks or this task is cancelled."""
        self._ended = asyncio.get_running_loop().create_future()
        self._member = member = self._bus.member(self.group, self._topics, self._start, self)
        member.begin()
        beside = [
            asyncio.create_task(work) for work in (self._commit_always(member), member.watch())
        ]
        try:
            done, _ = await asyncio.wait([self._ended, *beside], return_when=FIRST_COMPLETED)
            for one in done:
                one.result()
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            await member.end()
            self._member = None
            await self._drop(list(self._working))

    # --- called by the member ---------------------------------------------------------------

    def assigned(self, positions: Mapping[Place, int]) -> None:
        for place, position in positions.items():
            self._begin(place, position)
        self._ready.set()

    def arrived(self, records: Sequence[Record]) -> None:
        for record in records:
            place = record.topic, record.partition
            work = self._working.get(place)
            # What was on its way when the partition went, or went back, is not its next record.
            is_stale = work is not None and record.offset < work.position
            if work is None or work.stop.is_set() or work.barred or is_stale:
                continue
            work.queue.append(record)
            work.wake.set()
            if len(work.queue) > self._limits.ahead and not work.paused and self._member:
                work.paused = True
                self._member.pause(place)

    async def revoked(self, places: Sequence[Place]) -> Mapping[Place, int]:
        return await self._drop(places)

    def lost(self, places: Sequence[Place]) -> None:
        for place in places:
            if work := self._working.pop(place, None):
                work.end()
                self._tell("bus.partition_lost", place)
                self._tasks.pop(place).cancel()

    def ended(self, error: Exception | None) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_exception(error or BusUnavailable("the membership ended"))
            # Nobody may be waiting any more, when it is this loop that ends it.
            self._ended.exception()

    # --- the work ---------------------------------------------------------------------------

    def _begin(self, place: Place, position: int) -> None:
        work = _Work(place, position=position, committed=position)
        self._working[place] = work
        name = f"{self.group}:{place[0]}:{place[1]}"
        self._tasks[place] = asyncio.create_task(self._serve(work), name=name)

    async def _serve(self, work: _Work) -> None:
        while not work.stop.is_set():
            if not work.queue:
                work.wake.clear()
                await work.wake.wait()
                continue
            # A backlog whose records need no waiting must not keep the loop from everybody else.
            await asyncio.sleep(0)
            records = list(islice(work.queue, self._at_once))
            try:
                if not await self._delivery.deliver_all(records, work.stop):
                    return
            except Fenced as error:
                await self._bar(work, error)
                continue
            for record in records:
                if work.queue and work.queue[0] is record:
                    work.queue.popleft()
                    work.position = record.offset + 1
            self._changed.set()
            self._let_flow(work)

    def _let_flow(self, work: _Work) -> None:
        if work.paused and len(work.queue) <= self._limits.ahead // 2 and self._member:
            work.paused = False
            self._member.resume(work.place)

    async def _bar(self, work: _Work, error: Fenced) -> None:
        """Somebody else does its work: it is left alone for a while and then read again."""
        self._tell("bus.partition_fenced", work.place, error=str(error))
        work.barred = True
        work.queue.clear()
        if self._member:
            self._member.pause(work.place)
        while not await set_within(work.stop, self._limits.barred_s):
            member = self._member
            if member is None:
                continue
            member.go_back(work.place, work.position)
            work.barred = work.paused = False
            member.resume(work.place)
            return

    async def _drop(self, places: Sequence[Place]) -> Mapping[Place, int]:
        """Ends their tasks, with a limit for the records in hand; returns what is not committed."""
        found = [self._working[place] for place in places if place in self._working]
        tasks = [self._tasks.pop(work.place) for work in found]
        for work in found:
            work.end()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=self._limits.stop_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for work in found:
            self._working.pop(work.place, None)
        return {work.place: work.position for work in found if work.position != work.committed}

    async def _commit_always(self, member: Member) -> None:
        failures = 0
        while True:
            await self._changed.wait()
            await asyncio.sleep(self._limits.commit_after_s)
            self._changed.clear()
            try:
                await self._commit(member)
                failures = 0
            except ClientSilent:
                raise
            except Unknown as error:
                failures += 1
                if failures == 1:
                    _log.warning("bus.cannot_commit", consumer=self.group, code=error.code)
                self._changed.set()
                await asyncio.sleep(self._limits.retry.pause_s(failures))

    async def _commit(self, member: Member) -> None:
        moved = {
            place: work.position
            for place, work in self._working.items()
            if work.position != work.committed
        }
        if not moved:
            return
        await member.commit(moved)
        for place, position in moved.items():
            if work := self._working.get(place):
                work.committed = max(work.committed, position)

    def _tell(self, event: str, place: Place, **facts: object) -> None:
        _log.warning(event, consumer=self.group, topic=place[0], partition=place[1], **facts)
