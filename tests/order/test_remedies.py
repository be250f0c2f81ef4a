"""What operators have done about an order: each remedy may be repeated, none does too much."""

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
    of,
    on_virtual_time,
)

from kessai.contracts.events import refund_again_id
from kessai.contracts.moves import AttemptStatus, RefundStatus, ReservationStatus
from kessai.contracts.order import (
    NewPayment,
    Order,
    RefundByOperator,
    Remedy,
    RemedyApplied,
    RemedyOrder,
)
from kessai.contracts.storage import ReserveStock
from kessai.kernel.errors import KessaiError, NotFound, Refused, Unknown


async def remedied(
    shop: OrderShop, order: Order, remedy: Remedy, *, own: bool = False
) -> RemedyApplied:
    command = RemedyOrder(
        order_id=order.order_id, remedy=remedy, actor="hanako@example.com", reason="asked", own=own
    )
    return await shop.house.desk.remedy_order(command)


def steps(applied: RemedyApplied) -> list[tuple[str, str, int | None]]:
    return [(one.code, one.subject, one.amount) for one in applied.steps]


def refunds(shop: OrderShop, order: Order) -> list[tuple[str, int, str]]:
    return [
        (one.merchant_payment_id, one.amount, one.status.value)
        for one in shop.payment.till(order.order_id).refunds.values()
    ]


def refuse_refund(shop: OrderShop, order: Order) -> None:
    """The provider says no to the newest refund, for good."""
    till = shop.payment.till(order.order_id)
    newest = list(till.refunds.values())[-1]
    till.refunds[newest.refund_id] = newest.model_copy(update={"status": RefundStatus.REJECTED})


async def a_twice_paid_order(shop: OrderShop) -> Order:
    """The order counts the second attempt as its own; of the first it has not heard yet."""
    order = await shop.buy()
    await shop.news(shop.payment.expire(order.order_id))
    await shop.house.desk.new_payment(NewPayment(user_id=BOB, order_id=order.order_id))
    await shop.news(shop.payment.pay(order.order_id, 2))
    paid = await shop.settled(order.order_id, within_s=1)
    assert paid.status == "PAID"
    shop.payment.pay(order.order_id, 1)
    return paid


async def a_cancelled_order(shop: OrderShop) -> Order:
    order = await shop.buy()
    await shop.house.desk.cancel_order(of(order))
    ended = await shop.settled(order.order_id)
    assert ended.status == "FAILED"
    return ended


@on_virtual_time
async def test_of_two_payments_the_one_that_is_not_the_orders_own_goes_back_once() -> None:
    shop = await a_shop()
    order = await a_twice_paid_order(shop)

    for _ in range(3):
        applied = await remedied(shop, order, Remedy.REFUND)
        assert applied.order.status == "PAID"
    await asyncio.sleep(1)

    assert refunds(shop, order) == [(f"{order.order_id}-1", 1200, "REQUESTED")]
    await shop.news(shop.payment.complete_refund(order.order_id))
    assert steps(await remedied(shop, order, Remedy.REFUND)) == []
    assert refunds(shop, order) == [(f"{order.order_id}-1", 1200, "COMPLETED")]


@on_virtual_time
async def test_two_operators_at_once_give_back_once() -> None:
    shop = await a_shop()
    order = await a_twice_paid_order(shop)

    await asyncio.gather(*(remedied(shop, order, Remedy.REFUND) for _ in range(4)))
    await asyncio.sleep(1)

    assert refunds(shop, order) == [(f"{order.order_id}-1", 1200, "REQUESTED")]


@on_virtual_time
async def test_a_refund_that_was_refused_is_asked_for_again_under_one_new_id() -> None:
    shop = await a_shop()
    order = await a_twice_paid_order(shop)
    await remedied(shop, order, Remedy.REFUND)
    await asyncio.sleep(1)
    refuse_refund(shop, order)

    again = await remedied(shop, order, Remedy.REFUND)
    repeated = await remedied(shop, order, Remedy.REFUND)
    await asyncio.sleep(1)

    assert steps(again) == [("REFUND_STARTED", f"{order.order_id}-1", 1200)]
    assert steps(repeated) == []
    assert [status for _, _, status in refunds(shop, order)] == ["REJECTED", "REQUESTED"]
    first, second = shop.payment.till(order.order_id).refunds
    assert second == refund_again_id(f"{order.order_id}-1", first)
    refuse_refund(shop, order)
    assert len(steps(await remedied(shop, order, Remedy.REFUND))) == 1


@on_virtual_time
async def test_the_orders_own_payment_is_only_asked_back_again_where_it_was_asked_before() -> None:
    shop = await a_shop()
    order = await shop.buy(lines={TEA: 2})
    await shop.news(shop.payment.pay(order.order_id))
    await asyncio.sleep(1)
    assert steps(await remedied(shop, order, Remedy.REFUND, own=True)) == []
    by_hand = RefundByOperator(
        order_id=order.order_id, request_id="1", amount=400, actor="taro", reason="scratched"
    )
    await shop.house.desk.refund_by_operator(by_hand)
    await asyncio.sleep(1)
    refuse_refund(shop, order)

    assert steps(await remedied(shop, order, Remedy.REFUND)) == []
    applied = await remedied(shop, order, Remedy.REFUND, own=True)
    await asyncio.sleep(1)

    assert steps(applied) == [("REFUND_STARTED", f"{order.order_id}-1", 400)]
    assert applied.order.status == "PAID"
    assert [amount for _, amount, _ in refunds(shop, order)] == [400, 400]


@on_virtual_time
async def test_money_for_a_failed_order_goes_back_under_the_id_of_the_automatic_refund() -> None:
    shop = await a_shop()
    order = await a_cancelled_order(shop)
    success = shop.payment.pay(order.order_id)

    await remedied(shop, order, Remedy.REFUND)
    await shop.news(success)
    await asyncio.sleep(1)

    (refund,) = shop.payment.till(order.order_id).refunds.values()
    assert (refund.amount, refund.reason) == (1200, "LATE_SUCCESS")


@on_virtual_time
async def test_asking_the_provider_settles_what_no_event_told() -> None:
    shop = await a_shop()
    order = await shop.buy()
    shop.payment.pay(order.order_id)

    applied = await remedied(shop, order, Remedy.ASK_PROVIDER)
    ended = await shop.settled(order.order_id, within_s=1)

    assert steps(applied) == [("PROVIDER_SAYS_COMPLETED", f"{order.order_id}-1", 1200)]
    assert ended.status == "PAID"


@on_virtual_time
async def test_a_provider_that_does_not_answer_leaves_the_order_as_it_is() -> None:
    shop = await a_shop()
    order = await shop.buy()
    shop.payment.meets("check_payment", Unknown("PAYMENT_UNAVAILABLE"))

    with pytest.raises(Unknown):
        await remedied(shop, order, Remedy.ASK_PROVIDER)

    assert (await shop.order(order.order_id)).status == "WAITING_PAYMENT"


@on_virtual_time
async def test_goods_of_a_failed_order_are_freed_once() -> None:
    shop = await a_shop()
    order = await a_cancelled_order(shop)
    late = ReserveStock(
        reservation_id=f"{order.order_id}-2",
        order_id=order.order_id,
        lines=(shop.storage.kept[f"{order.order_id}-1"].lines[0],),
    )
    await shop.storage.reserve_stock(late)

    first = await remedied(shop, order, Remedy.RELEASE)
    again = await remedied(shop, order, Remedy.RELEASE)

    assert steps(first) == [("RELEASED", f"{order.order_id}-2", None)]
    assert steps(again) == []
    assert shop.storage.stock == STOCK


@on_virtual_time
async def test_goods_sold_to_a_failed_order_come_back_once() -> None:
    shop = await a_shop()
    order = await a_cancelled_order(shop)
    kept = shop.storage.kept[f"{order.order_id}-1"]
    kept.status = ReservationStatus.CONFIRMED
    shop.storage.stock[TEA] -= 1

    for _ in range(2):
        await remedied(shop, order, Remedy.RELEASE)

    assert shop.storage.stock == STOCK


@on_virtual_time
async def test_goods_of_an_order_that_waits_or_is_paid_stay() -> None:
    shop = await a_shop()
    order = await shop.buy()
    with pytest.raises(Refused) as refused:
        await remedied(shop, order, Remedy.RELEASE)
    assert (refused.value.code, refused.value.facts["status"]) == (
        "ILLEGAL_STATE",
        "WAITING_PAYMENT",
    )
    await shop.news(shop.payment.pay(order.order_id))
    await asyncio.sleep(1)

    assert steps(await remedied(shop, order, Remedy.RELEASE)) == []
    assert shop.storage.stock == {TEA: 4, CUP: 3}


@on_virtual_time
async def test_money_of_which_it_is_not_decided_what_it_pays_is_not_given_back() -> None:
    shop = await a_shop(run=False)
    shop.run("sagas")
    order = await shop.buy()
    shop.payment.pay(order.order_id)
    shop.payment.till(order.order_id).attempts[f"{order.order_id}-1"] = shop.payment.attempt(
        order.order_id
    ).model_copy(update={"status": AttemptStatus.SUCCEEDED})

    applied = await remedied(shop, order, Remedy.REFUND)
    ended = await shop.settled(order.order_id, within_s=1)

    assert steps(applied) == []
    assert (ended.status, refunds(shop, order)) == ("PAID", [])


@on_virtual_time
async def test_a_saga_that_stopped_goes_on_at_once_and_one_that_moves_is_let_alone() -> None:
    shop = await a_shop()
    order = await shop.buy()
    shop.storage.meets("confirm_stock", KessaiError("nobody knows this error"))
    await shop.news(shop.payment.pay(order.order_id))
    await asyncio.sleep(0.1)
    assert (await shop.order(order.order_id)).status == "WAITING_PAYMENT"

    first = await remedied(shop, order, Remedy.REDRIVE_SAGA)
    ended = await shop.settled(order.order_id, within_s=0.1)
    again = await remedied(shop, order, Remedy.REDRIVE_SAGA)

    assert [code for code, *_ in steps(first)] == ["SAGA_FORWARDED"]
    assert (ended.status, steps(again)) == ("PAID", [])


@on_virtual_time
async def test_who_asked_and_why_is_in_the_audit_trail() -> None:
    shop = await a_shop()
    order = await shop.buy()

    await remedied(shop, order, Remedy.ASK_PROVIDER)

    trail = await shop.audit(order.order_id)
    (entry,) = [one for one in trail.entries if one.action == "REMEDY_ASKED"]
    assert trail.intact
    assert entry.actor == "operator:hanako@example.com"
    assert (entry.cause, entry.details) == (
        "asked",
        {"remedy": "ask_provider", "by": "hanako@example.com"},
    )
    codes = [one.code for one in (await shop.order(order.order_id)).timeline]
    assert "REMEDY_ASKED" not in codes


@on_virtual_time
async def test_of_an_order_that_is_not_there_nothing_is_done() -> None:
    shop = await a_shop()
    command = RemedyOrder(
        order_id="0" * 26, remedy=Remedy.ASK_PROVIDER, actor="hanako", reason="asked"
    )
    with pytest.raises(NotFound):
        await shop.house.desk.remedy_order(command)
    assert shop.payment.calls == []
