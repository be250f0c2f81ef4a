"""A member of a consumer group, in a thread of its own: what librdkafka asks for is blocking.

The thread fetches, and answers rebalances; the loop handles records. Between them go calls only:
`Listener` is called in the loop, `Member`'s methods may be called from it.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Literal, Protocol, TypeAlias

from confluent_kafka import (
    OFFSET_INVALID,
    Consumer,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka import Message as KafkaMessage

from kessai.kernel.bus import Record
from kessai.kernel.crash_points import reached
from kessai.kernel.kafka_bus.cluster import Cluster
from kessai.kernel.kafka_bus.errors import (
    BusUnavailable,
    ends_client,
    error_of,
    unavailable,
)
from kessai.kernel.kafka_bus.limits import KafkaLimits
from kessai.kernel.telemetry import get_log

_log = get_log(__name__)
Start: TypeAlias = Literal["earliest", "latest"]
Place: TypeAlias = tuple[str, int]


class Listener(Protocol):
    def assigned(self, positions: Mapping[Place, int]) -> None: ...

    def arrived(self, records: Sequence[Record]) -> None: ...

    async def revoked(self, places: Sequence[Place]) -> Mapping[Place, int]:
        """Ends the work on them; returns how far each of them is handled."""
        ...

    def lost(self, places: Sequence[Place]) -> None:
        """They belong to somebody else already: nothing of them may be committed."""
        ...

    def ended(self, error: Exception | None) -> None: ...


class Member:
    def __init__(
        self,
        cluster: Cluster,
        limits: KafkaLimits,
        *,
        group: str,
        topics: Sequence[str],
        start: Start,
        client_id: str,
        listener: Listener,
    ) -> None:
        self._limits = limits
        self._group = group
        self._topics = list(topics)
        self._start = start
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._orders: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._over = threading.Event()
        self._gone = asyncio.Event()
        self._broken: Exception | None = None
        self._consumer = Consumer(
            cluster.config(
                group_id=group,
                client_id=client_id,
                enable_auto_commit=False,
                enable_auto_offset_store=False,
                # Where a fresh group begins is decided in `_positions`. A position that the topic
                # has forgotten goes on with what is left.
                auto_offset_reset="earliest",
                partition_assignment_strategy="cooperative-sticky",
                isolation_level="read_committed",
                session_timeout_ms=int(limits.session_s * 1000),
                heartbeat_interval_ms=int(limits.session_s * 1000 / 4),
                fetch_wait_max_ms=100,
                queued_max_messages_kbytes=8192,
            )
        )
        self._thread = threading.Thread(target=self._live, name=f"kafka-{group}", daemon=True)

    def begin(self) -> None:
        self._thread.start()

    async def end(self) -> None:
        """Leaves the group; its partitions go to others at once."""
        self._over.set()
        await self._gone.wait()

    def pause(self, place: Place) -> None:
        self._orders.put(lambda: self._consumer.pause([TopicPartition(*place)]))

    def resume(self, place: Place) -> None:
        self._orders.put(lambda: self._consumer.resume([TopicPartition(*place)]))

    def go_back(self, place: Place, position: int) -> None:
        """Reads the partition from there again."""
        self._orders.put(lambda: self._consumer.seek(TopicPartition(*place, position)))

    async def commit(self, positions: Mapping[Place, int]) -> None:
        """Writes them down. Raises `BusUnavailable` when that is not known to be done."""
        done: asyncio.Future[None] = self._loop.create_future()
        self._orders.put(lambda: self._commit_for(done, positions))
        await done

    # --- in the thread ----------------------------------------------------------------------

    def _live(self) -> None:
        error: Exception | None = None
        try:
            self._consumer.subscribe(
                self._topics,
                on_assign=self._on_assign,
                on_revoke=self._on_revoke,
                on_lost=self._on_lost,
            )
            while not self._over.is_set() and self._broken is None:
                self._obey()
                self._fetch()
            error = self._broken
        except KafkaException as raised:
            error = unavailable(raised)
        except Exception as raised:
            error = self._mistaken(raised)
        finally:
            self._leave()
            # Whoever waits for a commit learns that there is none.
            self._obey()
            self._call(self._listener.ended, error)
            self._call(self._gone.set)

    def _mistaken(self, error: Exception) -> Exception:
        """A mistake of this class; it ends the consumer's loop, which is in another thread."""
        _log.error("bus.member_failed", consumer=self._group, error=repr(error))
        return error

    def _obey(self) -> None:
        """The client lets one thread in at a time, and fetching is nearly always in it."""
        while True:
            try:
                order = self._orders.get_nowait()
            except queue.Empty:
                return
            try:
                order()
            except KafkaException as raised:
                # It is no longer ours, and with it goes what was asked for.
                _log.info("bus.not_changed", consumer=self._group, error=error_of(raised).name())

    def _commit_for(self, done: asyncio.Future[None], positions: Mapping[Place, int]) -> None:
        try:
            self._commit(positions)
        except BusUnavailable as error:
            self._call(_fail, done, error)
        else:
            self._call(_succeed, done)

    def _commit(self, positions: Mapping[Place, int]) -> None:
        reached(f"ack:{self._group}:before")
        try:
            answers = self._consumer.commit(offsets=_offsets(positions), asynchronous=False)
        except KafkaException as raised:
            raise unavailable(raised) from raised
        except RuntimeError as closed:
            raise BusUnavailable("the membership ended") from closed
        for one in answers or ():
            if one.error is not None:
                raise BusUnavailable(one.error.name())
        reached(f"ack:{self._group}:after")

    def _fetch(self) -> None:
        """Waits for one record; what came with it is taken at once."""
        first = self._consumer.poll(self._limits.poll_s)
        if first is None:
            return
        records = []
        for message in (first, *self._consumer.consume(self._limits.fetch, 0)):
            error = message.error()
            if error is None:
                records.append(record_of(message))
            elif ends_client(error) or error.code() == KafkaError._MAX_POLL_EXCEEDED:
                raise KafkaException(error)
            else:
                _log.info("bus.fetch_failed", consumer=self._group, error=error.name())
        if records:
            self._call(self._listener.arrived, records)

    def _leave(self) -> None:
        try:
            self._consumer.close()
        except (KafkaException, RuntimeError) as raised:
            _log.warning("bus.not_left", consumer=self._group, error=repr(raised))

    def _on_assign(self, consumer: Consumer, parts: list[TopicPartition]) -> None:
        try:
            positions = self._positions(parts) if parts else {}
            consumer.incremental_assign(_offsets(positions))
        except (KafkaException, BusUnavailable) as raised:
            # Raised here it would be raised by `consume`, as nobody's error.
            self._broken = unavailable(raised) if isinstance(raised, KafkaException) else raised
            return
        self._call(self._listener.assigned, positions)

    def _positions(self, parts: list[TopicPartition]) -> dict[Place, int]:
        """How far the group is. A fresh place is written down, so nothing after it is missed."""
        found: dict[Place, int] = {}
        fresh: dict[Place, int] = {}
        for part in self._consumer.committed(parts, timeout=self._limits.request_s):
            if part.error is not None:
                raise BusUnavailable(part.error.name())
            place = part.topic, part.partition
            if part.offset != OFFSET_INVALID and part.offset >= 0:
                found[place] = part.offset
            else:
                low, high = self._consumer.get_watermark_offsets(
                    TopicPartition(*place), timeout=self._limits.request_s
                )
                fresh[place] = low if self._start == "earliest" else high
        if fresh:
            self._commit(fresh)
        return found | fresh

    def _on_revoke(self, consumer: Consumer, parts: list[TopicPartition]) -> None:
        places = [(part.topic, part.partition) for part in parts]
        try:
            done = self._wait(self._listener.revoked(places))
            if done:
                self._commit(done)
        except (BusUnavailable, TimeoutError) as raised:
            _log.warning("bus.not_handed_over", consumer=self._group, error=repr(raised))
        try:
            consumer.incremental_unassign(parts)
        except KafkaException as raised:
            self._broken = unavailable(raised)

    def _on_lost(self, consumer: Consumer, parts: list[TopicPartition]) -> None:
        self._call(self._listener.lost, [(part.topic, part.partition) for part in parts])
        try:
            consumer.incremental_unassign(parts)
        except KafkaException as raised:
            self._broken = unavailable(raised)

    def _call(self, function: Callable[..., None], *given: object) -> None:
        self._loop.call_soon_threadsafe(function, *given)

    def _wait(self, work: Coroutine[object, object, Mapping[Place, int]]) -> Mapping[Place, int]:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result(timeout=2 * self._limits.stop_s + 1)


def _succeed(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)


def _fail(done: asyncio.Future[None], error: Exception) -> None:
    if not done.done():
        done.set_exception(error)


def _offsets(positions: Mapping[Place, int]) -> list[TopicPartition]:
    return [TopicPartition(*place, offset) for place, offset in positions.items()]


def record_of(message: KafkaMessage) -> Record:
    key, value = message.key(), message.value()
    return Record(
        topic=message.topic() or "",
        partition=message.partition() or 0,
        offset=message.offset() or 0,
        key=_text(key),
        value=value.encode() if isinstance(value, str) else value or b"",
        headers=_headers(message),
        at_ms=message.timestamp()[1],
    )


def _headers(message: KafkaMessage) -> dict[str, str]:
    """Of a name that comes twice the last one counts."""
    given = message.headers() or []
    pairs = given.items() if isinstance(given, dict) else given
    return {str(name): _text(content) for name, content in pairs}


def _text(content: bytes | str | None) -> str:
    """Others may write to a topic, too: what is no UTF-8 must not stop its partition here."""
    return content.decode(errors="replace") if isinstance(content, bytes) else content or ""
