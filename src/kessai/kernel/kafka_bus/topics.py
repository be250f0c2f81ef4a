"""Topics and offsets as an administrator sees them. Every function blocks: call it beside the loop.

A client that outlives a broker's restart may answer with stale epochs for ever (streams.md 11), so
each question has a client of its own.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec
from confluent_kafka.cimpl import NewTopic

from kessai.kernel.kafka_bus.cluster import Cluster
from kessai.kernel.kafka_bus.errors import (
    HOPELESS,
    TRANSIENT,
    BusMisfit,
    error_of,
    unavailable,
)
from kessai.kernel.kafka_bus.limits import KafkaLimits

_LOOK_AGAIN_S = 0.05


def ensure(cluster: Cluster, topics: Sequence[str], partitions: int, limits: KafkaLimits) -> None:
    """Creates what is missing and waits until it can be used.

    Raises `BusMisfit` for a topic of another number of partitions: keys would change theirs.
    """
    admin = AdminClient(cluster.config())
    try:
        known = _partitions(admin, topics, limits)
        _create(admin, [one for one in topics if one not in known], partitions, limits)
        until_s = time.monotonic() + limits.request_s
        while len(known) < len(set(topics)):
            known = _partitions(admin, topics, limits)
            if time.monotonic() > until_s:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
            time.sleep(_LOOK_AGAIN_S)
    except KafkaException as raised:
        raise _said(raised) from raised
    for topic in topics:
        if known[topic] != partitions:
            raise BusMisfit(
                f"topic {topic} has {known[topic]} partitions, and {partitions} are needed"
            )


def _said(raised: KafkaException) -> Exception:
    error = error_of(raised)
    if error.code() in HOPELESS:
        return BusMisfit(f"the cluster refuses us: {error.name()}")
    return unavailable(raised)


def _partitions(admin: AdminClient, topics: Sequence[str], limits: KafkaLimits) -> dict[str, int]:
    """Of the topics that are there, with a leader for each partition."""
    found = admin.list_topics(timeout=limits.request_s).topics
    return {
        topic: len(about.partitions)
        for topic in topics
        if (about := found.get(topic)) is not None
        and about.error is None
        and about.partitions
        and all(one.leader >= 0 for one in about.partitions.values())
    }


def _create(
    admin: AdminClient, missing: Sequence[str], partitions: int, limits: KafkaLimits
) -> None:
    if not missing:
        return
    config = {
        # The log's own clock: a sender's may be wrong, and alerts count by it.
        "message.timestamp.type": "LogAppendTime",
        "retention.ms": str(int(limits.keep_s * 1000)),
    }
    wanted = [
        NewTopic(topic, partitions, limits.replication, config=dict(config)) for topic in missing
    ]
    for answer in admin.create_topics(wanted, request_timeout=limits.request_s).values():
        try:
            answer.result()
        except KafkaException as raised:
            # Another process was first.
            if error_of(raised).code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise


def ends(
    cluster: Cluster, places: Iterable[tuple[str, int]], limits: KafkaLimits
) -> dict[tuple[str, int], int]:
    """The offset that the next committed record of each partition will have, or more.

    Of a topic that was just made, or a broker that just came back, some have no leader yet.
    """
    asked, until_s = list(places), time.monotonic() + limits.request_s
    while True:
        try:
            return _ends(AdminClient(cluster.config()), asked, limits)
        except KafkaException as raised:
            if error_of(raised).code() not in TRANSIENT or time.monotonic() > until_s:
                raise unavailable(raised) from raised
            time.sleep(_LOOK_AGAIN_S)


def ends_by(
    admin: AdminClient, places: Iterable[tuple[str, int]], limits: KafkaLimits
) -> dict[tuple[str, int], int]:
    """For who asks often, and makes a new client after any failure."""
    try:
        return _ends(admin, places, limits)
    except KafkaException as raised:
        raise unavailable(raised) from raised


def _ends(
    admin: AdminClient, places: Iterable[tuple[str, int]], limits: KafkaLimits
) -> dict[tuple[str, int], int]:
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    asked = {TopicPartition(topic, p): latest for topic, p in places}
    if not asked:
        return {}
    answers = admin.list_offsets(
        asked, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=limits.request_s
    )
    return {(one.topic, one.partition): found.result().offset for one, found in answers.items()}


def is_there(cluster: Cluster, limits: KafkaLimits) -> bool:
    """Whether a broker answers and names one. Groups are not described for it: where the broker is
    away, that ends the whole process (an assertion of librdkafka 2.16, `eonce->refcnt > 0`)."""
    try:
        return bool(AdminClient(cluster.config()).list_topics(timeout=limits.request_s).brokers)
    except KafkaException:
        return False


def placed(
    cluster: Cluster, limits: KafkaLimits, names: Sequence[str] | None = None
) -> list[tuple[str, int]]:
    """Every partition of the topics that are there: of `names` and in their order, or of all."""
    try:
        found = AdminClient(cluster.config()).list_topics(timeout=limits.request_s).topics
    except KafkaException as raised:
        raise unavailable(raised) from raised
    return [
        (name, partition)
        for name in (sorted(found) if names is None else names)
        if name in found
        for partition in sorted(found[name].partitions)
    ]


def committed(
    cluster: Cluster, group: str, places: Iterable[tuple[str, int]], limits: KafkaLimits
) -> dict[tuple[str, int], int]:
    """What the group has written down as handled, where it has. It is not joined for it.

    An administrator's question for this would end the process where the broker comes back while
    it times out, as in `is_there`.
    """
    consumer = Consumer(
        cluster.config(
            group_id=group,
            enable_auto_commit=False,
            # Offsets of an open transaction are none yet; the question does not wait for its end.
            isolation_level="read_uncommitted",
        )
    )
    try:
        asked = [TopicPartition(*place) for place in places]
        found = consumer.committed(asked, timeout=limits.request_s) if asked else []
        for one in found:
            if one.error is not None:
                raise KafkaException(one.error)
    except KafkaException as raised:
        raise unavailable(raised) from raised
    finally:
        consumer.close()
    return {(one.topic, one.partition): one.offset for one in found if one.offset >= 0}


def lag(cluster: Cluster, group: str, limits: KafkaLimits) -> Mapping[str, int]:
    """Records of each topic after what the group has committed."""
    at = committed(cluster, group, placed(cluster, limits), limits)
    found: dict[str, int] = {}
    for place, end in ends(cluster, at, limits).items():
        found[place[0]] = found.get(place[0], 0) + max(0, end - at[place])
    return found
