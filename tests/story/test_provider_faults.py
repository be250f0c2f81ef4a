"""Stories of a provider that is slow, wrong, down, or whose answers get lost."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.agreement import assert_agreement
from tests.support.shop import Shop, story


@story(1)
async def test_a_slow_provider_gives_pending_after_eight_seconds_and_goes_on(shop: Shop) -> None:
    await shop.faults(api={"createCode": {"delayMs": [12000, 12000]}})
    customer = await shop.customer()
    loop = asyncio.get_running_loop()
    started = loop.time()
    answer = (await customer.purchase(key="k")).ok()
    assert 7 < loop.time() - started < 9
    assert (answer["status"], answer["paymentUrl"]) == ("PENDING", None)
    customer.orders.append(answer["orderId"])
    code = await customer.send("GET", f"/api/payments/{answer['orderId']}/qrcode")
    assert code.status == 202
    waiting = await customer.until(answer["orderId"], "WAITING_PAYMENT", within_s=30)
    assert waiting["paymentUrl"]
    await shop.wallet(answer["orderId"])
    await customer.until(answer["orderId"], "PAID")
    assert len(await shop.book()) == 1
    await assert_agreement(shop, customer)


@story(1, 2)
async def test_the_create_answer_is_lost_and_at_most_one_code_lives(shop: Shop) -> None:
    await shop.faults(api={"createCode": {"lostAnswer": 100}})
    customer = await shop.customer()
    buying = asyncio.ensure_future(customer.purchase(key="k"))
    await asyncio.sleep(5)
    await shop.faults(api={"createCode": {"lostAnswer": 0}})
    order_id = (await buying).ok()["orderId"]
    customer.orders.append(order_id)
    loop = asyncio.get_running_loop()
    end = loop.time() + 500
    while loop.time() < end:
        live = [row for row in await shop.book() if row["status"] == "CREATED" and row["url"]]
        now = shop.runtime.clock.now().isoformat()
        assert len([row for row in live if row["expiresAt"] > now[:23]]) <= 1
        order = await customer.order(order_id)
        if order["paymentUrl"]:
            break
        await asyncio.sleep(5)
    assert order["status"] == "WAITING_PAYMENT"
    await shop.wallet(order_id, attempt=2)
    await customer.until(order_id, "PAID")
    await assert_agreement(shop, customer)


@pytest.mark.parametrize("kind", ["500", "502", "503", "429", "badJson", "reset"])
def test_a_provider_hiccup_never_fails_a_payable_order(kind: str) -> None:
    @story(1)
    async def tale(shop: Shop) -> None:
        customer = await shop.customer()
        order_id = await customer.buy()
        await shop.faults(
            webhooks={"drop": 100}, api={"getCodePayment": {"error": 100, "kinds": [kind]}}
        )
        await shop.wallet(order_id)
        await asyncio.sleep(60)
        order = await customer.order(order_id)
        assert order["status"] == "WAITING_PAYMENT"
        await shop.faults(api={"getCodePayment": {"error": 0}})
        await customer.until(order_id, "PAID", within_s=60)
        await assert_agreement(shop, customer)

    tale(1)


@pytest.mark.parametrize("kind", ["500", "503", "429", "badJson"])
def test_a_create_that_fails_is_asked_again_and_never_guessed(kind: str) -> None:
    @story(1)
    async def tale(shop: Shop) -> None:
        await shop.faults(api={"createCode": {"error": 100, "kinds": [kind]}})
        customer = await shop.customer()
        buying = asyncio.ensure_future(customer.purchase(key="k"))
        await asyncio.sleep(4)
        await shop.faults(api={"createCode": {"error": 0}})
        order_id = (await buying).ok()["orderId"]
        customer.orders.append(order_id)
        await customer.until(order_id, "WAITING_PAYMENT", within_s=30)
        await shop.wallet(order_id)
        await customer.until(order_id, "PAID")
        await assert_agreement(shop, customer)

    tale(1)


@story(1)
async def test_the_provider_is_gone_and_the_stock_is_given_back(shop: Shop) -> None:
    shop.http.unroute("http://127.0.0.1:8090")
    customer = await shop.customer()
    refused = await customer.purchase(key="k")
    assert (refused.status, refused.code) == (503, "PAYMENT_UNAVAILABLE")
    assert int(refused.headers["retry-after"]) >= 1
    order = await customer.order(refused.body["orderId"])
    assert (order["status"], order["reason"]) == ("FAILED", "PAYMENT_UNAVAILABLE")
    assert await shop.stock(shop.product) == shop.opening_stock[shop.product]
    again = await customer.purchase(key="k")
    assert (again.status, again.body["orderId"]) == (503, refused.body["orderId"])


@story(1)
async def test_the_provider_tells_old_news_after_the_payment(shop: Shop) -> None:
    await shop.faults(webhooks={"drop": 100}, api={"getCodePayment": {"staleMs": 8000}})
    customer = await shop.customer()
    order_id = await customer.buy()
    await shop.wallet(order_id)
    await customer.until(order_id, "PAID", within_s=60)
    await assert_agreement(shop, customer)


@story(1)
async def test_half_of_all_calls_fail_and_everything_still_agrees(shop: Shop) -> None:
    kinds = ["500", "502", "503", "429", "badJson", "reset"]
    customers = [await shop.new_customer() for _ in range(6)]
    await shop.faults(
        webhooks={"drop": 50, "duplicate": 30},
        api={"*": {"error": 50, "kinds": kinds, "delayMs": [0, 500]}},
    )
    answers = await asyncio.gather(*(c.purchase(key="k") for c in customers))
    for customer, answer in zip(customers, answers, strict=True):
        assert answer.status in (200, 503), answer.body
        customer.orders.append(answer.body["orderId"])
    await asyncio.sleep(30)
    for number, customer in enumerate(customers):
        if number % 2:
            await shop.wallet(customer.orders[0])
    await asyncio.sleep(120)
    await shop.faults(webhooks={"drop": 0}, api={"*": {"error": 0, "delayMs": [0, 0]}})
    await asyncio.sleep(1300)
    await assert_agreement(shop, *customers)


@story(1, 2)
async def test_what_is_paid_after_our_own_cancel_does_not_settle_the_order(shop: Shop) -> None:
    """The lost code was cancelled, so the money comes and goes back by itself (paypay.md, 4.4)."""
    await shop.faults(
        api={"createCode": {"lostAnswer": 100}}, behaviour={"cancelDelayMs": 5000}, codeLifetimeS=60
    )
    customer = await shop.customer()
    buying = asyncio.ensure_future(customer.purchase(key="k"))
    await asyncio.sleep(5)
    await shop.faults(api=None)
    order_id = (await buying).ok()["orderId"]
    customer.orders.append(order_id)
    await asyncio.sleep(5)
    assert (await shop.wallet(order_id)).status == 200
    for _ in range(20):
        await asyncio.sleep(1)
        assert (await customer.order(order_id))["status"] in ("PENDING", "WAITING_PAYMENT")
    assert (await shop.entry(order_id))["status"] == "FAILED"
    await customer.until(order_id, "WAITING_PAYMENT", within_s=360)
    await shop.wallet(order_id, attempt=2)
    await customer.until(order_id, "PAID")
    await assert_agreement(shop, customer)
