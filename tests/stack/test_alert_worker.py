"""One life of the runtime on a real Kafka, turn by turn, with a clock that the test holds."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer
from rocksdict import Options, Rdict
from tests.support.alert_orders import Event
from tests.support.alert_process import Job, kafka_stream, plan_of
from tests.support.alert_topics import KafkaTopics, read_committed
from tests.support.kernel import eventually
from tests.support.servers import server_url

from kessai.kernel.actuator import Unwell
from kessai.kernel.bus import DEAD_LETTERS, partition_of
from kessai.kernel.clock import SystemClock, wire
from kessai.kernel.kafka_bus import cluster_of
from kessai.kernel.kafka_bus import topics as broker
from kessai.kernel.kafka_bus.limits import KafkaLimits
from kessai.kernel.streams import kafka_log
from kessai.kernel.streams.kafka import KafkaStream
from kessai.kernel.streams.kafka_log import LogMisfit
from kessai.kernel.streams.kafka_work import Worker
from kessai.kernel.streams.store import ShardStore, StoreInUse, StoreMisfit
from kessai.topology import PARTITIONS

pytestmark = [pytest.mark.stack, pytest.mark.network, pytest.mark.timeout(120)]

WINDOW_MS = 1_000
ORDER = f"{1:026d}"
_names = itertools.count()


class HeldClock(SystemClock):
    """Goes on by itself, and leaps where a test wants it."""

    leap_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.leap_ms


class HookedClock(SystemClock):
    """Whatever looks at it may be held up."""

    hook: Callable[[], None] | None = None

    def monotonic(self) -> float:
        if self.hook is not None:
            self.hook()
        return super().monotonic()


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(
        bus=server_url("KESSAI_BUS_URL"),
        prefix=f"t{os.getpid()}-w{next(_names)}",
        folder=str(tmp_path / "state"),
        instance="a",
        window_ms=WINDOW_MS,
        refund_ms=2 * WINDOW_MS,
        session_s=6,
    )


@pytest.fixture
def topics(job: Job) -> KafkaTopics:
    made = KafkaTopics(job)
    kafka_log.ensure(cluster_of(job.bus), job.changelog, PARTITIONS, 1)
    return made


def publish(job: Job, *values: tuple[str, str, bytes]) -> None:
    """(topic, key, value)"""
    producer = Producer(cluster_of(job.bus).config(partitioner="murmur2_random"))
    for topic, key, value in values:
        producer.produce(topic, value, key)
    assert producer.flush(20) == 0


def success(job: Job, order: str = ORDER, number: int = 1) -> tuple[str, str, bytes]:
    value = Event(0, order, "PaymentSucceeded", number).value(SystemClock().now_ms())
    return job.topics.payments, order, value


def paid(job: Job, order: str = ORDER) -> tuple[str, str, bytes]:
    return job.topics.orders, order, Event(0, order, "PAID").value(SystemClock().now_ms())


def alerts(job: Job) -> list[tuple[str, str]]:
    events = [json.loads(one.value) for one in read_committed(job.bus, job.topics.alerts)]
    return [(one["orderId"], one["rule"]) for one in events]


def work_until(worker: Worker, done: Callable[[], bool], limit_s: float = 40.0) -> None:
    end_s = time.monotonic() + limit_s
    while not done():
        assert time.monotonic() < end_s, "it does not come"
        worker.turn()


def work_for(worker: Worker, seconds: float) -> None:
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        worker.turn()


def handled(worker: Worker) -> int:
    return sum(shard.counted.records for shard in worker.shards.values())


def test_who_hung_and_was_replaced_commits_nothing_not_even_what_time_alone_raised(
    job: Job, topics: KafkaTopics
) -> None:
    """The offsets in each transaction carry the group's generation; without them this commits."""
    replaced: list[bool] = []

    def hang() -> None:
        """Between the timer and the commit, until another has done the same work."""
        if replaced or not any(shard.counted.timers for shard in worker.shards.values()):
            return
        replaced.append(True)
        with Worker(plan_of(replace(job, instance="b"), SystemClock())) as other:
            work_until(other, lambda: bool(alerts(job)))

    publish(job, success(job))
    clock = HookedClock()
    with Worker(plan_of(job, clock, max_poll_s=6)) as worker:
        clock.hook = hang
        work_until(worker, lambda: bool(replaced))
        assert alerts(job) == [(ORDER, "A")]
        # It learns that it is no member any more, joins again, and has nothing to add.
        work_for(worker, 3)
    assert alerts(job) == [(ORDER, "A")]


def test_a_clock_that_leaps_by_an_hour_raises_nothing(job: Job, topics: KafkaTopics) -> None:
    clock = HeldClock()
    job = replace(job, window_ms=20_000)
    with Worker(plan_of(job, clock)) as worker:
        publish(job, success(job), paid(job, f"{2:026d}"))
        work_until(worker, lambda: handled(worker) == 2)
        for hours in (1, -2):
            clock.leap_ms += hours * 3_600_000
            work_for(worker, 1.5)
        publish(job, paid(job), success(job, f"{2:026d}"))
        work_until(worker, lambda: handled(worker) == 4)
    assert alerts(job) == []


def test_what_cannot_be_read_goes_to_the_dead_letters_and_the_partition_goes_on(
    job: Job, topics: KafkaTopics
) -> None:
    _, order, good = success(job)
    event = json.loads(good)
    now_ms, day_ms = SystemClock().now_ms(), 86_400_000
    changed: dict[str, dict[str, object]] = {
        "UnknownVersion": {"schemaVersion": 2},
        "NoOrder": {"orderId": ""},
        "OutOfTime": {"occurredAt": wire(now_ms - 365 * day_ms)},
        "OutOfTime ": {"occurredAt": wire(now_ms + 2 * day_ms)},
    }
    bad = {
        "NotJson": b"\xff no json",
        "NotAsDescribed": b'{"eventType": 7}',
        "TooLarge": good + b" " * 990_000,
        **{why: json.dumps({**event, **change}).encode() for why, change in changed.items()},
    }
    publish(job, *((job.topics.payments, order, value) for value in bad.values()))
    other = json.dumps({**event, "eventType": "OfATypeOfTomorrow"}).encode()
    publish(job, (job.topics.payments, order, other), success(job))
    with Worker(plan_of(job, SystemClock())) as worker:
        work_until(worker, lambda: bool(alerts(job)))
        counted = worker.shards[partition_of(order, PARTITIONS)].counted
        assert (counted.records, counted.poisoned) == (len(bad) + 2, len(bad))
    letters = read_committed(job.bus, job.topics.payments + DEAD_LETTERS)
    assert [one.headers["dlt-error"] for one in letters] == [why.strip() for why in bad]
    assert [one.value for one in letters] == list(bad.values())
    assert alerts(job) == [(order, "A")]


@pytest.mark.parametrize(
    "noise",
    [random.Random(1).randbytes(1_047_000), b" " * 3_000_000],
    ids=["as large as it gets", "packed"],
)
def test_what_is_larger_than_a_dead_letter_can_be_leaves_its_beginning_there(
    job: Job, topics: KafkaTopics, noise: bytes
) -> None:
    """Others may send more than our own clients would, and a broker measures what is packed."""
    topic, order, good = success(job)
    others = Producer(
        cluster_of(job.bus).config(message_max_bytes=10_000_000, compression_type="lz4")
    )
    number = partition_of(order, PARTITIONS)
    others.produce(topic, good + noise, order, partition=number, headers=[("theirs", b"kept")])
    assert others.flush(20) == 0
    publish(job, success(job))
    with Worker(plan_of(job, SystemClock())) as worker:
        work_until(worker, lambda: bool(alerts(job)))
        assert worker.shards[number].counted.poisoned == 1
    [letter] = read_committed(job.bus, job.topics.payments + DEAD_LETTERS)
    assert letter.headers["dlt-error"] == "TooLarge"
    assert letter.headers["dlt-cut"] == str(len(good + noise))
    assert letter.headers["theirs"] == "kept"
    assert (good + noise).startswith(letter.value)
    assert len(letter.value) > 1_030_000


def test_a_changelog_with_another_number_of_partitions_is_refused(job: Job) -> None:
    broker.ensure(cluster_of(job.bus), [job.changelog], 3, KafkaLimits(replication=1))
    with pytest.raises(LogMisfit, match=f"topic {job.changelog} has 3 partitions, and 6 are"):
        kafka_log.ensure(cluster_of(job.bus), job.changelog, PARTITIONS, 1)


def test_inputs_with_different_numbers_of_partitions_are_refused(job: Job) -> None:
    cluster, limits = cluster_of(job.bus), KafkaLimits(replication=1)
    orders, *others = job.topics.read
    broker.ensure(cluster, [orders], 3, limits)
    broker.ensure(cluster, others, PARTITIONS, limits)
    kafka_log.ensure(cluster, job.changelog, PARTITIONS, 1)
    with (
        pytest.raises(LogMisfit, match="different numbers of partitions"),
        Worker(plan_of(job, SystemClock())) as worker,
    ):
        work_for(worker, 30)


def test_state_is_bounded_by_live_orders_on_the_disk_and_in_the_changelog(
    job: Job, topics: KafkaTopics
) -> None:
    job = replace(job, window_ms=600_000, refund_ms=600_000, forget_ms=500)
    complete = [f"{number:026d}" for number in range(200)]
    publish(job, *(success(job, order) for order in complete))
    publish(job, *(paid(job, order) for order in complete))
    publish(job, *(success(job, f"{number:026d}") for number in range(200, 205)))
    with Worker(plan_of(job, SystemClock())) as worker:
        work_until(worker, lambda: handled(worker) == 405)
        work_until(worker, lambda: kept(worker) == 5)
    with Worker(plan_of(replace(job, instance="b"), SystemClock())) as fresh:
        work_until(fresh, lambda: len(fresh.shards) == PARTITIONS)
        assert kept(fresh) == 5
    assert alerts(job) == []


def kept(worker: Worker) -> int:
    return sum(shard.store.count() for shard in worker.shards.values())


def test_it_is_not_ready_before_it_caught_up_and_tells_what_it_works_afterwards(
    job: Job, topics: KafkaTopics
) -> None:
    async def story() -> None:
        stream = kafka_stream(job)
        with pytest.raises(Unwell) as unwell:
            await stream.health()
        assert unwell.value.details["state"] == "restoring"
        task = asyncio.create_task(stream.run())
        async with asyncio.timeout(40):
            await stream.ready()
        assert await stream.health() == {"state": "live", "partitions": list(range(PARTITIONS))}
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(story())


def take_its_place(job: Job) -> None:
    """For longer than a heartbeat. A request to join that is answered after it was sent again does
    so as well."""
    of_its_name = {"group_id": job.group, "group_instance_id": job.instance}
    config = cluster_of(job.bus).config(
        **of_its_name, partition_assignment_strategy="range", session_timeout_ms=6_000
    )
    other, until_s = Consumer(config), time.monotonic() + 40
    other.subscribe(list(job.topics.read))
    while not other.assignment():
        assert time.monotonic() < until_s, "it cannot join"
        other.poll(0.2)
    time.sleep(4)
    other.close()


def worked(stream: KafkaStream) -> int:
    return sum(shard.counted.records for shard in stream.shards.values())


def test_who_was_fenced_by_its_own_name_joins_anew(job: Job, topics: KafkaTopics) -> None:
    """To the client that is fatal: it says so once, of no partition, and reads nothing more."""
    second = replace(job, instance="b")
    order = next(one for n in range(99) if partition_of(one := f"{n:026d}", PARTITIONS) == 5)

    async def story() -> None:
        streams = [kafka_stream(job), kafka_stream(second)]
        tasks = [asyncio.create_task(stream.run()) for stream in streams]
        await eventually(lambda: sorted(streams[1].shards) == [3, 4, 5], within_s=40)
        await asyncio.to_thread(take_its_place, second)
        await asyncio.to_thread(publish, job, success(job, order))
        await eventually(lambda: worked(streams[1]) > 0, within_s=40)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    asyncio.run(story())


def refused(job: Job) -> BaseException:
    """What ends the stream at its start."""

    async def start() -> None:
        async with asyncio.timeout(40):
            await kafka_stream(job).run()

    with pytest.raises((LogMisfit, StoreInUse, StoreMisfit)) as why:
        asyncio.run(start())
    return why.value


def test_a_store_of_another_version_or_in_use_or_another_changelog_is_refused_at_start(
    job: Job, topics: KafkaTopics
) -> None:
    path = Path(job.folder) / job.instance / f"{job.group}-2"
    store: ShardStore[bytes] = ShardStore(path)
    assert str(refused(job)) == f"{path} is in use by another process"
    store.close()
    database = Rdict(str(path), Options(raw_mode=True))
    database[b"v"] = b"9"
    database.close()
    assert str(refused(job)) == f"{path} has format b'9', this program knows b'1'"
    other = replace(job, name="-other")
    broker.ensure(cluster_of(job.bus), [other.changelog], 4, KafkaLimits(replication=1))
    said = f"topic {other.changelog} has 4 partitions, and 6 are needed"
    assert str(refused(other)) == said
