"""Events on the bus: field names are fixed, ids come from content, unknown ones are skipped."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias, TypeVar

from pydantic import Discriminator, Field, JsonValue, TypeAdapter, ValidationError

from kessai.contracts.moves import AttemptStatus, Method, OrderReason, OrderStatus
from kessai.contracts.payment import ProviderName
from kessai.contracts.wire import Wire
from kessai.kernel.ids import content_id

SCHEMA_VERSION = 1


class OrderStatusPayload(Wire):
    order_id: str
    old_status: OrderStatus | None
    new_status: OrderStatus
    reason: OrderReason | None = None
    amount: int
    method: Method


class OrderStatusChanged(Wire):
    event_type: Literal["OrderStatusChanged"] = "OrderStatusChanged"
    schema_version: int = SCHEMA_VERSION
    event_id: str
    occurred_at: str
    aggregate_id: str
    version: int
    payload: OrderStatusPayload


class OrderViewChanged(Wire):
    """Something that the customer sees has changed; `version` is the order's view version."""

    event_type: Literal["OrderViewChanged"] = "OrderViewChanged"
    schema_version: int = SCHEMA_VERSION
    event_id: str
    occurred_at: str
    aggregate_id: str
    version: int


class _PaymentEvent(Wire):
    schema_version: int = SCHEMA_VERSION
    event_id: str
    occurred_at: str
    order_id: str
    payment_id: str | None = None
    merchant_payment_id: str
    provider: ProviderName
    amount: int
    currency: Literal["JPY"] = "JPY"


class PaymentSucceeded(_PaymentEvent):
    """`captured_at` is the provider's own time, `channel` who first proved it.

    Channels are webhook (the look-up that one caused), poll, create, close and operator; readers
    take a word that they do not know for another one. Both are missing in older events.
    """

    event_type: Literal["PaymentSucceeded"] = "PaymentSucceeded"
    captured_at: str | None = None
    channel: str | None = None


class PaymentFailed(_PaymentEvent):
    event_type: Literal["PaymentFailed"] = "PaymentFailed"


class PaymentExpired(_PaymentEvent):
    event_type: Literal["PaymentExpired"] = "PaymentExpired"


class RefundCompleted(_PaymentEvent):
    """`amount` is this refund's; `refund_id` tells several refunds of one payment apart."""

    event_type: Literal["RefundCompleted"] = "RefundCompleted"
    refund_id: str


class PaymentAttemptChanged(_PaymentEvent):
    """An attempt's word changed without an end of its own (a new code, UNKNOWN, CANCELLED)."""

    event_type: Literal["PaymentAttemptChanged"] = "PaymentAttemptChanged"
    status: AttemptStatus
    version: int


class ProductChanged(Wire):
    event_type: Literal["ProductChanged"] = "ProductChanged"
    schema_version: int = SCHEMA_VERSION
    event_id: str
    occurred_at: str
    aggregate_id: str
    version: int
    payload: dict[str, JsonValue]


class Signal(Wire):
    """What rules E-J need; `source` is the key where there is no order."""

    event_type: Literal["Signal"] = "Signal"
    schema_version: int = SCHEMA_VERSION
    event_id: str
    occurred_at: str
    signal: str
    source: str
    order_id: str | None = None
    facts: dict[str, JsonValue] = Field(default_factory=dict)


PaymentEvent: TypeAlias = Annotated[
    PaymentSucceeded | PaymentFailed | PaymentExpired | RefundCompleted | PaymentAttemptChanged,
    Discriminator("event_type"),
]
OrderEvent: TypeAlias = Annotated[
    OrderStatusChanged | OrderViewChanged, Discriminator("event_type")
]
Event: TypeAlias = (
    OrderStatusChanged
    | OrderViewChanged
    | PaymentSucceeded
    | PaymentFailed
    | PaymentExpired
    | RefundCompleted
    | PaymentAttemptChanged
    | ProductChanged
    | Signal
)

T = TypeVar("T")

_PAYMENT: TypeAdapter[PaymentEvent] = TypeAdapter(PaymentEvent)
_ORDER: TypeAdapter[OrderEvent] = TypeAdapter(OrderEvent)
_PRODUCT: TypeAdapter[ProductChanged] = TypeAdapter(ProductChanged)


def read_payment_event(value: bytes) -> PaymentEvent | None:
    """None for an event type of a later version. Raises `ValueError` for what is no event."""
    return _known(_PAYMENT, value)


def read_order_event(value: bytes) -> OrderEvent | None:
    """None for an event type of a later version. Raises `ValueError` for what is no event."""
    return _known(_ORDER, value)


def read_product_event(value: bytes) -> ProductChanged | None:
    """None for an event type of a later version. Raises `ValueError` for what is no event."""
    return _known(_PRODUCT, value)


def write_event(event: Event) -> bytes:
    return event.model_dump_json(by_alias=True).encode()


def order_event_id(order_id: str, kind: str, version: int) -> str:
    return content_id("order", order_id, kind, str(version))


def payment_event_id(merchant_payment_id: str, event_type: str, *more: str) -> str:
    return content_id("payment", merchant_payment_id, event_type, *more)


def refund_id(merchant_payment_id: str, reason: str) -> str:
    return content_id("refund", merchant_payment_id, reason)


def again_of(refused_id: str) -> str:
    """An operator's request for a refund that was refused: of each refusal there is one."""
    return f"again:{refused_id}"


def refund_again_id(merchant_payment_id: str, refused_id: str) -> str:
    return refund_id(merchant_payment_id, f"OPERATOR:{again_of(refused_id)}")


def _known(adapter: TypeAdapter[T], value: bytes) -> T | None:
    try:
        return adapter.validate_json(value)
    except ValidationError as error:
        if all(problem["type"] == "union_tag_invalid" for problem in error.errors()):
            return None
        raise ValueError(str(error)) from error
