"""Every bus keeps the same promises: `LocalBus` in memory and in a file, and Kafka."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest
from tests.support.kernel import Seen, a_message, eventually, running
from tests.support.servers import server_url

from kessai.kernel.bus import Bus, Record, Retry, dead_letter, partition_of
from kessai.kernel.clock import SystemClock
from kessai.kernel.errors import Fenced, Unknown
from kessai.kernel.kafka_bus import KafkaLimits, open_kafka_bus
from kessai.kernel.local_bus import BusLimits, open_local_bus

PARTITIONS = 6
RETRY = Retry(attempts=3, first_pause_s=0.01, max_pause_s=0.05)
# How long a member may be silent, and how long its partitions may wait for another.
LIMITS = BusLimits(
    heartbeat_s=0.1, member_s=0.5, commit_after_s=0.01, stop_s=0.5, poll_s=0.02, retry=RETRY
)
KAFKA_LIMITS = KafkaLimits(
    session_s=6, commit_after_s=0.01, stop_s=0.5, barred_s=0.3, retry=RETRY, replication=1
)
_names = itertools.count(1)


@dataclass
class Cluster:
    """Opens one bus for each member, all on the same log."""

    open: Callable[[str], Awaitable[Bus]]
    close: Callable[[], Awaitable[None]]
    # Names are fresh in each test: a real broker keeps its topics.
    topic: str = field(default_factory=lambda: f"t{next(_names)}.orders.v1")
    group: str = field(default_factory=lambda: f"t{next(_names)}.audit")

    async def bus(self, instance: str = "a") -> Bus:
        return await self.open(instance)


def local_cluster(path: Path | None) -> Cluster:
    opened: list[Bus] = []

    async def open_member(instance: str) -> Bus:
        # In memory there is one process and one bus, whose consumers are the members.
        if path or not opened:
            opened.append(
                await open_local_bus(
                    str(path) if path else None,
                    SystemClock(),
                    partitions=PARTITIONS,
                    instance=instance,
                    limits=LIMITS,
                )
            )
        return opened[-1]

    async def close() -> None:
        for bus in opened:
            await bus.close()

    return Cluster(open_member, close)


def kafka_cluster(url: str) -> Cluster:
    opened: list[Bus] = []

    async def open_member(instance: str) -> Bus:
        opened.append(
            await open_kafka_bus(url, partitions=PARTITIONS, instance=instance, limits=KAFKA_LIMITS)
        )
        return opened[-1]

    async def close() -> None:
        for bus in opened:
            await bus.close()

    run = uuid4().hex[:8]
    return Cluster(
        open_member, close, f"t{next(_names)}.{run}.orders.v1", f"t{next(_names)}.{run}.audit"
    )


@pytest.fixture(params=["memory", "file", pytest.param("kafka", marks=pytest.mark.stack)])
async def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Cluster]:
    if request.param == "kafka":
        made = kafka_cluster(server_url("KESSAI_BUS_URL"))
    else:
        made = local_cluster(tmp_path / "bus.db" if request.param == "file" else None)
    yield made
    await made.close()


async def idle(bus: Bus, group: str) -> None:
    async def has_no_lag() -> bool:
        return not any((await bus.lag(group)).values())

    await eventually(has_no_lag)


async def test_a_record_arrives_as_it_was_published(cluster: Cluster) -> None:
    bus, seen = await cluster.bus(), Seen()
    async with running(bus.consumer(cluster.group, [cluster.topic], seen)):
        await bus.publish([a_message(cluster.topic, "注文-1", "値", traceparent="00-a-b-01")])
        await eventually(lambda: len(seen.records) == 1)
    [record] = seen.records
    assert (record.topic, record.key, record.value) == (
        cluster.topic,
        "注文-1",
        "値".encode(),
    )
    assert record.headers == {"traceparent": "00-a-b-01"}
    assert (record.partition, record.offset) == (partition_of("注文-1", PARTITIONS), 0)
    assert abs(record.at_ms - SystemClock().now_ms()) < 60_000


async def test_records_of_one_key_keep_their_order(cluster: Cluster) -> None:
    bus, seen = await cluster.bus(), Seen()
    async with running(bus.consumer(cluster.group, [cluster.topic], seen)):
        for turn in range(20):
            await bus.publish(
                [a_message(cluster.topic, f"k{k}", f"{turn}.{n}") for n in (0, 1) for k in range(5)]
            )
        await eventually(lambda: len(seen.records) == 200)
    for k in range(5):
        values = [r.value.decode() for r in seen.records if r.key == f"k{k}"]
        assert values == [f"{turn}.{n}" for turn in range(20) for n in (0, 1)]
    for partition in range(PARTITIONS):
        offsets = [r.offset for r in seen.records if r.partition == partition]
        assert offsets == list(range(len(offsets)))


async def test_publishing_nothing_is_nothing(cluster: Cluster) -> None:
    bus = await cluster.bus()
    await bus.publish([])
    assert not any((await bus.lag(cluster.group)).values())


async def test_each_group_gets_every_record(cluster: Cluster) -> None:
    bus, one, two = await cluster.bus(), Seen(), Seen()
    consumers = [
        bus.consumer(cluster.group, [cluster.topic], one),
        bus.consumer(cluster.group + ".two", [cluster.topic], two),
    ]
    async with running(*consumers):
        await bus.publish([a_message(cluster.topic, f"k{n}", f"{n}") for n in range(10)])
        await eventually(lambda: len(one.records) == len(two.records) == 10)
    assert sorted(one.values) == sorted(two.values) == sorted(str(n) for n in range(10))


async def test_a_consumer_may_read_several_topics(cluster: Cluster) -> None:
    bus, seen = await cluster.bus(), Seen()
    topics = [cluster.topic, cluster.topic + ".other"]
    async with running(bus.consumer(cluster.group, topics, seen)):
        await bus.publish([a_message(topic, "k", topic) for topic in topics])
        await eventually(lambda: len(seen.records) == 2)
    assert sorted(seen.values) == topics


async def test_a_fresh_group_starts_where_it_asks_to(cluster: Cluster) -> None:
    bus, early, late = await cluster.bus(), Seen(), Seen()
    await bus.publish([a_message(cluster.topic, "k", "before")])
    consumers = [
        bus.consumer(cluster.group, [cluster.topic], early),
        bus.consumer(cluster.group + ".push", [cluster.topic], late, start="latest"),
    ]
    async with running(*consumers):
        await bus.publish([a_message(cluster.topic, "k", "after")])
        await eventually(lambda: len(early.records) == 2 and len(late.records) == 1)
    assert early.values == ["before", "after"]
    assert late.values == ["after"]


async def test_a_group_goes_on_where_it_was_and_misses_nothing_while_away(
    cluster: Cluster,
) -> None:
    bus, seen = await cluster.bus(), Seen()
    await bus.publish([a_message(cluster.topic, f"k{n}", f"a{n}") for n in range(12)])
    async with running(bus.consumer(cluster.group, [cluster.topic], seen, start="earliest")):
        await eventually(lambda: len(seen.records) == 12)
    assert await bus.lag(cluster.group) == {cluster.topic: 0}
    await bus.publish([a_message(cluster.topic, f"k{n}", f"b{n}") for n in range(12)])
    assert await bus.lag(cluster.group) == {cluster.topic: 12}
    # "latest" is for fresh groups only; this one is known.
    async with running(bus.consumer(cluster.group, [cluster.topic], seen, start="latest")):
        await eventually(lambda: len(seen.records) == 24)
        await idle(bus, cluster.group)
    assert len(set(seen.values)) == 24


async def test_an_unknown_outcome_is_asked_again_for_ever_and_blocks_its_partition_only(
    cluster: Cluster,
) -> None:
    bus, seen = await cluster.bus(), Seen()
    silent = asyncio.Event()
    tries = 0

    async def handle(record: Record) -> None:
        nonlocal tries
        if record.key == "k1" and not silent.is_set():
            tries += 1
            raise Unknown("PAYMENT_UNAVAILABLE")
        await seen(record)

    assert partition_of("k1", PARTITIONS) != partition_of("k2", PARTITIONS)
    async with running(bus.consumer(cluster.group, [cluster.topic], handle)):
        await bus.publish([a_message(cluster.topic, k, f"{k}.{n}") for n in (1, 2) for k in KEYS])
        await eventually(lambda: tries > RETRY.attempts * 2)
        assert seen.values == ["k2.1", "k2.2"]
        await eventually(lambda: _lag_is(bus, cluster, 2))
        silent.set()
        await eventually(lambda: len(seen.records) == 4)
        await idle(bus, cluster.group)
    assert seen.values[2:] == ["k1.1", "k1.2"]


KEYS = ("k1", "k2")


async def _lag_is(bus: Bus, cluster: Cluster, records: int) -> bool:
    return (await bus.lag(cluster.group))[cluster.topic] == records


async def test_a_poison_record_goes_to_the_dead_letters_and_the_partition_goes_on(
    cluster: Cluster,
) -> None:
    bus, seen, dead = await cluster.bus(), Seen(), Seen()
    tries = 0

    async def handle(record: Record) -> None:
        nonlocal tries
        if record.value == b"poison":
            tries += 1
            raise KeyError("no such field")
        await seen(record)

    consumers = [
        bus.consumer(cluster.group, [cluster.topic], handle),
        bus.consumer(cluster.group + ".dead", [f"{cluster.topic}.dlt"], dead),
    ]
    async with running(*consumers):
        words = ["first", "poison", "last"]
        await bus.publish([a_message(cluster.topic, "k", word, trail="7") for word in words])
        await eventually(lambda: len(seen.records) == 2 and len(dead.records) == 1)
        await idle(bus, cluster.group)
    assert seen.values == ["first", "last"]
    assert tries == RETRY.attempts
    [letter] = dead.records
    assert (letter.key, letter.value) == ("k", b"poison")
    assert letter.headers == {
        "trail": "7",
        "dlt-topic": cluster.topic,
        "dlt-partition": str(partition_of("k", PARTITIONS)),
        "dlt-offset": "1",
        "dlt-consumer": cluster.group,
        "dlt-error": "KeyError",
    }


async def test_a_failure_that_passes_is_no_poison(cluster: Cluster) -> None:
    bus, dead = await cluster.bus(), Seen()
    seen = Seen(ValueError("once"), ValueError("twice"))
    consumers = [
        bus.consumer(cluster.group, [cluster.topic], seen),
        bus.consumer(cluster.group + ".dead", [f"{cluster.topic}.dlt"], dead),
    ]
    async with running(*consumers):
        await bus.publish([a_message(cluster.topic, "k", "1"), a_message(cluster.topic, "k", "2")])
        await eventually(lambda: len(seen.records) == 2)
    assert seen.values == ["1", "2"]
    assert dead.records == []


async def test_dead_letters_are_driven_back_once(cluster: Cluster) -> None:
    bus, seen = await cluster.bus(), Seen(*(ValueError("bug") for _ in range(RETRY.attempts)))
    async with running(bus.consumer(cluster.group, [cluster.topic], seen)):
        assert await bus.redrive(cluster.topic) == 0
        await bus.publish([a_message(cluster.topic, "k", "1", trail="7")])
        await idle(bus, cluster.group)
        await bus.publish([a_message(cluster.topic, "k", "2")])
        await eventually(lambda: seen.values == ["2"])
        assert await bus.redrive(cluster.topic) == 1
        await eventually(lambda: seen.values == ["2", "1"])
        assert await bus.redrive(cluster.topic) == 0
    assert seen.records[1].headers == {"trail": "7"}
    assert seen.records[1].partition == seen.records[0].partition


async def test_a_dead_letter_that_is_not_whole_is_passed_over(cluster: Cluster) -> None:
    bus = await cluster.bus()
    cut = Record(cluster.topic, 0, 7, "k", b"x" * 1_100_000, {}, 0)
    whole = Record(cluster.topic, 0, 8, "k", b"whole", {}, 0)
    seen = Seen()
    async with running(bus.consumer(cluster.group, [cluster.topic], seen)):
        await bus.publish([dead_letter(one, "g", ValueError()) for one in (cut, whole)])
        assert await bus.redrive(cluster.topic) == 1
        await eventually(lambda: seen.values == ["whole"])
        assert await bus.redrive(cluster.topic) == 0


async def test_partitions_are_worked_at_the_same_time(cluster: Cluster) -> None:
    bus, busy = await cluster.bus(), set[int]()
    together = asyncio.Event()

    async def handle(record: Record) -> None:
        busy.add(record.partition)
        if len(busy) == PARTITIONS:
            together.set()
        await together.wait()

    async with running(bus.consumer(cluster.group, [cluster.topic], handle)):
        await bus.publish([a_message(cluster.topic, f"k{n}") for n in range(60)])
        async with asyncio.timeout(5):
            await together.wait()


async def test_two_members_share_and_who_leaves_is_replaced(cluster: Cluster) -> None:
    first, second = await cluster.bus("a"), await cluster.bus("b")
    one, two = Seen(), Seen()
    keys = [f"k{n}" for n in range(60)]

    async def both_have_some() -> bool:
        one.records.clear()
        two.records.clear()
        await first.publish([a_message(cluster.topic, key) for key in keys])
        await eventually(lambda: len(one.records) + len(two.records) >= len(keys))
        shares = {r.partition for r in one.records}, {r.partition for r in two.records}
        return len(shares[0]) == len(shares[1]) == 3 and not shares[0] & shares[1]

    async with running(first.consumer(cluster.group, [cluster.topic], one)):
        async with running(second.consumer(cluster.group, [cluster.topic], two)):
            await eventually(both_have_some, every_s=0.2)
            await idle(first, cluster.group)
        one.records.clear()
        await first.publish([a_message(cluster.topic, key) for key in keys])
        await eventually(lambda: len({r.key for r in one.records}) == len(keys), within_s=5)


async def test_a_fenced_partition_is_given_up_and_its_record_is_not_lost(cluster: Cluster) -> None:
    bus, seen = await cluster.bus(), Seen(Fenced("the store has another owner"))
    async with running(bus.consumer(cluster.group, [cluster.topic], seen)):
        await bus.publish([a_message(cluster.topic, "k", "1"), a_message(cluster.topic, "k", "2")])
        await asyncio.sleep(0.1)
        assert seen.answers == []
        assert seen.values == []
        assert await bus.lag(cluster.group) == {cluster.topic: 2}
        await eventually(lambda: seen.values == ["1", "2"])


async def test_records_of_one_partition_are_in_hand_together(cluster: Cluster) -> None:
    bus = await cluster.bus()
    gate = asyncio.Event()
    entered: list[str] = []

    async def wait_for_all(record: Record) -> None:
        entered.append(record.value.decode())
        if len(entered) == 3:
            gate.set()
        # In hand one by one, the first would wait for ever.
        await gate.wait()

    await bus.publish([a_message(cluster.topic, "one-key", f"{n}") for n in range(3)])
    consumer = bus.consumer(cluster.group, [cluster.topic], wait_for_all, at_once=10)
    async with running(consumer):
        await eventually(lambda: len(entered) == 3)
        await idle(bus, cluster.group)
    assert sorted(entered) == ["0", "1", "2"]


async def test_none_is_acknowledged_before_all_are_handled(cluster: Cluster) -> None:
    bus = await cluster.bus()
    handled: list[str] = []
    is_down = True

    async def refuse_the_second(record: Record) -> None:
        if is_down and record.value == b"1":
            raise Unknown("SEARCH_UNAVAILABLE", "not now")
        handled.append(record.value.decode())

    await bus.publish([a_message(cluster.topic, "one-key", f"{n}") for n in range(3)])
    consumer = bus.consumer(cluster.group, [cluster.topic], refuse_the_second, at_once=10)
    async with running(consumer):
        await eventually(lambda: {"0", "2"} <= set(handled))
    assert sum((await bus.lag(cluster.group)).values()) == 3
    is_down = False
    async with running(bus.consumer(cluster.group, [cluster.topic], refuse_the_second, at_once=10)):
        await eventually(lambda: "1" in handled)
        await idle(bus, cluster.group)
