"""What counts for the promise, on plain values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.order.test_tables import an_order

from kessai.contracts.moves import OrderReason, OrderStatus
from kessai.order.domain.news import Success, on_success
from kessai.order.domain.order import mark_failed, mark_paid
from kessai.order.domain.promise import (
    BOUNDS_MS,
    PAID,
    Channel,
    Count,
    Figures,
    Open,
    bucket_of,
    by_channel,
    figures,
    hour_of,
    percentile,
    sample,
    sample_of,
)


def counted(*took_ms: int, channel: str = "poll", outcome: str = PAID) -> list[Count]:
    return [Count(channel, outcome, bucket_of(one), 1, one) for one in took_ms]


@pytest.mark.parametrize(("took_ms", "within"), [(0, 1), (59_999, 1), (60_000, 1), (60_001, 0)])
def test_sixty_seconds_are_within_and_a_millisecond_more_is_late(took_ms: int, within: int) -> None:
    found = figures("all", counted(took_ms), [])
    assert (found.within, found.late) == (within, 1 - within)


@pytest.mark.parametrize(
    ("within", "late", "open_late", "share", "met"),
    [
        (0, 0, 0, None, None),
        (99, 1, 0, 0.99, True),
        (989, 11, 0, 0.989, False),
        (99, 0, 1, 0.99, True),
        (99, 1, 1, 99 / 101, False),
        (0, 0, 1, 0.0, False),
        (1, 0, 0, 1.0, True),
    ],
)
def test_the_share_counts_what_is_stuck_against_it(
    within: int, late: int, open_late: int, share: float | None, met: bool | None
) -> None:
    found = Figures("all", within=within, late=late, open=open_late + 5, open_late=open_late)
    assert found.share == share
    assert found.is_met is met
    assert (found.burn_rate is None) == (share is None)


def test_the_burn_rate_is_one_when_just_the_budget_is_used() -> None:
    assert Figures("all", within=99, late=1).burn_rate == pytest.approx(1)
    assert Figures("all", within=9, late=1).burn_rate == pytest.approx(10)


def test_ends_that_were_not_paid_are_shown_and_in_no_share() -> None:
    refunded = counted(70_000, 80_000, outcome="LATE_SUCCESS")
    found = figures("all", [*counted(100), *refunded], [])
    assert (found.share, found.paid, found.max_ms) == (1, 1, 100)
    assert found.otherwise == {"LATE_SUCCESS": 2}


def test_channels_are_apart_and_only_those_with_payments() -> None:
    opens = [Open("operator", 2, 1, 90_000)]
    found = by_channel([*counted(100), *counted(200, channel="webhook")], opens)
    assert [one.channel for one in found] == ["webhook", "poll", "operator"]
    assert (found[2].open, found[2].open_late, found[2].oldest_open_ms) == (2, 1, 90_000)
    assert found[2].share == 0


@pytest.mark.parametrize("word", [None, "", "carrier pigeon", "all"])
def test_a_word_of_a_later_version_is_another_channel(word: str | None) -> None:
    assert Channel.of(word) is Channel.OTHER


def test_a_provider_whose_clock_is_ahead_takes_no_time() -> None:
    assert sample("p-1", Channel.POLL, PAID, 10_900, 10_000).took_ms == 0


def test_the_bounds_grow_and_are_kept_for_ever() -> None:
    assert list(BOUNDS_MS) == sorted(set(BOUNDS_MS))
    assert (BOUNDS_MS[0], BOUNDS_MS[37], len(BOUNDS_MS)) == (99, 60_000, 87)
    assert bucket_of(10**12) == len(BOUNDS_MS)
    assert (hour_of(59), hour_of(60), hour_of(119)) == (0, 60, 60)


@given(st.lists(st.integers(0, 10**8), min_size=1, max_size=60), st.integers(1, 100))
def test_a_percentile_is_never_too_low_and_at_most_a_bucket_too_high(
    took_ms: list[int], percent: int
) -> None:
    buckets: dict[int, tuple[int, int]] = {}
    for one in took_ms:
        payments, slowest = buckets.get(bucket_of(one), (0, 0))
        buckets[bucket_of(one)] = (payments + 1, max(slowest, one))
    true_ms = sorted(took_ms)[-(-len(took_ms) * percent // 100) - 1]
    found = percentile(buckets, percent)
    assert found is not None
    assert true_ms <= found <= max(99, true_ms * 1.2)


def success(captured_at_ms: int | None = 5_000) -> Success:
    return Success("a-1", "event-1", "pp-1", 1200, 6_000, captured_at_ms, "webhook")


def test_an_order_settles_from_the_news_of_the_money_until_it_is_paid() -> None:
    waiting = an_order("a", status=OrderStatus.WAITING_PAYMENT)
    settling = on_success(waiting, success()).change.after
    assert (settling.settling_since_ms, settling.settling_channel) == (5_000, "webhook")
    assert sample_of(waiting, settling, 6_000) is None
    paid = mark_paid(settling, "r-1", 8_500).after
    assert (paid.settling_since_ms, paid.settling_channel) == (None, None)
    ended = sample_of(settling, paid, 8_500)
    assert ended is not None
    assert (ended.merchant_payment_id, ended.channel, ended.outcome) == ("a-1", "webhook", PAID)
    assert (ended.took_ms, ended.ended_at_ms) == (3_500, 8_500)
    assert sample_of(paid, paid, 9_000) is None


def test_paid_without_stock_ends_otherwise() -> None:
    waiting = an_order("a", status=OrderStatus.WAITING_PAYMENT)
    settling = on_success(waiting, success()).change.after
    reason = OrderReason.OUT_OF_STOCK_AFTER_PAYMENT
    failed = mark_failed(settling, reason, released=False).after
    ended = sample_of(settling, failed, 8_500)
    assert ended is not None
    assert ended.outcome == "OUT_OF_STOCK_AFTER_PAYMENT"


def test_what_no_provider_holds_is_no_part_of_it() -> None:
    waiting = an_order("a", status=OrderStatus.WAITING_PAYMENT)
    settling = on_success(waiting, success(None)).change.after
    assert sample_of(settling, mark_paid(settling, "r-1", 8_500).after, 8_500) is None
