"""The end of an unpaid order: asked for, or by its deadline; and a new code before that."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.order_shop import BOB, CUP, STOCK, TEA, a_shop, codes, of, on_virtual_time

from kessai.contracts.order import NewPayment
from kessai.kernel.errors import Kind, Refused, Unknown


@on_virtual_time
async def test_a_cancelled_order_closes_its_code_before_the_stock_goes() -> None:
    shop = await a_shop()
    order = await shop.buy(lines={TEA: 2})

    asked = await shop.house.desk.cancel_order(of(order))
    assert (asked.status, asked.actions) == ("WAITING_PAYMENT", ("check",))
    again = await shop.house.desk.cancel_order(of(order))
    ended = await shop.settled(order.order_id)

    assert again.view_version == asked.view_version
    assert (ended.status, ended.reason, ended.actions) == ("FAILED", "CANCELLED", ())
    assert codes(ended)[-3:] == ["CANCEL_REQUESTED", "STOCK_RELEASED", "FAILED"]
    assert shop.payment.live_codes(order.order_id) == 0
    assert shop.storage.stock == STOCK
    assert (await shop.house.desk.cancel_order(of(order))).status == "FAILED"
    assert shop.payment.count("close_payments") == 1


@on_virtual_time
async def test_the_stock_stays_while_the_provider_is_silent_about_the_close() -> None:
    shop = await a_shop()
    order = await shop.buy()
    shop.payment.meets("close_payments", *[Unknown("PAYMENT_UNAVAILABLE")] * 4)

    await shop.house.desk.cancel_order(of(order))
    await asyncio.sleep(0.3)
    assert shop.storage.stock == {TEA: 4, CUP: 3}
    assert (await shop.order(order.order_id)).status == "WAITING_PAYMENT"

    assert (await shop.settled(order.order_id)).reason == "CANCELLED"
    assert shop.storage.stock == STOCK


@on_virtual_time
async def test_a_cancel_that_finds_the_money_leaves_the_order_to_be_paid() -> None:
    shop = await a_shop()
    order = await shop.buy()
    success = shop.payment.pay(order.order_id)

    await shop.house.desk.cancel_order(of(order))
    await asyncio.sleep(1)
    assert (await shop.order(order.order_id)).status == "WAITING_PAYMENT"
    await shop.news(success)
    ended = await shop.settled(order.order_id)

    assert (ended.status, ended.refund) == ("PAID", None)
    assert shop.storage.kept[f"{order.order_id}-1"].status == "CONFIRMED"


@on_virtual_time
async def test_the_deadline_fails_an_order_with_its_last_attempts_reason() -> None:
    shop = await a_shop()
    expired = await shop.buy(key="expired")
    await shop.news(shop.payment.expire(expired.order_id))
    declined = await shop.buy(key="declined")
    await shop.news(shop.payment.decline(declined.order_id))
    await asyncio.sleep(899)
    assert (await shop.order(expired.order_id)).status == "WAITING_PAYMENT"
    assert shop.storage.stock == {TEA: 3, CUP: 3}

    await asyncio.sleep(5)

    ended = await shop.order(expired.order_id)
    assert (ended.status, ended.reason) == ("FAILED", "PAYMENT_EXPIRED")
    assert ended.paypay_error is not None
    assert ended.paypay_error.code == "PAYMENT_EXPIRED"
    assert (await shop.order(declined.order_id)).reason == "PAYMENT_DECLINED"
    assert shop.storage.stock == STOCK
    assert await shop.moves(expired.order_id) == [
        ">PENDING",
        "PENDING>WAITING_PAYMENT",
        "WAITING_PAYMENT>FAILED",
    ]


@on_virtual_time
async def test_a_provider_that_never_answers_fails_the_order_at_its_deadline() -> None:
    shop = await a_shop(order_deadline_s=20)
    shop.payment.meets("create_payment", *[Unknown("PAYMENT_UNAVAILABLE")] * 1000)

    order = await shop.buy()
    assert order.status == "PENDING"
    ended = await shop.settled(order.order_id)

    assert (ended.status, ended.reason) == ("FAILED", "PAYMENT_UNAVAILABLE")
    assert shop.storage.stock == STOCK
    shop.payment.troubles.clear()
    await asyncio.sleep(10)
    assert shop.payment.till(order.order_id).attempts == {}
    assert (await shop.order(order.order_id)).status == "FAILED"
    assert list((await shop.sagas()).values()) == ["SU/None", "SU/None"]


@on_virtual_time
async def test_stock_that_is_reserved_after_the_deadline_is_not_kept() -> None:
    shop = await a_shop(order_deadline_s=20)
    shop.storage.meets("reserve_stock", *[Unknown("STORAGE_SERVICE_UNAVAILABLE")] * 1000)
    order = await shop.buy()
    await asyncio.sleep(15)
    assert (await shop.order(order.order_id)).status == "FAILED"

    shop.storage.troubles.clear()
    ended = await shop.settled(order.order_id)

    assert (ended.status, ended.reason) == ("FAILED", "PAYMENT_UNAVAILABLE")
    assert shop.storage.stock == STOCK
    assert shop.payment.count("create_payment") == 0
    assert len(await shop.moves(order.order_id)) == 2


@on_virtual_time
async def test_an_ended_attempt_allows_a_new_code_on_the_same_order() -> None:
    shop = await a_shop()
    order = await shop.buy()
    ask = NewPayment(user_id=BOB, order_id=order.order_id)
    with pytest.raises(Refused) as refused:
        await shop.house.desk.new_payment(ask)
    assert (refused.value.code, shop.payment.count("create_payment")) == ("ILLEGAL_STATE", 1)
    await shop.news(shop.payment.decline(order.order_id))
    declined = await shop.order(order.order_id)
    assert (declined.status, declined.payment_status) == ("WAITING_PAYMENT", "FAILED")
    assert declined.actions == ("pay", "check", "cancel")

    renewed = await shop.house.desk.new_payment(ask)
    await shop.news(shop.payment.pay(order.order_id))
    paid = await shop.settled(order.order_id)

    assert renewed.payment_url == f"https://qr.example/{order.order_id}-2"
    assert (renewed.payment_status, renewed.paypay_error) == ("AWAITING", None)
    assert (paid.status, paid.payment_id) == ("PAID", "02234567890")


@on_virtual_time
async def test_a_code_that_would_outlast_the_deadline_is_not_made() -> None:
    shop = await a_shop()
    order = await shop.buy()
    await shop.news(shop.payment.expire(order.order_id))
    ask = NewPayment(user_id=BOB, order_id=order.order_id)
    await asyncio.sleep(600.001)

    with pytest.raises(Refused) as refused:
        await shop.house.desk.new_payment(ask)

    assert refused.value.code == "ILLEGAL_STATE"
    assert (await shop.order(order.order_id)).actions == ("check", "cancel")
    assert len(shop.payment.till(order.order_id).attempts) == 1


@on_virtual_time
async def test_a_lost_answer_to_a_new_code_is_asked_for_again_and_makes_one() -> None:
    shop = await a_shop()
    order = await shop.buy()
    await shop.news(shop.payment.expire(order.order_id))
    ask = NewPayment(user_id=BOB, order_id=order.order_id)
    shop.payment.meets("create_payment", Unknown("PAYMENT_UNAVAILABLE"), after_effect=True)

    with pytest.raises(Unknown):
        await shop.house.desk.new_payment(ask)
    renewed = await shop.house.desk.new_payment(ask)

    assert renewed.payment_url == f"https://qr.example/{order.order_id}-2"
    assert len(shop.payment.till(order.order_id).attempts) == 2


@on_virtual_time
async def test_a_failed_order_takes_no_request() -> None:
    shop = await a_shop()
    shop.payment.meets("create_payment", Refused("PAYMENT_UNAVAILABLE", kind=Kind.UNAVAILABLE))
    with pytest.raises(Refused) as refused:
        await shop.buy()
    order = await shop.order(str(refused.value.facts["orderId"]))
    desk = shop.house.desk

    with pytest.raises(Refused) as refused:
        await desk.cancel_order(of(order))
    assert refused.value.code == "ILLEGAL_STATE"
    with pytest.raises(Refused) as refused:
        await desk.new_payment(NewPayment(user_id=BOB, order_id=order.order_id))
    assert refused.value.code == "ILLEGAL_STATE"
    assert await shop.order(order.order_id) == order
