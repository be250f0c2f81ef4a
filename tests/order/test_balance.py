"""Paying from the wallet: the same stock, another purse."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.order_shop import STOCK, TEA, OrderShop, a_shop, codes, on_virtual_time

from kessai.contracts.events import PaymentSucceeded, payment_event_id
from kessai.contracts.moves import Method
from kessai.contracts.order import Order, RefundOrder
from kessai.kernel.errors import Refused, Unknown


async def buy(shop: OrderShop) -> Order:
    return await shop.buy(lines={TEA: 2}, method=Method.BALANCE)


def success(shop: OrderShop, order: Order) -> PaymentSucceeded:
    one = shop.payment.attempt(order.order_id)
    return PaymentSucceeded(
        event_id=payment_event_id(one.merchant_payment_id, "PaymentSucceeded"),
        occurred_at=one.requested_at,
        order_id=order.order_id,
        merchant_payment_id=one.merchant_payment_id,
        provider="Balance",
        amount=one.amount,
    )


@on_virtual_time
async def test_the_wallet_pays_at_once() -> None:
    shop = await a_shop(balance=3000)

    order = await buy(shop)
    await shop.news(success(shop, order))
    ended = await shop.settled(order.order_id)

    assert (order.status, order.payment_status, order.method) == ("PAID", "SUCCEEDED", "BALANCE")
    assert order.payment_url is None
    assert shop.account.balance == 600
    assert shop.account.holds[order.order_id].status == "CAPTURED"
    assert shop.storage.kept[f"{order.order_id}-1"].status == "CONFIRMED"
    assert (ended.status, ended.payment_last_event_id) == (
        "PAID",
        success(shop, order).event_id,
    )
    assert list((await shop.sagas()).values()) == ["SU/None"]
    assert await shop.versions(order.order_id) == [1, 2, 3]


@on_virtual_time
async def test_too_little_money_fails_the_order_and_moves_nothing() -> None:
    shop = await a_shop(balance=2399)

    order = await buy(shop)

    assert (order.status, order.reason) == ("FAILED", "PAYMENT_DECLINED")
    assert shop.account.balance == 2399
    assert shop.storage.stock == STOCK
    assert shop.payment.till(order.order_id).attempts == {}
    assert (await buy(shop)).order_id == order.order_id


@on_virtual_time
async def test_the_event_may_come_before_the_sagas_own_step() -> None:
    shop = await a_shop()
    shop.payment.meets("record_balance_payment", Unknown("PAYMENT_UNAVAILABLE"), after_effect=True)
    buying = asyncio.ensure_future(buy(shop))
    await asyncio.sleep(0.05)
    order_id = next(iter(shop.payment.tills))

    await shop.news(success(shop, await shop.order(order_id)))
    order = await buying

    assert order.status == "PAID"
    assert codes(order).count("PAID") == 1
    assert shop.account.balance == 7600


@on_virtual_time
async def test_every_lost_answer_is_asked_for_again_and_money_moves_once() -> None:
    shop = await a_shop()
    lost = Unknown("ACCOUNT_SERVICE_UNAVAILABLE")
    for operation in ("hold_balance", "capture_hold"):
        shop.account.meets(operation, lost, after_effect=True)
    shop.payment.meets("record_balance_payment", lost, after_effect=True)
    shop.storage.meets("reserve_stock", lost, after_effect=True)
    shop.storage.meets("confirm_stock", lost, after_effect=True)

    order = await buy(shop)

    assert order.status == "PAID"
    assert (shop.account.balance, shop.storage.stock[TEA]) == (7600, 3)


@on_virtual_time
async def test_a_wallet_that_never_answers_is_given_up_at_the_deadline() -> None:
    shop = await a_shop(order_deadline_s=20)
    shop.account.meets(
        "hold_balance", *[Unknown("ACCOUNT_SERVICE_UNAVAILABLE")] * 30, after_effect=True
    )
    order = await buy(shop)
    assert order.status == "PENDING"
    ended = await shop.settled(order.order_id)
    assert (ended.status, ended.reason) == ("FAILED", "PAYMENT_UNAVAILABLE")

    await asyncio.sleep(200)

    assert shop.account.balance == 10_000
    assert shop.account.holds[order.order_id].status == "RELEASED"
    assert shop.storage.stock == STOCK
    assert await shop.operators_wanted() == 0


@on_virtual_time
async def test_a_wallet_refund_credits_the_balance_once() -> None:
    shop = await a_shop()
    order = await buy(shop)
    shop.account.meets("credit_balance", Unknown("ACCOUNT_SERVICE_UNAVAILABLE"), after_effect=True)
    wish = RefundOrder(user_id=order.user_id, order_id=order.order_id, reason="気が変わった")

    asked = await shop.house.desk.refund_order(wish)
    await asyncio.sleep(2)
    await shop.news(shop.payment.complete_refund(order.order_id))
    ended = await shop.order(order.order_id)

    assert (asked.status, ended.status) == ("REFUNDING", "REFUNDED")
    assert shop.account.balance == 10_000
    assert len(shop.account.credits) == 1
    assert shop.storage.stock == STOCK


@on_virtual_time
async def test_paid_stock_that_is_gone_gives_the_wallet_its_money_back() -> None:
    shop = await a_shop()
    shop.storage.meets("confirm_stock", Refused("RESERVATION_RELEASED"))
    shop.storage.stock[TEA] = 2

    order = await buy(shop)
    await asyncio.sleep(2)

    assert (order.status, order.reason) == ("FAILED", "OUT_OF_STOCK_AFTER_PAYMENT")
    assert shop.account.balance == 10_000
    assert shop.account.holds[order.order_id].status == "CAPTURED"


@on_virtual_time
async def test_a_wallet_order_has_no_code_to_renew() -> None:
    shop = await a_shop()
    order = await buy(shop)

    assert order.actions == ("refund",)
    with pytest.raises(Refused) as refused:
        await shop.buy(lines={TEA: 2}, method=Method.BALANCE, fingerprint="other")
    assert refused.value.code == "IDEMPOTENCY_CONFLICT"
