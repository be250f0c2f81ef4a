"""What order-service forgets by itself, and what stays."""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy import text
from tests.support.order_shop import OrderShop, a_shop, on_virtual_time

DAY_S = 86_400
LOGGED = text("select count(*) as sagas from sg_machine")


async def logged_sagas(shop: OrderShop) -> int:
    async with shop.db.read() as tx:
        row: Any = (await tx.run(LOGGED)).one()
    return int(row["sagas"])


@on_virtual_time
async def test_a_saga_that_ended_is_forgotten_after_its_days_and_its_order_is_not() -> None:
    shop = await a_shop(saga_keep_days=2)
    order = await shop.buy()
    await shop.news(shop.payment.pay(order.order_id))
    paid = await shop.settled(order.order_id)
    for loop in shop.loops:
        loop.cancel()
    written = await logged_sagas(shop)
    assert written > 0

    await asyncio.sleep(DAY_S)
    shop = await shop.restarted()
    shop.run()
    await asyncio.sleep(120)
    assert await logged_sagas(shop) == written
    for loop in shop.loops:
        loop.cancel()

    await asyncio.sleep(DAY_S)
    shop = await shop.restarted()
    shop.run()
    await asyncio.sleep(120)
    assert await logged_sagas(shop) == 0
    kept = await shop.order(order.order_id)
    # By then nobody may ask for a refund any more; nothing else has changed.
    assert kept.model_copy(update={"actions": paid.actions}) == paid
