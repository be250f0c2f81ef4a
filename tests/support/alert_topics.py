"""A run's own topics on a Kafka, or its own file of a local bus: published to, and read back."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from tests.support.alert_orders import Told
from tests.support.alert_process import Job

from kessai.kernel.bus import DEAD_LETTERS, Message, Record
from kessai.kernel.clock import SystemClock
from kessai.kernel.kafka_bus import cluster_of
from kessai.kernel.kafka_bus import topics as broker
from kessai.kernel.kafka_bus.limits import KafkaLimits
from kessai.kernel.kafka_bus.records import record_of
from kessai.kernel.local_bus import LocalBus, open_local_bus
from kessai.topology import PARTITIONS

_READ_S = 30.0


class Topics(Protocol):
    async def publish(self, messages: Sequence[Message]) -> None: ...

    async def records(self, topic: str) -> list[Record]:
        """All that is committed."""
        ...

    async def lag(self) -> int:
        """Input records that the rules have not committed yet."""
        ...

    async def close(self) -> None: ...


async def told(topics: Topics, job: Job) -> Counter[Told]:
    """How often each alert is on the topic: (order, rule, AlertRaised or AlertResolved)."""
    events: list[dict[str, Any]] = [
        json.loads(one.value) for one in await topics.records(job.topics.alerts)
    ]
    return Counter(
        (one["orderId"] or one["source"], one["rule"], one["eventType"]) for one in events
    )


async def open_topics(job: Job) -> Topics:
    if job.bus.startswith("kafka:"):
        return await asyncio.to_thread(KafkaTopics, job)
    bus = await open_local_bus(job.bus, SystemClock(), partitions=PARTITIONS, instance="the crowd")
    return LocalTopics(bus, job)


@dataclass
class LocalTopics:
    bus: LocalBus
    job: Job

    async def publish(self, messages: Sequence[Message]) -> None:
        await self.bus.publish(messages)

    async def records(self, topic: str) -> list[Record]:
        found: list[Record] = []
        for partition in range(PARTITIONS):
            position = 0
            while more := await self.bus.read((topic, partition), position, 5_000):
                found += more
                position = more[-1].offset + 1
        return found

    async def lag(self) -> int:
        return sum((await self.bus.lag(self.job.group)).values())

    async def close(self) -> None:
        await self.bus.close()


class KafkaTopics:
    """Input topics carry the log's own time, as those of the shop do."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._cluster = cluster_of(job.bus)
        inputs = [*job.topics.read]
        letters = [topic + DEAD_LETTERS for topic in inputs]
        limits = KafkaLimits(replication=1)
        broker.ensure(self._cluster, [*inputs, *letters, job.topics.alerts], PARTITIONS, limits)
        self._producer = Producer(
            self._cluster.config(partitioner="murmur2_random", linger_ms=2, enable_idempotence=True)
        )

    async def publish(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self._producer.produce(message.topic, message.value, message.key)
        left = await asyncio.to_thread(self._producer.flush, _READ_S)
        assert left == 0, f"{left} messages could not be published"

    async def records(self, topic: str) -> list[Record]:
        return await asyncio.to_thread(read_committed, self._job.bus, topic)

    async def lag(self) -> int:
        """Also of topics of which the group has committed nothing."""
        return await asyncio.to_thread(self._lag)

    def _lag(self) -> int:
        places = [
            (topic, number) for topic in self._job.topics.read for number in range(PARTITIONS)
        ]
        ends = broker.ends(self._cluster, places, KafkaLimits())
        consumer = Consumer(self._cluster.config(group_id=self._job.group))
        try:
            found = consumer.committed([TopicPartition(*place) for place in places], _READ_S)
        finally:
            consumer.close()
        at = {(one.topic, one.partition): max(0, one.offset) for one in found}
        return sum(max(0, ends[place] - at[place]) for place in places)

    async def close(self) -> None:
        await asyncio.to_thread(self._producer.flush, _READ_S)


def read_committed(url: str, topic: str) -> list[Record]:
    consumer = Consumer(
        cluster_of(url).config(
            group_id="tests.reader",
            enable_auto_commit=False,
            enable_partition_eof=True,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            fetch_wait_max_ms=20,
        )
    )
    found: list[Record] = []
    try:
        consumer.assign([TopicPartition(topic, number, 0) for number in range(PARTITIONS)])
        left, until_s = set(range(PARTITIONS)), time.monotonic() + _READ_S
        while left:
            assert time.monotonic() < until_s, f"{topic} has no end in {sorted(left)}"
            for message in consumer.consume(5_000, 0.05):
                error = message.error()
                if error is None:
                    found.append(record_of(message))
                elif error.code() == KafkaError._PARTITION_EOF:
                    left.discard(message.partition() or 0)
                elif not error.retriable():
                    raise KafkaException(error)
    finally:
        consumer.close()
    return found
