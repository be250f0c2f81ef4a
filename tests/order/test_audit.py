"""The audit trail: every transition is in it, and whoever changes it is found out."""

from __future__ import annotations

from typing import cast

import pytest
from sqlalchemy import String, text
from tests.support.order_shop import OrderShop, a_shop, on_virtual_time

from kessai.contracts.order import RefundByOperator
from kessai.order.gateway.tables import AUDIT
from kessai.proof.virtual_time import VirtualClock


async def a_paid_order(shop: OrderShop) -> str:
    order = await shop.buy()
    await shop.news(shop.payment.pay(order.order_id))
    assert (await shop.settled(order.order_id)).status == "PAID"
    return order.order_id


@on_virtual_time
async def test_the_chain_holds_every_transition_with_its_cause() -> None:
    shop = await a_shop()
    order_id = await a_paid_order(shop)

    trail = await shop.audit(order_id)

    assert (trail.intact, trail.broken_at) == (True, None)
    moves = [
        (one.sequence, one.actor, one.action, one.from_status, one.to_status)
        for one in trail.entries
        if one.to_status is not None
    ]
    assert moves == [
        (1, "customer", "CREATED", None, "PENDING"),
        (4, "system", "WAITING_PAYMENT", "PENDING", "WAITING_PAYMENT"),
        (8, "system", "PAID", "WAITING_PAYMENT", "PAID"),
    ]
    event_id = (await shop.order(order_id)).payment_last_event_id
    assert [(one.action, one.cause) for one in trail.entries[4:6]] == [
        ("DECIDED_SETTLE", event_id),
        ("PAYMENT_SUCCEEDED", event_id),
    ]


class HaltingClock(VirtualClock):
    """Of a process that stands still for a while between any two looks."""

    looks = 0

    def now_ms(self) -> int:
        self.looks += 1
        return super().now_ms() + 700 * self.looks


@on_virtual_time
async def test_an_order_and_its_trail_say_the_same_times() -> None:
    shop = await a_shop(clock=HaltingClock())
    await a_paid_order(shop)

    async with shop.db.read() as tx:
        row = (await tx.run(text("select created_at_ms, paid_at_ms from orders"))).one()
        said = (await tx.run(text("select action, at_ms from order_audit"))).all()
    times = {one["action"]: one["at_ms"] for one in said}
    assert (times["CREATED"], times["PAID"]) == (row["created_at_ms"], row["paid_at_ms"])
    assert times["CREATED"] < times["PAID"]


@on_virtual_time
async def test_a_refund_names_its_operator_as_far_as_a_row_has_room() -> None:
    shop = await a_shop()
    order_id = await a_paid_order(shop)
    name = "hanako.with.a.very.long.name@accounts.shop.example.com"
    await shop.house.desk.refund_by_operator(
        RefundByOperator(
            order_id=order_id, request_id="1", amount=1, actor=name, reason="a scratch"
        )
    )
    trail = await shop.audit(order_id)
    (actor,) = {one.actor for one in trail.entries if one.cause == "a scratch"}
    room = cast(String, AUDIT.c.actor.type).length
    assert actor == f"operator:{name}"[:room]


TAMPERINGS = {
    "another cause": (3, "update order_audit set cause = 'x' where sequence = 3"),
    "another time": (1, "update order_audit set at_ms = at_ms + 1 where sequence = 1"),
    "other details": (1, "update order_audit set details = '{}' where sequence = 1"),
    "a row is gone": (2, "delete from order_audit where sequence = 2"),
    "the end is gone": (8, "delete from order_audit where sequence = 8"),
    "all is gone": (1, "delete from order_audit"),
    "another hash": (5, "update order_audit set hash = 'f' where sequence = 5"),
    "two rows swapped": (
        2,
        "update order_audit set sequence = case sequence when 2 then 102 else 101 end "
        "where sequence in (2, 3)",
    ),
}


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_tampering_is_found_at_the_first_bad_row(tampering: str) -> None:
    broken_at, statement = TAMPERINGS[tampering]

    @on_virtual_time
    async def story() -> None:
        shop = await a_shop()
        order_id = await a_paid_order(shop)
        async with shop.db.transaction() as tx:
            await tx.run(text(statement))

        trail = await shop.audit(order_id)

        assert (trail.intact, trail.broken_at) == (False, broken_at)

    story()
