"""When to ask the provider about an attempt, and what to do about it then."""

from __future__ import annotations

from collections.abc import Collection
from enum import IntEnum, StrEnum

from kessai.contracts.moves import AttemptStatus
from kessai.payment.domain.attempt import (
    CLOSED_WITHOUT_MONEY,
    PaymentAttempt,
    Rules,
    believed_over_from_ms,
    cancel_was_answered,
    cancel_was_sent,
    code_is_gone,
    is_authorized,
    says_paid,
    was_captured,
)
from kessai.payment.domain.evidence import Evidence

FIRST_MINUTE_MS = 60_000
FIRST_INTERVAL_MS = 3_000
# Who asks has mostly just paid: the page asks when the customer comes back from PayPay.
ASKED_MS = 15_000
ASKED_INTERVAL_MS = 1_500
# Where haste pays: a close that waits for its proof, or money that was announced.
HASTE_MS = 1_000
HASTE_FOR_MS = 60_000
# After an end without money PayPay may still tell that the customer had paid.
FOLLOW_UPS_MS = (30_000, 120_000, 600_000, 3_600_000)
# A webhook announces what a look-up does not show yet (eventual consistency).
HINTS_MS = (300, 700, 1_500, 3_000, 6_000)
# "Already paid" to a delete is believed for so long. Without any money then it is asked again: the
# word may have been wrong, and such a code would be live for ever.
PAID_WORD_MS = 10_000
# A call that brought no answer is tried again; an outage must not outlive itself for long.
RETRY_MS = 1_000
RETRY_MAX_MS = 15_000
# Refunds: PayPay says "at once", and asks for a minute after THROTTLED.
REFUND_LOOK_MS = 1_000
REFUND_LOOK_MAX_MS = 30_000
THROTTLED_MS = 60_000


class Lane(IntEnum):
    """Most look-ups go to the fast lane first: there somebody pays right now, or we close."""

    FAST = 0
    SLOW = 1


class Step(StrEnum):
    DELETE_CODE = "DELETE_CODE"
    CANCEL_PAYMENT = "CANCEL_PAYMENT"
    LOOK_UP = "LOOK_UP"


def steps(
    attempt: PaymentAttempt, evidence: Collection[Evidence], now_ms: int, rules: Rules
) -> tuple[Step, ...]:
    """What one visit does; a look-up is always the last word."""
    if must_delete(attempt, evidence, now_ms, rules):
        return (Step.DELETE_CODE, Step.LOOK_UP)
    if _must_cancel(attempt, evidence):
        return (Step.CANCEL_PAYMENT, Step.LOOK_UP)
    return (Step.LOOK_UP,)


def must_delete(
    attempt: PaymentAttempt, evidence: Collection[Evidence], now_ms: int, rules: Rules
) -> bool:
    if attempt.code_id is None or code_is_gone(attempt, evidence):
        return False
    if says_paid(_proofs(evidence), now_ms - PAID_WORD_MS):
        return False
    if attempt.status in CLOSED_WITHOUT_MONEY:
        return True
    return attempt.is_live and (
        attempt.lost or attempt.closing_at_ms is not None or now_ms >= _expiry_ms(attempt, rules)
    )


def next_visit_ms(
    attempt: PaymentAttempt,
    evidence: Collection[Evidence],
    now_ms: int,
    rules: Rules,
    chance: float,
) -> int | None:
    """When to ask again; None: never. `chance` in [0, 1) spreads regular visits by 10 %."""
    if not attempt.is_live:
        return _follow_up_ms(attempt, evidence, now_ms, rules)
    regular_ms = now_ms + int(_interval_ms(attempt, now_ms, rules) * (0.95 + 0.1 * chance))
    if must_delete(attempt, evidence, now_ms, rules) or _must_cancel(attempt, evidence):
        return min(regular_ms, now_ms + HASTE_MS)
    mark_ms = _mark_ms(attempt, evidence, rules)
    if mark_ms <= now_ms:
        # A word that decides nothing may stay for ever: haste ends, asking does not.
        is_hasty = now_ms < mark_ms + HASTE_FOR_MS
        return min(regular_ms, now_ms + HASTE_MS) if is_hasty else regular_ms
    return min(regular_ms, mark_ms)


def lane_of(attempt: PaymentAttempt, now_ms: int) -> Lane:
    if not attempt.is_live:
        return Lane.SLOW
    at_its_end = attempt.lost or attempt.closing_at_ms is not None
    return Lane.FAST if at_its_end or _age_ms(attempt, now_ms) < FIRST_MINUTE_MS else Lane.SLOW


def hint_pause_ms(tries: int) -> int | None:
    """The pause before a webhook's word is looked into again; None: leave it to the poller."""
    return HINTS_MS[tries] if tries < len(HINTS_MS) else None


def retry_pause_ms(tries: int) -> int:
    return min(RETRY_MAX_MS, RETRY_MS << min(tries, 10))


def refund_look_pause_ms(accepted_for_ms: int) -> int:
    """The pause before an accepted refund is looked at again.

    It grows with the time since the acceptance alone: tries that failed before say nothing about
    how long the provider needs now.
    """
    return max(REFUND_LOOK_MS, min(REFUND_LOOK_MAX_MS, accepted_for_ms // 2))


def _proofs(evidence: Collection[Evidence]) -> list[Evidence]:
    return [one for one in evidence if one.is_proof]


def _must_cancel(attempt: PaymentAttempt, evidence: Collection[Evidence]) -> bool:
    """A code that we never got to see cannot be deleted; its payment can be cancelled, until it
    is seen paid: then only a cancel that is on its way still takes it back.

    So can one that was only authorised, which a code of ours does not ask for: nobody captures it.
    """
    if not attempt.is_live or cancel_was_answered(evidence) or was_captured(evidence):
        return False
    is_closing = attempt.closing_at_ms is not None
    if attempt.code_id is None:
        return attempt.lost or is_closing
    return is_closing and is_authorized(evidence)


def _expiry_ms(attempt: PaymentAttempt, rules: Rules) -> int:
    """From when on the code's own expiry is believed and made sure of by deleting it."""
    own_ms = attempt.expires_at_ms or attempt.requested_at_ms + rules.code_lifetime_ms
    return own_ms + rules.grace_ms


def _mark_ms(attempt: PaymentAttempt, evidence: Collection[Evidence], rules: Rules) -> int:
    """The next moment at which a visit can end the attempt."""
    over_ms = believed_over_from_ms(attempt, evidence, rules)
    return over_ms if over_ms is not None else _expiry_ms(attempt, rules)


def _interval_ms(attempt: PaymentAttempt, now_ms: int, rules: Rules) -> int:
    """`poll_first` at the start, 3 s in the first minute, then slowly up to `poll_max`.

    The minute begins anew when somebody asks, and then with `ASKED_INTERVAL_MS`.
    """
    age_ms = _age_ms(attempt, now_ms)
    if attempt.asked_at_ms is not None and now_ms - attempt.asked_at_ms < ASKED_MS:
        return min(rules.poll_max_ms, ASKED_INTERVAL_MS)
    if age_ms < rules.poll_first_ms:
        return rules.poll_first_ms
    slower_ms = max(0, age_ms - FIRST_MINUTE_MS) // 20
    return min(rules.poll_max_ms, FIRST_INTERVAL_MS + slower_ms)


def _age_ms(attempt: PaymentAttempt, now_ms: int) -> int:
    """Since the last moment at which somebody was there who might pay."""
    return now_ms - max(attempt.requested_at_ms, attempt.asked_at_ms or 0)


def _follow_up_ms(
    attempt: PaymentAttempt, evidence: Collection[Evidence], now_ms: int, rules: Rules
) -> int | None:
    if must_delete(attempt, evidence, now_ms, rules):
        return now_ms + HASTE_MS
    # A cancel takes the money back after a success, without any webhook.
    may_turn = attempt.status is AttemptStatus.SUCCEEDED and cancel_was_sent(evidence)
    if attempt.ended_at_ms is None or not (attempt.status in CLOSED_WITHOUT_MONEY or may_turn):
        return None
    for pause_ms in FOLLOW_UPS_MS:
        if attempt.ended_at_ms + pause_ms > now_ms:
            return attempt.ended_at_ms + pause_ms
    return None
