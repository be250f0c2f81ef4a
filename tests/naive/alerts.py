"""Rules A, B and C (design.md, 2.4) on the events of one order, long after it ended."""

from __future__ import annotations

from collections.abc import Sequence

from tests.naive.peer import Event

WINDOW_S = 30.0


def raised(events: Sequence[Event]) -> list[str]:
    """The rules that an alert-service would raise for the order."""
    succeeded = [e for e in events if (e.topic, e.kind) == ("payments", "PaymentSucceeded")]
    paid = [e for e in events if (e.topic, e.kind) == ("orders", "PAID")]
    rules = []
    if succeeded and not _within(succeeded[0], paid):
        rules.append("A")
    if paid and not _within(paid[0], succeeded):
        rules.append("B")
    # The set of ids, never the count of deliveries.
    if len({event.event_id for event in succeeded}) > 1:
        rules.append("C")
    return rules


def _within(fact: Event, others: Sequence[Event]) -> bool:
    return any(other.at_s <= fact.at_s + WINDOW_S for other in others)
