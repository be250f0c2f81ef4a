"""Stories of a purchase that goes its way, and of one that is refused."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.agreement import assert_agreement
from tests.support.shop import Shop, story


@story(1, 2, 3)
async def test_customer_buys_and_the_webhook_settles(shop: Shop) -> None:
    customer = await shop.customer()
    answer = (await customer.purchase((shop.product, 2), key="k")).ok()
    assert answer["status"] == "WAITING_PAYMENT"
    assert answer["amount"] == 2 * shop.prices[shop.product]
    assert answer["paymentUrl"]
    customer.orders.append(answer["orderId"])
    assert await shop.stock(shop.product) == shop.opening_stock[shop.product] - 2
    await shop.wallet(answer["orderId"])
    paid = await customer.until(answer["orderId"], "PAID", within_s=2)
    assert paid["paymentStatus"] == "SUCCEEDED"
    assert paid["paypayStatus"] == "COMPLETED"
    assert paid["payment_last_event_id"]
    assert paid["actions"] == ["refund"]
    await assert_agreement(shop, customer)


@story(1)
async def test_several_products_are_reserved_together_or_not_at_all(shop: Shop) -> None:
    customer = await shop.customer()
    refused = await customer.purchase((shop.product, 1), (shop.scarce, 4), key="k")
    assert (refused.status, refused.code) == (409, "OUT_OF_STOCK")
    assert refused.body["items"] == [{"productId": shop.scarce, "wanted": 4, "available": 3}]
    assert await shop.stock(shop.product) == shop.opening_stock[shop.product]
    order = await customer.order(refused.body["orderId"])
    assert (order["status"], order["reason"]) == ("FAILED", "OUT_OF_STOCK")
    assert await shop.book() == []


@story(1)
async def test_out_of_stock_never_gets_a_payable_code(shop: Shop) -> None:
    customer = await shop.customer()
    refused = await customer.purchase((shop.sold_out, 1), key="k")
    assert (refused.status, refused.code) == (409, "OUT_OF_STOCK")
    again = await customer.purchase((shop.sold_out, 1), key="k")
    assert (again.status, again.body["orderId"]) == (409, refused.body["orderId"])
    assert await shop.book() == []


@story(1, 2)
async def test_last_three_pieces_go_to_three_of_ten_buyers(shop: Shop) -> None:
    buyers = [await shop.new_customer() for _ in range(10)]
    answers = await asyncio.gather(*(b.purchase((shop.scarce, 1), key="k") for b in buyers))
    assert sorted(answer.status for answer in answers) == [200] * 3 + [409] * 7
    assert await shop.stock(shop.scarce) == 0
    for buyer, answer in zip(buyers, answers, strict=True):
        buyer.orders.append(answer.body["orderId"])
        if answer.status == 200:
            await shop.wallet(answer.body["orderId"])
            await buyer.until(answer.body["orderId"], "PAID", within_s=5)
    await assert_agreement(shop, *buyers)


@story(1)
async def test_price_changed_since_the_page_was_drawn(shop: Shop) -> None:
    customer = await shop.customer()
    refused = await customer.purchase((shop.product, 1), key="k", expectedAmount=1)
    assert (refused.status, refused.code) == (409, "PRICE_CHANGED")
    assert refused.body["expectedAmount"] == 1
    assert refused.body["amount"] == shop.prices[shop.product]
    assert (await customer.send("GET", "/api/orders")).ok()["items"] == []
    again = await customer.purchase((shop.product, 1), key="k", expectedAmount=1)
    assert (again.status, again.code) == (409, "PRICE_CHANGED")
    right = shop.prices[shop.product]
    assert (await customer.purchase((shop.product, 1), key="l", expectedAmount=right)).status == 200


@pytest.mark.parametrize("quantity", [0, -1, 1.5, "2", 10**9, None, True, [1]])
def test_a_wrong_quantity_is_named_and_nothing_is_stored(quantity: object) -> None:
    @story(1)
    async def tale(shop: Shop) -> None:
        customer = await shop.customer()
        refused = await customer.purchase((shop.product, quantity), key="k")  # type: ignore[arg-type]
        assert (refused.status, refused.code) == (422, "VALIDATION")
        assert [error["field"] for error in refused.body["errors"]] == ["items[0].quantity"]
        assert (await customer.send("GET", "/api/orders")).ok()["items"] == []

    tale(1)


@story(1)
async def test_a_purchase_cannot_name_its_price_status_or_user(shop: Shop) -> None:
    customer = await shop.customer()
    for name in ("amount", "status", "userId", "price", "paidAt", "__proto__"):
        refused = await customer.purchase(key="k", **{name: 1})
        assert (refused.status, refused.code) == (422, "VALIDATION"), name
        assert refused.body["errors"][0]["field"] == name
    assert (await customer.send("GET", "/api/orders")).ok()["items"] == []


@story(1)
async def test_unknown_product_and_empty_cart_are_refused(shop: Shop) -> None:
    customer = await shop.customer()
    unknown = await customer.purchase((987654, 1), key="a")
    assert (unknown.status, unknown.code) == (422, "VALIDATION")
    assert unknown.body["errors"][0]["field"] == "items[0].productId"
    empty = await customer.send(
        "POST",
        "/api/orders/purchase",
        {"customerName": "x", "customerEmail": "x@example.com", "items": []},
    )
    assert (empty.status, empty.code) == (422, "NO_ITEMS")


@story(1)
async def test_a_numeric_string_is_a_product_id(shop: Shop) -> None:
    customer = await shop.customer()
    bought = await customer.purchase((str(shop.product), 1), key="k")  # type: ignore[arg-type]
    assert bought.status == 200


@story(1)
async def test_the_code_is_drawn_as_png_with_the_orders_own_amount(shop: Shop) -> None:
    customer = await shop.customer()
    order_id = await customer.buy()
    code = await customer.send("GET", f"/api/payments/{order_id}/qrcode?amount=1")
    assert code.status == 200
    assert code.body["amount"] == shop.prices[shop.product]
    assert code.body["base64Image"].startswith("iVBORw0KGgo")
    await shop.wallet(order_id)
    await customer.until(order_id, "PAID")
    final = await customer.send("GET", f"/api/payments/{order_id}/qrcode")
    assert (final.status, final.code, final.body["status"]) == (409, "ILLEGAL_STATE", "PAID")
