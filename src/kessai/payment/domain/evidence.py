"""Evidence: what somebody said about a payment, and whether it proves anything."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum


class Source(StrEnum):
    """How we came to know it. A webhook is unsigned, so it is a hint and never a proof.

    ANNOUNCED is the look-up that a webhook was the reason for, and that one proves.
    """

    CREATE = "CREATE"
    WEBHOOK = "WEBHOOK"
    ANNOUNCED = "ANNOUNCED"
    POLL = "POLL"
    CLOSE = "CLOSE"
    OPERATOR = "OPERATOR"


class Word(StrEnum):
    """What was said: PayPay's eight statuses (paypay.md, 1.3), then the answers of its other calls.

    A word that is not here is kept as it came and proves nothing.
    """

    CREATED = "CREATED"
    AUTHORIZED = "AUTHORIZED"
    REAUTHORIZING = "REAUTHORIZING"
    COMPLETED = "COMPLETED"
    REFUNDED = "REFUNDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"

    NOT_FOUND = "NOT_FOUND"
    CODE_CREATED = "CODE_CREATED"
    CODE_DELETED = "CODE_DELETED"
    CODE_UNKNOWN = "CODE_UNKNOWN"
    CODE_REFUSED = "CODE_REFUSED"
    ALREADY_PAID = "ALREADY_PAID"
    # Ours, written before the call: from then on what is paid may go back, answered or not.
    CANCEL_SENT = "CANCEL_SENT"
    CANCEL_ACCEPTED = "CANCEL_ACCEPTED"
    CANCEL_REFUSED = "CANCEL_REFUSED"
    CANCEL_TOO_LATE = "CANCEL_TOO_LATE"


# PayPay's own statuses, the weakest first: what is shown is the strongest that was proved.
STRENGTH = (
    Word.CREATED,
    Word.AUTHORIZED,
    Word.REAUTHORIZING,
    Word.EXPIRED,
    Word.CANCELED,
    Word.COMPLETED,
    Word.REFUNDED,
    Word.FAILED,
)
KNOWN_WORDS = frozenset(Word)

# What the provider may say of a payment; our words for its other calls are not its own.
_STATUSES = frozenset(STRENGTH)
MAX_WORD = 40
# Begins a word that stands for something else than a new status.
_ODD = "?"


def provider_word(said: object) -> str:
    """PayPay's status as it came, or a word that proves nothing and shows what came instead.

    Nothing of it may pass for one of our own words, and every one of them can be shown.
    """
    if isinstance(said, str):
        if said in _STATUSES:
            return said
        if said and said.isprintable() and len(said) <= MAX_WORD and said not in KNOWN_WORDS:
            return said
    shown = json.dumps(said, default=str)
    return f"{_ODD}{shown}"[:MAX_WORD]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing said about one payment, as often as it was said.

    `observed_at_ms` is the latest time, `first_observed_ms` the earliest; for a single sighting
    they are equal. Two of the same `digest` are the same evidence.
    """

    source: Source
    word: str
    observed_at_ms: int
    first_observed_ms: int
    payment_id: str | None = None
    amount_yen: int | None = None
    currency: str | None = None
    accepted_at_ms: int | None = None
    canceled_at_ms: int | None = None

    @property
    def is_proof(self) -> bool:
        return self.source is not Source.WEBHOOK

    @property
    def digest(self) -> str:
        """Of everything but who saw it and when, so that a repeat is one row with a count."""
        said = (
            "proof" if self.is_proof else "hint",
            self.word,
            self.payment_id,
            self.amount_yen,
            self.currency,
            self.accepted_at_ms,
            self.canceled_at_ms,
        )
        return hashlib.sha256("\x1f".join(map(str, said)).encode()).hexdigest()[:40]


def seen(source: Source, word: str, at_ms: int) -> Evidence:
    """A sighting that says nothing but its word."""
    return Evidence(source, word, at_ms, at_ms)
