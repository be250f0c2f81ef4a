"""A broker that was away under the rules: they hear again, and stop when they are told to.

The first offsets that were sent afterwards, the client never answered (librdkafka's issues 5456 and
5511), and the rules stood still for good.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest
from confluent_kafka import Producer
from tests.support.alert_orders import Event
from tests.support.alert_process import Job, kafka_stream
from tests.support.alert_topics import KafkaTopics, read_committed
from tests.support.kernel import eventually
from tests.support.outages import Away
from tests.support.servers import private_servers, private_url

from kessai.kernel.clock import SystemClock
from kessai.kernel.kafka_bus import cluster_of

pytestmark = [pytest.mark.stack, pytest.mark.long, pytest.mark.network, pytest.mark.timeout(240)]

ORDERS = 12


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


def publish(job: Job, orders: set[str]) -> None:
    producer = Producer(cluster_of(job.bus).config(partitioner="murmur2_random"))
    for order in orders:
        value = Event(0, order, "PaymentSucceeded").value(SystemClock().now_ms())
        producer.produce(job.topics.payments, value, order)
    assert producer.flush(20) == 0


def alerts(job: Job) -> set[str]:
    found = read_committed(job.bus, job.topics.alerts)
    return {json.loads(one.value)["orderId"] for one in found}
