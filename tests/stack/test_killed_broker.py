"""A broker that was away: rules and consumers hear again, and stop when they are told to.

The first offsets that the rules sent afterwards, the client never answered (librdkafka's issues
5456 and 5511), and they stood still for good. A broker on its way up or down may name no broker at
all, and a client that hears it has none left (5301): some groups read nothing any more.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
from contextlib import suppress
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
from confluent_kafka import Producer
from tests.support.alert_orders import Event
from tests.support.alert_process import Job, kafka_stream
from tests.support.alert_topics import KafkaTopics, read_committed
from tests.support.kernel import Seen, a_message, eventually, running
from tests.support.outages import Away
from tests.support.servers import private_servers, private_url

from kessai.kernel.bus import Bus
from kessai.kernel.clock import SystemClock
from kessai.kernel.errors import Unknown
from kessai.kernel.kafka_bus import KafkaLimits, cluster_of, open_kafka_bus

pytestmark = [pytest.mark.stack, pytest.mark.long, pytest.mark.network, pytest.mark.timeout(240)]

ORDERS = 12
GROUPS = 20
KEYS = 12


async def test_the_rules_hear_again_each_time(tmp_path: Path) -> None:
    job = Job(
        bus=private_url("KESSAI_BUS_URL"),
        prefix=f"t{os.getpid()}-killed",
        folder=str(tmp_path / "state"),
        instance="a",
        window_ms=1_000,
        refund_ms=2_000,
    )
    KafkaTopics(job)
    stream = kafka_stream(job)
    task = asyncio.create_task(stream.run())
    await asyncio.wait_for(stream.ready(), 40)
    kafka = Away(private_servers(), "kafka")
    for turn, meanwhile in enumerate((None, kafka.stopped, kafka.killed)):
        if meanwhile is not None:
            await asyncio.to_thread(meanwhile)
        orders = {f"{turn:013d}{number:013d}" for number in range(ORDERS)}
        await asyncio.to_thread(publish, job, orders)

        async def heard(wanted: frozenset[str] = frozenset(orders)) -> bool:
            return wanted <= await asyncio.to_thread(alerts, job)

        await eventually(heard, within_s=60, every_s=0.5)
    task.cancel()
    await asyncio.wait([task], timeout=8)
    assert task.done()


async def test_no_group_is_lost() -> None:
    topic, kafka = f"t.{uuid4().hex[:8]}.away.v1", Away(private_servers(), "kafka")
    bus = await open_kafka_bus(
        private_url("KESSAI_BUS_URL"),
        partitions=6,
        instance="a",
        topics=[topic],
        limits=KafkaLimits(replication=1),
    )
    groups = [Seen() for _ in range(GROUPS)]
    async with running(*(bus.consumer(f"{n}.{topic}", [topic], g) for n, g in enumerate(groups))):
        # Offsets are committed all the time, also while the broker goes.
        traffic = asyncio.create_task(write_always(bus, topic))
        for away in (kafka.paused, kafka.restarted, kafka.restarted):
            await asyncio.to_thread(away)
            before = [len(seen.records) for seen in groups]
            for seen, heard in zip(groups, before, strict=True):
                await eventually(partial(is_more, seen, heard), within_s=90)
        traffic.cancel()
        await asyncio.gather(traffic, return_exceptions=True)
    await bus.close()


def is_more(seen: Seen, heard: int) -> bool:
    return len(seen.records) > heard


async def write_always(bus: Bus, topic: str) -> None:
    for number in itertools.count():
        with suppress(Unknown):
            await bus.publish([a_message(topic, f"k{n}", str(number)) for n in range(KEYS)])
        await asyncio.sleep(0.05)


def publish(job: Job, orders: set[str]) -> None:
    producer = Producer(cluster_of(job.bus).config(partitioner="murmur2_random"))
    for order in orders:
        value = Event(0, order, "PaymentSucceeded").value(SystemClock().now_ms())
        producer.produce(job.topics.payments, value, order)
    assert producer.flush(20) == 0


def alerts(job: Job) -> set[str]:
    found = read_committed(job.bus, job.topics.alerts)
    return {json.loads(one.value)["orderId"] for one in found}
