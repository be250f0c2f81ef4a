"""The process dies at any place of a purchase; a new one on the same tables converges."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text
from tests.support.order_shop import (
    STOCK,
    TEA,
    Mortality,
    OrderShop,
    a_shop,
    of,
    on_virtual_time,
)

from kessai.contracts.moves import AttemptStatus, Method

# More places than any of the stories passes: the last ones run without a crash.
PLACES = 40
ORDER_IDS = text("select order_id from orders")


async def the_only_order(shop: OrderShop) -> str | None:
    async with shop.db.read() as tx:
        rows = (await tx.run(ORDER_IDS)).all()
    assert len(rows) <= 1
    return rows[0]["order_id"] if rows else None


async def revived(shop: OrderShop) -> OrderShop:
    """Whatever was written stays; whatever was not never happened."""
    new = await shop.restarted()
    new.run()
    await asyncio.sleep(30)
    return new


@pytest.mark.parametrize("place", range(1, PLACES))
def test_a_paid_purchase_is_paid_once_wherever_the_process_dies(place: int) -> None:
    @on_virtual_time
    async def story() -> None:
        life = Mortality(place)
        shop = await a_shop(life=life)
        attempt = asyncio.ensure_future(_buy_and_pay(shop))
        await asyncio.sleep(25)
        attempt.cancel()
        shop = await revived(shop)
        order_id = await the_only_order(shop)
        if order_id is None:
            assert (shop.storage.kept, shop.payment.tills) == ({}, {})
            order_id = (await shop.buy()).order_id
        assert (await shop.buy()).order_id == order_id
        if shop.payment.attempt(order_id).status is not AttemptStatus.SUCCEEDED:
            shop.payment.pay(order_id)
        ended = await shop.settled(order_id)

        assert ended.status == "PAID", life.name
        assert shop.storage.stock[TEA] == 4
        assert len(shop.payment.till(order_id).attempts) == 1
        assert await shop.moves(order_id) == [
            ">PENDING",
            "PENDING>WAITING_PAYMENT",
            "WAITING_PAYMENT>PAID",
        ]
        assert (await shop.audit(order_id)).intact
        assert await shop.operators_wanted() == 0

    story()


@pytest.mark.parametrize("place", range(1, PLACES))
def test_a_cancelled_purchase_gives_all_back_wherever_the_process_dies(place: int) -> None:
    @on_virtual_time
    async def story() -> None:
        life = Mortality(place)
        shop = await a_shop(life=life)
        attempt = asyncio.ensure_future(_buy_and_cancel(shop))
        await asyncio.sleep(10)
        attempt.cancel()
        shop = await revived(shop)
        order = await shop.buy()
        await shop.house.desk.cancel_order(of(order))
        ended = await shop.settled(order.order_id)

        assert (ended.status, ended.reason) == ("FAILED", "CANCELLED"), life.name
        assert shop.storage.stock == STOCK
        assert shop.payment.live_codes(order.order_id) == 0
        assert len(await shop.moves(order.order_id)) == 3
        assert (await shop.audit(order.order_id)).intact
        assert await shop.operators_wanted() == 0

    story()


@pytest.mark.parametrize("place", range(1, PLACES + 5))
def test_a_wallet_purchase_pays_once_wherever_the_process_dies(place: int) -> None:
    @on_virtual_time
    async def story() -> None:
        life = Mortality(place)
        shop = await a_shop(life=life)
        attempt = asyncio.ensure_future(shop.buy(method=Method.BALANCE))
        await asyncio.sleep(10)
        attempt.cancel()
        shop = await revived(shop)
        order = await shop.buy(method=Method.BALANCE)
        ended = await shop.settled(order.order_id)

        assert ended.status == "PAID", life.name
        assert (shop.account.balance, shop.storage.stock[TEA]) == (8800, 4)
        assert shop.account.holds[order.order_id].status == "CAPTURED"
        assert await shop.versions(order.order_id) == [1, 2, 3]
        assert await shop.operators_wanted() == 0

    story()


async def _buy_and_pay(shop: OrderShop) -> None:
    order = await shop.buy()
    await shop.news(shop.payment.pay(order.order_id))


async def _buy_and_cancel(shop: OrderShop) -> None:
    order = await shop.buy()
    await shop.house.desk.cancel_order(of(order))
