"""One reading of the local bus: what is on it, in which order, and who has handled how much."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import bindparam, select, table

from kessai.kernel.bus import (
    CONSUMER_HEADER,
    DEAD_LETTERS,
    ERROR_HEADER,
    OFFSET_HEADER,
    PARTITION_HEADER,
    TOPIC_HEADER,
)
from kessai.kernel.db import Db
from kessai.kernel.local_bus.bus import REDRIVE_GROUP
from kessai.kernel.outbox import EVENT_ID_HEADER
from kessai.proof.invariants.sql import Statement, col, cols, made, rows_of
from kessai.proof.invariants.told import VIEW
from kessai.topology import ORDERS_TOPIC, PAYMENTS_TOPIC

_PAGE = 2000
_MOST_SHOWN = 100
# These change an order for good, so its inbox remembers each of them.
_APPLIED = (
    b'"PaymentSucceeded"',
    b'"PaymentFailed"',
    b'"PaymentExpired"',
    b'"RefundCompleted"',
)

_EVENT_ID = f'"{EVENT_ID_HEADER}": "'

Place = tuple[str, int]
Wrong = tuple[str, str, Mapping[str, Any]]


class _Versioned(msgspec.Struct, rename="camel", gc=False):
    """What makes the order of an order's events."""

    event_type: str
    version: int


_versioned = msgspec.json.Decoder(_Versioned).decode


class RecordRow(NamedTuple):
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
    topic: str
    partition: int
    first_position: int
    next_position: int


@dataclass(frozen=True, slots=True)
class Letter:
    name: str
    consumer: str
    error: str
    at_ms: int
    row: Mapping[str, Any]


_HEADS: Statement = rows_of(HeadRow, "bus_head").order_by(*cols("topic", "partition"))
_RECORDS: Statement = (
    rows_of(RecordRow, "bus_record")
    .where(
        col("topic") == bindparam("topic"),
        col("partition") == bindparam("partition"),
        col("position") >= bindparam("low"),
        col("position") < bindparam("high"),
    )
    .order_by(col("position"))
    .limit(_PAGE)
)
_CLAIMS: Statement = select(*cols("consumer_group", "topic", "partition", "position")).select_from(
    table("bus_claim")
)


@dataclass(slots=True)
class BusSeen:
    """`due` are the payment events that the consumer has handled, `behind` the first of each
    partition that it has not. Records older than `from_ms` are not compared with the outboxes.
    """

    consumer: str
    from_ms: int
    records: int = 0
    due: dict[str, None] = field(default_factory=dict)
    behind: list[RecordRow] = field(default_factory=list)
    dead: list[Letter] = field(default_factory=list)
    disordered: list[Wrong] = field(default_factory=list)
    miscounted: list[Wrong] = field(default_factory=list)
    buried: dict[str, None] = field(default_factory=dict)
    _events: set[int] = field(default_factory=set)
    _late: set[int] = field(default_factory=set)
    _heads: dict[Place, HeadRow] = field(default_factory=dict)
    _first_ms: dict[str, int] = field(default_factory=dict)
    _handled: dict[Place, int] = field(default_factory=dict)
    _redriven: dict[Place, int] = field(default_factory=dict)

    def explain(self, event_id: str) -> bool:
        """Whether the event is on the bus; what stays unexplained was in no outbox."""
        number = hash(event_id)
        if number in self._events:
            self._events.discard(number)
            return True
        return False

    def has(self, event_id: str) -> bool:
        """Whether it came since the bus was read."""
        return hash(event_id) in self._late

    def must_have(self, topic: str, created_at_ms: int) -> bool:
        """Records leave the bus when they are old."""
        return created_at_ms >= max(self.from_ms, self._first_ms.get(topic, 0))

    async def read(self, bus: Db) -> None:
        async with bus.read() as tx:
            heads = made(HeadRow, await tx.run(_HEADS))
            claims = (await tx.run(_CLAIMS)).all()
        self._heads = {(head.topic, head.partition): head for head in heads}
        for row in claims:
            self._take_claim(row)
        for head in heads:
            await self._read_partition(bus, head)

    def _take_claim(self, row: Mapping[str, Any]) -> None:
        place = (row["topic"], row["partition"])
        head = self._heads.get(place)
        following = head.next_position if head else 0
        if row["position"] > following:
            name = f"{row['consumer_group']} {place[0]}/{place[1]}"
            why = f"handled up to {row['position']}, there are {following}"
            self.miscounted.append((name, why, dict(row)))
        if row["consumer_group"] == self.consumer:
            self._handled[place] = row["position"]
        elif row["consumer_group"] == REDRIVE_GROUP:
            self._redriven[place] = row["position"]

    async def _read_partition(self, bus: Db, head: HeadRow) -> None:
        count = 0
        # An order's events are all in one partition. (move, view): the creation is view 1, of
        # which nobody is told; what left the bus is not missed either.
        seen: dict[str, tuple[int, int]] = {}
        nothing = (0, 1) if head.first_position == 0 else (-1, -1)
        async for page in _pages(bus, head, head.first_position):
            if count == 0 and head.first_position > 0:
                before = self._first_ms.get(head.topic, 0)
                self._first_ms[head.topic] = max(before, page[0].at_ms)
            count += len(page)
            if head.topic.endswith(DEAD_LETTERS):
                for record in page:
                    self._bury(record, json.loads(record.headers))
                continue
            self._note_events(page)
            if head.topic == ORDERS_TOPIC:
                for record in page:
                    self._follow(record, seen, nothing)
            elif head.topic == PAYMENTS_TOPIC:
                for record in page:
                    self._note_payment(record)
        self.records += count
        expected = head.next_position - head.first_position
        if count != expected and not await self._was_trimmed(bus, head):
            name = f"{head.topic}/{head.partition}"
            why = f"{expected} records were appended, {count} are there"
            self.miscounted.append((name, why, head._asdict()))

    async def _was_trimmed(self, bus: Db, head: HeadRow) -> bool:
        """Old records may leave while we read."""
        async with bus.read() as tx:
            rows = made(HeadRow, await tx.run(_HEADS))
        return any(
            (one.topic, one.partition) == (head.topic, head.partition)
            and one.first_position > head.first_position
            for one in rows
        )

    def _note_events(self, page: list[RecordRow]) -> None:
        for record in page:
            event_id = event_id_of(record.headers)
            if event_id is not None and record.at_ms >= self.from_ms:
                self._events.add(hash(event_id))

    def _bury(self, record: RecordRow, headers: dict[str, str]) -> None:
        place = (record.topic, record.partition)
        if headers.get(CONSUMER_HEADER) == self.consumer:
            self.buried[headers.get(EVENT_ID_HEADER, "")] = None
        if record.position < self._redriven.get(place, 0):
            return
        origin = (headers.get(TOPIC_HEADER, ""), int(headers.get(PARTITION_HEADER, -1)))
        offset = int(headers.get(OFFSET_HEADER, -1))
        head = self._heads.get(origin)
        name = f"{record.topic}/{record.partition}/{record.position}"
        if head is None or not 0 <= offset < head.next_position:
            why = f"a dead letter of a record that never was: {origin} {offset}"
            self.miscounted.append((name, why, record.shown()))
        consumer = headers.get(CONSUMER_HEADER, "somebody")
        error = headers.get(ERROR_HEADER, "unknown")
        self.dead.append(Letter(name, consumer, error, record.at_ms, record.shown()))

    def _follow(
        self, record: RecordRow, seen: dict[str, tuple[int, int]], nothing: tuple[int, int]
    ) -> None:
        """A crash may send a row again; what is new comes in the order of its versions."""
        try:
            event = _versioned(record.value)
        except (ValueError, TypeError):
            # That nobody wrote it there is what its outbox says.
            return
        version, is_view = event.version, event.event_type == VIEW
        move, view = seen.get(record.message_key, nothing)
        last = view if is_view else move
        if version <= last:
            return
        seen[record.message_key] = (move, version) if is_view else (version, view)
        if version > last + 1 and last >= 0 and len(self.disordered) < _MOST_SHOWN:
            kind = "view" if is_view else "move"
            why = f"{kind} {version} comes after {last}"
            self.disordered.append((record.message_key, why, record.shown()))

    def _note_payment(self, record: RecordRow) -> None:
        handled = self._handled.get((record.topic, record.partition), 0)
        if record.position == handled:
            self.behind.append(record)
        elif record.position < handled and _is_applied(record.value):
            event_id = event_id_of(record.headers)
            if event_id is not None:
                self.due[event_id] = None

    async def catch_up(self, bus: Db) -> None:
        """Reads what was appended since; for `has`."""
        async with bus.read() as tx:
            rows = made(HeadRow, await tx.run(_HEADS))
        for head in rows:
            before = self._heads.get((head.topic, head.partition))
            low = before.next_position if before else head.first_position
            async for page in _pages(bus, head, low):
                for record in page:
                    event_id = event_id_of(record.headers)
                    if event_id is not None:
                        self._late.add(hash(event_id))

    async def unexplained(self, bus: Db) -> list[RecordRow]:
        """Records of the first reading that no outbox had; a few of them."""
        found: list[RecordRow] = []
        if not self._events:
            return found
        for head in self._heads.values():
            if head.topic.endswith(DEAD_LETTERS):
                continue
            async for page in _pages(bus, head, head.first_position):
                for record in page:
                    if self.explain(event_id_of(record.headers) or ""):
                        found.append(record)
                if len(found) >= _MOST_SHOWN:
                    return found
        return found


def event_id_of(headers: str) -> str | None:
    """The text of one header, without reading the others; ids need no escapes."""
    start = headers.find(_EVENT_ID)
    if start < 0:
        return None
    start += len(_EVENT_ID)
    return headers[start : headers.index('"', start)]


def _is_applied(value: bytes) -> bool:
    return any(kind in value for kind in _APPLIED)


async def read_bus(bus: Db, consumer: str, from_ms: int) -> BusSeen:
    seen = BusSeen(consumer, from_ms)
    await seen.read(bus)
    return seen


async def _pages(bus: Db, head: HeadRow, low: int) -> AsyncIterator[list[RecordRow]]:
    """A partition from `low` on to where its head was, in short transactions."""
    of = {"topic": head.topic, "partition": head.partition, "high": head.next_position}
    while low < head.next_position:
        async with bus.read() as tx:
            page = made(RecordRow, await tx.run(_RECORDS, {**of, "low": low}))
        if not page:
            return
        yield page
        low = page[-1].position + 1
