"""What the bus says when there is no cluster, or not the one it needs."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from uuid import uuid4

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from tests.support.kernel import Seen, a_message, running
from tests.support.servers import server_url

from kessai.kernel.bus import DEAD_LETTERS, MOST_LETTER_BYTES, Record, Retry, dead_letter
from kessai.kernel.errors import Unknown
from kessai.kernel.kafka_bus import (
    BusMisfit,
    BusUnavailable,
    KafkaBus,
    KafkaLimits,
    cluster_of,
    open_kafka_bus,
    topics,
)
from kessai.kernel.kafka_bus.cluster import Cluster

SHORT = KafkaLimits(delivery_s=0.5, request_s=0.5, retry=Retry(first_pause_s=0.01))


@pytest.fixture
def nobody() -> Iterator[str]:
    """A port that is held and not listened at."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.mark.network
async def test_without_a_broker_nothing_opens(nobody: str) -> None:
    with pytest.raises(BusUnavailable):
        await open_kafka_bus(
            f"kafka://{nobody}", partitions=6, instance="a", topics=["t"], limits=SHORT
        )


@pytest.mark.network
async def test_a_lost_broker_makes_the_outcome_unknown_and_consumers_wait(nobody: str) -> None:
    bus = KafkaBus(Cluster(nobody), partitions=6, instance="a", limits=SHORT)
    with pytest.raises(Unknown) as told:
        await bus.publish([a_message("t", "k")])
    assert told.value.code == "BUS_UNAVAILABLE"
    with pytest.raises(Unknown):
        await bus.lag("g")
    with pytest.raises(Unknown):
        await bus.redrive("t")
    waiting = asyncio.create_task(bus.consumer("g", ["t"], Seen()).run())
    done, _ = await asyncio.wait([waiting], timeout=1.2)
    assert not done
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await bus.close()


@pytest.mark.stack
async def test_a_topic_of_another_number_of_partitions_is_refused() -> None:
    url, limits = server_url("KESSAI_BUS_URL"), KafkaLimits(replication=1)
    topic = f"t.{id(limits)}.misfit.v1"
    first = await open_kafka_bus(url, partitions=2, instance="a", topics=[topic], limits=limits)
    await first.close()
    with pytest.raises(BusMisfit, match=f"topic {topic} has 2 partitions, and 6 are needed"):
        await open_kafka_bus(url, partitions=6, instance="a", topics=[topic], limits=limits)


def test_what_others_wrote_into_a_topic_can_still_be_buried() -> None:
    record = Record("t", 0, 7, "�", b"\xff", {"trail": "�"}, 0)
    assert dead_letter(record, "g", ValueError()).topic == "t" + DEAD_LETTERS


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        (b"x" * 1_048_000, {"trail": "7"}),
        (b"x" * 5_000_000, {"trail": "7"}),
        (b"x" * 990_000, {"theirs": "y" * 60_000}),
        (b"x", {"theirs": "y" * 1_048_000}),
    ],
)
def test_no_dead_letter_is_larger_than_a_client_sends(
    value: bytes, headers: dict[str, str]
) -> None:
    record = Record("t", 0, 7, "key", value, headers, 0)
    letter = dead_letter(record, "g", ValueError())
    texts = (letter.key, *letter.headers, *letter.headers.values())
    assert len(letter.value) + sum(len(text.encode()) for text in texts) <= MOST_LETTER_BYTES
    assert value.startswith(letter.value)
    assert letter.headers["dlt-cut"] == str(len(value))
    assert letter.headers["dlt-error"] == "ValueError"


def test_what_fits_is_buried_as_it_was() -> None:
    record = Record("t", 0, 7, "key", b"x" * 1_039_000, {"trail": "7"}, 0)
    letter = dead_letter(record, "g", ValueError())
    assert letter.value == record.value
    assert "dlt-cut" not in letter.headers


@pytest.mark.stack
@pytest.mark.network
def test_the_ends_of_a_topic_that_was_just_made_are_known() -> None:
    """Its partitions have no leader for a moment."""
    cluster, topic = cluster_of(server_url("KESSAI_BUS_URL")), f"t.{uuid4().hex}"
    admin = AdminClient(cluster.config())
    for answer in admin.create_topics([NewTopic(topic, 6, 1)]).values():
        answer.result(20)
    places = [(topic, number) for number in range(6)]
    assert topics.ends(cluster, places, KafkaLimits()) == dict.fromkeys(places, 0)


@pytest.mark.stack
@pytest.mark.network
async def test_a_member_that_gets_no_partition_is_told_so() -> None:
    """By that it knows that it waits for its turn, and was not lost."""
    topic = f"t.{uuid4().hex}"
    bus = await open_kafka_bus(
        server_url("KESSAI_BUS_URL"),
        partitions=1,
        instance="a",
        topics=[topic],
        limits=KafkaLimits(replication=1, session_s=6),
    )
    # The loops of `running` have begun when each was told its part.
    async with running(*(bus.consumer(topic, [topic], Seen()) for _ in range(2))):
        pass
    await bus.close()
