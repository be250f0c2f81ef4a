"""`kessai dead-letters`: what no consumer could handle is shown, and given back once."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from tests.support.kernel import eventually, running
from typer.testing import CliRunner, Result

from kessai.cli import app
from kessai.kernel.bus import Message, Record, partition_of
from kessai.kernel.clock import SystemClock
from kessai.kernel.local_bus import LocalBus, open_local_bus
from kessai.topology import ORDERS_TOPIC, PARTITIONS, PAYMENTS_TOPIC

ORDER = f"{1:026d}"


async def opened(folder: Path) -> LocalBus:
    return await open_local_bus(
        str(folder / "bus.db"), SystemClock(), partitions=PARTITIONS, instance="test"
    )


async def refuse(record: Record) -> None:
    raise ValueError(f"no {record.key}")


async def idle(bus: LocalBus, group: str) -> bool:
    return not sum((await bus.lag(group)).values())


async def bury(folder: Path, *messages: Message) -> None:
    """Records that a consumer tries as often as it must, and gives up."""
    bus = await opened(folder)
    async with running(bus.consumer("tester", sorted({one.topic for one in messages}), refuse)):
        await bus.publish(messages)
        await eventually(lambda: idle(bus, "tester"), within_s=30)
    await bus.close()


async def records(folder: Path, topic: str) -> list[bytes]:
    """All that was ever published to the topic."""
    bus, found = await opened(folder), list[bytes]()

    async def take(record: Record) -> None:
        found.append(record.value)

    async with running(bus.consumer("reader", [topic], take)):
        await eventually(lambda: idle(bus, "reader"))
    await bus.close()
    return found


def run(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["dead-letters", *words], env={"KESSAI_DATA_DIR": str(folder)})


def test_they_are_listed_with_what_failed_and_go_back_once(tmp_path: Path) -> None:
    order, payment = Message(ORDERS_TOPIC, ORDER, b"[1"), Message(PAYMENTS_TOPIC, ORDER, b"{}")
    asyncio.run(bury(tmp_path, order, payment))
    listed = run(tmp_path, "list")
    assert listed.exit_code == 1
    assert "dead letters: 2" in listed.stdout
    told = json.loads(run(tmp_path, "list", "--json", "--topic", ORDERS_TOPIC).stdout)
    place = str(partition_of(ORDER, PARTITIONS))
    assert [{**one, "at": ""} for one in told] == [
        {
            "at": "",
            "topic": ORDERS_TOPIC,
            "partition": place,
            "offset": "0",
            "consumer": "tester",
            "error": "ValueError",
            "key": ORDER,
            "value": "[1",
        }
    ]
    given = run(tmp_path, "redrive", ORDERS_TOPIC)
    assert (given.exit_code, given.stdout) == (0, f"1 went back to {ORDERS_TOPIC}, 0 are left\n")
    assert "0 went back" in run(tmp_path, "redrive", f"{ORDERS_TOPIC}.dlt").stdout
    assert asyncio.run(records(tmp_path, ORDERS_TOPIC)) == [b"[1", b"[1"]
    left = run(tmp_path, "list")
    assert (left.exit_code, "dead letters: 1" in left.stdout) == (1, True)
    assert run(tmp_path, "list", "--topic", ORDERS_TOPIC).exit_code == 0


def test_some_go_and_the_newest_are_shown(tmp_path: Path) -> None:
    asyncio.run(bury(tmp_path, *(Message(ORDERS_TOPIC, ORDER, b"%d" % n) for n in range(3))))
    newest = json.loads(run(tmp_path, "list", "--json", "--limit", "1").stdout)
    assert [one["value"] for one in newest] == ["2"]
    assert "2 went back" in run(tmp_path, "redrive", ORDERS_TOPIC, "--limit", "2").stdout
    left = json.loads(run(tmp_path, "list", "--json").stdout)
    assert [one["value"] for one in left] == ["2"]


@pytest.mark.parametrize("words", [("list", "--topic", "orders"), ("redrive", "orders")])
def test_a_topic_that_is_none_is_refused_with_those_there_are(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    result = run(tmp_path, *words)
    assert result.exit_code == 2
    assert "no topic 'orders'" in result.stderr
    assert ORDERS_TOPIC in result.stderr


@pytest.mark.parametrize("words", [("list",), ("redrive", ORDERS_TOPIC)])
def test_a_folder_without_a_bus_is_left_as_it_is(tmp_path: Path, words: tuple[str, ...]) -> None:
    result = run(tmp_path, *words)
    assert result.exit_code == 3
    assert "KESSAI_DATA_DIR" in result.stderr
    assert list(tmp_path.iterdir()) == []
