"""Stories of webhooks: lost, doubled, late, early, forged."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.support.agreement import assert_agreement
from tests.support.shop import Customer, Shop, story


def a_webhook(order_id: str, amount: int, **changes: Any) -> dict[str, Any]:
    """PayPay's notification of a completed payment, field for field."""
    return {
        "notification_type": "Transaction",
        "merchant_id": "kessai-merchant",
        "store_id": "",
        "pos_id": "",
        "order_id": "04639000000000000001",
        "merchant_order_id": f"{order_id}-1",
        "authorized_at": "2026-01-15T03:00:00Z",
        "expires_at": None,
        "paid_at": "2026-01-15T03:00:00Z",
        "order_amount": str(amount),
        "state": "COMPLETED",
        **changes,
    }


async def still_waits(shop: Shop, customer: Customer, order_id: str) -> None:
    await asyncio.sleep(2)
    order = await customer.order(order_id)
    assert (order["status"], order["paymentStatus"]) == ("WAITING_PAYMENT", "AWAITING")


@story(1, 2)
async def test_the_webhook_is_lost_and_polling_finds_the_payment(shop: Shop) -> None:
    await shop.faults(webhooks={"drop": 100})
    customer = await shop.customer()
    order_id = await customer.buy()
    await asyncio.sleep(5)
    await shop.wallet(order_id)
    await customer.until(order_id, "PAID", within_s=20)
    await assert_agreement(shop, customer)


@story(1)
async def test_ten_abandoned_carts_do_not_starve_the_one_that_paid(shop: Shop) -> None:
    await shop.faults(webhooks={"drop": 100})
    idle = [await shop.new_customer() for _ in range(10)]
    for customer in idle:
        await customer.buy()
    await asyncio.sleep(30)
    payer = await shop.customer()
    order_id = await payer.buy()
    await shop.wallet(order_id)
    await payer.until(order_id, "PAID", within_s=60)


@story(1, 2, 3)
async def test_webhooks_are_doubled_and_reordered(shop: Shop) -> None:
    await shop.faults(
        webhooks={"duplicate": 100, "duplicates": 4, "reorder": 100, "delayMs": [0, 3000]}
    )
    customer = await shop.customer()
    first, second = await customer.buy(key="a"), await customer.buy(key="b")
    await asyncio.gather(shop.wallet(first), shop.wallet(second))
    for order_id in (first, second):
        paid = await customer.until(order_id, "PAID")
        version = len([fact for fact in paid["timeline"] if fact["code"] == "PAID"])
        assert version == 1, paid["timeline"]
    await asyncio.sleep(10)
    await assert_agreement(shop, customer)


@story(1)
async def test_webhook_arrives_before_the_create_answer(shop: Shop) -> None:
    await shop.faults(api={"createCode": {"delayMs": [4000, 4000]}})
    customer = await shop.customer()
    buying = asyncio.ensure_future(customer.purchase(key="k"))
    await asyncio.sleep(3.9)
    page = (await customer.send("GET", "/api/orders")).ok()
    order_id = page["items"][0]["orderId"]
    customer.orders.append(order_id)
    assert (await shop.webhook(a_webhook(order_id, page["items"][0]["amount"]))).status == 200
    assert (await buying).ok()["status"] == "WAITING_PAYMENT"
    await shop.wallet(order_id)
    await customer.until(order_id, "PAID")
    await assert_agreement(shop, customer)


@story(1)
async def test_a_forged_completed_webhook_pays_nothing(shop: Shop) -> None:
    customer = await shop.customer()
    order_id = await customer.buy()
    amount = shop.prices[shop.product]
    assert (await shop.webhook(a_webhook(order_id, amount))).status == 200
    await still_waits(shop, customer, order_id)


@story(1)
async def test_a_webhook_with_another_amount_changes_nothing(shop: Shop) -> None:
    customer = await shop.customer()
    order_id = await customer.buy()
    assert (await shop.webhook(a_webhook(order_id, 1))).status == 200
    await still_waits(shop, customer, order_id)
    await shop.faults(webhooks={"wrongAmount": 100})
    await shop.wallet(order_id)
    paid = await customer.until(order_id, "PAID")
    assert paid["amount"] == shop.prices[shop.product]


@story(1)
async def test_an_unknown_order_gets_the_same_answer(shop: Shop) -> None:
    customer = await shop.customer()
    order_id = await customer.buy()
    known = await shop.webhook(a_webhook(order_id, 1))
    unknown = await shop.webhook(a_webhook("z" * 26, 1))
    assert (known.status, known.body) == (unknown.status, unknown.body) == (200, {})


@story(1)
async def test_what_is_no_notification_is_refused_or_parked(shop: Shop) -> None:
    customer = await shop.customer()
    order_id = await customer.buy()
    for raw in (b"", b"[]", b"null", b"{", b"\xff\xfe", b'"COMPLETED"'):
        assert (await shop.webhook(raw=raw)).status == 400, raw
    huge = b'{"x":"' + b"a" * 70_000 + b'"}'
    assert (await shop.webhook(raw=huge)).status == 413
    assert (await shop.webhook({"notification_type": "file.created", "path": "x"})).status == 200
    assert (await shop.webhook({"state": "COMPLETED", "merchant_order_id": 7})).status == 200
    await still_waits(shop, customer, order_id)


@story(1, paypay_webhook_sources=("203.0.113.0/24",))
async def test_a_webhook_from_outside_of_the_allow_list_is_refused(shop: Shop) -> None:
    customer = await shop.customer()
    order_id = await customer.buy()
    refused = await shop.webhook(a_webhook(order_id, 1))
    assert (refused.status, refused.code) == (403, "FORBIDDEN")
    spoofed = await shop.send(
        "POST",
        "http://127.0.0.1:8080/paypay/callback",
        a_webhook(order_id, 1),
        {"X-Forwarded-For": "203.0.113.7"},
    )
    assert spoofed.status == 403
    await still_waits(shop, customer, order_id)


@story(1)
async def test_an_old_webhook_is_replayed_a_thousand_times(shop: Shop) -> None:
    customer = await shop.customer()
    order_id = await customer.buy()
    await shop.wallet(order_id)
    paid = await customer.until(order_id, "PAID")
    for _ in range(1000):
        assert (await shop.webhook(a_webhook(order_id, paid["amount"]))).status == 200
    await asyncio.sleep(5)
    after = await customer.order(order_id)
    assert after["timeline"] == paid["timeline"]
    await assert_agreement(shop, customer)


@story(1)
async def test_both_webhook_doors_lead_to_the_same_room(shop: Shop) -> None:
    customer = await shop.customer()
    await shop.faults(webhooks={"drop": 100})
    order_id = await customer.buy()
    await shop.wallet(order_id)
    answer = await shop.send(
        "POST", "http://127.0.0.1:8080/api/paypay/webhook", a_webhook(order_id, 1)
    )
    assert (answer.status, answer.body) == (200, {})
    await customer.until(order_id, "PAID", within_s=1)
