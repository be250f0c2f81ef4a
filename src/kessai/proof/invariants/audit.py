"""The audit trail: complete, sealed, and enough to rebuild the order from it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import Any

import msgspec

from kessai.contracts.audit import canonical, seal
from kessai.kernel.clock import wire
from kessai.proof.invariants.doubts import Tally
from kessai.proof.invariants.limits import Limits
from kessai.proof.invariants.rows import AuditRow, OrderRow
from kessai.proof.invariants.story import Story

# What the trail tells of the newest attempt, and the status that its order then shows.
_SHOWN = {
    "CODE_CREATED": "AWAITING",
    "PAYMENT_UNKNOWN": "UNKNOWN",
    "PAYMENT_SUCCEEDED": "SUCCEEDED",
    "PAYMENT_FAILED": "FAILED",
    "PAYMENT_EXPIRED": "EXPIRED",
    "CODE_CLOSED": "CANCELLED",
}
_TOLD = frozenset(_SHOWN.values())
_details = msgspec.json.Decoder().decode


def trail_is_complete(story: Story, limits: Limits, tally: Tally) -> None:
    """The audit rows of an order are its history without a gap, from its creation on: each move
    that it made, in order, each with an actor and a cause."""
    del limits
    order = story.order
    if order is None:
        for entry in story.audit[:1]:
            tally.wrong(story.order_id, "a trail of an order that is not there", entry)
        return
    tally.checked += len(story.audit)
    for sequence, entry in enumerate(story.audit, start=1):
        if entry.sequence != sequence:
            tally.wrong(order.order_id, f"row {sequence} is missing", entry)
            return
        if not entry.actor or not entry.cause:
            tally.wrong(order.order_id, f"row {sequence} has no actor or no cause", entry)
    if len(story.audit) != order.audit_sequence:
        why = f"{len(story.audit)} rows, the order remembers {order.audit_sequence}"
        tally.wrong(order.order_id, why, order)
    moves = [entry.to_status for entry in story.audit if entry.to_status is not None]
    if len(moves) != order.version:
        tally.wrong(order.order_id, f"{len(moves)} moves, version {order.version}", order)
    elif moves[-1] != order.status:
        tally.wrong(order.order_id, f"ends as {moves[-1]}, the row is {order.status}", order)


def chain_verifies(story: Story, limits: Limits, tally: Tally) -> None:
    """Each audit row is sealed together with the one before it, and the order remembers the
    last seal: any edit, deletion or insertion is found, at its row."""
    del limits
    previous = ""
    tally.checked += len(story.audit)
    for entry in story.audit:
        if entry.previous_hash != previous or entry.hash != _seal(entry):
            tally.wrong(story.order_id, f"row {entry.sequence} is not what was sealed", entry)
            return
        previous = entry.hash
    if story.order is not None and story.order.audit_hash != previous:
        why = "the order remembers another last row than there is"
        tally.wrong(story.order_id, why, story.audit[-1] if story.audit else story.order)


def _seal(entry: AuditRow) -> str:
    return seal(
        entry.previous_hash,
        order_id=entry.order_id,
        sequence=entry.sequence,
        at=_at(entry.at_ms),
        actor=entry.actor,
        action=entry.action,
        from_status=entry.from_status,
        to_status=entry.to_status,
        cause=entry.cause,
        details=_canonical(entry.details),
    )


# Rows of one transaction share their time, and most details are one of a few texts.
@lru_cache(maxsize=64)
def _at(at_ms: int) -> str:
    return wire(at_ms)


@lru_cache(maxsize=10_000)
def _canonical(details: str) -> str:
    try:
        return canonical(json.loads(details))
    except ValueError:
        # No JSON any more, so it is not what was sealed.
        return "null"


@dataclass(slots=True)
class _Rebuilt:
    """What the facts of the trail, one after the other, make of an order."""

    paid_attempt: str | None
    status: str | None = None
    version: int = 0
    reason: str | None = None
    decision: str = ""
    closing: str = ""
    amount: object = None
    method: object = None
    attempt_number: object = None
    payment_status: str | None = None
    refunded_amount: int = 0
    refund_amount: int | None = None
    refund_status: str | None = None


_FACTS = tuple(_Rebuilt.__slots__)
_facts = attrgetter(*_FACTS)


def replay_rebuilds_the_row(story: Story, limits: Limits, tally: Tally) -> None:
    """Whoever replays the audit trail of an order gets the order as it is now: its status,
    version, reason, decision, amount, method, times, the payment that it shows and its refunds."""
    del limits
    order = story.order
    if order is None or not story.audit:
        return
    tally.checked += 1
    rebuilt = _Rebuilt(order.paid_attempt)
    for entry in story.audit:
        if entry.to_status is not None:
            rebuilt.status = entry.to_status
            rebuilt.version += 1
        if (replay := _REPLAY.get(entry.action)) is not None:
            replay(rebuilt, entry)
    if order.payment_status not in _TOLD:
        # An attempt that was only asked for, or that was paid back, is news to nobody.
        rebuilt.attempt_number = order.attempt_number
        rebuilt.payment_status = order.payment_status
    for why in _wrong_times(order, story.audit):
        tally.wrong(order.order_id, why, order)
    if _facts(rebuilt) == _facts(order):
        return
    for name, there, here in zip(_FACTS, _facts(rebuilt), _facts(order), strict=True):
        if there != here:
            tally.wrong(order.order_id, f"{name} is {here}, the trail makes it {there}", order)
            return


def _wrong_times(order: OrderRow, audit: list[AuditRow]) -> Iterator[str]:
    said = {entry.action: entry.at_ms for entry in audit if entry.action in ("CREATED", "PAID")}
    for action, at_ms in (("CREATED", order.created_at_ms), ("PAID", order.paid_at_ms)):
        there_ms = said.get(action)
        if at_ms != there_ms:
            yield f"{action} at {at_ms}, the trail makes it {there_ms}"


def _created(rebuilt: _Rebuilt, entry: AuditRow) -> None:
    values = _values(entry)
    rebuilt.amount, rebuilt.method = values.get("amount"), values.get("method")


def _decided(rebuilt: _Rebuilt, entry: AuditRow) -> None:
    rebuilt.decision = entry.action.removeprefix("DECIDED_")


def _closed(rebuilt: _Rebuilt, entry: AuditRow) -> None:
    rebuilt.closing = "CUSTOMER" if entry.action == "CANCEL_REQUESTED" else "DEADLINE"


def _failed(rebuilt: _Rebuilt, entry: AuditRow) -> None:
    rebuilt.reason = _values(entry).get("reason")


def _shown(rebuilt: _Rebuilt, entry: AuditRow) -> None:
    rebuilt.payment_status = _SHOWN[entry.action]
    rebuilt.attempt_number = _values(entry).get("attempt")


def _refund_requested(rebuilt: _Rebuilt, entry: AuditRow) -> None:
    rebuilt.refund_amount, rebuilt.refund_status = _values(entry).get("amount"), "REQUESTED"


def _refund_refused(rebuilt: _Rebuilt, entry: AuditRow) -> None:
    del entry
    rebuilt.refund_amount, rebuilt.refund_status = rebuilt.refund_amount or 0, "REJECTED"


def _refund_completed(rebuilt: _Rebuilt, entry: AuditRow) -> None:
    values = _values(entry)
    amount = int(values.get("amount") or 0)
    rebuilt.refund_amount, rebuilt.refund_status = amount, "COMPLETED"
    if values.get("merchantPaymentId") == rebuilt.paid_attempt:
        rebuilt.refunded_amount += amount


# What changes more than the status; everything else is told for people.
_REPLAY: Mapping[str, Callable[[_Rebuilt, AuditRow], None]] = {
    "CREATED": _created,
    "DECIDED_SETTLE": _decided,
    "DECIDED_FAIL": _decided,
    "CANCEL_REQUESTED": _closed,
    "DEADLINE_PASSED": _closed,
    "FAILED": _failed,
    "REFUND_REQUESTED": _refund_requested,
    "REFUND_REFUSED": _refund_refused,
    "REFUND_COMPLETED": _refund_completed,
    **dict.fromkeys(_SHOWN, _shown),
}


# Most details are one of a few short texts. Nobody changes what is kept.
@lru_cache(maxsize=10_000)
def _parsed(details: str) -> dict[str, Any]:
    try:
        found = _details(details)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _values(entry: AuditRow) -> dict[str, Any]:
    return _parsed(entry.details)
