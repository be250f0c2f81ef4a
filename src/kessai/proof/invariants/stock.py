"""Stock: reservations that end once, and goods that are with whom the money came from."""

from __future__ import annotations

from collections import Counter

from kessai.proof.invariants.doubts import Tally
from kessai.proof.invariants.limits import Limits
from kessai.proof.invariants.rows import (
    MovementRow,
    OrderRow,
    ReservationRow,
    RestockRow,
)
from kessai.proof.invariants.story import Story, order_of, read_lines

_PAID = ("PAID", "REFUNDING", "REFUNDED")
_BACK = ("REFUNDING", "REFUNDED")
_ENDS = {"RESERVED": (), "CONFIRMED": ("CONFIRM",), "RELEASED": ("RELEASE",)}
# What one piece does to (available, reserved, sold).
_EFFECTS = {
    "RESERVE": (-1, 1, 0),
    "RELEASE": (1, -1, 0),
    "CONFIRM": (0, -1, 1),
    "RETURN": (1, 0, -1),
}
# kind, product, and what was done to the three counts
_Effect = tuple[str, int, int, int, int]


def reservations_end_once(story: Story, limits: Limits, tally: Tally) -> None:
    """Each reservation ends in exactly one of confirmed and released, once, and its movements in
    the stock ledger are those of that end, piece by piece."""
    for reservation in story.reservations:
        tally.checked += 1
        name = reservation.reservation_id
        if reservation.status not in _ENDS:
            tally.wrong(name, f"there is no status {reservation.status}", reservation)
            continue
        if reservation.order_id not in (None, order_of(name)):
            tally.wrong(name, f"for {reservation.order_id}, by its id for another one", reservation)
        if (reservation.ended_at_ms is None) != (reservation.status == "RESERVED"):
            why = f"{reservation.status}, and its end is {reservation.ended_at_ms}"
            tally.wrong(name, why, reservation)
        if reservation.lines:
            _moved_as_its_status_says(story, reservation, tally)
        if reservation.status == "RESERVED":
            deadline_s = 0.0
            if story.order is not None:
                order = story.order
                deadline_s = (order.hold_until_ms - order.created_at_ms) / 1000
            limit_s = deadline_s + limits.order_end_s + limits.step_s
            why = "reserved, and not ended yet"
            tally.unsettled(name, why, reservation, reservation.created_at_ms, limit_s)


def _moved_as_its_status_says(story: Story, reservation: ReservationRow, tally: Tally) -> None:
    kinds = ("RESERVE", *_ENDS[reservation.status])
    expected = _effects(kinds, reservation.lines)
    seen = _seen(story, reservation.reservation_id)
    if seen != expected:
        why = f"{reservation.status}, movements {_words(expected, seen)}"
        tally.wrong(reservation.reservation_id, why, _first(story, reservation, expected))


def goods_follow_the_money(story: Story, limits: Limits, tally: Tally) -> None:
    """PAID means that the order's own reservation is confirmed and no other; FAILED means that
    nothing of it is held or sold; a refund of the whole brings the goods back, once."""
    order = story.order
    if order is None:
        for reservation in story.reservations:
            if reservation.lines:
                why = "stock for an order that is not there"
                tally.wrong(reservation.reservation_id, why, reservation)
        return
    tally.checked += 1
    returned = {one.reservation_id for one in story.restocks}
    confirmed = [one for one in story.reservations if one.status == "CONFIRMED"]
    if order.status in _PAID:
        _is_sold(story, order, confirmed, tally)
    elif order.status == "FAILED":
        for one in story.reservations:
            if one.status == "RESERVED":
                tally.wrong(one.reservation_id, "its order FAILED, and it is still held", one)
    if order.status in _BACK and order.reservation_id not in returned:
        since_ms = max((one.requested_at_ms for one in story.wanted), default=None)
        limit_s = limits.refund_s + limits.step_s
        tally.unsettled(order.order_id, "the goods are not back yet", order, since_ms, limit_s)
    for one in confirmed:
        if order.status == "FAILED" and one.reservation_id not in returned:
            tally.wrong(one.reservation_id, "its order FAILED, and the goods are sold", one)
    for restock in story.restocks:
        _came_back(story, order, restock, tally)


def _is_sold(story: Story, order: OrderRow, confirmed: list[ReservationRow], tally: Tally) -> None:
    mine = [one for one in story.reservations if one.reservation_id == order.reservation_id]
    if not mine or mine[0].status != "CONFIRMED":
        state = mine[0].status if mine else "not there"
        tally.wrong(order.order_id, f"{order.status}, its reservation is {state}", order)
    elif read_lines(mine[0].lines) != story.quantities:
        tally.wrong(order.order_id, f"sold were {mine[0].lines!r}, not its items", mine[0])
    if len(confirmed) > 1:
        names = ", ".join(one.reservation_id for one in confirmed)
        tally.wrong(order.order_id, f"sold more than once: {names}", confirmed[-1])
    for one in story.reservations:
        if one.status == "RESERVED":
            tally.wrong(one.reservation_id, f"its order is {order.status}, it is held", one)


def _came_back(story: Story, order: OrderRow, restock: RestockRow, tally: Tally) -> None:
    sold = [one for one in story.reservations if one.reservation_id == restock.reservation_id]
    if not sold or sold[0].status != "CONFIRMED":
        tally.wrong(restock.restock_id, "what was never sold came back", restock)
        return
    if order.status not in _BACK:
        tally.wrong(restock.restock_id, f"{order.status}, and the goods came back", restock)
    expected = _effects(("RETURN",), sold[0].lines)
    seen = _seen(story, restock.restock_id)
    if seen != expected:
        why = f"came back, movements {_words(expected, seen)}"
        tally.wrong(restock.restock_id, why, restock)


def hanging_calls_change_nothing(story: Story, limits: Limits, tally: Tally) -> None:
    """A release without a reservation, a reservation after its release and any other late call
    change no count: such a row has no movements."""
    del limits
    known = {one.reservation_id for one in story.reservations}
    for reservation in story.reservations:
        tally.checked += 1
        if not reservation.lines and reservation.status != "RELEASED":
            why = f"{reservation.status} and holds nothing"
            tally.wrong(reservation.reservation_id, why, reservation)
        if not reservation.lines:
            for move in story.movements:
                if move.cause_id == reservation.reservation_id:
                    why = f"released before it was made, and moved {move.kind}"
                    tally.wrong(reservation.reservation_id, why, move)
    for move in story.movements:
        if move.kind != "RETURN" and move.cause_id not in known:
            tally.wrong(move.cause_id, f"{move.kind} of a reservation that is not there", move)


def _effects(kinds: tuple[str, ...], lines: str) -> list[_Effect]:
    """What the movements must have done, in order."""
    found: list[_Effect] = []
    for product_id, n in read_lines(lines).items():
        for kind in kinds:
            available, reserved, sold = _EFFECTS[kind]
            found.append((kind, product_id, available * n, reserved * n, sold * n))
    return sorted(found)


def _seen(story: Story, cause_id: str) -> list[_Effect]:
    """What they did."""
    return sorted(_effect(one) for one in story.movements if one.cause_id == cause_id)


def _effect(move: MovementRow) -> _Effect:
    return (
        move.kind,
        move.product_id,
        move.available_delta,
        move.reserved_delta,
        move.sold_delta,
    )


def _words(expected: list[_Effect], seen: list[_Effect]) -> str:
    missing, surplus = Counter(expected) - Counter(seen), Counter(seen) - Counter(expected)
    parts = [f"missing {kind} of {product}" for kind, product, *_ in missing]
    parts += [f"too many {kind} of {product} {deltas}" for kind, product, *deltas in surplus]
    return "; ".join(parts)


def _first(
    story: Story, reservation: ReservationRow, expected: list[_Effect]
) -> MovementRow | ReservationRow:
    """The first movement that is too many, if there is one."""
    left = Counter(expected)
    for move in story.movements:
        if move.cause_id == reservation.reservation_id:
            left[_effect(move)] -= 1
            if left[_effect(move)] < 0:
                return move
    return reservation
