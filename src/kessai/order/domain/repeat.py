"""What a repeated purchase gets: the order as it is now, its refusal again, or "still running"."""

from __future__ import annotations

from enum import StrEnum

from kessai.contracts.moves import OrderReason, OrderStatus
from kessai.order.domain.order import Order


class Answer(StrEnum):
    ORDER = "ORDER"
    OUT_OF_STOCK = "OUT_OF_STOCK"
    PAYMENT_UNAVAILABLE = "PAYMENT_UNAVAILABLE"
    IN_FLIGHT = "IN_FLIGHT"


def answer_of(order: Order) -> Answer:
    """The purchase's own answer once its saga has ended or the time is up."""
    if order.status is OrderStatus.FAILED and order.reason is OrderReason.OUT_OF_STOCK:
        return Answer.OUT_OF_STOCK
    if order.status is OrderStatus.FAILED and order.reason is OrderReason.PAYMENT_UNAVAILABLE:
        return Answer.PAYMENT_UNAVAILABLE
    return Answer.ORDER


def repeat_of(order: Order, progressed_at_ms: int, now_ms: int, in_flight_ms: int) -> Answer:
    """For a key whose first request may still run: only while its saga has moved lately."""
    moved_ms = max(progressed_at_ms, order.updated_at_ms)
    if order.status is OrderStatus.PENDING and now_ms - moved_ms < in_flight_ms:
        return Answer.IN_FLIGHT
    return answer_of(order)
