"""What goes wrong, as PayPay's own SDKs tell it: strangers, unknown ids, repeats, faults."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.sdk.lane import SDK, Json, Sdk
from tests.sdk.simulator import Simulator, a_refund, an_order, paid, status

pytestmark = SDK


def every_call(sdk: Sdk) -> list[tuple[int | None, str | None]]:
    """Each operation once, on a payment that exists."""
    calls: dict[str, Json | str] = {
        "createCode": an_order("m-2"),
        "getCodePayment": "m-1",
        "getPayment": "m-1",
        "deleteCode": "04-abcdefghijklmnop",
        "cancel": "m-1",
        "refund": a_refund("p-1"),
        "getRefund": "r-1",
    }
    return [sdk.call(operation, given).told for operation, given in calls.items()]


@pytest.mark.parametrize(
    "other",
    [
        {"secret": "kessai-sim-secreT"},
        {"key": "another-key"},
        {"merchant": "another-merchant"},
    ],
    ids=["wrong secret", "wrong key", "wrong merchant"],
)
def test_a_stranger_is_told_nothing(sdk: Sdk, simulator: Simulator, other: dict[str, Any]) -> None:
    paid(sdk, simulator)
    stranger = replace(sdk, **other)
    assert every_call(stranger) == [(401, "UNAUTHORIZED")] * 7
    refused = stranger.call("getPayment", "m-1")
    assert (refused.code_id, refused.data) == ("08100016", None)
    assert status(sdk) == "COMPLETED"
    assert sdk.call("getCodePayment", "m-2").told == (400, "DYNAMIC_QR_PAYMENT_NOT_FOUND")


def test_the_key_tells_the_merchant_who_is_not_named(sdk: Sdk, simulator: Simulator) -> None:
    """One SDK then sends the header empty, the other leaves it out."""
    assert replace(sdk, merchant="").call("createCode", an_order()).told == (201, "SUCCESS")


def test_the_sdk_itself_finds_the_code_of_an_error(sdk: Sdk, simulator: Simulator) -> None:
    """Both print a link that they make of the answer."""
    assert "code=RESOURCE_NOT_FOUND&code_id=00200001" in sdk.call("getPayment", "m-9").said


def test_what_is_not_known_is_not_found(sdk: Sdk, simulator: Simulator) -> None:
    asked = [
        sdk.call("getCodePayment", "m-9"),
        sdk.call("getPayment", "m-9"),
        sdk.call("cancel", "m-9"),
        sdk.call("deleteCode", "04-abcdefghijklmnop"),
        sdk.call("refund", a_refund("p-9")),
        sdk.call("getRefund", "r-9"),
    ]
    assert [answer.told for answer in asked] == [
        (400, "DYNAMIC_QR_PAYMENT_NOT_FOUND"),
        (404, "RESOURCE_NOT_FOUND"),
        (404, "RESOURCE_NOT_FOUND"),
        (404, "DYNAMIC_QR_NOT_FOUND"),
        (404, "RESOURCE_NOT_FOUND"),
        (404, "NO_SUCH_REFUND_ORDER"),
    ]
    assert [answer.data for answer in asked] == [None] * 6


def test_a_repeated_id_is_refused_and_the_first_code_stays(sdk: Sdk, simulator: Simulator) -> None:
    sdk.call("createCode", an_order())
    again = sdk.call("createCode", an_order(amount=1))
    assert again.told == (400, "DUPLICATE_DYNAMIC_QR_REQUEST")
    assert (again.code_id, again.data) == ("01652073", None)
    assert simulator.act("m-1", "pay")["amount"] == 25180


def test_a_repeated_id_may_be_the_same_code(sdk: Sdk, simulator: Simulator) -> None:
    """PayPay's documents say both."""
    simulator.faults(behaviour={"duplicateId": "previous"})
    first = sdk.call("createCode", an_order())
    again = sdk.call("createCode", an_order())
    assert again.told == (201, "SUCCESS")
    assert again.data["codeId"] == first.data["codeId"]


def test_a_refund_by_the_merchants_own_id_is_an_internal_error(
    sdk: Sdk, simulator: Simulator
) -> None:
    paid(sdk, simulator)
    assert sdk.call("refund", a_refund("m-1")).told == (500, "INTERNAL_SERVER_ERROR")
    assert simulator.ledger()["refunded"] == 0


def test_a_refund_is_refused_before_the_money_came_and_after_it_went(
    sdk: Sdk, simulator: Simulator
) -> None:
    simulator.faults(behaviour={"multipleRefunds": False})
    payment_id = paid(sdk, simulator)
    assert sdk.call("refund", a_refund(payment_id, 1, "r-1")).told == (200, "SUCCESS")
    second = sdk.call("refund", a_refund(payment_id, 1, "r-2"))
    assert second.told == (403, "MERCHANT_MULTIPLE_REFUND_REJECTED")
    assert sdk.call("cancel", "m-1").told == (400, "ORDER_NOT_REVERSIBLE")


@pytest.mark.parametrize(
    "wish",
    [
        an_order("with space"),
        an_order("x" * 65),
        an_order(amount=0),
        an_order(amount=100_000_000_000),
        an_order(orderDescription="決" * 256),
        an_order(redirectType="ELSEWHERE"),
    ],
    ids=["id", "long id", "nothing", "twelve digits", "long text", "word"],
)
def test_a_wrong_request_makes_no_code(
    sdk: Sdk, simulator: Simulator, wish: dict[str, object]
) -> None:
    refused = sdk.call("createCode", wish)
    assert (refused.told, refused.data) == ((400, "INVALID_REQUEST_PARAMS"), None)
    assert simulator.client.get("/sim/payments").json() == []


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("500", (500, "INTERNAL_SERVER_ERROR")),
        ("503", (503, "MAINTENANCE_MODE")),
        ("429", (429, "RATE_LIMIT")),
        ("401", (401, "UNAUTHORIZED")),
    ],
)
def test_a_fault_on_demand_looks_like_paypays(
    sdk: Sdk, simulator: Simulator, kind: str, told: tuple[int, str]
) -> None:
    simulator.faults(api={"createCode": {"error": 100, "kinds": [kind]}})
    assert sdk.call("createCode", an_order()).told == told
    assert sum(simulator.fired()["api"]["createCode"].values()) == 1


@pytest.mark.parametrize("kind", ["502", "badJson", "reset"])
def test_an_answer_that_nobody_can_read_breaks_the_sdks_as_the_real_one_does(
    sdk: Sdk, simulator: Simulator, kind: str
) -> None:
    """An error page, half an answer, no answer: and the next call is fine."""
    simulator.faults(api={"getCodePayment": {"error": 100, "kinds": [kind]}})
    sdk.call("createCode", an_order())
    broken = sdk.call("getCodePayment", "m-1", timeout_s=3)
    assert broken.error
    assert broken.code is None
    simulator.faults(api={"getCodePayment": None})
    assert status(sdk) == "CREATED"


def test_a_lost_answer_took_effect(sdk: Sdk, simulator: Simulator) -> None:
    simulator.faults(api={"createCode": {"lostAnswer": 100}})
    assert sdk.call("createCode", an_order(), timeout_s=3).error
    simulator.faults(api={"createCode": None})
    assert sdk.call("createCode", an_order()).told == (400, "DUPLICATE_DYNAMIC_QR_REQUEST")
    assert status(sdk) == "CREATED"


@pytest.mark.parametrize(
    ("skew_s", "told"), [(110, (201, "SUCCESS")), (130, (401, "UNAUTHORIZED"))]
)
def test_a_clock_that_is_off_by_two_minutes_is_a_strangers(
    sdk: Sdk, simulator: Simulator, skew_s: int, told: tuple[int, str]
) -> None:
    simulator.faults(behaviour={"clockSkewS": skew_s})
    assert sdk.call("createCode", an_order()).told == told


def test_what_the_merchant_has_no_contract_for_is_refused_in_paypays_words(
    sdk: Sdk, simulator: Simulator
) -> None:
    """The SDKs open the envelope of every error without looking."""
    session = {"scopes": [], "nonce": "n", "redirectUrl": "x", "referenceId": "r"}
    asked = [
        sdk.call("createPayment", an_order(userAuthorizationId="u-1")),
        sdk.call("createSession", session),
        sdk.call("getPending", "m-1"),
    ]
    assert [answer.told for answer in asked] == [(401, "OP_OUT_OF_SCOPE")] * 3
    assert [answer.error for answer in asked] == [None] * 3
    stranger = replace(sdk, secret="another")
    assert stranger.call("createSession", session).told == (401, "UNAUTHORIZED")
