"""The wire shapes of http-api: what a browser sends and gets. Names are fixed."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StrictInt,
    StringConstraints,
)

from kessai.contracts.account import Profile, Role
from kessai.contracts.moves import Method
from kessai.contracts.order import ShippingAddress
from kessai.contracts.payment import ProviderError
from kessai.contracts.search import Facets
from kessai.contracts.storage import Names
from kessai.contracts.wire import Wire

MAX_QUANTITY = 99


def _number(value: object) -> object:
    """A numeric string becomes a number; everything else is judged as it is."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 18:
        return int(value)
    return value


def _calendar_date(value: str) -> str:
    """Raises `ValueError` for the 30th of February."""
    date.fromisoformat(value)
    return value


# Limits inside, so that the API's description knows them too.
ProductId = Annotated[
    Annotated[int, Field(strict=True, ge=1, le=2**53 - 1)], BeforeValidator(_number)
]
# Only what tells a slip from an address; whether it exists, only a mail can show.
Email = Annotated[
    str,
    StringConstraints(
        max_length=254,
        pattern=r"^[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+\.[^@\s.\x00-\x1f\x7f]+$",
    ),
]
# One line that is not blank.
Name = Annotated[
    str,
    StringConstraints(
        min_length=1,
        max_length=100,
        pattern=r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$",
    ),
]
BirthDate = Annotated[
    str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"), AfterValidator(_calendar_date)
]


class Body(BaseModel):
    """What clients send: unknown fields are refused, so nothing slips through by its name."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CartLine(Body):
    productId: ProductId
    quantity: Annotated[StrictInt, Field(ge=1, le=MAX_QUANTITY)]


class Address(Body):
    postalCode: Annotated[str, StringConstraints(min_length=1, max_length=20)]
    address: Annotated[str, StringConstraints(min_length=1, max_length=300)]
    phone: Annotated[str, StringConstraints(min_length=1, max_length=30)]


class PurchaseBody(Body):
    customerName: Name
    customerEmail: Email
    items: Annotated[list[CartLine], Field(max_length=50)]
    expectedAmount: Annotated[StrictInt, Field(ge=0, le=99_999_999_999)] | None = None
    method: Method = Method.PAYPAY
    shippingAddress: Address | None = None


class NewPaymentBody(Body):
    method: Method | None = None


class RefundBody(Body):
    reason: Annotated[str, StringConstraints(min_length=1, max_length=200)]


class ActBody(Body):
    """`version` as it was seen: who acts on an older view is refused."""

    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
    version: Annotated[StrictInt, Field(ge=1, le=2**53 - 1)]


class AssignBody(ActBody):
    """Without an assignee nobody has it any more."""

    assignee: Annotated[str, StringConstraints(strip_whitespace=True, max_length=64)] | None = None


class NoteBody(ActBody):
    note: Annotated[str, StringConstraints(max_length=2000)]


class TokenBody(Body):
    idToken: Annotated[str, StringConstraints(max_length=8192)] | None = None


class ProfileBody(Body):
    lastName: Annotated[str, StringConstraints(max_length=100)] | None = None
    firstName: Annotated[str, StringConstraints(max_length=100)] | None = None
    lastNameKana: Annotated[str, StringConstraints(max_length=100)] | None = None
    firstNameKana: Annotated[str, StringConstraints(max_length=100)] | None = None
    birthDate: BirthDate | None = None
    gender: Annotated[str, StringConstraints(max_length=20)] | None = None


class Done(Wire):
    success: bool
    message: str


class SessionAnswer(Wire):
    success: bool
    user_id: str
    email: str | None
    name: str | None
    message: str


class StatusAnswer(Wire):
    success: bool
    user_id: str | None = None
    email: str | None = None
    name: str | None = None
    role: Role | None = None


class AccountAnswer(Wire):
    user_id: str
    email: str | None
    name: str | None
    role: Role
    profile: Profile
    balance: int


class FirebaseConfig(Wire):
    api_key: str
    auth_domain: str
    project_id: str
    app_id: str
    api_base_url: str


class SimulatorLinks(Wire):
    paypay: str
    firebase: str


class ConfigAnswer(Wire):
    shop_name: str
    languages: tuple[str, ...]
    firebase: FirebaseConfig
    poll_interval_ms: int
    env: str
    version: str
    simulators: SimulatorLinks | None = None


class CategoryAnswer(Wire):
    id: int
    name: str
    names: Names
    image_url: str | None


class ProductAnswer(Wire):
    id: int
    category_id: int
    name: str
    names: Names
    description: str
    image_url: str | None
    price: int
    stock: int


class FoundProduct(Wire):
    product_id: int
    title: str
    titles: Names
    price: int
    thumbnail_url: str | None
    created_at: str
    stock: int
    category_id: int
    highlight: str | None = None


class SearchAnswer(Wire):
    items: tuple[FoundProduct, ...]
    total: int
    page: int
    size: int
    did_you_mean: str | None = None
    facets: Facets


class SuggestedProduct(Wire):
    product_id: int
    title: str
    thumbnail_url: str | None
    price: int


class SuggestAnswer(Wire):
    suggestions: tuple[str, ...]
    products: tuple[SuggestedProduct, ...]


class PurchaseAnswer(Wire):
    order_id: str
    order_number: str
    amount: int
    status: str
    payment_url: str | None
    deeplink: str | None
    payment_expires_at: str | None
    hold_until: str
    channel_token: str
    channel_token_expires_at: str


class ItemAnswer(Wire):
    product_id: int
    title: str
    image_url: str | None
    unit_price: int
    quantity: int


class TimelineAnswer(Wire):
    at: str
    kind: str
    code: str
    data: dict[str, JsonValue]


class RefundAnswer(Wire):
    amount: int
    status: str
    reason: str
    at: str


class OrderAnswer(Wire):
    order_id: str
    order_number: str
    created_at: str
    method: str
    amount: int
    tax_yen: int
    status: str
    reason: str | None
    payment_status: str | None
    paypay_status: str | None
    payment_id: str | None
    payment_last_event_id: str | None = Field(alias="payment_last_event_id")
    payment_url: str | None
    deeplink: str | None
    payment_expires_at: str | None
    payment_requested_at: str | None
    payment_completed_at: str | None
    hold_until: str
    channel_token: str
    channel_token_expires_at: str
    paypay_error: ProviderError | None
    items: tuple[ItemAnswer, ...]
    shipping_address: ShippingAddress | None
    timeline: tuple[TimelineAnswer, ...]
    refund: RefundAnswer | None
    actions: tuple[str, ...]
    # The `sequence` of the live channel: a page knows by it which of two answers is the newer.
    view_version: int
    server_time: str
    correlation_id: str


class SummaryAnswer(Wire):
    order_id: str
    order_number: str
    created_at: str
    amount: int
    status: str
    reason: str | None
    payment_status: str | None
    items: tuple[ItemAnswer, ...]
    item_count: int


class OrdersAnswer(Wire):
    items: tuple[SummaryAnswer, ...]
    next_cursor: str | None


class QrAnswer(Wire):
    base64_image: str
    payment_url: str
    amount: int


class QrPending(Wire):
    status: str


class Frame(Wire):
    """One message of the live channel; `sequence` is the order's view version."""

    type: Literal["ORDER_STATUS"] = "ORDER_STATUS"
    event: Literal["SNAPSHOT", "UPDATE"]
    sequence: int
    order_id: str
    amount: int
    order_status: str
    payment_status: str | None
    payment_url: str | None
    payment_expires_at: str | None
    payment_completed_at: str | None
    result: Literal["PENDING", "SUCCESS", "FAILED", "TIMEOUT"]
    code: str | None
    message: str | None
    timestamp: str


class Subscribe(BaseModel):
    """The first frame of a client; other fields are of a later version and skipped."""

    model_config = ConfigDict(frozen=True)
    type: Literal["SUBSCRIBE"]
    orderId: Annotated[str, StringConstraints(pattern=r"^[0-9a-z]{26}$")]
    token: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    lastSequence: Annotated[StrictInt, Field(ge=0)] | None = None
