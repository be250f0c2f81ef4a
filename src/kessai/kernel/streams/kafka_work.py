"""One life of a transactional producer: partitions come and go, turns are taken, work is committed.

Everything here runs in the stream's thread. RocksDB is written after the commit and so holds what
is committed only; an abort drops what is in memory and reads it again.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from kessai.kernel.bus import dead_letter
from kessai.kernel.clock import Clock
from kessai.kernel.crash_points import reached
from kessai.kernel.ids import content_id
from kessai.kernel.kafka_bus.cluster import Cluster
from kessai.kernel.kafka_bus.errors import TRANSIENT, ends_client, error_of
from kessai.kernel.kafka_bus.records import record_of
from kessai.kernel.streams import kafka_log
from kessai.kernel.streams.clock import TOLERANCE_MS, SteadyClock
from kessai.kernel.streams.kafka_ends import Ends
from kessai.kernel.streams.kafka_inbox import FULL, LOW, Inbox
from kessai.kernel.streams.kafka_log import LogMisfit
from kessai.kernel.streams.kafka_place import leave, place_in
from kessai.kernel.streams.kafka_txn import MustAbort, Transactions
from kessai.kernel.streams.limits import StreamLimits
from kessai.kernel.streams.meters import Look, Meters, NoMeters, look_at
from kessai.kernel.streams.ports import Output, Processor
from kessai.kernel.streams.shard import Shard
from kessai.kernel.streams.store import ShardStore
from kessai.kernel.telemetry import get_log

_log = get_log(__name__)
_IDLE_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Plan:
    cluster: Cluster
    group: str
    topics: tuple[str, ...]
    processor: Processor[Any, Any]
    changelog: str
    folder: Path
    instance: str
    steady: SteadyClock
    clock: Clock
    limits: StreamLimits
    meters: Meters = field(default_factory=NoMeters)
    # Whether the stream is to stop: then nobody waits for a broker that is away.
    is_over: Callable[[], bool] = lambda: False


@dataclass(slots=True)
class _Held:
    """`positions` are handled up to, `committed` are what an abort goes back to."""

    number: int
    shard: Shard[Any]
    inbox: Inbox
    positions: dict[str, int]
    committed: dict[str, int] = field(default_factory=dict)
    looked_s: float = -1e9

    @property
    def is_moved(self) -> bool:
        return self.positions != self.committed


class Worker:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._held: dict[int, _Held] = {}
        self._since_commit = 0
        self._committed_s = plan.clock.monotonic()
        self._looked_s = -1e9
        self._hurry = False
        self._settle_ms = int(plan.limits.settle_s * 1000)
        self._ends = Ends(plan.cluster)
        self._place = place_in(plan.cluster, plan.clock, silent_s=plan.limits.silent_s)
        self._is_assigned = False
        self._txn = Transactions(plan.cluster, f"{plan.group}-{plan.instance}", plan.is_over)
        limits = plan.limits
        self._consumer = Consumer(
            plan.cluster.config(
                group_id=plan.group,
                group_instance_id=plan.instance,
                # The same partitions of every topic belong to one member (streams.md).
                partition_assignment_strategy="range",
                enable_auto_commit=False,
                enable_partition_eof=True,
                isolation_level="read_committed",
                auto_offset_reset="earliest",
                session_timeout_ms=int(limits.session_s * 1000),
                max_poll_interval_ms=int(limits.max_poll_s * 1000),
                fetch_wait_max_ms=50,
                # A larger record comes all the same, alone.
                max_partition_fetch_bytes=256 * 1024,
                queued_max_messages_kbytes=1024,
            )
        )

    @property
    def shards(self) -> dict[int, Shard[Any]]:
        return {number: held.shard for number, held in self._held.items()}

    def __enter__(self) -> Self:
        self._consumer.subscribe(
            list(self._plan.topics),
            on_assign=self._assigned,
            on_revoke=self._revoked,
            on_lost=self._lost,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """After an error nothing is committed any more, so that the first one is what is told."""
        try:
            if error is None:
                self._try_commit()
            else:
                self._txn.forget()
        finally:
            gc.enable()
            self._close(list(self._held))
            leave(self._consumer, self._plan.group)

    def turn(self) -> bool:
        """Fetches, handles, commits when it is time; True when everything known is handled.

        Raises `MustRestart`.
        """
        self._fetch()
        self._place.require(assigned=self._is_assigned)
        due = [held for held in self._held.values() if self._handle(held)]
        if due:
            self._ring(due)
        self._look()
        if self._is_commit_due():
            self._try_commit()
        return bool(self._held) and all(held.inbox.is_at_end for held in self._held.values())

    def _fetch(self) -> None:
        busy = any(not held.inbox.is_at_end for held in self._held.values())
        wait_s = 0.01 if busy else min(_IDLE_S, self._next_timer_s())
        for message in self._consumer.consume(self._plan.limits.fetch, wait_s):
            error = message.error()
            if error is not None and ends_client(error):
                raise KafkaException(error)
            held = self._held.get(message.partition() or 0)
            if held is None:
                continue
            if error is None:
                held.inbox.add(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                held.inbox.ended(message.topic() or "", message.offset() or 0)
            elif error.code() not in TRANSIENT:
                raise KafkaException(error)

    def _next_timer_s(self) -> float:
        now_ms = self._plan.steady.now_ms()
        due = [
            due_ms
            for held in self._held.values()
            if (due_ms := held.shard.store.next_due_ms()) is not None
        ]
        if not due:
            return _IDLE_S
        return max(0.005, (min(due) - now_ms) / 1000 + self._plan.limits.settle_s)

    def _handle(self, held: _Held) -> bool:
        """What was fetched; True when timers are due, as far as this process knows."""
        plan = self._plan
        records, until_ms = held.inbox.take()
        steady_ms, now_s = plan.steady.now_ms(), plan.clock.monotonic()
        live = self._is_live(held, now_s)
        if records:
            # What a commit holds lives until its end, nearly all of it: to look for cycles in it
            # again and again costs a seventh of the time. Afterwards most is gone.
            gc.disable()
            rung = held.shard.counted.timers
            held.positions |= held.shard.feed(records, steady_ms, live=live)
            self._since_commit += len(records) + held.shard.counted.timers - rung
        self._keep_reading(held)
        if until_ms is None:
            held.looked_s = now_s
        elif not live:
            # In a backlog the records themselves tell the time.
            return False
        due_ms = held.shard.store.next_due_ms()
        return due_ms is not None and due_ms <= self._ring_until_ms(held, steady_ms)

    def _is_live(self, held: _Held, now_s: float) -> bool:
        limits = self._plan.limits
        return now_s - held.looked_s <= limits.tick_s + limits.live_s

    def _ring_until_ms(self, held: _Held, now_ms: int) -> int:
        """Whatever is younger than the last record of a topic may still be behind it, unseen."""
        ring_ms, until_ms = now_ms - self._settle_ms, held.inbox.known_until_ms
        if until_ms is None:
            return ring_ms
        # By a clock that is far from ours nothing is known of what is on its way.
        return 0 if until_ms > now_ms + TOLERANCE_MS else min(ring_ms, until_ms)

    def _ring(self, due: Sequence[_Held]) -> None:
        """The end that was seen may be an old one: the broker is asked before time decides."""
        now_ms = self._plan.steady.now_ms()
        places = [(topic, held.number) for held in due for topic in self._plan.topics]
        ends = self._ends.of(places)
        if ends is None:
            return
        for held in due:
            for topic in self._plan.topics:
                held.inbox.ends_at(topic, ends[topic, held.number])
            rung = held.shard.counted.timers
            held.shard.ring(self._ring_until_ms(held, now_ms))
            self._since_commit += held.shard.counted.timers - rung
            # Somebody waits for what a timer has to say.
            self._hurry = self._hurry or held.shard.counted.timers > rung

    def _look(self) -> None:
        """For the meters; the broker is asked once for all."""
        now_s = self._plan.clock.monotonic()
        if now_s - self._looked_s < self._plan.limits.tick_s:
            return
        self._looked_s = now_s
        ends = self._ends.of([(t, number) for number in self._held for t in self._plan.topics])
        if ends is None:
            return
        now_ms, looks = self._plan.steady.now_ms(), dict[int, Look]()
        for number, held in self._held.items():
            lag = sum(max(0, ends[t, number] - at) for t, at in held.positions.items())
            looks[number] = look_at(held.shard, lag, now_ms)
        self._plan.meters.seen(looks)

    def _keep_reading(self, held: _Held) -> None:
        """A topic that is far ahead of the others waits for them."""
        for topic, is_paused in held.inbox.paused.items():
            count = held.inbox.count(topic)
            if not is_paused and count > FULL:
                self._consumer.pause([TopicPartition(topic, held.number)])
                held.inbox.paused[topic] = True
            elif is_paused and count < LOW:
                self._consumer.resume([TopicPartition(topic, held.number)])
                held.inbox.paused[topic] = False

    # Commit and abort.

    def _is_commit_due(self) -> bool:
        """In traffic that never ends the end is seldom seen of all at once: who was there lately
        is not in a backlog, and lets nobody wait for what a record's time set off."""
        limits, now_s = self._plan.limits, self._plan.clock.monotonic()
        if self._hurry or self._since_commit >= limits.backlog_commit_records:
            return True
        live = all(self._is_live(held, now_s) for held in self._held.values())
        return now_s - self._committed_s >= (limits.commit_s if live else limits.backlog_commit_s)

    def _try_commit(self) -> None:
        try:
            self._commit()
        except MustAbort as why:
            _log.warning("stream.aborted", group=self._plan.group, why=str(why))
            self._abort()
        finally:
            gc.enable()

    def _commit(self) -> None:
        """Raises `MustAbort`, `MustRestart`."""
        count, self._since_commit = self._since_commit, 0
        self._hurry = False
        began_s = self._committed_s = self._plan.clock.monotonic()
        changed = [
            held for held in self._held.values() if held.is_moved or held.shard.store.has_news
        ]
        if not changed:
            return
        for number, held in self._held.items():
            store = held.shard.store
            letters = held.shard.take_letters()
            self._plan.meters.poisoned(len(letters))
            for record, poison in letters:
                where = (record.topic, str(record.partition), str(record.offset))
                id_ = content_id("letter", self._plan.group, *where)
                store.add_output(Output(id_, dead_letter(record, self._plan.group, poison)))
            self._txn.send(store.take_outputs())
            self._txn.log(
                self._plan.changelog,
                number,
                store.changed_states(),
                lambda offset, store=store: store.set_logged(offset + 1),  # type: ignore[misc]
            )
        reached(f"stream:{self._plan.group}:before")
        self._txn.finish(self._consumer, self._positions())
        reached(f"stream:{self._plan.group}:after")
        for held in self._held.values():
            if held.shard.store.has_news:
                held.shard.store.write()
            held.committed = dict(held.positions)
        self._plan.meters.committed(count, self._plan.clock.monotonic() - began_s)

    def _positions(self) -> list[TopicPartition]:
        return [
            TopicPartition(topic, number, position)
            for number, held in self._held.items()
            for topic, position in held.positions.items()
        ]

    def _abort(self) -> None:
        """Back to what is committed. Raises `MustRestart`."""
        self._plan.meters.aborted()
        self._txn.abort()
        for number, held in self._held.items():
            held.shard.store.abort()
            held.shard.take_letters()
            held.inbox = Inbox(self._plan.topics)
            held.positions = dict(held.committed)
            for topic, position in held.committed.items():
                self._consumer.seek(TopicPartition(topic, number, position))

    # Partitions come and go, in `consume`.

    def _assigned(self, consumer: Consumer, parts: Sequence[TopicPartition]) -> None:
        numbers = sorted({part.partition for part in parts})
        expected = {(topic, number) for topic in self._plan.topics for number in numbers}
        if {(part.topic, part.partition) for part in parts} != expected:
            raise LogMisfit("the input topics have different numbers of partitions")
        stores: dict[int, ShardStore[Any]] = {}
        try:
            for number in numbers:
                stores[number] = ShardStore(
                    self._plan.folder / f"{self._plan.group}-{number}", self._plan.processor.codec
                )
            began_s = self._plan.clock.monotonic()
            count = kafka_log.restore(
                self._plan.cluster, self._plan.changelog, stores, self._plan.is_over
            )
            took_s = self._plan.clock.monotonic() - began_s
            self._plan.meters.restored(count, took_s)
            _log.info(
                "stream.restored",
                partitions=len(numbers),
                records=count,
                took_s=round(took_s, 3),
            )
            at = self._committed_offsets(consumer, parts)
        except BaseException:
            for store in stores.values():
                store.close()
            raise
        for number, store in stores.items():
            positions = {topic: at[topic, number] for topic in self._plan.topics}
            shard = Shard(store, self._plan.processor, record_of)
            inbox = Inbox(self._plan.topics)
            self._held[number] = _Held(number, shard, inbox, positions, dict(positions))
        consumer.assign([TopicPartition(*place, offset) for place, offset in at.items()])
        self._is_assigned = True

    def _committed_offsets(
        self, consumer: Consumer, parts: Sequence[TopicPartition]
    ) -> dict[tuple[str, int], int]:
        """Waits for the end of a transaction that an earlier member had open."""
        until_s = self._plan.clock.monotonic() + self._plan.limits.max_poll_s / 2
        while True:
            try:
                found = consumer.committed(list(parts), self._plan.limits.ask_s)
                return {(one.topic, one.partition): max(0, one.offset) for one in found}
            except KafkaException as raised:
                if error_of(raised).code() not in TRANSIENT:
                    raise
                if self._plan.is_over() or self._plan.clock.monotonic() > until_s:
                    raise

    def _revoked(self, _: Consumer, parts: Sequence[TopicPartition]) -> None:
        self._is_assigned = False
        self._try_commit()
        self._close(sorted({part.partition for part in parts}))

    def _lost(self, _: Consumer, parts: Sequence[TopicPartition]) -> None:
        """They are somebody else's already: nothing of them may be committed."""
        self._is_assigned = False
        self._txn.abort()
        self._close(sorted({part.partition for part in parts}))

    def _close(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            held = self._held.pop(number, None)
            if held is not None:
                held.shard.store.close()
