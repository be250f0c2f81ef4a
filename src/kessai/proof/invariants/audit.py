"""The audit trail: complete, sealed, and enough to rebuild the order from it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kessai.contracts.audit import canonical, seal
from kessai.kernel.clock import wire
from kessai.proof.invariants.doubts import Tally
from kessai.proof.invariants.limits import Limits
from kessai.proof.invariants.rows import AuditRow, OrderRow
from kessai.proof.invariants.story import Story

_CLOSED_BY = {"CANCEL_REQUESTED": "CUSTOMER", "DEADLINE_PASSED": "DEADLINE"}
_DECISION = "DECIDED_"


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

    status: str | None = None
    version: int = 0
    reason: str | None = None
    decision: str = ""
    closing: str = ""
    amount: object = None
    method: object = None
    refunded_amount: int = 0
    refund_amount: int | None = None
    refund_status: str | None = None


def replay_rebuilds_the_row(story: Story, limits: Limits, tally: Tally) -> None:
    """Whoever replays the audit trail of an order gets the order as it is now: its status,
    version, reason, decision, amount, method and refunds."""
    del limits
    order = story.order
    if order is None or not story.audit:
        return
    tally.checked += 1
    rebuilt = _Rebuilt()
    for entry in story.audit:
        _apply(rebuilt, entry, order)
    for name in _Rebuilt.__slots__:
        there, here = getattr(rebuilt, name), getattr(order, name)
        if there != here:
            tally.wrong(order.order_id, f"{name} is {here}, the trail makes it {there}", order)
            return


def _apply(rebuilt: _Rebuilt, entry: AuditRow, order: OrderRow) -> None:
    action = entry.action
    if entry.to_status is not None:
        rebuilt.status = entry.to_status
        rebuilt.version += 1
    if action.startswith(_DECISION):
        rebuilt.decision = action.removeprefix(_DECISION)
    elif action in _CLOSED_BY:
        rebuilt.closing = _CLOSED_BY[action]
    elif action == "CREATED":
        values = _values(entry)
        rebuilt.amount, rebuilt.method = values.get("amount"), values.get("method")
    elif action == "FAILED":
        rebuilt.reason = _values(entry).get("reason")
    elif action == "REFUND_REQUESTED":
        rebuilt.refund_amount, rebuilt.refund_status = _values(entry).get("amount"), "REQUESTED"
    elif action == "REFUND_REFUSED":
        rebuilt.refund_amount, rebuilt.refund_status = rebuilt.refund_amount or 0, "REJECTED"
    elif action == "REFUND_COMPLETED":
        values = _values(entry)
        amount = int(values.get("amount") or 0)
        rebuilt.refund_amount, rebuilt.refund_status = amount, "COMPLETED"
        if values.get("merchantPaymentId") == order.paid_attempt:
            rebuilt.refunded_amount += amount


def _values(entry: AuditRow) -> dict[str, Any]:
    try:
        found = json.loads(entry.details)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
