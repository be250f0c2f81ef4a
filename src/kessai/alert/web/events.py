"""Records of the input topics as facts. Read leniently: unknown types and fields are skipped."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from kessai.alert.domain.facts import (
    Back,
    Fact,
    Facts,
    Success,
    Told,
    with_back,
    with_closed,
    with_status,
    with_success,
    with_told,
)
from kessai.contracts.signals import ALERT_CLOSED
from kessai.kernel.clock import parse_wire
from kessai.kernel.streams.ports import Poison

# An event that happened so long before or after its record is no news of this stream.
FARTHEST_MS: Final = 24 * 3_600_000
MOST_BYTES: Final = 512 * 1024
KNOWN_VERSION: Final = 1
Add = Callable[[Facts, int], Facts]


class NotJson(Poison):
    pass


class NoOrder(Poison):
    pass


class TooLarge(Poison):
    pass


class UnknownVersion(Poison):
    pass


class OutOfTime(Poison):
    pass


class NotAsDescribed(Poison):
    pass


class _Status(msgspec.Struct, rename="camel", gc=False):
    order_id: str
    new_status: str


class _Order(msgspec.Struct, rename="camel", gc=False):
    event_type: str
    event_id: str = ""
    occurred_at: str = ""
    schema_version: int = 1
    payload: _Status | None = None


class _Payment(msgspec.Struct, rename="camel", gc=False):
    event_type: str
    event_id: str = ""
    occurred_at: str = ""
    schema_version: int = 1
    order_id: str = ""
    merchant_payment_id: str = ""
    provider: str = ""
    amount: int = 0
    refund_id: str = ""


class _Signal(msgspec.Struct, rename="camel", gc=False):
    event_type: str
    event_id: str = ""
    occurred_at: str = ""
    schema_version: int = 1
    signal: str = ""
    source: str = ""
    order_id: str | None = None
    facts: dict[str, object] = {}


_Event = _Order | _Payment | _Signal
_decode_order = msgspec.json.Decoder(_Order).decode
_decode_payment = msgspec.json.Decoder(_Payment).decode
_decode_signal = msgspec.json.Decoder(_Signal).decode
# What is read of each of them; everything else is passed over.
_ORDER_TYPES: Final = frozenset({"OrderStatusChanged"})
_PAYMENT_TYPES: Final = frozenset({"PaymentSucceeded", "RefundCompleted"})
_SIGNAL_TYPES: Final = frozenset({"Signal"})


@dataclass(frozen=True, slots=True)
class Topics:
    """The names of the inputs, and of the alerts."""

    orders: str
    payments: str
    signals: str
    alerts: str

    @property
    def read(self) -> tuple[str, str, str]:
        return self.orders, self.payments, self.signals


class EventReader:
    def __init__(self, topics: Topics) -> None:
        self._kinds: dict[str, tuple[Callable[[bytes], _Event], frozenset[str]]] = {
            topics.orders: (_decode_order, _ORDER_TYPES),
            topics.payments: (_decode_payment, _PAYMENT_TYPES),
            topics.signals: (_decode_signal, _SIGNAL_TYPES),
        }

    def read(self, topic: str, value: bytes, at_ms: int) -> tuple[str, Add] | None:
        """Whose it is, and what it adds to what is known at the moment when it came.

        None for what no rule looks at. Raises `Poison`.
        """
        decode, types = self._kinds[topic]
        if len(value) > MOST_BYTES:
            raise TooLarge(str(len(value)))
        try:
            event = decode(value)
        except msgspec.ValidationError as error:
            raise NotAsDescribed(f"{topic}: {error}") from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise NotJson(str(error)) from error
        if event.event_type not in types:
            return None
        if event.schema_version > KNOWN_VERSION:
            raise UnknownVersion(f"{event.event_type} {event.schema_version}")
        _require_time(event.occurred_at, at_ms)
        if not event.event_id:
            raise NotAsDescribed("without an id")
        key, add = _fact_of(event)
        if not key:
            raise NoOrder(event.event_type)
        return key, add


def _require_time(occurred_at: str, record_ms: int) -> None:
    try:
        at_s = parse_wire(occurred_at).timestamp()
    except ValueError as error:
        raise NotAsDescribed(f"occurredAt {occurred_at[:40]!r}") from error
    if not -FARTHEST_MS <= at_s * 1000 - record_ms <= FARTHEST_MS:
        raise OutOfTime(occurred_at)


def _fact_of(event: _Event) -> tuple[str, Add]:
    if isinstance(event, _Order):
        return _of_order(event)
    if isinstance(event, _Payment):
        return _of_payment(event)
    return _of_signal(event)


def _of_order(event: _Order) -> tuple[str, Add]:
    if event.payload is None:
        raise NotAsDescribed("without a payload")
    id_, status = event.event_id, event.payload.new_status
    return event.payload.order_id, lambda facts, at_ms: with_status(facts, status, Fact(id_, at_ms))


def _of_payment(event: _Payment) -> tuple[str, Add]:
    id_, payment, amount = event.event_id, event.merchant_payment_id, event.amount
    if event.event_type == "PaymentSucceeded":
        provider = event.provider
        return event.order_id, lambda facts, at_ms: with_success(
            facts, Success(at_ms, id_, payment, amount, provider)
        )
    refund_id = event.refund_id
    return event.order_id, lambda facts, at_ms: with_back(
        facts, Back(at_ms, id_, payment, amount, refund_id)
    )


def _of_signal(event: _Signal) -> tuple[str, Add]:
    key = event.order_id or event.source
    subject = next((str(event.facts[name]) for name in _SUBJECTS if event.facts.get(name)), "")
    if event.signal == ALERT_CLOSED:
        closed = str(event.facts.get("subject", ""))
        return key, lambda facts, at_ms: with_closed(facts, closed, at_ms)
    id_, name, told = event.event_id, event.signal, json.dumps(event.facts, ensure_ascii=False)
    return key, lambda facts, at_ms: with_told(facts, Told(at_ms, id_, name, subject, told))


_SUBJECTS: Final = ("subject", "merchantPaymentId", "reservationId", "refundId")
