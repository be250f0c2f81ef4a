"""What payment news mean, as plain values; old news never overwrite newer."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kessai.contracts.moves import AttemptStatus, Method, OrderReason, OrderStatus
from kessai.order.domain.news import (
    RefundReason,
    RefundWanted,
    Success,
    Verdict,
    ask_refund,
    attempt_number,
    closing_reason,
    failure_reason,
    is_newer,
    mark_waiting,
    on_refund,
    on_success,
    on_view,
    settle_with,
)
from kessai.order.domain.order import Closing, Decision, Order, PaymentView

ORDER_ID = "0mjv3z0005abcdefghijklmnop"
A = AttemptStatus


def an_order(**fields: object) -> Order:
    order = Order(
        order_id=ORDER_ID,
        user_id="user-bob",
        method=Method.PAYPAY,
        amount=1200,
        items="[]",
        customer_name="京野 茶子",
        customer_email="chako@example.com",
        shipping=None,
        created_at_ms=0,
        hold_until_ms=900_000,
        status=OrderStatus.WAITING_PAYMENT,
        payment=a_view(A.AWAITING),
    )
    return replace(order, **fields)  # type: ignore[arg-type]


def a_view(status: A, *, number: int = 1, version: int = 2) -> PaymentView:
    return PaymentView(number=number, version=version, status=status, url=f"https://qr/{number}")


def a_success(*, number: int = 1, amount: int = 1200) -> Success:
    return Success(f"{ORDER_ID}-{number}", f"event-{number}", f"paypay-{number}", amount, 7_000)


def refund_of(verdict: Verdict) -> tuple[str, str] | None:
    wanted = verdict.refund
    return None if wanted is None else (wanted.merchant_payment_id[-2:], wanted.reason.value)


def test_a_success_settles_an_open_order() -> None:
    verdict = on_success(an_order(), a_success())

    assert (verdict.settle, verdict.refund, verdict.signal) == (True, None, None)
    after = verdict.change.after
    assert (after.decision, after.paid_attempt) == (Decision.SETTLE, f"{ORDER_ID}-1")
    assert after.payment_last_event_id == "event-1"
    assert (after.payment.status, after.payment.completed_at_ms) == (A.SUCCEEDED, 7_000)
    assert after.payment.url == "https://qr/1"
    assert after.status is OrderStatus.WAITING_PAYMENT


def test_the_wallets_own_saga_settles_so_the_event_starts_none() -> None:
    verdict = on_success(an_order(method=Method.BALANCE), a_success())

    assert (verdict.settle, verdict.change.after.decision) == (False, Decision.SETTLE)


@pytest.mark.parametrize("status", [OrderStatus.WAITING_PAYMENT, OrderStatus.FAILED])
def test_a_success_after_the_fail_decision_is_given_back(status: OrderStatus) -> None:
    order = an_order(decision=Decision.FAIL, status=status)

    verdict = on_success(order, a_success())

    assert refund_of(verdict) == ("-1", "LATE_SUCCESS")
    assert (verdict.settle, verdict.change.after.status) == (False, status)


def test_the_settling_success_again_does_nothing_and_another_is_given_back() -> None:
    order = on_success(an_order(), a_success()).change.after

    again = on_success(order, a_success())
    other = on_success(order, a_success(number=2))

    assert (again.settle, refund_of(again)) == (False, None)
    assert (other.settle, refund_of(other)) == (False, ("-2", "DUPLICATE_PAYMENT"))
    assert other.change.after.paid_attempt == f"{ORDER_ID}-1"


@pytest.mark.parametrize("amount", [0, 1, 1199, 1201, 120_000])
def test_another_amount_is_signalled_and_decides_nothing(amount: int) -> None:
    verdict = on_success(an_order(), a_success(amount=amount))

    assert verdict.signal is not None
    assert verdict.signal.signal == "AmountDiffers"
    assert (verdict.settle, verdict.refund) == (False, None)
    assert verdict.change.after.decision is Decision.OPEN


NEWER = {
    "first news": (PaymentView(), a_view(A.AWAITING), True),
    "a later attempt": (a_view(A.EXPIRED), a_view(A.AWAITING, number=2, version=1), True),
    "an earlier attempt": (a_view(A.AWAITING, number=2), a_view(A.EXPIRED, version=9), False),
    "a later version": (a_view(A.AWAITING), a_view(A.EXPIRED, version=3), True),
    "an earlier version": (a_view(A.UNKNOWN, version=5), a_view(A.AWAITING, version=4), False),
    "no version, can follow": (a_view(A.AWAITING), a_view(A.EXPIRED, version=0), True),
    "no version, cannot follow": (a_view(A.SUCCEEDED), a_view(A.AWAITING, version=0), False),
    "stale answer after a success": (a_view(A.SUCCEEDED), a_view(A.UNKNOWN, version=3), False),
    "late success after expiry": (a_view(A.EXPIRED), a_view(A.SUCCEEDED, version=0), True),
}


@pytest.mark.parametrize("case", NEWER)
def test_newer_is_by_attempt_then_version_then_what_can_follow(case: str) -> None:
    seen, news, newer = NEWER[case]
    assert is_newer(seen, news) is newer


@given(st.permutations(range(6)))
def test_views_end_at_the_newest_whatever_the_order_of_arrival(order: list[int]) -> None:
    news = [
        a_view(A.CREATING, version=1),
        a_view(A.AWAITING, version=2),
        a_view(A.UNKNOWN, version=3),
        a_view(A.EXPIRED, version=4),
        a_view(A.CREATING, number=2, version=1),
        a_view(A.AWAITING, number=2, version=2),
    ]
    state = an_order(payment=PaymentView())
    for position in order:
        state = on_view(state, news[position]).after

    assert state.payment == news[5]
    assert state.status is OrderStatus.WAITING_PAYMENT


def test_a_failure_of_the_settling_payment_is_noted_only() -> None:
    order = on_success(an_order(), a_success()).change.after

    change = on_view(order, a_view(A.FAILED, version=9))

    assert [one.code for one in change.facts] == ["FAILURE_AFTER_SUCCESS"]
    assert (change.after, change.moves) == (order, ())


def test_a_code_for_an_order_that_went_on_changes_no_status() -> None:
    paid = an_order(status=OrderStatus.PAID, decision=Decision.SETTLE)
    failed = an_order(status=OrderStatus.FAILED, decision=Decision.FAIL)
    pending = an_order(status=OrderStatus.PENDING, payment=PaymentView())

    assert mark_waiting(paid, a_view(A.AWAITING, version=3)).moves == ()
    assert mark_waiting(failed, a_view(A.AWAITING, version=3)).moves == ()
    assert mark_waiting(pending, a_view(A.AWAITING)).after.status is OrderStatus.WAITING_PAYMENT


def test_refunds_of_the_settling_payment_add_up_to_refunded() -> None:
    order = an_order(
        status=OrderStatus.PAID, decision=Decision.SETTLE, paid_attempt=f"{ORDER_ID}-1"
    )

    other = on_refund(order, f"{ORDER_ID}-2", 1200, 5).after
    part = on_refund(other, f"{ORDER_ID}-1", 500, 6).after
    whole = on_refund(part, f"{ORDER_ID}-1", 700, 7)

    assert (other.status, other.refunded_amount) == (OrderStatus.PAID, 0)
    assert (part.status, part.refunded_amount) == (OrderStatus.PAID, 500)
    assert [one.new for one in whole.moves] == [OrderStatus.REFUNDING, OrderStatus.REFUNDED]


def test_only_a_whole_refund_of_a_paid_order_moves_it() -> None:
    paid = an_order(status=OrderStatus.PAID, paid_attempt=f"{ORDER_ID}-1")
    failed = an_order(status=OrderStatus.FAILED, decision=Decision.FAIL)
    reason = RefundReason.CUSTOMER

    whole = ask_refund(paid, RefundWanted(f"{ORDER_ID}-1", 1200, reason), 5)
    part = ask_refund(paid, RefundWanted(f"{ORDER_ID}-1", 1199, reason), 5)
    double = ask_refund(paid, RefundWanted(f"{ORDER_ID}-2", 1200, reason), 5)
    late = ask_refund(failed, RefundWanted(f"{ORDER_ID}-1", 1200, reason), 5)

    statuses = [one.after.status.value for one in (whole, part, double, late)]
    assert statuses == ["REFUNDING", "PAID", "PAID", "FAILED"]


def test_the_wallets_record_takes_settle_unless_fail_was_taken() -> None:
    news = a_view(A.SUCCEEDED, version=1)
    pending = an_order(status=OrderStatus.PENDING, payment=PaymentView())

    taken = settle_with(pending, f"{ORDER_ID}-1", news)
    again = settle_with(taken.after, f"{ORDER_ID}-1", news)
    refused = settle_with(replace(pending, decision=Decision.FAIL), f"{ORDER_ID}-1", news)

    assert (taken.after.decision, taken.after.paid_attempt) == (Decision.SETTLE, f"{ORDER_ID}-1")
    assert again.is_empty
    assert (refused.after.decision, refused.after.paid_attempt) == (Decision.FAIL, None)


@pytest.mark.parametrize(
    ("stock", "hold", "payment", "reason"),
    [
        ("OUT_OF_STOCK", None, None, "OUT_OF_STOCK"),
        ("VALIDATION", None, None, "OUT_OF_STOCK"),
        (None, "INSUFFICIENT_BALANCE", None, "PAYMENT_DECLINED"),
        (None, None, "PAYMENT_UNAVAILABLE", "PAYMENT_UNAVAILABLE"),
        (None, None, "ORDER_CLOSED", "PAYMENT_EXPIRED"),
        ("RESERVATION_RELEASED", None, None, "PAYMENT_EXPIRED"),
    ],
)
def test_an_order_fails_for_the_refusal_that_it_met(
    stock: str | None, hold: str | None, payment: str | None, reason: str
) -> None:
    assert failure_reason(an_order(), stock=stock, hold=hold, payment=payment) == reason


@pytest.mark.parametrize(
    ("order", "last", "reason"),
    [
        (an_order(closing=Closing.CUSTOMER), OrderReason.PAYMENT_DECLINED, "CANCELLED"),
        (an_order(closing=Closing.DEADLINE), OrderReason.PAYMENT_DECLINED, "PAYMENT_DECLINED"),
        (an_order(closing=Closing.DEADLINE), OrderReason.CANCELLED, "PAYMENT_EXPIRED"),
        (an_order(closing=Closing.DEADLINE), None, "PAYMENT_EXPIRED"),
        (an_order(status=OrderStatus.PENDING), None, "PAYMENT_UNAVAILABLE"),
    ],
)
def test_a_closed_order_tells_why(order: Order, last: OrderReason | None, reason: str) -> None:
    assert closing_reason(order, last) == reason


@pytest.mark.parametrize(
    ("name", "number"), [(f"{ORDER_ID}-1", 1), (f"{ORDER_ID}-12", 12), (ORDER_ID, 0), ("x-y", 0)]
)
def test_the_attempts_number_is_in_its_name(name: str, number: int) -> None:
    assert attempt_number(name) == number
