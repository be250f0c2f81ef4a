"""The order as its rules see it: its state, and what one transaction changes in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any, Self

from kessai.contracts.moves import (
    ORDER_MOVES,
    AttemptStatus,
    Method,
    OrderReason,
    OrderStatus,
    move,
)
from kessai.kernel.errors import JsonValue

_JST = timezone(timedelta(hours=9))
OPEN_STATUSES = frozenset({OrderStatus.PENDING, OrderStatus.WAITING_PAYMENT})


class Decision(StrEnum):
    """The lock between the sagas: SETTLE or FAIL is taken once, from OPEN, and never changes."""

    OPEN = ""
    SETTLE = "SETTLE"
    FAIL = "FAIL"


class Closing(StrEnum):
    """Who asked for the end of an unpaid order."""

    NO = ""
    CUSTOMER = "CUSTOMER"
    DEADLINE = "DEADLINE"


class FactKind(StrEnum):
    ORDER = "ORDER"
    PAYMENT = "PAYMENT"
    STOCK = "STOCK"
    REFUND = "REFUND"


@dataclass(frozen=True, slots=True)
class PaymentView:
    """The newest attempt as the order shows it. Times are epoch milliseconds."""

    number: int = 0
    version: int = 0
    status: AttemptStatus | None = None
    provider_status: str | None = None
    payment_id: str | None = None
    url: str | None = None
    deeplink: str | None = None
    expires_at_ms: int | None = None
    requested_at_ms: int | None = None
    completed_at_ms: int | None = None
    error_code: str | None = None
    error_message: str | None = None


@dataclass(frozen=True, slots=True)
class RefundNote:
    """The newest refund as the order shows it."""

    amount: int
    status: str
    reason: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Order:
    """One row. `items`, `shipping`, `refusal` and `timeline` are JSON texts that rules pass on.

    `version` counts status moves, `view_version` every change that somebody may see.
    `paid_attempt` is the merchantPaymentId that settles the order. `settling_since_ms` is the
    provider's time of its capture, from the news of it until the order is PAID or FAILED.
    """

    order_id: str
    user_id: str
    method: Method
    amount: int
    items: str
    customer_name: str
    customer_email: str
    shipping: str | None
    created_at_ms: int
    hold_until_ms: int
    status: OrderStatus = OrderStatus.PENDING
    reason: OrderReason | None = None
    decision: Decision = Decision.OPEN
    closing: Closing = Closing.NO
    version: int = 1
    view_version: int = 1
    updated_at_ms: int = 0
    payment: PaymentView = PaymentView()
    payment_last_event_id: str | None = None
    paid_attempt: str | None = None
    paid_at_ms: int | None = None
    reservation_id: str = ""
    refunded_amount: int = 0
    refund: RefundNote | None = None
    refusal: str | None = None
    timeline: str = "[]"
    audit_sequence: int = 0
    audit_hash: str = ""
    settling_since_ms: int | None = None
    settling_channel: str | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    """What happened, for the audit trail and, when `shown`, for the customer's timeline."""

    kind: FactKind
    code: str
    values: Mapping[str, JsonValue] = field(default_factory=dict)
    shown: bool = True
    old: OrderStatus | None = None
    new: OrderStatus | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """One status move; `version` is the order's after it."""

    old: OrderStatus | None
    new: OrderStatus
    reason: OrderReason | None
    version: int


@dataclass(frozen=True, slots=True)
class Change:
    """What one transaction does to one order."""

    before: Order
    after: Order
    facts: tuple[Fact, ...] = ()
    moves: tuple[Moved, ...] = ()

    @classmethod
    def of(cls, order: Order) -> Self:
        return cls(order, order)

    @property
    def is_empty(self) -> bool:
        return self.after is self.before and not self.facts

    @property
    def at_ms(self) -> int | None:
        """When the order itself says that it happened: what is told of it must say the same."""
        if self.before.audit_sequence == 0:
            return self.after.created_at_ms
        return self.after.paid_at_ms if self.after.paid_at_ms != self.before.paid_at_ms else None

    # Any: the fields of `Order` by name, which mypy cannot check through `replace` either.
    def put(self, **fields: Any) -> Change:
        return replace(self, after=replace(self.after, **fields))

    def note(
        self,
        kind: FactKind,
        code: str,
        values: Mapping[str, JsonValue] | None = None,
        *,
        shown: bool = True,
    ) -> Change:
        return replace(self, facts=(*self.facts, Fact(kind, code, values or {}, shown)))

    def to(
        self,
        new: OrderStatus,
        values: Mapping[str, JsonValue] | None = None,
        *,
        reason: OrderReason | None = None,
    ) -> Change:
        """Moves the status. Raises `IllegalMove` for what the table does not have."""
        old = self.after.status
        move(ORDER_MOVES, old, new)
        version = self.after.version + 1
        after = replace(self.after, status=new, version=version, reason=reason or self.after.reason)
        fact = Fact(FactKind.ORDER, new.value, values or {}, True, old, new)
        moved = Moved(old, new, reason, version)
        return replace(self, after=after, facts=(*self.facts, fact), moves=(*self.moves, moved))


def place(order: Order) -> Change:
    """The creation: version 1, from nothing to PENDING."""
    values: dict[str, JsonValue] = {"amount": order.amount, "method": order.method}
    fact = Fact(FactKind.ORDER, "CREATED", values, True, None, OrderStatus.PENDING)
    moved = Moved(None, OrderStatus.PENDING, None, 1)
    return Change(order, order, (fact,), (moved,))


def decide(order: Order, wanted: Decision) -> Change:
    """Takes the decision if it is still open; look at `after.decision` for who has it."""
    change = Change.of(order)
    if order.decision is not Decision.OPEN:
        return change
    return change.put(decision=wanted).note(FactKind.ORDER, f"DECIDED_{wanted.value}", shown=False)


def ask_to_close(order: Order, by: Closing) -> Change:
    """Nobody gets a new code after this; the cancel saga finds out whether it was paid."""
    code = "CANCEL_REQUESTED" if by is Closing.CUSTOMER else "DEADLINE_PASSED"
    return Change.of(order).put(closing=by).note(FactKind.ORDER, code)


def may_close(order: Order) -> bool:
    return order.status in OPEN_STATUSES and order.decision is Decision.OPEN


def mark_paid(order: Order, reservation_id: str, now_ms: int) -> Change:
    """PAID, through WAITING_PAYMENT when the payment outran the create answer."""
    change = Change.of(order)
    if order.status not in OPEN_STATUSES:
        return change
    if order.status is OrderStatus.PENDING:
        change = change.to(OrderStatus.WAITING_PAYMENT)
    change = change.note(FactKind.STOCK, "STOCK_CONFIRMED")
    change = change.to(OrderStatus.PAID, {"amount": order.amount})
    change = change.put(paid_at_ms=now_ms, reservation_id=reservation_id)
    return change.put(settling_since_ms=None, settling_channel=None)


def mark_failed(
    order: Order,
    reason: OrderReason,
    *,
    released: bool,
    items: str | None = None,
) -> Change:
    """FAILED for good; `items` are what a repeat of the refused purchase tells again."""
    change = Change.of(order)
    if order.status not in OPEN_STATUSES:
        return change
    if released:
        change = change.note(FactKind.STOCK, "STOCK_RELEASED")
    change = change.to(OrderStatus.FAILED, {"reason": reason}, reason=reason)
    return change.put(refusal=items, settling_since_ms=None, settling_channel=None)


def order_number(order_id: str) -> str:
    """`K-YYYYMMDD-xxxxxx`: the day in Japan from the id's own time, the end of its chance."""
    created = datetime.fromtimestamp(int(order_id[:9], 36) / 1000, UTC).astimezone(_JST)
    return f"K-{created:%Y%m%d}-{order_id[-6:]}"


@dataclass(frozen=True, slots=True)
class Policy:
    """Durations in milliseconds."""

    deadline_ms: int
    customer_refund_ms: int
    code_lifetime_ms: int


_LIVE_CODE = frozenset({AttemptStatus.CREATING, AttemptStatus.AWAITING, AttemptStatus.UNKNOWN})


def may_make_code(order: Order, policy: Policy, now_ms: int) -> bool:
    """A new attempt: nothing live, nobody is closing, and its code ends before the deadline."""
    return (
        order.status is OrderStatus.WAITING_PAYMENT
        and order.method is Method.PAYPAY
        and order.decision is Decision.OPEN
        and order.closing is Closing.NO
        and order.payment.status not in _LIVE_CODE
        and now_ms + policy.code_lifetime_ms <= order.hold_until_ms
    )


def may_use_code(order: Order, now_ms: int) -> bool:
    return (
        order.status in OPEN_STATUSES
        and order.decision is Decision.OPEN
        and order.closing is Closing.NO
        and order.payment.status is AttemptStatus.AWAITING
        and order.payment.url is not None
        and now_ms < (order.payment.expires_at_ms or 0)
    )


def may_refund(order: Order, policy: Policy, now_ms: int) -> bool:
    """By the customer: the whole of a PAID order, within the time that the shop grants."""
    note = order.refund
    under_way = note is not None and note.status == "REQUESTED" and note.reason == "OPERATOR"
    return (
        order.status is OrderStatus.PAID
        and order.refunded_amount == 0
        and not under_way
        and now_ms < (order.paid_at_ms or 0) + policy.customer_refund_ms
    )


def actions(order: Order, policy: Policy, now_ms: int) -> tuple[str, ...]:
    """What the customer may do now, in the order in which pages offer it."""
    legal = (
        ("pay", may_use_code(order, now_ms) or may_make_code(order, policy, now_ms)),
        ("check", order.status in OPEN_STATUSES and order.payment.number > 0),
        ("cancel", may_close(order) and order.closing is Closing.NO),
        ("refund", may_refund(order, policy, now_ms)),
    )
    return tuple(name for name, is_legal in legal if is_legal)
