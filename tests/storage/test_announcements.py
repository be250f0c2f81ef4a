"""What storage tells the others: products that changed, and reservations that nobody ended."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from tests.support.storage import START_MS, StorageStory, a_row, a_storage

from kessai.storage.application.ports import Announcement
from kessai.storage.gateway.products import SqlProductBook


async def sent(story: StorageStory) -> list[dict[str, Any]]:
    rows = await story.rows("SELECT topic, message_key, value FROM outbox ORDER BY id")
    return [
        {"topic": row["topic"], "key": row["message_key"], **json.loads(row["value"])}
        for row in rows
    ]


async def test_a_change_is_told_with_the_whole_product() -> None:
    async with a_storage({7: 10}) as story:
        assert await story.announcements.announce_products() == 1
        [event] = await sent(story)
        assert (event["topic"], event["key"], event["aggregateId"]) == ("products", "7", "7")
        assert event["eventType"] == "ProductChanged"
        assert event["payload"] == {
            "productId": 7,
            "version": event["version"],
            "title": "品 7",
            "titles": {"en": None, "zh": None},
            "reading": None,
            "description": "説明",
            "category": {"id": 1, "name": "台所", "names": {"en": None, "zh": None}},
            "price": 500,
            "stock": 10,
            "status": "ACTIVE",
            "imageKey": None,
            "soldCount30d": 0,
            "createdAt": "2026-01-05T00:00:00.000Z",
        }
        assert await story.announcements.announce_products() == 0


async def test_a_hundred_sales_in_a_second_are_one_event() -> None:
    async with a_storage({1: 200, 2: 10}) as story:
        await story.announcements.announce_products()
        story.clock.ms += 400
        for n in range(100):
            await story.reserve(f"r{n}", (1, 1))
            await story.confirm(f"r{n}")
        assert await story.announcements.announce_products() == 0
        story.clock.ms += 600
        assert await story.announcements.announce_products() == 1
        last = (await sent(story))[-1]
        assert (last["payload"]["stock"], last["payload"]["soldCount30d"]) == (100, 100)
        assert last["payload"]["version"] == last["version"]


async def test_versions_rise_and_ids_are_made_of_them() -> None:
    async with a_storage({1: 200}) as story:
        for n in range(3):
            await story.reserve(f"r{n}", (1, 1))
            story.clock.ms += 1000
            assert await story.announcements.announce_products() == 1
        events = await sent(story)
        versions = [event["version"] for event in events]
        assert versions == sorted(set(versions))
        assert len({event["eventId"] for event in events}) == 3
        assert [event["payload"]["stock"] for event in events] == [199, 198, 197]


async def test_a_new_price_is_told() -> None:
    async with a_storage({1: 5}) as story:
        await story.announcements.announce_products()
        story.clock.ms += 1000
        await story.load(a_row(1, stock=5, price=700))
        await story.announcements.announce_products()
        assert [event["payload"]["price"] for event in await sent(story)] == [500, 700]


async def test_news_that_is_old_already_is_not_told() -> None:
    """On a server database another process may sell between the look and the telling."""
    async with a_storage({1: 5, 2: 5}) as story:
        products = SqlProductBook()
        seen_by_both = [1, 2]
        now = Announcement(before_ms=START_MS - 1000, now_ms=START_MS, since_day=0)
        async with story.db.transaction() as tx:
            told = await products.announce(tx, [1], now)
        assert [snapshot.product_id for snapshot in told] == [1]
        await story.reserve("r", (1, 1), (2, 1))
        late = replace(now, now_ms=START_MS + 1)
        async with story.db.transaction() as tx:
            told = await products.announce(tx, seen_by_both, late)
        # The first was told within this second; it is due again, with what was sold meanwhile.
        assert [(one.product_id, one.stock) for one in told] == [(2, 4)]
        story.clock.ms += 1000
        assert await story.announcements.announce_products() == 1
        assert [event["payload"]["stock"] for event in await sent(story)] == [4]


async def test_many_products_are_told_by_few_statements() -> None:
    async with a_storage(dict.fromkeys(range(1, 101), 1)) as story:
        assert await story.announcements.announce_products() == 100
        assert len(story.db.statements) == 4
        assert [event["key"] for event in await sent(story)] == [str(n) for n in range(1, 101)]


async def test_sales_are_counted_for_thirty_days_and_returns_are_taken_off() -> None:
    day_ms = 86_400_000
    async with a_storage({1: 100}) as story:
        for n, quantity in enumerate((5, 3)):
            await story.reserve(f"r{n}", (1, quantity))
            await story.confirm(f"r{n}")
            story.clock.ms += 15 * day_ms
        await story.restock("r1", "back")
        await story.reserve("now", (1, 2))
        await story.confirm("now")
        await story.announcements.announce_products()
        [event] = await sent(story)
        # The five of thirty days ago are out of the window, the three came back.
        assert event["payload"]["soldCount30d"] == 2


async def test_a_reservation_that_nobody_ends_is_signalled_once() -> None:
    async with a_storage({1: 10}) as story:
        order = (await story.reserve("forgotten", (1, 1))).order_id
        await story.reserve("sold", (1, 1))
        await story.confirm("sold")
        story.clock.ms = START_MS + 1_500_000
        assert await story.announcements.signal_reservations() == 0
        story.clock.ms += 1
        assert await story.announcements.signal_reservations() == 1
        assert await story.announcements.signal_reservations() == 0
        [signal] = await sent(story)
        assert (signal["topic"], signal["key"], signal["signal"]) == (
            "signals",
            order,
            "StockNotSettled",
        )
        assert signal["facts"] == {
            "reservationId": "forgotten",
            "reservedAt": "2027-01-15T08:00:00.000Z",
        }
        # It is told, not taken: storage never releases by itself.
        assert (await story.shelf(1)).reserved == 1


async def test_the_end_of_what_was_signalled_is_told_once_and_of_nothing_else() -> None:
    async with a_storage({1: 10}) as story:
        order = (await story.reserve("late", (1, 1))).order_id
        await story.reserve("forgotten", (1, 1))
        await story.reserve("in-time", (1, 1))
        await story.confirm("in-time")
        story.clock.ms = START_MS + 1_500_001
        await story.announcements.signal_reservations()
        assert await story.announcements.signal_reservations() == 0
        await story.release("late")
        assert await story.announcements.signal_reservations() == 1
        assert await story.announcements.signal_reservations() == 0
        (end,) = [one for one in await sent(story) if one["signal"] == "StockSettled"]
        assert (end["key"], end["facts"]["reservationId"]) == (order, "late")
