"""A log read by somebody who only looks: no group, no commit; blocking calls beside the loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Generator, Iterator, Mapping, Sequence

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec

from kessai.kernel.bus import Record
from kessai.kernel.kafka_bus import topics
from kessai.kernel.kafka_bus.cluster import Cluster
from kessai.kernel.kafka_bus.errors import unavailable
from kessai.kernel.kafka_bus.limits import KafkaLimits
from kessai.kernel.kafka_bus.records import record_of

# A client must name one; it is never joined.
_NOBODY = "kessai.reader"
# A fetch waits so long for a full page, also where nothing more is there.
_POLL_S = 0.03
Place = tuple[str, int]


class LogReader:
    """Raises `BusUnavailable` where the cluster does not answer in time."""

    def __init__(self, cluster: Cluster, names: Sequence[str], limits: KafkaLimits) -> None:
        self._cluster = cluster
        self._names = tuple(names)
        self._limits = limits

    async def bounds(self) -> dict[Place, tuple[int, int]]:
        """Of each partition: the first offset that is still there, and where the next will be."""
        return await asyncio.to_thread(self._bounds)

    async def committed(self) -> Mapping[tuple[str, str, int], int]:
        """By group, topic and partition: what was written down as handled, of every group."""
        return await asyncio.to_thread(self._committed)

    async def pages(
        self, place: Place, low: int, high: int, size: int
    ) -> AsyncIterator[list[Record]]:
        """What was committed to one partition in [low, high), in its order; no page is empty."""
        pages = self._pages(place, low, high, size)
        try:
            while page := await asyncio.to_thread(next, pages, None):
                yield page
        finally:
            await asyncio.to_thread(pages.close)

    def _bounds(self) -> dict[Place, tuple[int, int]]:
        places = topics.placed(self._cluster, self._limits, self._names)
        ends = topics.ends(self._cluster, places, self._limits)
        earliest = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
        asked = {TopicPartition(*place): earliest for place in places}
        if not asked:
            return {}
        admin = AdminClient(self._cluster.config())
        try:
            answers = admin.list_offsets(asked, request_timeout=self._limits.request_s)
            firsts = {(at.topic, at.partition): one.result().offset for at, one in answers.items()}
        except KafkaException as raised:
            raise unavailable(raised) from raised
        return {place: (max(0, firsts[place]), ends[place]) for place in places}

    def _committed(self) -> Mapping[tuple[str, str, int], int]:
        admin = AdminClient(self._cluster.config())
        try:
            listed = admin.list_consumer_groups(request_timeout=self._limits.request_s).result()
        except KafkaException as raised:
            raise unavailable(raised) from raised
        groups = sorted(one.group_id for one in listed.valid or [])
        places = topics.placed(self._cluster, self._limits, self._names)
        return {
            (group, *place): offset
            for group in groups
            for place, offset in topics.committed(
                self._cluster, group, places, self._limits
            ).items()
        }

    def _pages(
        self, place: Place, low: int, high: int, size: int
    ) -> Generator[list[Record], None, None]:
        consumer = Consumer(
            self._cluster.config(
                group_id=_NOBODY,
                enable_auto_commit=False,
                enable_partition_eof=True,
                auto_offset_reset="earliest",
                isolation_level="read_committed",
                fetch_wait_max_ms=10,
            )
        )
        try:
            consumer.assign([TopicPartition(*place, low or OFFSET_BEGINNING)])
            yield from self._consume(consumer, high, size)
        except KafkaException as raised:
            raise unavailable(raised) from raised
        finally:
            consumer.close()

    def _consume(self, consumer: Consumer, high: int, size: int) -> Iterator[list[Record]]:
        until_s = time.monotonic() + self._limits.request_s
        at_end = False
        while not at_end:
            page: list[Record] = []
            for message in consumer.consume(size, _POLL_S):
                error = message.error()
                if error is None:
                    record = record_of(message)
                    at_end = at_end or record.offset + 1 >= high
                    if record.offset < high:
                        page.append(record)
                elif error.code() == KafkaError._PARTITION_EOF:
                    # Behind the last record may be marks of transactions only.
                    at_end = True
                else:
                    raise KafkaException(error)
            if page:
                yield page
                until_s = time.monotonic() + self._limits.request_s
            elif not at_end and time.monotonic() > until_s:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
