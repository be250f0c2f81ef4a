"""The rules as a stream processor: one order's records and timers in, alerts out."""

from __future__ import annotations

import json

import msgspec
from pydantic import JsonValue

from kessai.alert.domain.facts import NOTHING, Facts
from kessai.alert.domain.rules import Windows
from kessai.alert.domain.story import Course, Memory, Notice, advance
from kessai.alert.web.events import EventReader, News, Topics
from kessai.contracts.alert import alert_event_id
from kessai.kernel.bus import Message
from kessai.kernel.clock import wire
from kessai.kernel.outbox import EVENT_ID_HEADER
from kessai.kernel.streams.ports import Codec, Output, Step

# Ids of orders have 26 characters; any other key is a source.
_ORDER_ID_LENGTH = 26
_encode = msgspec.json.Encoder().encode


class OrderWatch:
    """A `Processor`; the key is the order's id, or the source of a signal without an order."""

    def __init__(
        self, topics: Topics, codec: Codec[Facts], windows: Windows, memory: Memory
    ) -> None:
        self.codec = codec
        self._reader = EventReader(topics)
        self.read = self._reader.read
        self._alerts = topics.alerts
        self._windows = windows
        self._memory = memory

    def apply(self, key: str, state: Facts | None, news: News, now_ms: int) -> Step[Facts]:
        add, fact = news
        known = add(NOTHING if state is None else state, fact)
        course = advance(key, known, now_ms, self._windows, self._memory)
        return self._told(key, course) if course[2] else (course[0], course[1], ())

    def wake(self, key: str, state: Facts, now_ms: int) -> Step[Facts]:
        return self._told(key, advance(key, state, now_ms, self._windows, self._memory))

    def _told(self, key: str, course: Course) -> Step[Facts]:
        facts, wake_ms, notices = course
        return facts, wake_ms, tuple(self._output(key, course, one) for one in notices)

    def _output(self, key: str, course: Course, notice: Notice) -> Output:
        event_id, value = _event(key, course.facts or NOTHING, notice)
        return Output(event_id, Message(self._alerts, key, value, {EVENT_ID_HEADER: event_id}))


def _event(key: str, facts: Facts, notice: Notice) -> tuple[str, bytes]:
    """Its id, and `AlertRaised` or `AlertResolved` as they are on the wire.

    Written as they are read by `contracts.alert`, and not by those models: in the middle of a
    stream, where nothing of theirs is in the processor's cache, they take six times what they take
    alone, as much as seven events.
    """
    is_order = len(key) == _ORDER_ID_LENGTH
    at = wire(notice.at_ms)
    kind = "AlertRaised" if notice.is_open else "AlertResolved"
    event_id = alert_event_id(notice.alert_id, kind)
    event = {
        "schemaVersion": 1,
        "eventId": event_id,
        "occurredAt": at,
        "alertId": notice.alert_id,
        "rule": notice.rule.id,
        "severity": notice.rule.severity,
        "orderId": key if is_order else None,
        "source": None if is_order else key,
        "detectedAt": at if notice.is_open else wire(notice.since_ms),
        "facts": _shown(facts),
        "eventType": kind,
    }
    if not notice.is_open:
        event |= {"resolvedAt": at, "resolvedBy": "system"}
    return event_id, _encode(event)


def _shown(facts: Facts) -> dict[str, JsonValue]:
    """The proof, for people and programs: what is known, with the times at which it was heard."""
    shown: dict[str, JsonValue] = {
        "orderConfirmedAt": wire(facts.paid.at_ms) if facts.paid else None,
        "orderFailedAt": wire(facts.failed.at_ms) if facts.failed else None,
        "paymentSucceededAt": wire(facts.successes[0].at_ms) if facts.successes else None,
        "paymentSuccessCount": len(facts.successes),
        "payments": [
            {
                "merchantPaymentId": one.payment,
                "eventId": one.event_id,
                "at": wire(one.at_ms),
                "amount": one.amount_yen,
                "refunded": facts.back_yen(one.payment),
                "provider": one.provider,
            }
            for one in facts.successes
        ],
    }
    if facts.told:
        shown["signals"] = [
            {"signal": one.name, "at": wire(one.at_ms), **json.loads(one.facts)}
            for one in facts.told
        ]
    return shown
