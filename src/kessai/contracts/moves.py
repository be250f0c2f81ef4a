"""Statuses and their legal moves as tables; everything else is refused, everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from kessai.kernel.errors import IllegalMove


class OrderStatus(StrEnum):
    PENDING = "PENDING"
    WAITING_PAYMENT = "WAITING_PAYMENT"
    PAID = "PAID"
    FAILED = "FAILED"
    REFUNDING = "REFUNDING"
    REFUNDED = "REFUNDED"


class OrderReason(StrEnum):
    """Why an order is FAILED."""

    OUT_OF_STOCK = "OUT_OF_STOCK"
    PAYMENT_UNAVAILABLE = "PAYMENT_UNAVAILABLE"
    PAYMENT_DECLINED = "PAYMENT_DECLINED"
    PAYMENT_EXPIRED = "PAYMENT_EXPIRED"
    CANCELLED = "CANCELLED"
    OUT_OF_STOCK_AFTER_PAYMENT = "OUT_OF_STOCK_AFTER_PAYMENT"


class AttemptStatus(StrEnum):
    """One payment attempt as payment-service knows it; UNKNOWN is resolved by asking."""

    CREATING = "CREATING"
    AWAITING = "AWAITING"
    UNKNOWN = "UNKNOWN"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    REFUNDING = "REFUNDING"
    REFUNDED = "REFUNDED"


class ReservationStatus(StrEnum):
    RESERVED = "RESERVED"
    CONFIRMED = "CONFIRMED"
    RELEASED = "RELEASED"


class RefundStatus(StrEnum):
    """REQUESTED is our intent, ACCEPTED the provider's word, COMPLETED the money's return."""

    REQUESTED = "REQUESTED"
    ACCEPTED = "ACCEPTED"
    COMPLETED = "COMPLETED"
    REJECTED = "REJECTED"


class HoldStatus(StrEnum):
    HELD = "HELD"
    CAPTURED = "CAPTURED"
    RELEASED = "RELEASED"


class Method(StrEnum):
    PAYPAY = "PAYPAY"
    BALANCE = "BALANCE"


ORDER_MOVES: Mapping[OrderStatus, frozenset[OrderStatus]] = {
    OrderStatus.PENDING: frozenset({OrderStatus.WAITING_PAYMENT, OrderStatus.FAILED}),
    OrderStatus.WAITING_PAYMENT: frozenset({OrderStatus.PAID, OrderStatus.FAILED}),
    OrderStatus.PAID: frozenset({OrderStatus.REFUNDING}),
    OrderStatus.FAILED: frozenset(),
    OrderStatus.REFUNDING: frozenset({OrderStatus.REFUNDED}),
    OrderStatus.REFUNDED: frozenset(),
}

_CLOSED = frozenset({AttemptStatus.FAILED, AttemptStatus.EXPIRED, AttemptStatus.CANCELLED})
_ENDED = _CLOSED | {AttemptStatus.SUCCEEDED}

# A closed attempt still moves to SUCCEEDED: PayPay may tell late that the customer had paid.
# SUCCEEDED moves to FAILED when a cancel won, that is, the money went back (paypay.md, 1.3).
ATTEMPT_MOVES: Mapping[AttemptStatus, frozenset[AttemptStatus]] = {
    AttemptStatus.CREATING: _ENDED | {AttemptStatus.AWAITING, AttemptStatus.UNKNOWN},
    AttemptStatus.AWAITING: _ENDED | {AttemptStatus.UNKNOWN},
    AttemptStatus.UNKNOWN: _ENDED | {AttemptStatus.AWAITING},
    AttemptStatus.SUCCEEDED: frozenset({AttemptStatus.REFUNDING, AttemptStatus.FAILED}),
    AttemptStatus.FAILED: frozenset({AttemptStatus.SUCCEEDED}),
    AttemptStatus.EXPIRED: frozenset({AttemptStatus.SUCCEEDED, AttemptStatus.FAILED}),
    AttemptStatus.CANCELLED: frozenset({AttemptStatus.SUCCEEDED, AttemptStatus.FAILED}),
    AttemptStatus.REFUNDING: frozenset({AttemptStatus.REFUNDED}),
    AttemptStatus.REFUNDED: frozenset(),
}

RESERVATION_MOVES: Mapping[ReservationStatus, frozenset[ReservationStatus]] = {
    ReservationStatus.RESERVED: frozenset(
        {ReservationStatus.CONFIRMED, ReservationStatus.RELEASED}
    ),
    ReservationStatus.CONFIRMED: frozenset(),
    ReservationStatus.RELEASED: frozenset(),
}

REFUND_MOVES: Mapping[RefundStatus, frozenset[RefundStatus]] = {
    RefundStatus.REQUESTED: frozenset(
        {RefundStatus.ACCEPTED, RefundStatus.COMPLETED, RefundStatus.REJECTED}
    ),
    RefundStatus.ACCEPTED: frozenset({RefundStatus.COMPLETED}),
    RefundStatus.COMPLETED: frozenset(),
    RefundStatus.REJECTED: frozenset(),
}

HOLD_MOVES: Mapping[HoldStatus, frozenset[HoldStatus]] = {
    HoldStatus.HELD: frozenset({HoldStatus.CAPTURED, HoldStatus.RELEASED}),
    HoldStatus.CAPTURED: frozenset(),
    HoldStatus.RELEASED: frozenset(),
}

LIVE_ATTEMPT = frozenset({AttemptStatus.CREATING, AttemptStatus.AWAITING, AttemptStatus.UNKNOWN})
FINAL_ORDER = frozenset(
    {OrderStatus.PAID, OrderStatus.FAILED, OrderStatus.REFUNDING, OrderStatus.REFUNDED}
)

S = TypeVar("S", bound=StrEnum)


def move(moves: Mapping[S, frozenset[S]], now: S, to: S) -> S:
    """The new status. Raises `IllegalMove` for whatever the table does not have."""
    if to not in moves[now]:
        raise IllegalMove(f"{now} does not move to {to}", facts={"from": now, "to": to})
    return to
