"""Stories of changed minds: cancel, cancel while paying, refund, money of a dead order."""

from __future__ import annotations

import asyncio

from tests.support.agreement import assert_agreement
from tests.support.shop import Shop, story


@story(1)
async def test_customer_cancels_before_paying(shop: Shop) -> None:
    customer = await shop.customer()
    order_id = await customer.buy()
    cancelled = await customer.act(order_id, "cancel")
    assert cancelled.status == 202
    failed = await customer.until(order_id, "FAILED", within_s=30)
    assert failed["reason"] == "CANCELLED"
    assert (await shop.wallet(order_id)).status >= 400
    again = await customer.act(order_id, "cancel")
    assert (again.status, again.body["status"]) == (202, "FAILED")
    await assert_agreement(shop, customer)


@story(1)
async def test_a_paid_order_is_not_cancelled(shop: Shop) -> None:
    customer = await shop.customer()
    order_id = await customer.buy()
    await shop.wallet(order_id)
    await customer.until(order_id, "PAID")
    refused = await customer.act(order_id, "cancel")
    assert (refused.status, refused.code) == (409, "ILLEGAL_STATE")
    assert (await customer.order(order_id))["status"] == "PAID"


@story(1)
async def test_customer_cancels_after_paying_and_the_order_is_paid(shop: Shop) -> None:
    await shop.faults(webhooks={"drop": 100})
    customer = await shop.customer()
    order_id = await customer.buy()
    await shop.wallet(order_id)
    assert (await customer.act(order_id, "cancel")).status == 202
    await customer.until(order_id, "PAID", within_s=30)
    await assert_agreement(shop, customer)


@story(1, 2, 3, 4)
async def test_customer_cancels_while_paying(shop: Shop) -> None:
    customer = await shop.customer()
    order_id = await customer.buy()
    await asyncio.gather(
        customer.act(order_id, "cancel"),
        shop.wallet(order_id),
    )
    await customer.until(order_id, "PAID", "FAILED", within_s=60)
    await asyncio.sleep(400)
    await assert_agreement(shop, customer)


@story(1)
async def test_two_tabs_cancel_at_once(shop: Shop) -> None:
    customer = await shop.customer()
    order_id = await customer.buy()
    answers = await asyncio.gather(*(customer.act(order_id, "cancel") for _ in range(3)))
    assert all(answer.status in (202, 409) for answer in answers)
    await customer.until(order_id, "FAILED", within_s=30)
    await assert_agreement(shop, customer)


@story(1)
async def test_customer_is_refunded_and_the_goods_are_back(shop: Shop) -> None:
    customer = await shop.customer()
    order_id = await customer.buy((shop.product, 2))
    await shop.wallet(order_id)
    await customer.until(order_id, "PAID")
    assert (await customer.act(order_id, "refund", {"reason": "CHANGED_MIND"})).status == 202
    refunded = await customer.until(order_id, "REFUNDED", within_s=120)
    assert refunded["refund"]["amount"] == refunded["amount"]
    entry = await shop.entry(order_id)
    assert [refund["amount"] for refund in entry["refunds"]] == [refunded["amount"]]
    assert await shop.stock(shop.product) == shop.opening_stock[shop.product]


@story(1)
async def test_refund_is_pressed_ten_times_and_happens_once(shop: Shop) -> None:
    customer = await shop.customer()
    order_id = await customer.buy()
    await shop.wallet(order_id)
    await customer.until(order_id, "PAID")
    wish = {"reason": "CHANGED_MIND"}
    answers = await asyncio.gather(*(customer.act(order_id, "refund", wish) for _ in range(10)))
    assert all(answer.status in (202, 409) for answer in answers)
    await customer.until(order_id, "REFUNDED", within_s=120)
    entry = await shop.entry(order_id)
    assert len(entry["refunds"]) == 1


@story(1, customer_refund_s=60)
async def test_refund_comes_too_late(shop: Shop) -> None:
    customer = await shop.customer()
    order_id = await customer.buy()
    await shop.wallet(order_id)
    await customer.until(order_id, "PAID")
    await asyncio.sleep(61)
    refused = await customer.act(order_id, "refund", {"reason": "CHANGED_MIND"})
    assert (refused.status, refused.code) == (409, "ILLEGAL_STATE")
    assert (await customer.order(order_id))["actions"] == []


@story(1)
async def test_an_unpaid_order_is_not_refunded(shop: Shop) -> None:
    customer = await shop.customer()
    order_id = await customer.buy()
    refused = await customer.act(order_id, "refund", {"reason": "CHANGED_MIND"})
    assert (refused.status, refused.code) == (409, "ILLEGAL_STATE")


@story(1)
async def test_refund_answer_is_lost_and_the_money_goes_back_once(shop: Shop) -> None:
    customer = await shop.customer()
    order_id = await customer.buy()
    await shop.wallet(order_id)
    await customer.until(order_id, "PAID")
    await shop.faults(api={"refund": {"lostAnswer": 100}})
    await customer.act(order_id, "refund", {"reason": "CHANGED_MIND"})
    await asyncio.sleep(60)
    await shop.faults(api={"refund": {"lostAnswer": 0}})
    await customer.until(order_id, "REFUNDED", within_s=180)
    assert len((await shop.entry(order_id))["refunds"]) == 1


@story(1)
async def test_wallet_payment_and_its_refund(shop: Shop) -> None:
    customer = await shop.customer()
    before = (await customer.send("GET", "/api/account")).ok()["balance"]
    price = shop.prices[shop.product]
    assert before >= price
    order_id = (await customer.purchase(key="k", method="BALANCE")).ok()["orderId"]
    customer.orders.append(order_id)
    paid = await customer.until(order_id, "PAID", within_s=10)
    assert paid["method"] == "BALANCE"
    assert (await customer.send("GET", "/api/account")).ok()["balance"] == before - price
    await customer.act(order_id, "refund", {"reason": "CHANGED_MIND"})
    await customer.until(order_id, "REFUNDED", within_s=60)
    assert (await customer.send("GET", "/api/account")).ok()["balance"] == before
    assert await shop.stock(shop.product) == shop.opening_stock[shop.product]


@story(1)
async def test_wallet_without_enough_money_fails_and_keeps_nothing(shop: Shop) -> None:
    customer = await shop.customer()
    before = (await customer.send("GET", "/api/account")).ok()["balance"]
    dear = max(
        (key for key, count in shop.opening_stock.items() if count >= 10),
        key=lambda key: shop.prices[key],
    )
    count = before // shop.prices[dear] + 1
    answer = await customer.purchase((dear, count), key="k", method="BALANCE")
    listed = (await customer.send("GET", "/api/orders")).ok()["items"]
    assert [(row["status"], row["reason"]) for row in listed] == [("FAILED", "PAYMENT_DECLINED")]
    assert answer.status in (200, 409)
    assert (await customer.send("GET", "/api/account")).ok()["balance"] == before
    assert await shop.stock(dear) == shop.opening_stock[dear]
