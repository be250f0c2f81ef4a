"""Money that comes when it should not: after the end, twice, in another amount, or taken back."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.order_shop import (
    BOB,
    CUP,
    STOCK,
    TEA,
    OrderShop,
    a_shop,
    codes,
    of,
    on_virtual_time,
)

from kessai.contracts.order import NewPayment, Order
from kessai.kernel.errors import Refused, Unknown


async def a_cancelled_order(shop: OrderShop) -> Order:
    order = await shop.buy()
    await shop.house.desk.cancel_order(of(order))
    ended = await shop.settled(order.order_id)
    assert ended.reason == "CANCELLED"
    return ended


@on_virtual_time
async def test_a_success_after_the_end_is_refunded_once_of_ten_deliveries() -> None:
    shop = await a_shop()
    order = await a_cancelled_order(shop)
    success = shop.payment.pay(order.order_id)

    for _ in range(10):
        await shop.news(success)
    await asyncio.sleep(1)
    underway = await shop.order(order.order_id)
    await shop.news(shop.payment.complete_refund(order.order_id))
    ended = await shop.order(order.order_id)

    assert (ended.status, ended.reason) == ("FAILED", "CANCELLED")
    (refund,) = shop.payment.till(order.order_id).refunds.values()
    assert (refund.amount, refund.reason) == (1200, "LATE_SUCCESS")
    assert shop.payment.count("request_refund") == 1
    assert underway.refund is not None
    assert ended.refund is not None
    assert (underway.refund.status, ended.refund.status) == ("REQUESTED", "COMPLETED")
    assert codes(ended)[-3:] == ["PAYMENT_SUCCEEDED", "REFUND_REQUESTED", "REFUND_COMPLETED"]
    assert len(await shop.moves(order.order_id)) == 3
    assert shop.storage.stock == STOCK


@on_virtual_time
async def test_a_second_success_of_another_attempt_is_refunded_and_the_order_stays_paid() -> None:
    shop = await a_shop()
    order = await shop.buy()
    await shop.news(shop.payment.expire(order.order_id))
    await shop.house.desk.new_payment(NewPayment(user_id=BOB, order_id=order.order_id))
    await shop.news(shop.payment.pay(order.order_id, 2))
    await asyncio.sleep(1)

    await shop.news(shop.payment.pay(order.order_id, 1))
    await asyncio.sleep(1)
    await shop.news(shop.payment.complete_refund(order.order_id))
    ended = await shop.order(order.order_id)

    assert (ended.status, ended.payment_id) == ("PAID", "02234567890")
    (refund,) = shop.payment.till(order.order_id).refunds.values()
    assert (refund.merchant_payment_id, refund.reason) == (
        f"{order.order_id}-1",
        "DUPLICATE_PAYMENT",
    )
    assert shop.storage.stock == {TEA: 4, CUP: 3}
    assert shop.storage.restocks == {}


@on_virtual_time
async def test_another_amount_never_settles_and_is_signalled() -> None:
    shop = await a_shop()
    order = await shop.buy()

    await shop.news(shop.payment.pay(order.order_id, amount=1))
    await asyncio.sleep(1)
    ended = await shop.order(order.order_id)

    assert (ended.status, ended.refund) == ("WAITING_PAYMENT", None)
    (signal,) = await shop.signals()
    assert (signal.signal, signal.order_id) == ("AmountDiffers", order.order_id)
    assert signal.facts["expectedAmount"] == 1200
    assert signal.facts["amount"] == 1
    assert shop.storage.count("confirm_stock") == 0


@on_virtual_time
async def test_a_failure_after_paid_is_written_down_and_changes_nothing() -> None:
    shop = await a_shop()
    order = await shop.buy()
    await shop.news(shop.payment.pay(order.order_id))
    paid = await shop.settled(order.order_id)

    await shop.news(shop.payment.decline(order.order_id))
    after = await shop.settled(order.order_id)

    assert (after.status, after.payment_status, after.refund) == ("PAID", "SUCCEEDED", None)
    assert codes(after) == [*codes(paid), "FAILURE_AFTER_SUCCESS"]
    assert shop.storage.kept[f"{order.order_id}-1"].status == "CONFIRMED"
    assert len(await shop.moves(order.order_id)) == 3


@on_virtual_time
async def test_stock_that_is_gone_is_reserved_once_more_for_a_paid_order() -> None:
    shop = await a_shop()
    order = await shop.buy()
    shop.storage.meets("confirm_stock", Refused("RESERVATION_RELEASED"))

    await shop.news(shop.payment.pay(order.order_id))
    ended = await shop.settled(order.order_id)

    assert ended.status == "PAID"
    assert shop.storage.kept[f"{order.order_id}-2"].status == "CONFIRMED"


@on_virtual_time
async def test_a_paid_order_without_stock_fails_and_gets_its_money_back() -> None:
    shop = await a_shop()
    order = await shop.buy(lines={CUP: 3})
    shop.storage.meets("confirm_stock", Refused("RESERVATION_RELEASED"))
    shop.storage.meets("reserve_stock", Unknown("STORAGE_SERVICE_UNAVAILABLE"))

    await shop.news(shop.payment.pay(order.order_id))
    ended = await shop.settled(order.order_id)

    assert (ended.status, ended.reason) == ("FAILED", "OUT_OF_STOCK_AFTER_PAYMENT")
    (refund,) = shop.payment.till(order.order_id).refunds.values()
    assert (refund.amount, refund.reason) == (2400, "OUT_OF_STOCK_AFTER_PAYMENT")
    assert shop.storage.restocks == {}
    assert await shop.operators_wanted() == 0


@on_virtual_time
async def test_a_refund_that_is_refused_is_signalled_for_a_person() -> None:
    shop = await a_shop()
    order = await a_cancelled_order(shop)
    shop.payment.meets("request_refund", Refused("REFUND_EXCEEDS_CAPTURE"))

    await shop.news(shop.payment.pay(order.order_id))
    ended = await shop.settled(order.order_id)

    assert ended.refund is not None
    assert ended.refund.status == "REJECTED"
    assert [one.signal for one in await shop.signals()] == ["RefundRefused"]
    with pytest.raises(Refused):
        await shop.house.desk.cancel_order(of(order, "user-eve"))
