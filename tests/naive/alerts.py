"""The rules of alert-service on the events of one order, long after it ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.naive.peer import Event

from kessai.alert.domain.facts import (
    NOTHING,
    Fact,
    Facts,
    Success,
    with_failed,
    with_paid,
    with_success,
)
from kessai.alert.domain.rules import Windows
from kessai.alert.domain.story import Memory, advance

_LONG_AFTER_MS = 3_600_000
_YEN = 1000


def raised(events: Sequence[Event]) -> list[str]:
    """The rules whose alert was raised for the order, also where it has ended since."""
    steps = [(round(event.at_s * 1000), _added(event)) for event in events]
    last_ms = max((at_ms for at_ms, _ in steps), default=0)
    steps.append((last_ms + _LONG_AFTER_MS, lambda facts: facts))
    rules: list[str] = []
    facts, wake_ms = NOTHING, None
    for at_ms, add in sorted(steps, key=lambda step: step[0]):
        for now_ms in (wake_ms, at_ms):
            if now_ms is None or now_ms > at_ms:
                continue
            course = advance("o", add(facts) if now_ms == at_ms else facts, now_ms, _W, _M)
            facts, wake_ms = course.facts or NOTHING, course.wake_ms
            rules += [notice.rule.id for notice in course.notices if notice.is_open]
    return sorted(set(rules))


_W, _M = Windows(), Memory()


def _added(event: Event) -> Callable[[Facts], Facts]:
    at_ms = round(event.at_s * 1000)
    if (event.topic, event.kind) == ("payments", "PaymentSucceeded"):
        success = Success(at_ms, event.event_id, event.event_id, _YEN, "PayPay")
        return lambda facts: with_success(facts, success)
    fact = Fact(event.event_id, at_ms)
    if (event.topic, event.kind) == ("orders", "PAID"):
        return lambda facts: with_paid(facts, fact)
    if (event.topic, event.kind) == ("orders", "FAILED"):
        return lambda facts: with_failed(facts, fact)
    return lambda facts: facts
