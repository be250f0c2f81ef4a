"""`kessai alerts replay` on a real Kafka: from offset 0 the same alerts come as came live."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.support.alert_orders import MANY, Crowd, crowd
from tests.support.alert_table import Table, kept, read_table
from tests.support.kafka import empty_kafka
from typer.testing import CliRunner

from kessai.alert.domain.rules import Windows
from kessai.alert.gateway.codec import FactsCodec
from kessai.alert.main import INPUTS, RULES_GROUP, TABLE_GROUP, memory
from kessai.alert.web.watch import OrderWatch
from kessai.cli import app
from kessai.kernel.bus import Bus, Message
from kessai.kernel.clock import SystemClock
from kessai.kernel.kafka_bus import KafkaLimits, cluster_of, open_kafka_bus
from kessai.kernel.settings import Settings
from kessai.kernel.streams.kafka import KafkaStream
from kessai.topology import ALERTS_TOPIC, PARTITIONS, STATE_TOPIC, TOPICS

pytestmark = [pytest.mark.stack, pytest.mark.network, pytest.mark.timeout(300)]

WINDOW_MS = 2_000


@asynccontextmanager
async def rules(url: str, folder: Path) -> AsyncIterator[None]:
    """As the service runs them."""
    settings = Settings(alert_window_s=WINDOW_MS // 1000, refund_limit_s=2 * WINDOW_MS // 1000)
    windows = Windows(WINDOW_MS, 2 * WINDOW_MS)
    stream = KafkaStream(
        cluster_of(url),
        RULES_GROUP,
        INPUTS.read,
        OrderWatch(INPUTS, FactsCodec(), windows, memory(settings)),
        changelog=STATE_TOPIC,
        partitions=PARTITIONS,
        folder=folder,
        clock=SystemClock(),
        instance="a",
        replication=1,
    )
    task = asyncio.create_task(stream.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def publish(bus: Bus, people: Crowd) -> None:
    """As far apart as they should be, or farther: what should not come in time never does."""
    clock, at_ms = SystemClock(), 0
    for event in people.events:
        await asyncio.sleep((event.after_ms - at_ms) / 1000)
        at_ms = event.after_ms
        topic = INPUTS.payments if event.topic == "payments" else INPUTS.orders
        await bus.publish([Message(topic, event.order, event.value(clock.now_ms()))])


async def live(url: str, folder: Path, people: Crowd, database: str) -> None:
    """Until the table has all alerts; the state is lost on the way."""
    bus = await open_kafka_bus(
        url, partitions=PARTITIONS, instance="a", topics=TOPICS, limits=KafkaLimits(replication=1)
    )
    state = folder / "state"
    async with kept(bus, ALERTS_TOPIC, TABLE_GROUP, database):
        publishing = asyncio.create_task(publish(bus, people))
        async with rules(url, state), asyncio.timeout(60):
            await _until(database, lambda table: bool(table.rows))
        shutil.rmtree(state)
        async with rules(url, state), asyncio.timeout(90):
            await publishing
            await _until(database, lambda table: people.expected <= table.rows.keys())
    await bus.close()


async def _until(database: str, holds: Callable[[Table], bool]) -> None:
    while True:
        if holds(await read_table(database)):
            return
        await asyncio.sleep(0.5)


def test_a_replay_from_the_beginning_raises_the_same_alerts(tmp_path: Path) -> None:
    url = empty_kafka()
    people = crowd(150, seed=5, over_ms=9_000, window_ms=WINDOW_MS, mix=MANY)
    database = f"sqlite:///{tmp_path / 'system.db'}"
    asyncio.run(live(url, tmp_path, people, database))
    env = {
        "KESSAI_DATA_DIR": str(tmp_path),
        "KESSAI_BUS_URL": url,
        "KESSAI_ALERT_WINDOW_S": str(WINDOW_MS // 1000),
        "KESSAI_REFUND_LIMIT_S": str(2 * WINDOW_MS // 1000),
    }
    done = CliRunner().invoke(app, ["alerts", "replay", "--json"], env=env)
    report = json.loads(done.stdout)
    raised = sum(1 for _, _, kind in people.expected if kind == "AlertRaised")
    assert (done.exit_code, report["agrees"], report["from_the_beginning"]) == (0, True, True)
    assert report["records"] == len(people.events)
    # On a slow machine some orders wait longer than they should, and are told, too.
    assert report["replayed"] == report["on_topic"] == report["in_table"] >= raised > 20
