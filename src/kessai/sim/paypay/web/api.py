"""PayPay's own paths."""

from __future__ import annotations

import json

from fastapi import APIRouter
from starlette.requests import Request

from kessai.contracts.paypay import (
    CAPTURE_PATH,
    CODE_PAYMENTS_PATH,
    CODES_PATH,
    PAYMENTS_PATH,
    REFUNDS_PATH,
    REVERT_PATH,
    CodeDeleted,
    CreateCode,
    RefundAsked,
)
from kessai.contracts.wire import Wire
from kessai.sim.paypay.application.merchant import Merchant
from kessai.sim.paypay.domain import results
from kessai.sim.paypay.domain.results import Result, TurnedDown
from kessai.sim.paypay.web.gate import Call, Gate, asked_id, query_of
from kessai.sim.paypay.web.present import code_of, details_of, refund_of

Answer = tuple[Result, Wire | None]


def api_routes(gate: Gate, merchant: Merchant, *, base_url: str) -> APIRouter:
    """Plain routes: the purchase waits for `POST /v2/codes`, and these cost half as much."""
    router = APIRouter()
    api = _Api(merchant, base_url)
    one_payment = f"{PAYMENTS_PATH}/{{merchant_payment_id}}"
    payment_id = asked_id("merchant_payment_id")

    def code_subject(request: Request, _: bytes) -> str:
        return merchant.subject_of_code(request.path_params["code_id"])

    def refund_subject(request: Request, _: bytes) -> str:
        return merchant.subject_of_refund(request.path_params["merchant_refund_id"])

    def refunded_subject(_: Request, body: bytes) -> str:
        return merchant.subject_of_payment(_field(body, "paymentId"))

    def body_subject(_: Request, body: bytes) -> str:
        return _field(body, "merchantPaymentId")

    refund = gate.endpoint("refund", refunded_subject, api.refund)
    for path, method, endpoint in (
        (CODES_PATH, "POST", gate.endpoint("createCode", body_subject, api.create_code)),
        (
            f"{CODE_PAYMENTS_PATH}/{{merchant_payment_id}}",
            "GET",
            gate.endpoint("getCodePayment", payment_id, api.get_code_payment),
        ),
        (
            f"{CODES_PATH}/{{code_id}}",
            "DELETE",
            gate.endpoint("deleteCode", code_subject, api.delete_code),
        ),
        (CAPTURE_PATH, "POST", gate.endpoint("capture", body_subject, api.out_of_scope)),
        (REVERT_PATH, "POST", gate.endpoint("revert", refunded_subject, api.out_of_scope)),
        (one_payment, "GET", gate.endpoint("getPayment", payment_id, api.get_payment)),
        (one_payment, "DELETE", gate.endpoint("cancel", payment_id, api.cancel)),
        (REFUNDS_PATH, "POST", refund),
        # The official Python SDK asks here, and signs this path.
        (f"{REFUNDS_PATH}/", "POST", refund),
        (
            f"{REFUNDS_PATH}/{{merchant_refund_id}}",
            "GET",
            gate.endpoint("getRefund", refund_subject, api.get_refund),
        ),
    ):
        router.add_route(path, endpoint, methods=[method])
    return router


class _Api:
    def __init__(self, merchant: Merchant, base_url: str) -> None:
        self._merchant = merchant
        self._base_url = base_url

    async def create_code(self, call: Call) -> Answer:
        asked = CreateCode.model_validate_json(call.body)
        if "code_type" not in asked.model_fields_set:
            raise TurnedDown(results.MISSING_PARAMS)
        payment = await self._merchant.create_code(asked)
        return results.CREATED, code_of(payment, self._base_url)

    async def delete_code(self, call: Call) -> Answer:
        await self._merchant.delete_code(call.request.path_params["code_id"])
        return results.SUCCESS, CodeDeleted()

    async def get_code_payment(self, call: Call) -> Answer:
        name = call.request.path_params["merchant_payment_id"]
        payment = await self._merchant.code_payment(name, at_ms=call.seen_at_ms)
        return results.SUCCESS, details_of(payment, call.seen_at_ms)

    async def get_payment(self, call: Call) -> Answer:
        name = call.request.path_params["merchant_payment_id"]
        payment = await self._merchant.payment(name, at_ms=call.seen_at_ms)
        return results.SUCCESS, details_of(payment, call.seen_at_ms)

    async def cancel(self, call: Call) -> Answer:
        await self._merchant.cancel(call.request.path_params["merchant_payment_id"])
        return results.REQUEST_ACCEPTED, None

    async def refund(self, call: Call) -> Answer:
        asked = RefundAsked.model_validate_json(call.body)
        payment, refund = await self._merchant.refund(asked)
        return results.SUCCESS, refund_of(payment, refund, call.seen_at_ms)

    async def get_refund(self, call: Call) -> Answer:
        payment, refund = await self._merchant.get_refund(
            call.request.path_params["merchant_refund_id"], query_of(call.request, "paymentId")
        )
        return results.SUCCESS, refund_of(payment, refund, call.seen_at_ms)

    async def out_of_scope(self, _: Call) -> Answer:
        """Authorisations are not in this merchant's contract."""
        raise TurnedDown(results.OUT_OF_SCOPE)


def _field(body: bytes, name: str) -> str:
    try:
        content = json.loads(body)
    except ValueError:
        return ""
    value = content.get(name) if isinstance(content, dict) else None
    return value if isinstance(value, str) else ""
