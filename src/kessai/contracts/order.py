"""What order-service offers: the purchase, the order as its owner sees it, cancel and refund."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from pydantic import Field, JsonValue

from kessai.contracts.moves import AttemptStatus, Method, OrderReason, OrderStatus
from kessai.contracts.payment import ProviderError
from kessai.contracts.storage import Line
from kessai.contracts.wire import Nothing, OrderId, UserId, Wire


class ShippingAddress(Wire):
    postal_code: str = Field(max_length=20)
    address: str = Field(max_length=300)
    phone: str = Field(max_length=30)


class Purchase(Wire):
    """`session` scopes carts without a key; `fingerprint` is the hash of the whole request."""

    user_id: UserId
    session: str = Field(max_length=64)
    idempotency_key: str | None = Field(default=None, min_length=1, max_length=255)
    fingerprint: str = Field(max_length=64)
    customer_name: str = Field(min_length=1, max_length=100)
    customer_email: str = Field(min_length=3, max_length=254)
    lines: tuple[Line, ...] = Field(min_length=1, max_length=50)
    expected_amount: int | None = None
    method: Method = Method.PAYPAY
    shipping_address: ShippingAddress | None = None
    user_agent: str | None = Field(default=None, max_length=500)


class OrderItem(Wire):
    product_id: int
    title: str
    image_key: str | None
    unit_price: int
    quantity: int


class TimelineEntry(Wire):
    """One fact of the order's story; `code` is translated by the page, `data` are its values."""

    at: str
    kind: str
    code: str
    data: dict[str, JsonValue] = Field(default_factory=dict)


class RefundView(Wire):
    amount: int
    status: str
    reason: str
    at: str


class Order(Wire):
    """The order as its owner sees it. Times are wire strings; fields without a value are None."""

    order_id: str
    order_number: str
    user_id: str
    created_at: str
    method: Method
    amount: int
    tax_yen: int
    status: OrderStatus
    reason: OrderReason | None = None
    view_version: int
    payment_status: AttemptStatus | None = None
    paypay_status: str | None = None
    payment_id: str | None = None
    payment_last_event_id: str | None = None
    payment_url: str | None = None
    deeplink: str | None = None
    payment_expires_at: str | None = None
    payment_requested_at: str | None = None
    payment_completed_at: str | None = None
    hold_until: str
    paypay_error: ProviderError | None = None
    items: tuple[OrderItem, ...]
    shipping_address: ShippingAddress | None = None
    timeline: tuple[TimelineEntry, ...] = ()
    refund: RefundView | None = None
    actions: tuple[str, ...] = ()


class OrderSummary(Wire):
    order_id: str
    order_number: str
    created_at: str
    amount: int
    status: OrderStatus
    reason: OrderReason | None
    payment_status: AttemptStatus | None
    items: tuple[OrderItem, ...]
    item_count: int


class ListOrders(Wire):
    user_id: UserId
    status: OrderStatus | None = None
    cursor: str | None = Field(default=None, max_length=200)
    limit: int = Field(default=20, ge=1, le=100)


class OrderPage(Wire):
    items: tuple[OrderSummary, ...]
    next_cursor: str | None = None


class OrderOfUser(Wire):
    """An order of somebody else is NOT_FOUND."""

    user_id: UserId
    order_id: OrderId


class NewPayment(Wire):
    user_id: UserId
    order_id: OrderId
    method: Method | None = None
    user_agent: str | None = Field(default=None, max_length=500)


class RefundOrder(Wire):
    """By the customer, who always gets the whole amount."""

    user_id: UserId
    order_id: OrderId
    reason: str = Field(min_length=1, max_length=200)


class RefundByOperator(Wire):
    """`amount` None: all that is left. The same `request_id` is the same refund.

    `version` is the `view_version` that the operator saw, None where nobody looked.
    """

    order_id: OrderId
    request_id: str = Field(min_length=1, max_length=60)
    amount: int | None = Field(default=None, ge=1)
    actor: str = Field(min_length=1, max_length=60)
    reason: str = Field(min_length=1, max_length=200)
    version: int | None = None


class Remedy(StrEnum):
    """What an operator may have done about an order that disagrees with its money or goods."""

    ASK_PROVIDER = "ask_provider"
    REFUND = "refund"
    RELEASE = "release"
    REDRIVE_SAGA = "redrive_saga"


class RemedyOrder(Wire):
    """`own`: REFUND also asks again for what was refused of the payment that settled the order."""

    order_id: OrderId
    remedy: Remedy
    actor: str = Field(min_length=1, max_length=64)
    reason: str = Field(min_length=1, max_length=200)
    own: bool = False


class RemedyStep(Wire):
    """One thing that was done; `subject` is a payment, a reservation or a saga."""

    code: str
    subject: str
    amount: int | None = None


class RemedyApplied(Wire):
    """Without any step there was nothing to do."""

    order: Order
    steps: tuple[RemedyStep, ...] = ()


class OrderById(Wire):
    """For the system itself (push, audit); never with an id that came from a browser alone."""

    order_id: OrderId


class AuditEntry(Wire):
    """One row of the order's hash chain: `hash` covers the entry and `previous_hash`."""

    order_id: str
    sequence: int
    at: str
    actor: str
    action: str
    from_status: OrderStatus | None
    to_status: OrderStatus | None
    cause: str
    details: dict[str, JsonValue] = Field(default_factory=dict)
    previous_hash: str
    hash: str


class AuditTrailOfOrder(Wire):
    """`intact` is False when the chain does not verify; `broken_at` names the first bad row."""

    entries: tuple[AuditEntry, ...]
    intact: bool
    broken_at: int | None = None


class PromiseFigures(Wire):
    """Payments of one channel, or of all of them: `channel` is `all` then.

    `share` = within / (within + late + openLate), None without any. `open` payments have an order
    that is neither PAID nor FAILED, `openLate` of them for longer than the limit, whenever they
    were made. `otherwise` counts the payments that did not make their order PAID, by the reason.
    """

    channel: str
    within: int
    late: int
    open: int
    open_late: int
    oldest_open_ms: int | None = None
    share: float | None = None
    p50_ms: int | None = None
    p95_ms: int | None = None
    p99_ms: int | None = None
    max_ms: int | None = None
    otherwise: dict[str, int] = Field(default_factory=dict)


class PromiseWindow(Wire):
    """What ended within the window. `met` is None without any payment: nothing to promise."""

    window: str
    met: bool | None
    burn_rate: float | None
    total: PromiseFigures
    channels: tuple[PromiseFigures, ...]


class PromiseReport(Wire):
    """The share of payments whose order was PAID within `limitS`; docs/architecture/slo.md."""

    at: str
    limit_s: int
    target: float
    windows: tuple[PromiseWindow, ...]


class OrderService(Protocol):
    async def purchase(self, command: Purchase) -> Order:
        """Answers within `KESSAI_PURCHASE_ANSWER_S`, PENDING when the provider is slow.

        Refused NO_ITEMS, VALIDATION, PRICE_CHANGED, OUT_OF_STOCK, PAYMENT_UNAVAILABLE,
        IDEMPOTENCY_CONFLICT, IDEMPOTENCY_IN_FLIGHT; every final answer is replayed by the key.
        """
        ...

    async def list_orders(self, command: ListOrders) -> OrderPage: ...

    async def get_order(self, command: OrderOfUser) -> Order: ...

    async def view_order(self, command: OrderById) -> Order: ...

    async def new_payment(self, command: NewPayment) -> Order:
        """A new attempt on the same order. Refused ILLEGAL_STATE when none may be made now."""
        ...

    async def check_payment(self, command: OrderOfUser) -> Order: ...

    async def cancel_order(self, command: OrderOfUser) -> Order: ...

    async def refund_order(self, command: RefundOrder) -> Order: ...

    async def refund_by_operator(self, command: RefundByOperator) -> Order:
        """In part or whole, whenever the order is paid; only the whole brings the goods back.

        Raises `Refused` ILLEGAL_STATE, REFUND_EXCEEDS_CAPTURE, IDEMPOTENCY_CONFLICT,
        VERSION_CONFLICT.
        """
        ...

    async def remedy_order(self, command: RemedyOrder) -> RemedyApplied:
        """Safe to repeat: what is done already is not done again.

        ASK_PROVIDER asks now and settles the order by the answer. REFUND gives back whatever was
        paid beyond the payment that the order counts as its own. RELEASE frees goods that are held
        or sold for an order that has ended otherwise. REDRIVE_SAGA takes up what has stopped.
        Raises `Refused` NOT_FOUND, ILLEGAL_STATE; `Unknown` when a service does not answer.
        """
        ...

    async def audit_order(self, command: OrderById) -> AuditTrailOfOrder: ...

    async def report_promise(self, command: Nothing) -> PromiseReport:
        """Over 1 h and 24 h, from the tables: every process has the same answer."""
        ...

    async def ping(self, command: Nothing) -> Nothing: ...
