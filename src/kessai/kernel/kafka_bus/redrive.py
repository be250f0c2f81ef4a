"""Dead letters go back where they came from: read on and published again in one transaction."""

from __future__ import annotations

import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Producer
from confluent_kafka import TopicPartition as Part

from kessai.kernel.bus import DEAD_LETTERS, REDRIVE_GROUP, Record, revived
from kessai.kernel.kafka_bus import topics
from kessai.kernel.kafka_bus.cluster import Cluster
from kessai.kernel.kafka_bus.errors import error_of, unavailable
from kessai.kernel.kafka_bus.limits import MESSAGE_MAX_BYTES, KafkaLimits
from kessai.kernel.kafka_bus.records import record_of

_POLL_S = 0.1


def redrive(
    cluster: Cluster, topic: str, *, partitions: int, limit: int, limits: KafkaLimits
) -> int:
    """Blocks: call it beside the loop. Raises `BusUnavailable`: then all of it went, or nothing."""
    letters = topic + DEAD_LETTERS
    places = [(letters, p) for p in range(partitions)]
    consumer = Consumer(
        cluster.config(
            group_id=REDRIVE_GROUP,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            fetch_wait_max_ms=10,
        )
    )
    try:
        found = _read(consumer, cluster, places, limit, limits)
        return _send(cluster, consumer, topic, found, limits) if found else 0
    except KafkaException as raised:
        raise unavailable(raised) from raised
    finally:
        consumer.close()


def _read(
    consumer: Consumer,
    cluster: Cluster,
    places: list[tuple[str, int]],
    limit: int,
    limits: KafkaLimits,
) -> list[Record]:
    """From where the group is, up to what is there now, partition by partition."""
    ends = topics.ends(cluster, places, limits)
    at = {
        (part.topic, part.partition): max(0, part.offset)
        for part in consumer.committed([Part(*place) for place in places], limits.request_s)
    }
    left = [place for place in places if at[place] < ends[place]]
    consumer.assign([Part(*place, at[place] or OFFSET_BEGINNING) for place in left])
    found: list[Record] = []
    until_s = time.monotonic() + limits.request_s
    while left and len(found) < limit and time.monotonic() < until_s:
        for message in consumer.consume(limit - len(found), _POLL_S):
            if error := message.error():
                raise KafkaException(error)
            record = record_of(message)
            found.append(record)
            at[record.topic, record.partition] = record.offset + 1
        left = [place for place in left if at[place] < ends[place]]
    return sorted(found, key=lambda record: (record.partition, record.offset))


def _send(
    cluster: Cluster, consumer: Consumer, topic: str, found: list[Record], limits: KafkaLimits
) -> int:
    """How many went; those that are not whole are passed over."""
    producer = Producer(
        cluster.config(
            # The same for all: who begins later ends the transaction of who hangs.
            transactional_id=f"{REDRIVE_GROUP}:{topic}",
            partitioner="murmur2_random",
            message_max_bytes=MESSAGE_MAX_BYTES,
        )
    )
    producer.init_transactions(limits.request_s)
    producer.begin_transaction()
    try:
        read: dict[int, int] = {}
        sent = 0
        for record in found:
            read[record.partition] = record.offset + 1
            message = revived(record)
            if message is None:
                continue
            sent += 1
            producer.produce(
                message.topic,
                message.value,
                message.key.encode(),
                headers=[(name, value.encode()) for name, value in message.headers.items()],
            )
        letters = found[0].topic
        producer.send_offsets_to_transaction(
            [Part(letters, partition, offset) for partition, offset in read.items()],
            consumer.consumer_group_metadata(),
            limits.request_s,
        )
        _commit(producer, limits)
        return sent
    except KafkaException:
        producer.abort_transaction(limits.request_s)
        raise


def _commit(producer: Producer, limits: KafkaLimits) -> None:
    """A commit that timed out is open: only asking again tells (streams.md, mistake 3)."""
    until_s = time.monotonic() + limits.request_s
    while True:
        try:
            producer.commit_transaction(limits.request_s)
        except KafkaException as raised:
            if not error_of(raised).retriable() or time.monotonic() > until_s:
                raise
        else:
            return
