"""`KafkaBus`: the port over a cluster; blocking questions are asked beside the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial

from kessai.kernel.bus import DEAD_LETTERS, Consumer, Handle, Message
from kessai.kernel.kafka_bus import redrive, topics
from kessai.kernel.kafka_bus.cluster import Cluster, cluster_of
from kessai.kernel.kafka_bus.consumer import KafkaConsumer
from kessai.kernel.kafka_bus.limits import KafkaLimits
from kessai.kernel.kafka_bus.member import Listener, Member, Start
from kessai.kernel.kafka_bus.producer import Sender
from kessai.kernel.kafka_bus.topics import is_there


async def open_kafka_bus(
    url: str,
    *,
    partitions: int,
    instance: str,
    topics: Sequence[str] = (),
    limits: KafkaLimits | None = None,
) -> KafkaBus:
    """Creates the `topics` that are missing, each with its dead letters.

    Raises `ValueError` for the URL, `BusMisfit` for a cluster that does not fit, `BusUnavailable`
    when there is none.
    """
    bus = KafkaBus(cluster_of(url), partitions=partitions, instance=instance, limits=limits)
    await bus.ensure([name for topic in topics for name in (topic, topic + DEAD_LETTERS)])
    return bus


class KafkaBus:
    def __init__(
        self,
        cluster: Cluster,
        *,
        partitions: int,
        instance: str,
        limits: KafkaLimits | None = None,
    ) -> None:
        self.limits = limits or KafkaLimits()
        self._cluster = cluster
        self._partitions = partitions
        self._instance = instance
        self._ensured: set[str] = set()
        self._sender: Sender | None = None
        self._closing: dict[asyncio.Task[None], None] = {}

    async def ensure(self, names: Sequence[str]) -> None:
        """The topics are there, with our number of partitions. Raises as `open_kafka_bus`."""
        missing = [name for name in dict.fromkeys(names) if name not in self._ensured]
        if missing:
            ask = partial(topics.ensure, self._cluster, missing, self._partitions, self.limits)
            await asyncio.to_thread(ask)
            self._ensured.update(missing)

    async def publish(self, messages: Sequence[Message]) -> None:
        if not messages:
            return
        await self.ensure([message.topic for message in messages])
        if self._sender is None:
            self._sender = Sender(self._cluster, self.limits)
        sender = self._sender
        try:
            await sender.send(messages)
        finally:
            if sender.failed and self._sender is sender:
                self._sender = None
                closing = asyncio.create_task(sender.close())
                self._closing[closing] = None
                closing.add_done_callback(self._closing.pop)

    def consumer(
        self,
        group: str,
        topics: Sequence[str],
        handle: Handle,
        *,
        start: Start = "earliest",
        at_once: int = 1,
    ) -> Consumer:
        return KafkaConsumer(self, group, topics, handle, start, at_once)

    def member(self, group: str, topics: Sequence[str], start: Start, listener: Listener) -> Member:
        return Member(
            self._cluster,
            self.limits,
            group=group,
            topics=topics,
            start=start,
            client_id=self._instance,
            listener=listener,
            is_there=partial(is_there, self._cluster, self.limits),
        )

    async def lag(self, group: str) -> Mapping[str, int]:
        return await asyncio.to_thread(topics.lag, self._cluster, group, self.limits)

    async def redrive(self, topic: str, *, limit: int = 1000) -> int:
        await self.ensure([topic, topic + DEAD_LETTERS])
        work = partial(
            redrive.redrive,
            self._cluster,
            topic,
            partitions=self._partitions,
            limit=limit,
            limits=self.limits,
        )
        return await asyncio.to_thread(work)

    async def close(self) -> None:
        sender, self._sender = self._sender, None
        if sender is not None:
            await sender.close()
        await asyncio.gather(*self._closing)
