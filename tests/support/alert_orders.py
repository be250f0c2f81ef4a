"""Orders of every kind, seeded: what is published when, and the alerts that must come of it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from kessai.kernel.clock import wire

Topic = Literal["orders", "payments"]
# (order, rule, AlertRaised or AlertResolved)
Told = tuple[str, str, str]

_PAYMENT = (
    '{"eventType":"%s","eventId":"%s","schemaVersion":1,"occurredAt":"%s","orderId":"%s",'
    '"paymentId":"04%s","merchantPaymentId":"%s-%d","provider":"PayPay","amount":1200,'
    '"currency":"JPY","refundId":"%s"}'
)
_ORDER = (
    '{"eventType":"OrderStatusChanged","eventId":"%s","schemaVersion":1,"occurredAt":"%s",'
    '"aggregateId":"%s","version":%d,"payload":{"orderId":"%s","oldStatus":"WAITING_PAYMENT",'
    '"newStatus":"%s","reason":null,"amount":1200,"method":"PAYPAY"}}'
)


class Event(NamedTuple):
    """`after_ms` counts from the beginning; `what` is a status of the order, or a payment's event
    with its number."""

    after_ms: int
    order: str
    what: str
    number: int = 1

    @property
    def topic(self) -> Topic:
        return "payments" if self.what in ("PaymentSucceeded", "RefundCompleted") else "orders"

    def value(self, at_ms: int) -> bytes:
        order, number = self.order, self.number
        if self.topic == "orders":
            id_ = f"{self.what[:1]}-{order}"
            return (_ORDER % (id_, wire(at_ms), order, 3, order, self.what)).encode()
        id_ = f"{self.what[:1]}{number}-{order}"
        refund = f"r{number}-{order}" if self.what == "RefundCompleted" else ""
        return (
            _PAYMENT % (self.what, id_, wire(at_ms), order, order, order, number, refund)
        ).encode()


@dataclass(frozen=True)
class Crowd:
    events: Sequence[Event]
    expected: frozenset[Told]


# Of a thousand orders, how many are of each kind.
USUAL: Final = {
    "agrees": 700,
    "agrees backwards": 180,
    "comes twice": 100,
    "A": 5,
    "B": 5,
    "C": 4,
    "late": 2,
    "D": 2,
    "given back": 2,
}
MANY: Final = {
    "agrees": 450,
    "agrees backwards": 150,
    "comes twice": 100,
    "A": 70,
    "B": 70,
    "C": 60,
    "late": 40,
    "D": 30,
    "given back": 30,
}


def crowd(
    count: int,
    *,
    seed: int,
    over_ms: int,
    window_ms: int,
    mix: dict[str, int] | None = None,
    break_ms: int | None = None,
) -> Crowd:
    """`count` orders that begin evenly within `over_ms`. Rules wait for `window_ms`, D for twice
    that. `break_ms`: a moment at which no order waits for what keeps a rule from holding, so that
    nothing changes, however long everything stands still there."""
    chance = random.Random(seed)
    shares = mix or USUAL
    events: list[Event] = []
    expected: list[Told] = []
    kinds = chance.choices(list(shares), list(shares.values()), k=count)
    for number, kind in enumerate(kinds):
        order = _order_id(seed, number)
        begins_ms = over_ms * number // count
        if break_ms is not None and begins_ms < break_ms:
            # All of these are what they will be before it.
            begins_ms = begins_ms * max(0, break_ms - window_ms) // break_ms
        events += _events(kind, order, begins_ms, window_ms, chance)
        expected += [(order, rule, told) for rule, told in _ALERTS.get(kind, ())]
    events.sort(key=lambda event: event.after_ms)
    return Crowd(events, frozenset(expected))


def _order_id(seed: int, number: int) -> str:
    return f"{seed % 10_000:04d}{number * 7919 % 1_000_000_007:010d}{number:012d}"


_ALERTS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "A": (("A", "AlertRaised"),),
    "B": (("B", "AlertRaised"),),
    "C": (("C", "AlertRaised"),),
    "late": (("A", "AlertRaised"), ("A", "AlertResolved")),
    "D": (("A", "AlertRaised"), ("D", "AlertRaised")),
}


def _events(
    kind: str, order: str, at_ms: int, window_ms: int, chance: random.Random
) -> Iterator[Event]:
    soon_ms = at_ms + int(chance.random() * window_ms * 0.4)
    success, paid = "PaymentSucceeded", "PAID"
    match kind:
        case "agrees" | "comes twice":
            yield Event(at_ms, order, success)
            yield Event(soon_ms, order, paid)
            if kind == "comes twice":
                yield Event(soon_ms + window_ms, order, success)
        case "agrees backwards":
            yield Event(at_ms, order, paid)
            yield Event(soon_ms, order, success)
        case "A":
            yield Event(at_ms, order, success)
        case "B":
            yield Event(at_ms, order, paid)
        case "C":
            yield Event(at_ms, order, success)
            yield Event(soon_ms, order, paid)
            yield Event(soon_ms + window_ms // 2, order, success, 2)
        case "late":
            yield Event(at_ms, order, success)
            yield Event(at_ms + 2 * window_ms, order, paid)
        case "D":
            yield Event(at_ms, order, "FAILED")
            yield Event(soon_ms, order, success)
        case "given back":
            yield Event(at_ms, order, "FAILED")
            yield Event(soon_ms, order, success)
            yield Event(soon_ms + window_ms // 4, order, "RefundCompleted")
