"""The bodies that we send, in PayPay's words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from kessai.payment.application.ports import (
    CaptureRequest,
    CodeRequest,
    RefundRequest,
    RevertRequest,
)

_MAX_ITEM_NAME: Final = 150


def code_body(request: CodeRequest) -> bytes:
    body: dict[str, object] = {
        "merchantPaymentId": request.merchant_payment_id,
        "amount": _yen(request.amount_yen),
        "codeType": "ORDER_QR",
        "orderDescription": request.description,
        "requestedAt": _seconds(request.requested_at_ms),
        "redirectUrl": request.redirect_url,
        "redirectType": "WEB_LINK",
        "isAuthorization": request.authorize,
    }
    if request.authorize_until_ms is not None:
        body["authorizationExpiry"] = _seconds(request.authorize_until_ms)
    if request.items:
        body["orderItems"] = [
            {
                "name": item.name[:_MAX_ITEM_NAME],
                "quantity": item.quantity,
                "productId": item.product_id,
                "unitPrice": _yen(item.unit_price),
            }
            for item in request.items
        ]
    if request.user_agent:
        body["userAgent"] = request.user_agent
    return _json(body)


def capture_body(request: CaptureRequest) -> bytes:
    return _json(
        {
            "merchantPaymentId": request.merchant_payment_id,
            "amount": _yen(request.amount_yen),
            "merchantCaptureId": request.capture_id,
            "requestedAt": _seconds(request.requested_at_ms),
            "orderDescription": request.description,
        }
    )


def revert_body(request: RevertRequest) -> bytes:
    return _json(
        {
            "merchantRevertId": request.revert_id,
            "paymentId": request.payment_id,
            "requestedAt": _seconds(request.requested_at_ms),
            "reason": request.reason,
        }
    )


def refund_body(request: RefundRequest) -> bytes:
    return _json(
        {
            "merchantRefundId": request.refund_id,
            "paymentId": request.payment_id,
            "amount": _yen(request.amount_yen),
            "requestedAt": _seconds(request.requested_at_ms),
            "reason": request.reason,
        }
    )


def _yen(amount_yen: int) -> Mapping[str, object]:
    return {"amount": amount_yen, "currency": "JPY"}


def _seconds(ms: int) -> int:
    return ms // 1000


def _json(body: Mapping[str, object]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
