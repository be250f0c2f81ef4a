"""How long what was read waits for its commit: briefly in live traffic, longer in a backlog."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from confluent_kafka import Producer
from tests.support.alert_orders import Event
from tests.support.alert_process import Job, plan_of
from tests.support.alert_topics import KafkaTopics
from tests.support.servers import server_url

from kessai.kernel.clock import SystemClock
from kessai.kernel.kafka_bus import cluster_of
from kessai.kernel.streams import kafka_log
from kessai.kernel.streams.kafka_inbox import FULL
from kessai.kernel.streams.kafka_work import Plan, Worker
from kessai.kernel.streams.meters import NoMeters
from kessai.topology import PARTITIONS

pytestmark = [pytest.mark.stack, pytest.mark.network, pytest.mark.timeout(120)]

ORDER = f"{1:026d}"
_names = itertools.count()


class StoppedClock(SystemClock):
    """Its seconds go on only where a test says so."""

    at_s = 1_000.0

    def monotonic(self) -> float:
        return self.at_s


class Commits(NoMeters):
    """How many records each of them had."""

    def __init__(self) -> None:
        self.records: list[int] = []

    def committed(self, records: int, seconds: float) -> None:
        self.records.append(records)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    made = Job(
        bus=server_url("KESSAI_BUS_URL"),
        prefix=f"t{os.getpid()}-c{next(_names)}",
        folder=str(tmp_path / "state"),
        instance="a",
        window_ms=60_000,
        refund_ms=60_000,
    )
    KafkaTopics(made)
    kafka_log.ensure(cluster_of(made.bus), made.changelog, PARTITIONS, 1)
    return made


def a_plan(job: Job, clock: StoppedClock, commits: Commits, *, fetch: int) -> Plan:
    plan = plan_of(job, clock)
    return replace(plan, meters=commits, limits=replace(plan.limits, fetch=fetch))


def publish_paid(job: Job, count: int) -> None:
    """All of one order, and so in one partition."""
    producer = Producer(cluster_of(job.bus).config(partitioner="murmur2_random"))
    for number in range(count):
        value = Event(0, ORDER, "PAID", number).value(SystemClock().now_ms())
        producer.produce(job.topics.orders, value, ORDER)
    assert producer.flush(20) == 0


def turn_until(worker: Worker, done: Callable[[], bool]) -> None:
    end_s = time.monotonic() + 40
    while not done():
        assert time.monotonic() < end_s, "it does not come"
        worker.turn()


def handled(worker: Worker) -> int:
    return sum(shard.counted.records for shard in worker.shards.values())


def test_live_traffic_is_committed_every_fifth_of_a_second(job: Job) -> None:
    clock, commits = StoppedClock(), Commits()
    with Worker(a_plan(job, clock, commits, fetch=500)) as worker:
        turn_until(worker, worker.turn)
        # A commit of nothing: the time is counted from here.
        clock.at_s += 1.0
        worker.turn()
        for number in (1, 2):
            publish_paid(job, 1)
            turn_until(worker, lambda number=number: handled(worker) == number)  # type: ignore[misc]
            clock.at_s += 0.19
            worker.turn()
            assert commits.records == [1] * (number - 1)
            clock.at_s += 0.02
            worker.turn()
            assert commits.records == [1] * number


def test_a_backlog_is_committed_once_a_second(job: Job) -> None:
    clock, commits = StoppedClock(), Commits()
    # More than waits in memory until the ends of the other topics are known.
    count = 2 * FULL
    publish_paid(job, count)
    with Worker(a_plan(job, clock, commits, fetch=5)) as worker:
        turn_until(worker, lambda: handled(worker) > 0)
        clock.at_s += 0.9
        assert not worker.turn()
        assert commits.records == []
        clock.at_s += 0.2
        assert not worker.turn()
        assert len(commits.records) == 1
        assert 0 < commits.records[0] < count
