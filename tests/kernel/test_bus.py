"""The local bus beyond the common promises: takeover, fences, trimming, crashes of processes."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.support.kernel import Seen, a_message, eventually, running
from tests.support.web import run_virtual

from kessai.kernel.bus import Delivery, Message, Record, Retry, murmur2, partition_of
from kessai.kernel.clock import SystemClock
from kessai.kernel.db import Body, Db, open_database
from kessai.kernel.errors import DatabaseUnavailable, Fenced, KessaiError, Unknown
from kessai.kernel.local_bus import BusLimits, LocalBus, open_local_bus
from kessai.kernel.telemetry import correlation_id, outgoing_headers
from kessai.proof.virtual_time import VirtualClock, VirtualLoop

ROOT = Path(__file__).parents[2]
TOPIC = "ec-demo.orders.events.v1"


@pytest.mark.parametrize(
    ("key", "signed"),
    [
        # The vectors of Kafka's own test of its default partitioner.
        ("21", -973932308),
        ("foobar", -790332482),
        ("a-little-bit-long-string", -985981536),
        ("a-little-bit-longer-string", -1486304829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        ("abc", 479470107),
    ],
)
def test_keys_are_hashed_as_kafka_does(key: str, signed: int) -> None:
    assert murmur2(key.encode()) == signed & 0xFFFFFFFF
    assert partition_of(key, 6) == (signed & 0x7FFFFFFF) % 6


def test_pauses_double_up_to_the_limit() -> None:
    retry = Retry(first_pause_s=0.05, max_pause_s=5)
    assert [retry.pause_s(n) for n in (1, 2, 3, 7, 8, 9_999)] == [0.05, 0.1, 0.2, 3.2, 5, 5]


def a_record(value: str = "v", **headers: str) -> Record:
    return Record(TOPIC, 3, 7, "k", value.encode(), headers, 1)


def test_a_long_silence_is_told_once_and_so_is_its_end() -> None:
    seen = Seen(*(Unknown("PAYMENT_UNAVAILABLE") for _ in range(200)))
    delivery = Delivery("order.payments", seen, no_publish, Retry())
    with capture_logs() as lines:
        assert run_virtual(delivery.deliver(a_record(), asyncio.Event()))
    assert [line["event"] for line in lines] == ["bus.partition_waits", "bus.partition_goes_on"]
    assert lines[0]["code"] == "PAYMENT_UNAVAILABLE"
    assert lines[1]["waits"] == 200
    assert (lines[0]["consumer"], lines[0]["partition"], lines[0]["offset"]) == (
        "order.payments",
        3,
        7,
    )
    assert seen.values == ["v"]


def test_a_record_is_not_lost_when_the_dead_letters_cannot_be_written() -> None:
    published: list[Message] = []
    away = [DatabaseUnavailable("full") for _ in range(10)]

    async def publish(messages: object) -> None:
        if away:
            raise away.pop()
        published.extend(messages)  # type: ignore[arg-type]

    seen = Seen(*(ValueError("bug") for _ in range(3)), Fenced("asked once too often"))
    delivery = Delivery("c", seen, publish, Retry(attempts=3))
    assert run_virtual(delivery.deliver(a_record(), asyncio.Event()))
    assert [message.topic for message in published] == [f"{TOPIC}.dlt"]
    assert len(seen.answers) == 1


def test_a_stop_ends_the_waiting_at_once() -> None:
    async def tale() -> None:
        stop = asyncio.Event()
        seen = Seen(*(Unknown("X") for _ in range(99)))
        delivery = Delivery("c", seen, no_publish, Retry(first_pause_s=60, max_pause_s=60))
        asyncio.get_running_loop().call_later(5, stop.set)
        assert not await delivery.deliver(a_record(), stop)
        assert asyncio.get_running_loop().time() == pytest.approx(5)

    run_virtual(tale())


async def test_others_have_their_turn_while_a_backlog_is_begun() -> None:
    seen = Seen()
    delivery = Delivery("g", seen, no_publish, Retry())
    backlog = [a_record(f"{n}") for n in range(100)]
    working = asyncio.create_task(delivery.deliver_all(backlog, asyncio.Event()))
    begun: list[int] = []
    while not working.done():
        begun.append(len(seen.values))
        await asyncio.sleep(0)
    assert await working
    assert seen.values == [f"{n}" for n in range(100)]
    assert max(after - before for before, after in itertools.pairwise(begun)) <= 10


async def test_a_backlog_that_is_given_up_leaves_no_record_in_hand() -> None:
    begun: list[str] = []
    ended: list[str] = []

    async def never(record: Record) -> None:
        begun.append(record.value.decode())
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(record.value.decode())

    delivery = Delivery("g", never, no_publish, Retry())
    backlog = [a_record(f"{n}") for n in range(50)]

    async def give_up_after(turns: int) -> int:
        begun.clear()
        ended.clear()
        working = asyncio.create_task(delivery.deliver_all(backlog, asyncio.Event()))
        for _ in range(turns):
            await asyncio.sleep(0)
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working
        await asyncio.sleep(0)
        return len(begun)

    # While they are begun, and when all are.
    assert 0 < await give_up_after(3) < 50
    assert ended == begun
    assert await give_up_after(20) == 50
    assert ended == begun


async def test_the_trail_of_the_cause_goes_on_in_the_consumer() -> None:
    trails: list[object] = []

    async def handle(record: Record) -> None:
        trails.append((correlation_id(), outgoing_headers()))

    delivery = Delivery("c", handle, no_publish, Retry())
    headers = {"X-Correlation-ID": "corr-1", "traceparent": "00-a-b-01"}
    await delivery.deliver(a_record(**{}), asyncio.Event())
    await delivery.deliver(Record(TOPIC, 0, 0, "k", b"", headers, 1), asyncio.Event())
    assert trails == [("", {}), ("corr-1", headers)]
    assert correlation_id() == ""


async def no_publish(messages: object) -> None:
    raise AssertionError(f"published {messages}")


class Cable:
    """A database that one member can be cut off from, as a process that hangs."""

    def __init__(self, db: Db) -> None:
        self.db = db
        self.cut = False

    def transaction(self) -> Body:
        if self.cut:
            raise DatabaseUnavailable("cut off")
        return self.db.transaction()

    def read(self) -> Body:
        return self.db.read()

    def __getattr__(self, name: str) -> object:
        return getattr(self.db, name)


def a_member(db: object, instance: str, limits: BusLimits | None = None) -> LocalBus:
    return LocalBus(
        db,  # type: ignore[arg-type]
        VirtualClock(),
        partitions=6,
        instance=instance,
        limits=limits,
    )


def now_s() -> float:
    return asyncio.get_running_loop().time()


def a_batch(word: str, count: int = 60) -> list[Message]:
    return [a_message(TOPIC, f"k{n}", f"{word}{n}") for n in range(count)]


def test_partitions_of_a_silent_member_are_taken_over_and_its_late_commits_are_refused() -> None:
    async def tale() -> None:
        db = await open_database("sqlite:")
        cable = Cable(db)
        silent, heir = a_member(cable, "silent"), a_member(db, "heir")
        one, two = Seen(), Seen()
        await heir.publish(a_batch("a"))
        async with running(silent.consumer("g", [TOPIC], one)):
            await eventually(lambda: len(one.records) == 60)
            cable.cut = True
            await heir.publish(a_batch("b"))
            await heir.publish(a_batch("c"))
            async with running(heir.consumer("g", [TOPIC], two)):
                cut_s = now_s()
                await eventually(lambda: len(two.records) >= 120, within_s=20)
                assert now_s() - cut_s < 5
                assert sorted(two.values)[-120:] == sorted(
                    f"{word}{n}" for word in "bc" for n in range(60)
                )
                cable.cut = False
                await silent.refresh()
                await asyncio.sleep(10)
                assert await heir.lag("g") == {TOPIC: 0}
                await heir.publish(a_batch("d"))
                await silent.refresh()
                await asyncio.sleep(1)
                late = [v for v in one.values + two.values if v.startswith("d")]
                assert sorted(late) == sorted(f"d{n}" for n in range(60))
                assert {r.partition for r in one.records[-5:]} != set()

    with capture_logs() as lines:
        run_virtual(tale())
    assert "bus.partition_lost" in {line["event"] for line in lines} or "bus.cannot_commit" in {
        line["event"] for line in lines
    }


def test_a_restart_under_the_same_name_takes_over_at_once_and_ends_the_elder() -> None:
    async def tale() -> None:
        db = await open_database("sqlite:")
        elder, newer = a_member(db, "same"), a_member(db, "same")
        hangs, seen = asyncio.Event(), Seen()

        async def hang(record: Record) -> None:
            hangs.set()
            await asyncio.Event().wait()

        await elder.publish(a_batch("a"))
        loop = asyncio.create_task(elder.consumer("g", [TOPIC], hang).run())
        await hangs.wait()
        restarted_s = now_s()
        async with running(newer.consumer("g", [TOPIC], seen)):
            await newer.refresh()
            await eventually(lambda: len(seen.records) == 60, every_s=0.001)
            assert now_s() - restarted_s < 0.1
            with pytest.raises(Fenced, match="another process"):
                await loop
            await asyncio.sleep(1)
            assert await newer.lag("g") == {TOPIC: 0}

    run_virtual(tale())


def test_offsets_are_written_after_the_record_was_handled_and_never_before() -> None:
    async def tale() -> None:
        bus = a_member(await open_database("sqlite:"), "a")
        started, release = asyncio.Event(), asyncio.Event()

        async def slow(record: Record) -> None:
            started.set()
            await release.wait()

        async with running(bus.consumer("g", [TOPIC], slow)):
            await bus.publish([a_message(TOPIC, "k", "1")])
            await started.wait()
            await asyncio.sleep(60)
            assert await bus.lag("g") == {TOPIC: 1}
            release.set()
            await asyncio.sleep(0.2)
            assert await bus.lag("g") == {TOPIC: 0}

    run_virtual(tale())


def test_a_graceful_stop_finishes_the_record_in_hand_and_hands_over() -> None:
    async def tale() -> None:
        bus = a_member(await open_database("sqlite:"), "a")
        handled: list[str] = []

        async def slow(record: Record) -> None:
            await asyncio.sleep(1)
            handled.append(record.value.decode())

        await bus.publish([a_message(TOPIC, "k", f"{n}") for n in range(5)])
        async with running(bus.consumer("g", [TOPIC], slow)):
            await asyncio.sleep(1.5)
        assert handled == ["0", "1"]
        assert await bus.lag("g") == {TOPIC: 3}
        # The share is free at once, for whatever name comes next.
        seen = Seen()
        async with running(a_member(bus.db, "b").consumer("g", [TOPIC], seen)):
            await asyncio.sleep(0.01)
            assert seen.values == ["2", "3", "4"]

    run_virtual(tale())


def test_old_records_go_but_none_that_a_group_still_needs() -> None:
    limits = BusLimits(keep_s=100, keep_rows=1000, hard_rows=10_000, trim_rows=40)

    async def tale() -> None:
        bus = a_member(await open_database("sqlite:"), "a", limits)
        seen = Seen()
        one = [a_message(TOPIC, "k", f"{n}") for n in range(100)]
        await bus.publish(one)
        async with running(bus.consumer("g", [TOPIC], seen)):
            await eventually(lambda: len(seen.records) == 100)
        await bus.publish([a_message(TOPIC, "k", "late")])
        assert await bus.trim() == 0
        await asyncio.sleep(101)
        await bus.publish([a_message(TOPIC, "k", "young")])
        assert [await bus.trim() for _ in range(4)] == [40, 40, 20, 0]
        fresh = Seen()
        async with running(bus.consumer("g", [TOPIC], seen), bus.consumer("new", [TOPIC], fresh)):
            assert await bus.lag("new") == {TOPIC: 2}
            await asyncio.sleep(1)
        assert seen.values[100:] == fresh.values == ["late", "young"]
        assert [record.offset for record in fresh.records] == [100, 101]

    run_virtual(tale())


def test_too_many_rows_go_first_the_read_ones_and_at_the_hard_limit_the_rest() -> None:
    limits = BusLimits(keep_s=1e6, keep_rows=10, hard_rows=30, trim_rows=1000)

    async def tale() -> None:
        bus = a_member(await open_database("sqlite:"), "a", limits)
        stuck = Seen(*(Unknown("X") for _ in range(500)))
        await bus.publish([a_message(TOPIC, "k", f"{n}") for n in range(25)])
        async with running(bus.consumer("g", [TOPIC], stuck)):
            assert await bus.trim() == 0
            await bus.publish([a_message(TOPIC, "k", f"{n}") for n in range(25, 50)])
            assert await bus.trim() == 20
            assert await bus.lag("g") == {TOPIC: 30}
        seen = Seen()
        async with running(bus.consumer("g", [TOPIC], seen)):
            await asyncio.sleep(1)
            assert seen.values == [str(n) for n in range(20, 50)]
            assert await bus.trim() == 20
            assert await bus.lag("g") == {TOPIC: 0}

    run_virtual(tale())


def test_a_consumer_whose_records_were_all_trimmed_goes_on_with_the_next() -> None:
    limits = BusLimits(keep_s=10, keep_rows=10, hard_rows=0, trim_rows=1000)

    async def tale() -> None:
        bus = a_member(await open_database("sqlite:"), "a", limits)
        seen = Seen(*(Unknown("X") for _ in range(30)))
        await bus.publish([a_message(TOPIC, "k", f"{n}") for n in range(250)])
        async with running(bus.consumer("g", [TOPIC], seen)):
            await asyncio.sleep(20)
            assert await bus.trim() == 250
            await asyncio.sleep(600)
            await bus.publish([a_message(TOPIC, "k", "new")])
            await asyncio.sleep(1)
        assert seen.values[-1] == "new"

    run_virtual(tale())


def test_a_group_that_nobody_comes_back_to_does_not_hold_records_for_ever() -> None:
    limits = BusLimits(keep_s=100, keep_group_s=100, trim_rows=1000)

    async def tale() -> None:
        bus = a_member(await open_database("sqlite:"), "a", limits)
        async with running(bus.consumer("bff.push.gone", [TOPIC], Seen(), start="latest")):
            pass
        async with running(bus.consumer("quiet", [TOPIC], Seen())):
            await asyncio.sleep(90)
            await bus.publish([a_message(TOPIC, "k", "1")])
            await asyncio.sleep(500)
            await bus.trim()
            assert await bus.trim() == 0
            assert await bus.lag("bff.push.gone") == {}
            assert await bus.lag("quiet") == {TOPIC: 0}

    run_virtual(tale())


async def test_a_file_of_a_newer_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bus.db"
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA user_version=2")
    raw.close()
    with pytest.raises(KessaiError, match="format 2"):
        await open_local_bus(str(path), SystemClock(), partitions=6, instance="a")


async def test_what_another_process_publishes_arrives_within_its_poll(tmp_path: Path) -> None:
    path = str(tmp_path / "bus.db")
    here, there = [
        await open_local_bus(path, SystemClock(), partitions=6, instance=name) for name in "ab"
    ]
    delays: list[float] = []
    arrived = asyncio.Event()

    async def handle(record: Record) -> None:
        delays.append(asyncio.get_running_loop().time() - float(record.value))
        arrived.set()

    async with running(here.consumer("g", [TOPIC], handle)):
        for bus in (there, here):
            for n in range(10):
                arrived.clear()
                now = asyncio.get_running_loop().time()
                await bus.publish([a_message(TOPIC, f"k{n}", f"{now}")])
                await arrived.wait()
                await asyncio.sleep(0.013)
    # From another process: one poll. From this one: at once.
    assert sorted(delays[:10])[5] < 0.1
    assert sorted(delays[10:])[5] < 0.02
    await here.close()
    await there.close()


# --- processes that are killed ------------------------------------------------------------------


def start(role: str, *args: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.bus_process", role, *map(str, args)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"},
        stdout=subprocess.PIPE,
        text=True,
    )


@contextmanager
def process(role: str, *args: object) -> Iterator[subprocess.Popen[str]]:
    running = start(role, *args)
    try:
        yield running
    finally:
        running.kill()
        running.wait()
        assert running.stdout is not None
        running.stdout.close()


def lines(path: Path) -> list[dict[str, object]]:
    """What a process wrote; the last line may be torn by the kill."""
    if not path.exists():
        return []
    return [
        json.loads(line) for line in path.read_text().splitlines(keepends=True) if line[-1] == "\n"
    ]


def wait_for(path: Path, count: int, within_s: float = 30) -> float:
    started = time.monotonic()
    while len(lines(path)) < count:
        assert time.monotonic() - started < within_s, f"{len(lines(path))} of {count} lines"
        time.sleep(0.02)
    return time.monotonic() - started


def run(coroutine: Coroutine[object, object, None]) -> None:
    asyncio.run(coroutine)


@pytest.mark.crash
def test_a_killed_consumer_loses_nothing_and_others_take_its_partitions(tmp_path: Path) -> None:
    path, one, two = tmp_path / "bus.db", tmp_path / "one", tmp_path / "two"

    async def publish(count: int, word: str) -> None:
        bus = await open_local_bus(str(path), SystemClock(), partitions=6, instance="p")
        for n in range(count):
            await bus.publish([a_message(TOPIC, f"k{n % 30}", f"{word}{n}")])
        await bus.close()

    with process("consume", path, one, "one") as first, process("consume", path, two, "two"):
        # Publishes until both have a share of the partitions.
        count = 0
        while not (lines(one) and lines(two)):
            run(publish(30, f"{count}."))
            count += 1
            time.sleep(0.2)
        run(publish(300, "a"))
        wait_for(one, 30)
        first.send_signal(signal.SIGKILL)
        first.wait()
        killed_at = time.monotonic()
        run(publish(300, "b"))
        expected = {f"{word}{n}" for word in "ab" for n in range(300)}
        expected |= {f"{turn}.{n}" for turn in range(count) for n in range(30)}
        while {str(line["value"]) for line in lines(one) + lines(two)} != expected:
            assert time.monotonic() - killed_at < 15, "records were lost"
            time.sleep(0.05)
        took_s = time.monotonic() - killed_at
    # 4 s at most until the partitions change hands, the rest is the work that was waiting.
    assert took_s < 6.5, "partitions of a dead member are taken over within 5 s"
    first_times_are_in_order(lines(one) + lines(two))


def first_times_are_in_order(seen: list[dict[str, object]]) -> None:
    """Whoever handles it: no record of a partition comes before the one in front of it did."""
    following: dict[object, int] = {}
    for line in sorted(seen, key=lambda line: int(str(line["at"]))):
        offset, partition = int(str(line["offset"])), line["partition"]
        assert offset <= following.get(partition, 0)
        following[partition] = max(following.get(partition, 0), offset + 1)


@pytest.mark.crash
def test_a_killed_consumer_that_starts_again_goes_on_at_once(tmp_path: Path) -> None:
    path, one, two = tmp_path / "bus.db", tmp_path / "one", tmp_path / "two"

    async def publish(word: str) -> None:
        bus = await open_local_bus(str(path), SystemClock(), partitions=6, instance="p")
        await bus.publish(a_batch(word))
        await bus.close()

    run(publish("a"))
    with process("consume", path, one, "same") as first:
        wait_for(one, 60)
        time.sleep(0.3)
        first.send_signal(signal.SIGKILL)
        first.wait()
        run(publish("b"))
        with process("consume", path, two, "same") as second:
            assert second.stdout is not None
            assert second.stdout.readline() == "ready\n"
            assert wait_for(two, 60) < 1.5
    # Committed 0.1 s after it was handled: nothing is repeated, nothing is missing.
    assert sorted(str(line["value"]) for line in lines(two)) == sorted(f"b{n}" for n in range(60))


@pytest.mark.crash
def test_what_a_killed_publisher_was_told_is_durable_is_there(tmp_path: Path) -> None:
    path = tmp_path / "bus.db"
    acknowledged: list[str] = []
    with process("publish", path) as publisher:
        assert publisher.stdout is not None
        while len(acknowledged) < 200:
            acknowledged.append(publisher.stdout.readline().strip())
        publisher.send_signal(signal.SIGKILL)
        rest = publisher.stdout.read().splitlines(keepends=True)
        acknowledged += [line.strip() for line in rest if line.endswith("\n")]

    async def check() -> None:
        bus = await open_local_bus(str(path), SystemClock(), partitions=6, instance="p")
        seen = Seen()
        async with running(bus.consumer("g", [TOPIC], seen)):
            await asyncio.sleep(0.5)
        await bus.close()
        assert set(acknowledged) <= set(seen.values)
        for partition in range(6):
            offsets = [r.offset for r in seen.records if r.partition == partition]
            assert offsets == list(range(len(offsets)))

    run(check())


def test_a_beat_that_was_rung_early_is_not_beaten_again_and_again() -> None:
    """The loop may ring a moment too soon: the same beat must not be due once more."""

    class Counting(VirtualClock):
        asked = 0

        def now_ms(self) -> int:
            self.asked += 1
            return super().now_ms()

    async def live() -> int:
        await asyncio.sleep(0.9999999999999999)
        clock = Counting()
        bus = await open_local_bus(None, clock, partitions=6, instance="a")
        # Several keep the loop busy, so that it never looks how late it is.
        consumers = [bus.consumer(f"g{n}", ["t"], Seen()) for n in range(4)]
        async with running(*consumers):
            await asyncio.sleep(3)
        await bus.close()
        return clock.asked

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(live()) < 100
