"""What the events have told of one order, or of one source.

A fact is known by its event's id, so a repeat changes nothing, and facts are kept in an order of
their own, so that of the same events the same facts come, however they arrive.
"""

from __future__ import annotations

from typing import NamedTuple

# `made(Fact, (id, at_ms))` takes six tenths of what `Fact(id, at_ms)` does, and of most events four
# named tuples are made.
made = tuple.__new__


class Fact(NamedTuple):
    """`at_ms` is the time of the stream, not of any process's clock."""

    event_id: str
    at_ms: int


class Success(NamedTuple):
    """Money came: one `PaymentSucceeded`."""

    at_ms: int
    event_id: str
    payment: str
    amount_yen: int
    provider: str


class Back(NamedTuple):
    """Money went back: one `RefundCompleted`."""

    at_ms: int
    event_id: str
    payment: str
    amount_yen: int
    refund_id: str


class Told(NamedTuple):
    """A service's own complaint, or its end: one `Signal`."""

    at_ms: int
    event_id: str
    name: str
    subject: str
    facts: str


class Raised(NamedTuple):
    """An alert whose reason still holds; `is_closed` when a person has closed it nevertheless."""

    rule: str
    alert_id: str
    at_ms: int
    episode: str
    is_closed: bool = False


class Facts(NamedTuple):
    paid: Fact | None = None
    failed: Fact | None = None
    successes: tuple[Success, ...] = ()
    backs: tuple[Back, ...] = ()
    told: tuple[Told, ...] = ()
    raised: tuple[Raised, ...] = ()
    last_ms: int = 0

    @property
    def kept(self) -> tuple[Success, ...]:
        """Payments that we still have: each that did not go back as a whole."""
        if not self.backs:
            return self.successes
        return tuple(one for one in self.successes if self.back_yen(one.payment) < one.amount_yen)

    def back_yen(self, payment: str) -> int:
        return sum(one.amount_yen for one in self.backs if one.payment == payment)

    def alerts_of(self, rule: str) -> list[Raised]:
        return [one for one in self.raised if one.rule == rule] if self.raised else _NO_ALERTS


NOTHING = Facts()
_NO_ALERTS: list[Raised] = []
# More of one kind than any order has: what would grow without end is not kept.
MOST = 32


def with_paid(facts: Facts, fact: Fact) -> Facts:
    """The first of its kind counts: an order is PAID once, and FAILED once."""
    paid, failed, successes, backs, told, raised, last_ms = facts
    if paid is not None:
        return facts
    at_ms = fact.at_ms
    if at_ms > last_ms:
        last_ms = at_ms
    return made(Facts, (fact, failed, successes, backs, told, raised, last_ms))


def with_failed(facts: Facts, fact: Fact) -> Facts:
    if facts.failed is not None:
        return facts
    return facts._replace(failed=fact, last_ms=max(facts.last_ms, fact.at_ms))


def with_success(facts: Facts, success: Success) -> Facts:
    paid, failed, successes, backs, told, raised, last_ms = facts
    if not successes:
        successes = (success,)
    elif _is_known(successes, success.event_id):
        return facts
    else:
        successes = tuple(sorted((*successes, success)))
    at_ms = success.at_ms
    if at_ms > last_ms:
        last_ms = at_ms
    return made(Facts, (paid, failed, successes, backs, told, raised, last_ms))


def with_back(facts: Facts, back: Back) -> Facts:
    if _is_known(facts.backs, back.event_id):
        return facts
    backs = tuple(sorted((*facts.backs, back)))
    return facts._replace(backs=backs, last_ms=max(facts.last_ms, back.at_ms))


def with_told(facts: Facts, told: Told) -> Facts:
    if any(one.event_id == told.event_id for one in facts.told):
        return facts
    kept = sorted((*facts.told, told))
    if len(kept) > MOST:
        # What a source complains of comes and goes for ever: the oldest leave that are settled.
        held = {one.episode for one in facts.raised if not one.is_closed}
        kept.remove(next((one for one in kept if one.event_id not in held), told))
    return facts._replace(told=tuple(kept), last_ms=max(facts.last_ms, told.at_ms))


def with_closed(facts: Facts, alert_id: str, at_ms: int) -> Facts:
    """A person closed it. What is not open, or is closed already, changes nothing."""
    raised = tuple(
        one._replace(is_closed=True) if one.alert_id == alert_id else one for one in facts.raised
    )
    if raised == facts.raised:
        return facts
    return facts._replace(raised=raised, last_ms=max(facts.last_ms, at_ms))


def _is_known(known: tuple[Success | Back, ...], event_id: str) -> bool:
    return len(known) >= MOST or any(one.event_id == event_id for one in known)
