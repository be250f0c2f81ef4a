"""What may go wrong with a call: every published error on demand, lines that flap, clocks."""

from __future__ import annotations

import asyncio

import httpx2
import pytest
from tests.support.paypay import Json, PayPay, an_order, code_of, paypay_test

from kessai.sim.paypay.domain.operations import OPERATIONS, Operation
from kessai.sim.paypay.domain.results import PUBLISHED

CALLS: dict[Operation, tuple[str, str]] = {
    "createCode": ("POST", "/v2/codes"),
    "deleteCode": ("DELETE", "/v2/codes/04-x"),
    "getCodePayment": ("GET", "/v2/codes/payments/m-1"),
    "getPayment": ("GET", "/v2/payments/m-1"),
    "cancel": ("DELETE", "/v2/payments/m-1"),
    "refund": ("POST", "/v2/refunds"),
    "getRefund": ("GET", "/v2/refunds/r-1"),
    "capture": ("POST", "/v2/payments/capture"),
    "revert": ("POST", "/v2/payments/preauthorize/revert"),
    "reauthorize": ("POST", "/v2/payments/reauthorize"),
    "other": ("POST", "/v2/cashback"),
}


async def called(paypay: PayPay, operation: Operation) -> httpx2.Response:
    method, path = CALLS[operation]
    return await paypay.api(method, path, an_order() if operation == "createCode" else None)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_each_published_error_is_answered_on_demand(operation: Operation) -> None:
    @paypay_test
    async def tale(paypay: PayPay) -> None:
        for code, result in PUBLISHED[operation].items():
            await paypay.faults(api={operation: {"refuse": 100, "refusals": [code]}})
            answer = await called(paypay, operation)
            assert code_of(answer) == (result.status, code)
            assert answer.json()["data"] is None
            request_id = answer.headers["X-REQUEST-ID"]
            assert answer.json()["resultInfo"]["message"].endswith(f" | [{request_id}]")
        assert await paypay.payments() == []
        fired = await paypay.fired()
        assert fired["api"] == {operation: {"refuse": len(PUBLISHED[operation])}}
        assert fired["answers"] == {operation: dict.fromkeys(PUBLISHED[operation], 1)}

    tale()


@paypay_test
async def test_what_an_operation_never_answers_is_no_setting(paypay: PayPay) -> None:
    wrong: tuple[Json, ...] = (
        {"refund": {"refusals": ["ALREADY_CAPTURED"]}},
        {"*": {"refusals": ["RESOURCE_NOT_FOUND"]}},
        {"refund": {"refusals": ["NO_SUCH_CODE"]}},
        {"refund": {"refusals": []}},
    )
    for api in wrong:
        refused = await paypay.client.put("/sim/faults", json={"api": api})
        assert (refused.status_code, refused.json()["code"]) == (422, "VALIDATION")


@pytest.mark.parametrize("kind", ["429", "503"])
def test_retry_after_is_told_when_it_is_set(kind: str) -> None:
    @paypay_test
    async def tale(paypay: PayPay) -> None:
        await paypay.faults(api={"*": {"error": 100, "kinds": [kind]}})
        bare = await called(paypay, "getPayment")
        assert (bare.status_code, bare.headers.get("retry-after")) == (int(kind), None)
        await paypay.faults(api={"*": {"retryAfterS": 7}})
        assert (await called(paypay, "getPayment")).headers["retry-after"] == "7"

    tale()


@paypay_test
async def test_a_gateway_gives_up_and_a_good_answer_is_no_json(paypay: PayPay) -> None:
    await paypay.faults(api={"createCode": {"error": 100, "kinds": ["504"], "effect": 100}})
    gone = await called(paypay, "createCode")
    assert (gone.status_code, gone.headers["content-type"][:9]) == (504, "text/html")
    assert len(await paypay.payments()) == 1
    await paypay.faults(api={"cancel": {"error": 100, "kinds": ["badJson"], "effect": 100}})
    broken = await called(paypay, "cancel")
    assert broken.status_code == 200
    with pytest.raises(ValueError):
        broken.json()
    assert "payment.cancelAsked" in await paypay.kinds()


@paypay_test
async def test_a_minute_of_waiting(paypay: PayPay) -> None:
    await paypay.faults(api={"*": {"delayMs": [60_000, 60_000]}})
    started_ms = paypay.clock.now_ms()
    await called(paypay, "createCode")
    assert paypay.clock.now_ms() - started_ms == 60_000
    assert (await paypay.fired())["api"] == {"createCode": {"delayMs": 1}}


@paypay_test
async def test_old_news_may_be_told_now_and_then(paypay: PayPay) -> None:
    await paypay.create()
    await asyncio.sleep(1)
    await paypay.act()
    await paypay.faults(api={"getCodePayment": {"staleMs": 5000, "stale": 50}})
    told = [(await paypay.details())["status"] for _ in range(40)]
    assert 5 < told.count("CREATED") < 35
    fired = (await paypay.fired())["api"]["getCodePayment"]
    assert fired == {"staleMs": told.count("CREATED")}


@paypay_test
async def test_a_line_that_flaps(paypay: PayPay) -> None:
    await paypay.create()
    await paypay.faults(flapping={"downMs": 2000, "upMs": 3000})
    for is_up in (False, False, True, True, True, False, False, True):
        if is_up:
            assert (await paypay.details())["status"] == "CREATED"
        else:
            with pytest.raises(AssertionError):
                await called(paypay, "getCodePayment")
        await asyncio.sleep(1)
    assert (await paypay.fired())["flapping"] == 4
    await paypay.faults(scope="x", flapping={"downMs": 600_000})
    await paypay.details()
    await paypay.faults(scope="*", flapping=None)
    await paypay.details()


@paypay_test
async def test_a_blackout_may_hang(paypay: PayPay) -> None:
    await paypay.faults(blackout={"forMs": 1000, "by": "hang"})
    call = asyncio.ensure_future(called(paypay, "getPayment"))
    await asyncio.sleep(50)
    assert not call.done()
    with pytest.raises(AssertionError):
        await call


@paypay_test
async def test_a_clock_that_is_off_refuses_everybody(paypay: PayPay) -> None:
    for skew_s, fine in ((119, True), (120, False), (-119, True), (-120, False)):
        await paypay.faults(behaviour={"clockSkewS": skew_s})
        answer = await called(paypay, "getPayment")
        assert code_of(answer) == ((404, "RESOURCE_NOT_FOUND") if fine else (401, "UNAUTHORIZED"))
    assert (await paypay.fired())["api"] == {"getPayment": {"clockSkew": 2}}
    assert (await paypay.fired())["answers"]["getPayment"]["UNAUTHORIZED"] == 2


@paypay_test
async def test_an_operation_outside_of_the_contract(paypay: PayPay) -> None:
    await paypay.faults(behaviour={"closed": ["refund", "cancel"]})
    assert code_of(await called(paypay, "refund")) == (401, "OP_OUT_OF_SCOPE")
    assert code_of(await called(paypay, "cancel")) == (401, "OP_OUT_OF_SCOPE")
    assert code_of(await called(paypay, "getPayment")) == (404, "RESOURCE_NOT_FOUND")
