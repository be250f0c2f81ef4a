"""The errors that follow from what was done before, and from the merchant's contract."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.support.paypay import PayPay, code_of, paypay_test

DAY_S = 86_400


async def bought(paypay: PayPay, **behaviour: Any) -> str:
    await paypay.faults(behaviour=behaviour)
    await paypay.create("m-1", 1000)
    return str((await paypay.act())["paymentId"])


@paypay_test
async def test_a_second_refund_within_a_minute_is_throttled(paypay: PayPay) -> None:
    payment_id = await bought(paypay, refundThrottleMs=60_000)
    assert (await paypay.refund(payment_id, 100)).status_code == 200
    await asyncio.sleep(59.9)
    throttled = await paypay.refund(payment_id, 100, "r-2")
    assert code_of(throttled) == (400, "THROTTLED_MULTIPLE_REFUND_REJECTED")
    assert (await paypay.refund(payment_id, 100)).status_code == 200
    await asyncio.sleep(0.1)
    assert (await paypay.refund(payment_id, 100, "r-2")).status_code == 200
    answers = (await paypay.fired())["answers"]
    assert answers == {"refund": {"THROTTLED_MULTIPLE_REFUND_REJECTED": 1}}


@paypay_test
async def test_refunds_have_an_end_in_number(paypay: PayPay) -> None:
    payment_id = await bought(paypay)
    for number in range(50):
        assert (await paypay.refund(payment_id, 1, f"r-{number}")).status_code == 200
    more = await paypay.refund(payment_id, 1, "r-50")
    assert code_of(more) == (400, "REFUND_LIMIT_EXCEEDED")
    await paypay.faults(behaviour={"maxRefunds": 0})
    assert (await paypay.refund(payment_id, 1, "r-50")).status_code == 200


@paypay_test
async def test_refunds_have_an_end_in_time(paypay: PayPay) -> None:
    payment_id = await bought(paypay, refundWindowDays=2)
    await asyncio.sleep(2 * DAY_S - 1)
    assert (await paypay.refund(payment_id, 1)).status_code == 200
    await asyncio.sleep(1)
    late = await paypay.refund(payment_id, 1, "r-2")
    assert code_of(late) == (400, "REFUND_WINDOW_EXCEED")


@paypay_test
async def test_a_customer_who_is_gone_gets_nothing(paypay: PayPay) -> None:
    payment_id = await bought(paypay, userState="inactive")
    for state, status, code in (
        ("inactive", 401, "USER_STATE_IS_NOT_ACTIVE"),
        ("canceled", 400, "CANCELED_USER"),
    ):
        await paypay.faults(behaviour={"userState": state})
        assert code_of(await paypay.refund(payment_id, 1)) == (status, code)
    await paypay.create("m-2", 1000, isAuthorization=True)
    await paypay.act("m-2")
    wish = {
        "merchantPaymentId": "m-2",
        "amount": {"amount": 1000, "currency": "JPY"},
        "merchantCaptureId": "c-1",
        "requestedAt": 1,
        "orderDescription": "x",
    }
    captured = await paypay.api("POST", "/v2/payments/capture", wish)
    assert code_of(captured) == (400, "CANCELED_USER")
    await paypay.faults(behaviour={"userState": "active"})
    assert (await paypay.api("POST", "/v2/payments/capture", wish)).status_code == 200


@paypay_test
async def test_what_is_too_old_is_no_longer_there(paypay: PayPay) -> None:
    payment_id = await bought(paypay, retentionDays=1, refundWindowDays=0)
    await paypay.refund(payment_id, 1)
    await asyncio.sleep(DAY_S)
    gone = (400, "ORDER_NO_LONGER_AVAILABLE")
    assert code_of(await paypay.refund(payment_id, 1, "r-2")) == gone
    assert code_of(await paypay.api("DELETE", "/v2/payments/m-1")) == gone
    assert code_of(await paypay.api("GET", "/v2/refunds/r-1")) == gone
    revert = {"merchantRevertId": "v-1", "paymentId": payment_id, "requestedAt": 1}
    assert code_of(await paypay.api("POST", "/v2/payments/preauthorize/revert", revert)) == gone


@paypay_test
async def test_the_last_second_of_the_cancel_window_in_japan(paypay: PayPay) -> None:
    """It is noon in Japan; the window ends at a quarter past the next midnight."""
    for name in ("m-1", "m-2"):
        await paypay.create(name)
        await paypay.act(name)
    await asyncio.sleep(12 * 3600 + 15 * 60 - 1)
    assert code_of(await paypay.api("DELETE", "/v2/payments/m-1"))[0] == 202
    await asyncio.sleep(1)
    late = await paypay.api("DELETE", "/v2/payments/m-2")
    assert code_of(late) == (400, "ORDER_NOT_REVERSIBLE")
    assert late.json()["resultInfo"]["codeId"] == "00200044"


@paypay_test
async def test_the_look_up_of_a_refund_may_insist_on_the_payment(paypay: PayPay) -> None:
    payment_id = await bought(paypay, refundPaymentId="required")
    await paypay.refund(payment_id, 1)
    bare = await paypay.api("GET", "/v2/refunds/r-1")
    assert code_of(bare) == (400, "MISSING_REQUEST_PARAMS")
    assert (await paypay.api("GET", f"/v2/refunds/r-1?paymentId={payment_id}")).status_code == 200


@paypay_test
async def test_a_paid_code_may_also_be_unknown(paypay: PayPay) -> None:
    await paypay.faults(behaviour={"paidCode": "notFound"})
    code = await paypay.create()
    await paypay.act()
    deleted = await paypay.api("DELETE", f"/v2/codes/{code['codeId']}")
    assert code_of(deleted) == (404, "DYNAMIC_QR_NOT_FOUND")


@paypay_test
async def test_a_refund_may_stay_created_for_two_days(paypay: PayPay) -> None:
    payment_id = await bought(paypay, refundDelayMs=172_800_000)
    refund = await paypay.refund(payment_id, 1000)
    assert refund.json()["data"]["status"] == "CREATED"
    await asyncio.sleep(2 * DAY_S - 1)
    assert (await paypay.api("GET", "/v2/refunds/r-1")).json()["data"]["status"] == "CREATED"
    await asyncio.sleep(1)
    assert (await paypay.api("GET", "/v2/refunds/r-1")).json()["data"]["status"] == "REFUNDED"
    assert (await paypay.details())["status"] == "REFUNDED"
