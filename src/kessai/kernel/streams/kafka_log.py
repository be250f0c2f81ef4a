"""The changelog of the shards: a compacted topic that a store is brought up to date from."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from kessai.kernel.errors import KessaiError
from kessai.kernel.kafka_bus.cluster import Cluster
from kessai.kernel.kafka_bus.errors import error_of
from kessai.kernel.streams.store import ShardStore

_ASK_S: Final = 10.0
_FETCH: Final = 5_000
_POLL_S: Final = 0.05
# Nothing has come for so long, and the end is not reached: the broker is asked anew by the caller.
_SILENT_S: Final = 30.0


class LogMisfit(KessaiError):
    """The changelog is not what this program can restore from; one line for people."""


def ensure(cluster: Cluster, topic: str, partitions: int, replication: int) -> None:
    """Raises `LogMisfit` for another number of partitions: states would lie in others."""
    admin = AdminClient(cluster.config())
    found = admin.list_topics(topic, timeout=_ASK_S).topics.get(topic)
    if found is None or found.error is not None or not found.partitions:
        config = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.2"}
        wanted = [NewTopic(topic, partitions, replication, config=config)]
        for answer in admin.create_topics(wanted, request_timeout=_ASK_S).values():
            try:
                answer.result()
            except KafkaException as raised:
                if error_of(raised).code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise
        return
    if len(found.partitions) != partitions:
        raise LogMisfit(
            f"topic {topic} has {len(found.partitions)} partitions, and {partitions} are needed"
        )


def restore(
    cluster: Cluster,
    topic: str,
    stores: Mapping[int, ShardStore[Any]],
    is_over: Callable[[], bool] = lambda: False,
) -> int:
    """Brings all stores to the end of the log with one consumer; how many records that took.

    To the high watermark as a reader of committed records sees it: the mark of an end may follow
    the last record, so the end of a partition is told by its EOF.
    """
    consumer = Consumer(
        cluster.config(
            group_id="kessai.restore",
            enable_auto_commit=False,
            enable_partition_eof=True,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            fetch_wait_max_ms=10,
        )
    )
    try:
        consumer.assign(
            [
                TopicPartition(topic, number, store.logged or OFFSET_BEGINNING)
                for number, store in stores.items()
            ]
        )
        return _read(consumer, dict(stores), is_over)
    finally:
        consumer.close()


def _read(consumer: Consumer, left: dict[int, ShardStore[Any]], is_over: Callable[[], bool]) -> int:
    stores, count, heard_s = dict(left), 0, time.monotonic()
    while left:
        messages = consumer.consume(_FETCH, _POLL_S)
        for message in messages:
            error, number = message.error(), message.partition() or 0
            if error is None:
                store = stores[number]
                key, value = message.key(), message.value()
                assert isinstance(key, bytes)
                assert value is None or isinstance(value, bytes)
                store.restore(key, value)
                store.set_logged((message.offset() or 0) + 1)
                count, heard_s = count + 1, time.monotonic()
            elif error.code() == KafkaError._PARTITION_EOF:
                left.pop(number, None)
            elif not error.retriable():
                raise KafkaException(error)
        if is_over() or time.monotonic() - heard_s > _SILENT_S:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        for store in stores.values():
            store.write(durable=False)
    for store in stores.values():
        store.write()
    return count
