"""Stories of the same wish told twice."""

from __future__ import annotations

import asyncio

from tests.support.agreement import assert_agreement
from tests.support.shop import Shop, story


@story(1, 2, 3)
async def test_double_click_makes_one_order(shop: Shop) -> None:
    customer = await shop.customer()
    answers = await asyncio.gather(*(customer.purchase(key="k") for _ in range(5)))
    assert {answer.status for answer in answers} <= {200, 409}
    made = {answer.body["orderId"] for answer in answers if answer.status == 200}
    assert len(made) == 1
    assert all(a.code == "IDEMPOTENCY_IN_FLIGHT" for a in answers if a.status == 409)
    assert len(await shop.book()) == 1


@story(1)
async def test_the_same_key_gives_the_same_order_with_a_fresh_channel(shop: Shop) -> None:
    customer = await shop.customer()
    first = (await customer.purchase(key="k")).ok()
    second = (await customer.purchase(key="k")).ok()
    assert second["orderId"] == first["orderId"]
    assert second["paymentUrl"] == first["paymentUrl"]
    assert second["channelToken"] != first["channelToken"]


@story(1)
async def test_the_same_key_with_another_cart_is_a_conflict(shop: Shop) -> None:
    customer = await shop.customer()
    (await customer.purchase((shop.product, 1), key="k")).ok()
    refused = await customer.purchase((shop.product, 2), key="k")
    assert (refused.status, refused.code) == (409, "IDEMPOTENCY_CONFLICT")
    assert len(await shop.book()) == 1


@story(1)
async def test_two_customers_may_use_the_same_key(shop: Shop) -> None:
    first, second = await shop.new_customer(), await shop.new_customer()
    one, other = (await first.purchase(key="k")).ok(), (await second.purchase(key="k")).ok()
    assert one["orderId"] != other["orderId"]


@story(1)
async def test_an_identical_cart_without_a_key_is_the_same_order_for_five_seconds(
    shop: Shop,
) -> None:
    customer = await shop.customer()
    first, second = await asyncio.gather(customer.purchase(), customer.purchase())
    assert first.ok()["orderId"] == second.ok()["orderId"]
    await asyncio.sleep(6)
    third = (await customer.purchase()).ok()
    assert third["orderId"] != first.body["orderId"]


@story(1)
async def test_a_purchase_in_flight_is_told_so(shop: Shop) -> None:
    await shop.faults(api={"createCode": {"delayMs": [3000, 3000]}})
    customer = await shop.customer()
    first = asyncio.ensure_future(customer.purchase(key="k"))
    await asyncio.sleep(1)
    second = await customer.purchase(key="k")
    assert (second.status, second.code) == (409, "IDEMPOTENCY_IN_FLIGHT")
    assert int(second.headers["retry-after"]) >= 1
    done = (await first).ok()
    assert done["status"] == "WAITING_PAYMENT"
    assert (await customer.purchase(key="k")).ok()["orderId"] == done["orderId"]


@story(1)
async def test_a_key_that_is_too_long_is_refused(shop: Shop) -> None:
    customer = await shop.customer()
    refused = await customer.purchase(key="x" * 256)
    assert (refused.status, refused.code) == (422, "VALIDATION")
    bought = await customer.purchase(key="x" * 255)
    assert bought.status == 200
    customer.orders.append(bought.body["orderId"])
    await shop.wallet(bought.body["orderId"])
    await customer.until(bought.body["orderId"], "PAID")
    await assert_agreement(shop, customer)
