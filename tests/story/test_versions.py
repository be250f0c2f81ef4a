"""Stories in which one service is a version behind the others: docs/operations/upgrades.md."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from tests.support.agreement import assert_agreement
from tests.support.shop import Customer, Shop, story

from kessai.topology import SERVICES


async def buy_pay_and_refund(shop: Shop) -> None:
    customer = await shop.customer()
    order_id = await customer.buy((shop.product, 1), (shop.other_product, 2))
    async with customer.watching(order_id) as socket:
        first = await socket.receive(within_s=1)
        await shop.wallet(order_id)
        rest = await socket.until("SUCCESS", within_s=2)
    assert (first["orderStatus"], rest[-1]["orderStatus"]) == ("WAITING_PAYMENT", "PAID")
    (await customer.act(order_id, "refund", {"reason": "CHANGED_MIND"})).ok()
    await customer.until(order_id, "REFUNDED", within_s=120)
    await assert_agreement(shop, customer)


async def decline_and_try_again(shop: Shop) -> None:
    customer = await shop.customer()
    order_id = await customer.buy()
    await shop.wallet(order_id, "decline")
    await asyncio.sleep(10)
    (await customer.act(order_id, "payment")).ok()
    await shop.wallet(order_id, attempt=2)
    await customer.until(order_id, "PAID")
    await assert_agreement(shop, customer)


async def cancel_and_let_expire(shop: Shop) -> None:
    customer = await shop.customer()
    cancelled, forgotten = await customer.buy(), await customer.buy()
    (await customer.act(cancelled, "cancel")).ok()
    await customer.until(cancelled, "FAILED")
    await customer.until(forgotten, "FAILED", within_s=200)
    assert await shop.stock(shop.product) == shop.opening_stock[shop.product]
    await assert_agreement(shop, customer)


async def no_webhook_and_a_wallet(shop: Shop) -> None:
    await shop.faults(webhooks={"drop": 100})
    customer: Customer = await shop.customer()
    order_id = await customer.buy()
    await shop.wallet(order_id)
    await customer.until(order_id, "PAID", within_s=120)
    refused = await customer.purchase((shop.scarce, 4), key="too-many")
    assert (refused.status, refused.code) == (409, "OUT_OF_STOCK")
    await assert_agreement(shop, customer)


TALES: dict[Callable[[Shop], Any], dict[str, int]] = {
    buy_pay_and_refund: {},
    decline_and_try_again: {},
    cancel_and_let_expire: {"order_deadline_s": 60},
    no_webhook_and_a_wallet: {},
}


@pytest.mark.story
@pytest.mark.parametrize("card", SERVICES, ids=lambda card: card.name)
@pytest.mark.parametrize("tale", TALES, ids=lambda tale: tale.__name__)
def test_a_service_one_version_behind(tale: Callable[[Shop], Any], card: Any) -> None:
    story(1, behind=card.name, **TALES[tale])(tale)(1)
