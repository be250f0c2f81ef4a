"""The payment attempt, and the verdict over the set of evidence that decides its status."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from kessai.contracts.moves import ATTEMPT_MOVES, LIVE_ATTEMPT, AttemptStatus, move
from kessai.contracts.payment import ProviderName
from kessai.payment.domain.evidence import KNOWN_WORDS, STRENGTH, Evidence, Source, Word
from kessai.payment.domain.window import WayBack, ways_back

CURRENCY = "JPY"
CLOSED_WITHOUT_MONEY = frozenset({AttemptStatus.EXPIRED, AttemptStatus.CANCELLED})
REFUND_PHASES = frozenset({AttemptStatus.REFUNDING, AttemptStatus.REFUNDED})
CAPTURED_PHASES = REFUND_PHASES | {AttemptStatus.SUCCEEDED}

_CAPTURED = frozenset({Word.COMPLETED, Word.REFUNDED})
_AUTHORIZED = frozenset({Word.AUTHORIZED, Word.REAUTHORIZING})
_CODE_GONE = frozenset({Word.CODE_DELETED, Word.CODE_UNKNOWN})
# PayPay's final words for an authorisation that was never captured.
_ENDED_UNPAID = frozenset({Word.CANCELED, Word.EXPIRED})
_UNPAID = frozenset({Word.CREATED, Word.NOT_FOUND}) | _ENDED_UNPAID
_CANCEL_ANSWERED = frozenset({Word.CANCEL_ACCEPTED, Word.CANCEL_REFUSED, Word.CANCEL_TOO_LATE})
POLLED = "poll"
_CHANNELS: Mapping[Source, str] = {
    Source.ANNOUNCED: "webhook",
    Source.POLL: POLLED,
    Source.CREATE: "create",
    Source.CLOSE: "close",
    Source.OPERATOR: "operator",
}


@dataclass(frozen=True, slots=True)
class PaymentAttempt:
    """One try to get an order paid; `id` is the merchantPaymentId.

    `lost`: the answer that held the code is lost for good, so this attempt is brought to its end
    and replaced. `closing_at_ms`: since then we want no payment any more. `captured_yen`: what the
    provider holds for us, 0 when nothing or when it went back by itself. `asked_at_ms`: when a
    person last asked what became of it.
    """

    id: str
    order_id: str
    number: int
    provider: ProviderName
    request_id: str
    status: AttemptStatus
    amount_yen: int
    requested_at_ms: int
    hold_until_ms: int
    provider_status: str | None = None
    payment_id: str | None = None
    captured_yen: int = 0
    code_id: str | None = None
    url: str | None = None
    deeplink: str | None = None
    expires_at_ms: int | None = None
    completed_at_ms: int | None = None
    ended_at_ms: int | None = None
    closing_at_ms: int | None = None
    lost: bool = False
    error_code: str | None = None
    error_message: str | None = None
    version: int = 1
    asked_at_ms: int | None = None

    @property
    def is_live(self) -> bool:
        return self.status in LIVE_ATTEMPT


@dataclass(frozen=True, slots=True)
class Rules:
    """The merchant's own clockwork, in milliseconds (see the settings of the same names).

    `create_timeout_ms`: how long a request that nobody answered may be on its way. A cancel has
    left within a third of that, or it is not sent at all.
    `reversal_ms`: how long an accepted cancel may take to send back what was paid.
    """

    grace_ms: int
    code_lifetime_ms: int
    poll_first_ms: int
    poll_max_ms: int
    create_timeout_ms: int = 30_000
    reversal_ms: int = 30_000

    @property
    def cancel_leaves_ms(self) -> int:
        """A process may stand still between the note of a cancel and its way out."""
        return self.create_timeout_ms // 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the evidence proves. `status` None: nothing yet, so the attempt stays as it is."""

    status: AttemptStatus | None = None
    provider_status: str | None = None
    payment_id: str | None = None
    captured_yen: int = 0
    completed_at_ms: int | None = None
    error_code: str | None = None
    error_message: str | None = None


def merchant_payment_id(order_id: str, number: int) -> str:
    return f"{order_id}-{number}"


def decide(attempt: PaymentAttempt, evidence: Collection[Evidence], rules: Rules) -> Verdict:
    """A function of the *set* of evidence: order and repetition cannot change it."""
    proofs = [one for one in evidence if one.is_proof]
    said = Verdict(provider_status=_strongest_word(proofs), payment_id=_payment_id(proofs))
    # A status that we do not know may mean anything: only asking resolves it.
    is_odd = attempt.is_live and bool(unknown_words(proofs))
    undecided = replace(said, status=AttemptStatus.UNKNOWN) if is_odd else said
    words = frozenset(one.word for one in proofs)
    captures = [one for one in proofs if one.word in _CAPTURED and one.amount_yen is not None]
    if captures:
        went_back = Word.FAILED in words
        if not went_back and _may_go_back(captures, proofs, rules):
            return undecided
        return _captured(attempt, captures, said, went_back=went_back)
    if Word.FAILED in words:
        return _failed(said, "PAYMENT_DECLINED", "the payment failed at the provider")
    # A create that was refused has ended already: there is no code whose end could be seen.
    if attempt.status is not AttemptStatus.FAILED and _is_over(attempt, proofs, rules):
        return replace(said, status=_end_without_money(attempt, rules))
    return undecided


def apply(attempt: PaymentAttempt, verdict: Verdict, now_ms: int) -> PaymentAttempt:
    """The attempt after the verdict; the very same object when it changes nothing."""
    heard = replace(
        attempt,
        provider_status=verdict.provider_status or attempt.provider_status,
        payment_id=verdict.payment_id or attempt.payment_id,
    )
    # Once money is on its way back, the refunds decide what the attempt is called.
    if (
        verdict.status is None
        or attempt.status in REFUND_PHASES
        or _says_nothing_new(heard, verdict)
    ):
        return attempt if heard == attempt else replace(heard, version=attempt.version + 1)
    is_move = verdict.status is not attempt.status
    return replace(
        heard,
        status=move(ATTEMPT_MOVES, attempt.status, verdict.status) if is_move else attempt.status,
        captured_yen=verdict.captured_yen,
        completed_at_ms=verdict.completed_at_ms,
        error_code=verdict.error_code,
        error_message=verdict.error_message,
        ended_at_ms=now_ms if is_move else attempt.ended_at_ms,
        version=attempt.version + 1,
    )


def _says_nothing_new(attempt: PaymentAttempt, verdict: Verdict) -> bool:
    if attempt.status in CLOSED_WITHOUT_MONEY and verdict.status in CLOSED_WITHOUT_MONEY:
        # A code that was told after the end may have ended before it was closed: that renames
        # nothing which others have heard of.
        return True
    known = (attempt.status, attempt.captured_yen, attempt.error_code)
    return known == (verdict.status, verdict.captured_yen, verdict.error_code)


def code_is_gone(attempt: PaymentAttempt, evidence: Collection[Evidence]) -> bool:
    return _code_gone_at_ms(attempt, evidence) is not None


def was_captured(evidence: Collection[Evidence]) -> bool:
    return any(one.word in _CAPTURED and one.is_proof for one in evidence)


def cancel_was_answered(evidence: Collection[Evidence]) -> bool:
    return any(one.word in _CANCEL_ANSWERED and one.is_proof for one in evidence)


def cancel_was_sent(evidence: Collection[Evidence]) -> bool:
    return cancel_was_answered(evidence) or any(one.word == Word.CANCEL_SENT for one in evidence)


def is_authorized(evidence: Collection[Evidence]) -> bool:
    """The customer's money is reserved, and nobody has taken or released it yet."""
    words = frozenset(one.word for one in evidence if one.is_proof)
    ended = _CAPTURED | _ENDED_UNPAID | {Word.FAILED}
    return not words.isdisjoint(_AUTHORIZED) and words.isdisjoint(ended)


def says_paid(evidence: Collection[Evidence], since_ms: int) -> bool:
    """Proof of money, or since then a word of it that no look-up has confirmed yet."""
    return any(
        one.word in _CAPTURED or (one.word == Word.ALREADY_PAID and one.observed_at_ms > since_ms)
        for one in evidence
    )


def proved_by(attempt: PaymentAttempt, evidence: Collection[Evidence]) -> str | None:
    """Who first proved the capture: webhook, poll, create, close or operator; None without one.

    A webhook itself proves nothing: `webhook` is the look-up that it caused.
    """
    captures = [one for one in evidence if one.is_proof and one.word in _CAPTURED]
    if not captures:
        return None
    first = min(captures, key=lambda one: (one.first_observed_ms, one.digest))
    closing_ms = attempt.closing_at_ms
    if first.source is Source.POLL and closing_ms is not None:
        # The close asks by the poller's hand.
        return "close" if closing_ms <= first.first_observed_ms else POLLED
    return _CHANNELS[first.source]


def unknown_words(evidence: Collection[Evidence]) -> list[str]:
    """Words of the provider that we do not know: an operator has to see them."""
    return sorted({one.word for one in evidence} - KNOWN_WORDS)


def believed_over_from_ms(
    attempt: PaymentAttempt, evidence: Collection[Evidence], rules: Rules
) -> int | None:
    """From when on a look-up without money proves the end; None while the code may still live."""
    if attempt.code_id is None:
        return _unseen_code_over_ms(attempt, evidence, rules)
    gone_at_ms = _code_gone_at_ms(attempt, evidence)
    if gone_at_ms is None:
        return None
    is_given_up = attempt.lost or attempt.closing_at_ms is not None
    if not is_given_up and attempt.expires_at_ms is not None:
        return max(gone_at_ms, attempt.expires_at_ms) + rules.grace_ms
    return gone_at_ms + rules.grace_ms


def _unseen_code_over_ms(
    attempt: PaymentAttempt, evidence: Collection[Evidence], rules: Rules
) -> int:
    """The code of a lost answer cannot be deleted, only outlived, before another is made.

    An order that closes for good need not wait so long: once the cancel was answered, PayPay
    itself gives back what is paid later (paypay.md, 4.4), and so would we.
    """
    outlived_ms = attempt.requested_at_ms + rules.code_lifetime_ms + rules.grace_ms
    if attempt.closing_at_ms is None:
        return outlived_ms
    proofs = [one for one in evidence if one.is_proof]
    ends_ms = [one.first_observed_ms for one in proofs if one.word == Word.CANCEL_ACCEPTED]
    if any(one.word == Word.CANCEL_REFUSED for one in proofs):
        # Nothing to cancel: the request never arrived, or is on its way for as long as it may be.
        ends_ms.append(attempt.requested_at_ms + rules.create_timeout_ms)
    if not ends_ms:
        return outlived_ms
    return min(outlived_ms, max(min(ends_ms), attempt.closing_at_ms) + rules.grace_ms)


def _code_gone_at_ms(attempt: PaymentAttempt, evidence: Collection[Evidence]) -> int | None:
    """Deleted, unknown, or past its end and refused to be deleted: since when at the latest."""
    gone = [one.first_observed_ms for one in evidence if one.word in _CODE_GONE and one.is_proof]
    end_ms = attempt.expires_at_ms
    if end_ms is not None and any(
        one.word == Word.CODE_REFUSED and one.observed_at_ms >= end_ms
        for one in evidence
        if one.is_proof
    ):
        gone.append(end_ms)
    return min(gone) if gone else None


def _may_go_back(captures: list[Evidence], proofs: list[Evidence], rules: Rules) -> bool:
    """We had it cancelled, so the money goes back by itself, unless it is there for long."""
    arrives = _cancel_arrives(proofs, rules)
    if arrives is None or any(one.word == Word.REFUNDED for one in captures):
        return False
    earliest_ms, latest_ms = arrives
    paid_at_ms = min((one.accepted_at_ms for one in captures if one.accepted_at_ms), default=None)
    if paid_at_ms is not None and WayBack.CANCEL not in ways_back(paid_at_ms, earliest_ms):
        return False
    paid_ms = min(one.first_observed_ms for one in captures)
    seen_ms = max(one.observed_at_ms for one in captures)
    return seen_ms < max(paid_ms, latest_ms) + rules.reversal_ms


def _cancel_arrives(proofs: list[Evidence], rules: Rules) -> tuple[int, int] | None:
    """From when and until when a cancel of ours may reach the provider; None: none does.

    It is sent again only while none was answered, so that one which was sent twice was lost once.
    """
    accepted = [one.first_observed_ms for one in proofs if one.word == Word.CANCEL_ACCEPTED]
    at_ms = [min(accepted)] if accepted else []
    sent = [one for one in proofs if one.word == Word.CANCEL_SENT]
    if sent:
        first_ms = min(one.first_observed_ms for one in sent)
        last_ms = max(one.observed_at_ms for one in sent)
        if first_ms < last_ms or not cancel_was_answered(proofs):
            at_ms += [first_ms, last_ms + rules.create_timeout_ms]
    return (min(at_ms), max(at_ms)) if at_ms else None


def _captured(
    attempt: PaymentAttempt, captures: list[Evidence], said: Verdict, *, went_back: bool
) -> Verdict:
    fitting = [one for one in captures if one.amount_yen == attempt.amount_yen and _in_yen(one)]
    capture = min(fitting or captures, key=lambda one: (one.accepted_at_ms or 0, one.digest))
    heard = replace(said, completed_at_ms=capture.accepted_at_ms)
    if went_back:
        # COMPLETED, then FAILED: a cancel won and the customer has the money (paypay.md, 4.4).
        return _failed(heard, "PAYMENT_RETURNED", "the provider gave the money back")
    if not fitting:
        differs = _failed(heard, "AMOUNT_MISMATCH", "another amount was paid than was asked for")
        return replace(differs, captured_yen=capture.amount_yen or 0)
    return replace(heard, status=AttemptStatus.SUCCEEDED, captured_yen=attempt.amount_yen)


def _failed(said: Verdict, code: str, message: str) -> Verdict:
    return replace(said, status=AttemptStatus.FAILED, error_code=code, error_message=message)


def _in_yen(one: Evidence) -> bool:
    return one.currency == CURRENCY


def _is_over(attempt: PaymentAttempt, proofs: list[Evidence], rules: Rules) -> bool:
    """No code can be paid any more, and the provider, asked late enough, knows of no money."""
    if any(one.word in _ENDED_UNPAID for one in proofs):
        return True
    from_ms = believed_over_from_ms(attempt, proofs, rules)
    return from_ms is not None and any(
        one.word in _UNPAID and one.observed_at_ms >= from_ms for one in proofs
    )


def _end_without_money(attempt: PaymentAttempt, rules: Rules) -> AttemptStatus:
    """CANCELLED when we closed it while it could still be paid, else EXPIRED."""
    expires_at_ms = attempt.expires_at_ms or attempt.requested_at_ms + rules.code_lifetime_ms
    closing_at_ms = attempt.closing_at_ms
    if closing_at_ms is not None and closing_at_ms < expires_at_ms:
        return AttemptStatus.CANCELLED
    return AttemptStatus.EXPIRED


def _strongest_word(proofs: list[Evidence]) -> str | None:
    known = [STRENGTH.index(Word(one.word)) for one in proofs if one.word in STRENGTH]
    if known and max(known) > 0:
        return STRENGTH[max(known)]
    unknown = unknown_words(proofs)
    return unknown[-1] if unknown else Word.CREATED if known else None


def _payment_id(proofs: list[Evidence]) -> str | None:
    """The provider's id; should it ever name two, the capture's, then the smaller one."""
    named = sorted(
        (one.word not in _CAPTURED, one.payment_id) for one in proofs if one.payment_id is not None
    )
    return named[0][1] if named else None
