"""The pages of states: each move of the code is drawn once and has its words, and no other."""

from __future__ import annotations

import re

import pytest
from tests.docs import state_moves as when
from tests.docs.state_machines import CLOSED, LIVE, alert_moves, diagram, pairs, rows

from kessai.contracts.moves import (
    ATTEMPT_MOVES,
    HOLD_MOVES,
    ORDER_MOVES,
    REFUND_MOVES,
    RESERVATION_MOVES,
    AttemptStatus,
    OrderReason,
    OrderStatus,
)

TABLES = {
    "Order": pairs(ORDER_MOVES),
    "Payment attempt": pairs(ATTEMPT_MOVES),
    "Reservation": pairs(RESERVATION_MOVES),
    "Refund": pairs(REFUND_MOVES),
    "Hold of a wallet": pairs(HOLD_MOVES),
    "Alert": pairs(alert_moves()),
}


@pytest.mark.parametrize("title", TABLES)
def test_there_are_words_for_each_move_and_for_no_other(title: str) -> None:
    assert sorted(when.WHEN[title]) == sorted(TABLES[title])


def test_there_are_words_for_each_reason_and_for_no_other() -> None:
    assert sorted(when.REASONS) == sorted(OrderReason)


def test_a_move_without_words_fails_the_page() -> None:
    moves = {**ORDER_MOVES, OrderStatus.PENDING: frozenset(ORDER_MOVES)}
    with pytest.raises(KeyError, match="PENDING"):
        list(rows("Order", moves))


def test_frames_say_the_same_as_single_arrows() -> None:
    """Whoever takes the frames apart again has the table."""
    lines = list(diagram(ATTEMPT_MOVES, AttemptStatus.CREATING, (LIVE, CLOSED)))
    members = {group.name: sorted(group.members) for group in (LIVE, CLOSED)}
    drawn = [
        (before, after)
        for source, target in re.findall(r"(\w+) --> (\w+)", "\n".join(lines))
        for before in members.get(source, [source])
        for after in members.get(target, [target])
    ]
    assert sorted(drawn) == sorted(pairs(ATTEMPT_MOVES))
