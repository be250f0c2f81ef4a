"""What payment-service offers: attempts, look-ups, closing, refunds, the webhook door."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, Protocol

from pydantic import Field

from kessai.contracts.moves import AttemptStatus, OrderReason, RefundStatus
from kessai.contracts.wire import Nothing, OrderId, Wire

ProviderName = Literal["PayPay", "Balance"]


class PaymentItem(Wire):
    name: str
    quantity: int
    unit_price: int
    product_id: str


class CreatePayment(Wire):
    """`request_id` is the asker's token: the same token never makes a second live code."""

    request_id: str = Field(max_length=100)
    order_id: OrderId
    amount: int = Field(ge=1)
    description: str = Field(max_length=255)
    items: tuple[PaymentItem, ...] = ()
    redirect_url: str = Field(max_length=500)
    user_agent: str | None = Field(default=None, max_length=500)
    hold_until_ms: int


class ProviderError(Wire):
    code: str
    message: str


class Attempt(Wire):
    """One payment attempt; `merchant_payment_id` = `<orderId>-<n>`. Times are wire strings.

    `channel` is who first proved a capture, as in `PaymentSucceeded`.
    """

    order_id: str
    merchant_payment_id: str
    number: int
    provider: ProviderName
    status: AttemptStatus
    provider_status: str | None = None
    payment_id: str | None = None
    amount: int
    currency: Literal["JPY"] = "JPY"
    url: str | None = None
    deeplink: str | None = None
    expires_at: str | None = None
    requested_at: str
    completed_at: str | None = None
    error: ProviderError | None = None
    version: int
    channel: str | None = None


class Refund(Wire):
    refund_id: str
    order_id: str
    merchant_payment_id: str
    amount: int
    reason: str
    status: RefundStatus
    requested_at: str
    completed_at: str | None = None


class Payments(Wire):
    """Everything known of an order's money, attempts in their order."""

    order_id: str
    closed: bool = False
    attempts: tuple[Attempt, ...] = ()
    refunds: tuple[Refund, ...] = ()


class PaymentsOfOrder(Wire):
    order_id: OrderId


class ClosePayments(Wire):
    """No new attempt after this; live codes are deleted and the provider is asked."""

    order_id: OrderId
    reason: str = Field(max_length=60)


class CloseOutcome(StrEnum):
    CLOSED = "CLOSED"
    PAID = "PAID"


class Closed(Wire):
    """CLOSED: no money moved and none can. PAID: settle instead. `reason`: the last attempt's."""

    outcome: CloseOutcome
    reason: OrderReason | None = None


class RecordBalancePayment(Wire):
    order_id: OrderId
    amount: int = Field(ge=1)
    hold_id: str = Field(max_length=64)


class RequestRefund(Wire):
    """`refund_id` = f(payment, reason), made by the asker: a repeat is one refund.

    For a wallet payment the asker credits the wallet first and says so by `credited`.
    """

    refund_id: str = Field(max_length=64)
    order_id: OrderId
    merchant_payment_id: str = Field(max_length=64)
    amount: int = Field(ge=1)
    reason: str = Field(max_length=60)
    credited: bool = False


class ReceiveWebhook(Wire):
    """The bytes as they came; `source` is the address that the trusted proxies vouch for."""

    body: bytes
    source: str = Field(max_length=60)


class WebhookReceived(Wire):
    stored: bool


class CheckLedger(Wire):
    """A page of orders beyond `after`; go on with the answer's `next` until there is none."""

    after: str = Field(default="", max_length=26)
    limit: int = Field(default=500, ge=1, le=2000)


class LedgerFault(Wire):
    """`code`: AMOUNT, KIND, ACCOUNTS, NO_ATTEMPT, NO_REFUND, CAPTURE, REFUND, BALANCE, NEGATIVE."""

    code: str
    order_id: str
    subject: str
    why: str


class AccountTotal(Wire):
    """The accounts of the orders are one line, `orders`."""

    account: str
    debit: int
    credit: int


class LedgerChecked(Wire):
    orders: int
    entries: int
    accounts: tuple[AccountTotal, ...]
    faults: tuple[LedgerFault, ...]
    next: str | None = None


class SettlementDifference(Wire):
    """A difference of the provider's file from our books; `docs/operations/reconciliation.md`.

    `kind`: MISSING_HERE, MISSING_THERE, DIFFERING, DUPLICATE, BROKEN. `remedy`: ASK_PROVIDER,
    REFUND, WAIT, NEW_FILE, OPERATOR.
    """

    kind: str
    what: str
    remedy: str
    row: int | None = None
    merchant_payment_id: str | None = None
    payment_id: str | None = None
    refund_id: str | None = None
    order_id: str | None = None
    theirs: str | None = None
    ours: str | None = None
    amount_yen: int | None = None


class SettlementRun(Wire):
    """The report on one file. The counts are exact, however many differences are kept."""

    run_id: str
    day: str
    digest: str
    file_name: str
    layout: str
    rows: int
    matched: int
    missing_here: int
    missing_there: int
    differing: int
    duplicates: int
    broken: int
    without_money: int
    theirs_yen: int
    ours_yen: int
    began_at: str
    ended_at: str


class ListSettlements(Wire):
    limit: int = Field(default=50, ge=1, le=500)


class SettlementRuns(Wire):
    """The newest day first."""

    runs: tuple[SettlementRun, ...]


class SettlementById(Wire):
    """A page of the differences, beyond the first `after` of them."""

    run_id: str = Field(max_length=40)
    after: int = Field(default=0, ge=0)
    limit: int = Field(default=200, ge=1, le=1000)


class Settlement(Wire):
    run: SettlementRun
    differences: tuple[SettlementDifference, ...]
    next: int | None = None


class PaymentService(Protocol):
    async def create_payment(self, command: CreatePayment) -> Attempt:
        """A payable attempt (AWAITING, or SUCCEEDED when it was paid meanwhile).

        Unknown: ask again with the same token. Refused PAYMENT_UNAVAILABLE (the provider says no,
        or a code would outlast `hold_until_ms`), ORDER_CLOSED, ILLEGAL_STATE (a live attempt).
        """
        ...

    async def get_payments(self, command: PaymentsOfOrder) -> Payments: ...

    async def check_payment(self, command: PaymentsOfOrder) -> Payments:
        """Asks the provider now about the newest attempt; Unknown when it does not answer."""
        ...

    async def close_payments(self, command: ClosePayments) -> Closed:
        """Unknown while the provider is not final: ask again."""
        ...

    async def record_balance_payment(self, command: RecordBalancePayment) -> Attempt: ...

    async def request_refund(self, command: RequestRefund) -> Refund:
        """Refused REFUND_EXCEEDS_CAPTURE, NOT_FOUND. The worker executes it until it is final."""
        ...

    async def receive_webhook(self, command: ReceiveWebhook) -> WebhookReceived:
        """Returns once the inbox row is committed. Refused BAD_REQUEST when no JSON object."""
        ...

    async def check_ledger(self, command: CheckLedger) -> LedgerChecked:
        """Whether each order's account is captured less paid back, to the yen. Changes nothing."""
        ...

    async def list_settlements(self, command: ListSettlements) -> SettlementRuns: ...

    async def get_settlement(self, command: SettlementById) -> Settlement:
        """Refused NOT_FOUND."""
        ...

    async def ping(self, command: Nothing) -> Nothing: ...
