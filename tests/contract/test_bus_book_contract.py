"""What verify reads of a bus is what was published and handled: `LocalBus` in a file, and Kafka."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
from tests.contract.test_bus_contract import Cluster, idle, kafka_cluster, local_cluster
from tests.support.kernel import Seen, a_message, eventually, running
from tests.support.servers import server_url

from kessai.kernel.bus import DEAD_LETTERS, Message
from kessai.kernel.kafka_bus import KafkaLimits, LogReader, cluster_of
from kessai.kernel.local_bus import LocalBus
from kessai.proof.invariants.bus_book import BusBook, HeadRow, LocalBusBook, RecordRow
from kessai.proof.kafka_book import KafkaBusBook


@dataclass
class Shelf:
    cluster: Cluster
    book: BusBook


@pytest.fixture(params=["file", pytest.param("kafka", marks=pytest.mark.stack)])
async def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Shelf]:
    if request.param == "kafka":
        url = server_url("KESSAI_BUS_URL")
        cluster = kafka_cluster(url)
        names = [cluster.topic, cluster.topic + DEAD_LETTERS]
        book: BusBook = KafkaBusBook(LogReader(cluster_of(url), names, KafkaLimits()))
    else:
        cluster = local_cluster(tmp_path / "bus.db")
        book = LocalBusBook(cast(LocalBus, await cluster.bus()).db)
    yield Shelf(cluster, book)
    await cluster.close()


async def read(book: BusBook, heads: list[HeadRow]) -> list[RecordRow]:
    return [
        record
        for head in heads
        async for page in book.pages(head, head.first_position)
        for record in page
    ]


async def test_every_record_is_read_where_it_is_and_as_it_was(shelf: Shelf) -> None:
    bus, topic = await shelf.cluster.bus(), shelf.cluster.topic
    sent = [a_message(topic, key=f"k{n}", value=f"v{n}") for n in range(40)]
    sent.append(Message(topic, "k0", "札".encode(), {"event_id": "e-1", "why": '"札"'}))
    await bus.publish(sent)
    heads = [head for head in await shelf.book.heads() if head.topic == topic]
    records = await read(shelf.book, heads)
    assert sum(head.next_position - head.first_position for head in heads) == len(sent)
    assert sorted((one.message_key, one.value) for one in records) == sorted(
        (one.key, one.value) for one in sent
    )
    (last,) = (one for one in records if one.value == "札".encode())
    assert json.loads(last.headers) == {"event_id": "e-1", "why": '"札"'}
    # Only what is asked for.
    head = next(one for one in heads if one.partition == last.partition)
    later = [one async for page in shelf.book.pages(head, last.position) for one in page]
    assert later == [last]


async def test_a_claim_is_what_its_group_has_handled(shelf: Shelf) -> None:
    bus, topic, group = await shelf.cluster.bus(), shelf.cluster.topic, shelf.cluster.group
    await bus.publish([a_message(topic, key=f"k{n}") for n in range(9)])
    seen = Seen()
    async with running(bus.consumer(group, [topic], seen)):
        await eventually(lambda: len(seen.records) == 9)
        await idle(bus, group)
    await bus.publish([a_message(topic, "k0")])
    heads, claims = await shelf.book.bounds()
    ends = {one.partition: one.next_position for one in heads if one.topic == topic}
    ours = [one for one in claims if (one.consumer_group, one.topic) == (group, topic)]
    assert sum(one.position for one in ours) == 9
    assert all(one.position <= ends[one.partition] for one in ours)


async def test_a_partition_without_a_record_has_no_page(shelf: Shelf) -> None:
    bus, topic = await shelf.cluster.bus(), shelf.cluster.topic
    await bus.publish([a_message(topic, "k")])
    heads = [one for one in await shelf.book.heads() if one.topic == topic]
    empty = [one for one in heads if one.next_position == 0]
    assert await read(shelf.book, empty) == []
