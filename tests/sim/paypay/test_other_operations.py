"""PayPay's operations beside codes: proved as all are, and not in this merchant's contract."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.paypay import MERCHANT, PayPay, code_of, paypay_test

OTHERS = [
    ("POST", "/v2/payments"),
    ("POST", "/v2/payments/preauthorize"),
    ("GET", "/v2/wallet/check_balance?amount=1"),
    ("POST", "/v2/cashback"),
    ("POST", "/v1/qr/sessions"),
    ("DELETE", "/v1/requestOrder/m-1"),
    ("GET", "/v2/codes"),
    ("PUT", "/v2/codes"),
]


@pytest.mark.parametrize("case", OTHERS, ids=lambda case: " ".join(case))
def test_it_is_out_of_scope_in_paypays_envelope(case: tuple[str, str]) -> None:
    @paypay_test
    async def tale(paypay: PayPay) -> None:
        answer = await paypay.api(*case)
        assert code_of(answer) == (401, "OP_OUT_OF_SCOPE")
        assert answer.json()["resultInfo"]["codeId"] == "08100023"
        assert answer.headers["X-REQUEST-ID"] in answer.json()["resultInfo"]["message"]
        stranger = await paypay.api(*case, signed_as=replace(MERCHANT, api_secret="x"))
        assert code_of(stranger) == (401, "UNAUTHORIZED")

    tale()


@paypay_test
async def test_it_has_the_faults_of_every_operation(paypay: PayPay) -> None:
    await paypay.faults(api={"other": {"error": 100, "kinds": ["429"]}})
    assert code_of(await paypay.api("POST", "/v2/cashback", {})) == (429, "RATE_LIMIT")


@paypay_test
async def test_what_is_not_paypays_is_not_found_as_everywhere(paypay: PayPay) -> None:
    answer = await paypay.api("GET", "/v3/codes")
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")
