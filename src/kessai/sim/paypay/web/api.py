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
    REAUTHORIZE_PATH,
    REFUNDS_PATH,
    REVERT_PATH,
    CaptureAsked,
    CodeDeleted,
    CreateCode,
    ReauthorizeAsked,
    RefundAsked,
    RevertAsked,
)
from kessai.contracts.wire import Wire
from kessai.sim.paypay.application.authorisations import Authorisations
from kessai.sim.paypay.application.merchant import Merchant
from kessai.sim.paypay.domain import results
from kessai.sim.paypay.domain.operations import Operation
from kessai.sim.paypay.domain.results import Result, TurnedDown
from kessai.sim.paypay.web.gate import Act, Call, Gate, Subject, asked_id, query_of
from kessai.sim.paypay.web.present import (
    code_of,
    details_of,
    reauthorized_of,
    refund_of,
    reverted_of,
)

Answer = tuple[Result, Wire | None]


def api_routes(
    gate: Gate, merchant: Merchant, authorisations: Authorisations, *, base_url: str
) -> APIRouter:
    """Plain routes: the purchase waits for `POST /v2/codes`, and these cost half as much."""
    router = APIRouter()
    api = _Api(merchant, authorisations, base_url)
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

    one_code = f"{CODES_PATH}/{{code_id}}"
    code_payment = f"{CODE_PAYMENTS_PATH}/{{merchant_payment_id}}"
    one_refund = f"{REFUNDS_PATH}/{{merchant_refund_id}}"
    routes: tuple[tuple[str, str, Operation, Subject, Act], ...] = (
        ("POST", CODES_PATH, "createCode", body_subject, api.create_code),
        ("GET", code_payment, "getCodePayment", payment_id, api.get_code_payment),
        ("DELETE", one_code, "deleteCode", code_subject, api.delete_code),
        ("POST", CAPTURE_PATH, "capture", body_subject, api.capture),
        ("POST", REVERT_PATH, "revert", refunded_subject, api.revert),
        ("POST", REAUTHORIZE_PATH, "reauthorize", refunded_subject, api.reauthorize),
        ("GET", one_payment, "getPayment", payment_id, api.get_payment),
        ("DELETE", one_payment, "cancel", payment_id, api.cancel),
        ("POST", REFUNDS_PATH, "refund", refunded_subject, api.refund),
        # The official Python SDK asks here, and signs this path.
        ("POST", f"{REFUNDS_PATH}/", "refund", refunded_subject, api.refund),
        ("GET", one_refund, "getRefund", refund_subject, api.get_refund),
    )
    for method, path, operation, subject, act in routes:
        router.add_route(path, gate.endpoint(path, operation, subject, act), methods=[method])
    for path in ("/v1/{rest:path}", "/v2/{rest:path}"):
        other = gate.endpoint(path, "other", body_subject, api.out_of_scope)
        router.add_route(path, other, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    return router


class _Api:
    def __init__(self, merchant: Merchant, authorisations: Authorisations, base_url: str) -> None:
        self._merchant = merchant
        self._authorisations = authorisations
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
        """In PayPay's envelope, which its SDKs open without looking."""
        raise TurnedDown(results.OUT_OF_SCOPE)

    async def capture(self, call: Call) -> Answer:
        payment = await self._authorisations.capture(CaptureAsked.model_validate_json(call.body))
        if payment.paid_at_ms is None:
            return results.CONFIRMATION_ASKED, None
        # As of the capture: the call came in a moment before, when nothing was taken yet.
        return results.SUCCESS, details_of(payment, payment.paid_at_ms)

    async def revert(self, call: Call) -> Answer:
        payment = await self._authorisations.revert(RevertAsked.model_validate_json(call.body))
        return results.SUCCESS, reverted_of(payment)

    async def reauthorize(self, call: Call) -> Answer:
        asked = ReauthorizeAsked.model_validate_json(call.body)
        payment = await self._authorisations.reauthorize(asked)
        waits = payment.holds[-1].since_ms is None
        content = reauthorized_of(payment, self._base_url)
        return results.REAUTHORIZATION_ASKED if waits else results.SUCCESS, content


def _field(body: bytes, name: str) -> str:
    try:
        content = json.loads(body)
    except ValueError:
        return ""
    value = content.get(name) if isinstance(content, dict) else None
    return value if isinstance(value, str) else ""
