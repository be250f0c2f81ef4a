"""Money that is held first and taken later, as PayPay's own SDKs do it."""

from __future__ import annotations

import time

import pytest
from tests.sdk.lane import SDK, Json, Sdk
from tests.sdk.simulator import Simulator, a_refund, an_order, eventually, status

pytestmark = SDK


def a_capture(amount: int = 25180, name: str = "m-1", capture: str = "c-1") -> Json:
    return {
        "merchantPaymentId": name,
        "amount": {"amount": amount, "currency": "JPY"},
        "merchantCaptureId": capture,
        "requestedAt": int(time.time()),
        "orderDescription": "茶碗、二つ",
    }


def a_revert(payment_id: str) -> Json:
    return {
        "merchantRevertId": "v-1",
        "paymentId": payment_id,
        "requestedAt": int(time.time()),
        "reason": "在庫切れ",
    }


def authorised(sdk: Sdk, simulator: Simulator) -> str:
    """The paymentId of a held amount."""
    made = sdk.call("createCode", an_order(isAuthorization=True))
    assert (made.told, made.data["isAuthorization"]) == ((201, "SUCCESS"), True)
    payment_id = str(simulator.act("m-1", "pay")["paymentId"])
    assert status(sdk) == "AUTHORIZED"
    assert simulator.ledger()["captured"] == 0
    return payment_id


@pytest.mark.parametrize("amount", [25180, 20000])
def test_what_is_held_is_captured_once_and_refunded(
    sdk: Sdk, simulator: Simulator, amount: int
) -> None:
    payment_id = authorised(sdk, simulator)
    captured = sdk.call("capture", a_capture(amount))
    assert captured.told == (200, "SUCCESS")
    assert (captured.data["status"], captured.data["paymentId"]) == ("COMPLETED", payment_id)
    (row,) = captured.data["captures"]["data"]
    assert (row["merchantCaptureId"], row["amount"]["amount"]) == ("c-1", amount)
    assert row["orderDescription"] == "茶碗、二つ"
    again = sdk.call("capture", a_capture(1, capture="c-2"))
    assert again.told == (400, "ALREADY_CAPTURED")
    assert sdk.call("refund", a_refund(payment_id, amount)).told == (200, "SUCCESS")
    eventually(lambda: status(sdk), "REFUNDED")
    totals = simulator.ledger()
    assert (totals["captured"], totals["refunded"], totals["net"]) == (amount, amount, 0)


def test_what_is_held_is_given_back(sdk: Sdk, simulator: Simulator) -> None:
    payment_id = authorised(sdk, simulator)
    reverted = sdk.call("revert", a_revert(payment_id))
    assert reverted.told == (200, "SUCCESS")
    assert (reverted.data["status"], reverted.data["paymentId"]) == ("CANCELED", payment_id)
    assert reverted.data["reason"] == "在庫切れ"
    seen = sdk.call("getCodePayment", "m-1").data
    assert (seen["status"], seen["revert"]["merchantRevertId"]) == ("CANCELED", "v-1")
    assert sdk.call("capture", a_capture()).told == (400, "ORDER_NOT_CAPTURABLE")
    assert sdk.call("revert", a_revert(payment_id)).told == (400, "ORDER_NOT_CANCELABLE")
    assert simulator.ledger()["captured"] == 0


def test_more_than_is_held_waits_for_the_customer(sdk: Sdk, simulator: Simulator) -> None:
    simulator.faults(behaviour={"reauthorizeDelayMs": 100})
    authorised(sdk, simulator)
    asked = sdk.call("capture", a_capture(25181))
    assert (asked.told, asked.code_id) == ((202, "USER_CONFIRMATION_REQUIRED"), "08300103")
    assert asked.data is None
    (row,) = sdk.call("getCodePayment", "m-1").data["captures"]["data"]
    assert (row["status"], row["amount"]["amount"]) == ("USER_REQUESTED", 25181)
    simulator.act("m-1", "agree")
    eventually(lambda: status(sdk), "COMPLETED")
    assert simulator.ledger()["captured"] == 25181


def test_what_was_held_too_long_is_free_again(sdk: Sdk, simulator: Simulator) -> None:
    authorised(sdk, simulator)
    simulator.act("m-1", "shorten?leftMs=0")
    eventually(lambda: status(sdk), "EXPIRED")
    assert sdk.call("capture", a_capture()).told == (400, "ORDER_EXPIRED")


def test_a_cancel_gives_back_what_is_held(sdk: Sdk, simulator: Simulator) -> None:
    authorised(sdk, simulator)
    assert sdk.call("cancel", "m-1").told == (202, "REQUEST_ACCEPTED")
    eventually(lambda: status(sdk), "FAILED")


def test_neither_is_possible_on_what_is_not_held(sdk: Sdk, simulator: Simulator) -> None:
    sdk.call("createCode", an_order())
    assert sdk.call("capture", a_capture()).told == (404, "RESOURCE_NOT_FOUND")
    payment_id = simulator.act("m-1", "pay")["paymentId"]
    assert sdk.call("capture", a_capture()).told == (400, "ORDER_NOT_CAPTURABLE")
    assert sdk.call("revert", a_revert(payment_id)).told == (400, "ORDER_NOT_CANCELABLE")
    assert status(sdk) == "COMPLETED"


def test_a_merchant_without_the_contract_is_refused(sdk: Sdk, simulator: Simulator) -> None:
    simulator.faults(behaviour={"preAuth": False})
    refused = sdk.call("createCode", an_order(isAuthorization=True))
    assert refused.told == (400, "PRE_AUTH_CAPTURE_UNSUPPORTED_MERCHANT")
    assert sdk.call("capture", a_capture()).told == (401, "OP_OUT_OF_SCOPE")
    assert sdk.call("revert", a_revert("p-1")).told == (401, "OP_OUT_OF_SCOPE")
