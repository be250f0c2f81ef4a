"""Money: what the provider holds for us, what orders say of it, and what the ledger says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kessai.contracts.events import refund_id
from kessai.kernel.ids import content_id
from kessai.proof.invariants.amounts import is_yen
from kessai.proof.invariants.doubts import Shown, Tally
from kessai.proof.invariants.limits import Limits
from kessai.proof.invariants.names import OPERATOR, of_refund
from kessai.proof.invariants.rows import (
    AttemptRow,
    LedgerRow,
    OrderRow,
    ProviderRow,
    RefundRow,
    WantedRow,
)
from kessai.proof.invariants.story import Story
from kessai.proof.invariants.wallets import WAS_PAID, hold_agrees

_CAPTURED_WORDS = ("COMPLETED", "REFUNDED")
_RETURNED = "PAYMENT_RETURNED"


def books_of_money_agree(story: Story, limits: Limits, tally: Tally) -> None:
    """What the provider holds is what PAID orders are worth: nothing is kept that no order is
    owed, longer than it takes to settle or refund it, and nothing that one is owed is missing."""
    order = story.order
    if order is None:
        for row in story.provider:
            if held_yen(row):
                tally.wrong(row.merchant_payment_id, "money for an order that is not there", row)
        return
    if order.method == "BALANCE":
        tally.checked += 1
        hold_agrees(story, order, limits, tally)
    elif story.provider:
        tally.checked += 1
        _provider_agrees(story, order, limits, tally)


def _provider_agrees(story: Story, order: OrderRow, limits: Limits, tally: Tally) -> None:
    held = sum(held_yen(row) for row in story.provider)
    least, most = _owed_yen(order, story.wanted)
    if held > most:
        why = f"{order.status} ({order.reason}) is owed {most}, the provider holds {held}"
        _surplus(story, order.order_id, why, order, limits, tally)
    elif held < least and not _went_back(story):
        why = f"{order.status} is owed {least}, the provider holds {held}"
        tally.wrong(order.order_id, why, order)


def _surplus(
    story: Story, subject: str, why: str, row: Shown, limits: Limits, tally: Tally
) -> None:
    """More is at the provider than in our books: the news, or the refund, is still on its way."""
    held = [one for one in story.provider if held_yen(one)]
    dates = [one.paid_at_ms for one in held] + [one.requested_at_ms for one in story.refunds]
    dates += [one.requested_at_ms for one in story.wanted]
    names = {one.merchant_payment_id for one in held}
    ended = [
        one.ended_at_ms
        for one in story.attempts
        if one.id in names and one.captured_yen == 0 and one.ended_at_ms is not None
    ]
    since_ms = max((date for date in (*dates, *ended) if date is not None), default=None)
    limit_s = (limits.old_news_s if ended else limits.news_s) + limits.refund_s
    tally.unsettled(subject, why, row, since_ms, limit_s)


def _owed_yen(order: OrderRow, wanted: Iterable[WantedRow]) -> tuple[int, int]:
    """At least and at most: a refund under way may be through at the provider, or not yet."""
    if order.status not in WAS_PAID:
        return 0, 0
    mine = [one for one in wanted if one.merchant_payment_id == order.paid_attempt]
    asked = sum(one.amount for one in mine if one.status != "REJECTED")
    back = sum(one.amount for one in mine if one.status == "COMPLETED")
    return order.amount - asked, order.amount - back


def _went_back(story: Story) -> bool:
    """A cancel that won after all (design.md, 2.1): the books know it, and an operator was told."""
    return any(one.error_code == _RETURNED for one in story.attempts)


def paid_has_a_success(story: Story, limits: Limits, tally: Tally) -> None:
    """No order is PAID without a proved success of its own attempt, in yen and of its amount,
    that the provider's own book has as well."""
    del limits
    order = story.order
    if order is None or order.status not in WAS_PAID:
        return
    tally.checked += 1
    paid = next((one for one in story.attempts if one.id == order.paid_attempt), None)
    if paid is None:
        tally.wrong(order.order_id, f"{order.status} by no attempt that is known", order)
    elif order.attempt_number == paid.number and order.payment_id != paid.payment_id:
        why = f"paid by {order.payment_id}, its attempt by {paid.payment_id}"
        tally.wrong(order.order_id, why, order)
    elif paid.amount_yen != order.amount:
        tally.wrong(order.order_id, f"costs {order.amount}, {paid.amount_yen} was asked", paid)
    elif paid.provider == "Balance":
        if not any(hold.amount == order.amount for hold in story.holds):
            tally.wrong(order.order_id, "PAID from a wallet that held nothing for it", order)
    else:
        _proved(story, order, paid, tally)


def _proved(story: Story, order: OrderRow, paid: AttemptRow, tally: Tally) -> None:
    if not any(
        one.attempt_id == paid.id
        and one.source != "WEBHOOK"
        and one.word in _CAPTURED_WORDS
        and one.amount_yen == order.amount
        and one.currency == "JPY"
        for one in story.evidence
    ):
        tally.wrong(order.order_id, f"{order.status}, and nothing proves {order.amount}", order)
    there = next((row for row in story.provider if row.merchant_payment_id == paid.id), None)
    if there is None:
        if story.asked_provider:
            tally.wrong(order.order_id, "the provider knows no such payment", paid)
    elif there.paid_at_ms is None or there.captured != order.amount:
        tally.wrong(order.order_id, f"costs {order.amount}, {there.captured} was paid", there)


def one_capture_at_rest(story: Story, limits: Limits, tally: Tally) -> None:
    """An order keeps one captured payment at most: every further one is refunded, exactly once."""
    order = story.order
    if order is None:
        return
    kept = [one for one in story.attempts if captured_yen(story, one.id)]
    if not kept and not story.provider:
        return
    tally.checked += 1
    _kept_there(story, order, limits, tally)
    if order.status == "FAILED":
        # All of its captures are too late: the next invariant's.
        return
    for attempt in kept:
        if attempt.id != order.paid_attempt:
            _goes_back_once(story, attempt, limits, tally)


def _kept_there(story: Story, order: OrderRow, limits: Limits, tally: Tally) -> None:
    held = sorted(
        (row for row in story.provider if held_yen(row) > 0), key=lambda row: row.paid_at_ms or 0
    )
    if len(held) > 1:
        names = ", ".join(row.merchant_payment_id for row in held)
        why = f"the provider holds several payments: {names}"
        _surplus(story, order.order_id, why, held[-1], limits, tally)


def late_success_is_refunded(story: Story, limits: Limits, tally: Tally) -> None:
    """Money that came for a FAILED order goes back, once and within the time that is promised;
    a refund is known by its payment and reason, and one that our books call completed is one in
    the provider's book, or was credited to the wallet."""
    order = story.order
    if order is not None and order.status == "FAILED":
        for attempt in story.attempts:
            if captured_yen(story, attempt.id):
                tally.checked += 1
                _goes_back_once(story, attempt, limits, tally)
    executed = {one.id: one for one in story.refunds}
    for wanted in story.wanted:
        tally.checked += 1
        if wanted.reason != OPERATOR and wanted.refund_id != refund_id(
            wanted.merchant_payment_id, wanted.reason
        ):
            # So that whoever asks again, after whatever crash, asks for the same refund.
            tally.wrong(wanted.refund_id, "its id is not made of payment and reason", wanted)
        _is_executed(wanted, executed.get(wanted.refund_id), limits, tally)
    known = [back for row in story.provider for back in row.refunds]
    there = {back.merchant_refund_id for back in known if back.status == "REFUNDED"}
    wishes = {one.refund_id: one for one in story.wanted}
    attempts = {one.id: one for one in story.attempts}
    for refund in story.refunds:
        paid = attempts.get(refund.merchant_payment_id)
        for why in of_refund(refund, paid, wishes.get(refund.id)):
            tally.wrong(refund.id, why, refund)
        is_asked = refund.provider == "PayPay" and story.asked_provider
        if refund.status == "COMPLETED" and is_asked and refund.id not in there:
            tally.wrong(
                refund.id, "completed, and the provider has completed no such refund", refund
            )
    for row in story.provider:
        for back in row.refunds:
            if back.merchant_refund_id not in executed:
                tally.wrong(back.merchant_refund_id, "a refund that nobody here wanted", row)


def _goes_back_once(story: Story, attempt: AttemptRow, limits: Limits, tally: Tally) -> None:
    refunds = [
        one
        for one in story.refunds
        if one.merchant_payment_id == attempt.id and one.status != "REJECTED"
    ]
    if len(refunds) > 1:
        tally.wrong(attempt.id, f"refunded {len(refunds)} times", refunds[-1])
    elif not refunds or refunds[0].status != "COMPLETED":
        state = refunds[0].status if refunds else "not asked for"
        dates = [attempt.completed_at_ms, attempt.ended_at_ms]
        dates += [one.requested_at_ms for one in refunds]
        since_ms = max((date for date in dates if date is not None), default=None)
        why = f"captured for nothing, and its refund is {state}"
        tally.unsettled(attempt.id, why, attempt, since_ms, limits.news_s + limits.refund_s)
    elif refunds[0].amount_yen != captured_yen(story, attempt.id):
        tally.wrong(attempt.id, f"only {refunds[0].amount_yen} went back", refunds[0])


def _is_executed(wanted: WantedRow, refund: RefundRow | None, limits: Limits, tally: Tally) -> None:
    if refund is not None and refund.amount_yen != wanted.amount:
        why = f"{wanted.amount} wanted back, {refund.amount_yen} sent"
        tally.wrong(wanted.refund_id, why, refund)
    elif wanted.status == "COMPLETED":
        if refund is None or refund.status != "COMPLETED":
            why = f"completed here, {refund.status if refund else 'unknown'} at payment-service"
            tally.wrong(wanted.refund_id, why, wanted)
    elif wanted.status == "REJECTED":
        if refund is not None and refund.status == "COMPLETED":
            tally.wrong(wanted.refund_id, "rejected here, and the money went back", wanted)
    elif wanted.status != "REQUESTED":
        tally.wrong(wanted.refund_id, f"there is no status {wanted.status}", wanted)
    else:
        why = f"the refund is {refund.status if refund else 'not taken on'}"
        limit_s = limits.news_s + limits.refund_s
        tally.unsettled(wanted.refund_id, why, wanted, wanted.requested_at_ms, limit_s)


def refunds_within_the_capture(story: Story, limits: Limits, tally: Tally) -> None:
    """The refunds of a payment are never more than its capture, here and at the provider."""
    del limits
    for row in story.provider:
        tally.checked += 1
        back = sum(one.amount for one in row.refunds)
        if back > row.captured:
            tally.wrong(row.merchant_payment_id, f"{row.captured} came, {back} goes back", row)
    for attempt in story.attempts:
        tally.checked += 1
        mine = [one for one in story.refunds if one.merchant_payment_id == attempt.id]
        back = sum(one.amount_yen for one in mine if one.status != "REJECTED")
        came = captured_yen(story, attempt.id)
        if back > came:
            tally.wrong(attempt.id, f"{came} was captured, {back} goes back", mine[-1])
    order = story.order
    if order is not None and order.refunded_amount > order.amount:
        tally.wrong(order.order_id, f"{order.refunded_amount} of {order.amount} went back", order)
    if order is not None:
        done = [one for one in story.wanted if one.status == "COMPLETED"]
        back = sum(one.amount for one in done if one.merchant_payment_id == order.paid_attempt)
        if order.refunded_amount != back:
            why = f"{order.refunded_amount} went back, its refunds are {back}"
            tally.wrong(order.order_id, why, order)


def ledger_is_balanced(story: Story, limits: Limits, tally: Tally) -> None:
    """Every ledger entry takes from one account what it gives to another; an order's account
    holds what was captured less what went back, and so does the provider."""
    tally.checked += len(story.ledger)
    attempts = {one.id: one for one in story.attempts}
    refunds = {one.id: one for one in story.refunds}
    for entry in story.ledger:
        for why in _wrong_entry(entry, attempts, refunds):
            tally.wrong(entry.id, why, entry)
    for attempt in story.attempts:
        entered = sum(
            signed_yen(entry)
            for entry in story.ledger
            if entry.merchant_payment_id == attempt.id and entry.kind != "REFUND"
        )
        if entered != attempt.captured_yen:
            why = f"{attempt.captured_yen} is captured, the ledger says {entered}"
            tally.wrong(attempt.id, why, attempt)
    entered_refunds = [_refund_of(entry, refunds) for entry in story.ledger if story.refunds]
    for refund in story.refunds:
        times = entered_refunds.count(refund.id)
        if times != (refund.status == "COMPLETED"):
            tally.wrong(refund.id, f"{refund.status}, and {times} times in the ledger", refund)
    if story.provider:
        _ledger_agrees(story, limits, tally)


def _wrong_entry(
    entry: LedgerRow, attempts: dict[str, AttemptRow], refunds: dict[str, RefundRow]
) -> Iterator[str]:
    if not is_yen(entry.amount_yen):
        yield f"{entry.amount_yen!r} is no whole number of yen from 1 on"
    attempt = attempts.get(entry.merchant_payment_id)
    if attempt is None:
        yield f"no attempt {entry.merchant_payment_id} of this order"
        return
    accounts = (f"provider:{attempt.provider}", f"order:{entry.order_id}")
    if entry.kind != "CAPTURE":
        accounts = accounts[::-1]
    if (entry.debit_account, entry.credit_account) != accounts:
        yield f"{entry.kind} from {entry.credit_account} to {entry.debit_account}"
    came_at_ms = attempt.completed_at_ms
    is_known = came_at_ms is not None and entry.value_at_ms is not None
    if entry.kind == "CAPTURE" and is_known and entry.value_at_ms != came_at_ms:
        yield f"it was worth that at {entry.value_at_ms}, it came at {came_at_ms}"
    if entry.kind != "REFUND" and entry.refund_id is not None:
        yield f"{entry.kind}, and the refund is {entry.refund_id}"
    if entry.kind == "REFUND":
        refund = refunds.get(_refund_of(entry, refunds) or "")
        if refund is None:
            yield "no such refund"
        elif refund.amount_yen != entry.amount_yen:
            yield f"the refund is {refund.amount_yen}"
    elif entry.kind not in ("CAPTURE", "RETURN"):
        yield f"there is no kind {entry.kind}"


def _refund_of(entry: LedgerRow, refunds: dict[str, RefundRow]) -> str | None:
    """An entry of an earlier version does not name its refund, but its id is made of it."""
    if entry.kind != "REFUND" or entry.refund_id is not None:
        return entry.refund_id
    return next((one for one in refunds if content_id("ledger", "REFUND", one) == entry.id), None)


def _ledger_agrees(story: Story, limits: Limits, tally: Tally) -> None:
    held = sum(held_yen(row) for row in story.provider)
    account = sum(signed_yen(entry) for entry in story.ledger)
    if held == account:
        return
    why = f"the ledger says {account}, the provider holds {held}"
    row = story.ledger[-1] if story.ledger else story.provider[-1]
    _surplus(story, story.order_id, why, row, limits, tally)


def held_yen(row: ProviderRow) -> int:
    """What the provider holds for us of a payment; nothing when a cancel has won."""
    if row.status not in _CAPTURED_WORDS:
        return 0
    return row.captured - sum(back.amount for back in row.refunds)


def captured_yen(story: Story, attempt_id: str) -> int:
    """What came for an attempt, less what the provider took back by itself."""
    return sum(
        signed_yen(entry)
        for entry in story.ledger
        if entry.merchant_payment_id == attempt_id and entry.kind != "REFUND"
    )


def signed_yen(entry: LedgerRow) -> int:
    """What the entry adds to its order's account."""
    if not is_yen(entry.amount_yen):
        return 0
    return entry.amount_yen if entry.kind == "CAPTURE" else -entry.amount_yen
