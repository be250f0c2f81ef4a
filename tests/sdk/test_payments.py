"""What PayPay's own SDKs do with a payment, from its code to its refund."""

from __future__ import annotations

import time
from urllib.parse import quote

import pytest
from tests.sdk.lane import SDK, Sdk
from tests.sdk.simulator import Simulator, a_refund, an_order, eventually, paid, status

pytestmark = SDK

# Japanese, what JSON escapes, beyond the basic plane, and what looks like an escape already.
TEXTS = ["お茶碗 ×2", 'say "いいえ" \\ / \t', "𠮷野家 🍵", "\\u3042 %E3%81%82 & = +"]


def test_a_code_is_made_and_echoed(sdk: Sdk, simulator: Simulator) -> None:
    item = {
        "name": "茶碗",
        "category": "器",
        "quantity": 2,
        "productId": "p-7",
        "unitPrice": {"amount": 12590, "currency": "JPY"},
    }
    wish = an_order(
        orderDescription="茶碗、二つ",
        orderItems=[item],
        storeInfo="本店",
        storeId="s-1",
        terminalId="t-1",
        redirectUrl="http://127.0.0.1:8080/orders/1?from=paypay",
        redirectType="WEB_LINK",
        userAgent="Mozilla/5.0",
    )
    before_s = int(time.time())
    made = sdk.call("createCode", wish)
    assert (made.status, made.code, made.code_id) == (201, "SUCCESS", "08100001")
    code = dict(made.data)
    code_id, url = code.pop("codeId"), code.pop("url")
    assert (code_id[:3], len(code_id)) == ("04-", 19)
    assert url.endswith("/281801" + code_id.replace("-", ""))
    assert code.pop("deeplink") == f"paypay://payment?link_key={quote(url, safe='')}"
    requested_s = code.pop("requestedAt")
    assert before_s <= requested_s <= time.time() + 1
    assert 299 <= code.pop("expiryDate") - requested_s <= 302
    price = item.pop("unitPrice")
    told = {**wish, "orderItems": [{**item, "unit_price": price}], "isAuthorization": False}
    del told["userAgent"]
    assert code == told


def test_nothing_that_was_not_asked_for_comes_back(sdk: Sdk, simulator: Simulator) -> None:
    assert set(sdk.call("createCode", an_order()).data) == {
        "codeId",
        "url",
        "deeplink",
        "expiryDate",
        "merchantPaymentId",
        "amount",
        "codeType",
        "requestedAt",
        "isAuthorization",
    }


@pytest.mark.parametrize("text", TEXTS)
def test_every_text_arrives_as_it_was_sent(sdk: Sdk, simulator: Simulator, text: str) -> None:
    assert sdk.call("createCode", an_order(orderDescription=text)).data["orderDescription"] == text
    simulator.act("m-1", "pay")
    assert sdk.call("getCodePayment", "m-1").data["orderDescription"] == text


def test_the_longest_of_everything_is_taken(sdk: Sdk, simulator: Simulator) -> None:
    name, text = "aZ09-_" * 10 + "wxyz", "決" * 255
    made = sdk.call("createCode", an_order(name, 99_999_999_999, orderDescription=text))
    assert made.told == (201, "SUCCESS")
    assert (made.data["merchantPaymentId"], made.data["orderDescription"]) == (name, text)
    assert status(sdk, name) == "CREATED"


def test_a_payment_from_its_code_to_its_refund(sdk: Sdk, simulator: Simulator) -> None:
    assert sdk.call("createCode", an_order()).told == (201, "SUCCESS")
    unpaid = sdk.call("getCodePayment", "m-1")
    assert unpaid.told == (200, "SUCCESS")
    assert unpaid.data == {"status": "CREATED", "acceptedAt": 0, "requestedAt": 0}
    # An unpaid code is no payment yet: the commonest mistake of those who integrate PayPay.
    assert sdk.call("getPayment", "m-1").told == (404, "RESOURCE_NOT_FOUND")

    payment_id = simulator.act("m-1", "pay")["paymentId"]
    for operation in ("getCodePayment", "getPayment"):
        seen = sdk.call(operation, "m-1")
        assert seen.told == (200, "SUCCESS")
        assert (seen.data["status"], seen.data["paymentId"]) == ("COMPLETED", payment_id)
        assert seen.data["amount"] == {"amount": 25180, "currency": "JPY"}
        assert abs(seen.data["acceptedAt"] - time.time()) < 30

    refunded = sdk.call("refund", a_refund(payment_id))
    assert refunded.told == (200, "SUCCESS")
    assert refunded.data["status"] in ("CREATED", "REFUNDED")
    assert refunded.data["reason"] == "お客様の都合"
    eventually(lambda: sdk.call("getRefund", "r-1").data["status"], "REFUNDED")
    assert status(sdk) == "REFUNDED"
    row = sdk.call("getCodePayment", "m-1").data["refunds"]["data"][0]
    assert (row["merchantRefundId"], row["paymentId"]) == ("r-1", payment_id)
    assert simulator.ledger() | {"payments": 1} == {
        "captured": 25180,
        "reversed": 0,
        "refunded": 25180,
        "net": 0,
        "payments": 1,
    }


def test_a_payment_is_refunded_in_parts_and_never_beyond(sdk: Sdk, simulator: Simulator) -> None:
    payment_id = paid(sdk, simulator, amount=1000)
    assert sdk.call("refund", a_refund(payment_id, 400, "r-1")).told == (200, "SUCCESS")
    # The same refund id is the same refund, not another 400.
    assert sdk.call("refund", a_refund(payment_id, 400, "r-1")).told == (200, "SUCCESS")
    too_much = sdk.call("refund", a_refund(payment_id, 601, "r-2"))
    assert too_much.told == (400, "INVALID_PARAMS")
    assert sdk.call("refund", a_refund(payment_id, 600, "r-3")).told == (200, "SUCCESS")

    def refunds() -> list[tuple[str, int]]:
        seen = [sdk.call("getRefund", name).data for name in ("r-1", "r-3")]
        return [(refund["status"], refund["amount"]["amount"]) for refund in seen]

    eventually(refunds, [("REFUNDED", 400), ("REFUNDED", 600)])
    assert simulator.ledger()["refunded"] == 1000


def test_a_deleted_code_is_never_paid(sdk: Sdk, simulator: Simulator) -> None:
    code_id = sdk.call("createCode", an_order()).data["codeId"]
    deleted = sdk.call("deleteCode", code_id)
    assert (deleted.told, deleted.data) == ((200, "SUCCESS"), {"qrStatus": "DELETED"})
    assert simulator.refuses("m-1", "pay")
    assert sdk.call("deleteCode", code_id).told == (404, "DYNAMIC_QR_NOT_FOUND")
    assert status(sdk) == "CREATED"


def test_a_paid_code_is_not_deleted(sdk: Sdk, simulator: Simulator) -> None:
    code_id = sdk.call("createCode", an_order()).data["codeId"]
    simulator.act("m-1", "pay")
    assert sdk.call("deleteCode", code_id).told == (400, "DYNAMIC_QR_ALREADY_PAID")
    assert status(sdk) == "COMPLETED"


def test_a_cancel_is_accepted_first_and_done_later(sdk: Sdk, simulator: Simulator) -> None:
    paid(sdk, simulator)
    cancelled = sdk.call("cancel", "m-1")
    assert (cancelled.told, cancelled.data) == ((202, "REQUEST_ACCEPTED"), None)
    eventually(lambda: status(sdk), "FAILED")
    assert abs(sdk.call("getPayment", "m-1").data["canceledAt"] - time.time()) < 30
    assert simulator.ledger()["net"] == 0


def test_a_cancel_before_the_payment_sends_the_money_back(sdk: Sdk, simulator: Simulator) -> None:
    simulator.faults(behaviour={"cancelDelayMs": 1500})
    sdk.call("createCode", an_order())
    assert sdk.call("cancel", "m-1").told == (202, "REQUEST_ACCEPTED")
    assert status(sdk) == "CREATED"
    simulator.act("m-1", "pay")
    assert status(sdk) == "COMPLETED"
    eventually(lambda: status(sdk), "FAILED")


def test_a_declined_payment_is_failed(sdk: Sdk, simulator: Simulator) -> None:
    sdk.call("createCode", an_order())
    simulator.act("m-1", "decline")
    assert status(sdk) == "FAILED"


@pytest.mark.parametrize(
    ("shown", "code"), [("created", "SUCCESS"), ("notFound", "DYNAMIC_QR_PAYMENT_NOT_FOUND")]
)
def test_an_expired_code_looks_unpaid_or_unknown(
    sdk: Sdk, simulator: Simulator, shown: str, code: str
) -> None:
    simulator.faults(behaviour={"expiredCode": shown})
    sdk.call("createCode", an_order())
    simulator.act("m-1", "expire")
    seen = sdk.call("getCodePayment", "m-1")
    assert seen.told == (200 if code == "SUCCESS" else 400, code)
    assert simulator.refuses("m-1", "pay")
