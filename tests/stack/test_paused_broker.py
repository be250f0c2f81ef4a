"""A broker that keeps its connections and says nothing: what waits for it leaves in order, once."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import func, select
from tests.support.kernel import a_database, eventually, running
from tests.support.servers import private_servers, private_url

from kessai.kernel import inbox
from kessai.kernel.bus import Record
from kessai.kernel.clock import SystemClock
from kessai.kernel.db import Db
from kessai.kernel.kafka_bus import KafkaLimits, open_kafka_bus
from kessai.kernel.kernel_tables import INBOX
from kessai.kernel.outbox import EVENT_ID_HEADER, Outbox

pytestmark = [pytest.mark.stack, pytest.mark.long, pytest.mark.network, pytest.mark.timeout(240)]

# Longer than three batches wait for their acknowledgement (`KafkaLimits.delivery_s`).
PAUSED_S = 35.0
KEYS = 5
GROUP = "t.paused"


class Books:
    """What arrived, as often as it did, and what of it counted for the first time."""

    def __init__(self, db: Db) -> None:
        self.arrived: list[tuple[str, int]] = []
        self.counted: list[tuple[str, int]] = []
        self.db = db

    async def __call__(self, record: Record) -> None:
        one = record.key, int(record.value)
        self.arrived.append(one)
        async with self.db.transaction() as tx:
            event_id = record.headers[EVENT_ID_HEADER]
            if await inbox.first_time(tx, GROUP, event_id, SystemClock().now_ms()):
                tx.after_commit(lambda: self.counted.append(one))


@asynccontextmanager
async def a_paused_broker() -> AsyncIterator[None]:
    """From now on; it goes on with the block's end."""
    pids = list(private_servers().status()["kafka"]["pids"].values())
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


async def write(db: Db, box: Outbox, topic: str, numbers: itertools.count[int]) -> None:
    """An event of each key, in a transaction of its own, as services do it."""
    number = next(numbers)
    async with db.transaction() as tx:
        for key in range(KEYS):
            event_id = f"{topic}-{key}-{number}"
            await box.add(tx, topic, f"k{key}", str(number).encode(), event_id=event_id)


async def test_nothing_is_lost_or_counts_twice_and_the_outbox_drains(tmp_path: Path) -> None:
    topic, numbers = f"t.{uuid4().hex[:8]}.paused.v1", itertools.count()
    db = await a_database(tmp_path / "outbox.db")
    books = Books(await a_database(tmp_path / "inbox.db"))
    bus = await open_kafka_bus(
        private_url("KESSAI_BUS_URL"),
        partitions=6,
        instance="a",
        topics=[topic],
        limits=KafkaLimits(replication=1),
    )
    box = Outbox(db, bus, SystemClock(), service="order-service", owner="a")
    relay = asyncio.create_task(box.relay())

    async def drained() -> bool:
        return (await box.lag()).messages == 0

    async with running(bus.consumer(GROUP + topic, [topic], books)):
        await write(db, box, topic, numbers)
        await eventually(lambda: len(books.counted) == KEYS)
        async with a_paused_broker():
            end = asyncio.get_running_loop().time() + PAUSED_S
            while asyncio.get_running_loop().time() < end:
                await write(db, box, topic, numbers)
                await asyncio.sleep(0.1)
            waiting = (await box.lag()).messages
            assert waiting >= 100 * KEYS, waiting
        # Nothing is written meanwhile: a later event could wake what is stuck.
        await eventually(drained, within_s=30)
        await write(db, box, topic, numbers)
        turns = next(numbers)
        total = turns * KEYS
        await eventually(lambda: len(set(books.arrived)) == total, within_s=30)
        await eventually(drained)

        async def idle() -> bool:
            return not any((await bus.lag(GROUP + topic)).values())

        await eventually(idle, within_s=30)
    for key in range(KEYS):
        assert [n for k, n in books.counted if k == f"k{key}"] == list(range(turns))
    async with books.db.read() as tx:
        assert (await tx.run(select(func.count()).select_from(INBOX))).scalar() == total
    # Producers that were given up are gone with all they held.
    senders = [one for one in threading.enumerate() if one.name == "kafka-producer"]
    assert len(senders) <= 1, senders
    relay.cancel()
    await asyncio.gather(relay, return_exceptions=True)
    await bus.close()
