"""The tables of order-service: versions, queues, and refunds that are wanted once."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import text
from tests.support.order_shop import a_shop, codes, of, on_virtual_time

from kessai.contracts.moves import Method
from kessai.kernel.db import Db, open_database
from kessai.kernel.errors import VersionConflict
from kessai.kernel.migrations import migrate
from kessai.order.domain.order import Closing, Decision, Order
from kessai.order.gateway.orders import SqlOrders

ORDERS = SqlOrders()


def an_order(letter: str, **fields: object) -> Order:
    order = Order(
        order_id=letter * 26,
        user_id="user-bob",
        method=Method.PAYPAY,
        amount=1200,
        items="[]",
        customer_name="京野 茶子",
        customer_email="chako@example.com",
        shipping=None,
        created_at_ms=0,
        hold_until_ms=900,
    )
    return replace(order, **fields)  # type: ignore[arg-type]


async def a_database(*orders: Order) -> Db:
    db = await open_database("sqlite:")
    migrate(db, "order")
    async with db.transaction() as tx:
        for order in orders:
            await ORDERS.add(tx, order)
    return db


async def test_a_row_comes_back_as_it_was_written() -> None:
    order = an_order("a", decision=Decision.SETTLE, paid_attempt="a-1", timeline='[{"at":"x"}]')
    db = await a_database(order)
    async with db.read() as tx:
        assert await ORDERS.find(tx, order.order_id) == order
        assert await ORDERS.find(tx, "b" * 26) is None
    await db.close()


@pytest.mark.parametrize("stale", [{"version": 0}, {"view_version": 0}])
async def test_a_stale_writer_changes_nothing(stale: dict[str, int]) -> None:
    order = an_order("a")
    db = await a_database(order)
    with pytest.raises(VersionConflict):
        async with db.transaction() as tx:
            await ORDERS.save(tx, replace(order, **stale), replace(order, amount=1, version=9))  # type: ignore[arg-type]
    async with db.read() as tx:
        assert await ORDERS.find(tx, order.order_id) == order
    await db.close()


async def test_who_was_asked_about_goes_to_the_end_of_the_queue() -> None:
    db = await a_database(*(an_order(one, updated_at_ms=at) for at, one in enumerate("abc")))
    rounds = []
    for now_ms in (10, 11, 12):
        async with db.transaction() as tx:
            (first,) = await ORDERS.silent(tx, 100, 1)
            await ORDERS.asked(tx, first, now_ms)
        rounds.append(first[0])
    assert rounds == ["a", "b", "c"]
    async with db.read() as tx:
        assert await ORDERS.silent(tx, 9, 10) == []
    await db.close()


async def test_only_undecided_orders_that_nobody_closes_are_overdue() -> None:
    db = await a_database(
        an_order("a", hold_until_ms=900),
        an_order("b", hold_until_ms=800),
        an_order("c", hold_until_ms=901),
        an_order("d", decision=Decision.SETTLE),
        an_order("e", decision=Decision.FAIL),
        an_order("f", closing=Closing.CUSTOMER),
    )
    async with db.read() as tx:
        assert await ORDERS.overdue(tx, 900, 10) == ["b" * 26, "a" * 26]
        assert await ORDERS.overdue(tx, 900, 1) == ["b" * 26]
    await db.close()


@on_virtual_time
async def test_a_refund_is_wanted_once_even_when_the_inbox_has_forgotten_the_event() -> None:
    shop = await a_shop()
    order = await shop.buy()
    await shop.house.desk.cancel_order(of(order))
    await asyncio.sleep(5)
    success = shop.payment.pay(order.order_id)
    await shop.news(success)
    async with shop.db.transaction() as tx:
        await tx.run(text("delete from inbox"))

    await shop.news(success)
    ended = await shop.settled(order.order_id)

    assert codes(ended).count("REFUND_REQUESTED") == 1
    assert shop.payment.count("request_refund") == 1
    assert await shop.count("order_refund") == 1
