"""Payment codes: how many can be paid at once, until when, and what must be there before.

A provider that is asked to delete a code, says that there is none, and lets it be paid all the
same, leaves nothing that could be done better: such a code counts as gone here, and what is paid
by it goes back like any late payment.
"""

from __future__ import annotations

from kessai.contracts.moves import FINAL_ORDER, LIVE_ATTEMPT
from kessai.proof.invariants.doubts import Tally
from kessai.proof.invariants.limits import CLOCKS_MS, Limits
from kessai.proof.invariants.names import of_attempt
from kessai.proof.invariants.rows import AttemptRow, ProviderRow
from kessai.proof.invariants.story import Story, read_lines

_CLOSED_FIRST = ("CANCELLED", "PAYMENT_EXPIRED", "PAYMENT_DECLINED")


def one_live_code(story: Story, limits: Limits, tally: Tally) -> None:
    """At any moment an order has one code at most that could be paid, as the provider sees it,
    and one live attempt at most, as payment-service sees it; each is asked of the provider and
    until the moment that the order names."""
    del limits
    if not story.attempts and not story.provider:
        return
    tally.checked += 1
    for attempt in story.attempts:
        for why in of_attempt(attempt, story.order):
            tally.wrong(attempt.id, why, attempt)
    codes = [row for row in _live(story, tally.now_ms) if not _is_denied(story, row)]
    if len(codes) > 1:
        names = ", ".join(row.merchant_payment_id for row in codes)
        tally.wrong(story.order_id, f"{len(codes)} codes could be paid: {names}", codes[-1])
    attempts = [one for one in story.attempts if one.status in LIVE_ATTEMPT]
    if len(attempts) > 1:
        names = ", ".join(one.id for one in attempts)
        tally.wrong(story.order_id, f"{len(attempts)} attempts are live: {names}", attempts[-1])


def no_code_after_the_end(story: Story, limits: Limits, tally: Tally) -> None:
    """Once an order or an attempt has ended no code of it can be paid any more, and an order that
    was given up gets no other: a known code is deleted at once, one whose answer was lost cannot
    be deleted and is outlived."""
    order = story.order
    is_over = order is not None and order.status in FINAL_ORDER
    _gets_no_other(story, tally)
    codes = {row.merchant_payment_id: row for row in story.provider}
    for attempt in story.attempts:
        if attempt.provider == "Balance":
            continue
        is_ended = attempt.status not in LIVE_ATTEMPT
        if not (is_over or is_ended):
            continue
        tally.checked += 1
        ended_ms = attempt.ended_at_ms if is_ended or order is None else order.updated_at_ms
        if not is_ended:
            why = f"the attempt is {attempt.status}, its order has ended"
            limit_s = limits.code_end_s if attempt.code_id else limits.lost_code_s
            tally.unsettled(attempt.id, why, attempt, ended_ms, limit_s)
        code = codes.get(attempt.id)
        if code is not None and is_live(code, tally.now_ms) and not _is_denied(story, code):
            _still_payable(attempt, code, ended_ms, limits, tally)


def _gets_no_other(story: Story, tally: Tally) -> None:
    """An order that is given up was closed at payment-service before: no attempt begins then."""
    if not story.attempts or story.order is None:
        return
    if story.closed is None:
        tally.wrong(story.order_id, "attempts of an order that payment-service does not know")
    elif bool(story.closed.closed) != (story.closed.closed_reason is not None):
        tally.wrong(story.order_id, "closed for no reason, or for one and not", story.closed)
    elif story.order.reason in _CLOSED_FIRST and not story.closed.closed:
        why = f"{story.order.reason}, and payment-service would still begin an attempt"
        tally.wrong(story.order_id, why, story.closed)


def _still_payable(
    attempt: AttemptRow, code: ProviderRow, ended_ms: int | None, limits: Limits, tally: Tally
) -> None:
    why = f"the attempt is {attempt.status}, and its code could still be paid"
    if attempt.code_id is None:
        tally.unsettled(attempt.id, why, code, attempt.requested_at_ms, limits.lost_code_s)
    else:
        tally.unsettled(attempt.id, why, code, ended_ms, limits.code_end_s)


def no_code_without_stock(story: Story, limits: Limits, tally: Tally) -> None:
    """No code is made without an attempt that asks for it, and no attempt begins before all
    items of its order are reserved."""
    del limits
    asked = {one.id for one in story.attempts}
    for row in story.provider:
        tally.checked += 1
        if row.merchant_payment_id not in asked:
            tally.wrong(row.merchant_payment_id, "a code that nobody here has asked for", row)
    reserved = {one.reservation_id: one for one in story.reservations}
    for attempt in story.attempts:
        tally.checked += 1
        first = reserved.get(f"{attempt.order_id}-1")
        if story.order is None:
            tally.wrong(attempt.id, "a payment for an order that is not there", attempt)
        elif first is None:
            tally.wrong(attempt.id, "a payment was begun and nothing is reserved", attempt)
        elif read_lines(first.lines) != story.quantities:
            tally.wrong(attempt.id, f"only {first.lines!r} is reserved", first)
        elif first.created_at_ms > attempt.requested_at_ms + CLOCKS_MS:
            tally.wrong(attempt.id, "the payment was begun before the reservation", first)


def stock_outlives_codes(story: Story, limits: Limits, tally: Tally) -> None:
    """Stock is never released while a code of its order could still be paid, and no code lives
    longer than the order's deadline and one code's lifetime."""
    order = story.order
    if order is None:
        return
    known = {one.id for one in story.attempts if one.code_id is not None}
    live = [
        row
        for row in _live(story, tally.now_ms)
        if row.merchant_payment_id in known and not _is_denied(story, row)
    ]
    # An accepted cancel ends an attempt whose code is not known yet: what is paid then goes back
    # by itself (paypay.md, 4.4), and the code is deleted as soon as the late answer brings it.
    cancelled = {one.attempt_id for one in story.evidence if one.word == "CANCEL_ACCEPTED"}
    for reservation in story.reservations:
        if reservation.status == "RELEASED" and live:
            name = live[0].merchant_payment_id
            why = f"released, and {name} could be paid"
            since_ms = reservation.ended_at_ms if name in cancelled else 0
            limit_s = limits.code_end_s
            tally.unsettled(reservation.reservation_id, why, reservation, since_ms, limit_s)
    for attempt in story.attempts:
        if attempt.expires_at_ms is None:
            continue
        tally.checked += 1
        end_ms = order.hold_until_ms + int(limits.lost_code_s * 1000)
        if attempt.expires_at_ms > end_ms:
            why = "its code lives beyond the order's deadline and a code's lifetime"
            tally.wrong(attempt.id, why, attempt)


def _live(story: Story, now_ms: int) -> list[ProviderRow]:
    return [row for row in story.provider if is_live(row, now_ms)]


def _is_denied(story: Story, code: ProviderRow) -> bool:
    """The provider was asked to delete it, and said that it knows no such code."""
    name = code.merchant_payment_id
    return any(one.attempt_id == name and one.word == "CODE_UNKNOWN" for one in story.evidence)


def is_live(row: ProviderRow, now_ms: int) -> bool:
    """Somebody could pay it now."""
    return row.status == "CREATED" and row.is_offered and row.expires_at_ms > now_ms
