"""Builders for tests of the kernel: databases with the kernel's tables, watched buses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from kessai.kernel.bus import Consumer, Message, Record
from kessai.kernel.db import Db, open_database
from kessai.kernel.errors import DatabaseUnavailable
from kessai.kernel.kernel_tables import KERNEL


async def a_database(path: object = None, *, lock_timeout_s: float = 5.0) -> Db:
    """With all tables of the kernel, in memory or in a file."""
    url = f"sqlite:///{path}" if path else "sqlite:"
    db = await open_database(url, lock_timeout_s=lock_timeout_s)
    db.migrate(KERNEL.create_all)
    return db


def a_message(topic: str, key: str, value: str = "", **headers: str) -> Message:
    return Message(topic, key, value.encode(), headers)


async def eventually(
    holds: Callable[[], bool | Awaitable[bool]], *, within_s: float = 10.0, every_s: float = 0.01
) -> None:
    """Returns as soon as `holds()`; fails the test when it does not within the time."""
    async with asyncio.timeout(within_s):
        while True:
            answer = holds()
            if answer if isinstance(answer, bool) else await answer:
                return
            await asyncio.sleep(every_s)


@asynccontextmanager
async def running(*consumers: Consumer) -> AsyncIterator[None]:
    """The consumers' loops, joined to their groups, cancelled at the end."""
    tasks = [asyncio.create_task(consumer.run()) for consumer in consumers]
    try:
        async with asyncio.timeout(10):
            await asyncio.gather(*(consumer.ready() for consumer in consumers))
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Seen:
    """A consumer's function that remembers; `answers` are raised, first come first served."""

    def __init__(self, *answers: Exception) -> None:
        self.records: list[Record] = []
        self.answers = list(answers)

    async def __call__(self, record: Record) -> None:
        if self.answers:
            raise self.answers.pop(0)
        self.records.append(record)

    @property
    def values(self) -> list[str]:
        return [record.value.decode() for record in self.records]


class FlakyBus:
    """A `Bus` for publishing only: remembers what it took, and refuses as often as told."""

    def __init__(self) -> None:
        self.taken: list[Message] = []
        self.down = False
        self.refused = 0
        self.before_taking: Callable[[], Awaitable[None]] | None = None

    async def publish(self, messages: Sequence[Message]) -> None:
        if self.down:
            self.refused += 1
            raise DatabaseUnavailable("the bus is away")
        if self.before_taking is not None:
            await self.before_taking()
        self.taken.extend(messages)

    def consumer(self, *_: object, **__: object) -> Consumer:
        raise NotImplementedError

    async def lag(self, group: str) -> dict[str, int]:
        raise NotImplementedError

    async def redrive(self, topic: str, *, limit: int = 1000) -> int:
        raise NotImplementedError

    async def close(self) -> None:
        return None
