"""What verify keeps of events: small, shared, and as it was when its order was read."""

from __future__ import annotations

import json

from kessai.proof.invariants.bus import event_id_of
from kessai.proof.invariants.told import OutboxRow, Telling
from kessai.topology import ORDERS_TOPIC

MOVES = ((1, None, "PENDING"), (2, "PENDING", "WAITING_PAYMENT"), (3, "WAITING_PAYMENT", "PAID"))


def _row(order_id: str, version: int, old: str | None, new: str) -> OutboxRow:
    event_id = f"{order_id}-{version}"
    event = {
        "eventType": "OrderStatusChanged",
        "eventId": event_id,
        "aggregateId": order_id,
        "version": version,
        "payload": {"orderId": order_id, "oldStatus": old, "newStatus": new, "amount": 100},
    }
    return OutboxRow(version, ORDERS_TOPIC, order_id, json.dumps(event).encode(), event_id, 0, 1)


def test_orders_of_the_same_course_share_their_history() -> None:
    telling = Telling()
    telling.fold_orders(_row(order, *move) for move in MOVES for order in ("a", "b"))
    a, b = telling.by_order["a"], telling.by_order["b"]
    assert a.history is b.history
    assert a.history.moves == {version: (old, new) for version, old, new in MOVES}


def test_a_move_that_is_told_twice_is_a_fault_of_its_order_alone() -> None:
    telling = Telling()
    telling.fold_orders(_row(order, *MOVES[0]) for order in ("a", "b", "a"))
    assert telling.by_order["a"].faults == ("move 1 was told twice",)
    assert telling.by_order["b"].faults == ()


def test_what_was_shown_with_its_order_does_not_change_any_more() -> None:
    telling = Telling()
    telling.fold_orders([_row("a", *MOVES[0])])
    shown = telling.by_order["a"]
    shown.has_order = True
    telling.fold_orders([_row("a", *MOVES[1])])
    assert list(shown.history.moves) == [1]
    assert list(telling.by_order["a"].history.moves) == [1, 2]


def test_headers_that_nobody_can_read_name_no_event() -> None:
    assert event_id_of('{"a": "\\"event-id\\": \\"no\\"", "event-id": "yes"}') == "yes"
    assert [event_id_of(one) for one in ("", "{}", "[]", '{"event-id": 1}', "{")] == [None] * 5
