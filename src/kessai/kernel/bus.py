"""Events as a port: what a record is, which partition it goes to, how a failed one is treated."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from kessai.kernel.errors import Fenced, Unknown
from kessai.kernel.telemetry import correlated, get_log

_log = get_log(__name__)

DEAD_LETTERS = ".dlt"
# Whoever sends dead letters back has handled them; not the group of any service.
REDRIVE_GROUP = "kessai.redrive"
TOPIC_HEADER = "dlt-topic"
PARTITION_HEADER = "dlt-partition"
OFFSET_HEADER = "dlt-offset"
CONSUMER_HEADER = "dlt-consumer"
ERROR_HEADER = "dlt-error"
# How long a value was of which the letter has the beginning only.
CUT_HEADER = "dlt-cut"
DEAD_LETTER_HEADERS = (
    TOPIC_HEADER,
    PARTITION_HEADER,
    OFFSET_HEADER,
    CONSUMER_HEADER,
    ERROR_HEADER,
    CUT_HEADER,
)
# A record may be as large as a broker takes; its letter has more headers and must fit all the same.
MOST_LETTER_BYTES = 1_040_000
_MOST_HEADER_BYTES = 64 * 1024
# Of many records in hand together so many are begun at a time: others have their turn in between.
_BREATH = 10


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be published; equal keys go to one partition and keep their order."""

    topic: str
    key: str
    value: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Record:
    """A message in the log. `at_ms` is the log's own time of appending it."""

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes
    headers: Mapping[str, str]
    at_ms: int


Handle = Callable[[Record], Awaitable[None]]


class Consumer(Protocol):
    group: str

    async def run(self) -> None:
        """A loop for the Supervisor. Raises `Fenced` when another process took the name over."""
        ...

    async def ready(self) -> None:
        """Returns once `run` has joined the group: what is published from now on is delivered."""
        ...


class Bus(Protocol):
    async def publish(self, messages: Sequence[Message]) -> None:
        """Returns when all of them are durable. Raises `Unknown`: they may be there or not."""
        ...

    def consumer(
        self,
        group: str,
        topics: Sequence[str],
        handle: Handle,
        *,
        start: Literal["earliest", "latest"] = "earliest",
        at_once: int = 1,
    ) -> Consumer:
        """At least once, in order within a partition; `start` counts for a fresh group only.

        Whoever needs no order has up to `at_once` records of a partition in hand together, and
        may write them together; none is acknowledged before all of them are handled.

        `handle` raises `Unknown`: the partition waits and asks again for ever. `Fenced`: the
        partition is given up. Anything else: bounded retries, then `<topic>.dlt`.
        """
        ...

    async def lag(self, group: str) -> Mapping[str, int]:
        """Records of each topic that the group has not committed yet."""
        ...

    async def redrive(self, topic: str, *, limit: int = 1000) -> int:
        """Publishes the dead letters of `topic` to it again, oldest first; returns how many."""
        ...

    async def close(self) -> None: ...


def partition_of(key: str, partitions: int) -> int:
    """The partition that Kafka's own default partitioner gives to the key."""
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions


def murmur2(key: bytes) -> int:
    """Kafka's murmur2 (32 bit, seed 0x9747b28c), as an unsigned number."""
    factor, mask = 0x5BD1E995, 0xFFFFFFFF
    value = 0x9747B28C ^ len(key)
    whole = len(key) & ~3
    for at in range(0, whole, 4):
        word = int.from_bytes(key[at : at + 4], "little") * factor & mask
        word = (word ^ (word >> 24)) * factor & mask
        value = (value * factor & mask) ^ word
    if whole < len(key):
        value = (value ^ int.from_bytes(key[whole:], "little")) * factor & mask
    value = (value ^ (value >> 13)) * factor & mask
    return value ^ (value >> 15)


@dataclass(frozen=True, slots=True)
class Retry:
    """`attempts` counts failures that are nobody's silence; `Unknown` is asked again for ever."""

    attempts: int = 5
    first_pause_s: float = 0.05
    max_pause_s: float = 5.0

    def pause_s(self, failures: int) -> float:
        return min(self.max_pause_s, self.first_pause_s * 2.0 ** min(failures - 1, 30))


class Delivery:
    """Gives records to a consumer's function: the same rules for every adapter of the bus."""

    def __init__(
        self,
        group: str,
        handle: Handle,
        publish: Callable[[Sequence[Message]], Awaitable[None]],
        retry: Retry,
    ) -> None:
        self._group = group
        self._handle = handle
        self._publish = publish
        self._retry = retry

    async def deliver(self, record: Record, stop: asyncio.Event) -> bool:
        """True: handled, or safe among the dead letters. False: stopped before either."""
        failures = waits = 0
        last: Exception | None = None
        while True:
            try:
                if last is not None and failures >= self._retry.attempts:
                    await self._bury(record, last)
                else:
                    await self._give(record)
            except Fenced:
                raise
            except Unknown as error:
                waits += 1
                pause_s = self._retry.pause_s(waits)
                if waits == 1:
                    self._tell("bus.partition_waits", record, code=error.code)
            except Exception as error:
                failures += 1
                last = last if failures > self._retry.attempts else error
                pause_s = self._retry.pause_s(failures) if failures != self._retry.attempts else 0
                self._tell("bus.record_failed", record, failures=failures, error=repr(error))
            else:
                if waits:
                    self._tell("bus.partition_goes_on", record, waits=waits)
                return True
            if await set_within(stop, pause_s):
                return False

    async def deliver_all(self, records: Sequence[Record], stop: asyncio.Event) -> bool:
        """All at the same time; False when any of them was stopped, and then all come again."""
        if len(records) == 1:
            return await self.deliver(records[0], stop)
        begun: list[asyncio.Task[bool]] = []
        try:
            for first in range(0, len(records), _BREATH):
                some = records[first : first + _BREATH]
                begun += [asyncio.create_task(self.deliver(record, stop)) for record in some]
                await asyncio.sleep(0)
            ended = await asyncio.gather(*begun, return_exceptions=True)
        except asyncio.CancelledError:
            for task in begun:
                task.cancel()
            # Each has a transaction to leave before whoever stopped us closes the database.
            await asyncio.gather(*begun, return_exceptions=True)
            raise
        for one in ended:
            if isinstance(one, BaseException):
                raise one
        return all(ended)

    async def _give(self, record: Record) -> None:
        correlation = record.headers.get("X-Correlation-ID", "")
        with correlated(correlation, traceparent=record.headers.get("traceparent", "")):
            await self._handle(record)

    async def _bury(self, record: Record, error: Exception) -> None:
        await self._publish([dead_letter(record, self._group, error)])
        self._tell("bus.dead_letter", record, error=type(error).__name__)

    def _tell(self, event: str, record: Record, **facts: object) -> None:
        _log.warning(
            event,
            consumer=self._group,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            **facts,
        )


def dead_letter(record: Record, consumer: str, error: Exception) -> Message:
    """The record as it was, with where it came from and why in its headers (no message text).

    Of one that no letter can hold the beginning, with its whole length.
    """
    origin = {
        TOPIC_HEADER: record.topic,
        PARTITION_HEADER: str(record.partition),
        OFFSET_HEADER: str(record.offset),
        CONSUMER_HEADER: consumer,
        ERROR_HEADER: type(error).__name__,
    }
    headers, value = {**record.headers, **origin}, record.value
    if _size(record.key, headers) + len(value) > MOST_LETTER_BYTES:
        if _size("", headers) > _MOST_HEADER_BYTES:
            headers = origin
        headers[CUT_HEADER] = str(len(value))
        value = value[: max(0, MOST_LETTER_BYTES - _size(record.key, headers))]
    return Message(record.topic + DEAD_LETTERS, record.key, value, headers)


def _size(key: str, headers: Mapping[str, str]) -> int:
    texts = (key, *headers.keys(), *headers.values())
    return sum(len(text.encode()) for text in texts)


def revived(record: Record) -> Message | None:
    """A dead letter as the message that it was before it failed; None where it is not whole."""
    if CUT_HEADER in record.headers:
        _log.warning(
            "bus.letter_is_cut",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
        )
        return None
    headers = {k: v for k, v in record.headers.items() if k not in DEAD_LETTER_HEADERS}
    topic = record.headers.get(TOPIC_HEADER, record.topic.removesuffix(DEAD_LETTERS))
    return Message(topic, record.key, record.value, headers)


async def set_within(event: asyncio.Event, limit_s: float) -> bool:
    """Waits for the event at most so long; True when it is set."""
    try:
        async with asyncio.timeout(limit_s):
            await event.wait()
    except TimeoutError:
        return event.is_set()
    return True
