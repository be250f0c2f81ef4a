"""The purchase as its customer meets it: bought, refused, repeated, slow."""

from __future__ import annotations

from tests.support.order_shop import CUP, TEA, a_shop, codes, on_virtual_time


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
