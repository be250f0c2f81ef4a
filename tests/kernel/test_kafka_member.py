"""A client that never answers again, as librdkafka's may after a broker was away: a new one reads
on. It hangs here by command; on a real broker see tests/stack/test_paused_broker.py."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from confluent_kafka import Consumer, TopicPartition
from tests.support.kernel import Seen, eventually, running

from kessai.kernel.bus import Record, Retry
from kessai.kernel.kafka_bus import KafkaBus, KafkaLimits
from kessai.kernel.kafka_bus.cluster import Cluster
from kessai.kernel.kafka_bus.member import Listener, Member, Place, Start

TOPIC = "t.orders.v1"
LIMITS = KafkaLimits(
    silent_s=0.4,
    request_s=0.3,
    stop_s=0.2,
    commit_after_s=0.01,
    retry=Retry(first_pause_s=0.01),
)


@dataclass(frozen=True)
class Fetched:
    number: int

    def error(self) -> None:
        return None

    def topic(self) -> str:
        return TOPIC

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self.number

    def key(self) -> bytes:
        return b"k"

    def value(self) -> bytes:
        return str(self.number).encode()

    def headers(self) -> list[tuple[str, bytes]]:
        return []

    def timestamp(self) -> tuple[int, int]:
        return 1, 0


@dataclass
class Log:
    """One partition with its group's position; `hangs` names what no client answers now."""

    records: int = 1
    position: int = -1001
    hangs: set[str] = field(default_factory=set)
    is_there: bool = True
    clients: list[Client] = field(default_factory=list)
    # Those who lose their partitions now, and join no more.
    leaving: list[Client] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def client(self, config: dict[str, Any]) -> Consumer:
        made = Client(self, config["on_commit"])
        self.clients.append(made)
        return cast("Consumer", made)


class Client:
    """What `Member` asks of librdkafka's. One that met its hang stays in it."""

    def __init__(self, log: Log, on_commit: Callable[..., None]) -> None:
        self._log = log
        self._on_commit = on_commit
        self._answers: list[list[TopicPartition]] = []
        self._next: int | None = None
        self._callbacks: dict[str, Callable[..., None]] = {}
        self.place = [TopicPartition(TOPIC, 0)]
        self.closed = threading.Event()

    def _maybe_hang(self, where: str) -> None:
        if where in self._log.hangs:
            self._log.over.wait(10)

    def subscribe(self, topics: Sequence[str], **callbacks: Callable[..., None]) -> None:
        assert topics == [TOPIC]
        self._callbacks = callbacks

    def poll(self, timeout_s: float) -> Fetched | None:
        self._maybe_hang("poll")
        if self in self._log.leaving:
            self._log.leaving.remove(self)
            self._callbacks["on_lost"](self, self.place)
        if self._next is None:
            self._callbacks["on_assign"](self, self.place)
        while self._answers:
            self._on_commit(None, self._answers.pop(0))
        if self._next is None or self._next >= self._log.records:
            time.sleep(timeout_s)
            return None
        self._next += 1
        return Fetched(self._next - 1)

    def consume(self, number: int, timeout_s: float) -> list[Fetched]:
        return []

    def committed(self, places: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        return [TopicPartition(TOPIC, 0, self._log.position)]

    def get_watermark_offsets(self, place: TopicPartition, timeout: float) -> tuple[int, int]:
        return 0, self._log.records

    def incremental_assign(self, places: list[TopicPartition]) -> None:
        self._next = places[0].offset

    def incremental_unassign(self, places: list[TopicPartition]) -> None:
        self._next = sys.maxsize

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> None:
        if asynchronous and "commit" in self._log.hangs:
            return
        self._log.position = offsets[0].offset
        if asynchronous:
            self._answers.append(offsets)

    def pause(self, places: list[TopicPartition]) -> None:
        if self.closed.is_set():
            raise RuntimeError("Consumer closed")

    def close(self) -> None:
        self._maybe_hang("close")
        # As librdkafka does, in the thread that closes.
        self._callbacks["on_revoke"](self, self.place)
        self.closed.set()


class Bus(KafkaBus):
    def __init__(self, log: Log) -> None:
        super().__init__(Cluster("127.0.0.1:1"), partitions=1, instance="a", limits=LIMITS)
        self._log = log

    async def ensure(self, names: Sequence[str]) -> None:
        """There they are."""

    def member(self, group: str, topics: Sequence[str], start: Start, listener: Listener) -> Member:
        return Member(
            Cluster("127.0.0.1:1"),
            self.limits,
            group=group,
            topics=topics,
            start=start,
            client_id="a",
            listener=listener,
            is_there=lambda: self._log.is_there,
            client=self._log.client,
        )


@contextmanager
def a_log() -> Iterator[Log]:
    log = Log()
    try:
        yield log
    finally:
        log.over.set()
        for client in log.clients:
            assert client.closed.wait(5)


@pytest.mark.parametrize("hang", ["poll", "commit"])
async def test_one_that_hangs_is_followed_by_another(hang: str) -> None:
    seen = Seen()
    with a_log() as log:
        async with running(Bus(log).consumer("g", [TOPIC], seen)):
            await eventually(lambda: log.position == 1)
            log.hangs |= {hang, "close"}
            log.records = 2
            await eventually(lambda: len(log.clients) >= 2)
            log.hangs.clear()
            await eventually(lambda: log.position == 2)
            # At least once: what is not known to be written down is read again.
            assert seen.records[-1].value == b"1"
            assert len(log.clients) < 6


@pytest.mark.parametrize("there", [True, False])
async def test_one_that_lost_its_partitions_is_followed_only_if_the_cluster_is_there(
    there: bool,
) -> None:
    with a_log() as log:
        async with running(Bus(log).consumer("g", [TOPIC], Seen())):
            await eventually(lambda: log.position == 1)
            log.is_there = there
            log.leaving.append(log.clients[0])
            log.records = 2
            if there:
                await eventually(lambda: log.position == 2)
                assert len(log.clients) == 2
            else:
                await asyncio.sleep(4 * LIMITS.silent_s)
                assert (log.position, len(log.clients)) == (1, 1)


async def test_what_the_first_one_says_after_all_does_not_end_the_work_of_the_second() -> None:
    seen = Seen()
    with a_log() as log:
        async with running(Bus(log).consumer("g", [TOPIC], seen)):
            await eventually(lambda: log.position == 1)
            log.hangs |= {"commit", "close"}
            log.records = 2
            await eventually(lambda: len(log.clients) == 2)
            log.hangs.clear()
            await eventually(lambda: log.position == 2)
            log.over.set()
            await eventually(log.clients[0].closed.is_set)
            log.records = 3
            await eventually(lambda: log.position == 3)
            assert len(log.clients) == 2


class Late:
    """A listener that asks for something while its member leaves."""

    def __init__(self) -> None:
        self.member: Member | None = None
        self.is_assigned = asyncio.Event()
        self.errors: list[Exception | None] = []

    def assigned(self, positions: Mapping[Place, int]) -> None:
        self.is_assigned.set()

    def arrived(self, records: Sequence[Record]) -> None: ...

    async def revoked(self, places: Sequence[Place]) -> Mapping[Place, int]:
        assert self.member is not None
        self.member.pause((TOPIC, 0))
        return {}

    def lost(self, places: Sequence[Place]) -> None: ...

    def ended(self, error: Exception | None) -> None:
        self.errors.append(error)


async def test_what_is_asked_of_a_closed_client_does_not_keep_anybody_waiting() -> None:
    with a_log() as log:
        listener = Late()
        listener.member = member = Bus(log).member("g", [TOPIC], "earliest", listener)
        member.begin()
        await asyncio.wait_for(listener.is_assigned.wait(), 5)
        await member.end()
        # It ended, and was not left alone.
        assert listener.errors == [None]


async def test_a_stop_does_not_wait_for_one_that_does_not_close() -> None:
    with a_log() as log:
        async with running(Bus(log).consumer("g", [TOPIC], Seen())):
            await eventually(lambda: log.position == 1)
            log.hangs.add("close")
            began = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - began < 5 * LIMITS.request_s
