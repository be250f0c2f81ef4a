"""The purchase as its customer meets it: bought, refused, repeated, slow."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.order_shop import BOB, CUP, STOCK, TEA, a_shop, codes, of, on_virtual_time

from kessai.contracts.moves import OrderStatus
from kessai.contracts.order import ListOrders, NewPayment, RefundOrder
from kessai.kernel.errors import Kind, Refused, Unknown


@on_virtual_time
async def test_a_purchase_waits_for_payment_with_its_stock_reserved() -> None:
    shop = await a_shop()

    order = await shop.buy(lines={TEA: 2, CUP: 1})

    assert (order.status, order.payment_status) == ("WAITING_PAYMENT", "AWAITING")
    assert (order.amount, order.tax_yen) == (3200, 290)
    assert order.payment_url == f"https://qr.example/{order.order_id}-1"
    assert order.order_number == f"K-20260115-{order.order_id[-6:]}"
    assert (order.created_at, order.hold_until) == (
        "2026-01-15T03:00:00.000Z",
        "2026-01-15T03:15:00.000Z",
    )
    assert order.payment_expires_at == "2026-01-15T03:05:00.000Z"
    assert order.actions == ("pay", "check", "cancel")
    assert codes(order) == ["CREATED", "STOCK_RESERVED", "CODE_CREATED", "WAITING_PAYMENT"]
    assert shop.storage.stock == {TEA: 3, CUP: 2}
    assert await shop.moves(order.order_id) == [">PENDING", "PENDING>WAITING_PAYMENT"]


@on_virtual_time
async def test_a_paid_order_has_its_stock_confirmed_and_tells_each_move_once() -> None:
    shop = await a_shop()
    order = await shop.buy()

    event = shop.payment.pay(order.order_id)
    await shop.news(event)
    paid = await shop.settled(order.order_id)

    assert (paid.status, paid.payment_status) == ("PAID", "SUCCEEDED")
    assert paid.payment_last_event_id == event.event_id
    assert (paid.paypay_status, paid.paypay_error) == ("COMPLETED", None)
    assert paid.actions == ("refund",)
    assert shop.storage.kept[f"{order.order_id}-1"].status == "CONFIRMED"
    assert await shop.moves(order.order_id) == [
        ">PENDING",
        "PENDING>WAITING_PAYMENT",
        "WAITING_PAYMENT>PAID",
    ]
    assert await shop.versions(order.order_id) == [1, 2, 3]


@on_virtual_time
async def test_out_of_stock_fails_the_order_and_no_code_is_made() -> None:
    shop = await a_shop()

    with pytest.raises(Refused) as refused:
        await shop.buy(lines={TEA: 1, CUP: 4})

    assert refused.value.code == "OUT_OF_STOCK"
    assert refused.value.facts["items"] == [{"productId": CUP, "wanted": 4, "available": 3}]
    order = await shop.order(str(refused.value.facts["orderId"]))
    assert (order.status, order.reason) == ("FAILED", "OUT_OF_STOCK")
    assert order.actions == ()
    assert shop.storage.stock == STOCK
    assert shop.payment.count("create_payment") == 0
    assert shop.storage.count("release_stock") == 0


@on_virtual_time
async def test_a_provider_that_says_no_gives_the_stock_back() -> None:
    shop = await a_shop()
    shop.payment.meets("create_payment", Refused("PAYMENT_UNAVAILABLE", kind=Kind.UNAVAILABLE))

    with pytest.raises(Refused) as refused:
        await shop.buy(lines={TEA: 2})

    assert (refused.value.code, refused.value.kind) == ("PAYMENT_UNAVAILABLE", "UNAVAILABLE")
    order = await shop.order(str(refused.value.facts["orderId"]))
    assert (order.status, order.reason) == ("FAILED", "PAYMENT_UNAVAILABLE")
    assert order.paypay_error is not None
    assert order.paypay_error.code == "PAYMENT_UNAVAILABLE"
    assert codes(order) == ["CREATED", "STOCK_RELEASED", "FAILED"]
    assert shop.storage.stock == STOCK
    assert list((await shop.sagas()).values()) == ["UN/SU"]
    assert await shop.operators_wanted() == 0


@on_virtual_time
async def test_an_unknown_create_is_asked_again_with_the_same_token() -> None:
    shop = await a_shop()
    lost = Unknown("PAYMENT_UNAVAILABLE", "no answer")
    shop.payment.meets("create_payment", lost, lost, after_effect=True)

    order = await shop.buy()

    assert order.status == "WAITING_PAYMENT"
    assert shop.payment.count("create_payment") == 3
    assert len(shop.payment.till(order.order_id).attempts) == 1


@on_virtual_time
async def test_a_refusal_that_nobody_understands_is_asked_again_and_fails_nothing() -> None:
    shop = await a_shop()
    shop.payment.meets("create_payment", Refused("FORBIDDEN"), Refused("ILLEGAL_STATE"))
    shop.storage.meets("reserve_stock", Refused("FORBIDDEN"))

    order = await shop.buy()

    assert order.status == "WAITING_PAYMENT"
    assert len(shop.payment.till(order.order_id).attempts) == 1


@on_virtual_time
async def test_a_slow_provider_gets_pending_after_eight_seconds_and_the_code_later() -> None:
    shop = await a_shop()
    shop.payment.delays_s["create_payment"] = 12
    started = shop.runtime.clock.monotonic()

    order = await shop.buy()

    assert shop.runtime.clock.monotonic() - started == pytest.approx(8, abs=0.01)
    assert (order.status, order.payment_url) == ("PENDING", None)
    assert order.actions == ("cancel",)
    again = await shop.buy()
    assert (again.order_id, again.status) == (order.order_id, "PENDING")
    later = await shop.settled(order.order_id, within_s=5)
    assert (later.status, later.payment_status) == ("WAITING_PAYMENT", "AWAITING")
    assert await shop.count("orders") == 1


@on_virtual_time
async def test_a_payment_that_outruns_the_create_answer_settles_once() -> None:
    shop = await a_shop()
    shop.payment.delays_s["create_payment"] = 1
    shop.payment.meets("create_payment", Unknown("PAYMENT_UNAVAILABLE"), after_effect=True)
    buying = asyncio.ensure_future(shop.buy())
    await asyncio.sleep(1.05)
    order_id = next(iter(shop.payment.tills))
    assert (await shop.order(order_id)).status == "PENDING"

    await shop.news(shop.payment.pay(order_id))
    await buying
    order = await shop.settled(order_id)

    assert (order.status, order.payment_status) == ("PAID", "SUCCEEDED")
    assert order.payment_url == f"https://qr.example/{order_id}-1"
    assert await shop.moves(order_id) == [
        ">PENDING",
        "PENDING>WAITING_PAYMENT",
        "WAITING_PAYMENT>PAID",
    ]
    assert await shop.versions(order_id) == [1, 2, 3]
    assert await shop.operators_wanted() == 0


@on_virtual_time
async def test_an_unknown_product_is_refused_and_nothing_is_stored() -> None:
    shop = await a_shop()

    with pytest.raises(Refused) as refused:
        await shop.buy(lines={99: 1})

    assert refused.value.facts == {"errors": [{"field": "items[0].productId", "code": "UNKNOWN"}]}
    assert [await shop.count(one) for one in ("orders", "idempotency", "outbox", "sg_machine")] == [
        0,
        0,
        0,
        0,
    ]


@on_virtual_time
async def test_nobody_sees_the_order_of_somebody_else() -> None:
    shop = await a_shop()
    order = await shop.buy()
    desk, hers = shop.house.desk, of(order, "user-eve")

    for ask in (desk.get_order, desk.check_payment, desk.cancel_order):
        with pytest.raises(Refused) as refused:
            await ask(hers)
        assert refused.value.code == "NOT_FOUND"
    with pytest.raises(Refused) as refused:
        await desk.new_payment(NewPayment(user_id="user-eve", order_id=order.order_id))
    assert refused.value.code == "NOT_FOUND"
    with pytest.raises(Refused) as refused:
        await desk.refund_order(
            RefundOrder(user_id="user-eve", order_id=order.order_id, reason="x")
        )
    assert refused.value.code == "NOT_FOUND"
    assert (await desk.list_orders(ListOrders(user_id="user-eve"))).items == ()
    assert await shop.order(order.order_id) == order


@on_virtual_time
async def test_orders_are_listed_newest_first_in_pages() -> None:
    shop = await a_shop(stock={TEA: 50, CUP: 50})
    bought = []
    for number in range(5):
        bought.append((await shop.buy(key=f"key-{number}", lines={TEA: 1, CUP: 1})).order_id)
        await asyncio.sleep(1)
    desk = shop.house.desk

    first = await desk.list_orders(ListOrders(user_id=BOB, limit=3))
    rest = await desk.list_orders(ListOrders(user_id=BOB, limit=3, cursor=first.next_cursor))

    assert [one.order_id for one in (*first.items, *rest.items)] == bought[::-1]
    assert rest.next_cursor is None
    assert (first.items[0].item_count, first.items[0].amount) == (2, 2000)
    paid = await desk.list_orders(ListOrders(user_id=BOB, status=OrderStatus.PAID))
    assert paid.items == ()
