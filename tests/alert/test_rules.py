"""Each rule on paper: when it opens, when it does not, and what closes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kessai.alert.domain.facts import (
    MOST,
    NOTHING,
    Back,
    Fact,
    Facts,
    Success,
    Told,
    with_back,
    with_closed,
    with_failed,
    with_paid,
    with_success,
    with_told,
)
from kessai.alert.domain.rules import BY_ID, RULES, RULES_OF_PAYMENTS, Windows, agrees
from kessai.alert.domain.story import Course, Memory, advance, is_complete
from kessai.contracts.alert import alert_id
from kessai.contracts.events import refund_again_id

WINDOWS, MEMORY = Windows(), Memory()
T0 = 1_000_000
HOUR_MS = 3_600_000


class Step(NamedTuple):
    """A fact and the moment at which the stream has it, in ms after T0."""

    after_ms: int
    add: Callable[[Facts], Facts]


PAYMENT = "o-1"


def paid(after_ms: int, event: str = "e-paid") -> Step:
    fact = Fact(event, T0 + after_ms)
    return Step(after_ms, lambda facts: with_paid(facts, fact))


def failed(after_ms: int) -> Step:
    fact = Fact("e-failed", T0 + after_ms)
    return Step(after_ms, lambda facts: with_failed(facts, fact))


def success(after_ms: int, n: int = 1) -> Step:
    one = Success(T0 + after_ms, f"e-success-{n}", f"o-{n}", 100, "PayPay")
    return Step(after_ms, lambda facts: with_success(facts, one))


def back(after_ms: int, n: int = 1, amount: int = 100, part: str = "") -> Step:
    one = Back(T0 + after_ms, f"e-back-{n}{part}", f"o-{n}", amount, f"r-{n}{part}")
    return Step(after_ms, lambda facts: with_back(facts, one))


def back_again(after_ms: int, refund_id: str) -> Step:
    one = Back(T0 + after_ms, f"e-{refund_id}", PAYMENT, 100, refund_id)
    return Step(after_ms, lambda facts: with_back(facts, one))


def told(after_ms: int, name: str, subject: str = "") -> Step:
    one = Told(T0 + after_ms, f"e-{name}-{subject}-{after_ms}", name, subject, "{}")
    return Step(after_ms, lambda facts: with_told(facts, one))


def closed(after_ms: int, rule: str, episode: str) -> Step:
    """By a person."""
    id_ = alert_id(rule, "o", episode)
    return Step(after_ms, lambda facts: with_closed(facts, id_, T0 + after_ms))


def known(steps: Iterable[Step], facts: Facts = NOTHING) -> Facts:
    for step in steps:
        facts = step.add(facts)
    return facts


def at(after_ms: int, facts: Facts) -> Course:
    return advance("o", facts, T0 + after_ms, WINDOWS, MEMORY)


def live(steps: Sequence[Step], until_ms: int = 350_000) -> list[tuple[str, bool, int]]:
    """(rule, open, ms) of all that is told while facts come and timers ring in between."""
    facts: Facts | None = NOTHING
    wake_ms: int | None = None
    seen: list[tuple[str, bool, int]] = []

    def go(after_ms: int) -> None:
        nonlocal facts, wake_ms
        course = at(after_ms, facts or NOTHING)
        facts, wake_ms = course.facts, course.wake_ms
        seen.extend((one.rule.id, one.is_open, one.at_ms - T0) for one in course.notices)

    for step in [*steps, Step(until_ms, lambda facts: facts)]:
        while wake_ms is not None and wake_ms - T0 <= step.after_ms:
            go(wake_ms - T0)
        facts = step.add(facts or NOTHING)
        go(step.after_ms)
    return seen


OPEN, CLOSED = True, False


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        # A: paid, and not confirmed.
        ([success(0)], [("A", OPEN, 30_000)]),
        ([success(0), paid(50_000)], [("A", OPEN, 30_000), ("A", CLOSED, 50_000)]),
        ([success(0), paid(29_999)], []),
        ([success(0), back(90_000)], [("A", OPEN, 30_000), ("A", CLOSED, 90_000)]),
        ([success(0), back(20_000)], []),
        # A part that went back leaves money here.
        ([success(0), back(20_000, amount=40)], [("A", OPEN, 30_000)]),
        ([success(0), back(9_000, amount=40), back(9_500, amount=60, part="b")], []),
        # B: confirmed, and not paid.
        ([paid(0)], [("B", OPEN, 30_000)]),
        ([paid(0), success(31_000)], [("B", OPEN, 30_000), ("B", CLOSED, 31_000)]),
        ([paid(0), success(29_000)], []),
        # C: twice, at once; a repeat of one event is not twice.
        ([paid(0), success(0), success(5_000, n=2)], [("C", OPEN, 5_000)]),
        ([paid(0), success(0), success(5_000)], []),
        (
            [paid(0), success(0), success(5_000, n=2), back(9_000, n=2)],
            [("C", OPEN, 5_000), ("C", CLOSED, 9_000)],
        ),
        # D: after the end and not given back in time; rule A tells of it before.
        ([failed(0), success(1_000)], [("A", OPEN, 31_000), ("D", OPEN, 301_000)]),
        ([failed(0), success(1_000), back(3_000)], []),
        ([success(0), failed(1_000), back(3_000)], []),
        # E: until that payment went back.
        (
            [told(0, "AmountDiffers", "o-1"), success(0), back(4_000)],
            [("E", OPEN, 0), ("E", CLOSED, 4_000)],
        ),
        # F: until that refund is done.
        ([told(0, "RefundStuck", "r-1")], [("F", OPEN, 0)]),
        ([told(0, "RefundStuck", "r-1"), back(7_000)], [("F", OPEN, 0), ("F", CLOSED, 7_000)]),
        ([told(0, "RefundRejected", "r-2"), back(7_000)], [("F", OPEN, 0)]),
        # Refused twice, and the third one came through.
        (
            [
                told(0, "RefundRejected", "r-1"),
                told(3_000, "RefundRejected", refund_again_id(PAYMENT, "r-1")),
                back_again(7_000, refund_again_id(PAYMENT, refund_again_id(PAYMENT, "r-1"))),
            ],
            [("F", OPEN, 0), ("F", OPEN, 3_000), ("F", CLOSED, 7_000), ("F", CLOSED, 7_000)],
        ),
        # G: until that reservation is settled.
        (
            [told(0, "StockNotSettled", "s"), told(5_000, "StockSettled", "s")],
            [("G", OPEN, 0), ("G", CLOSED, 5_000)],
        ),
        # H and I come and go, each time as an alert of its own.
        (
            [told(0, "OutboxLag"), told(6_000, "OutboxDrained"), told(8_000, "OutboxLag")],
            [("H", OPEN, 0), ("H", CLOSED, 6_000), ("H", OPEN, 8_000)],
        ),
        (
            [told(0, "WebhookSilence"), told(6_000, "WebhooksHeard")],
            [("I", OPEN, 0), ("I", CLOSED, 6_000)],
        ),
        # J: until a statement agrees.
        (
            [told(0, "SettlementDifference", "d"), told(9_000, "SettlementAgrees", "d")],
            [("J", OPEN, 0), ("J", CLOSED, 9_000)],
        ),
        ([told(0, "SettlementFileLost", "file")], [("J", OPEN, 0)]),
        ([told(0, "MoneyReturned", "o-1")], [("K", OPEN, 0)]),
        # One alert for each subject, however often and by how many words it is told.
        (
            [
                told(0, "RefundStuck", "r-1"),
                told(1_000, "RefundStuck", "r-2"),
                told(2_000, "RefundRejected", "r-1"),
                back(7_000, n=2),
                back(9_000),
            ],
            [("F", OPEN, 0), ("F", OPEN, 1_000), ("F", CLOSED, 7_000), ("F", CLOSED, 9_000)],
        ),
        # A person closes: the system says no more of it, and another one is another one.
        (
            [success(0), closed(40_000, "A", "e-success-1"), paid(50_000)],
            [("A", OPEN, 30_000)],
        ),
        (
            [
                told(0, "SettlementDifference", "d"),
                closed(5_000, "J", "e-SettlementDifference-d-0"),
                told(6_000, "SettlementDifference", "d"),
                told(8_000, "SettlementDifference", "e"),
            ],
            [("J", OPEN, 0), ("J", OPEN, 8_000)],
        ),
        ([success(0), closed(10_000, "A", "e-success-1")], [("A", OPEN, 30_000)]),
        # What agrees is told to nobody.
        ([success(0), paid(200)], []),
        ([paid(0), success(200)], []),
        ([success(0), paid(200), back(60_000)], []),
        ([failed(0)], []),
    ],
)
def test_a_rule_opens_when_it_is_due_and_closes_by_the_missing_fact(
    steps: list[Step], expected: list[tuple[str, bool, int]]
) -> None:
    assert live(steps) == expected


def test_noticed_late_an_alert_is_dated_when_it_was_due() -> None:
    """So that a replay, and a process that was down, tell the same."""
    (notice,) = at(3 * HOUR_MS, known([success(0)])).notices
    assert notice.at_ms == T0 + 30_000


def test_an_alert_is_known_by_its_rule_order_and_episode() -> None:
    (notice,) = at(30_000, known([success(0)])).notices
    assert notice.alert_id == alert_id("A", "o", "e-success-1")
    (another,) = at(6_000, known([success(0), paid(0), success(5_000, n=2)])).notices
    assert another.alert_id == alert_id("C", "o", "e-success-2")


FACTS = st.lists(
    st.sampled_from(
        [
            paid(0), failed(900), success(100), success(40_000, n=2), success(50_000, n=3),
            back(60_000), back(61_000, n=2), back(62_000, n=2, amount=50, part="b"),
            told(5, "RefundStuck", "r-1"), told(7, "AmountDiffers", "o-2"),
            told(9, "OutboxLag"), told(11, "OutboxDrained"),
        ]
    ),
    max_size=8,
)  # fmt: skip


@given(FACTS, st.randoms(use_true_random=False))
def test_the_order_of_arrival_and_repeats_change_nothing(steps: list[Step], random: object) -> None:
    once = list({id(step): step for step in steps}.values())
    shuffled = [*steps, *steps]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = known(once), known(shuffled)
    # The first word of an end counts, and these come with one word each.
    assert one == other
    assert at(400_000, one) == at(400_000, other)


@given(FACTS, st.integers(0, 500_000))
def test_no_alert_is_raised_twice_and_none_is_open_without_a_reason(
    steps: list[Step], until_ms: int
) -> None:
    ordered = sorted(steps)
    told_of = live(ordered, max(until_ms, ordered[-1].after_ms if ordered else 0))
    for rule in RULES:
        if rule.is_by_subject:
            continue
        kinds = [is_open for id_, is_open, _ in told_of if id_ == rule.id]
        assert kinds == [index % 2 == 0 for index in range(len(kinds))]


@given(FACTS)
def test_what_was_evaluated_is_not_told_again(steps: list[Step]) -> None:
    course = at(400_000, known(steps))
    if course.facts is not None:
        assert at(400_000, course.facts).notices == ()


def test_a_complete_story_is_kept_to_know_repeats_by_and_then_forgotten() -> None:
    facts = known([success(0), paid(200)])
    assert is_complete(facts)
    calm = at(1_000, facts)
    assert calm.facts == facts
    kept_ms = MEMORY.calm_ms + MEMORY.repeats_ms
    assert calm.wake_ms is not None
    assert 0 <= calm.wake_ms - (T0 + 200 + kept_ms) <= MEMORY.sweep_ms
    assert at(200 + kept_ms - 1, facts).facts == facts
    assert at(200 + kept_ms + MEMORY.sweep_ms, facts).facts is None


def test_a_repeat_does_not_open_a_complete_story_and_a_new_payment_does() -> None:
    complete = at(HOUR_MS, known([success(0), paid(200)])).facts
    assert complete is not None
    assert known([success(0), paid(200)], complete) is complete
    again = at(HOUR_MS, known([success(HOUR_MS, n=2)], complete))
    assert [one.rule.id for one in again.notices] == ["C"]


@given(FACTS)
def test_no_rule_holds_for_what_agrees(steps: list[Step]) -> None:
    facts = known(steps)
    if agrees(facts):
        assert [rule.id for rule in RULES if rule.openings(facts, WINDOWS)] == []


@given(FACTS)
def test_without_a_complaint_only_the_rules_of_payments_can_hold(steps: list[Step]) -> None:
    facts = known(steps)._replace(told=())
    others = RULES[len(RULES_OF_PAYMENTS) :]
    assert [rule.id for rule in others if rule.openings(facts, WINDOWS)] == []


def test_an_open_story_is_never_forgotten() -> None:
    course = at(1_000 * HOUR_MS, known([success(0)]))
    assert course.facts is not None
    assert course.wake_ms is None


def test_what_a_person_closed_is_forgotten_like_what_is_settled() -> None:
    opened = at(0, known([success(0), paid(0), told(0, "MoneyReturned", "o-1")])).facts
    assert opened is not None
    assert at(1_000 * HOUR_MS, opened).facts is not None
    episode = opened.raised[0].episode
    done = at(9_000, known([closed(9_000, "K", episode)], opened)).facts
    assert done is not None
    assert at(1_000 * HOUR_MS, done).facts is None


def test_an_order_that_a_person_gave_up_is_remembered_until_it_is_complete() -> None:
    """Its confirmation may come after all: alone, it would look like goods without money."""
    opened = at(30_000, known([success(0)])).facts
    assert opened is not None
    given_up = at(40_000, known([closed(40_000, "A", "e-success-1")], opened)).facts
    assert given_up is not None
    late = at(100 * HOUR_MS, given_up).facts
    assert late is not None
    assert at(101 * HOUR_MS, known([paid(101 * HOUR_MS)], late)).notices == ()


def test_of_many_complaints_the_oldest_that_are_settled_are_forgotten() -> None:
    facts = NOTHING
    for n in range(MOST - 1):
        facts = known([told(2 * n, "OutboxLag"), told(2 * n + 1, "OutboxDrained")], facts)
        facts = at(2 * n + 1, facts).facts or NOTHING
    stuck = at(90_000, known([told(90_000, "SettlementDifference", "d")], facts)).facts
    assert stuck is not None
    for n in range(MOST):
        stuck = known([told(91_000 + n, "SettlementAgrees", str(n))], stuck)
    assert len(stuck.told) == MOST
    assert at(99_000, stuck).notices == ()
    (notice,) = at(99_500, known([told(99_500, "SettlementAgrees", "d")], stuck)).notices
    assert (notice.rule.id, notice.is_open) == ("J", False)


def test_every_rule_says_what_is_wrong_and_what_to_do() -> None:
    assert list(BY_ID) == list("ABCDEFGHIJK")
    for rule in RULES:
        assert rule.severity in ("P1", "P2")
        assert rule.sentence.endswith(".")
        assert rule.remedy.endswith(".")
