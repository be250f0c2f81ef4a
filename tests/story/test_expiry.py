"""Stories of time: codes that end, deadlines, money that comes a second late."""

from __future__ import annotations

import asyncio

from tests.support.agreement import assert_agreement
from tests.support.shop import Shop, story


@story(1)
async def test_nobody_pays_and_the_order_fails_at_its_deadline(shop: Shop) -> None:
    customer = await shop.customer()
    order_id = await customer.buy()
    await asyncio.sleep(320)
    waiting = await customer.order(order_id)
    assert (waiting["status"], waiting["paymentStatus"]) == ("WAITING_PAYMENT", "EXPIRED")
    assert await shop.stock(shop.product) == shop.opening_stock[shop.product] - 1
    failed = await customer.until(order_id, "FAILED", within_s=620)
    assert failed["reason"] == "PAYMENT_EXPIRED"
    assert failed["paypayError"] is not None
    assert failed["actions"] == []
    await assert_agreement(shop, customer)


@story(1)
async def test_a_new_code_is_made_on_the_same_order_after_expiry(shop: Shop) -> None:
    customer = await shop.customer()
    order_id = await customer.buy()
    refused = await customer.act(order_id, "payment")
    assert (refused.status, refused.code) == (409, "ILLEGAL_STATE")
    await asyncio.sleep(320)
    renewed = (await customer.act(order_id, "payment")).ok()
    assert renewed["paymentStatus"] == "AWAITING"
    await shop.wallet(order_id, attempt=2)
    await customer.until(order_id, "PAID")
    await assert_agreement(shop, customer)


@story(1)
async def test_no_code_is_made_that_would_outlast_the_deadline(shop: Shop) -> None:
    customer = await shop.customer()
    order_id = await customer.buy()
    await asyncio.sleep(700)
    refused = await customer.act(order_id, "payment")
    assert (refused.status, refused.code) == (409, "ILLEGAL_STATE")
    assert "pay" not in (await customer.order(order_id))["actions"]


@story(1, 2)
async def test_customer_pays_one_second_before_expiry(shop: Shop) -> None:
    await shop.faults(webhooks={"drop": 100})
    customer = await shop.customer()
    order_id = await customer.buy()
    await asyncio.sleep(299)
    assert (await shop.wallet(order_id)).status == 200
    await customer.until(order_id, "PAID", within_s=60)
    await assert_agreement(shop, customer)


@story(1)
async def test_customer_pays_one_second_after_expiry(shop: Shop) -> None:
    customer = await shop.customer()
    order_id = await customer.buy()
    await asyncio.sleep(301)
    assert (await shop.wallet(order_id)).status >= 400
    failed = await customer.until(order_id, "FAILED", within_s=700)
    assert failed["reason"] == "PAYMENT_EXPIRED"
    await assert_agreement(shop, customer)


@story(1, 2)
async def test_payment_in_the_last_second_of_the_order_is_kept(shop: Shop) -> None:
    customer = await shop.customer()
    order_id = await customer.buy()
    await shop.faults(webhooks={"drop": 100})
    await asyncio.sleep(310)
    await asyncio.sleep(285)
    (await customer.act(order_id, "payment")).ok()
    await asyncio.sleep(299)
    assert (await shop.wallet(order_id, attempt=2)).status == 200
    await customer.until(order_id, "PAID", within_s=60)
    await assert_agreement(shop, customer)


@story(1)
async def test_customer_declines_and_pays_with_a_new_code(shop: Shop) -> None:
    customer = await shop.customer()
    order_id = await customer.buy()
    await shop.wallet(order_id, "decline")
    await asyncio.sleep(15)
    declined = await customer.order(order_id)
    assert (declined["status"], declined["paymentStatus"]) == ("WAITING_PAYMENT", "FAILED")
    assert declined["paypayError"]["code"]
    (await customer.act(order_id, "payment")).ok()
    await shop.wallet(order_id, attempt=2)
    await customer.until(order_id, "PAID")
    await assert_agreement(shop, customer)


@story(1)
async def test_customer_declines_and_leaves(shop: Shop) -> None:
    customer = await shop.customer()
    order_id = await customer.buy()
    await shop.wallet(order_id, "decline")
    failed = await customer.until(order_id, "FAILED", within_s=1000)
    assert failed["reason"] == "PAYMENT_DECLINED"
    await assert_agreement(shop, customer)


@story(1)
async def test_customer_lets_the_code_expire_in_the_wallet(shop: Shop) -> None:
    customer = await shop.customer()
    order_id = await customer.buy()
    await shop.wallet(order_id, "expire")
    failed = await customer.until(order_id, "FAILED", within_s=1000)
    assert failed["reason"] == "PAYMENT_EXPIRED"


@story(1, order_deadline_s=400)
async def test_every_webhook_is_lost_and_every_order_is_final_in_time(shop: Shop) -> None:
    await shop.faults(webhooks={"drop": 100})
    customers = [await shop.new_customer() for _ in range(8)]
    for number, customer in enumerate(customers):
        order_id = await customer.buy()
        await asyncio.sleep(7)
        if number % 2:
            await shop.wallet(order_id)
    await asyncio.sleep(460)
    for number, customer in enumerate(customers):
        order = await customer.order(customer.orders[0])
        assert order["status"] == ("PAID" if number % 2 else "FAILED")
    await assert_agreement(shop, *customers)
