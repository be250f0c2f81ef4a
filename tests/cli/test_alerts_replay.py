"""`kessai alerts replay`: the same alerts come of the same events, and differences are named."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.alert_orders import Event
from typer.testing import CliRunner

from kessai.alert.domain.rules import Windows
from kessai.alert.gateway.codec import FactsCodec
from kessai.alert.main import INPUTS, RULES_GROUP, memory
from kessai.alert.web.watch import OrderWatch
from kessai.cli import app
from kessai.cli.alerts_replay import prove
from kessai.kernel.bus import Message
from kessai.kernel.clock import SystemClock
from kessai.kernel.local_bus import open_local_bus
from kessai.kernel.settings import Settings
from kessai.kernel.streams.local import LocalStream
from kessai.topology import ALERTS_TOPIC, ORDERS_TOPIC, PARTITIONS, PAYMENTS_TOPIC

# Nothing that happened is young any more.
LATER = SystemClock(skew_s=120)
EVENTS = (
    Event(0, f"{1:026d}", "PaymentSucceeded"),
    Event(0, f"{2:026d}", "PaymentSucceeded"),
    Event(0, f"{2:026d}", "PAID"),
    Event(0, f"{3:026d}", "PaymentSucceeded", 1),
    Event(0, f"{3:026d}", "PaymentSucceeded", 2),
    Event(0, f"{3:026d}", "PAID"),
)


def settings_of(folder: Path) -> Settings:
    return Settings(data_dir=str(folder), alert_window_s=1)


def message(event: Event) -> Message:
    topic = PAYMENTS_TOPIC if event.topic == "payments" else ORDERS_TOPIC
    return Message(topic, event.order, event.value(SystemClock().now_ms()))


async def live(folder: Path, *, alerts: int, forged: Sequence[Message] = ()) -> None:
    """The events, and the rules as the service runs them, until so many alerts are told."""
    settings, clock = settings_of(folder), SystemClock()
    bus = await open_local_bus(
        str(folder / "bus.db"), clock, partitions=PARTITIONS, instance="live"
    )
    watch = OrderWatch(
        INPUTS, FactsCodec(), Windows(settings.alert_window_s * 1000), memory(settings)
    )
    state = folder / "alert"
    stream = LocalStream(bus, RULES_GROUP, INPUTS.read, watch, folder=state, clock=clock)
    await bus.publish([message(event) for event in EVENTS])
    await bus.publish(list(forged))
    task = asyncio.create_task(stream.run())
    try:
        async with asyncio.timeout(20):
            while len(await told(bus)) < alerts:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await bus.close()


async def told(bus: Any) -> list[Any]:
    found = []
    for partition in range(PARTITIONS):
        found += await bus.read((ALERTS_TOPIC, partition), 0, 100)
    return found


def test_the_same_alerts_come_of_the_same_events(tmp_path: Path) -> None:
    asyncio.run(live(tmp_path, alerts=2))
    proof = asyncio.run(prove(settings_of(tmp_path), LATER))
    assert proof.agrees
    assert (proof.records, proof.replayed, proof.on_topic) == (len(EVENTS), 2, 2)
    assert proof.from_the_beginning
    env = {"KESSAI_DATA_DIR": str(tmp_path), "KESSAI_ALERT_WINDOW_S": "1"}
    done = CliRunner().invoke(app, ["alerts", "replay"], env=env)
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (0, "the same alerts")


def test_what_the_live_rules_did_not_raise_is_missing(tmp_path: Path) -> None:
    async def unwatched() -> None:
        bus = await open_local_bus(
            str(tmp_path / "bus.db"), SystemClock(), partitions=PARTITIONS, instance="live"
        )
        await bus.publish([message(event) for event in EVENTS])
        await bus.close()

    asyncio.run(unwatched())
    proof = asyncio.run(prove(settings_of(tmp_path), LATER))
    assert sorted(one.rule for one in proof.missing) == ["A", "C"]
    assert not proof.agrees


def test_what_no_event_explains_is_unexpected_and_the_exit_code_says_so(tmp_path: Path) -> None:
    forged = {
        "eventType": "AlertRaised",
        "eventId": "e",
        "occurredAt": "2026-01-15T03:00:00.000Z",
        "alertId": "of-nothing",
        "rule": "A",
        "severity": "P2",
        "orderId": f"{9:026d}",
        "detectedAt": "2026-01-15T03:00:00.000Z",
        "facts": {},
    }
    lie = Message(ALERTS_TOPIC, f"{9:026d}", json.dumps(forged).encode())
    asyncio.run(live(tmp_path, alerts=3, forged=[lie]))
    env = {"KESSAI_DATA_DIR": str(tmp_path), "KESSAI_ALERT_WINDOW_S": "1"}
    done = CliRunner().invoke(app, ["alerts", "replay", "--json"], env=env)
    assert done.exit_code == 1
    report = json.loads(done.stdout)
    assert [one["alert_id"] for one in report["unexpected"]] == ["of-nothing"]
    assert (report["missing"], report["agrees"]) == ([], False)


def test_without_a_bus_one_line_says_so(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["alerts", "replay"], env={"KESSAI_DATA_DIR": str(tmp_path)})
    assert done.exit_code == 2
    assert "there is no bus in" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_table_that_is_not_there_is_said_and_not_made(tmp_path: Path) -> None:
    asyncio.run(live(tmp_path, alerts=2))
    before = files(tmp_path)
    env = {"KESSAI_DATA_DIR": str(tmp_path), "KESSAI_ALERT_WINDOW_S": "1"}
    done = CliRunner().invoke(app, ["alerts", "replay"], env=env)
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (0, "the same alerts")
    assert "the table of alerts is not there" in done.stderr
    assert files(tmp_path) == before


def files(folder: Path) -> set[str]:
    """Without what SQLite keeps beside a file while it is open."""
    return {one.name for one in folder.iterdir() if not one.name.endswith(("-wal", "-shm"))}
