"""Faults by seed: the same seed does the same, in whatever order the payments come."""

from __future__ import annotations

from tests.support.paypay import PayPay, a_paypay, code_of, paypay_test
from tests.support.web import run_virtual

from kessai.sim.paypay.domain.faults import Faults
from kessai.sim.paypay.domain.plans import plan_call, plan_webhook

HALF = Faults.model_validate(
    {
        "webhooks": {"drop": 50, "duplicate": 50, "reorder": 50, "delayMs": [0, 1000]},
        "api": {"*": {"error": 50, "kinds": ["500", "502", "429"], "lostAnswer": 50}},
    }
)
NAMES = [f"order{number:022d}-1" for number in range(400)]


def test_the_same_seed_injects_the_same_faults_in_any_order() -> None:
    forth = {name: plan_call(HALF, "createCode", name, 0) for name in NAMES}
    back = {name: plan_call(HALF, "createCode", name, 0) for name in reversed(NAMES)}
    assert forth == back
    assert {name: plan_webhook(HALF, name, "COMPLETED", 0) for name in NAMES} == {
        name: plan_webhook(HALF, name, "COMPLETED", 0) for name in reversed(NAMES)
    }


def test_another_seed_another_payment_another_time_are_other_throws() -> None:
    other = HALF.model_copy(update={"seed": 8})
    first = [plan_call(HALF, "createCode", name, 0) for name in NAMES]
    assert first != [plan_call(other, "createCode", name, 0) for name in NAMES]
    assert first != [plan_call(HALF, "createCode", name, 1) for name in NAMES]
    assert first != [plan_call(HALF, "refund", name, 0) for name in NAMES]


def test_a_percentage_is_kept_on_the_whole() -> None:
    plans = [plan_call(HALF, "createCode", name, 0) for name in NAMES]
    errors = [plan for plan in plans if plan.kind is not None]
    assert 160 < len(errors) < 240
    assert {plan.kind for plan in errors} == {"500", "502", "429"}
    assert all(not plan.takes_effect and plan.lost is None for plan in errors)
    assert 60 < sum(plan.lost == "drop" for plan in plans) < 140
    assert 160 < sum(plan_webhook(HALF, name, "FAILED", 0).dropped for name in NAMES) < 240


def test_one_fault_more_leaves_the_others_as_they_fell() -> None:
    more = Faults.model_validate({**HALF.model_dump(by_alias=True), "webhooks": {"drop": 50}})
    assert [plan_webhook(HALF, name, "COMPLETED", 0).dropped for name in NAMES] == [
        plan_webhook(more, name, "COMPLETED", 0).dropped for name in NAMES
    ]


def test_nought_never_and_a_hundred_always() -> None:
    always = Faults.model_validate({"webhooks": {"drop": 100}, "api": {"refund": {"error": 100}}})
    assert all(plan_webhook(always, name, "COMPLETED", 0).dropped for name in NAMES)
    assert all(plan_call(always, "refund", name, 0).kind == "500" for name in NAMES)
    assert all(plan_call(always, "cancel", name, 0).kind is None for name in NAMES)
    assert not any(plan_webhook(Faults(), name, "COMPLETED", 0).dropped for name in NAMES)


def test_the_scope_is_a_prefix_of_the_payments_id() -> None:
    faults = Faults.model_validate(
        {"scope": "abc", "webhooks": {"drop": 100}, "api": {"*": {"error": 100}}}
    )
    assert plan_call(faults, "refund", "abcd-1", 0).kind == "500"
    assert plan_call(faults, "refund", "xabc-1", 0).kind is None
    assert plan_webhook(faults, "abcd-1", "FAILED", 0).dropped
    assert not plan_webhook(faults, "xabc-1", "FAILED", 0).dropped


def test_delays_lie_in_their_span() -> None:
    faults = Faults.model_validate({"api": {"*": {"delayMs": [100, 103]}}})
    seen = {plan_call(faults, "refund", name, 0).delay_ms for name in NAMES}
    assert seen == {100, 101, 102, 103}


def test_an_operations_own_entry_counts_alone() -> None:
    faults = Faults.model_validate({"api": {"*": {"error": 100}, "refund": {"delayMs": [5, 5]}}})
    assert plan_call(faults, "refund", "m", 0).kind is None
    assert plan_call(faults, "cancel", "m", 0).kind == "500"


def test_two_runs_with_one_seed_see_the_same() -> None:
    async def run(order: list[str]) -> dict[str, list[int]]:
        seen: dict[str, list[int]] = {}
        async with a_paypay() as paypay:
            await paypay.faults(seed=11, api={"*": {"error": 50, "kinds": ["500", "503", "429"]}})
            for name in order:
                for _ in range(4):
                    answer = await paypay.api("GET", f"/v2/codes/payments/{name}")
                    seen.setdefault(name, []).append(answer.status_code)
        return seen

    names = ["a-1", "b-1", "c-1", "d-1"]
    first, second = run_virtual(run(names)), run_virtual(run(names[::-1]))
    assert first == second
    assert len({tuple(statuses) for statuses in first.values()}) > 1


@paypay_test
async def test_a_put_merges(paypay: PayPay) -> None:
    await paypay.faults(webhooks={"drop": 10}, api={"createCode": {"error": 20}})
    page = await paypay.faults(webhooks={"corrupt": 5}, api={"createCode": {"staleMs": 9}, "*": {}})
    assert (page["webhooks"]["drop"], page["webhooks"]["corrupt"]) == (10, 5)
    assert (page["api"]["createCode"]["error"], page["api"]["createCode"]["staleMs"]) == (20, 9)
    assert page["api"]["*"]["error"] == 0
    assert (page["seed"], page["scope"], page["codeLifetimeS"]) == (7, "*", 300)
    page = await paypay.faults(webhooks={"drop": None}, api={"createCode": None})
    assert page["webhooks"]["drop"] == 0
    assert list(page["api"]) == ["*"]
    assert (await paypay.client.put("/sim/faults", json=page)).json() == page


@paypay_test
async def test_a_wrong_setting_is_refused_with_its_field_and_changes_nothing(
    paypay: PayPay,
) -> None:
    await paypay.faults(webhooks={"drop": 10})
    before = (await paypay.client.get("/sim/faults")).json()
    for patch, field in (
        ({"webhooks": {"drop": 101}}, "webhooks.drop"),
        ({"webhooks": {"drop": -1}}, "webhooks.drop"),
        ({"webhooks": {"drop": "lots"}}, "webhooks.drop"),
        ({"webhooks": {"dorp": 1}}, "webhooks.dorp"),
        ({"webhooks": {"delayMs": [5, 1]}}, "webhooks.delayMs"),
        ({"webhooks": {"delayMs": [5]}}, "webhooks.delayMs.1"),
        ({"webhooks": {"duplicates": 0}}, "webhooks.duplicates"),
        ({"webhooks": 7}, "webhooks"),
        ({"api": {"nope": {}}}, "api.nope"),
        ({"api": {"refund": {"kinds": ["418"]}}}, "api.refund.kinds.0"),
        ({"api": {"refund": {"kinds": []}}}, "api.refund.kinds"),
        ({"api": {"*": {"lostAnswer": 1000}}}, "api.*.lostAnswer"),
        ({"blackout": {"forMs": -5}}, "blackout.forMs"),
        ({"codeLifetimeS": 0}, "codeLifetimeS"),
        ({"seed": 1.5}, "seed"),
        ({"scope": ""}, "scope"),
        ({"speed": 1}, "speed"),
        ({"webhooks": {"corrupt": 50, "drop": 200}}, "webhooks.drop"),
    ):
        answer = await paypay.client.put("/sim/faults", json=patch)
        assert answer.status_code == 422, (patch, answer.text)
        assert answer.json()["code"] == "VALIDATION"
        assert field in [error["field"] for error in answer.json()["errors"]]
    assert (await paypay.client.put("/sim/faults", json=[1])).status_code == 422
    assert (await paypay.client.get("/sim/faults")).json() == before


@paypay_test
async def test_each_kind_of_error_is_answered_and_has_no_effect(paypay: PayPay) -> None:
    for kind, status, code in (
        ("500", 500, "INTERNAL_SERVER_ERROR"),
        ("503", 503, "MAINTENANCE_MODE"),
        ("429", 429, "RATE_LIMIT"),
        ("401", 401, "UNAUTHORIZED"),
    ):
        await paypay.faults(api={"createCode": {"error": 100, "kinds": [kind]}})
        answer = await paypay.api("POST", "/v2/codes", {"merchantPaymentId": "m-1"})
        assert code_of(answer) == (status, code)
    await paypay.faults(api={"createCode": {"error": 100, "kinds": ["502"]}})
    answer = await paypay.api("POST", "/v2/codes", {"merchantPaymentId": "m-1"})
    assert (answer.status_code, answer.headers["content-type"][:9]) == (502, "text/html")
    await paypay.faults(api={"createCode": {"error": 100, "kinds": ["badJson"]}})
    answer = await paypay.api("POST", "/v2/codes", {"merchantPaymentId": "m-1"})
    assert (answer.status_code, answer.text[-4:]) == (200, '"SUC')
    assert await paypay.payments() == []
    assert (await paypay.fired())["api"] == {"createCode": {"error": 6}}


@paypay_test
async def test_an_error_may_take_effect_as_the_real_one_may(paypay: PayPay) -> None:
    await paypay.faults(api={"cancel": {"error": 100, "kinds": ["500"], "effect": 100}})
    await paypay.create()
    await paypay.act()
    assert (await paypay.api("DELETE", "/v2/payments/m-1")).status_code == 500
    assert "payment.cancelAsked" in await paypay.kinds()
