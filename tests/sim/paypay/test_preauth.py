"""Authorisations over PayPay's paths: hold, capture, other amount, give back, let pass."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
from tests.support.paypay import Json, PayPay, code_of, paypay_test

DAY_S = 86_400
CAPTURE, REVERT = "/v2/payments/capture", "/v2/payments/preauthorize/revert"
REAUTHORIZE = "/v2/payments/reauthorize"


async def authorized(paypay: PayPay, name: str = "m-1", **more: Any) -> str:
    await paypay.create(name, 1000, isAuthorization=True, **more)
    return str((await paypay.act(name))["paymentId"])


def now_s(paypay: PayPay) -> int:
    return paypay.clock.now_ms() // 1000


async def capture(
    paypay: PayPay, amount: int, *, name: str = "m-1", own_id: str = "c-1"
) -> httpx2.Response:
    wish = {
        "merchantPaymentId": name,
        "amount": {"amount": amount, "currency": "JPY"},
        "merchantCaptureId": own_id,
        "requestedAt": now_s(paypay),
        "orderDescription": "sent",
    }
    return await paypay.api("POST", CAPTURE, wish)


async def revert(paypay: PayPay, payment_id: str, own_id: str = "v-1") -> httpx2.Response:
    wish = {
        "merchantRevertId": own_id,
        "paymentId": payment_id,
        "requestedAt": now_s(paypay),
        "reason": "sold out",
    }
    return await paypay.api("POST", REVERT, wish)


async def reauthorize(
    paypay: PayPay, payment_id: str, amount: int, own_id: str = "a-1", **more: Any
) -> httpx2.Response:
    wish = {
        "requestId": own_id,
        "paymentId": payment_id,
        "updatedAmount": {"amount": amount, "currency": "JPY"},
        **more,
    }
    return await paypay.api("POST", REAUTHORIZE, wish)


TO_THE_CUSTOMER = {
    "redirectUrl": "http://127.0.0.1:8080/",
    "redirectType": "WEB_LINK",
    "userAgent": "Firefox",
}


def states(paypay: PayPay) -> list[str]:
    return [notice["state"] for notice in paypay.door.notices()]


def money(amount: int) -> Json:
    return {"amount": amount, "currency": "JPY"}


@paypay_test
async def test_a_paid_authorisation_is_held_and_told(paypay: PayPay) -> None:
    expiry_s = now_s(paypay) + 3 * DAY_S
    code = await paypay.create("m-1", 1000, isAuthorization=True, authorizationExpiry=expiry_s)
    assert (code["isAuthorization"], code["authorizationExpiry"]) == (True, expiry_s)
    row = await paypay.act()
    assert (row["status"], row["captured"], row["paidAt"]) == ("AUTHORIZED", 0, None)
    await asyncio.sleep(1)
    held = await paypay.details()
    assert held == {
        "paymentId": row["paymentId"],
        "status": "AUTHORIZED",
        "acceptedAt": now_s(paypay) - 1,
        "merchantPaymentId": "m-1",
        "amount": money(1000),
        "requestedAt": now_s(paypay) - 1,
        "expiresAt": expiry_s,
        "paymentMethods": [{"amount": money(1000), "type": "WALLET"}],
    }
    assert paypay.door.notices() == [
        {
            "notification_type": "Transaction",
            "merchant_id": "kessai-merchant",
            "store_id": None,
            "pos_id": None,
            "order_id": row["paymentId"],
            "merchant_order_id": "m-1",
            "authorized_at": "2026-01-15T03:00:00Z",
            "expires_at": "2026-01-18T03:00:00Z",
            "paid_at": None,
            "order_amount": "1000",
            "state": "AUTHORIZED",
        }
    ]
    ledger = (await paypay.client.get("/sim/ledger")).json()
    assert ledger["totals"]["captured"] == 0


@paypay_test
async def test_a_capture_takes_the_money_once(paypay: PayPay) -> None:
    payment_id = await authorized(paypay)
    await asyncio.sleep(10)
    answer = await capture(paypay, 800)
    assert (answer.status_code, answer.json()["resultInfo"]["code"]) == (200, "SUCCESS")
    data = answer.json()["data"]
    assert (data["paymentId"], data["status"]) == (payment_id, "COMPLETED")
    assert data["captures"] == {
        "data": [
            {
                "status": "COMPLETED",
                "acceptedAt": now_s(paypay),
                "merchantCaptureId": "c-1",
                "amount": money(800),
                "orderDescription": "sent",
                "requestedAt": now_s(paypay),
            }
        ]
    }
    assert data["paymentMethods"] == [{"amount": money(800), "type": "WALLET"}]
    assert data["acceptedAt"] == now_s(paypay) - 10
    assert await paypay.details() == data
    for own_id in ("c-1", "c-2"):
        assert code_of(await capture(paypay, 800, own_id=own_id)) == (400, "ALREADY_CAPTURED")
    await asyncio.sleep(1)
    assert states(paypay) == ["AUTHORIZED", "COMPLETED"]
    told = paypay.door.notices()[1]
    assert (told["order_amount"], told["paid_at"]) == ("800", "2026-01-15T03:00:10Z")
    assert told["authorized_at"] == "2026-01-15T03:00:00Z"
    ledger = (await paypay.client.get("/sim/ledger")).json()
    assert ledger["totals"]["captured"] == 800


@paypay_test
async def test_a_capture_shows_itself_however_long_it_took(paypay: PayPay) -> None:
    await authorized(paypay)
    await paypay.faults(api={"capture": {"staleMs": 5}})
    data = (await capture(paypay, 800)).json()["data"]
    assert (data["status"], data["captures"]["data"][0]["status"]) == ("COMPLETED", "COMPLETED")


@paypay_test
async def test_a_captured_payment_is_refunded_but_not_cancelled(paypay: PayPay) -> None:
    payment_id = await authorized(paypay)
    assert code_of(await paypay.refund(payment_id, 1)) == (400, "UNACCEPTABLE_OP")
    await capture(paypay, 800)
    assert code_of(await paypay.api("DELETE", "/v2/payments/m-1")) == (400, "ORDER_NOT_REVERSIBLE")
    assert code_of(await paypay.refund(payment_id, 801)) == (400, "INVALID_PARAMS")
    assert (await paypay.refund(payment_id, 800)).status_code == 200
    await asyncio.sleep(2)
    assert (await paypay.details())["status"] == "REFUNDED"
    assert code_of(await capture(paypay, 1, own_id="c-9")) == (400, "ALREADY_CAPTURED")
    assert code_of(await revert(paypay, payment_id)) == (400, "ORDER_NOT_CANCELABLE")
    assert states(paypay) == ["AUTHORIZED", "COMPLETED"]


@paypay_test
async def test_a_revert_gives_the_money_back_and_is_told(paypay: PayPay) -> None:
    payment_id = await authorized(paypay)
    answer = await revert(paypay, payment_id)
    assert answer.status_code == 200
    assert answer.json()["data"] == {
        "status": "CANCELED",
        "acceptedAt": now_s(paypay),
        "paymentId": payment_id,
        "requestedAt": now_s(paypay),
        "reason": "sold out",
    }
    details = await paypay.details()
    assert details["status"] == "CANCELED"
    assert details["revert"] == {
        "acceptedAt": now_s(paypay),
        "merchantRevertId": "v-1",
        "requestedAt": now_s(paypay),
        "reason": "sold out",
    }
    assert code_of(await revert(paypay, payment_id)) == (400, "ORDER_NOT_CANCELABLE")
    assert code_of(await revert(paypay, "nobody")) == (404, "RESOURCE_NOT_FOUND")
    assert code_of(await capture(paypay, 1)) == (400, "ORDER_NOT_CAPTURABLE")
    assert code_of(await paypay.api("DELETE", "/v2/payments/m-1")) == (400, "ORDER_NOT_REVERSIBLE")
    await asyncio.sleep(1)
    assert states(paypay) == ["AUTHORIZED", "CANCELED"]
    assert paypay.door.notices()[1]["paid_at"] is None


@paypay_test
async def test_an_authorisation_ends_by_time_alone_and_is_told(paypay: PayPay) -> None:
    payment_id = await authorized(paypay, authorizationExpiry=now_s(paypay) + 2 * DAY_S)
    await asyncio.sleep(2 * DAY_S - 0.001)
    assert (await paypay.details())["status"] == "AUTHORIZED"
    await asyncio.sleep(0.001)
    assert (await paypay.details())["status"] == "EXPIRED"
    assert code_of(await capture(paypay, 1)) == (400, "ORDER_EXPIRED")
    assert code_of(await revert(paypay, payment_id)) == (400, "ORDER_NOT_CANCELABLE")
    assert code_of(await reauthorize(paypay, payment_id, 1)) == (400, "REAUTHORIZE_REJECTED")
    assert code_of(await paypay.api("DELETE", "/v2/payments/m-1")) == (400, "ORDER_NOT_REVERSIBLE")
    await asyncio.sleep(2)
    assert states(paypay) == ["AUTHORIZED", "EXPIRED"]
    assert paypay.door.notices()[1]["paid_at"] is None
    await asyncio.sleep(DAY_S)
    assert len(paypay.door.received) == 2


@paypay_test
async def test_without_an_expiry_the_contract_says_how_long(paypay: PayPay) -> None:
    await paypay.faults(behaviour={"authorizationMaxDays": 7})
    await authorized(paypay)
    assert (await paypay.details())["expiresAt"] == now_s(paypay) + 7 * DAY_S
    too_long = await paypay.api(
        "POST",
        "/v2/codes",
        {
            "merchantPaymentId": "m-2",
            "amount": money(1),
            "codeType": "ORDER_QR",
            "isAuthorization": True,
            "authorizationExpiry": now_s(paypay) + 7 * DAY_S + 1,
        },
    )
    assert code_of(too_long) == (400, "PRE_AUTH_CAPTURE_INVALID_EXPIRY_DATE")
    assert too_long.json()["resultInfo"]["codeId"] == "00400061"


@paypay_test
async def test_a_cancelled_authorisation_fails_without_a_word(paypay: PayPay) -> None:
    payment_id = await authorized(paypay, authorizationExpiry=now_s(paypay) + DAY_S)
    assert code_of(await paypay.api("DELETE", "/v2/payments/m-1")) == (202, "REQUEST_ACCEPTED")
    assert (await paypay.details())["status"] == "AUTHORIZED"
    assert code_of(await capture(paypay, 1)) == (400, "ORDER_NOT_CAPTURABLE")
    assert code_of(await revert(paypay, payment_id)) == (400, "ORDER_NOT_CANCELABLE")
    await asyncio.sleep(0.5)
    details = await paypay.details()
    assert (details["status"], details["canceledAt"]) == ("FAILED", now_s(paypay))
    assert (await paypay.client.get("/sim/ledger")).json()["totals"]["captured"] == 0
    await asyncio.sleep(DAY_S)
    assert (await paypay.details())["status"] == "FAILED"
    assert states(paypay) == ["AUTHORIZED"]


@paypay_test
async def test_a_cancel_before_the_payment_shows_authorized_then_failed(paypay: PayPay) -> None:
    await paypay.create("m-1", 1000, isAuthorization=True)
    await paypay.api("DELETE", "/v2/payments/m-1")
    assert (await paypay.act())["status"] == "AUTHORIZED"
    await asyncio.sleep(0.5)
    assert (await paypay.details())["status"] == "FAILED"


@paypay_test
async def test_what_is_no_authorisation_is_not_captured(paypay: PayPay) -> None:
    assert code_of(await capture(paypay, 1)) == (404, "RESOURCE_NOT_FOUND")
    await paypay.create("m-1", 1000, isAuthorization=True)
    assert code_of(await capture(paypay, 1)) == (404, "RESOURCE_NOT_FOUND")
    await paypay.create("m-2", 1000)
    payment_id = (await paypay.act("m-2"))["paymentId"]
    assert code_of(await capture(paypay, 1, name="m-2")) == (400, "ORDER_NOT_CAPTURABLE")
    assert code_of(await revert(paypay, payment_id)) == (400, "ORDER_NOT_CANCELABLE")
    assert code_of(await reauthorize(paypay, payment_id, 1)) == (400, "REAUTHORIZE_REJECTED")
    missing = await paypay.api("POST", CAPTURE, {"merchantPaymentId": "m-1"})
    assert code_of(missing) == (400, "MISSING_REQUEST_PARAMS")


@paypay_test
async def test_a_capture_above_the_hold_asks_the_customer(paypay: PayPay) -> None:
    await authorized(paypay)
    answer = await capture(paypay, 1200)
    info = answer.json()["resultInfo"]
    assert (answer.status_code, info["code"]) == (202, "USER_CONFIRMATION_REQUIRED")
    assert (info["codeId"], answer.json()["data"]) == ("08300103", None)
    assert info["message"].endswith(f" | [{answer.headers['X-REQUEST-ID']}]")
    asked = await paypay.details()
    assert (asked["status"], asked["captures"]["data"][0]["status"]) == (
        "AUTHORIZED",
        "USER_REQUESTED",
    )
    assert asked["captures"]["data"][0]["expiresAt"] == now_s(paypay) + 6 * 3600
    assert (await paypay.payments())[0]["asked"] == 1200
    again = await capture(paypay, 900, own_id="c-2")
    assert code_of(again) == (400, "REAUTHORIZATION_IN_PROGRESS")
    assert (await paypay.act(act="agree"))["status"] == "REAUTHORIZING"
    assert code_of(await capture(paypay, 900, own_id="c-2"))[1] == "REAUTHORIZATION_IN_PROGRESS"
    await asyncio.sleep(3)
    done = await paypay.details()
    assert (done["status"], done["captures"]["data"][0]["amount"]) == ("COMPLETED", money(1200))
    assert states(paypay) == ["AUTHORIZED", "COMPLETED"]
    assert paypay.door.notices()[1]["order_amount"] == "1200"
    assert (await paypay.client.post("/sim/payments/m-1/agree")).status_code == 409


@paypay_test
async def test_a_customer_who_does_not_answer_says_no(paypay: PayPay) -> None:
    await paypay.faults(behaviour={"confirmationMs": 60_000})
    await authorized(paypay)
    await capture(paypay, 1200)
    await asyncio.sleep(62)
    assert (await paypay.details())["status"] == "AUTHORIZED"
    assert "captures" not in await paypay.details()
    assert (await paypay.client.post("/sim/payments/m-1/agree")).status_code == 409
    told = paypay.door.notices()[1]
    assert "paid_at" not in told
    assert (told["state"], told["reauth_request_id"]) == ("AUTHORIZED", "c-1")
    assert told["confirmation_expires_at"] == "2026-01-15T03:01:00Z"
    await capture(paypay, 1300, own_id="c-2")
    await paypay.act(act="refuse")
    assert (await capture(paypay, 1000, own_id="c-3")).status_code == 200


@paypay_test
async def test_a_capture_above_the_hold_may_also_be_refused(paypay: PayPay) -> None:
    await paypay.faults(behaviour={"captureAbove": "refuse"})
    await authorized(paypay)
    assert code_of(await capture(paypay, 1001)) == (400, "LIMIT_EXCEEDED")
    await paypay.faults(behaviour={"captureAbove": "confirm"})
    await paypay.client.post("/sim/payments/m-1/shorten?leftMs=599000")
    assert code_of(await capture(paypay, 1001)) == (400, "TOO_CLOSE_TO_EXPIRY")
    assert (await capture(paypay, 1000)).status_code == 200


@paypay_test
async def test_a_lower_amount_is_reauthorized_at_once(paypay: PayPay) -> None:
    payment_id = await authorized(paypay)
    answer = await reauthorize(paypay, payment_id, 700)
    assert answer.status_code == 200
    assert answer.json()["data"] == {
        "requestId": "a-1",
        "paymentId": payment_id,
        "updatedAmount": money(700),
        "requestedAt": now_s(paypay),
        "acceptedAt": now_s(paypay),
        "expiresAt": now_s(paypay) + 30 * DAY_S,
        "paymentMethods": [{"amount": money(700), "type": "WALLET"}],
    }
    assert (await paypay.details())["amount"] == money(700)
    for own_id, amount, code in (
        ("a-1", 600, "REAUTHORIZE_REJECTED"),
        ("a-2", 700, "REAUTH_AMOUNT_UNCHANGED"),
    ):
        assert code_of(await reauthorize(paypay, payment_id, amount, own_id)) == (400, code)
    assert code_of(await reauthorize(paypay, "nobody", 1)) == (404, "RESOURCE_NOT_FOUND")
    await asyncio.sleep(1)
    told = paypay.door.notices()[1]
    assert (told["state"], told["reauth_request_id"]) == ("AUTHORIZED", "a-1")
    assert (told["order_amount"], told["paid_at"]) == ("700", None)
    for number in range(2, 11):
        lower = await reauthorize(paypay, payment_id, 700 - number, f"a-{number}")
        assert lower.status_code == 200
    last = await reauthorize(paypay, payment_id, 1, "a-11")
    assert code_of(last) == (400, "REAUTH_MAX_LIMIT_EXCEEDED")


@paypay_test
async def test_a_higher_amount_waits_for_the_customer(paypay: PayPay) -> None:
    payment_id = await authorized(paypay)
    short = await reauthorize(paypay, payment_id, 1500)
    assert code_of(short) == (400, "MISSING_REQUEST_PARAMS")
    answer = await reauthorize(paypay, payment_id, 1500, **TO_THE_CUSTOMER)
    info, data = answer.json()["resultInfo"], answer.json()["data"]
    assert (answer.status_code, info["codeId"]) == (201, "08300104")
    assert set(data) == {"expiresAt", "url"}
    assert (await paypay.details())["amount"] == money(1000)
    path = data["url"].removeprefix("http://127.0.0.1:8090")
    page = await paypay.client.get(path)
    assert "この金額で支払う" in page.text
    assert (await paypay.client.post(f"{path}/agree")).status_code == 303
    assert (await paypay.details())["amount"] == money(1500)
    assert "支払いを受け付けました" in (await paypay.client.get(path)).text
    await asyncio.sleep(1)
    told = paypay.door.notices()[1]
    assert (told["order_amount"], told["reauth_request_id"]) == ("1500", "a-1")
    assert (await capture(paypay, 1500)).status_code == 200


@paypay_test
async def test_an_expiry_that_comes_sooner_is_told(paypay: PayPay) -> None:
    await authorized(paypay)
    shortened = await paypay.client.post("/sim/payments/m-1/shorten?leftMs=60000")
    assert shortened.json()["authorizedUntil"] == "2026-01-15T03:01:00.000Z"
    await asyncio.sleep(70)
    assert states(paypay) == ["AUTHORIZED", "AUTHORIZED", "EXPIRED"]
    assert paypay.door.notices()[1]["expires_at"] == "2026-01-15T03:01:00Z"
    assert (await paypay.client.post("/sim/payments/m-1/shorten?leftMs=1")).status_code == 409


@paypay_test
async def test_by_remote_control_an_authorisation_ends_at_once(paypay: PayPay) -> None:
    await authorized(paypay)
    assert (await paypay.act(act="expire"))["status"] == "EXPIRED"
    await asyncio.sleep(1)
    assert states(paypay) == ["AUTHORIZED", "EXPIRED"]
    assert (await paypay.client.post("/sim/payments/m-1/expire")).status_code == 409


@paypay_test
async def test_the_published_sample_has_an_empty_order_id(paypay: PayPay) -> None:
    await paypay.faults(behaviour={"authorizedOrderId": "empty"})
    await authorized(paypay)
    await capture(paypay, 1000)
    await asyncio.sleep(1)
    assert [notice["merchant_order_id"] for notice in paypay.door.notices()] == ["", "m-1"]


@paypay_test
async def test_each_notice_of_an_authorisation_is_sent_again_on_demand(paypay: PayPay) -> None:
    payment_id = await authorized(paypay)
    await reauthorize(paypay, payment_id, 700)
    await revert(paypay, payment_id)
    await asyncio.sleep(1)
    first = paypay.door.notices()
    for webhook_id in ("m-1.AUTHORIZED", "m-1.REAUTHORIZED.a-1", "m-1.CANCELED"):
        assert (await paypay.client.post(f"/sim/webhooks/{webhook_id}/resend")).status_code == 202
    for webhook_id in ("m-1.EXPIRED", "m-1.COMPLETED", "m-1.REAUTHORIZED.a-2"):
        assert (await paypay.client.post(f"/sim/webhooks/{webhook_id}/resend")).status_code == 404
    await asyncio.sleep(1)
    again = paypay.door.notices()[3:]
    assert [notice["state"] for notice in again] == ["AUTHORIZED", "AUTHORIZED", "CANCELED"]
    assert again[1:] == first[1:]


@paypay_test
async def test_the_wallet_sets_aside_what_is_held(paypay: PayPay) -> None:
    code = await paypay.create("m-1", 1000, isAuthorization=True)
    path = code["url"].removeprefix("http://127.0.0.1:8090")
    assert (await paypay.client.post(f"{path}/pay")).status_code == 303

    async def balance() -> int:
        return int((await paypay.client.get("/sim/ledger")).json()["walletBalance"])

    assert await balance() == 49_000
    await capture(paypay, 400)
    assert await balance() == 49_600
    assert "支払いました" in (await paypay.client.get(path)).text
