"""Money: what the provider holds, what orders say, what the ledger says."""

from __future__ import annotations

from kessai.proof.invariants.doubts import Tally
from kessai.proof.invariants.limits import Limits
from kessai.proof.invariants.story import Story

_SETTLED = ("PAID", "REFUNDING", "REFUNDED")


def paid_has_a_success(story: Story, limits: Limits, tally: Tally) -> None:
    """No order is PAID without a success at the provider whose amount equals the order's."""
    del limits
    order = story.order
    if order is None or order.status not in _SETTLED:
        return
    tally.checked += 1
    paid = next((one for one in story.attempts if one.id == order.paid_attempt), None)
    if paid is None:
        tally.wrong(order.order_id, f"{order.status} by no attempt that is known", order)
    elif paid.amount_yen != order.amount:
        tally.wrong(order.order_id, f"{order.amount} to pay, {paid.amount_yen} asked", paid)
