"""docs/architecture/state-machines.md: drawn from the tables that the code moves by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from tests.docs import state_moves as when
from tests.docs.markdown import code, page, table

from kessai.alert.domain.alert import Alert, acknowledged, resolved
from kessai.contracts.alert import AlertStatus
from kessai.contracts.moves import (
    ATTEMPT_MOVES,
    HOLD_MOVES,
    LIVE_ATTEMPT,
    ORDER_MOVES,
    REFUND_MOVES,
    RESERVATION_MOVES,
    AttemptStatus,
    HoldStatus,
    OrderReason,
    OrderStatus,
    RefundStatus,
    ReservationStatus,
)
from kessai.kernel.errors import Refused

S = TypeVar("S", bound=StrEnum)
Moves = Mapping[S, frozenset[S]]


@dataclass(frozen=True, slots=True)
class Group:
    """States that stand in one frame: an arrow of the frame is an arrow of each of them."""

    name: str
    members: frozenset[str]


# Attempts that may still be paid, and those that ended without money.
LIVE = Group("live", frozenset(LIVE_ATTEMPT))
CLOSED = Group(
    "unpaid",
    frozenset({AttemptStatus.FAILED, AttemptStatus.EXPIRED, AttemptStatus.CANCELLED}),
)


def state_machines_page() -> str:
    return page(
        "State machines",
        "The tables are in `src/kessai/contracts/moves.py`. What they do not have is refused "
        "(`IllegalMove`), and a row is written with `WHERE version = :expected`. `kessai verify` "
        "asks the same tables of the live books (I14), and so does `kessai simulate`.",
        section("Order", "order-service", when.ORDER_LEAD, ORDER_MOVES, OrderStatus.PENDING),
        reasons(),
        section(
            "Payment attempt",
            "payment-service",
            when.ATTEMPT_LEAD,
            ATTEMPT_MOVES,
            AttemptStatus.CREATING,
            (LIVE, CLOSED),
        ),
        section(
            "Reservation",
            "storage-service",
            when.RESERVATION_LEAD,
            RESERVATION_MOVES,
            ReservationStatus.RESERVED,
        ),
        section(
            "Refund", "payment-service", when.REFUND_LEAD, REFUND_MOVES, RefundStatus.REQUESTED
        ),
        section("Hold of a wallet", "account-service", when.HOLD_LEAD, HOLD_MOVES, HoldStatus.HELD),
        section("Alert", "alert-service", when.ALERT_LEAD, alert_moves(), AlertStatus.NEW),
    )


def section(
    title: str,
    owner: str,
    lead: str,
    moves: Moves[S],
    start: S,
    groups: tuple[Group, ...] = (),
) -> Iterator[str]:
    yield f"## {title}"
    yield ""
    yield f"{lead} Kept by {owner}."
    yield ""
    yield "```mermaid"
    yield from diagram(moves, start, groups)
    yield "```"
    yield ""
    yield from table(("from", "to", "when"), rows(title, moves))


def rows(title: str, moves: Moves[S]) -> Iterator[tuple[str, str, str]]:
    """Raises `KeyError` for a move that nobody has told the reason of."""
    told = when.WHEN[title]
    for before, following in moves.items():
        for after in ordered(following, moves):
            yield code(before), code(after), told[before.value, after.value]


def reasons() -> Iterator[str]:
    yield "A `FAILED` order says why, for good:"
    yield ""
    told = ((code(one), when.REASONS[one.value]) for one in OrderReason)
    yield from table(("reason", "what happened"), told)


def diagram(moves: Moves[S], start: S, groups: tuple[Group, ...] = ()) -> Iterator[str]:
    """Mermaid's `stateDiagram-v2`; a state that nothing leaves is an end."""
    yield "stateDiagram-v2"
    yield "    direction LR"
    inside = {member: group for group in groups for member in group.members}
    for group in groups:
        yield f"    state {group.name} {{"
        for before, after in pairs(moves):
            if inside.get(before) is group and inside.get(after) is group:
                yield f"        {before} --> {after}"
        yield "    }"
    yield f"    [*] --> {start}"
    yield from (f"    {before} --> {after}" for before, after in joined(moves, inside))
    yield from (f"    {last} --> [*]" for last, following in moves.items() if not following)


def joined(moves: Moves[S], inside: Mapping[str, Group]) -> Iterator[tuple[str, str]]:
    """Arrows between what stands in different frames, those that all members share as one."""
    told: set[tuple[str, str]] = set()
    for before, after in pairs(moves):
        here, there = inside.get(before), inside.get(after)
        if here is not None and here is there:
            continue
        sources = here.members if here else {before}
        targets = there.members if there else {after}
        source, target = before, after
        if here and all((one, after) in pairs(moves) for one in sources):
            source = here.name
        starts = sources if source != before else {before}
        if there and all((one, end) in pairs(moves) for one in starts for end in targets):
            target = there.name
        if (source, target) not in told:
            told.add((source, target))
            yield source, target


def pairs(moves: Moves[S]) -> list[tuple[str, str]]:
    return [
        (before.value, after.value)
        for before, following in moves.items()
        for after in ordered(following, moves)
    ]


def ordered(statuses: Iterable[S], moves: Moves[S]) -> list[S]:
    """In the order of the table, since a set has none."""
    place = list(moves)
    return sorted(statuses, key=place.index)


def alert_moves() -> Moves[AlertStatus]:
    """An alert has no table: what its two functions make of each status."""
    return {status: frozenset(_after(status)) for status in AlertStatus}


def _after(status: AlertStatus) -> Iterator[AlertStatus]:
    alert = Alert("a", "A", "P2", "o", None, status, "{}", 1, 1, 1)
    for following in (taken(alert), resolved(alert, "system", 2)):
        if following.status is not status:
            yield following.status


def taken(alert: Alert) -> Alert:
    try:
        return acknowledged(alert, "somebody")
    except Refused:
        return alert
