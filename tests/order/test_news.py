"""Payment news out of order, doubled, late, or not at all."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from tests.support.order_shop import BOB, TEA, a_shop, codes, of, on_virtual_time

from kessai.contracts.events import PaymentSucceeded, write_event
from kessai.contracts.order import NewPayment
from kessai.kernel.bus import Record
from kessai.kernel.errors import Unknown
from kessai.order.web import payment_records
from kessai.topology import PAYMENTS_TOPIC


@pytest.mark.parametrize("order_of_arrival", list(itertools.permutations(range(4))))
def test_any_order_of_arrival_ends_paid_by_the_second_attempt(
    order_of_arrival: tuple[int, ...],
) -> None:
    @on_virtual_time
    async def story() -> None:
        shop = await a_shop()
        order = await shop.buy()
        created = shop.payment.changed(order.order_id)
        expired = shop.payment.expire(order.order_id)
        await shop.news(expired)
        await shop.house.desk.new_payment(NewPayment(user_id=BOB, order_id=order.order_id))
        news = [
            created,
            expired,
            shop.payment.changed(order.order_id, 2),
            shop.payment.pay(order.order_id, 2),
        ]
        for position in order_of_arrival:
            await shop.news(news[position])
            await shop.news(news[position])
        ended = await shop.settled(order.order_id)

        assert (ended.status, ended.payment_status) == ("PAID", "SUCCEEDED")
        assert ended.payment_url == f"https://qr.example/{order.order_id}-2"
        assert codes(ended).count("PAYMENT_SUCCEEDED") == 1
        assert codes(ended).count("PAYMENT_EXPIRED") == 1
        assert len(await shop.moves(order.order_id)) == 3
        assert shop.storage.stock[TEA] == 4

    story()


@on_virtual_time
async def test_old_news_of_an_attempt_does_not_overwrite_newer() -> None:
    shop = await a_shop()
    order = await shop.buy()
    stale = shop.payment.changed(order.order_id)
    await shop.news(shop.payment.expire(order.order_id))
    expired = await shop.order(order.order_id)

    await shop.news(stale)

    assert await shop.order(order.order_id) == expired
    assert expired.payment_status == "EXPIRED"


@on_virtual_time
async def test_an_event_without_an_answer_about_its_details_is_shown_all_the_same() -> None:
    shop = await a_shop()
    order = await shop.buy()
    shop.payment.meets("get_payments", Unknown("PAYMENT_UNAVAILABLE"))

    await shop.news(shop.payment.decline(order.order_id))
    shown = await shop.order(order.order_id)

    assert (shown.payment_status, shown.payment_url) == ("FAILED", order.payment_url)
    assert shown.paypay_error is not None
    assert shown.paypay_error.code == "PAYMENT_FAILED"


@on_virtual_time
async def test_without_a_bus_the_fallback_settles_behind_ten_abandoned_orders() -> None:
    shop = await a_shop(stock={TEA: 20})
    for number in range(10):
        await shop.buy(key=f"abandoned-{number}")
    order = await shop.buy(key="paid")
    event = shop.payment.pay(order.order_id)

    ended = await shop.settled(order.order_id, within_s=26)

    assert (ended.status, ended.payment_last_event_id) == ("PAID", event.event_id)
    await shop.news(event)
    assert await shop.order(order.order_id) == ended


@on_virtual_time
async def test_without_a_bus_the_fallback_sees_a_refund_through() -> None:
    shop = await a_shop()
    order = await shop.buy()
    await shop.house.desk.cancel_order(of(order))
    await asyncio.sleep(5)
    await shop.news(shop.payment.pay(order.order_id))
    await asyncio.sleep(1)
    shop.payment.complete_refund(order.order_id)

    ended = await shop.settled(order.order_id, within_s=30)

    assert ended.refund is not None
    assert ended.refund.status == "COMPLETED"
    asked = shop.payment.count("get_payments")
    await asyncio.sleep(60)
    assert shop.payment.count("get_payments") == asked


@on_virtual_time
async def test_one_order_that_cannot_be_asked_about_does_not_hold_the_others_up() -> None:
    shop = await a_shop()
    await shop.buy(key="key-a")
    second = await shop.buy(key="key-b")
    shop.payment.meets("get_payments", Unknown("PAYMENT_UNAVAILABLE"))
    shop.payment.pay(second.order_id)

    assert (await shop.settled(second.order_id, within_s=26)).status == "PAID"


@on_virtual_time
async def test_check_asks_the_provider_and_settles_at_once() -> None:
    shop = await a_shop()
    order = await shop.buy()
    shop.payment.meets("check_payment", Unknown("PAYMENT_UNAVAILABLE"))
    shop.payment.pay(order.order_id)

    unanswered = await shop.house.desk.check_payment(of(order))
    checked = await shop.house.desk.check_payment(of(order))
    ended = await shop.settled(order.order_id, within_s=1)

    assert (unanswered.view_version, unanswered.payment_status) == (order.view_version, "AWAITING")
    assert (checked.payment_status, ended.status) == ("SUCCEEDED", "PAID")


def a_record(value: bytes) -> Record:
    return Record(PAYMENTS_TOPIC, 0, 0, "key", value, {"X-Correlation-ID": "c-1"}, 0)


@on_virtual_time
async def test_records_of_a_later_version_are_skipped_and_nonsense_is_refused() -> None:
    shop = await a_shop()
    order = await shop.buy()
    on_record = payment_records(shop.house.news.apply_payment_event)

    await on_record(a_record(b'{"eventType":"PaymentDreamt","orderId":"x"}'))
    for nonsense in (b"", b"[]", b'{"eventType":"PaymentSucceeded"}'):
        with pytest.raises(ValueError):
            await on_record(a_record(nonsense))
    assert await shop.order(order.order_id) == order
    await on_record(a_record(write_event(shop.payment.pay(order.order_id))))

    assert (await shop.settled(order.order_id)).status == "PAID"


@on_virtual_time
async def test_news_of_an_unknown_order_is_acknowledged_and_stores_no_order() -> None:
    shop = await a_shop()
    order = await shop.buy()
    event = shop.payment.pay(order.order_id)
    foreign = PaymentSucceeded.model_validate(
        {**event.model_dump(), "order_id": "0" * 26, "event_id": "other"}
    )

    await shop.news(foreign)

    assert await shop.count("orders") == 1
    assert (await shop.order(order.order_id)) == order
