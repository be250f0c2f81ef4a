"""The runtime over the local bus: stores in files, of which one process works each at a time.

Whoever has a store's lock works its partition. State, positions and output are one write batch;
output then goes to the bus by the ids of its events, so that sending it again adds nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kessai.kernel.bus import Record, dead_letter, set_within
from kessai.kernel.clock import Clock
from kessai.kernel.crash_points import reached
from kessai.kernel.errors import JsonValue, Unknown
from kessai.kernel.ids import content_id
from kessai.kernel.local_bus import LocalBus
from kessai.kernel.streams.clock import SteadyClock
from kessai.kernel.streams.limits import StreamLimits
from kessai.kernel.streams.meters import Look, Meters, NoMeters, look_at, state_of
from kessai.kernel.streams.ports import Output, Poison, Processor
from kessai.kernel.streams.shard import Fetched, Shard, in_time
from kessai.kernel.streams.store import ShardStore, StoreInUse, require_stores
from kessai.kernel.telemetry import get_log

_log = get_log(__name__)


@dataclass(slots=True)
class _Held:
    """A partition that this process works; `looked_s`: when its end was last seen."""

    number: int
    shard: Shard[Any]
    positions: dict[str, int]
    looked_s: float = field(default=-1e9)
    # Whether the bus has the output and the positions of the last commit.
    is_told: bool = False


class LocalStream:
    def __init__(
        self,
        bus: LocalBus,
        group: str,
        topics: Sequence[str],
        processor: Processor[Any, Any],
        *,
        folder: Path,
        clock: Clock,
        limits: StreamLimits | None = None,
        meters: Meters | None = None,
    ) -> None:
        self.group = group
        self._bus = bus
        self._topics = tuple(topics)
        self._processor = processor
        self._folder = folder
        self._clock = clock
        self._limits = limits or StreamLimits()
        self._meters = meters or NoMeters()
        self._metered_s = -1e9
        self._steady = SteadyClock(clock)
        self._held: dict[int, _Held] = {}
        self._wake = asyncio.Event()
        self._opened_s = -1e9
        self._ready = asyncio.Event()

    @property
    def shards(self) -> dict[int, Shard[Any]]:
        """By partition, those that this process works."""
        return {number: held.shard for number, held in self._held.items()}

    async def ready(self) -> None:
        """Caught up once, or waiting behind another process."""
        await self._ready.wait()

    async def health(self) -> Mapping[str, JsonValue]:
        """Raises `Unwell` until it is ready."""
        return state_of(self._ready.is_set(), sorted(self._held))

    async def check(self) -> None:
        """Before `run`. Raises `StoreMisfit`; what another process works waits for its end."""
        require_stores(self._folder, self.group, alone=False)

    async def run(self) -> None:
        """A loop for the Supervisor. Raises `StoreMisfit`."""
        places = [(t, p) for t in self._topics for p in range(self._bus.partitions)]
        for place in places:
            self._bus.tails.listen(place, self._wake)
        try:
            async with self._bus.tended():
                await self._bus.refresh()
                await self._keep()
        finally:
            for place in places:
                self._bus.tails.unlisten(place, self._wake)
            for held in self._held.values():
                held.shard.store.close()
            self._held.clear()

    async def _keep(self) -> None:
        failing = False
        while True:
            self._wake.clear()
            self._open_free()
            try:
                busy = [await self._round(held) for held in self._held.values()]
                failing = False
            except Unknown as error:
                if not failing:
                    _log.warning("stream.waits", group=self.group, code=error.code)
                failing = True
                await asyncio.sleep(self._limits.retry_s)
                continue
            self._look()
            if any(busy):
                # A backlog must not keep the loop from everybody else.
                await asyncio.sleep(0)
                continue
            self._ready.set()
            await set_within(self._wake, self._pause_s())

    def _open_free(self) -> None:
        """Partitions that nobody works; one that somebody does is tried again later."""
        now_s = self._clock.monotonic()
        if len(self._held) == self._bus.partitions or now_s < self._opened_s + (
            self._limits.reopen_s
        ):
            return
        self._opened_s = now_s
        for number in range(self._bus.partitions):
            if number in self._held:
                continue
            try:
                store = ShardStore(self._folder / f"{self.group}-{number}", self._processor.codec)
            except StoreInUse:
                continue
            positions = dict.fromkeys(self._topics, 0) | store.positions()
            self._held[number] = _Held(number, Shard(store, self._processor, _as_it_is), positions)

    async def _round(self, held: _Held) -> bool:
        """One look at a partition; True when there is more to do at once."""
        self._bus.check_tended()
        fetched, more = await self._fetch(held)
        steady_ms = self._steady.now_ms()
        now_s = self._clock.monotonic()
        live = now_s - held.looked_s <= self._limits.tick_s + self._limits.live_s
        records, until_ms = in_time(fetched, more)
        held.positions |= held.shard.feed(records, steady_ms, live=live)
        done = True
        if until_ms is None:
            held.looked_s = now_s
            done = held.shard.ring(steady_ms - int(self._limits.settle_s * 1000))
        await self._commit(held, len(records))
        return until_ms is not None or not done

    async def _fetch(self, held: _Held) -> tuple[dict[str, list[Fetched]], dict[str, bool]]:
        fetched: dict[str, list[Fetched]] = {}
        more: dict[str, bool] = {}
        for topic in self._topics:
            place = (topic, held.number)
            head, position = self._bus.tails.head(place), held.positions[topic]
            records: list[Record] = []
            if head > position:
                records = await self._bus.read(place, position, self._limits.batch)
                if not records:
                    # Trimmed beyond the hard limit: nothing is left below the head that was seen.
                    held.positions[topic] = head
            fetched[topic] = _fetched(records)
            more[topic] = bool(records) and records[-1].offset + 1 < head
        return fetched, more

    def _look(self) -> None:
        """For the meters."""
        now_s = self._clock.monotonic()
        if now_s - self._metered_s < self._limits.tick_s:
            return
        self._metered_s = now_s
        looks: dict[int, Look] = {}
        for number, held in self._held.items():
            heads = {t: self._bus.tails.head((t, number)) for t in self._topics}
            lag = sum(max(0, heads[t] - at) for t, at in held.positions.items())
            looks[number] = look_at(held.shard, lag, self._steady.now_ms())
        self._meters.seen(looks)

    async def _commit(self, held: _Held, records: int) -> None:
        """The disk first: what is on the bus must never be more than what the state knows."""
        store, began_s = held.shard.store, self._clock.monotonic()
        letters = held.shard.take_letters()
        self._meters.poisoned(len(letters))
        for record, poison in letters:
            store.add_output(self._letter(record, poison))
        if store.has_news:
            store.write()
            held.is_told = False
        if held.is_told:
            return
        outputs = store.outputs()
        messages = {output.id: output.message for output in outputs.values()}
        positions = {(topic, held.number): at for topic, at in held.positions.items()}
        reached(f"stream:{self.group}:before")
        await self._bus.publish_once(messages, self.group, positions)
        reached(f"stream:{self.group}:after")
        store.drop_outputs(outputs)
        held.is_told = True
        self._meters.committed(records, self._clock.monotonic() - began_s)

    def _letter(self, record: Record, poison: Poison) -> Output:
        where = (record.topic, str(record.partition), str(record.offset))
        return Output(
            content_id("letter", self.group, *where), dead_letter(record, self.group, poison)
        )

    def _pause_s(self) -> float:
        """Until the next timer, and never longer than a tick."""
        pauses = [self._limits.tick_s]
        if len(self._held) < self._bus.partitions:
            pauses.append(self._limits.reopen_s)
        now_ms = self._steady.now_ms()
        for held in self._held.values():
            due_ms = held.shard.store.next_due_ms()
            if due_ms is not None:
                pauses.append((due_ms - now_ms) / 1000 + self._limits.settle_s)
        return max(0.001, min(pauses))


def _fetched(records: Sequence[Record]) -> list[Fetched]:
    turn_ms, found = 0, list[Fetched]()
    for one in records:
        turn_ms = max(turn_ms, one.at_ms)
        found.append((turn_ms, one.at_ms, one.offset, one.topic, one.value, one))
    return found


def _as_it_is(record: Record) -> Record:
    return record
