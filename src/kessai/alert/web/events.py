"""Records of the input topics as facts. Read leniently: unknown types and fields are skipped."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final, TypeAlias

import msgspec

from kessai.alert.domain.facts import (
    Back,
    Fact,
    Facts,
    Success,
    Told,
    made,
    with_back,
    with_closed,
    with_failed,
    with_paid,
    with_success,
    with_told,
)
from kessai.contracts.signals import ALERT_CLOSED
from kessai.kernel.streams.ports import Poison

# An event that happened so long before or after its record is no news of this stream.
FARTHEST_MS: Final = 24 * 3_600_000
MOST_BYTES: Final = 512 * 1024
KNOWN_VERSION: Final = 1
_DAY_MS: Final = 24 * 3_600_000
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
# How it is added to what is known, and what: `add(facts, fact)`.
News: TypeAlias = tuple[Callable[[Facts, Any], Facts], Any]


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


_Moment: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]


class _Status(msgspec.Struct, rename="camel", gc=False):
    order_id: str
    new_status: str


class _Order(msgspec.Struct, rename="camel", gc=False):
    event_type: str
    event_id: str = ""
    occurred_at: _Moment | None = None
    schema_version: int = 1
    payload: _Status | None = None


class _Payment(msgspec.Struct, rename="camel", gc=False):
    event_type: str
    event_id: str = ""
    occurred_at: _Moment | None = None
    schema_version: int = 1
    order_id: str = ""
    merchant_payment_id: str = ""
    provider: str = ""
    amount: int = 0
    refund_id: str = ""


class _Signal(msgspec.Struct, rename="camel", gc=False):
    event_type: str
    event_id: str = ""
    occurred_at: _Moment | None = None
    schema_version: int = 1
    signal: str = ""
    source: str = ""
    order_id: str | None = None
    facts: dict[str, object] = {}


# How a topic's records are read, which of their types count, and what they are news of.
_Kind: TypeAlias = tuple[
    Callable[[bytes], Any], frozenset[str], Callable[[Any, int], tuple[str, News] | None]
]
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
        self._kinds: dict[str, _Kind] = {
            topics.orders: (_decode_order, _ORDER_TYPES, _of_order),
            topics.payments: (_decode_payment, _PAYMENT_TYPES, _of_payment),
            topics.signals: (_decode_signal, _SIGNAL_TYPES, _of_signal),
        }

    def read(self, topic: str, value: bytes, at_ms: int) -> tuple[str, News] | None:
        """Whose it is, and what it adds to what is known at the moment when it came.

        None for what no rule looks at. Raises `Poison`.
        """
        decode, types, news_of = self._kinds[topic]
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
        moment = event.occurred_at
        if moment is None or not event.event_id:
            raise NotAsDescribed("without a time" if moment is None else "without an id")
        # Of one day, and so not far: to know that takes half of what a timestamp does.
        is_near = moment.tzinfo is UTC and moment.toordinal() == at_ms // _DAY_MS + _EPOCH_DAY
        if not (is_near or -FARTHEST_MS <= moment.timestamp() * 1000 - at_ms <= FARTHEST_MS):
            raise OutOfTime(moment.isoformat())
        found = news_of(event, at_ms)
        if found is not None and not found[0]:
            raise NoOrder(event.event_type)
        return found


def _of_order(event: _Order, at_ms: int) -> tuple[str, News] | None:
    """Only its ends matter here."""
    payload = event.payload
    if payload is None:
        raise NotAsDescribed("without a payload")
    add = _ENDS.get(payload.new_status)
    return None if add is None else (payload.order_id, (add, made(Fact, (event.event_id, at_ms))))


_ENDS: Final = {"PAID": with_paid, "FAILED": with_failed}


def _of_payment(event: _Payment, at_ms: int) -> tuple[str, News]:
    id_, payment, amount = event.event_id, event.merchant_payment_id, event.amount
    if event.event_type == "PaymentSucceeded":
        success = made(Success, (at_ms, id_, payment, amount, event.provider))
        return event.order_id, (with_success, success)
    return event.order_id, (with_back, Back(at_ms, id_, payment, amount, event.refund_id))


def _of_signal(event: _Signal, at_ms: int) -> tuple[str, News]:
    key = event.order_id or event.source
    if event.signal == ALERT_CLOSED:
        return key, (_closed, (str(event.facts.get("subject", "")), at_ms))
    subject = next((str(event.facts[name]) for name in _SUBJECTS if event.facts.get(name)), "")
    told = json.dumps(event.facts, ensure_ascii=False)
    return key, (with_told, Told(at_ms, event.event_id, event.signal, subject, told))


def _closed(facts: Facts, closed: tuple[str, int]) -> Facts:
    alert_id, at_ms = closed
    return with_closed(facts, alert_id, at_ms)


_SUBJECTS: Final = ("subject", "merchantPaymentId", "reservationId", "refundId")
