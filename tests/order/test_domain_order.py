"""What an order may do, as plain values."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kessai.contracts.moves import AttemptStatus, Method, OrderReason, OrderStatus
from kessai.kernel.errors import IllegalMove
from kessai.order.domain.order import (
    Change,
    Closing,
    Decision,
    Order,
    PaymentView,
    Policy,
    actions,
    ask_to_close,
    decide,
    mark_failed,
    mark_paid,
    order_number,
    place,
)
from kessai.order.domain.repeat import Answer, answer_of, repeat_of

ORDER_ID = "0mjv3z0005abcdefghijklmnop"
POLICY = Policy(deadline_ms=900_000, customer_refund_ms=86_400_000, code_lifetime_ms=300_000)


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
        reservation_id=f"{ORDER_ID}-1",
    )
    return replace(order, **fields)  # type: ignore[arg-type]


def a_code(status: AttemptStatus = AttemptStatus.AWAITING, **fields: object) -> PaymentView:
    view = PaymentView(
        number=1, version=2, status=status, url="https://qr.example/1", expires_at_ms=300_000
    )
    return replace(view, **fields)  # type: ignore[arg-type]


def waiting(**fields: object) -> Order:
    return an_order(**{"status": OrderStatus.WAITING_PAYMENT, "payment": a_code(), **fields})


def test_an_order_begins_pending_at_version_one() -> None:
    change = place(an_order())

    (moved,) = change.moves
    assert (moved.old, moved.new, moved.version) == (None, OrderStatus.PENDING, 1)
    assert change.after.version == 1


def test_the_decision_is_taken_once_by_whoever_comes_first() -> None:
    taken = decide(an_order(), Decision.FAIL)
    late = decide(taken.after, Decision.SETTLE)

    assert taken.after.decision is Decision.FAIL
    assert (late.after.decision, late.is_empty) == (Decision.FAIL, True)
    assert decide(taken.after, Decision.FAIL).is_empty


def test_paid_before_the_create_answer_passes_through_waiting() -> None:
    change = mark_paid(an_order(decision=Decision.SETTLE), f"{ORDER_ID}-2", 5)

    assert [(one.new, one.version) for one in change.moves] == [
        (OrderStatus.WAITING_PAYMENT, 2),
        (OrderStatus.PAID, 3),
    ]
    assert (change.after.paid_at_ms, change.after.reservation_id) == (5, f"{ORDER_ID}-2")


@pytest.mark.parametrize(
    "status",
    [OrderStatus.PAID, OrderStatus.FAILED, OrderStatus.REFUNDING, OrderStatus.REFUNDED],
)
def test_a_final_order_is_neither_paid_nor_failed_again(status: OrderStatus) -> None:
    order = an_order(status=status)

    assert mark_paid(order, "r", 5).is_empty
    assert mark_failed(order, OrderReason.CANCELLED, released=True).is_empty


def test_what_the_table_does_not_have_raises() -> None:
    with pytest.raises(IllegalMove):
        Change.of(an_order()).to(OrderStatus.PAID)


def test_the_number_shows_the_day_in_japan() -> None:
    last_of_the_day = 1_768_489_199_999  # 2026-01-15T14:59:59.999Z is 23:59:59.999 in Japan
    assert order_number(an_id(last_of_the_day)) == "K-20260115-klmnop"
    assert order_number(an_id(last_of_the_day + 1)) == "K-20260116-klmnop"


def an_id(ms: int) -> str:
    digits = ""
    while ms:
        ms, rest = divmod(ms, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[rest] + digits
    return digits.rjust(9, "0") + "zzzzzzzzzzzklmnop"


LEGAL = {
    "pending without a code": (an_order(), 0, ("cancel",)),
    "a live code": (waiting(), 0, ("pay", "check", "cancel")),
    "a code in its last millisecond": (waiting(), 299_999, ("pay", "check", "cancel")),
    "a live code past its expiry": (waiting(), 300_000, ("check", "cancel")),
    "unknown": (waiting(payment=a_code(AttemptStatus.UNKNOWN)), 0, ("check", "cancel")),
    "expired, time for a new code": (
        waiting(payment=a_code(AttemptStatus.EXPIRED)),
        600_000,
        ("pay", "check", "cancel"),
    ),
    "expired, too late for a new code": (
        waiting(payment=a_code(AttemptStatus.EXPIRED)),
        600_001,
        ("check", "cancel"),
    ),
    "being closed": (waiting(closing=Closing.CUSTOMER), 0, ("check",)),
    "settling": (waiting(decision=Decision.SETTLE), 0, ("check",)),
    "failing": (waiting(decision=Decision.FAIL), 0, ("check",)),
    "paid": (an_order(status=OrderStatus.PAID, paid_at_ms=1000), 86_400_999, ("refund",)),
    "paid long ago": (an_order(status=OrderStatus.PAID, paid_at_ms=1000), 86_401_000, ()),
    "paid, partly refunded": (
        an_order(status=OrderStatus.PAID, paid_at_ms=1000, refunded_amount=1),
        2000,
        (),
    ),
    "failed": (an_order(status=OrderStatus.FAILED), 0, ()),
    "refunding": (an_order(status=OrderStatus.REFUNDING, paid_at_ms=1), 2, ()),
    "refunded": (an_order(status=OrderStatus.REFUNDED, paid_at_ms=1), 2, ()),
}


@pytest.mark.parametrize("case", LEGAL)
def test_actions_are_what_is_legal_now(case: str) -> None:
    order, now_ms, legal = LEGAL[case]
    assert actions(order, POLICY, now_ms) == legal


def test_closing_tells_who_asked() -> None:
    by_customer = ask_to_close(waiting(), Closing.CUSTOMER)
    by_time = ask_to_close(waiting(), Closing.DEADLINE)

    assert [one.code for one in by_customer.facts] == ["CANCEL_REQUESTED"]
    assert [one.code for one in by_time.facts] == ["DEADLINE_PASSED"]
    assert by_customer.moves == ()


def failed(reason: OrderReason) -> Order:
    return an_order(status=OrderStatus.FAILED, reason=reason)


@pytest.mark.parametrize(
    ("order", "answer"),
    [
        (an_order(), Answer.ORDER),
        (waiting(), Answer.ORDER),
        (failed(OrderReason.OUT_OF_STOCK), Answer.OUT_OF_STOCK),
        (failed(OrderReason.PAYMENT_UNAVAILABLE), Answer.PAYMENT_UNAVAILABLE),
        (failed(OrderReason.PAYMENT_DECLINED), Answer.ORDER),
        (failed(OrderReason.CANCELLED), Answer.ORDER),
    ],
)
def test_the_answer_of_a_purchase_follows_from_its_order(order: Order, answer: Answer) -> None:
    assert answer_of(order) is answer


@pytest.mark.parametrize(
    ("order", "now_ms", "answer"),
    [
        (an_order(updated_at_ms=0), 59_999, Answer.IN_FLIGHT),
        (an_order(updated_at_ms=0), 60_000, Answer.ORDER),
        (an_order(updated_at_ms=30_000), 89_999, Answer.IN_FLIGHT),
        (waiting(updated_at_ms=0), 1, Answer.ORDER),
        (failed(OrderReason.OUT_OF_STOCK), 1, Answer.OUT_OF_STOCK),
    ],
)
def test_a_repeat_waits_only_for_a_saga_that_moves(
    order: Order, now_ms: int, answer: Answer
) -> None:
    assert repeat_of(order, 0, now_ms, 60_000) is answer
