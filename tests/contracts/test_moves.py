"""Statuses move by their tables and in no other way."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import pytest

from kessai.contracts.moves import (
    ATTEMPT_MOVES,
    FINAL_ORDER,
    HOLD_MOVES,
    LIVE_ATTEMPT,
    ORDER_MOVES,
    REFUND_MOVES,
    RESERVATION_MOVES,
    AttemptStatus,
    OrderStatus,
    ReservationStatus,
    move,
)
from kessai.kernel.errors import IllegalMove

TABLES: list[Mapping[StrEnum, frozenset[StrEnum]]] = [
    ORDER_MOVES,  # type: ignore[list-item]
    ATTEMPT_MOVES,  # type: ignore[list-item]
    RESERVATION_MOVES,  # type: ignore[list-item]
    REFUND_MOVES,  # type: ignore[list-item]
    HOLD_MOVES,  # type: ignore[list-item]
]


@pytest.mark.parametrize("table", TABLES)
def test_every_status_has_its_row(table: Mapping[StrEnum, frozenset[StrEnum]]) -> None:
    kind = type(next(iter(table)))
    assert list(table) == list(kind)


@pytest.mark.parametrize("table", TABLES)
def test_every_move_outside_of_a_table_is_refused(
    table: Mapping[StrEnum, frozenset[StrEnum]],
) -> None:
    for now, legal in table.items():
        for to in table:
            if to in legal:
                assert move(table, now, to) is to
            else:
                with pytest.raises(IllegalMove):
                    move(table, now, to)


def test_a_paid_order_is_never_failed_and_a_failed_one_never_paid() -> None:
    assert ORDER_MOVES[OrderStatus.PAID] == {OrderStatus.REFUNDING}
    assert ORDER_MOVES[OrderStatus.FAILED] == frozenset()


def test_a_reservation_is_confirmed_or_released_and_never_both() -> None:
    assert RESERVATION_MOVES[ReservationStatus.CONFIRMED] == frozenset()
    assert RESERVATION_MOVES[ReservationStatus.RELEASED] == frozenset()


def test_late_money_is_seen_after_every_end_without_it() -> None:
    for ended in (AttemptStatus.FAILED, AttemptStatus.EXPIRED, AttemptStatus.CANCELLED):
        assert AttemptStatus.SUCCEEDED in ATTEMPT_MOVES[ended]


def test_unknown_is_live_and_an_open_order_is_not_final() -> None:
    assert AttemptStatus.UNKNOWN in LIVE_ATTEMPT
    assert OrderStatus.WAITING_PAYMENT not in FINAL_ORDER
