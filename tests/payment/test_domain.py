"""The rules of payment truth on plain values."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kessai.contracts.moves import ATTEMPT_MOVES, AttemptStatus, RefundStatus
from kessai.contracts.payment import CreatePayment
from kessai.kernel.errors import IllegalMove, Refused
from kessai.payment.domain.attempt import PaymentAttempt, Rules, apply, decide
from kessai.payment.domain.evidence import Evidence, Source, Word, seen
from kessai.payment.domain.plan import Do, plan_creation
from kessai.payment.domain.refund import RefundOrder, after_refunds, check_refund, moved
from kessai.payment.domain.schedule import Step, next_visit_ms, steps
from kessai.payment.domain.webhook import read_webhook

ORDER = "0mk3z4a5b6c7d8e9f0g1h2j3k4"
START = 1_768_446_000_000
EXPIRES = START + 300_000
RULES = Rules(grace_ms=2_000, code_lifetime_ms=300_000, poll_first_ms=3_000, poll_max_ms=10_000)


def an_attempt(**changes: object) -> PaymentAttempt:
    attempt = PaymentAttempt(
        id=f"{ORDER}-1",
        order_id=ORDER,
        number=1,
        provider="PayPay",
        request_id="r1",
        status=AttemptStatus.AWAITING,
        amount_yen=1200,
        requested_at_ms=START,
        hold_until_ms=START + 900_000,
        code_id="04-1",
        expires_at_ms=EXPIRES,
    )
    return replace(attempt, **changes)  # type: ignore[arg-type]


def a_sighting(
    word: str, at_s: float = 10, *, source: Source = Source.POLL, yen: int = 1200, **more: object
) -> Evidence:
    at_ms = START + int(at_s * 1000)
    money = {"amount_yen": yen, "currency": "JPY", "payment_id": "pp-1", "accepted_at_ms": START}
    fields = money | more if word in ("COMPLETED", "REFUNDED", "FAILED") else more
    return Evidence(source, word, at_ms, at_ms, **fields)  # type: ignore[arg-type]


COMPLETED = a_sighting("COMPLETED")
DELETED = seen(Source.CLOSE, Word.CODE_DELETED, START + 302_000)
CANCELLED = seen(Source.CLOSE, Word.CANCEL_ACCEPTED, START + 5_000)
# Sent once, sent once more after no answer, and told that there is nothing to cancel.
SENT = seen(Source.CLOSE, Word.CANCEL_SENT, START + 5_000)
SENT_AGAIN = seen(Source.CLOSE, Word.CANCEL_SENT, START + 8_000)
NOTHING_THERE = seen(Source.CLOSE, Word.CANCEL_REFUSED, START + 9_000)
LATE_CREATED = a_sighting("CREATED", 304)


@pytest.mark.parametrize(
    ("evidence", "status"),
    [
        ([], None),
        ([a_sighting("CREATED")], None),
        ([a_sighting("NOT_FOUND")], None),
        ([a_sighting("AUTHORIZED")], None),
        ([a_sighting("SOMETHING_NEW")], AttemptStatus.UNKNOWN),
        ([a_sighting("SOMETHING_NEW", source=Source.WEBHOOK)], None),
        ([a_sighting("SOMETHING_NEW"), COMPLETED], AttemptStatus.SUCCEEDED),
        ([COMPLETED], AttemptStatus.SUCCEEDED),
        ([a_sighting("REFUNDED")], AttemptStatus.SUCCEEDED),
        ([a_sighting("COMPLETED", source=Source.WEBHOOK)], None),
        ([a_sighting("FAILED", source=Source.WEBHOOK)], None),
        ([a_sighting("COMPLETED", yen=1199)], AttemptStatus.FAILED),
        ([a_sighting("COMPLETED", currency="USD")], AttemptStatus.FAILED),
        ([a_sighting("FAILED")], AttemptStatus.FAILED),
        ([COMPLETED, a_sighting("FAILED")], AttemptStatus.FAILED),
        ([COMPLETED, a_sighting("CREATED", 20)], AttemptStatus.SUCCEEDED),
        ([CANCELLED, COMPLETED], None),
        ([CANCELLED, COMPLETED, a_sighting("COMPLETED", 39.9)], None),
        ([CANCELLED, COMPLETED, a_sighting("COMPLETED", 40)], AttemptStatus.SUCCEEDED),
        ([CANCELLED, COMPLETED, a_sighting("FAILED", 12)], AttemptStatus.FAILED),
        ([CANCELLED, COMPLETED, a_sighting("REFUNDED", 12)], AttemptStatus.SUCCEEDED),
        ([SENT, COMPLETED], None),
        ([SENT, COMPLETED, a_sighting("COMPLETED", 64.9)], None),
        ([SENT, COMPLETED, a_sighting("COMPLETED", 65)], AttemptStatus.SUCCEEDED),
        ([SENT, COMPLETED, a_sighting("FAILED", 12)], AttemptStatus.FAILED),
        ([SENT, COMPLETED, a_sighting("REFUNDED", 12)], AttemptStatus.SUCCEEDED),
        ([SENT, NOTHING_THERE, COMPLETED], AttemptStatus.SUCCEEDED),
        ([SENT, SENT_AGAIN, NOTHING_THERE, COMPLETED], None),
        (
            [SENT, SENT_AGAIN, NOTHING_THERE, COMPLETED, a_sighting("COMPLETED", 68)],
            AttemptStatus.SUCCEEDED,
        ),
        ([DELETED], None),
        ([DELETED, a_sighting("CREATED", 303.9)], None),
        ([DELETED, LATE_CREATED], AttemptStatus.EXPIRED),
        ([DELETED, a_sighting("NOT_FOUND", 304)], AttemptStatus.EXPIRED),
        ([DELETED, LATE_CREATED, a_sighting("COMPLETED", 400)], AttemptStatus.SUCCEEDED),
        ([seen(Source.CLOSE, Word.ALREADY_PAID, START), LATE_CREATED], None),
        ([LATE_CREATED], None),
        ([a_sighting("CREATED", 9_999)], None),
        ([seen(Source.CLOSE, Word.CODE_REFUSED, START + 299_000), LATE_CREATED], None),
        (
            [seen(Source.CLOSE, Word.CODE_REFUSED, EXPIRES), LATE_CREATED],
            AttemptStatus.EXPIRED,
        ),
    ],
)
def test_what_the_evidence_proves(evidence: list[Evidence], status: AttemptStatus | None) -> None:
    assert decide(an_attempt(), evidence, RULES).status is status


@pytest.mark.parametrize("word", ["NOT_FOUND", "CREATED"])
@pytest.mark.parametrize("code_id", [None, "04-1"])
def test_a_create_that_was_refused_stays_failed_whatever_a_forged_webhook_makes_us_ask(
    word: str, code_id: str | None
) -> None:
    refused = an_attempt(
        status=AttemptStatus.FAILED,
        error_code="PAYMENT_UNAVAILABLE",
        code_id=code_id,
        expires_at_ms=EXPIRES if code_id else None,
    )
    hint = a_sighting("COMPLETED", source=Source.WEBHOOK)
    for evidence in ([hint, a_sighting(word, 9_999)], [hint, DELETED, a_sighting(word, 9_999)]):
        after = apply(refused, decide(refused, evidence, RULES), START + 9_999_000)
        assert (after.status, after.error_code) == (AttemptStatus.FAILED, "PAYMENT_UNAVAILABLE")
    late = apply(refused, decide(refused, [COMPLETED], RULES), START + 9_999_000)
    assert late.status is AttemptStatus.SUCCEEDED


def test_closed_before_its_end_is_cancelled_and_after_it_expired() -> None:
    deleted = seen(Source.CLOSE, Word.CODE_DELETED, START + 50_000)
    early = an_attempt(closing_at_ms=START + 49_000)
    assert decide(early, [deleted, a_sighting("CREATED", 51.9)], RULES).status is None
    late_enough = [deleted, a_sighting("CREATED", 52)]
    assert decide(early, late_enough, RULES).status is AttemptStatus.CANCELLED
    late = an_attempt(closing_at_ms=EXPIRES)
    assert decide(late, [DELETED, LATE_CREATED], RULES).status is AttemptStatus.EXPIRED


def test_a_code_deleted_early_by_somebody_else_still_waits_for_its_end() -> None:
    deleted = seen(Source.CLOSE, Word.CODE_UNKNOWN, START + 50_000)
    assert decide(an_attempt(), [deleted, a_sighting("CREATED", 301.9)], RULES).status is None
    ended = decide(an_attempt(), [deleted, a_sighting("CREATED", 302)], RULES)
    assert ended.status is AttemptStatus.EXPIRED


def test_a_code_that_was_never_seen_is_outlived() -> None:
    lost = an_attempt(status=AttemptStatus.UNKNOWN, lost=True, code_id=None, expires_at_ms=None)
    assert decide(lost, [a_sighting("CREATED", 301.9)], RULES).status is None
    assert decide(lost, [a_sighting("CREATED", 302)], RULES).status is AttemptStatus.EXPIRED


def test_the_verdict_says_what_was_captured_and_when() -> None:
    verdict = decide(an_attempt(), [COMPLETED], RULES)
    assert (verdict.captured_yen, verdict.payment_id) == (1200, "pp-1")
    assert (verdict.provider_status, verdict.completed_at_ms) == ("COMPLETED", START)
    differs = decide(an_attempt(), [a_sighting("COMPLETED", yen=900)], RULES)
    assert (differs.captured_yen, differs.error_code) == (900, "AMOUNT_MISMATCH")
    back = decide(an_attempt(), [COMPLETED, a_sighting("FAILED")], RULES)
    assert (back.captured_yen, back.error_code) == (0, "PAYMENT_RETURNED")


words = st.sampled_from([*Word, "SOMETHING_NEW"])
sightings = st.builds(
    Evidence,
    source=st.sampled_from(Source),
    word=words,
    observed_at_ms=st.integers(START, START + 600_000),
    first_observed_ms=st.just(START + 310_000),
    payment_id=st.sampled_from([None, "pp-1", "pp-2"]),
    amount_yen=st.sampled_from([None, 1200, 1199]),
    currency=st.sampled_from([None, "JPY", "USD"]),
    accepted_at_ms=st.sampled_from([None, START, START + 1000]),
).map(lambda one: replace(one, first_observed_ms=one.observed_at_ms))
attempts = st.builds(
    an_attempt,
    status=st.sampled_from([AttemptStatus.AWAITING, AttemptStatus.UNKNOWN]),
    code_id=st.sampled_from([None, "04-1"]),
    closing_at_ms=st.sampled_from([None, START + 10_000, EXPIRES + 1]),
)


@settings(max_examples=1_000)
@given(
    st.builds(
        an_attempt,
        status=st.sampled_from(AttemptStatus),
        code_id=st.sampled_from([None, "04-1"]),
        expires_at_ms=st.sampled_from([None, START + 5_000, EXPIRES]),
        closing_at_ms=st.sampled_from([None, START + 10_000, EXPIRES + 1]),
        ended_at_ms=st.sampled_from([None, START + 20_000]),
        lost=st.booleans(),
    ),
    st.lists(sightings, max_size=5),
)
def test_no_evidence_makes_an_attempt_move_where_it_may_not(
    attempt: PaymentAttempt, evidence: list[Evidence]
) -> None:
    if attempt.status is AttemptStatus.SUCCEEDED:
        # Evidence is only added to: what proved it is there.
        evidence = [*evidence, COMPLETED]
    after = apply(attempt, decide(attempt, evidence, RULES), START + 600_000)
    assert after.status is attempt.status or after.status in ATTEMPT_MOVES[attempt.status]
    if not attempt.is_live:
        assert not after.is_live


def test_a_code_whose_end_is_known_late_does_not_rename_the_end_of_its_attempt() -> None:
    closed = an_attempt(
        status=AttemptStatus.CANCELLED,
        closing_at_ms=START + 10_000,
        ended_at_ms=START + 20_000,
        expires_at_ms=START + 5_000,
        lost=True,
    )
    evidence = [DELETED, LATE_CREATED]
    assert decide(closed, evidence, RULES).status is AttemptStatus.EXPIRED
    after = apply(closed, decide(closed, evidence, RULES), START + 600_000)
    assert (after.status, after.ended_at_ms) == (AttemptStatus.CANCELLED, START + 20_000)
    paid = apply(closed, decide(closed, [*evidence, COMPLETED], RULES), START + 700_000)
    assert paid.status is AttemptStatus.SUCCEEDED


@given(attempts, st.lists(sightings, max_size=5), st.data())
def test_order_and_repetition_never_change_the_verdict(
    attempt: PaymentAttempt, evidence: list[Evidence], draw: st.DataObject
) -> None:
    expected = decide(attempt, evidence, RULES)
    repeats = draw.draw(st.lists(st.sampled_from(evidence), max_size=3)) if evidence else []
    mixed = draw.draw(st.permutations([*evidence, *repeats]))
    assert decide(attempt, mixed, RULES) == expected


@given(attempts, st.lists(sightings, max_size=5), st.data())
def test_settled_one_by_one_in_any_order_the_attempt_ends_the_same(
    attempt: PaymentAttempt, evidence: list[Evidence], draw: st.DataObject
) -> None:
    # Money that a cancel may still send back is waited for; asked late enough, nothing can turn.
    captures = [one for one in evidence if one.is_proof and one.word in ("COMPLETED", "REFUNDED")]
    last = [replace(one, observed_at_ms=START + 700_000) for one in captures]

    def end(order: list[Evidence]) -> tuple[object, ...]:
        now, order = attempt, [*order, *last]
        for count in range(1, len(order) + 1):
            now = apply(now, decide(now, order[:count], RULES), START + 700_000)
        return now.status, now.provider_status, now.payment_id, now.captured_yen

    assert end(draw.draw(st.permutations(evidence))) == end(evidence)


def test_apply_leaves_the_very_same_object_when_nothing_changes() -> None:
    awaiting = an_attempt(provider_status="CREATED")
    assert apply(awaiting, decide(awaiting, [a_sighting("CREATED")], RULES), START) is awaiting


def test_money_that_is_going_back_is_not_renamed_by_evidence() -> None:
    refunding = an_attempt(status=AttemptStatus.REFUNDING, captured_yen=1200)
    after = apply(refunding, decide(refunding, [COMPLETED], RULES), START)
    assert after.status is AttemptStatus.REFUNDING


@pytest.mark.parametrize(
    ("attempt", "evidence", "now_s", "expected"),
    [
        (an_attempt(), [], 10, (Step.LOOK_UP,)),
        (an_attempt(), [], 301.9, (Step.LOOK_UP,)),
        (an_attempt(), [], 302, (Step.DELETE_CODE, Step.LOOK_UP)),
        (an_attempt(), [DELETED], 303, (Step.LOOK_UP,)),
        (an_attempt(closing_at_ms=START), [], 1, (Step.DELETE_CODE, Step.LOOK_UP)),
        (an_attempt(closing_at_ms=START), [COMPLETED], 1, (Step.LOOK_UP,)),
        (
            an_attempt(closing_at_ms=START),
            [seen(Source.CLOSE, Word.ALREADY_PAID, START + 1_000)],
            10.9,
            (Step.LOOK_UP,),
        ),
        (
            an_attempt(closing_at_ms=START),
            [seen(Source.CLOSE, Word.ALREADY_PAID, START + 1_000)],
            11,
            (Step.DELETE_CODE, Step.LOOK_UP),
        ),
        (an_attempt(code_id=None), [], 10, (Step.LOOK_UP,)),
        (an_attempt(code_id=None, lost=True), [], 10, (Step.CANCEL_PAYMENT, Step.LOOK_UP)),
        (
            an_attempt(code_id=None, lost=True),
            [seen(Source.CLOSE, Word.CANCEL_REFUSED, START)],
            10,
            (Step.LOOK_UP,),
        ),
        (an_attempt(code_id=None, lost=True), [SENT], 10, (Step.CANCEL_PAYMENT, Step.LOOK_UP)),
        (an_attempt(code_id=None, lost=True), [SENT, COMPLETED], 10, (Step.LOOK_UP,)),
        (
            an_attempt(status=AttemptStatus.EXPIRED),
            [],
            400,
            (Step.DELETE_CODE, Step.LOOK_UP),
        ),
        (an_attempt(status=AttemptStatus.SUCCEEDED), [COMPLETED], 400, (Step.LOOK_UP,)),
    ],
)
def test_what_a_visit_does(
    attempt: PaymentAttempt, evidence: list[Evidence], now_s: float, expected: tuple[Step, ...]
) -> None:
    assert steps(attempt, evidence, START + int(now_s * 1000), RULES) == expected


@pytest.mark.parametrize(
    ("attempt", "evidence", "now_s", "next_s"),
    [
        (an_attempt(), [], 3, 6),
        (an_attempt(), [], 59, 62),
        (an_attempt(), [], 160, 168),
        (an_attempt(), [], 250, 260),
        (an_attempt(), [], 298, 302),
        (an_attempt(), [], 302, 303),
        (an_attempt(), [DELETED], 302.5, 304),
        (an_attempt(status=AttemptStatus.SUCCEEDED, ended_at_ms=START), [COMPLETED], 5, None),
        (an_attempt(status=AttemptStatus.FAILED, ended_at_ms=START), [], 5, None),
        (an_attempt(status=AttemptStatus.EXPIRED, ended_at_ms=START), [DELETED], 5, 30),
        (an_attempt(status=AttemptStatus.EXPIRED, ended_at_ms=START), [DELETED], 30, 120),
        (an_attempt(status=AttemptStatus.EXPIRED, ended_at_ms=START), [DELETED], 3600, None),
        (
            an_attempt(status=AttemptStatus.SUCCEEDED, ended_at_ms=START),
            [COMPLETED, seen(Source.CLOSE, Word.CANCEL_ACCEPTED, START)],
            5,
            30,
        ),
        (an_attempt(status=AttemptStatus.SUCCEEDED, ended_at_ms=START), [COMPLETED, SENT], 5, 30),
    ],
)
def test_when_the_next_visit_is(
    attempt: PaymentAttempt, evidence: list[Evidence], now_s: float, next_s: float | None
) -> None:
    found = next_visit_ms(attempt, evidence, START + int(now_s * 1000), RULES, chance=0.5)
    assert found == (None if next_s is None else START + next_s * 1000)


def a_request(**changes: object) -> CreatePayment:
    request = CreatePayment(
        request_id="r1",
        order_id=ORDER,
        amount=1200,
        description="",
        redirect_url="http://shop.test",
        hold_until_ms=START + 900_000,
    )
    return request.model_copy(update=changes)


def test_the_first_code_may_outlast_the_deadline_but_not_begin_after_it() -> None:
    plan = plan_creation(a_request(hold_until_ms=START + 20_000), [], START, RULES)
    assert (plan.do, plan.attempt.id) == (Do.BEGIN, f"{ORDER}-1")
    with pytest.raises(Refused, match="deadline"):
        plan_creation(a_request(hold_until_ms=START - 1), [], START, RULES)


@pytest.mark.parametrize(
    ("attempt", "do"),
    [
        (an_attempt(), Do.ANSWER),
        (an_attempt(status=AttemptStatus.CREATING, code_id=None), Do.AGAIN),
        (an_attempt(status=AttemptStatus.UNKNOWN, code_id=None), Do.AGAIN),
        (an_attempt(status=AttemptStatus.UNKNOWN, code_id=None, lost=True), Do.WAIT),
        (an_attempt(status=AttemptStatus.EXPIRED, code_id=None, lost=True), Do.BEGIN),
        (an_attempt(status=AttemptStatus.EXPIRED), Do.ANSWER),
        (an_attempt(status=AttemptStatus.SUCCEEDED), Do.ANSWER),
    ],
)
def test_the_same_token_goes_on_where_it_was(attempt: PaymentAttempt, do: Do) -> None:
    assert plan_creation(a_request(), [attempt], START, RULES).do is do


def a_refund(yen: int, status: RefundStatus = RefundStatus.REQUESTED) -> RefundOrder:
    return RefundOrder(
        f"rf-{yen}", ORDER, f"{ORDER}-1", "pp-1", "PayPay", yen, "CUSTOMER", status, START
    )


PAID = an_attempt(status=AttemptStatus.SUCCEEDED, captured_yen=1200)


def test_no_more_goes_back_than_came() -> None:
    check_refund(PAID, [], 1200)
    check_refund(PAID, [a_refund(700), a_refund(600, RefundStatus.REJECTED)], 500)
    with pytest.raises(Refused) as refused:
        check_refund(PAID, [a_refund(700)], 501)
    assert refused.value.code == "REFUND_EXCEEDS_CAPTURE"
    with pytest.raises(Refused) as nothing:
        check_refund(an_attempt(), [], 1)
    assert nothing.value.code == "ILLEGAL_STATE"


@pytest.mark.parametrize(
    ("refunds", "status"),
    [
        ([a_refund(500)], AttemptStatus.SUCCEEDED),
        ([a_refund(1200)], AttemptStatus.REFUNDING),
        ([a_refund(1200, RefundStatus.REJECTED)], AttemptStatus.SUCCEEDED),
        ([a_refund(1200, RefundStatus.ACCEPTED)], AttemptStatus.REFUNDING),
        ([a_refund(1200, RefundStatus.COMPLETED)], AttemptStatus.REFUNDED),
        ([a_refund(500, RefundStatus.COMPLETED), a_refund(700)], AttemptStatus.REFUNDING),
    ],
)
def test_what_refunds_make_of_the_attempt(
    refunds: list[RefundOrder], status: AttemptStatus
) -> None:
    assert after_refunds(PAID, refunds).status is status


def test_a_completed_refund_does_not_move() -> None:
    done = moved(a_refund(1200), RefundStatus.COMPLETED, START + 5)
    assert (done.status, done.completed_at_ms) == (RefundStatus.COMPLETED, START + 5)
    with pytest.raises(IllegalMove):
        moved(done, RefundStatus.REJECTED, START + 6)


WEBHOOK = (
    b'{"notification_type":"Transaction","merchant_id":"m","merchant_order_id":"o-1",'
    b'"order_id":"pp-1","order_amount":"1200","state":"COMPLETED"}'
)


def test_a_webhook_is_read_without_being_believed() -> None:
    read = read_webhook(WEBHOOK, "m", 1000)
    assert (read.merchant_payment_id, read.payment_id) == ("o-1", "pp-1")
    assert (read.word, read.amount_yen, read.parked) == ("COMPLETED", 1200, None)


def test_the_same_fields_in_other_clothes_are_the_same_webhook() -> None:
    plain = read_webhook(WEBHOOK, "m", 1000).digest
    spaced = WEBHOOK.replace(b",", b" , ").replace(b"}", b',"more":1}')
    assert read_webhook(spaced, "m", 1000).digest == plain
    assert read_webhook(WEBHOOK.replace(b"1200", b"1201"), "m", 1000).digest != plain


@pytest.mark.parametrize("amount", [b"1.5", b'"-1"', b"true", b'"1e9"', b"null", b'"\\u0661"'])
def test_an_amount_that_is_none_is_none(amount: bytes) -> None:
    assert read_webhook(WEBHOOK.replace(b'"1200"', amount), "m", 1000).amount_yen is None
