"""One partition of the input topics: its records in the order of time, its timers in between."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Final, Generic, TypeAlias

from kessai.kernel.bus import Record
from kessai.kernel.streams.clock import TOLERANCE_MS, moment_of
from kessai.kernel.streams.ports import Poison, Processor, S
from kessai.kernel.streams.store import ShardStore

# A burst of timers must not keep a transaction open, or the loop from everybody else.
TIMERS_AT_ONCE: Final = 2000


# A record as far as a processor needs it: (turn, at, offset, topic, value, source). A partition's
# own order stays, also where its clock went back: `turn` never does. Of `source` the whole record
# can be had, for the dead letters. A plain tuple, since there is one for each record.
Fetched: TypeAlias = tuple[int, int, int, str, bytes, Any]


@dataclass(slots=True)
class Counted:
    """For metrics: since the shard was opened."""

    records: int = 0
    poisoned: int = 0
    timers: int = 0


@dataclass(slots=True)
class Shard(Generic[S]):
    """Nothing of it is on the disk before `store.write`."""

    store: ShardStore[S]
    processor: Processor[S, Any]
    record_of: Callable[[Any], Record]
    counted: Counted = field(default_factory=Counted)
    # Records that could not be read, with the reason, since the last `take_letters`.
    letters: list[tuple[Record, Poison]] = field(default_factory=list)

    def feed(self, fetched: Sequence[Fetched], steady_ms: int, *, live: bool) -> dict[str, int]:
        """Records in the order of `in_time`; the positions after them. Timers that were due before
        one ring before it."""
        store, timers = self.store, self.store.timers
        read, apply, row_of, keep = self.processor.read, self.processor.apply, store.row, store.keep
        now_ms = store.now_ms
        for _, at_ms, _, topic, value, source in fetched:
            if live and not -TOLERANCE_MS <= at_ms - steady_ms <= TOLERANCE_MS:
                at_ms = moment_of(at_ms, steady_ms, live=live)
            if at_ms > now_ms:
                now_ms = at_ms
                if timers.first_ms <= at_ms and store.is_due(at_ms):
                    self._advance(at_ms)
            try:
                known = read(topic, value, at_ms)
            except Poison as poison:
                self.letters.append((self.record_of(source), poison))
                continue
            if known is not None:
                key, news = known
                row = row_of(key)
                state, wake_ms, outputs = apply(key, row.state, news, now_ms)
                keep(key, row, state, wake_ms)
                for output in outputs:
                    store.add_output(output)
        store.set_now(now_ms)
        self.counted.records += len(fetched)
        positions = {topic: offset + 1 for _, _, offset, topic, _, _ in fetched}
        for topic, position in positions.items():
            store.move(topic, position)
        return positions

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
        self.counted.poisoned += len(letters)
        return letters

    def _advance(self, at_ms: int) -> None:
        """All of them, however many: what comes after must not overtake them."""
        while not self.ring(at_ms):
            pass

    def _wake(self, at_ms: int, key: str) -> None:
        self.counted.timers += 1
        row = self.store.row(key)
        if row.state is None:
            return
        state, wake_ms, outputs = self.processor.wake(key, row.state, at_ms)
        self.store.keep(key, row, state, wake_ms)
        for output in outputs:
            self.store.add_output(output)


def in_time(
    fetched: Mapping[str, Sequence[Fetched]], more: Mapping[str, bool]
) -> tuple[list[Fetched], int | None]:
    """Records of several topics in one order of time, as far as that is known.

    `more` says of a topic that it has records behind those fetched: what is younger than all that
    was fetched of it waits for them. Second, the time up to which timers may ring; None: up to now.
    """
    known = [some[-1][0] for topic, some in fetched.items() if more[topic]]
    until_ms = min(known, default=None)
    return up_to(fetched.values(), until_ms), until_ms


def up_to(lanes: Iterable[Sequence[Fetched]], until_ms: int | None) -> list[Fetched]:
    found: list[Fetched] = []
    for records in lanes:
        found += records if until_ms is None else records[: count_until(records, until_ms)]
    # Stable, and nearly sorted: it costs next to nothing.
    found.sort(key=_turn)
    return found


_turn = itemgetter(0)


def count_until(records: Sequence[Fetched], until_ms: int) -> int:
    return bisect_left(records, until_ms + 1, key=_turn)
