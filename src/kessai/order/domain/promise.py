"""The promise: 99 % of payments show as PAID within 60 s of the payment. What counts, and how.

Durations are counted in buckets that grow by a fourth root of two, so that a day of any size is a
few hundred numbers. A bucket's number is kept in tables: the bounds may never change.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from kessai.contracts.moves import OrderStatus
from kessai.order.domain.order import Order

LIMIT_MS = 60_000
TARGET = 0.99
MINUTE_MS = 60_000
HOUR_MINUTES = 60
PAID = "PAID"
# Each bound belongs to its bucket, and the limit is one of them: 98 ms to 81 hours, then the rest.
BOUNDS_MS = tuple(round(LIMIT_MS * 2 ** (step / 4)) for step in range(-37, 50))
_LAST_WITHIN = BOUNDS_MS.index(LIMIT_MS)


class Channel(StrEnum):
    """Who first proved the payment; OTHER for an event without a word, or with a later one."""

    WEBHOOK = "webhook"
    POLL = "poll"
    CREATE = "create"
    CLOSE = "close"
    OPERATOR = "operator"
    OTHER = "other"

    @classmethod
    def of(cls, word: str | None) -> Channel:
        return next((one for one in cls if one.value == word), cls.OTHER)


@dataclass(frozen=True, slots=True)
class Sample:
    """A payment that came to its end: PAID after so long, or else why not."""

    merchant_payment_id: str
    channel: Channel
    outcome: str
    ended_at_ms: int
    took_ms: int

    @property
    def bucket(self) -> int:
        return bucket_of(self.took_ms)


def sample(
    merchant_payment_id: str, channel: Channel, outcome: str, captured_at_ms: int, now_ms: int
) -> Sample:
    """The provider's clock may be ahead of ours: nothing takes less than no time."""
    took_ms = max(0, now_ms - captured_at_ms)
    return Sample(merchant_payment_id, channel, outcome, now_ms, took_ms)


def sample_of(before: Order, after: Order, now_ms: int) -> Sample | None:
    """What the change says about the promise: an order that stops settling has ended."""
    since_ms = before.settling_since_ms
    if since_ms is None or after.settling_since_ms is not None or before.paid_attempt is None:
        return None
    is_paid = after.status is OrderStatus.PAID
    outcome = PAID if is_paid else after.reason or after.status
    channel = Channel.of(before.settling_channel)
    return sample(before.paid_attempt, channel, outcome, since_ms, now_ms)


def bucket_of(took_ms: int) -> int:
    return bisect_left(BOUNDS_MS, took_ms)


def minute_of(at_ms: int) -> int:
    return at_ms // MINUTE_MS


def hour_of(minute: int) -> int:
    """The first minute of the hour."""
    return minute // HOUR_MINUTES * HOUR_MINUTES


@dataclass(frozen=True, slots=True)
class Count:
    """So many payments of one channel, outcome and bucket, the slowest of them after `max_ms`."""

    channel: str
    outcome: str
    bucket: int
    payments: int
    max_ms: int


@dataclass(frozen=True, slots=True)
class Open:
    """Payments of one channel whose order is neither PAID nor FAILED; `late` are past the limit."""

    channel: str
    payments: int
    late: int
    oldest_ms: int


@dataclass(frozen=True, slots=True)
class Figures:
    """`otherwise` counts the ends that were not PAID, by their reason; they are in no share."""

    channel: str
    within: int = 0
    late: int = 0
    open: int = 0
    open_late: int = 0
    oldest_open_ms: int | None = None
    p50_ms: int | None = None
    p95_ms: int | None = None
    p99_ms: int | None = None
    max_ms: int | None = None
    otherwise: Mapping[str, int] = field(default_factory=dict)

    @property
    def paid(self) -> int:
        return self.within + self.late

    @property
    def share(self) -> float | None:
        """None while there is nothing to share: no payment is not a kept promise."""
        judged = self.paid + self.open_late
        return self.within / judged if judged else None

    @property
    def burn_rate(self) -> float | None:
        """How often the budget of bad ones is used up: 1 is just what may be bad."""
        share = self.share
        return None if share is None else (1 - share) / (1 - TARGET)

    @property
    def is_met(self) -> bool | None:
        """By whole numbers: 99 of 100 is 99 %."""
        judged = self.paid + self.open_late
        return self.within * 100 >= judged * round(TARGET * 100) if judged else None


def figures(channel: str, counts: Iterable[Count], opens: Iterable[Open]) -> Figures:
    """Of what was counted and what is open, whatever channels that is from."""
    buckets: dict[int, tuple[int, int]] = {}
    otherwise: dict[str, int] = {}
    for one in counts:
        if one.outcome != PAID:
            otherwise[one.outcome] = otherwise.get(one.outcome, 0) + one.payments
            continue
        payments, max_ms = buckets.get(one.bucket, (0, 0))
        buckets[one.bucket] = (payments + one.payments, max(max_ms, one.max_ms))
    waiting = list(opens)
    return Figures(
        channel=channel,
        within=sum(n for bucket, (n, _) in buckets.items() if bucket <= _LAST_WITHIN),
        late=sum(n for bucket, (n, _) in buckets.items() if bucket > _LAST_WITHIN),
        open=sum(one.payments for one in waiting),
        open_late=sum(one.late for one in waiting),
        oldest_open_ms=max((one.oldest_ms for one in waiting), default=None),
        p50_ms=percentile(buckets, 50),
        p95_ms=percentile(buckets, 95),
        p99_ms=percentile(buckets, 99),
        max_ms=percentile(buckets, 100),
        otherwise=dict(sorted(otherwise.items())),
    )


def percentile(buckets: Mapping[int, tuple[int, int]], percent: int) -> int | None:
    """The slowest of the bucket that the rank falls into: never too low, at most 19 % too high."""
    total = sum(payments for payments, _ in buckets.values())
    rank, seen = -(-total * percent // 100), 0
    for bucket in sorted(buckets):
        payments, max_ms = buckets[bucket]
        seen += payments
        if payments and seen >= rank:
            return max_ms
    return None


def by_channel(counts: Sequence[Count], opens: Sequence[Open]) -> tuple[Figures, ...]:
    """One for each channel that has anything, in the channels' order."""
    found = []
    for channel in Channel:
        ended = [one for one in counts if one.channel == channel]
        waiting = [one for one in opens if one.channel == channel]
        if ended or waiting:
            found.append(figures(channel, ended, waiting))
    return tuple(found)
