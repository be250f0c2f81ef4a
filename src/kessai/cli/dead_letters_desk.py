"""Reads dead letters off the bus, whichever it is, and gives them back to their topic."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from rich import box
from rich.table import Table

from kessai.cli.errors import fail, load_settings
from kessai.cli.saga.paper import UNAVAILABLE, cell, paper, say
from kessai.kernel.adapters import open_bus
from kessai.kernel.bus import (
    CONSUMER_HEADER,
    DEAD_LETTERS,
    ERROR_HEADER,
    OFFSET_HEADER,
    PARTITION_HEADER,
    REDRIVE_GROUP,
    TOPIC_HEADER,
)
from kessai.kernel.clock import SystemClock, wire
from kessai.kernel.errors import Unknown
from kessai.kernel.settings import Settings
from kessai.proof.invariants.books import BooksUnreadable
from kessai.proof.invariants.bus_book import BusBook, RecordRow
from kessai.proof.live import live_bus
from kessai.topology import PARTITIONS, TOPICS

T = TypeVar("T")
NONE, SOME = 0, 1
_COLUMNS = ("at", "topic", "place", "consumer", "error", "key")


@dataclass(frozen=True, slots=True)
class Letter:
    """`topic`, `partition` and `offset` are where the record failed."""

    at: str
    topic: str
    partition: str
    offset: str
    consumer: str
    error: str
    key: str
    value: str


def print_letters(topic: str | None, *, limit: int, as_json: bool) -> int:
    name = topic and _known(topic)
    letters = _ask(waiting(load_settings(), name or None))
    shown = letters[-limit:]
    if as_json:
        print(json.dumps([asdict(one) for one in shown], ensure_ascii=False, indent=2))
    elif not letters:
        say("no dead letters")
    else:
        paper().print(_table(shown))
        say(f"dead letters: {len(letters)}, shown: {len(shown)}")
    return SOME if letters else NONE


def give_back(topic: str, *, limit: int) -> None:
    settings, name = load_settings(), _known(topic)
    count = _ask(_redrive(settings, name, limit))
    left = len(_ask(waiting(settings, name)))
    say(f"{count} went back to {name}, {left} are left")


async def waiting(settings: Settings, topic: str | None) -> list[Letter]:
    """Oldest first. Raises `BooksUnreadable`."""
    async with live_bus(settings) as bus:
        rows = await _rows(bus, topic)
    return [_letter(row) for row in sorted(rows, key=lambda row: row.at_ms)]


async def _rows(bus: BusBook, topic: str | None) -> list[RecordRow]:
    heads, claims = await bus.bounds()
    given_back = {
        (claim.topic, claim.partition): claim.position
        for claim in claims
        if claim.consumer_group == REDRIVE_GROUP
    }
    found: list[RecordRow] = []
    for head in heads:
        is_wanted = topic is None or head.topic == topic + DEAD_LETTERS
        if not is_wanted or not head.topic.endswith(DEAD_LETTERS):
            continue
        low = max(head.first_position, given_back.get((head.topic, head.partition), 0))
        async for page in bus.pages(head, low):
            found.extend(page)
    return found


def _letter(row: RecordRow) -> Letter:
    of = msgspec.json.decode(row.headers, type=dict[str, str])
    return Letter(
        at=wire(row.at_ms),
        topic=of.get(TOPIC_HEADER, row.topic.removesuffix(DEAD_LETTERS)),
        partition=of.get(PARTITION_HEADER, ""),
        offset=of.get(OFFSET_HEADER, ""),
        consumer=of.get(CONSUMER_HEADER, ""),
        error=of.get(ERROR_HEADER, ""),
        key=row.message_key,
        value=row.value.decode("utf-8", "replace"),
    )


async def _redrive(settings: Settings, topic: str, limit: int) -> int:
    if settings.bus_url == "local:" and not (Path(settings.data_dir) / "bus.db").exists():
        raise ValueError(f"KESSAI_DATA_DIR: there is no bus in {settings.data_dir}")
    bus = await open_bus(
        settings, SystemClock(), instance="redrive", partitions=PARTITIONS, topics=TOPICS
    )
    try:
        return await bus.redrive(topic, limit=limit)
    finally:
        await bus.close()


def _known(topic: str) -> str:
    name = topic.removesuffix(DEAD_LETTERS)
    if name not in TOPICS:
        fail(f"no topic {topic!r}; known: {', '.join(TOPICS)}")
    return name


def _ask(work: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(work)
    except (BooksUnreadable, ValueError) as error:
        fail(str(error), UNAVAILABLE)
    except Unknown as unknown:
        fail(f"KESSAI_BUS_URL: {unknown.message}", UNAVAILABLE)


def _table(letters: Sequence[Letter]) -> Table:
    table = Table(box=box.SIMPLE, header_style="bold")
    for name in _COLUMNS:
        table.add_column(name, overflow="fold")
    for one in letters:
        place = f"{one.partition}/{one.offset}"
        row = (one.at, one.topic, place, one.consumer, one.error, one.key)
        table.add_row(*(cell(text) for text in row))
    return table
