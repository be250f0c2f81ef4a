"""A member of a group: takes its share of the partitions and works each in a task of its own."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kessai.kernel.bus import Delivery, Handle, Record, set_within
from kessai.kernel.crash_points import reached
from kessai.kernel.errors import Fenced, Unknown
from kessai.kernel.local_bus import groups, log
from kessai.kernel.local_bus.groups import Claim, Seat, Start
from kessai.kernel.local_bus.log import Place
from kessai.kernel.telemetry import get_log

if TYPE_CHECKING:
    from kessai.kernel.local_bus.bus import LocalBus

_log = get_log(__name__)
_RINGS_EARLY_S = 1e-6


@dataclass(slots=True)
class _Work:
    """One claimed partition: `position` is handled up to, `committed` is written down."""

    claim: Claim
    position: int
    committed: int
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    lost: bool = False

    def end(self) -> None:
        self.stop.set()
        self.wake.set()


class LocalConsumer:
    def __init__(
        self,
        bus: LocalBus,
        group: str,
        topics: Sequence[str],
        handle: Handle,
        start: Start,
        at_once: int = 1,
    ) -> None:
        self.group = group
        self._bus = bus
        self._limits = bus.limits
        self._places = [(topic, p) for topic in sorted(topics) for p in range(bus.partitions)]
        self._start = start
        self._at_once = at_once
        self._delivery = Delivery(group, handle, bus.publish, bus.limits.retry)
        self._working: dict[Place, _Work] = {}
        self._tasks: dict[Place, asyncio.Task[None]] = {}
        self._barred_until_s: dict[Place, float] = {}
        self._changed = asyncio.Event()
        self._ready = asyncio.Event()

    async def ready(self) -> None:
        await self._ready.wait()

    async def run(self) -> None:
        with self._bus.seated(self.group) as member:
            async with self._bus.tended():
                seat = await self._join(member)
                try:
                    await self._keep(seat)
                finally:
                    await self._end(seat)

    async def _join(self, member: str) -> Seat:
        failures = 0
        while True:
            now_ms, until_ms = self._lifetime()
            try:
                async with self._bus.db.transaction() as tx:
                    seat = await groups.join(tx, self.group, member, until_ms)
                    await groups.open_claims(tx, self.group, self._places, self._start, now_ms)
                await self._bus.refresh()
            except Unknown as error:
                failures += 1
                self._tell_once(failures, "bus.cannot_join", code=error.code)
                await asyncio.sleep(self._limits.retry.pause_s(failures))
            else:
                return seat

    async def _keep(self, seat: Seat) -> None:
        failures = 0
        while True:
            try:
                await self._beat(seat)
                self._ready.set()
                await self._commit_until(seat, self._next_beat_s())
                failures = 0
            except Unknown as error:
                failures += 1
                self._tell_once(failures, "bus.cannot_commit", code=error.code)
                self._changed.set()
                await asyncio.sleep(self._limits.retry.pause_s(failures))

    def _next_beat_s(self) -> float:
        """All consumers of a process beat at the same moment, so that it is one commit."""
        period_s = self._limits.heartbeat_s
        # The loop rings a timer up to its clock's resolution early: then this beat is the one
        # that was due, and the next is a whole period away.
        now_s = asyncio.get_running_loop().time() + _RINGS_EARLY_S
        return (math.floor(now_s / period_s) + 1) * period_s

    async def _beat(self, seat: Seat) -> None:
        """Stays alive and follows the members that came and went."""
        self._bus.check_tended()
        now_ms, until_ms = self._lifetime()
        held = {place: work.claim.fence for place, work in self._working.items()}
        async with self._bus.db.transaction() as tx:
            await groups.beat(tx, seat, until_ms)
            share = await groups.take_share(tx, seat, self._places, held, self._barred(), now_ms)
        for place, work in self._working.items():
            if place not in share.keep:
                work.lost = work.lost or place in share.lost
                work.end()
        for claim in share.taken:
            self._begin(claim)

    def _barred(self) -> frozenset[Place]:
        now_s = asyncio.get_running_loop().time()
        return frozenset(p for p, until_s in self._barred_until_s.items() if until_s > now_s)

    def _begin(self, claim: Claim) -> None:
        work = _Work(claim, position=claim.position, committed=claim.position)
        topic, partition = claim.place
        self._working[claim.place] = work
        task = asyncio.create_task(self._serve(work), name=f"{self.group}:{topic}:{partition}")
        task.add_done_callback(lambda _: self._changed.set())
        self._tasks[claim.place] = task

    async def _serve(self, work: _Work) -> None:
        place = work.claim.place
        self._bus.tails.listen(place, work.wake)
        try:
            while not work.stop.is_set():
                records = await self._next(work)
                for first in range(0, len(records), self._at_once):
                    if not await self._handle(work, records[first : first + self._at_once]):
                        return
        except Fenced as error:
            self._barred_until_s[place] = asyncio.get_running_loop().time() + self._limits.member_s
            self._tell("bus.partition_fenced", place, error=str(error))
        finally:
            self._bus.tails.unlisten(place, work.wake)

    async def _handle(self, work: _Work, records: Sequence[Record]) -> bool:
        if work.stop.is_set() or not await self._delivery.deliver_all(records, work.stop):
            return False
        work.position = records[-1].offset + 1
        self._changed.set()
        return True

    async def _next(self, work: _Work) -> Sequence[Record]:
        """The next records of the partition; waits, without a poll of its own, while it is idle."""
        place = work.claim.place
        work.wake.clear()
        head = self._bus.tails.head(place)
        if head <= work.position:
            if not work.stop.is_set():
                await work.wake.wait()
            return ()
        # A backlog whose records need no waiting must not keep the loop from everybody else.
        await asyncio.sleep(0)
        try:
            async with self._bus.db.read() as tx:
                records = await log.read(tx, place, work.position, self._limits.batch)
        except Unknown as error:
            self._tell("bus.cannot_read", place, code=error.code)
            await set_within(work.stop, self._limits.retry.max_pause_s)
            return ()
        if not records:
            # Trimmed beyond the hard limit: nothing is left below the head that was seen.
            work.position = head
        return records

    async def _commit_until(self, seat: Seat, until_s: float) -> None:
        while await _set_until(self._changed, until_s):
            await asyncio.sleep(self._limits.commit_after_s)
            self._changed.clear()
            await self._commit(seat)
            self._reap()

    async def _commit(self, seat: Seat) -> None:
        """Writes what was handled, in one transaction, and frees the partitions that ended."""
        now_ms = self._bus.clock.now_ms()
        moved = [
            (work, work.position, self._tasks[place].done())
            for place, work in self._working.items()
            if not work.lost and (work.position != work.committed or self._tasks[place].done())
        ]
        if not moved:
            return
        kept = []
        reached(f"ack:{self.group}:before")
        async with self._bus.db.transaction() as tx:
            for work, position, ended in moved:
                write = groups.let_go if ended else groups.commit
                kept.append(await write(tx, seat, work.claim, position, now_ms))
        reached(f"ack:{self.group}:after")
        for (work, position, ended), mine in zip(moved, kept, strict=True):
            work.committed = position
            work.lost = ended or not mine
            if work.lost:
                work.end()
            if not mine:
                self._tell("bus.partition_lost", work.claim.place)

    def _reap(self) -> None:
        """Forgets the partitions that ended. A mistake of this class ends the whole loop."""
        for place, work in list(self._working.items()):
            if work.lost and self._tasks[place].done():
                del self._working[place]
                self._tasks.pop(place).result()

    async def _end(self, seat: Seat) -> None:
        """Records in hand are finished within a limit, then the share is free for others."""
        for work in self._working.values():
            work.end()
        if tasks := list(self._tasks.values()):
            _, late = await asyncio.wait(tasks, timeout=self._limits.stop_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        try:
            await self._commit(seat)
            async with self._bus.db.transaction() as tx:
                await groups.leave(tx, seat)
        except Unknown as error:
            _log.warning("bus.not_handed_over", consumer=self.group, code=error.code)
        self._working.clear()
        self._tasks.clear()

    def _lifetime(self) -> tuple[int, int]:
        now_ms = self._bus.clock.now_ms()
        return now_ms, now_ms + int(self._limits.member_s * 1000)

    def _tell_once(self, failures: int, event: str, **facts: object) -> None:
        if failures == 1:
            _log.warning(event, consumer=self.group, **facts)

    def _tell(self, event: str, place: Place, **facts: object) -> None:
        _log.warning(event, consumer=self.group, topic=place[0], partition=place[1], **facts)


async def _set_until(event: asyncio.Event, until_s: float) -> bool:
    try:
        async with asyncio.timeout_at(until_s):
            await event.wait()
    except TimeoutError:
        return event.is_set()
    return True
