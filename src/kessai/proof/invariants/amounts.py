"""Amounts: whole yen, the same wherever somebody wrote down what an order costs."""

from __future__ import annotations

import msgspec

from kessai.kernel.money import MAX_YEN
from kessai.proof.invariants.doubts import Tally
from kessai.proof.invariants.limits import Limits
from kessai.proof.invariants.story import Story


class _Created(msgspec.Struct, gc=False):
    """Of the record of an order's creation."""

    amount: int | None = None


_created = msgspec.json.Decoder(_Created).decode


def amounts_never_change(story: Story, limits: Limits, tally: Tally) -> None:
    """An amount is a whole number of yen from 1 on, the sum of its items, and the same for good:
    in the order, in the record of its creation and in everything that was asked for it."""
    del limits
    order = story.order
    if order is None:
        return
    tally.checked += 1
    if not is_yen(order.amount):
        tally.wrong(order.order_id, f"{order.amount!r} is no whole number of yen", order)
        return
    items = story.items
    if any(not is_yen(one.price) for one in items) or order.amount != sum(
        one.price * one.quantity for one in items
    ):
        tally.wrong(order.order_id, f"{order.amount} is not the sum of its items", order)
    for attempt in story.attempts:
        if attempt.amount_yen != order.amount:
            why = f"{attempt.amount_yen} was asked for an order of {order.amount}"
            tally.wrong(attempt.id, why, attempt)
    for row in story.provider:
        # What was paid is another invariant's: a wallet may pay another amount than was asked for.
        if row.captured == 0 and row.amount != order.amount:
            why = f"a code of {row.amount} for an order of {order.amount}"
            tally.wrong(row.merchant_payment_id, why, row)
    created = story.audit[0] if story.audit else None
    if created is not None and created.sequence == 1:
        said = _created(created.details).amount
        if said != order.amount:
            tally.wrong(order.order_id, f"{order.amount}, and it was created with {said}", order)


def is_yen(amount: object) -> bool:
    return type(amount) is int and 1 <= amount <= MAX_YEN
