"""All of a stream again, from where its log begins, into fresh stores, by the records' own time.

Nobody's group is joined and nothing is published: what a processor would tell is handed back.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

from kessai.kernel.bus import Record
from kessai.kernel.local_bus import LocalBus
from kessai.kernel.streams.ports import Output, Processor
from kessai.kernel.streams.shard import Fetched, Shard, count_until, in_time
from kessai.kernel.streams.store import ShardStore

_PAGE: Final = 2_000
_WRITE_EVERY: Final = 20_000
Place: TypeAlias = tuple[str, int]


class Log(Protocol):
    async def bounds(self) -> Mapping[Place, tuple[int, int]]:
        """Of each partition: the first offset that is still there, and where the next will be."""
        ...

    def pages(
        self, place: Place, low: int, high: int, size: int
    ) -> AsyncIterator[list[Record]]: ...


class LocalLog:
    """A local bus as a `Log`; `kernel.kafka_bus.LogReader` is Kafka's."""

    def __init__(self, bus: LocalBus, topics: Sequence[str]) -> None:
        self._bus = bus
        self._topics = topics

    async def bounds(self) -> Mapping[Place, tuple[int, int]]:
        await self._bus.refresh()
        found: dict[Place, tuple[int, int]] = {}
        for place in [(t, n) for t in self._topics for n in range(self._bus.partitions)]:
            head = self._bus.tails.head(place)
            first = await self._bus.read(place, 0, 1)
            found[place] = (first[0].offset if first else head, head)
        return found

    async def pages(
        self, place: Place, low: int, high: int, size: int
    ) -> AsyncIterator[list[Record]]:
        while low < high:
            page = await self._bus.read(place, low, size)
            page = [record for record in page if record.offset < high]
            if not page:
                return
            yield page
            low = page[-1].offset + 1


@dataclass(slots=True)
class Replayed:
    """`begins_ms`: the time of the first record that is left of a log whose past is gone."""

    records: int = 0
    poisoned: int = 0
    keys: int = 0
    begins_ms: int | None = None
    outputs: list[Output] = field(default_factory=list)


async def replay(
    log: Log,
    bounds: Mapping[Place, tuple[int, int]],
    topics: Sequence[str],
    processor: Processor[Any, Any],
    *,
    folder: Path,
    until_ms: int,
) -> Replayed:
    """`until_ms`: up to when timers ring after the last record."""
    done = Replayed()
    for number in sorted({partition for topic, partition in bounds if topic in topics}):
        store = ShardStore(folder / str(number), processor.codec)
        try:
            shard = Shard(store, processor, _itself)
            await _partition(log, bounds, topics, number, shard, done)
            while not shard.ring(until_ms):
                _keep(shard, done)
            _keep(shard, done)
            done.records += shard.counted.records
            done.poisoned += shard.counted.poisoned
            done.keys += store.count()
        finally:
            store.wipe()
    return done


async def _partition(
    log: Log,
    bounds: Mapping[Place, tuple[int, int]],
    topics: Sequence[str],
    number: int,
    shard: Shard[Any],
    done: Replayed,
) -> None:
    lanes = [_Lane(log, (topic, number), *bounds.get((topic, number), (0, 0))) for topic in topics]
    written = 0
    while True:
        for lane in lanes:
            await lane.fill()
            if lane.lost_before_ms is not None:
                done.begins_ms = max(done.begins_ms or 0, lane.lost_before_ms)
        fetched, until_ms = in_time(
            {lane.place[0]: lane.waiting for lane in lanes},
            {lane.place[0]: lane.has_more for lane in lanes},
        )
        shard.feed(fetched, 0, live=False)
        for lane in lanes:
            lane.drop(until_ms)
        if shard.counted.records - written >= _WRITE_EVERY or until_ms is None:
            written = shard.counted.records
            _keep(shard, done)
        if until_ms is None:
            return


class _Lane:
    """One topic's partition, a page ahead. `lost_before_ms`: the log's past up to then is gone."""

    def __init__(self, log: Log, place: Place, low: int, high: int) -> None:
        self.place = place
        self.waiting: list[Fetched] = []
        self.has_more = low < high
        self.lost_before_ms: int | None = None
        self._is_whole = low == 0
        self._pages = log.pages(place, low, high, _PAGE)
        self._turn_ms = 0

    async def fill(self) -> None:
        while self.has_more and not self.waiting:
            page = await anext(self._pages, None)
            if page is None:
                self.has_more = False
                return
            if not self._turn_ms and not self._is_whole:
                self.lost_before_ms = page[0].at_ms
            for one in page:
                self._turn_ms = max(self._turn_ms, one.at_ms)
                self.waiting.append(
                    (self._turn_ms, one.at_ms, one.offset, one.topic, one.value, one)
                )

    def drop(self, until_ms: int | None) -> None:
        """What was handled."""
        count = len(self.waiting) if until_ms is None else count_until(self.waiting, until_ms)
        del self.waiting[:count]


def _keep(shard: Shard[Any], done: Replayed) -> None:
    shard.take_letters()
    done.outputs += shard.store.take_outputs()
    shard.store.write(durable=False)


def _itself(record: Record) -> Record:
    return record
