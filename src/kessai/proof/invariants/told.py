"""What the outboxes say of orders and payments, kept by order: the events of an order lie among
those of all others.

A hundred thousand orders are told of seven hundred thousand times, so what is kept is small: most
orders have the history of another one, and those share it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NamedTuple, TypeVar

import msgspec

from kessai.proof.invariants.span import FIRST, Span
from kessai.topology import ORDERS_TOPIC, PAYMENTS_TOPIC

VIEW = "OrderViewChanged"
_ASKED = (b'"PaymentSucceeded"', b'"RefundCompleted"')

# Old and new status.
Move = tuple[str | None, str]
Amounts = tuple[tuple[str, int], ...]
T = TypeVar("T")


class OutboxRow(NamedTuple):
    id: int
    topic: str
    message_key: str
    value: bytes
    event_id: str
    created_at_ms: int
    sent: int

    def shown(self) -> dict[str, object]:
        return {name: value for name, value in self._asdict().items() if name != "value"}


class _Payload(msgspec.Struct, rename="camel", gc=False):
    order_id: str
    old_status: str | None
    new_status: str
    amount: int


class _OrderEvent(msgspec.Struct, rename="camel", gc=False):
    event_type: str
    event_id: str
    aggregate_id: str
    version: int
    payload: _Payload | None = None


class _PaymentEvent(msgspec.Struct, rename="camel", gc=False):
    event_type: str
    amount: int
    merchant_payment_id: str
    refund_id: str = ""


_order_event = msgspec.json.Decoder(_OrderEvent).decode
_payment_event = msgspec.json.Decoder(_PaymentEvent).decode


class History:
    """Moves by their version, as they were told; orders of the same course share it."""

    __slots__ = ("_following", "moves")

    def __init__(self, moves: Mapping[int, Move] = MappingProxyType({})) -> None:
        self.moves = moves
        self._following: dict[tuple[int, str | None, str], History | None] = {}

    def then(self, version: int, old: str | None, new: str) -> History | None:
        """With one move more; None when this version was told before."""
        step = (version, old, new)
        try:
            return self._following[step]
        except KeyError:
            longer = None if version in self.moves else History({**self.moves, version: (old, new)})
            self._following[step] = longer
            return longer


@dataclass(slots=True)
class Told:
    """Of one order. `views` has a bit for each version.

    `succeeded` and `refunded` are amounts by merchantPaymentId and refund id.
    """

    history: History = field(default_factory=History)
    views: int = 0
    amount: int | None = None
    succeeded: Amounts = ()
    refunded: Amounts = ()
    faults: tuple[str, ...] = ()
    has_order: bool = False

    def fault(self, why: str) -> None:
        self.faults = (*self.faults, why)


class Telling:
    """Folds the rows of the outboxes of order-service and payment-service into `by_order`.

    Those of the orders of `span`.
    """

    def __init__(self, span: Span = FIRST) -> None:
        self.by_order: dict[str, Told] = {}
        self.span = span
        self._nothing = History()

    def fold_orders(self, rows: Iterable[OutboxRow]) -> None:
        low, high = self.span
        for row in rows:
            if row.topic == ORDERS_TOPIC and low <= row.message_key < high:
                self._fold_order(row, self._told(row.message_key))

    def fold_payments(self, rows: Iterable[OutboxRow]) -> None:
        low, high = self.span
        for row in rows:
            if (
                row.topic == PAYMENTS_TOPIC
                and low <= row.message_key < high
                and _is_asked(row.value)
            ):
                self._fold_payment(row, self._told(row.message_key))

    def _told(self, order_id: str) -> Told:
        told = self.by_order.get(order_id)
        if told is None:
            told = self.by_order[order_id] = Told(self._nothing)
        elif told.has_order:
            # It lies beside the order as it was read, and stays as it was then.
            told = self.by_order[order_id] = replace(told)
        return told

    def _fold_order(self, row: OutboxRow, told: Told) -> None:
        try:
            event = _order_event(row.value)
        except (ValueError, TypeError):
            told.fault(f"row {row.id} of the outbox cannot be read")
            return
        payload, version = event.payload, event.version
        if event.event_id != row.event_id or event.aggregate_id != row.message_key:
            told.fault(f"row {row.id} of the outbox is not about what it says")
        elif event.event_type == VIEW:
            bit = 1 << version
            if told.views & bit:
                told.fault(f"view {version} was told twice")
            told.views |= bit
        elif payload is None or payload.order_id != row.message_key:
            told.fault(f"row {row.id} of the outbox is not about what it says")
        else:
            self._fold_move(told, version, payload)

    def _fold_move(self, told: Told, version: int, payload: _Payload) -> None:
        history = told.history.then(version, payload.old_status, payload.new_status)
        if history is None:
            told.fault(f"move {version} was told twice")
            return
        told.history = history
        if told.amount is None:
            told.amount = payload.amount
        elif told.amount != payload.amount:
            told.fault(f"the amount was told as {told.amount} and as {payload.amount}")

    def _fold_payment(self, row: OutboxRow, told: Told) -> None:
        try:
            event = _payment_event(row.value)
        except (ValueError, TypeError):
            told.fault(f"row {row.id} of payment-service's outbox cannot be read")
            return
        if event.event_type == "PaymentSucceeded":
            told.succeeded = (*told.succeeded, (event.merchant_payment_id, event.amount))
        elif event.event_type == "RefundCompleted":
            if any(event.refund_id == name for name, _ in told.refunded):
                told.fault(f"the refund {event.refund_id} was told twice")
            told.refunded = (*told.refunded, (event.refund_id, event.amount))


def _is_asked(value: bytes) -> bool:
    return not isinstance(value, bytes) or any(kind in value for kind in _ASKED)
