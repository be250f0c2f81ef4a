"""One partition of the input topics: its records in the order of time, its timers in between."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from kessai.kernel.bus import Record
from kessai.kernel.streams.clock import moment_of
from kessai.kernel.streams.ports import Poison, Processor, Step
from kessai.kernel.streams.store import ShardStore

# A burst of timers must not keep a transaction open, or the loop from everybody else.
TIMERS_AT_ONCE: Final = 2000


@dataclass(slots=True)
class Counted:
    """For metrics: since the shard was opened."""

    records: int = 0
    poisoned: int = 0
    timers: int = 0


@dataclass(slots=True)
class Shard:
    """Nothing of it is on the disk before `store.write`."""

    store: ShardStore
    processor: Processor[Any]
    counted: Counted = field(default_factory=Counted)
    # Records that could not be read, with the reason, since the last `take_letters`.
    letters: list[tuple[Record, Poison]] = field(default_factory=list)

    def feed(self, records: Iterable[Record], steady_ms: int, *, live: bool) -> None:
        """Records in the order of `in_time`. Timers that were due before one ring before it."""
        store = self.store
        for record in records:
            at_ms = moment_of(record.at_ms, steady_ms, live=live)
            self._advance(at_ms)
            store.move(record.topic, record.offset + 1)
            self.counted.records += 1
            try:
                self._apply(record, at_ms)
            except Poison as poison:
                self.counted.poisoned += 1
                self.letters.append((record, poison))

    def ring(self, until_ms: int) -> bool:
        """Timers up to `until_ms`; False when there are more than one turn takes."""
        store = self.store
        for _ in range(TIMERS_AT_ONCE):
            due = store.pop_due(until_ms)
            if due is None:
                if until_ms > store.now_ms:
                    store.set_now(until_ms)
                return True
            self._wake(*due)
        return False

    def take_letters(self) -> list[tuple[Record, Poison]]:
        letters, self.letters = self.letters, []
        return letters

    def _advance(self, at_ms: int) -> None:
        """All of them, however many: what comes after must not overtake them."""
        if at_ms > self.store.now_ms:
            while not self.ring(at_ms):
                pass

    def _apply(self, record: Record, at_ms: int) -> None:
        known = self.processor.read(record)
        if known is None:
            return
        key, news = known
        state, wake_ms = self.store.get(key)
        now_ms = max(at_ms, self.store.now_ms)
        self._keep(key, wake_ms, self.processor.apply(key, state, news, at_ms, now_ms))

    def _wake(self, at_ms: int, key: str) -> None:
        self.counted.timers += 1
        state, wake_ms = self.store.get(key)
        if state is not None:
            self._keep(key, wake_ms, self.processor.wake(key, state, at_ms))

    def _keep(self, key: str, old_ms: int | None, step: Step) -> None:
        self.store.put(key, step.state, step.wake_ms, old_ms)
        for output in step.outputs:
            self.store.add_output(output)


def in_time(
    fetched: Mapping[str, Sequence[Record]], more: Mapping[str, bool]
) -> tuple[list[Record], int | None]:
    """Records of several topics in one order of time, as far as that is known.

    `more` says of a topic that it has records behind those fetched: what is younger than all that
    was fetched of it waits for them. Second, the time up to which timers may ring; None: up to now.
    """
    known = [max(one.at_ms for one in some) for topic, some in fetched.items() if more[topic]]
    until_ms = min(known, default=None)
    if until_ms is not None:
        fetched = {topic: _until(records, until_ms) for topic, records in fetched.items()}
    return list(heapq.merge(*fetched.values(), key=lambda record: record.at_ms)), until_ms


def _until(records: Sequence[Record], until_ms: int) -> Sequence[Record]:
    """A partition's own order stays, also where its clock went back."""
    for index, record in enumerate(records):
        if record.at_ms > until_ms:
            return records[:index]
    return records
