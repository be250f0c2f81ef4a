"""One reading of the bus: what is on it, in which order, and who has handled how much."""

from __future__ import annotations

import json
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from operator import eq
from typing import Any, Final

import msgspec

from kessai.kernel.bus import (
    CONSUMER_HEADER,
    DEAD_LETTERS,
    ERROR_HEADER,
    OFFSET_HEADER,
    PARTITION_HEADER,
    REDRIVE_GROUP,
    TOPIC_HEADER,
)
from kessai.kernel.outbox import EVENT_ID_HEADER
from kessai.proof.invariants.bus_book import BusBook, ClaimRow, HeadRow, RecordRow
from kessai.proof.invariants.told import VIEW, OutboxRow
from kessai.topology import ALERTS_TOPIC, ORDERS_TOPIC, PAYMENTS_TOPIC

_MOST_SHOWN = 100
# These change an order for good, so its inbox remembers each of them.
_APPLIED = (
    b'"PaymentSucceeded"',
    b'"PaymentFailed"',
    b'"PaymentExpired"',
    b'"RefundCompleted"',
)

Place = tuple[str, int]
Wrong = tuple[str, str, Mapping[str, Any]]


class _Versioned(msgspec.Struct, rename="camel", gc=False):
    """What makes the order of an order's events."""

    event_type: str
    version: int


class _Headers(msgspec.Struct, rename={"event_id": EVENT_ID_HEADER}, gc=False):
    event_id: str | None = None


_PARTS: Final = 64
_versioned = msgspec.json.Decoder(_Versioned).decode
_headers = msgspec.json.Decoder(_Headers).decode


class Numbers:
    """A million numbers in eight bytes each: first they come, then each is taken once.

    They lie in many parts, so that no more than one part is ever sorted, as objects, at once.
    """

    def __init__(self) -> None:
        self._parts = [array("q") for _ in range(_PARTS)]
        self._taken: list[bytearray] = []
        self._left = 0

    def update(self, numbers: Iterable[int]) -> None:
        parts = self._parts
        for number in numbers:
            parts[number % _PARTS].append(number)

    def settle(self) -> None:
        """No more will come."""
        for place, part in enumerate(self._parts):
            self._parts[place] = ordered = array("q", sorted(part))
            self._taken.append(bytearray(len(ordered)))
            self._left += len(ordered) - sum(map(eq, ordered, islice(ordered, 1, None)))

    def take(self, number: int) -> bool:
        """Whether it was there."""
        part, taken = self._parts[number % _PARTS], self._taken[number % _PARTS]
        at = bisect_left(part, number)
        if at == len(part) or part[at] != number or taken[at]:
            return False
        taken[at] = 1
        self._left -= 1
        return True

    def __len__(self) -> int:
        """How many different ones nobody took."""
        return self._left


@dataclass(frozen=True, slots=True)
class Letter:
    name: str
    consumer: str
    error: str
    at_ms: int
    row: Mapping[str, Any]


@dataclass(slots=True)
class BusSeen:
    """`due` are the payment events that the consumer has handled, `behind` the first of each
    partition that it has not. Records older than `from_ms` are not compared with the outboxes.
    """

    consumer: str
    from_ms: int
    records: int = 0
    due: dict[str, None] = field(default_factory=dict)
    dead: list[Letter] = field(default_factory=list)
    disordered: list[Wrong] = field(default_factory=list)
    miscounted: list[Wrong] = field(default_factory=list)
    buried: dict[str, None] = field(default_factory=dict)
    _events: Numbers = field(default_factory=Numbers)
    _late: set[int] = field(default_factory=set)
    _behind: dict[Place, RecordRow] = field(default_factory=dict)
    _heads: dict[Place, HeadRow] = field(default_factory=dict)
    _first_ms: dict[str, int] = field(default_factory=dict)
    _handled: dict[Place, int] = field(default_factory=dict)
    _redriven: dict[Place, int] = field(default_factory=dict)

    @property
    def behind(self) -> Sequence[RecordRow]:
        return list(self._behind.values())

    def explain(self, message: OutboxRow | RecordRow, event_id: str) -> bool:
        """Whether the very message is on the bus; what stays unexplained was in no outbox."""
        return self._events.take(_number(message, event_id))

    def has(self, message: OutboxRow) -> bool:
        """Whether it is there and need not be in an outbox, or came since the bus was read."""
        return _number(message, message.event_id) in self._late

    def must_have(self, topic: str, created_at_ms: int) -> bool:
        """Records leave the bus when they are old."""
        return created_at_ms >= max(self.from_ms, self._first_ms.get(topic, 0))

    async def read(self, bus: BusBook) -> None:
        heads, claims = await bus.bounds()
        self._heads = {(head.topic, head.partition): head for head in heads}
        for claim in claims:
            self._take_claim(claim)
        for head in heads:
            await self._read_partition(bus, head)
        self._events.settle()

    def _take_claim(self, claim: ClaimRow) -> None:
        place = (claim.topic, claim.partition)
        head = self._heads.get(place)
        following = head.next_position if head else 0
        if claim.position > following:
            name = f"{claim.consumer_group} {claim.topic}/{claim.partition}"
            why = f"handled up to {claim.position}, there are {following}"
            self.miscounted.append((name, why, claim._asdict()))
        if claim.consumer_group == self.consumer:
            self._handled[place] = claim.position
        elif claim.consumer_group == REDRIVE_GROUP:
            self._redriven[place] = claim.position

    async def _read_partition(self, bus: BusBook, head: HeadRow) -> None:
        count = 0
        # An order's events are all in one partition. (move, view): the creation is view 1, of
        # which nobody is told; what left the bus is not missed either.
        seen: dict[str, tuple[int, int]] = {}
        nothing = (0, 1) if head.first_position == 0 else (-1, -1)
        async for page in bus.pages(head, head.first_position):
            if count == 0 and head.first_position > 0:
                before = self._first_ms.get(head.topic, 0)
                self._first_ms[head.topic] = max(before, page[0].at_ms)
            count += len(page)
            if head.topic.endswith(DEAD_LETTERS):
                for record in page:
                    self._bury(record, json.loads(record.headers))
                continue
            if head.topic == ALERTS_TOPIC:
                # Most alerts come from no outbox; the end that a person gave one does.
                self._late.update(self._events_of(page))
            else:
                self._events.update(self._events_of(page))
            if head.topic == ORDERS_TOPIC:
                self._follow(page, seen, nothing)
            elif head.topic == PAYMENTS_TOPIC:
                for record in page:
                    self._note_payment(record)
        self.records += count
        expected = head.next_position - head.first_position
        is_whole = count == expected if bus.is_dense else count <= expected
        if not is_whole and not await self._was_trimmed(bus, head):
            name = f"{head.topic}/{head.partition}"
            why = f"{expected} records were appended, {count} are there"
            self.miscounted.append((name, why, head._asdict()))

    async def _was_trimmed(self, bus: BusBook, head: HeadRow) -> bool:
        """Old records may leave while we read."""
        return any(
            (one.topic, one.partition) == (head.topic, head.partition)
            and one.first_position > head.first_position
            for one in await bus.heads()
        )

    def _events_of(self, page: Sequence[RecordRow]) -> Iterator[int]:
        return (
            _number(record, event_id)
            for record in page
            if (event_id := event_id_of(record.headers)) is not None
            and record.at_ms >= self.from_ms
        )

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
        self,
        page: Sequence[RecordRow],
        seen: dict[str, tuple[int, int]],
        nothing: tuple[int, int],
    ) -> None:
        """A crash may send a row again; what is new comes in the order of its versions."""
        for record in page:
            try:
                event = _versioned(record.value)
            except (ValueError, TypeError):
                # That nobody wrote it there is what its outbox says.
                continue
            version, is_view = event.version, event.event_type == VIEW
            move, view = seen.get(record.message_key, nothing)
            last = view if is_view else move
            if version <= last:
                continue
            seen[record.message_key] = (move, version) if is_view else (version, view)
            if version > last + 1 and last >= 0 and len(self.disordered) < _MOST_SHOWN:
                kind = "view" if is_view else "move"
                why = f"{kind} {version} comes after {last}"
                self.disordered.append((record.message_key, why, record.shown()))

    def _note_payment(self, record: RecordRow) -> None:
        place = (record.topic, record.partition)
        if record.position >= self._handled.get(place, 0):
            self._behind.setdefault(place, record)
        elif _is_applied(record.value):
            event_id = event_id_of(record.headers)
            if event_id is not None:
                self.due[event_id] = None

    async def catch_up(self, bus: BusBook) -> None:
        """Reads what was appended since; for `has`."""
        for head in await bus.heads():
            before = self._heads.get((head.topic, head.partition))
            low = before.next_position if before else head.first_position
            async for page in bus.pages(head, low):
                for record in page:
                    event_id = event_id_of(record.headers)
                    if event_id is not None:
                        self._late.add(_number(record, event_id))

    async def unexplained(self, bus: BusBook) -> list[RecordRow]:
        """Records of the first reading that no outbox had; a few of them."""
        found: list[RecordRow] = []
        if not self._events:
            return found
        for head in self._heads.values():
            if head.topic.endswith(DEAD_LETTERS):
                continue
            async for page in bus.pages(head, head.first_position):
                for record in page:
                    if self.explain(record, event_id_of(record.headers) or ""):
                        found.append(record)
                if len(found) >= _MOST_SHOWN:
                    return found
        return found


def _number(message: OutboxRow | RecordRow, event_id: str) -> int:
    """Eight bytes for an event and all that it says."""
    return hash((event_id, message.topic, message.message_key, message.value))


def event_id_of(headers: str) -> str | None:
    """None where there is none, or headers that nobody can read."""
    try:
        return _headers(headers).event_id
    except (ValueError, TypeError):
        return None


def _is_applied(value: bytes) -> bool:
    return any(kind in value for kind in _APPLIED)


async def read_bus(bus: BusBook, consumer: str, from_ms: int) -> BusSeen:
    seen = BusSeen(consumer, from_ms)
    await seen.read(bus)
    return seen
