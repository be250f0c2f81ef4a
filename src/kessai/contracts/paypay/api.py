"""PayPay's API: paths, statuses, bodies.

Replies are read leniently (unknown words and fields pass), because the provider adds them without
notice.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import Field, JsonValue, StringConstraints

from kessai.contracts.wire import Wire

CODES_PATH: Final = "/v2/codes"
CODE_PAYMENTS_PATH: Final = "/v2/codes/payments"
PAYMENTS_PATH: Final = "/v2/payments"
REFUNDS_PATH: Final = "/v2/refunds"
CAPTURE_PATH: Final = "/v2/payments/capture"
REVERT_PATH: Final = "/v2/payments/preauthorize/revert"
REAUTHORIZE_PATH: Final = "/v2/payments/reauthorize"

MERCHANT_HEADER: Final = "X-ASSUME-MERCHANT"
MERCHANT_QUERY: Final = "assumeMerchant"
REQUEST_ID_HEADER: Final = "X-REQUEST-ID"


class ProviderStatus(StrEnum):
    """Of a payment. The simulator says only these; a client must bear others."""

    CREATED = "CREATED"
    AUTHORIZED = "AUTHORIZED"
    REAUTHORIZING = "REAUTHORIZING"
    COMPLETED = "COMPLETED"
    REFUNDED = "REFUNDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"


class RefundState(StrEnum):
    """Both count as success; the end state is always REFUNDED."""

    CREATED = "CREATED"
    REFUNDED = "REFUNDED"


MerchantId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
"""Shape of merchantPaymentId and merchantRefundId."""

EpochSeconds = Annotated[int, Field(ge=0, le=99_999_999_999)]


class Money(Wire):
    """At most eleven digits of yen."""

    amount: int
    currency: str = "JPY"


class AskedMoney(Money):
    amount: Annotated[int, Field(strict=True, ge=1, le=99_999_999_999)]
    currency: Literal["JPY"] = "JPY"


class OrderItem(Wire):
    """As asked for. PayPay echoes it as `CodeItem`."""

    name: Annotated[str, StringConstraints(max_length=255)]
    quantity: Annotated[int, Field(strict=True, ge=1)]
    unit_price: AskedMoney
    category: str | None = None
    product_id: str | None = None


class CodeItem(Wire):
    """The reply to a created code writes `unit_price`, although the request has `unitPrice`."""

    name: str
    quantity: int
    unit_price: Money = Field(alias="unit_price")
    category: str | None = None
    product_id: str | None = None


class CreateCode(Wire):
    """POST /v2/codes. There is no field for the code's lifetime."""

    merchant_payment_id: MerchantId
    amount: AskedMoney
    code_type: Literal["ORDER_QR"] = "ORDER_QR"
    order_description: Annotated[str, StringConstraints(max_length=255)] | None = None
    order_items: tuple[OrderItem, ...] | None = None
    store_info: Annotated[str, StringConstraints(max_length=255)] | None = None
    store_id: Annotated[str, StringConstraints(max_length=255)] | None = None
    terminal_id: Annotated[str, StringConstraints(max_length=255)] | None = None
    product_type: str | None = None
    requested_at: EpochSeconds | None = None
    redirect_url: Annotated[str, StringConstraints(max_length=2048)] | None = None
    redirect_type: Literal["WEB_LINK", "APP_DEEP_LINK"] | None = None
    user_agent: Annotated[str, StringConstraints(max_length=1024)] | None = None
    is_authorization: bool = False
    authorization_expiry: EpochSeconds | None = None
    ip_address: str | None = None


class Code(Wire):
    """`data` of a created code; what was not asked for is left out, `isAuthorization` never."""

    code_id: str
    url: str
    deeplink: str | None = None
    expiry_date: int
    merchant_payment_id: str
    amount: Money
    order_description: str | None = None
    order_items: tuple[CodeItem, ...] | None = None
    code_type: str = "ORDER_QR"
    store_info: str | None = None
    store_id: str | None = None
    product_type: str | None = None
    terminal_id: str | None = None
    requested_at: int | None = None
    redirect_url: str | None = None
    redirect_type: str | None = None
    is_authorization: bool = False
    authorization_expiry: int | None = None


class RefundAsked(Wire):
    """POST /v2/refunds. `payment_id` is PayPay's own, not the merchant's."""

    merchant_refund_id: MerchantId
    payment_id: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    amount: AskedMoney
    requested_at: EpochSeconds
    reason: Annotated[str, StringConstraints(max_length=255)] | None = None


class RefundReply(Wire):
    """`data` of a refund, of its look-up, and one row of a payment's `refunds`."""

    status: str
    accepted_at: int
    merchant_refund_id: str
    payment_id: str
    amount: Money
    requested_at: int | None = None
    reason: str | None = None
    assume_merchant: str | None = None


class RefundList(Wire):
    data: tuple[RefundReply, ...] = ()


class CaptureAsked(Wire):
    """POST /v2/payments/capture: takes what was authorised, or less, once."""

    merchant_payment_id: MerchantId
    amount: AskedMoney
    merchant_capture_id: MerchantId
    requested_at: EpochSeconds
    order_description: Annotated[str, StringConstraints(min_length=1, max_length=255)]


class Capture(Wire):
    """One row of a payment's `captures`; `status` is USER_REQUESTED or COMPLETED."""

    status: str
    accepted_at: int
    merchant_capture_id: str
    amount: Money
    order_description: str | None = None
    requested_at: int | None = None
    expires_at: int | None = None


class CaptureList(Wire):
    data: tuple[Capture, ...] = ()


class RevertAsked(Wire):
    """POST /v2/payments/preauthorize/revert. `payment_id` is PayPay's own."""

    merchant_revert_id: MerchantId
    payment_id: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    requested_at: EpochSeconds
    reason: Annotated[str, StringConstraints(max_length=255)] | None = None


class RevertReply(Wire):
    """`data` of a revert: `status` is CANCELED."""

    status: str
    accepted_at: int
    payment_id: str
    requested_at: int | None = None
    reason: str | None = None


class Revert(Wire):
    """A payment's `revert`: its authorisation was given up."""

    accepted_at: int
    merchant_revert_id: str
    requested_at: int | None = None
    reason: str | None = None


class ReauthorizeAsked(Wire):
    """POST /v2/payments/reauthorize: another amount. The redirect fields belong to a higher one."""

    request_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,255}$")]
    payment_id: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    updated_amount: AskedMoney
    requested_at: EpochSeconds | None = None
    merchant_comment: Annotated[str, StringConstraints(max_length=255)] | None = None
    redirect_url: Annotated[str, StringConstraints(max_length=2048)] | None = None
    redirect_type: Literal["WEB_LINK", "APP_DEEP_LINK"] | None = None
    user_agent: Annotated[str, StringConstraints(max_length=1024)] | None = None


class PaymentMethod(Wire):
    amount: Money
    type: str


class ReauthorizeReply(Wire):
    """`data` when the amount is changed; with 201 only `expires_at` and `url`, for the customer."""

    request_id: str | None = None
    payment_id: str | None = None
    updated_amount: Money | None = None
    requested_at: int | None = None
    accepted_at: int | None = None
    expires_at: int
    payment_methods: tuple[PaymentMethod, ...] | None = None
    url: str | None = None


class PaymentDetails(Wire):
    """`data` of the look-ups. Unpaid it says only status CREATED and two zeros.

    `accepted_at` is the time of COMPLETED, with an authorisation that of AUTHORIZED; `canceled_at`
    that of FAILED, all in epoch seconds.
    It never has the code's id or URL.
    """

    payment_id: str | None = None
    status: str
    accepted_at: int | None = None
    refunds: RefundList | None = None
    captures: CaptureList | None = None
    revert: Revert | None = None
    merchant_payment_id: str | None = None
    amount: Money | None = None
    requested_at: int | None = None
    expires_at: int | None = None
    canceled_at: int | None = None
    store_id: str | None = None
    terminal_id: str | None = None
    order_receipt_number: str | None = None
    order_description: str | None = None
    order_items: JsonValue = None
    payment_methods: tuple[PaymentMethod, ...] | None = None


class CodeDeleted(Wire):
    qr_status: str = "DELETED"


class ResultInfo(Wire):
    code: str
    message: str = ""
    code_id: str = ""


class Reply(Wire):
    """The envelope of every answer; errors carry no data."""

    result_info: ResultInfo
    data: JsonValue = None
