"""The published results: HTTP status, code, codeId and message (paypay.md, section 1.5).

Where PayPay publishes no codeId it is empty here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from kessai.sim.paypay.domain.operations import Operation


@dataclass(frozen=True, slots=True)
class Result:
    status: int
    code: str
    code_id: str
    message: str

    @property
    def names_its_request(self) -> bool:
        """Whether the message ends with the request's id: errors do, and one of the others."""
        return self.status >= 400 or self is CONFIRMATION_ASKED


class TurnedDown(Exception):
    """PayPay's answer is one of the errors below; the book did not change."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.code)
        self.result = result


SUCCESS: Final = Result(200, "SUCCESS", "08100001", "Success")
CREATED: Final = Result(201, "SUCCESS", "08100001", "Success")
REQUEST_ACCEPTED: Final = Result(202, "REQUEST_ACCEPTED", "08100001", "Request accepted")
CONFIRMATION_ASKED: Final = Result(
    202,
    "USER_CONFIRMATION_REQUIRED",
    "08300103",
    "User confirmation required as requested amount is above allowed limit",
)
REAUTHORIZATION_ASKED: Final = Result(
    201,
    "USER_CONFIRMATION_REQUIRED",
    "08300104",
    "User confirmation required as requested amount is above the original authorized amount",
)

INVALID_REQUEST: Final = Result(400, "INVALID_REQUEST_PARAMS", "08100006", "Invalid request params")
MISSING_PARAMS: Final = Result(400, "MISSING_REQUEST_PARAMS", "08100024", "Missing request params")
INVALID_PARAMS: Final = Result(400, "INVALID_PARAMS", "00200004", "Invalid parameters received")
UNAUTHORIZED: Final = Result(401, "UNAUTHORIZED", "08100016", "Unauthorized request")
OUT_OF_SCOPE: Final = Result(401, "OP_OUT_OF_SCOPE", "08100023", "The operation is not permitted")
RATE_LIMIT: Final = Result(429, "RATE_LIMIT", "08100998", "Too many requests")
INTERNAL_ERROR: Final = Result(
    500, "INTERNAL_SERVER_ERROR", "08101000", "Something went wrong on PayPay service side"
)
TIMED_OUT: Final = Result(500, "INTERNAL_SERVER_ERROR", "00200034", "Request timed out")
SERVICE_ERROR: Final = Result(500, "SERVICE_ERROR", "08100026", "Service error")
MAINTENANCE: Final = Result(
    503, "MAINTENANCE_MODE", "08100999", "Sorry, we are down for scheduled maintenance"
)

DUPLICATE_CODE: Final = Result(
    400, "DUPLICATE_DYNAMIC_QR_REQUEST", "01652073", "Duplicate Dynamic QR request error"
)
BAD_CODE_REQUEST: Final = Result(
    400, "DYNAMIC_QR_BAD_REQUEST", "01650000", "Dynamic QR bad request error"
)
PRE_AUTH_UNSUPPORTED: Final = Result(
    400,
    "PRE_AUTH_CAPTURE_UNSUPPORTED_MERCHANT",
    "00400060",
    "Merchant do not support Pre-Auth-Capture",
)
PRE_AUTH_EXPIRY: Final = Result(
    400,
    "PRE_AUTH_CAPTURE_INVALID_EXPIRY_DATE",
    "00400061",
    "Provided Expiry Date is above the allowed limit of Max allowed expiry days",
)
NO_CODE_PAYMENT: Final = Result(
    400, "DYNAMIC_QR_PAYMENT_NOT_FOUND", "01652075", "Dynamic QR payment not found"
)
NO_CODE: Final = Result(404, "DYNAMIC_QR_NOT_FOUND", "01652072", "Dynamic qr code not found")
ALREADY_PAID: Final = Result(400, "DYNAMIC_QR_ALREADY_PAID", "01652074", "Dynamic QR already paid")

NO_PAYMENT: Final = Result(404, "RESOURCE_NOT_FOUND", "00200001", "Order not found")
NO_LONGER_THERE: Final = Result(
    400, "ORDER_NO_LONGER_AVAILABLE", "", "The order is no longer available"
)
CANCELED_USER: Final = Result(400, "CANCELED_USER", "01103027", "Canceled user")
NOT_REVERSIBLE: Final = Result(400, "ORDER_NOT_REVERSIBLE", "00200044", "Order cannot be reversed")
NOT_REFUNDABLE: Final = Result(400, "UNACCEPTABLE_OP", "00200013", "Order cannot be refunded")
WRONG_REFUND_AMOUNT: Final = Result(400, "INVALID_PARAMS", "00200015", "Invalid refund amount")
REFUND_THROTTLED: Final = Result(
    400,
    "THROTTLED_MULTIPLE_REFUND_REJECTED",
    "",
    "Rejected refund request as similar request is in progress, you can retry after 1 minute",
)
TOO_MANY_REFUNDS: Final = Result(
    400, "REFUND_LIMIT_EXCEEDED", "", "Order has reached maximum number of allowed refunds"
)
REFUND_TOO_LATE: Final = Result(400, "REFUND_WINDOW_EXCEED", "", "Refund window exceeded")
USER_NOT_ACTIVE: Final = Result(401, "USER_STATE_IS_NOT_ACTIVE", "", "The user is not active")
NO_SECOND_REFUND: Final = Result(
    403, "MERCHANT_MULTIPLE_REFUND_REJECTED", "", "Multiple refund not allowed"
)
NO_REFUND: Final = Result(404, "NO_SUCH_REFUND_ORDER", "00200018", "Refund not found")
TRANSACTION_FAILED: Final = Result(500, "TRANSACTION_FAILED", "00200002", "Transaction failed")

ALREADY_CAPTURED: Final = Result(
    400, "ALREADY_CAPTURED", "00200039", "Cannot capture already captured acquiring order"
)
ORDER_EXPIRED: Final = Result(
    400,
    "ORDER_EXPIRED",
    "00200043",
    "Order cannot be captured or updated as it has already expired",
)
NOT_CAPTURABLE: Final = Result(400, "ORDER_NOT_CAPTURABLE", "00200035", "Order is not capturable")
CAPTURE_UNACCEPTABLE: Final = Result(
    400, "UNACCEPTABLE_OP", "00400035", "Total transaction limit exceeds merchant limit"
)
REAUTHORIZING: Final = Result(
    400, "REAUTHORIZATION_IN_PROGRESS", "00200038", "Order is being reauthorized"
)
TOO_CLOSE: Final = Result(
    400,
    "TOO_CLOSE_TO_EXPIRY",
    "00400064",
    "Order cannot be reauthorized as request is too close to expiry time",
)
NO_FUND: Final = Result(
    400, "NO_SUFFICIENT_FUND", "", "The user's balance is insufficient to make payment"
)
ABOVE_LIMIT: Final = Result(
    400, "LIMIT_EXCEEDED", "", "The payment amount exceeded the upper limit"
)
ABOVE_DAILY_LIMIT: Final = Result(
    400,
    "USER_DEFINED_DAILY_LIMIT_EXCEEDED",
    "",
    "The payment amount exceeded user 24 hours defined limit",
)
ABOVE_MONTHLY_LIMIT: Final = Result(
    400,
    "USER_DEFINED_MONTHLY_LIMIT_EXCEEDED",
    "",
    "The payment amount exceeded user 30 days defined limit",
)
NOT_CANCELABLE: Final = Result(400, "ORDER_NOT_CANCELABLE", "00200042", "Order is not cancelable")
REAUTHORIZE_REJECTED: Final = Result(400, "REAUTHORIZE_REJECTED", "", "Reauthorize rejected")
REAUTHORIZE_FAILED: Final = Result(400, "REAUTHORIZE_FAILED", "", "Reauthorize failed")
AMOUNT_UNCHANGED: Final = Result(
    400, "REAUTH_AMOUNT_UNCHANGED", "", "The amount is the same as the authorized amount"
)
TOO_MANY_REAUTHS: Final = Result(
    400, "REAUTH_MAX_LIMIT_EXCEEDED", "", "Maximum number of reauthorize attempts exceeded"
)
METHOD_INVALIDATED: Final = Result(
    400, "PAY_METHOD_INVALIDATED", "", "The payment method is no longer valid"
)

EVERYWHERE: Final = (
    INVALID_REQUEST,
    MISSING_PARAMS,
    INVALID_PARAMS,
    UNAUTHORIZED,
    OUT_OF_SCOPE,
    RATE_LIMIT,
    SERVICE_ERROR,
    INTERNAL_ERROR,
    MAINTENANCE,
)


def _by_code(own: Iterable[Result]) -> Mapping[str, Result]:
    """What the operation has of its own hides what is the same everywhere."""
    return MappingProxyType({result.code: result for result in (*EVERYWHERE, *own)})


# Every error that the documents list for an operation; a fault may answer any of them.
PUBLISHED: Final[Mapping[Operation, Mapping[str, Result]]] = MappingProxyType(
    {
        "createCode": _by_code(
            (DUPLICATE_CODE, PRE_AUTH_UNSUPPORTED, PRE_AUTH_EXPIRY, BAD_CODE_REQUEST)
        ),
        "deleteCode": _by_code((BAD_CODE_REQUEST, NO_CODE, ALREADY_PAID)),
        "getCodePayment": _by_code((NO_CODE_PAYMENT, BAD_CODE_REQUEST)),
        "getPayment": _by_code((NO_PAYMENT,)),
        "cancel": _by_code((NOT_REVERSIBLE, NO_LONGER_THERE, NO_PAYMENT)),
        "refund": _by_code(
            (
                WRONG_REFUND_AMOUNT,
                NOT_REFUNDABLE,
                CANCELED_USER,
                REFUND_THROTTLED,
                TOO_MANY_REFUNDS,
                REFUND_TOO_LATE,
                NO_LONGER_THERE,
                USER_NOT_ACTIVE,
                NO_SECOND_REFUND,
                NO_REFUND,
                NO_PAYMENT,
                TRANSACTION_FAILED,
            )
        ),
        "getRefund": _by_code((NO_LONGER_THERE, NO_REFUND)),
        "capture": _by_code(
            (
                CAPTURE_UNACCEPTABLE,
                ABOVE_LIMIT,
                ABOVE_DAILY_LIMIT,
                ABOVE_MONTHLY_LIMIT,
                ALREADY_CAPTURED,
                CANCELED_USER,
                ORDER_EXPIRED,
                NOT_CAPTURABLE,
                REAUTHORIZING,
                TOO_CLOSE,
                NO_FUND,
                NO_LONGER_THERE,
                NO_PAYMENT,
            )
        ),
        "other": _by_code(()),
        "revert": _by_code((NOT_CANCELABLE, NO_LONGER_THERE, NO_PAYMENT)),
        "reauthorize": _by_code(
            (
                REAUTHORIZE_REJECTED,
                METHOD_INVALIDATED,
                AMOUNT_UNCHANGED,
                TOO_MANY_REAUTHS,
                REAUTHORIZE_FAILED,
                NO_LONGER_THERE,
                NO_PAYMENT,
            )
        ),
    }
)
