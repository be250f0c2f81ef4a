"""Events: each committed change is told once, leaves by the bus in order, and is heard."""

from __future__ import annotations

from kessai.proof.invariants.doubts import Tally
from kessai.proof.invariants.limits import Limits
from kessai.proof.invariants.rows import OrderRow
from kessai.proof.invariants.story import Story
from kessai.proof.invariants.told import Told


def changes_are_told_once(story: Story, limits: Limits, tally: Tally) -> None:
    """Each committed move, view and payment has exactly one event in its service's outbox,
    numbered without a gap, and no event tells of what was not committed."""
    del limits
    told = story.told or Told()
    order = story.order
    for why in told.faults:
        tally.wrong(story.order_id, why, order)
    if order is None:
        if told.history.moves or told.views:
            tally.wrong(story.order_id, "events of an order that is not there", _shown(told))
        return
    tally.checked += order.version + order.view_version
    _moves_are_told(story, order, told, tally)
    _views_are_told(story, order, told, tally)
    _payments_are_told(story, told, tally)
    if told.amount is not None and told.amount != order.amount:
        tally.wrong(order.order_id, f"{order.amount}, and the events say {told.amount}", order)


def _moves_are_told(story: Story, order: OrderRow, told: Told, tally: Tally) -> None:
    moves = [entry for entry in story.audit if entry.to_status is not None]
    said = told.history.moves
    for version, entry in enumerate(moves, start=1):
        if entry.at_ms < story.orders_told_from_ms:
            continue
        move = said.get(version)
        if move is None:
            tally.wrong(order.order_id, f"move {version} to {entry.to_status} is not told", entry)
        elif move != (entry.from_status, entry.to_status):
            tally.wrong(order.order_id, f"move {version} is told as {move}", entry)
    if said and max(said) > order.version:
        why = f"move {max(said)} is told, the order is at {order.version}"
        tally.wrong(order.order_id, why, order)


def _views_are_told(story: Story, order: OrderRow, told: Told, tally: Tally) -> None:
    """Views count from 1, the creation's own, of which nobody needs to be told."""
    whole = (1 << (order.view_version + 1)) - 4 if order.view_version > 1 else 0
    seen = told.views
    if seen == whole:
        return
    if seen & ~whole:
        tally.wrong(order.order_id, "a view that never was is told", order)
        return
    if order.created_at_ms < story.orders_told_from_ms:
        # The oldest may be forgotten: what is left must be the newest, without a gap.
        forgotten = (seen & -seen) - 1 if seen else whole
        is_old = bool(seen) or order.updated_at_ms < story.orders_told_from_ms
        if is_old and seen | (forgotten & whole) == whole:
            return
    missing = whole & ~seen
    version = missing.bit_length() - 1
    tally.wrong(order.order_id, f"view {version} is not told", order)


def _payments_are_told(story: Story, told: Told, tally: Tally) -> None:
    if not (story.ledger or story.refunds or told.succeeded or told.refunded):
        return
    succeeded, refunded = dict(told.succeeded), dict(told.refunded)
    captures: dict[str, int] = {}
    for entry in story.ledger:
        if entry.kind == "CAPTURE":
            captures[entry.merchant_payment_id] = entry.amount_yen
            said = succeeded.get(entry.merchant_payment_id)
            if said is None and entry.at_ms >= story.payments_told_from_ms:
                if not _is_other_amount(story, entry.merchant_payment_id):
                    tally.wrong(entry.merchant_payment_id, "its success is not told", entry)
            elif said is not None and said != entry.amount_yen:
                why = f"{entry.amount_yen} came, {said} is told"
                tally.wrong(entry.merchant_payment_id, why, entry)
    for name in succeeded:
        if name not in captures:
            tally.wrong(name, "a success is told and nothing was captured", _shown(told))
    for refund in story.refunds:
        is_done = refund.status == "COMPLETED"
        is_kept = (refund.completed_at_ms or 0) >= story.payments_told_from_ms
        if is_done and is_kept and refunded.get(refund.id) != refund.amount_yen:
            tally.wrong(refund.id, "its completion is not told", refund)
        elif not is_done and refund.id in refunded:
            tally.wrong(refund.id, f"told as completed, it is {refund.status}", refund)
    for name in refunded.keys() - {refund.id for refund in story.refunds}:
        tally.wrong(name, "the completion of a refund is told that is not there", _shown(told))


def _is_other_amount(story: Story, attempt_id: str) -> bool:
    """Another amount than was asked for came: that is a failure, and is told as one."""
    return any(
        one.id == attempt_id and one.error_code == "AMOUNT_MISMATCH" for one in story.attempts
    )


def _shown(told: Told) -> dict[str, object]:
    return {
        "moves": {version: new for version, (_, new) in told.history.moves.items()},
        "succeeded": dict(told.succeeded),
        "refunded": dict(told.refunded),
    }
