"""The same purchase asked for again: by its key, by two clicks, by an identical cart."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.order_shop import CUP, STOCK, TEA, a_shop, on_virtual_time

from kessai.kernel.errors import Kind, Refused, Unknown


@on_virtual_time
async def test_a_key_gives_the_same_order_as_it_is_now() -> None:
    shop = await a_shop()
    first = await shop.buy()
    await shop.news(shop.payment.pay(first.order_id))
    await asyncio.sleep(1)

    again = await shop.buy()

    assert (again.order_id, again.status) == (first.order_id, "PAID")
    assert await shop.count("orders") == 1
    assert shop.storage.stock == {TEA: 4, CUP: 3}


@on_virtual_time
async def test_a_key_for_another_cart_is_a_conflict_and_buys_nothing() -> None:
    shop = await a_shop()
    await shop.buy(lines={TEA: 1})

    with pytest.raises(Refused) as refused:
        await shop.buy(lines={TEA: 2})

    assert refused.value.code == "IDEMPOTENCY_CONFLICT"
    assert await shop.count("orders") == 1
    assert shop.storage.stock == {TEA: 4, CUP: 3}


@on_virtual_time
async def test_the_same_key_of_two_customers_is_two_orders() -> None:
    shop = await a_shop()

    his, hers = await shop.buy(), await shop.buy(user="user-eve")

    assert his.order_id != hers.order_id
    assert await shop.count("orders") == 2


@on_virtual_time
async def test_a_key_is_in_flight_while_the_first_request_runs() -> None:
    shop = await a_shop()
    shop.payment.delays_s["create_payment"] = 3
    first = asyncio.ensure_future(shop.buy())
    await asyncio.sleep(1)

    with pytest.raises(Refused) as refused:
        await shop.buy()

    assert (refused.value.code, refused.value.retry_after_s) == ("IDEMPOTENCY_IN_FLIGHT", 1)
    order = await first
    assert (await shop.buy()).order_id == order.order_id
    assert await shop.count("orders") == 1


@on_virtual_time
async def test_a_key_whose_saga_stands_still_is_no_longer_in_flight() -> None:
    shop = await a_shop()
    shop.storage.meets("reserve_stock", *[Unknown("STORAGE_SERVICE_UNAVAILABLE")] * 1000)
    first = asyncio.ensure_future(shop.buy())
    await asyncio.sleep(1)
    first.cancel()
    await asyncio.sleep(57)
    with pytest.raises(Refused) as refused:
        await shop.buy()
    assert refused.value.code == "IDEMPOTENCY_IN_FLIGHT"

    await asyncio.sleep(3)

    assert (await shop.buy()).status == "PENDING"
    assert await shop.count("orders") == 1


@on_virtual_time
async def test_a_changed_price_makes_no_order_and_is_said_again_by_the_key() -> None:
    shop = await a_shop()
    wanted = {
        "expectedAmount": 2000,
        "amount": 2400,
        "items": [{"productId": TEA, "oldPrice": 1000, "newPrice": 1200}],
    }

    for _ in range(2):
        with pytest.raises(Refused) as refused:
            await shop.buy(lines={TEA: 2}, expected=2000)
        assert (refused.value.code, dict(refused.value.facts)) == ("PRICE_CHANGED", wanted)
        shop.storage.prices[TEA] = 1000

    assert await shop.count("orders") == 0
    assert shop.storage.stock == STOCK
    shop.storage.prices[TEA] = 1200
    bought = await shop.buy(lines={TEA: 2}, expected=2400, key="key-2")
    assert bought.amount == 2400


@on_virtual_time
async def test_refusals_are_said_again_by_the_key_without_doing_anything() -> None:
    shop = await a_shop()
    facts = []
    for _ in range(2):
        with pytest.raises(Refused) as refused:
            await shop.buy(lines={CUP: 9})
        facts.append((refused.value.code, dict(refused.value.facts)))
    assert facts[0] == facts[1]
    shop.payment.meets("create_payment", Refused("PAYMENT_UNAVAILABLE", kind=Kind.UNAVAILABLE))
    for _ in range(2):
        with pytest.raises(Refused) as refused:
            await shop.buy(key="key-2")
        assert refused.value.code == "PAYMENT_UNAVAILABLE"
    assert await shop.count("orders") == 2
    assert shop.storage.stock == STOCK


@on_virtual_time
async def test_a_key_is_answered_when_its_product_is_gone_or_storage_is_down() -> None:
    shop = await a_shop()
    order = await shop.buy()
    del shop.storage.prices[TEA]

    assert (await shop.buy()).order_id == order.order_id
    shop.storage.meets("quote", Unknown("STORAGE_SERVICE_UNAVAILABLE"))
    assert (await shop.buy()).order_id == order.order_id
    shop.storage.meets("quote", Unknown("STORAGE_SERVICE_UNAVAILABLE"))
    with pytest.raises(Unknown):
        await shop.buy(key="key-2")
    assert await shop.count("idempotency") == 1


@on_virtual_time
async def test_two_clicks_without_a_key_are_one_order() -> None:
    shop = await a_shop()
    shop.payment.delays_s["create_payment"] = 2

    orders = await asyncio.gather(*(shop.buy(key=None) for _ in range(3)))

    assert {one.order_id for one in orders} == {orders[0].order_id}
    assert [one.status for one in orders] == ["WAITING_PAYMENT"] * 3
    assert await shop.count("orders") == 1
    assert shop.storage.stock == {TEA: 4, CUP: 3}


@on_virtual_time
async def test_an_identical_cart_is_the_same_order_for_five_seconds() -> None:
    shop = await a_shop()
    first = await shop.buy(key=None)
    await asyncio.sleep(5)
    assert (await shop.buy(key=None)).order_id == first.order_id

    await asyncio.sleep(0.01)
    second = await shop.buy(key=None)
    other_cart = await shop.buy(key=None, lines={TEA: 2})
    other_session = await shop.buy(key=None, session="session-2")

    ids = [first.order_id, second.order_id, other_cart.order_id, other_session.order_id]
    assert len(dict.fromkeys(ids)) == 4
    assert await shop.count("orders") == 4
