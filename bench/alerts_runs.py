"""The single runs of bench/alerts.py."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from bench.alerts_peers import Peer, Progress, Running, ours, peers_of, remove, start
from bench.purchase import percentile
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from tests.support import alert_campaign
from tests.support.alert_fleet import broker_dies, changing_numbers, random_kills
from tests.support.alert_orders import MANY, Crowd, Event, crowd
from tests.support.alert_process import Job
from tests.support.alert_topics import read_committed
from tests.support.outages import Away
from tests.support.servers import private_servers, server_url

from kessai.kernel.clock import SystemClock, parse_wire, to_ms
from kessai.kernel.kafka_bus import cluster_of
from kessai.kernel.kafka_bus import topics as broker
from kessai.kernel.kafka_bus.limits import KafkaLimits
from kessai.topology import PARTITIONS

WINDOW_MS = 30_000
_HOUR_MS = 3_600_000
_QUIET_S = 3.0
_PATIENCE_S = 90.0


def a_job(url: str, folder: Path, **changes: object) -> Job:
    prefix = f"b{os.getpid()}-{time.monotonic_ns() % 10**9}"
    job = Job(url, prefix, str(folder / "state"), "a", WINDOW_MS, 2 * WINDOW_MS, 10.0, 10.0)
    return replace(job, **changes)  # type: ignore[arg-type]


def catch_up(url: str, folder: Path, events: int, with_peers: bool) -> dict[str, object]:
    """An hour of events is there already; each processor reads it alone, one after the other."""
    job = a_job(url, folder)
    people = crowd(int(events / 2.1), seed=1, over_ms=_HOUR_MS - 300_000, window_ms=WINDOW_MS)
    _preload(job, people, SystemClock().now_ms() - _HOUR_MS - 200_000)
    peers, missing = peers_of(job) if with_peers else ([], dict[str, str]())
    rows: dict[str, object] = {"events": len(people.events), "expected": len(people.expected)}
    for peer in (ours(job), *peers):
        rows[peer.name] = _one_catch_up(job, peer, people, folder)
    return {**rows, **missing}


def _one_catch_up(job: Job, peer: Peer, people: Crowd, folder: Path) -> dict[str, object]:
    _create(job.bus, peer.alerts)
    progress = Progress(job.bus, peer.group, job.topics.read[:2])
    total = progress.total
    running = start(peer.words, folder / f"{peer.name}.log")
    begun: tuple[int, float, float] | None = None
    half: tuple[int, float] | None = None
    try:
        while (done := progress.done) < total:
            running.require_alive()
            if begun is None and done:
                begun = done, running.cpu_s, time.monotonic()
            if half is None and done * 2 >= total:
                half = done, running.cpu_s
            time.sleep(0.05)
        cpu_s, now_s = running.cpu_s, time.monotonic()
        told = _told_in_the_end(job.bus, peer.alerts, people, running)
        begun, half = begun or (0, 0.0, running.began_s), half or (0, 0.0)
        return {
            # Without what it takes to start.
            "per_cpu_s": round((total - begun[0]) / (cpu_s - begun[1])),
            "per_cpu_s_second_half": round((total - half[0]) / max(0.01, cpu_s - half[1])),
            "per_s": round((total - begun[0]) / (now_s - begun[2])),
            "cpu_s": round(cpu_s, 2),
            "start_cpu_s": round(begun[1], 2),
            "peak_rss_mb": running.memory_mb(),
            "alerts": _judged(peer, people, told),
        }
    finally:
        running.kill()
        progress.close()


def _told_in_the_end(
    url: str, topic: str, people: Crowd, running: Running
) -> Counter[tuple[str, str]]:
    """Raised alerts, when all are there or nothing more comes."""
    expected = _raised(people)
    told = Counter[tuple[str, str]]()
    end_s = heard_s = time.monotonic()
    end_s += _PATIENCE_S
    while time.monotonic() < end_s and not expected <= told.keys():
        running.require_alive()
        now = _told(url, topic)
        if now != told:
            told, heard_s = now, time.monotonic()
        # A punctuator of 10 s may still say something.
        if time.monotonic() - heard_s > 4 * _QUIET_S:
            break
        time.sleep(_QUIET_S)
    return _told(url, topic)


def _told(url: str, topic: str) -> Counter[tuple[str, str]]:
    events = (json.loads(one.value) for one in read_committed(url, topic))
    return Counter(
        (one["orderId"], one["rule"]) for one in events if one["eventType"] == "AlertRaised"
    )


def _raised(people: Crowd) -> set[tuple[str, str]]:
    return {(order, rule) for order, rule, kind in people.expected if kind == "AlertRaised"}


def _judged(peer: Peer, people: Crowd, told: Counter[tuple[str, str]]) -> dict[str, object]:
    expected = _raised(people)
    missing = len(expected - told.keys())
    return {
        "missing": missing if peer.has_timers else f"{missing} (it has no timers)",
        "unexpected": len(told.keys() - expected),
        "doubled": sum(1 for count in told.values() if count > 1),
    }


def _create(url: str, *topics: str) -> None:
    broker.ensure(cluster_of(url), list(topics), PARTITIONS, KafkaLimits(replication=1))


def _preload(job: Job, people: Crowd, begins_ms: int) -> None:
    """With times of the past, as after an outage: for that the topics take the sender's time."""
    cluster = cluster_of(job.bus)
    _create_with_senders_time(job.bus, job.topics.read)
    _create(job.bus, *(f"{topic}.dlt" for topic in job.topics.read))
    producer = Producer(
        cluster.config(
            partitioner="murmur2_random",
            linger_ms=20,
            compression_type="lz4",
            queue_buffering_max_messages=500_000,
        )
    )
    topics = {"orders": job.topics.orders, "payments": job.topics.payments}
    for event in people.events:
        at_ms = begins_ms + event.after_ms
        while True:
            try:
                producer.produce(
                    topics[event.topic], event.value(at_ms), event.order, timestamp=at_ms
                )
                break
            except BufferError:
                producer.poll(0.1)
    if left := producer.flush(60):
        raise TimeoutError(f"{left} events were not published")


def _create_with_senders_time(url: str, topics: Iterable[str]) -> None:
    admin = AdminClient(cluster_of(url).config())
    wanted = [NewTopic(topic, PARTITIONS, 1) for topic in topics]
    for answer in admin.create_topics(wanted).values():
        answer.result(30)


async def steady(url: str, folder: Path, seconds: float) -> dict[str, object]:
    """From an alert's deadline until a reader of committed records has it."""
    job = a_job(url, folder, window_ms=5_000, refund_ms=10_000)
    _create(url, job.topics.alerts)
    people = crowd(
        int(seconds * 100), seed=2, over_ms=int(seconds * 1000), window_ms=5_000, mix=MANY
    )
    reader = Reader(url, job.topics.alerts)
    reading = asyncio.create_task(asyncio.to_thread(reader.read))
    try:
        done = await alert_campaign.run(job, people, [], logs=folder)
    finally:
        reader.over = True
        await reading
    delays = reader.delays_ms
    return {
        "alerts": len(delays),
        "p50_ms": round(percentile(delays, 50)),
        "p99_ms": round(percentile(delays, 99)),
        "max_ms": round(max(delays)),
        **_result(done),
    }


class Reader:
    def __init__(self, url: str, topic: str) -> None:
        self.delays_ms: list[float] = []
        self.over = False
        self._topic = topic
        self._consumer = Consumer(
            cluster_of(url).config(
                group_id=f"{topic}.reader",
                isolation_level="read_committed",
                auto_offset_reset="earliest",
                enable_auto_commit=False,
            )
        )

    def read(self) -> None:
        clock = SystemClock()
        self._consumer.subscribe([self._topic])
        while not self.over:
            message = self._consumer.poll(0.2)
            if message is None or message.error() is not None:
                continue
            event = json.loads(message.value() or b"{}")
            if event["eventType"] == "AlertRaised":
                detected_ms = to_ms(parse_wire(event["detectedAt"]))
                self.delays_ms.append(clock.now_ms() - detected_ms)
        self._consumer.close()


def live_orders(url: str, folder: Path, count: int) -> dict[str, object]:
    """Orders that all wait for their payment's other half: what they take in memory."""
    job = a_job(url, folder, window_ms=_HOUR_MS, refund_ms=_HOUR_MS)
    people = Crowd(list(_waiting(count)), frozenset())
    _preload(job, people, SystemClock().now_ms() - 600_000)
    running, wall_s = _work_through(job, folder, count)
    try:
        return {
            "orders": count,
            "took_s": round(wall_s, 1),
            "per_cpu_s": round(count / running.cpu_s),
            "rss_mb": running.memory_mb("VmRSS"),
            "peak_rss_mb": running.memory_mb(),
            "state_mb": _size_mb(Path(job.folder)),
        }
    finally:
        running.kill()


def _waiting(count: int) -> Iterable[Event]:
    for number in range(count):
        yield Event(number * 500_000 // count, f"{number:026d}", "PaymentSucceeded")


def restore(url: str, folder: Path, count: int) -> dict[str, object]:
    """The state of all orders is lost, and comes back from the changelog."""
    job = a_job(url, folder)
    people = crowd(count, seed=3, over_ms=_HOUR_MS - 300_000, window_ms=WINDOW_MS)
    _preload(job, people, SystemClock().now_ms() - _HOUR_MS)
    running, _ = _work_through(job, folder, len(people.events))
    running.kill()
    remove(Path(job.folder))
    began_s = time.monotonic()
    again = start(job.words(), folder / "again.log")
    try:
        _, records, took = again.until_said("restored").split()
        until_restored_s = time.monotonic() - began_s
        again.until_said("ready")
        return {
            "orders": count,
            "changelog_records": int(records),
            "restore_s": float(took),
            "start_to_restored_s": round(until_restored_s, 2),
            "start_to_ready_s": round(time.monotonic() - began_s, 2),
        }
    finally:
        again.kill()


def _work_through(job: Job, folder: Path, events: int) -> tuple[Running, float]:
    _create(job.bus, job.topics.alerts)
    progress = Progress(job.bus, job.group, job.topics.read[:2])
    running = start(job.words(), folder / "first.log")
    try:
        while progress.done < events:
            running.require_alive()
            time.sleep(0.1)
        return running, time.monotonic() - running.began_s
    finally:
        progress.close()


def _size_mb(folder: Path) -> float:
    return round(sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / 1e6, 1)


async def campaign(
    url: str, folder: Path, orders: int, kills: int, over_s: float, seed: int
) -> dict[str, object]:
    """Kills at random moments, two of them with a wipe, 1 to 2 to 1 to 3 instances; on Kafka the
    broker dies once, too, where it is our own. No `url`: on the local bus."""
    job = a_job(url or str(folder / "bus.sqlite"), folder, window_ms=5_000, refund_ms=10_000)
    database = _database(job) if url else f"sqlite:///{folder / 'system.db'}"
    job = replace(job, tick_s=2.0, session_s=6.0, database=database)
    deeds = [*random_kills(kills, wipes=2, over_s=over_s, seed=seed), *changing_numbers(over_s)]
    break_ms: int | None = None
    if url and "KESSAI_BUS_URL" not in os.environ:
        break_ms = int(over_s * 550)
        deeds.append(broker_dies(break_ms / 1000, Away(private_servers(), "kafka").killed))
    people = crowd(
        orders,
        seed=seed,
        over_ms=int(over_s * 1000),
        window_ms=job.window_ms,
        mix=MANY,
        break_ms=break_ms,
    )
    return _result(await alert_campaign.run(job, people, deeds, logs=folder, patience_s=60))


def _database(job: Job) -> str:
    """A schema of its own, as in a shop whose bus is Kafka."""
    return f"{server_url('KESSAI_SQL_URL').rstrip('/')}/t{job.prefix.replace('-', '_')}_system"


def _result(done: alert_campaign.Result) -> dict[str, object]:
    return {
        "orders": done.orders,
        "events": done.events,
        "expected": done.expected,
        "topic": _counted(done.topic),
        "table": _counted(done.table),
        "acts": _counted(done.acts),
        "did": ", ".join(done.did),
        "took_s": round(done.took_s, 1),
        "held_up_s": round(done.held_up_s, 2),
        "late_orders": done.late,
    }


def _counted(judged: alert_campaign.Judged) -> dict[str, int]:
    return {
        "missing": len(judged.missing),
        "unexpected": len(judged.unexpected),
        "doubled": len(judged.doubled),
    }
