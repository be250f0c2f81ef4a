"""Orders: that each ends, by legal moves only, and that no move is lost or made twice."""

from __future__ import annotations

from sqlalchemy import and_, bindparam, or_, select, table, tuple_

from kessai.contracts.moves import (
    FINAL_ORDER,
    LIVE_ATTEMPT,
    ORDER_MOVES,
    AttemptStatus,
    OrderReason,
    OrderStatus,
)
from kessai.proof.invariants.books import Look
from kessai.proof.invariants.doubts import Tally
from kessai.proof.invariants.limits import Limits
from kessai.proof.invariants.names import is_as_seen, of_payment
from kessai.proof.invariants.rows import AttemptRow, CartRow, EvidenceRow, KeyRow, OrderRow
from kessai.proof.invariants.sql import Statement, cols, made
from kessai.proof.invariants.story import Story, order_of

_PAGE = 1000
_CAPTURED = ("COMPLETED", "REFUNDED")
# What the provider says of a code that nobody paid.
_UNPAID = ("CREATED", "NOT_FOUND", "CANCELED", "EXPIRED")
# Its last word on what nobody paid, and its words for a code that is no more.
_FINAL = ("CANCELED", "EXPIRED")
_GONE = ("CODE_DELETED", "CODE_UNKNOWN", "CODE_REFUSED")
_STATUSES = frozenset(OrderStatus)
_ATTEMPT_STATUSES = frozenset(AttemptStatus)
_REASONS = frozenset(OrderReason)


def every_order_ends(story: Story, limits: Limits, tally: Tally) -> None:
    """Every order ends, PAID or FAILED, within its deadline and what the provider's last word
    may take after it, and a refund that began ends within the time that is promised."""
    order = story.order
    if order is None:
        return
    tally.checked += 1
    if order.status not in FINAL_ORDER:
        deadline_s = (order.hold_until_ms - order.created_at_ms) / 1000
        why = f"{order.status} (decided {order.decision or 'nothing'})"
        limit_s = deadline_s + limits.order_end_s
        tally.unsettled(order.order_id, why, order, order.created_at_ms, limit_s)
    elif order.status == "REFUNDING":
        since_ms = max((one.requested_at_ms for one in story.wanted), default=None)
        limit_s = limits.news_s + limits.refund_s
        tally.unsettled(order.order_id, "REFUNDING", order, since_ms, limit_s)


def only_legal_moves(story: Story, limits: Limits, tally: Tally) -> None:
    """Only moves of the table occur: from PENDING, one legal step after the other, to where the
    order is now, and the row is consistent with its status."""
    del limits
    order = story.order
    if order is None:
        return
    if order.status not in _STATUSES:
        tally.wrong(order.order_id, f"there is no status {order.status}", order)
        return
    last: OrderStatus | None = None
    for entry in story.audit:
        if entry.to_status is None:
            continue
        tally.checked += 1
        if entry.to_status not in _STATUSES:
            tally.wrong(order.order_id, f"there is no status {entry.to_status}", entry)
            return
        new = OrderStatus(entry.to_status)
        legal = new in ORDER_MOVES[last] if last else new is OrderStatus.PENDING
        if not legal or entry.from_status != last:
            why = f"moved from {entry.from_status} to {new} after {last}"
            tally.wrong(order.order_id, why, entry)
            return
        last = new
    if story.audit and last != order.status:
        tally.wrong(order.order_id, f"its moves end as {last}, the row is {order.status}", order)
    if (why_not := _inconsistent(order)) is not None:
        tally.wrong(order.order_id, why_not, order)
    for attempt in story.attempts:
        if attempt.status not in _ATTEMPT_STATUSES:
            tally.wrong(attempt.id, f"there is no status {attempt.status}", attempt)
        elif (attempt.ended_at_ms is None) != (attempt.status in LIVE_ATTEMPT):
            why = f"{attempt.status}, and its end is {attempt.ended_at_ms}"
            tally.wrong(attempt.id, why, attempt)


def _inconsistent(order: OrderRow) -> str | None:
    paid = order.status in ("PAID", "REFUNDING", "REFUNDED")
    if paid and (order.decision != "SETTLE" or order.paid_at_ms is None or not order.paid_attempt):
        return f"{order.status} without a decision, a time or an attempt that paid"
    if order.status == "FAILED":
        if order.reason not in _REASONS:
            return f"FAILED for no known reason ({order.reason})"
        settled = order.reason == OrderReason.OUT_OF_STOCK_AFTER_PAYMENT
        if order.decision != ("SETTLE" if settled else "FAIL"):
            return f"FAILED ({order.reason}) and decided {order.decision or 'nothing'}"
    elif order.reason is not None:
        return f"{order.status} with the reason {order.reason}"
    if order.decision != "SETTLE" and (order.paid_attempt or order.paid_at_ms is not None):
        return f"{order.status}, decided {order.decision or 'nothing'}, and an attempt has paid"
    if order.payment_status is not None and order.payment_status not in _ATTEMPT_STATUSES:
        return f"there is no status {order.payment_status} of a payment"
    if order_of(order.reservation_id) != order.order_id:
        return f"its reservation is {order.reservation_id}, another order's"
    if order.status == "REFUNDED" and order.refunded_amount != order.amount:
        return f"REFUNDED, and {order.refunded_amount} of {order.amount} went back"
    return None


def versions_count_moves(story: Story, limits: Limits, tally: Tally) -> None:
    """The version grows by exactly one with each move, so that no update was lost: it is the
    number of the moves that are on record."""
    del limits
    order = story.order
    if order is None or not story.audit:
        return
    tally.checked += 1
    moves = [entry for entry in story.audit if entry.to_status is not None]
    if len(moves) != order.version:
        tally.wrong(order.order_id, f"version {order.version} after {len(moves)} moves", order)
    if order.view_version < 1:
        tally.wrong(order.order_id, f"there is no view {order.view_version}", order)


def unknown_is_never_guessed(story: Story, limits: Limits, tally: Tally) -> None:
    """No attempt has failed, expired or been cancelled by our own clock alone: the provider said
    so, or it never made a code; and what it says now does not contradict it for long."""
    order = story.order
    shown = None if order is None else order.payment_id
    if shown is not None and all(one.payment_id != shown for one in story.attempts):
        tally.wrong(story.order_id, f"shows the payment {shown}, which no attempt has", order)
    if not story.attempts:
        return
    said: dict[str, list[EvidenceRow]] = {}
    for one in story.evidence:
        if not is_as_seen(one):
            tally.wrong(one.attempt_id, f"{one.word} is not what was seen", one)
        if one.source != "WEBHOOK":
            said.setdefault(one.attempt_id, []).append(one)
    there = {row.merchant_payment_id: row for row in story.provider}
    for attempt in story.attempts:
        row = there.get(attempt.id)
        for why in of_payment(attempt, row):
            tally.wrong(attempt.id, why, attempt)
        if attempt.provider == "Balance" or attempt.status in LIVE_ATTEMPT:
            continue
        tally.checked += 1
        if not _is_said(attempt, said.get(attempt.id, [])):
            tally.wrong(attempt.id, f"{attempt.status}, and the provider never said so", attempt)
        if row is not None and attempt.error_code == "PAYMENT_UNAVAILABLE":
            tally.wrong(attempt.id, "given up as refused, and its code exists", row)
        elif row is not None and row.status in _CAPTURED and attempt.captured_yen == 0:
            why = f"{attempt.status}, and the provider has {row.captured} for it"
            since_ms = max(row.paid_at_ms or 0, attempt.ended_at_ms or 0)
            tally.unsettled(attempt.id, why, row, since_ms, limits.old_news_s)


def _is_said(attempt: AttemptRow, said: list[EvidenceRow]) -> bool:
    words = {one.word for one in said}
    if attempt.status == "FAILED":
        refused = attempt.error_code == "PAYMENT_UNAVAILABLE" and attempt.code_id is None
        other = attempt.error_code == "AMOUNT_MISMATCH" and not words.isdisjoint(_CAPTURED)
        return refused or other or "FAILED" in words
    if attempt.status in ("EXPIRED", "CANCELLED"):
        return _is_over(attempt, said)
    return not words.isdisjoint(_CAPTURED)


def _is_over(attempt: AttemptRow, said: list[EvidenceRow]) -> bool:
    """Its code was gone before the end, and nobody knew of money when it was looked for after
    that; a code that we never got to see can only be outlived."""
    ended_ms = attempt.ended_at_ms or 0
    early = [one for one in said if one.first_observed_ms <= ended_ms]
    unpaid_ms = max((one.observed_at_ms for one in said if one.word in _UNPAID), default=None)
    if unpaid_ms is None or any(one.word in _FINAL for one in early):
        return unpaid_ms is not None
    if not any(one.word == "CODE_CREATED" for one in early):
        return True
    gone_ms = [one.first_observed_ms for one in early if one.word in _GONE]
    return bool(gone_ms) and unpaid_ms >= min(gone_ms)


_ORDERS = table("orders", *cols("order_id", "user_id"))
_IDEMPOTENCY = table("idempotency", *cols(*KeyRow._fields[:-1]))
_CART = table("order_cart", *cols("cart_id", "order_id"))
# The first condition is what SQLite finds in its index, the second what MariaDB does.
_KEYS: Statement = (
    select(*_IDEMPOTENCY.c, _ORDERS.c.user_id)
    .outerjoin_from(_IDEMPOTENCY, _ORDERS, _ORDERS.c.order_id == _IDEMPOTENCY.c.subject_id)
    .where(
        tuple_(_IDEMPOTENCY.c.scope, _IDEMPOTENCY.c.request_key)
        > tuple_(bindparam("scope"), bindparam("key")),
        or_(
            _IDEMPOTENCY.c.scope > bindparam("scope"),
            and_(
                _IDEMPOTENCY.c.scope == bindparam("scope"),
                _IDEMPOTENCY.c.request_key > bindparam("key"),
            ),
        ),
    )
    .order_by(_IDEMPOTENCY.c.scope, _IDEMPOTENCY.c.request_key)
    .limit(_PAGE)
)
_CARTS: Statement = (
    select(*_CART.c, _ORDERS.c.user_id)
    .outerjoin_from(_CART, _ORDERS, _ORDERS.c.order_id == _CART.c.order_id)
    .where(_CART.c.cart_id > bindparam("after"))
    .order_by(_CART.c.cart_id)
    .limit(_PAGE)
)
_SCOPE = "purchase:"
_KEY_STATES = ("IN_FLIGHT", "ANSWERED")


async def one_key_one_order(look: Look, tally: Tally) -> None:
    """One idempotency key makes one order, of the customer whose key it is, and so does a cart
    that is bought without a key; a key that names no order keeps the refusal that is repeated to
    whoever sends it again."""
    named: set[int] = set()
    scope, key = "", ""
    while True:
        async with look.books.order.read() as tx:
            keys = made(KeyRow, await tx.run(_KEYS, {"scope": scope, "key": key}))
        tally.checked += len(keys)
        for one in keys:
            if one.scope.startswith(_SCOPE):
                _names_one_order(one, named, tally)
        if len(keys) < _PAGE:
            break
        scope, key = keys[-1].scope, keys[-1].request_key
    await _carts_name_one_order(look, named, tally)


def _names_one_order(one: KeyRow, named: set[int], tally: Tally) -> None:
    if one.state not in _KEY_STATES:
        tally.wrong(one.request_key, f"there is no state {one.state}", one)
    user = one.scope.removeprefix(_SCOPE)
    if hash(one.subject_id) in named:
        tally.wrong(one.request_key, "a second key names the same order", one)
    named.add(hash(one.subject_id))
    if one.user_id is None:
        if one.state != "ANSWERED" or one.status_code != 409:
            tally.wrong(one.request_key, "a key names an order that is not there", one)
    elif one.user_id != user:
        why = f"a key of {user} names an order of {one.user_id}"
        tally.wrong(one.request_key, why, one)


async def _carts_name_one_order(look: Look, named: set[int], tally: Tally) -> None:
    after = ""
    while True:
        async with look.books.order.read() as tx:
            carts = made(CartRow, await tx.run(_CARTS, {"after": after}))
        tally.checked += len(carts)
        for cart in carts:
            if cart.user_id is None:
                tally.wrong(cart.cart_id, "a cart names an order that is not there", cart)
            elif hash(cart.order_id) in named:
                tally.wrong(cart.cart_id, "a second cart, or a key, names the same order", cart)
            named.add(hash(cart.order_id))
        if len(carts) < _PAGE:
            return
        after = carts[-1].cart_id
