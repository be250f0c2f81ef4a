"""PayPay's paths over HTTP with real signatures: every answer as published, quirks included."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace

import httpx2
import pytest
from tests.support.paypay import (
    JSON_TYPE,
    MERCHANT,
    PayPay,
    a_paypay,
    an_order,
    code_of,
    paypay_test,
)
from tests.support.web import run_virtual

FULL = an_order(
    orderDescription="注文 K-1",
    orderItems=[
        {
            "name": "茶碗",
            "quantity": 2,
            "productId": "7",
            "unitPrice": {"amount": 12590, "currency": "JPY"},
        }
    ],
    storeId="s-1",
    terminalId="t-1",
    requestedAt=1_800_000_000,
    redirectUrl="http://127.0.0.1:8080/orders/1",
    redirectType="WEB_LINK",
    userAgent="Firefox",
)


def sent_id(answer: httpx2.Response) -> str:
    return str(answer.headers["X-REQUEST-ID"])


@paypay_test
async def test_a_code_is_created_with_201_and_echoes_what_was_asked(paypay: PayPay) -> None:
    answer = await paypay.api("POST", "/v2/codes", FULL)
    assert answer.status_code == 201
    assert answer.json()["resultInfo"] == {
        "code": "SUCCESS",
        "message": "Success",
        "codeId": "08100001",
    }
    code = answer.json()["data"]
    assert re.fullmatch(r"04-[A-Za-z0-9]{16}", code["codeId"])
    tail = code["codeId"].replace("-", "")
    assert code == {
        "codeId": code["codeId"],
        "url": f"http://127.0.0.1:8090/281801{tail}",
        "deeplink": f"paypay://payment?link_key=http%3A%2F%2F127.0.0.1%3A8090%2F281801{tail}",
        "expiryDate": paypay.clock.now_ms() // 1000 + 300,
        "merchantPaymentId": "m-1",
        "amount": {"amount": 25180, "currency": "JPY"},
        "orderDescription": "注文 K-1",
        "orderItems": [
            {
                "name": "茶碗",
                "quantity": 2,
                "productId": "7",
                "unit_price": {"amount": 12590, "currency": "JPY"},
            }
        ],
        "codeType": "ORDER_QR",
        "storeId": "s-1",
        "terminalId": "t-1",
        "requestedAt": 1_800_000_000,
        "redirectUrl": "http://127.0.0.1:8080/orders/1",
        "redirectType": "WEB_LINK",
        "isAuthorization": False,
    }


@paypay_test
async def test_what_was_not_asked_for_is_left_out(paypay: PayPay) -> None:
    assert set(await paypay.create()) == {
        "codeId",
        "url",
        "deeplink",
        "expiryDate",
        "merchantPaymentId",
        "amount",
        "codeType",
        "isAuthorization",
    }


@paypay_test
async def test_an_unpaid_code_says_almost_nothing(paypay: PayPay) -> None:
    await paypay.create()
    minimal = {"status": "CREATED", "acceptedAt": 0, "requestedAt": 0}
    assert await paypay.details() == minimal
    other = await paypay.api("GET", "/v2/payments/m-1")
    assert code_of(other) == (404, "RESOURCE_NOT_FOUND")
    await asyncio.sleep(301)
    assert await paypay.details() == minimal


@paypay_test
async def test_a_paid_code_tells_all_but_its_own_id(paypay: PayPay) -> None:
    await paypay.api("POST", "/v2/codes", FULL)
    row = await paypay.act()
    paid_s = paypay.clock.now_ms() // 1000
    expected = {
        "paymentId": row["paymentId"],
        "status": "COMPLETED",
        "acceptedAt": paid_s,
        "merchantPaymentId": "m-1",
        "amount": {"amount": 25180, "currency": "JPY"},
        "requestedAt": 1_800_000_000,
        "storeId": "s-1",
        "terminalId": "t-1",
        "orderDescription": "注文 K-1",
        "orderItems": [
            {
                "name": "茶碗",
                "quantity": 2,
                "productId": "7",
                "unitPrice": {"amount": 12590, "currency": "JPY"},
            }
        ],
        "paymentMethods": [{"amount": {"amount": 25180, "currency": "JPY"}, "type": "WALLET"}],
    }
    assert await paypay.details() == expected
    assert (await paypay.api("GET", "/v2/payments/m-1")).json()["data"] == expected
    assert re.fullmatch(r"\d{20}", row["paymentId"])


@paypay_test
async def test_an_unknown_payment_is_not_found_in_two_ways(paypay: PayPay) -> None:
    by_code = await paypay.api("GET", "/v2/codes/payments/nobody")
    assert code_of(by_code) == (400, "DYNAMIC_QR_PAYMENT_NOT_FOUND")
    assert by_code.json()["resultInfo"]["codeId"] == "01652075"
    assert by_code.json()["data"] is None
    assert code_of(await paypay.api("GET", "/v2/payments/nobody")) == (404, "RESOURCE_NOT_FOUND")
    assert code_of(await paypay.api("DELETE", "/v2/payments/nobody")) == (404, "RESOURCE_NOT_FOUND")
    assert code_of(await paypay.api("DELETE", "/v2/codes/04-x")) == (404, "DYNAMIC_QR_NOT_FOUND")
    assert code_of(await paypay.refund("nobody", 1)) == (404, "RESOURCE_NOT_FOUND")
    assert code_of(await paypay.api("GET", "/v2/refunds/r")) == (404, "NO_SUCH_REFUND_ORDER")


@paypay_test
async def test_every_answer_has_a_request_id_and_errors_repeat_it(paypay: PayPay) -> None:
    fine = await paypay.api("POST", "/v2/codes", an_order())
    wrong = await paypay.api("GET", "/v2/payments/m-1")
    for answer in (fine, wrong):
        assert re.fullmatch(r"OPA[0-9A-F]{32}", sent_id(answer))
    assert sent_id(fine) != sent_id(wrong)
    assert wrong.json()["resultInfo"]["message"] == f"Order not found | [{sent_id(wrong)}]"
    assert fine.json()["resultInfo"]["message"] == "Success"


@paypay_test
async def test_an_expired_code_may_also_be_not_found(paypay: PayPay) -> None:
    await paypay.faults(behaviour={"expiredCode": "notFound"}, codeLifetimeS=60)
    code = await paypay.create()
    assert code["expiryDate"] == paypay.clock.now_ms() // 1000 + 60
    assert (await paypay.details())["status"] == "CREATED"
    await asyncio.sleep(60)
    answer = await paypay.api("GET", "/v2/codes/payments/m-1")
    assert code_of(answer) == (400, "DYNAMIC_QR_PAYMENT_NOT_FOUND")


@paypay_test
async def test_a_repeated_id_is_an_error_or_the_same_code(paypay: PayPay) -> None:
    first = await paypay.create()
    again = await paypay.api("POST", "/v2/codes", an_order())
    assert code_of(again) == (400, "DUPLICATE_DYNAMIC_QR_REQUEST")
    assert again.json()["resultInfo"]["codeId"] == "01652073"
    await paypay.faults(behaviour={"duplicateId": "previous"})
    assert await paypay.create(amount=1) == first
    assert len(await paypay.payments()) == 1


@paypay_test
async def test_eight_at_once_make_one_code(paypay: PayPay) -> None:
    answers = await asyncio.gather(*(paypay.api("POST", "/v2/codes", an_order()) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [400] * 7
    assert len(await paypay.payments()) == 1


@paypay_test
async def test_a_code_is_deleted_once_and_never_when_paid(paypay: PayPay) -> None:
    code = await paypay.create()
    deleted = await paypay.api("DELETE", f"/v2/codes/{code['codeId']}", raw=b"{}")
    assert (deleted.status_code, deleted.json()["data"]) == (200, {"qrStatus": "DELETED"})
    again = await paypay.api("DELETE", f"/v2/codes/{code['codeId']}")
    assert code_of(again) == (404, "DYNAMIC_QR_NOT_FOUND")
    assert (await paypay.client.post("/sim/payments/m-1/pay")).status_code == 409
    assert (await paypay.details())["status"] == "CREATED"
    paid = await paypay.create("m-2")
    await paypay.act("m-2")
    refused = await paypay.api("DELETE", f"/v2/codes/{paid['codeId']}")
    assert code_of(refused) == (400, "DYNAMIC_QR_ALREADY_PAID")


@paypay_test
async def test_a_cancel_is_accepted_and_takes_effect_later(paypay: PayPay) -> None:
    await paypay.create()
    await paypay.act()
    cancelled = await paypay.api("DELETE", "/v2/payments/m-1")
    assert code_of(cancelled) == (202, "REQUEST_ACCEPTED")
    assert cancelled.json()["data"] is None
    assert (await paypay.details())["status"] == "COMPLETED"
    await asyncio.sleep(0.5)
    details = await paypay.details()
    assert details["status"] == "FAILED"
    assert details["canceledAt"] == paypay.clock.now_ms() // 1000
    assert code_of(await paypay.api("DELETE", "/v2/payments/m-1"))[0] == 202


@paypay_test
async def test_a_cancel_before_the_payment_shows_completed_then_failed(paypay: PayPay) -> None:
    await paypay.create()
    assert code_of(await paypay.api("DELETE", "/v2/payments/m-1"))[0] == 202
    assert (await paypay.details())["status"] == "CREATED"
    await paypay.act()
    assert (await paypay.details())["status"] == "COMPLETED"
    await asyncio.sleep(0.5)
    assert (await paypay.details())["status"] == "FAILED"
    assert [notice["state"] for notice in paypay.door.notices()] == ["COMPLETED"]


@paypay_test
async def test_a_refund_is_created_then_refunded_and_made_once(paypay: PayPay) -> None:
    await paypay.create()
    payment_id = (await paypay.act())["paymentId"]
    # The official Python SDK asks with a slash at the end.
    first = await paypay.refund(payment_id, 25180, path="/v2/refunds/")
    now_s = paypay.clock.now_ms() // 1000
    assert first.status_code == 200
    assert first.json()["data"] == {
        "status": "CREATED",
        "acceptedAt": now_s,
        "merchantRefundId": "r-1",
        "paymentId": payment_id,
        "amount": {"amount": 25180, "currency": "JPY"},
        "requestedAt": now_s,
        "reason": "x",
    }
    assert (await paypay.details())["status"] == "COMPLETED"
    await asyncio.sleep(1)
    again = await paypay.refund(payment_id, 1)
    assert again.json()["data"] == {**first.json()["data"], "status": "REFUNDED"}
    for path in ("/v2/refunds/r-1", f"/v2/refunds/r-1?paymentId={payment_id}"):
        assert (await paypay.api("GET", path)).json()["data"] == again.json()["data"]
    other = await paypay.api("GET", "/v2/refunds/r-1?paymentId=0")
    assert code_of(other) == (404, "NO_SUCH_REFUND_ORDER")
    details = await paypay.details()
    assert details["status"] == "REFUNDED"
    assert details["refunds"] == {"data": [again.json()["data"]]}


@paypay_test
async def test_a_refund_that_cannot_be_is_refused(paypay: PayPay) -> None:
    await paypay.create()
    payment_id = (await paypay.act())["paymentId"]
    too_much = await paypay.refund(payment_id, 25181)
    assert code_of(too_much) == (400, "INVALID_PARAMS")
    await paypay.faults(behaviour={"multipleRefunds": False})
    assert (await paypay.refund(payment_id, 1)).status_code == 200
    second = await paypay.refund(payment_id, 1, "r-2")
    assert code_of(second) == (403, "MERCHANT_MULTIPLE_REFUND_REJECTED")
    assert code_of(await paypay.api("DELETE", "/v2/payments/m-1")) == (400, "ORDER_NOT_REVERSIBLE")
    assert len((await paypay.payments())[0]["refunds"]) == 1


@paypay_test
async def test_the_merchants_own_id_in_a_refund_is_an_internal_error(paypay: PayPay) -> None:
    await paypay.create()
    await paypay.act()
    assert code_of(await paypay.refund("m-1", 1)) == (500, "INTERNAL_SERVER_ERROR")


@paypay_test
async def test_a_declined_payment_is_failed(paypay: PayPay) -> None:
    await paypay.create()
    await paypay.act(act="decline")
    details = await paypay.details()
    assert (details["status"], details["acceptedAt"]) == ("FAILED", 0)
    assert details["canceledAt"] == paypay.clock.now_ms() // 1000
    assert "paymentMethods" not in details


@paypay_test
async def test_authorisations_may_be_out_of_the_contract(paypay: PayPay) -> None:
    await paypay.faults(behaviour={"preAuth": False})
    for path in (
        "/v2/payments/capture",
        "/v2/payments/preauthorize/revert",
        "/v2/payments/reauthorize",
    ):
        answer = await paypay.api("POST", path, {"merchantPaymentId": "m-1", "paymentId": "p"})
        assert code_of(answer) == (401, "OP_OUT_OF_SCOPE")
    asked = await paypay.api("POST", "/v2/codes", an_order(isAuthorization=True))
    assert code_of(asked) == (400, "PRE_AUTH_CAPTURE_UNSUPPORTED_MERCHANT")
    assert await paypay.payments() == []


MISSING, INVALID = "MISSING_REQUEST_PARAMS", "INVALID_REQUEST_PARAMS"
WITHOUT_TYPE = {key: value for key, value in an_order().items() if key != "codeType"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", INVALID),
        (b"", INVALID),
        (b"[]", INVALID),
        (b"\xff\xfe", INVALID),
        (b"{}", MISSING),
        (json.dumps(WITHOUT_TYPE).encode(), MISSING),
        (json.dumps(an_order("a b")).encode(), INVALID),
        (json.dumps(an_order("x" * 65)).encode(), INVALID),
        (json.dumps(an_order(amount=0)).encode(), INVALID),
        (json.dumps(an_order(amount=-1)).encode(), INVALID),
        (json.dumps(an_order(amount=10**11)).encode(), INVALID),
        (
            json.dumps({**an_order(), "amount": {"amount": "100", "currency": "JPY"}}).encode(),
            INVALID,
        ),
        (
            json.dumps({**an_order(), "amount": {"amount": 1.5, "currency": "JPY"}}).encode(),
            INVALID,
        ),
        (json.dumps({**an_order(), "amount": {"amount": 1, "currency": "USD"}}).encode(), INVALID),
        (json.dumps(an_order(codeType="OTHER")).encode(), INVALID),
        (json.dumps(an_order(orderDescription="あ" * 256)).encode(), INVALID),
        (json.dumps(an_order(orderItems=[{"name": "x"}])).encode(), MISSING),
        (json.dumps(an_order(redirectType="MAIL")).encode(), INVALID),
    ],
)
def test_a_wrong_request_makes_no_code(body: bytes, code: str) -> None:
    async def live() -> None:
        async with a_paypay() as paypay:
            answer = await paypay.api("POST", "/v2/codes", raw=body)
            assert code_of(answer) == (400, code)
            assert await paypay.payments() == []

    run_virtual(live())


@paypay_test
async def test_a_stranger_gets_401_and_changes_nothing(paypay: PayPay) -> None:
    code = await paypay.create()
    await paypay.act()
    strangers = (
        {"signed_as": replace(MERCHANT, api_key="other")},
        {"signed_as": replace(MERCHANT, api_secret="kessai-sim-secreT")},
        {"signed_as": replace(MERCHANT, merchant_id="other")},
        {"skew_s": 120},
        {"skew_s": -120},
        {"headers": {"Authorization": ""}},
        {"headers": {"Authorization": "Bearer x"}},
    )
    for stranger in strangers:
        for method, path in (
            ("POST", "/v2/codes"),
            ("DELETE", f"/v2/codes/{code['codeId']}"),
            ("GET", "/v2/codes/payments/m-1"),
            ("DELETE", "/v2/payments/m-1"),
            ("POST", "/v2/refunds"),
            ("POST", "/v2/payments/capture"),
        ):
            answer = await paypay.api(method, path, raw=b"{}", **stranger)
            assert code_of(answer) == (401, "UNAUTHORIZED"), (stranger, path)
            assert answer.json()["resultInfo"]["codeId"] == "08100016"
    await asyncio.sleep(1)
    assert (await paypay.details())["status"] == "COMPLETED"
    fine = await paypay.api("GET", "/v2/codes/payments/m-1", skew_s=119)
    assert fine.status_code == 200


@paypay_test
async def test_a_body_changed_on_the_way_is_refused(paypay: PayPay) -> None:
    def change(request: httpx2.Request) -> httpx2.Request:
        return paypay.client.build_request(
            request.method,
            request.url,
            content=request.content.replace(b"25180", b"1    "),
            headers=request.headers,
        )

    sent: list[httpx2.Request] = []

    async def keep(request: httpx2.Request) -> None:
        sent.append(request)

    paypay.client.event_hooks["request"] = [keep]
    await paypay.create("m-1")
    paypay.client.event_hooks["request"] = []
    answer = await paypay.client.send(change(sent[0]))
    assert code_of(answer) == (401, "UNAUTHORIZED")


@paypay_test
async def test_the_merchant_may_be_named_in_the_query_which_wins(paypay: PayPay) -> None:
    path = "/v2/codes/payments/m-1?assumeMerchant="
    await paypay.create()
    wrong = {"X-ASSUME-MERCHANT": "other"}
    right = await paypay.api("GET", path + "kessai-merchant", headers=wrong)
    assert right.status_code == 200
    other = await paypay.api("GET", path + "other")
    assert code_of(other) == (401, "UNAUTHORIZED")
    unset = await paypay.api("GET", "/v2/codes/payments/m-1", headers={"X-ASSUME-MERCHANT": ""})
    assert unset.status_code == 200


@pytest.mark.parametrize(
    "content_type", [JSON_TYPE, "application/json;charset=UTF-8", "application/json;charset=UTF-8;"]
)
def test_each_official_spelling_of_the_content_type_is_verified(content_type: str) -> None:
    async def live() -> None:
        async with a_paypay() as paypay:
            body = json.dumps(an_order()).encode()
            answer = await paypay.api("POST", "/v2/codes", raw=body, content_type=content_type)
            assert answer.status_code == 201

    run_virtual(live())
