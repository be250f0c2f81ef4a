"""Calls that never get their answer: lost after they took effect, reset, in a blackout, stale."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.paypay import BASE, PayPay, an_order, code_of, paypay_test

from kessai.kernel.http import Answer, NoAnswer


async def sent(paypay: PayPay, method: str, path: str, timeout_s: float = 30) -> Answer:
    """As a caller that bears a broken connection; signatures are not looked at in a blackout."""
    request = paypay.client.build_request(method, path)
    return await paypay.http.send(
        method, f"{BASE}{path}", headers=dict(request.headers), timeout_s=timeout_s
    )


async def create_without_answer(paypay: PayPay) -> None:
    """The transport of the tests takes an answer without an end for a broken application."""
    with pytest.raises(AssertionError):
        await paypay.api("POST", "/v2/codes", an_order())


@paypay_test
async def test_a_lost_answer_took_effect(paypay: PayPay) -> None:
    await paypay.faults(api={"createCode": {"lostAnswer": 100}})
    await create_without_answer(paypay)
    assert [row["merchantPaymentId"] for row in await paypay.payments()] == ["m-1"]
    await paypay.faults(api={"createCode": {"lostAnswer": 0}})
    again = await paypay.api("POST", "/v2/codes", an_order())
    assert code_of(again) == (400, "DUPLICATE_DYNAMIC_QR_REQUEST")
    assert (await paypay.fired())["api"]["createCode"] == {"lostAnswer": 1}


@paypay_test
async def test_a_lost_answer_may_hang_past_every_timeout(paypay: PayPay) -> None:
    await paypay.faults(api={"createCode": {"lostAnswer": 100, "lostBy": "hang"}})
    loop = asyncio.get_running_loop()
    started = loop.time()
    call = asyncio.ensure_future(paypay.api("POST", "/v2/codes", an_order()))
    await asyncio.sleep(30)
    assert not call.done()
    assert len(await paypay.payments()) == 1
    with pytest.raises(AssertionError):
        await call
    assert loop.time() - started == pytest.approx(60)


@paypay_test
async def test_a_reset_connection_had_no_effect(paypay: PayPay) -> None:
    await paypay.faults(api={"createCode": {"error": 100, "kinds": ["reset"]}})
    await create_without_answer(paypay)
    assert await paypay.payments() == []


@paypay_test
async def test_a_slow_call_takes_effect_before_its_answer(paypay: PayPay) -> None:
    await paypay.faults(api={"createCode": {"delayMs": [4000, 4000]}})
    loop = asyncio.get_running_loop()
    started = loop.time()
    call = asyncio.ensure_future(paypay.create())
    await asyncio.sleep(1)
    assert len(await paypay.payments()) == 1
    await call
    assert loop.time() - started == pytest.approx(4.0)


@paypay_test
async def test_in_a_blackout_nobody_answers_and_no_webhook_leaves(paypay: PayPay) -> None:
    await paypay.create("m-1")
    await paypay.faults(blackout={"fromMs": 1000, "forMs": 30_000})
    await paypay.details("m-1")
    await asyncio.sleep(1)
    with pytest.raises(AssertionError):
        await paypay.api("GET", "/v2/codes/payments/m-1")
    await create_without_answer(paypay)
    await paypay.act("m-1", "pay")
    await asyncio.sleep(29.9)
    assert paypay.door.received == []
    await asyncio.sleep(0.2)
    assert (await paypay.details("m-1"))["status"] == "COMPLETED"
    fired = await paypay.fired()
    assert (fired["blackout"], fired["webhooks"]) == (2, {"blackout": 1})
    assert [row["merchantPaymentId"] for row in await paypay.payments()] == ["m-1"]


@paypay_test
async def test_another_put_does_not_start_the_blackout_again(paypay: PayPay) -> None:
    await paypay.faults(blackout={"forMs": 1000})
    await asyncio.sleep(0.9)
    await paypay.faults(webhooks={"drop": 1})
    await asyncio.sleep(0.2)
    await paypay.create()


@paypay_test
async def test_old_news_are_told_for_a_while(paypay: PayPay) -> None:
    await paypay.create()
    await asyncio.sleep(10)
    await paypay.faults(api={"getCodePayment": {"staleMs": 8000}})
    await paypay.act()
    await asyncio.sleep(7.9)
    assert (await paypay.details())["status"] == "CREATED"
    await asyncio.sleep(0.2)
    assert (await paypay.details())["status"] == "COMPLETED"


@paypay_test
async def test_a_client_of_the_shop_sees_a_broken_connection(paypay: PayPay) -> None:
    """Through the same client that payment-service uses."""
    await paypay.faults(blackout={"forMs": 60_000})
    with pytest.raises(NoAnswer):
        await sent(paypay, "GET", "/v2/codes/payments/m-1")
