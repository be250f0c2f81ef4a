"""Stock is reserved all or nothing; a reservation ends once, in whatever order news comes."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from sqlalchemy import text
from tests.support.gap import GapDb
from tests.support.storage import Shelf, a_storage, reserve

from kessai.contracts.moves import ReservationStatus
from kessai.kernel.errors import ConstraintViolated, IllegalMove, NotFound, Refused
from kessai.storage.application.reservations import Reservations
from kessai.storage.gateway.stock import SqlReservationBook, SqlStockBook

RESERVED, CONFIRMED, RELEASED = ReservationStatus


async def test_a_purchase_takes_stock_in_two_steps() -> None:
    async with a_storage({1: 10}) as story:
        assert (await story.reserve("r", (1, 3))).status is RESERVED
        assert await story.shelf(1) == Shelf(on_hand=10, available=7, reserved=3, sold=0)
        assert (await story.confirm("r")).status is CONFIRMED
        assert await story.shelf(1) == Shelf(on_hand=7, available=7, reserved=0, sold=3)
        assert await story.disagreements() == []


async def test_a_cancelled_order_gives_its_stock_back() -> None:
    async with a_storage({1: 10}) as story:
        await story.reserve("r", (1, 3))
        assert (await story.release("r")).status is RELEASED
        assert await story.shelf(1) == Shelf(on_hand=10, available=10, reserved=0, sold=0)


async def test_all_lines_or_none() -> None:
    async with a_storage({1: 10, 2: 1, 3: 0}) as story:
        with pytest.raises(Refused) as refused:
            await story.reserve("r", (3, 1), (1, 2), (2, 2))
        assert refused.value.code == "OUT_OF_STOCK"
        assert refused.value.facts == {
            "items": [
                {"productId": 2, "wanted": 2, "available": 1},
                {"productId": 3, "wanted": 1, "available": 0},
            ]
        }
        assert await story.shelf(1) == Shelf(10, 10, 0, 0)
        assert await story.shelf(2) == Shelf(1, 1, 0, 0)
        assert await story.rows("SELECT status, lines FROM reservation") == [
            {"status": "RELEASED", "lines": ""}
        ]
        assert await story.rows("SELECT * FROM stock_ledger WHERE kind <> 'IMPORT'") == []


async def test_an_unknown_product_counts_as_none() -> None:
    async with a_storage({1: 10}) as story:
        with pytest.raises(Refused) as refused:
            await story.reserve("r", (1, 1), (99, 1))
        assert refused.value.facts == {"items": [{"productId": 99, "wanted": 1, "available": 0}]}
        assert await story.shelf(1) == Shelf(10, 10, 0, 0)


async def test_a_refused_reservation_stays_refused_when_goods_came() -> None:
    """Its order has failed by then, and nobody would ever end what a late repeat had reserved."""
    async with a_storage({1: 1}) as story:
        with pytest.raises(Refused):
            await story.reserve("r", (1, 2))
        await story.load("1,品 1,説明,500,ACTIVE,2026-01-05T00:00:00Z,,台所,5")
        with pytest.raises(Refused) as again:
            await story.reserve("r", (1, 2))
        assert (again.value.code, again.value.facts) == (
            "OUT_OF_STOCK",
            {"items": [{"productId": 1, "wanted": 2, "available": 5}]},
        )
        assert (await story.release("r")).status is RELEASED
        assert (await story.reserve("another", (1, 2))).status is RESERVED
        assert await story.shelf(1) == Shelf(5, 3, 2, 0)


async def test_two_at_once_with_one_id_get_one_answer() -> None:
    async with a_storage({1: 1}) as story:
        answers = await asyncio.gather(
            *(story.reserve("r", (1, 2)) for _ in range(5)), return_exceptions=True
        )
        assert [a.code for a in answers if isinstance(a, Refused)] == 5 * ["OUT_OF_STOCK"]
        assert len(await story.rows("SELECT * FROM reservation")) == 1


async def test_who_was_first_after_a_refusal_has_answered_for_both() -> None:
    """Between a refusal and its row the same is asked for again, and there is stock by then."""
    async with a_storage({1: 1}) as story:

        async def meanwhile() -> None:
            await story.load("1,品 1,説明,500,ACTIVE,2026-01-05T00:00:00Z,,台所,5")
            assert (await story.reserve("r", (1, 2))).status is RESERVED

        db = GapDb(story.db, meanwhile)
        desk = Reservations(db, story.clock, SqlReservationBook(), SqlStockBook())
        assert (await desk.reserve(reserve("r", (1, 2)))).status is RESERVED
        assert await story.shelf(1) == Shelf(on_hand=5, available=3, reserved=2, sold=0)


async def test_a_release_after_a_refusal_has_answered_for_both() -> None:
    async with a_storage({1: 1}) as story:
        db = GapDb(story.db, lambda: story.release("r"))
        desk = Reservations(db, story.clock, SqlReservationBook(), SqlStockBook())
        with pytest.raises(Refused) as refused:
            await desk.reserve(reserve("r", (1, 2)))
        assert refused.value.code == "RESERVATION_RELEASED"


async def test_one_product_on_two_lines_is_reserved_by_its_sum() -> None:
    async with a_storage({1: 4}) as story:
        with pytest.raises(Refused) as refused:
            await story.reserve("r", (1, 2), (1, 3))
        assert refused.value.facts == {"items": [{"productId": 1, "wanted": 5, "available": 4}]}
        await story.reserve("s", (1, 2), (1, 2))
        assert await story.shelf(1) == Shelf(4, 0, 4, 0)


async def test_every_command_may_be_repeated() -> None:
    async with a_storage({1: 10, 2: 10}) as story:
        for _ in range(3):
            assert (await story.reserve("r", (2, 1), (1, 3))).status is RESERVED
        # The same lines in another order are the same cart.
        assert (await story.reserve("r", (1, 3), (2, 1))).status is RESERVED
        for _ in range(3):
            assert (await story.confirm("r")).status is CONFIRMED
        assert (await story.reserve("r", (1, 3), (2, 1))).status is CONFIRMED
        assert await story.shelf(1) == Shelf(7, 7, 0, 3)
        await story.reserve("s", (1, 1))
        for _ in range(3):
            assert (await story.release("s")).status is RELEASED
        assert await story.shelf(1) == Shelf(7, 7, 0, 3)
        assert await story.disagreements() == []


async def test_other_lines_under_one_id_are_refused() -> None:
    async with a_storage({1: 10}) as story:
        await story.reserve("r", (1, 3))
        with pytest.raises(Refused) as refused:
            await story.reserve("r", (1, 4))
        assert refused.value.code == "IDEMPOTENCY_CONFLICT"
        assert await story.shelf(1) == Shelf(10, 7, 3, 0)


async def test_release_without_reserve_changes_nothing_and_is_remembered() -> None:
    async with a_storage({1: 10}) as story:
        for _ in range(2):
            assert (await story.release("r")).status is RELEASED
        with pytest.raises(Refused) as refused:
            await story.reserve("r", (1, 3))
        assert refused.value.code == "RESERVATION_RELEASED"
        assert await story.shelf(1) == Shelf(10, 10, 0, 0)
        assert await story.rows("SELECT * FROM stock_ledger WHERE kind <> 'IMPORT'") == []


async def test_reserve_after_release_changes_nothing() -> None:
    async with a_storage({1: 10}) as story:
        await story.reserve("r", (1, 3))
        await story.release("r")
        with pytest.raises(Refused) as refused:
            await story.reserve("r", (1, 3))
        assert refused.value.code == "RESERVATION_RELEASED"
        assert await story.shelf(1) == Shelf(10, 10, 0, 0)


async def test_a_reservation_ends_one_way_only() -> None:
    async with a_storage({1: 10}) as story:
        await story.reserve("sold", (1, 3))
        await story.confirm("sold")
        with pytest.raises(IllegalMove):
            await story.release("sold")
        await story.reserve("freed", (1, 2))
        await story.release("freed")
        with pytest.raises(Refused) as refused:
            await story.confirm("freed")
        assert refused.value.code == "RESERVATION_RELEASED"
        with pytest.raises(NotFound):
            await story.confirm("never made")
        assert await story.shelf(1) == Shelf(7, 7, 0, 3)


async def test_refunded_goods_come_back_once() -> None:
    async with a_storage({1: 10}) as story:
        await story.reserve("r", (1, 3))
        with pytest.raises(IllegalMove):
            await story.restock("r", "refund-1")
        await story.confirm("r")
        for _ in range(3):
            assert (await story.restock("r", "refund-1")).status is CONFIRMED
        assert await story.shelf(1) == Shelf(10, 10, 0, 0)
        with pytest.raises(IllegalMove):
            await story.restock("r", "refund-2")
        await story.reserve("s", (1, 1))
        await story.confirm("s")
        with pytest.raises(IllegalMove):
            await story.restock("s", "refund-1")
        with pytest.raises(NotFound):
            await story.restock("never made", "refund-3")
        assert await story.shelf(1) == Shelf(9, 9, 0, 1)
        assert await story.disagreements() == []


async def test_fifty_buyers_for_seven_pieces() -> None:
    async with a_storage({1: 7}) as story:
        answers = await asyncio.gather(
            *(story.reserve(f"r{n}", (1, 1)) for n in range(50)), return_exceptions=True
        )
        refused = [a.code for a in answers if isinstance(a, Refused)]
        assert len(refused) == 43
        assert Counter(refused) == {"OUT_OF_STOCK": 43}
        assert await story.shelf(1) == Shelf(7, 0, 7, 0)
        assert len(await story.rows("SELECT * FROM reservation WHERE lines <> ''")) == 7
        assert await story.disagreements() == []


async def test_carts_that_cross_take_whole_carts() -> None:
    async with a_storage({1: 10, 2: 10}) as story:
        carts = [((1, 1), (2, 2)) if n % 2 else ((2, 2), (1, 1)) for n in range(20)]
        answers = await asyncio.gather(
            *(story.reserve(f"r{n}", *cart) for n, cart in enumerate(carts)),
            return_exceptions=True,
        )
        assert sum(isinstance(answer, Refused) for answer in answers) == 15
        assert await story.shelf(1) == Shelf(10, 5, 5, 0)
        assert await story.shelf(2) == Shelf(10, 0, 10, 0)


async def test_confirm_and_release_at_once_end_it_one_way() -> None:
    async with a_storage({1: 40}) as story:
        for n in range(20):
            await story.reserve(f"r{n}", (1, 2))
        await asyncio.gather(
            *(end(f"r{n}") for n in range(20) for end in (story.confirm, story.release)),
            return_exceptions=True,
        )
        ends = await story.rows("SELECT status FROM reservation")
        counts = Counter(row["status"] for row in ends)
        assert counts[RESERVED] == 0
        assert await story.shelf(1) == Shelf(
            on_hand=40 - 2 * counts[CONFIRMED],
            available=40 - 2 * counts[CONFIRMED],
            reserved=0,
            sold=2 * counts[CONFIRMED],
        )
        assert await story.disagreements() == []


async def test_one_command_sent_twenty_times_at_once_counts_once() -> None:
    async with a_storage({1: 10}) as story:
        await asyncio.gather(*(story.reserve("r", (1, 2)) for _ in range(20)))
        await asyncio.gather(*(story.confirm("r") for _ in range(20)))
        await asyncio.gather(*(story.restock("r", "back") for _ in range(20)))
        assert await story.shelf(1) == Shelf(10, 10, 0, 0)
        ledger = await story.rows("SELECT kind FROM stock_ledger ORDER BY id")
        assert [row["kind"] for row in ledger] == ["IMPORT", "RESERVE", "CONFIRM", "RETURN"]


async def test_the_purchase_path_is_three_statements_and_one_for_each_more_product() -> None:
    async with a_storage({1: 10, 2: 10}) as story:
        await story.reserve("r", (1, 1))
        assert story.db.statements == [
            "INSERT INTO reservation",
            "UPDATE stock SET",
            "INSERT INTO stock_ledger",
        ]
        story.db.statements.clear()
        await story.reserve("s", (1, 1), (2, 1))
        assert len(story.db.statements) == 4


@pytest.mark.parametrize("count", ["available = -1", "reserved = -1", "on_hand = 99"])
async def test_the_schema_itself_refuses_impossible_counts(count: str) -> None:
    async with a_storage({1: 10}) as story:
        with pytest.raises(ConstraintViolated):
            async with story.db.transaction() as tx:
                await tx.run(text(f"UPDATE stock SET {count} WHERE product_id = 1"))
        assert await story.shelf(1) == Shelf(10, 10, 0, 0)
