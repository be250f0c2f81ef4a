"""The money back: by the customer, the whole of it, once; partial ones by operators add up."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.order_shop import (
    BOB,
    STOCK,
    TEA,
    OrderShop,
    a_shop,
    codes,
    on_virtual_time,
)

from kessai.contracts.order import Order, OrderById, RefundByOperator, RefundOrder
from kessai.contracts.payment import RequestRefund
from kessai.kernel.errors import Refused


async def a_paid_order(shop: OrderShop) -> Order:
    order = await shop.buy(lines={TEA: 2})
    await shop.news(shop.payment.pay(order.order_id))
    paid = await shop.settled(order.order_id, within_s=1)
    assert paid.status == "PAID"
    return paid


def a_wish(order: Order) -> RefundOrder:
    return RefundOrder(user_id=BOB, order_id=order.order_id, reason="サイズが合わない")


@on_virtual_time
async def test_a_full_refund_gives_back_money_and_goods_once() -> None:
    shop = await a_shop()
    order = await a_paid_order(shop)

    asked = await shop.house.desk.refund_order(a_wish(order))
    again = await shop.house.desk.refund_order(a_wish(order))
    await asyncio.sleep(1)
    done = shop.payment.complete_refund(order.order_id)
    for _ in range(3):
        await shop.news(done)
    ended = await shop.order(order.order_id)

    assert (asked.status, asked.actions) == ("REFUNDING", ())
    assert again.view_version == asked.view_version
    assert (ended.status, ended.actions) == ("REFUNDED", ())
    assert ended.refund is not None
    assert (ended.refund.amount, ended.refund.status, ended.refund.reason) == (
        2400,
        "COMPLETED",
        "CUSTOMER",
    )
    assert shop.storage.stock == STOCK
    assert len(shop.storage.restocks) == 1
    assert codes(ended)[-5:] == [
        "REFUND_REQUESTED",
        "REFUNDING",
        "RESTOCKED",
        "REFUND_COMPLETED",
        "REFUNDED",
    ]
    assert (await shop.moves(order.order_id))[-2:] == ["PAID>REFUNDING", "REFUNDING>REFUNDED"]
    assert await shop.versions(order.order_id) == [1, 2, 3, 4, 5]


@on_virtual_time
async def test_the_customer_may_ask_for_a_day() -> None:
    shop = await a_shop(customer_refund_s=100)
    order = await a_paid_order(shop)
    await asyncio.sleep(99)

    with pytest.raises(Refused) as refused:
        await shop.house.desk.refund_order(a_wish(order))

    assert refused.value.code == "ILLEGAL_STATE"
    assert (await shop.order(order.order_id)).actions == ()
    assert shop.payment.count("request_refund") == 0


@on_virtual_time
async def test_an_unpaid_order_has_nothing_to_give_back() -> None:
    shop = await a_shop()
    order = await shop.buy()

    with pytest.raises(Refused) as refused:
        await shop.house.desk.refund_order(a_wish(order))

    assert (refused.value.code, refused.value.facts) == (
        "ILLEGAL_STATE",
        {"status": "WAITING_PAYMENT"},
    )
    assert await shop.count("order_refund") == 0


@on_virtual_time
async def test_partial_refunds_keep_paid_until_they_reach_the_whole() -> None:
    shop = await a_shop()
    order = await a_paid_order(shop)
    statuses = []
    for amount in (1000, 1400):
        await shop.payment.request_refund(
            RequestRefund(
                refund_id=f"operator-{amount}",
                order_id=order.order_id,
                merchant_payment_id=f"{order.order_id}-1",
                amount=amount,
                reason="OPERATOR",
            )
        )
        await shop.news(shop.payment.complete_refund(order.order_id))
        statuses.append((await shop.order(order.order_id)).status)

    assert statuses == ["PAID", "REFUNDED"]
    assert await shop.versions(order.order_id) == [1, 2, 3, 4, 5]
    assert shop.storage.restocks == {}


def by_operator(
    order: Order, request_id: str, amount: int | None = None, **more: int
) -> RefundByOperator:
    return RefundByOperator(
        order_id=order.order_id,
        request_id=request_id,
        amount=amount,
        actor="hanako",
        reason="one cup was broken",
        **more,
    )


@on_virtual_time
async def test_an_operator_gives_back_a_part_and_then_the_rest() -> None:
    shop = await a_shop()
    order = await a_paid_order(shop)
    desk = shop.house.desk

    part = await desk.refund_by_operator(by_operator(order, "broken", 1000))
    await asyncio.sleep(1)
    await shop.news(shop.payment.complete_refund(order.order_id))
    between = await shop.order(order.order_id)
    rest = await desk.refund_by_operator(by_operator(order, "rest"))
    await asyncio.sleep(1)
    await shop.news(shop.payment.complete_refund(order.order_id))
    ended = await shop.order(order.order_id)

    assert (part.status, between.status, rest.status) == ("PAID", "PAID", "REFUNDING")
    assert between.refund is not None
    assert (between.refund.amount, between.refund.reason) == (1000, "OPERATOR")
    assert ended.status == "REFUNDED"
    assert ended.refund is not None
    assert ended.refund.amount == 1400
    # Only the whole brings the goods back, and it does so once.
    assert len(shop.storage.restocks) == 1
    assert shop.storage.stock == STOCK
    trail = await desk.audit_order(OrderById(order_id=order.order_id))
    told = [(one.actor, one.cause) for one in trail.entries if one.actor.startswith("operator")]
    assert ("operator:hanako", "one cup was broken") in told


@on_virtual_time
async def test_two_parts_under_way_count_before_they_are_done() -> None:
    shop = await a_shop()
    order = await a_paid_order(shop)
    desk = shop.house.desk

    await desk.refund_by_operator(by_operator(order, "one", 1000))
    with pytest.raises(Refused) as refused:
        await desk.refund_by_operator(by_operator(order, "too much", 1401))
    whole = await desk.refund_by_operator(by_operator(order, "two", 1400))
    with pytest.raises(Refused) as nothing_left:
        await desk.refund_by_operator(by_operator(order, "three"))

    assert (refused.value.code, refused.value.facts) == (
        "REFUND_EXCEEDS_CAPTURE",
        {"amount": 1401, "free": 1400},
    )
    assert whole.status == "REFUNDING"
    assert nothing_left.value.code == "REFUND_EXCEEDS_CAPTURE"
    assert await shop.count("order_refund") == 2


@on_virtual_time
async def test_the_customer_cannot_have_back_the_whole_while_a_part_is_on_its_way() -> None:
    shop = await a_shop()
    order = await a_paid_order(shop)
    desk = shop.house.desk

    part = await desk.refund_by_operator(by_operator(order, "broken", 1000))
    with pytest.raises(Refused) as refused:
        await desk.refund_order(a_wish(order))

    assert "refund" not in part.actions
    assert refused.value.code == "ILLEGAL_STATE"
    assert (await shop.order(order.order_id)).status == "PAID"
    assert await shop.count("order_refund") == 1


@on_virtual_time
async def test_news_of_another_refund_does_not_hide_the_part_that_is_on_its_way() -> None:
    shop = await a_shop()
    order = await a_paid_order(shop)
    desk = shop.house.desk

    await desk.refund_by_operator(by_operator(order, "broken", 1000))
    await asyncio.sleep(1)
    shop.payment.meets("request_refund", Refused("ILLEGAL_STATE", "not now"))
    await desk.refund_by_operator(by_operator(order, "late", 500))
    await asyncio.sleep(1)
    shown = (await shop.order(order.order_id)).refund
    with pytest.raises(Refused) as refused:
        await desk.refund_order(a_wish(order))

    assert shown is not None
    assert shown.status == "REJECTED"
    assert refused.value.code == "ILLEGAL_STATE"
    assert (await shop.order(order.order_id)).status == "PAID"


@on_virtual_time
async def test_the_same_request_is_the_same_refund() -> None:
    shop = await a_shop()
    order = await a_paid_order(shop)
    desk = shop.house.desk

    first = await desk.refund_by_operator(
        by_operator(order, "once", 1000, version=order.view_version)
    )
    again = await desk.refund_by_operator(
        by_operator(order, "once", 1000, version=order.view_version)
    )
    with pytest.raises(Refused) as refused:
        await desk.refund_by_operator(by_operator(order, "once", 900))

    assert again.view_version == first.view_version
    assert refused.value.code == "IDEMPOTENCY_CONFLICT"
    assert await shop.count("order_refund") == 1


@on_virtual_time
async def test_an_operator_who_saw_another_version_is_told_so() -> None:
    shop = await a_shop()
    order = await a_paid_order(shop)

    with pytest.raises(Refused) as refused:
        await shop.house.desk.refund_by_operator(
            by_operator(order, "late", 1000, version=order.view_version - 1)
        )

    assert refused.value.code == "VERSION_CONFLICT"
    assert await shop.count("order_refund") == 0


@on_virtual_time
async def test_an_operator_gives_back_long_after_the_customer_may_ask() -> None:
    shop = await a_shop(customer_refund_s=100)
    order = await a_paid_order(shop)
    await asyncio.sleep(1000)
    assert (
        await shop.house.desk.refund_by_operator(by_operator(order, "goodwill"))
    ).status == "REFUNDING"


@on_virtual_time
async def test_nothing_is_given_back_of_what_was_never_paid() -> None:
    shop = await a_shop()
    order = await shop.buy()

    with pytest.raises(Refused) as refused:
        await shop.house.desk.refund_by_operator(by_operator(order, "no"))

    assert (refused.value.code, refused.value.facts) == (
        "ILLEGAL_STATE",
        {"status": "WAITING_PAYMENT"},
    )
