"""The published results: HTTP status, code, codeId and message (paypay.md, section 1.5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Result:
    status: int
    code: str
    code_id: str
    message: str


class TurnedDown(Exception):
    """PayPay's answer is one of the errors below; the book did not change."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.code)
        self.result = result


SUCCESS: Final = Result(200, "SUCCESS", "08100001", "Success")
CREATED: Final = Result(201, "SUCCESS", "08100001", "Success")
REQUEST_ACCEPTED: Final = Result(202, "REQUEST_ACCEPTED", "08100001", "Request accepted")

INVALID_REQUEST: Final = Result(400, "INVALID_REQUEST_PARAMS", "08100006", "Invalid request params")
MISSING_PARAMS: Final = Result(400, "MISSING_REQUEST_PARAMS", "08100024", "Missing request params")
UNAUTHORIZED: Final = Result(401, "UNAUTHORIZED", "08100016", "Unauthorized request")
OUT_OF_SCOPE: Final = Result(401, "OP_OUT_OF_SCOPE", "08100023", "The operation is not permitted")
RATE_LIMIT: Final = Result(429, "RATE_LIMIT", "08100998", "Too many requests")
INTERNAL_ERROR: Final = Result(
    500, "INTERNAL_SERVER_ERROR", "08101000", "Something went wrong on PayPay service side"
)
SERVICE_ERROR: Final = Result(500, "SERVICE_ERROR", "08100026", "Service error")
MAINTENANCE: Final = Result(
    503, "MAINTENANCE_MODE", "08100999", "Sorry, we are down for scheduled maintenance"
)

DUPLICATE_CODE: Final = Result(
    400, "DUPLICATE_DYNAMIC_QR_REQUEST", "01652073", "Duplicate Dynamic QR request error"
)
PRE_AUTH_UNSUPPORTED: Final = Result(
    400,
    "PRE_AUTH_CAPTURE_UNSUPPORTED_MERCHANT",
    "00400060",
    "Merchant do not support Pre-Auth-Capture",
)
NO_CODE_PAYMENT: Final = Result(
    400, "DYNAMIC_QR_PAYMENT_NOT_FOUND", "01652075", "Dynamic QR payment not found"
)
NO_CODE: Final = Result(404, "DYNAMIC_QR_NOT_FOUND", "01652072", "Dynamic qr code not found")
ALREADY_PAID: Final = Result(400, "DYNAMIC_QR_ALREADY_PAID", "01652074", "Dynamic QR already paid")
NO_PAYMENT: Final = Result(404, "RESOURCE_NOT_FOUND", "00200001", "Order not found")
NOT_REVERSIBLE: Final = Result(400, "ORDER_NOT_REVERSIBLE", "00200044", "Order cannot be reversed")
NOT_REFUNDABLE: Final = Result(400, "UNACCEPTABLE_OP", "00200013", "Order cannot be refunded")
WRONG_REFUND_AMOUNT: Final = Result(400, "INVALID_PARAMS", "00200015", "Invalid refund amount")
NO_SECOND_REFUND: Final = Result(
    403, "MERCHANT_MULTIPLE_REFUND_REJECTED", "", "Multiple refund not allowed"
)
NO_REFUND: Final = Result(404, "NO_SUCH_REFUND_ORDER", "00200018", "Refund not found")
