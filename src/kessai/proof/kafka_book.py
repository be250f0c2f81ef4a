"""The bus of production as verify reads it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from kessai.kernel.bus import DEAD_LETTERS, Record
from kessai.kernel.errors import Unknown
from kessai.kernel.kafka_bus import KafkaLimits, LogReader, cluster_of
from kessai.proof.invariants.books import BooksUnreadable
from kessai.proof.invariants.bus_book import PAGE, ClaimRow, HeadRow, RecordRow
from kessai.topology import TOPICS


def kafka_book(url: str) -> KafkaBusBook:
    """Raises `ValueError` for the URL."""
    names = [name for topic in TOPICS for name in (topic, topic + DEAD_LETTERS)]
    return KafkaBusBook(LogReader(cluster_of(url), names, KafkaLimits()))


class KafkaBusBook:
    """Transactions of whoever sends dead letters back leave marks at positions of their own."""

    is_dense = False

    def __init__(self, reader: LogReader) -> None:
        self._reader = reader

    async def bounds(self) -> tuple[list[HeadRow], list[ClaimRow]]:
        with _readable():
            committed = await self._reader.committed()
        claims = [ClaimRow(*of, position) for of, position in committed.items()]
        return await self.heads(), claims

    async def heads(self) -> list[HeadRow]:
        with _readable():
            bounds = await self._reader.bounds()
        return [HeadRow(*place, low, high) for place, (low, high) in sorted(bounds.items())]

    async def pages(self, head: HeadRow, low: int) -> AsyncIterator[list[RecordRow]]:
        if low >= head.next_position:
            return
        place = (head.topic, head.partition)
        with _readable():
            async for page in self._reader.pages(place, low, head.next_position, PAGE):
                yield [_row(record) for record in page]


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except Unknown as unknown:
        raise BooksUnreadable(f"the bus: {unknown.message}") from unknown


def _row(record: Record) -> RecordRow:
    return RecordRow(
        record.topic,
        record.partition,
        record.offset,
        record.at_ms,
        record.key,
        record.value,
        json.dumps(dict(record.headers)),
    )
