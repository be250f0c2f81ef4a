"""A member of a consumer group, in a thread of its own: what librdkafka asks for is blocking.

The thread fetches, and answers rebalances; the loop handles records. Between them go calls only:
`Listener` is called in the loop, `Member`'s methods may be called from it.

After a broker was away a client of librdkafka (2.16) may be lost for good, without any connection
and without trying for one (its issue 5301). Then it never joins its group again, is asked in vain
and does not even close. Nothing here waits for it without a limit, and `watch` finds out.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal, Protocol, TypeAlias

from confluent_kafka import (
    OFFSET_INVALID,
    Consumer,
    KafkaError,
    KafkaException,
    TopicPartition,
)

from kessai.kernel.bus import Record
from kessai.kernel.crash_points import reached
from kessai.kernel.kafka_bus.cluster import Cluster
from kessai.kernel.kafka_bus.errors import (
    BusUnavailable,
    ClientSilent,
    ends_client,
    error_of,
    unavailable,
)
from kessai.kernel.kafka_bus.limits import KafkaLimits
from kessai.kernel.kafka_bus.records import record_of
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
        is_there: Callable[[], bool],
        client: Callable[[dict[str, Any]], Consumer] = Consumer,
    ) -> None:
        self._limits = limits
        self._group = group
        # Whether a fresh client reaches the cluster; it blocks.
        self._is_there = is_there
        self._topics = list(topics)
        self._start = start
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._orders: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._over = threading.Event()
        self._gone = asyncio.Event()
        self._broken: Exception | None = None
        self._consumer = client(
            _config(cluster, limits, group, client_id) | {"on_commit": self._on_commit}
        )
        # The commit that was asked for last, and who waits for it.
        self._committing: tuple[Mapping[Place, int], asyncio.Future[None]] | None = None
        # Whether it was told its part of the partitions, be it none.
        self._assigned = False
        self._left_alone = False
        self._thread = threading.Thread(target=self._live, name=f"kafka-{group}", daemon=True)

    def begin(self) -> None:
        self._thread.start()

    async def watch(self) -> None:
        """Until its client is lost, and then raises `ClientSilent`."""
        pause_s, without = self._limits.silent_s / 4, 0
        while True:
            await asyncio.sleep(pause_s)
            turned: asyncio.Future[None] = self._loop.create_future()
            self._orders.put(partial(self._call, _succeed, turned))
            await self._answer(turned, "its thread stands still")
            without = 0 if self._assigned else without + 1
            # Twice, since a rebalance may wait so long for a member that hangs.
            if without * pause_s >= 2 * self._limits.silent_s:
                without = 0
                if await asyncio.to_thread(self._is_there) and not self._assigned:
                    raise ClientSilent("it is not let into its group")

    async def end(self) -> None:
        """Leaves the group; its partitions go to others at once. Left alone if it does not end."""
        self._over.set()
        try:
            async with asyncio.timeout(self._limits.request_s):
                await self._gone.wait()
        except TimeoutError:
            self._left_alone = True
            _log.warning("bus.client_left_alone", consumer=self._group)

    def pause(self, place: Place) -> None:
        self._orders.put(lambda: self._consumer.pause([TopicPartition(*place)]))

    def resume(self, place: Place) -> None:
        self._orders.put(lambda: self._consumer.resume([TopicPartition(*place)]))

    def go_back(self, place: Place, position: int) -> None:
        """Reads the partition from there again."""
        self._orders.put(lambda: self._consumer.seek(TopicPartition(*place, position)))

    async def commit(self, positions: Mapping[Place, int]) -> None:
        """Writes them down. Raises `BusUnavailable` when that is not known to be done, and
        `ClientSilent` when it is not told at all."""
        done: asyncio.Future[None] = self._loop.create_future()
        self._orders.put(lambda: self._commit_for(done, positions))
        await self._answer(done, "a commit was not answered")

    async def _answer(self, told: asyncio.Future[None], late: str) -> None:
        try:
            async with asyncio.timeout(self._limits.silent_s):
                await told
        except TimeoutError as raised:
            raise ClientSilent(late) from raised

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
            if error is not None:
                # To leave may take for ever.
                self._call(self._listener.ended, error)
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
            except RuntimeError:
                # It was closed before. Whoever waits for its end must not wait for ever.
                _log.info("bus.not_changed", consumer=self._group, error="CLOSED")

    def _commit_for(self, done: asyncio.Future[None], positions: Mapping[Place, int]) -> None:
        """It is fetched while the answer is on its way."""
        reached(f"ack:{self._group}:before")
        self._committing = positions, done
        try:
            self._consumer.commit(offsets=_offsets(positions), asynchronous=True)
        except KafkaException as raised:
            self._call(_fail, done, unavailable(raised))
        except RuntimeError:
            self._call(_fail, done, BusUnavailable("the membership ended"))

    def _on_commit(self, error: KafkaError | None, answers: list[TopicPartition]) -> None:
        """The answer, while it fetches; one that came too late was of another question."""
        positions = {(one.topic, one.partition): one.offset for one in answers}
        if self._committing is None or self._committing[0] != positions:
            return
        done, self._committing = self._committing[1], None
        refused = error or next((one.error for one in answers if one.error is not None), None)
        if refused is not None:
            self._call(_fail, done, BusUnavailable(refused.name()))
            return
        reached(f"ack:{self._group}:after")
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
        self._assigned = True
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
        self._assigned = False
        places = [(part.topic, part.partition) for part in parts]
        try:
            done = self._hand_over(places)
            if done:
                self._commit(done)
        except (BusUnavailable, TimeoutError) as raised:
            _log.warning("bus.not_handed_over", consumer=self._group, error=repr(raised))
        try:
            consumer.incremental_unassign(parts)
        except KafkaException as raised:
            self._broken = unavailable(raised)

    def _on_lost(self, consumer: Consumer, parts: list[TopicPartition]) -> None:
        self._assigned = False
        self._call(self._listener.lost, [(part.topic, part.partition) for part in parts])
        try:
            consumer.incremental_unassign(parts)
        except KafkaException as raised:
            self._broken = unavailable(raised)

    def _call(self, function: Callable[..., None], *given: object) -> None:
        if not self._left_alone:
            self._loop.call_soon_threadsafe(self._unless_left_alone, function, *given)

    def _unless_left_alone(self, function: Callable[..., None], *given: object) -> None:
        """Whoever listened listens to another member by now."""
        if not self._left_alone:
            function(*given)

    def _hand_over(self, places: Sequence[Place]) -> Mapping[Place, int]:
        if self._left_alone:
            return {}
        future = asyncio.run_coroutine_threadsafe(self._revoked(places), self._loop)
        return future.result(timeout=2 * self._limits.stop_s + 1)

    async def _revoked(self, places: Sequence[Place]) -> Mapping[Place, int]:
        return {} if self._left_alone else await self._listener.revoked(places)


def _config(cluster: Cluster, limits: KafkaLimits, group: str, client_id: str) -> dict[str, Any]:
    return cluster.config(
        group_id=group,
        client_id=client_id,
        enable_auto_commit=False,
        enable_auto_offset_store=False,
        # Where a fresh group begins is decided in `_positions`. A position that the topic has
        # forgotten goes on with what is left.
        auto_offset_reset="earliest",
        partition_assignment_strategy="cooperative-sticky",
        isolation_level="read_committed",
        session_timeout_ms=int(limits.session_s * 1000),
        # The client's own threads go on when ours hangs, and would keep its partitions.
        max_poll_interval_ms=int(max(limits.silent_s, limits.session_s) * 1000),
        heartbeat_interval_ms=int(limits.session_s * 1000 / 4),
        fetch_wait_max_ms=100,
        queued_max_messages_kbytes=8192,
    )


def _succeed(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)


def _fail(done: asyncio.Future[None], error: Exception) -> None:
    if not done.done():
        done.set_exception(error)


def _offsets(positions: Mapping[Place, int]) -> list[TopicPartition]:
    return [TopicPartition(*place, offset) for place, offset in positions.items()]
