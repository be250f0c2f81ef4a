"""The bus as verify reads it: what each partition holds, and who has handled how much."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple, Protocol

from sqlalchemy import bindparam

from kessai.kernel.db import Db
from kessai.proof.invariants.sql import Statement, col, cols, made, rows_of

PAGE = 2000


class RecordRow(NamedTuple):
    """`headers` is an object of JSON."""

    topic: str
    partition: int
    position: int
    at_ms: int
    message_key: str
    value: bytes
    headers: str

    def shown(self) -> dict[str, Any]:
        return {**self._asdict(), "value": self.value.decode("utf-8", "replace")}


class HeadRow(NamedTuple):
    """The first position that is still there, and the one that the next record will have."""

    topic: str
    partition: int
    first_position: int
    next_position: int


class ClaimRow(NamedTuple):
    """A consumer group has handled everything below `position`."""

    consumer_group: str
    topic: str
    partition: int
    position: int


class BusBook(Protocol):
    @property
    def is_dense(self) -> bool:
        """Whether every position holds a record; a log with transactions has marks in between."""
        ...

    async def bounds(self) -> tuple[Sequence[HeadRow], Sequence[ClaimRow]]:
        """By topic and partition. No claim is younger than the heads."""
        ...

    async def heads(self) -> Sequence[HeadRow]: ...

    def pages(self, head: HeadRow, low: int) -> AsyncIterator[Sequence[RecordRow]]:
        """The records from `low` on to where the head was, in their order; no page is empty."""
        ...


_HEADS: Statement = rows_of(HeadRow, "bus_head").order_by(*cols("topic", "partition"))
_CLAIMS: Statement = rows_of(ClaimRow, "bus_claim")
_RECORDS: Statement = (
    rows_of(RecordRow, "bus_record")
    .where(
        col("topic") == bindparam("topic"),
        col("partition") == bindparam("partition"),
        col("position") >= bindparam("low"),
        col("position") < bindparam("high"),
    )
    .order_by(col("position"))
    .limit(PAGE)
)


class LocalBusBook:
    """The file of the local bus, in short transactions."""

    is_dense = True

    def __init__(self, db: Db) -> None:
        self._db = db

    async def bounds(self) -> tuple[list[HeadRow], list[ClaimRow]]:
        async with self._db.read() as tx:
            return made(HeadRow, await tx.run(_HEADS)), made(ClaimRow, await tx.run(_CLAIMS))

    async def heads(self) -> list[HeadRow]:
        async with self._db.read() as tx:
            return made(HeadRow, await tx.run(_HEADS))

    async def pages(self, head: HeadRow, low: int) -> AsyncIterator[list[RecordRow]]:
        of = {"topic": head.topic, "partition": head.partition, "high": head.next_position}
        while low < head.next_position:
            async with self._db.read() as tx:
                page = made(RecordRow, await tx.run(_RECORDS, {**of, "low": low}))
            if not page:
                return
            yield page
            low = page[-1].position + 1
            # A file answers without a wait, and Ctrl-C and the second process want to be heard.
            await asyncio.sleep(0)
