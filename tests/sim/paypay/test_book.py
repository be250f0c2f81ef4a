"""The book on paper: every move there is, the ones there are not, and the seconds in between."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.paypay import NOW_MS, a_payment, a_refund, an_order

from kessai.contracts.paypay import CreateCode, ProviderStatus, RefundState
from kessai.kernel.errors import IllegalMove
from kessai.sim.paypay.domain import book, results
from kessai.sim.paypay.domain.book import MOVES, Payment
from kessai.sim.paypay.domain.ledger import ledger_of, wallet_balance_yen
from kessai.sim.paypay.domain.results import Result, TurnedDown

CREATED, COMPLETED = ProviderStatus.CREATED, ProviderStatus.COMPLETED
REFUNDED, FAILED = ProviderStatus.REFUNDED, ProviderStatus.FAILED
LATER_MS = NOW_MS + 10_000


def paid(payment: Payment, at_ms: int = LATER_MS, cancel_delay_ms: int = 500) -> Payment:
    return book.pay(payment, "p-1", by="api", now_ms=at_ms, cancel_delay_ms=cancel_delay_ms)


def refunded(payment: Payment, amount: int = 25180, name: str = "r-1") -> Payment:
    asked = a_refund(name, amount)
    return book.refund(payment, asked, now_ms=LATER_MS + 1000, delay_ms=1000, several=True)


def test_created_completed() -> None:
    payment = paid(a_payment())
    assert payment.status_at(LATER_MS - 1) is CREATED
    assert payment.status_at(LATER_MS) is COMPLETED
    assert (payment.payment_id, payment.paid_at_ms) == ("p-1", LATER_MS)


def test_created_failed_when_the_customer_declines() -> None:
    payment = book.decline(a_payment(), "p-1", now_ms=LATER_MS)
    assert payment.status_at(LATER_MS - 1) is CREATED
    assert payment.status_at(LATER_MS) is FAILED
    with pytest.raises(IllegalMove, match="FAILED"):
        paid(payment)


def test_completed_refunded_after_a_while() -> None:
    payment = refunded(paid(a_payment()))
    assert payment.status_at(LATER_MS + 1999) is COMPLETED
    assert payment.refunds[0].state_at(LATER_MS + 1999) is RefundState.CREATED
    assert payment.status_at(LATER_MS + 2000) is REFUNDED
    assert payment.refunds[0].state_at(LATER_MS + 2000) is RefundState.REFUNDED


def test_completed_failed_when_a_cancel_wins() -> None:
    payment = book.cancel(paid(a_payment()), now_ms=LATER_MS + 100, delay_ms=500)
    assert payment.status_at(LATER_MS + 599) is COMPLETED
    assert payment.status_at(LATER_MS + 600) is FAILED
    with pytest.raises(TurnedDown) as caught:
        refunded(payment)
    assert caught.value.result is results.NOT_REFUNDABLE


def test_a_cancel_before_the_payment_sends_the_money_back_after_it_came() -> None:
    cancelled = book.cancel(a_payment(), now_ms=NOW_MS + 1, delay_ms=500)
    assert cancelled.status_at(LATER_MS) is CREATED
    assert cancelled.is_payable(LATER_MS)
    payment = paid(cancelled)
    assert payment.status_at(LATER_MS) is COMPLETED
    assert payment.status_at(LATER_MS + 500) is FAILED


def test_a_repeated_cancel_changes_nothing() -> None:
    once = book.cancel(paid(a_payment()), now_ms=LATER_MS, delay_ms=500)
    assert book.cancel(once, now_ms=LATER_MS + 400, delay_ms=500) is once


def test_a_refunded_payment_is_not_cancelled() -> None:
    payment = refunded(paid(a_payment()), amount=1)
    with pytest.raises(TurnedDown) as caught:
        book.cancel(payment, now_ms=LATER_MS + 5000, delay_ms=0)
    assert caught.value.result is results.NOT_REVERSIBLE


@pytest.mark.parametrize("paid_time", ["2027-01-15T00:00:00", "2027-01-15T23:59:59"])
@pytest.mark.parametrize(
    ("asked_time", "fine"),
    [("2027-01-16T00:14:59.999", True), ("2027-01-16T00:15:00", False)],
)
def test_a_cancel_is_possible_until_a_quarter_past_midnight_in_japan(
    paid_time: str, asked_time: str, fine: bool
) -> None:
    def at_ms(text: str) -> int:
        moment = datetime.fromisoformat(text).replace(tzinfo=timezone(timedelta(hours=9)))
        return round(moment.timestamp() * 1000)

    asked = CreateCode.model_validate(an_order())
    code = book.create(asked, "04-x", now_ms=at_ms(paid_time), lifetime_s=300)
    payment = paid(code, at_ms(paid_time))
    if fine:
        assert (
            book.cancel(payment, now_ms=at_ms(asked_time), delay_ms=0).status_at(at_ms(asked_time))
            is FAILED
        )
    else:
        with pytest.raises(TurnedDown) as caught:
            book.cancel(payment, now_ms=at_ms(asked_time), delay_ms=0)
        assert caught.value.result is results.NOT_REVERSIBLE


def test_a_code_ends_with_the_second_of_its_expiry() -> None:
    payment = a_payment()
    end_ms = payment.expires_at_s * 1000
    assert payment.expires_at_s == NOW_MS // 1000 + 300
    assert paid(payment, end_ms - 1).status_at(end_ms) is COMPLETED
    with pytest.raises(IllegalMove, match="expired"):
        paid(payment, end_ms)
    assert payment.status_at(end_ms) is CREATED


def test_a_paid_code_does_not_expire() -> None:
    payment = paid(a_payment())
    assert not payment.is_expired(payment.expires_at_s * 1000)
    assert payment.status_at(payment.expires_at_s * 1000) is COMPLETED


def test_expire_ends_the_time_now() -> None:
    payment = book.expire(a_payment(), now_ms=LATER_MS)
    assert not payment.is_payable(LATER_MS)
    assert book.expire(payment, now_ms=LATER_MS + 5000) is payment
    with pytest.raises(IllegalMove):
        book.expire(paid(a_payment()), now_ms=LATER_MS)


def test_a_deleted_code_is_not_paid_and_not_deleted_again() -> None:
    payment = book.delete(a_payment(), now_ms=LATER_MS)
    with pytest.raises(IllegalMove, match="deleted"):
        paid(payment)
    with pytest.raises(TurnedDown) as caught:
        book.delete(payment, now_ms=LATER_MS)
    assert caught.value.result is results.NO_CODE


@pytest.mark.parametrize(
    ("payment", "at_ms", "result"),
    [
        (paid(a_payment()), LATER_MS, results.ALREADY_PAID),
        (a_payment(), NOW_MS + 300_000, results.NO_CODE),
        (book.decline(a_payment(), "p", now_ms=NOW_MS), LATER_MS, results.NO_CODE),
    ],
    ids=["paid", "expired", "declined"],
)
def test_what_is_no_live_code_is_not_deleted(payment: Payment, at_ms: int, result: Result) -> None:
    with pytest.raises(TurnedDown) as caught:
        book.delete(payment, now_ms=at_ms)
    assert caught.value.result is result


def test_the_same_refund_is_made_once() -> None:
    once = refunded(paid(a_payment()), 100)
    again = book.refund(once, a_refund("r-1", 999), now_ms=LATER_MS + 9, delay_ms=0, several=True)
    assert again is once


def test_refunds_never_exceed_the_payment() -> None:
    payment = refunded(refunded(paid(a_payment()), 20000), 5180, "r-2")
    assert payment.refunded_yen == 25180
    with pytest.raises(TurnedDown) as caught:
        refunded(payment, 1, "r-3")
    assert caught.value.result is results.WRONG_REFUND_AMOUNT


def test_a_second_refund_needs_the_merchants_setting() -> None:
    payment = refunded(paid(a_payment()), 1)
    with pytest.raises(TurnedDown) as caught:
        book.refund(payment, a_refund("r-2", 1), now_ms=LATER_MS, delay_ms=0, several=False)
    assert caught.value.result is results.NO_SECOND_REFUND


def test_an_unpaid_code_is_not_refunded() -> None:
    with pytest.raises(TurnedDown) as caught:
        refunded(a_payment())
    assert caught.value.result is results.NOT_REFUNDABLE


def test_authorisations_are_not_in_the_contract() -> None:
    asked = CreateCode.model_validate(an_order(isAuthorization=True))
    with pytest.raises(TurnedDown) as caught:
        book.create(asked, "04-x", now_ms=NOW_MS, lifetime_s=300)
    assert caught.value.result is results.PRE_AUTH_UNSUPPORTED


def test_the_ledger_adds_up() -> None:
    kept = paid(a_payment("m-1", 1000))
    half = refunded(paid(a_payment("m-2", 300)), 100)
    back = book.cancel(paid(a_payment("m-3", 50)), now_ms=LATER_MS, delay_ms=0)
    unpaid = a_payment("m-4", 7)
    ledger = ledger_of([kept, half, back, unpaid], now_ms=LATER_MS + 60_000)
    assert (ledger.captured_yen, ledger.reversed_yen, ledger.refunded_yen) == (1350, 50, 100)
    assert ledger.net_yen == 1200
    assert [entry.merchant_payment_id for entry in ledger.captures] == ["m-1", "m-2", "m-3"]
    assert [(e.reference, e.state) for e in ledger.refunds] == [("r-1", "REFUNDED")]


def test_a_reversal_counts_from_its_moment_on() -> None:
    back = book.cancel(paid(a_payment("m-3", 50)), now_ms=LATER_MS, delay_ms=500)
    assert ledger_of([back], now_ms=LATER_MS + 499).net_yen == 50
    assert ledger_of([back], now_ms=LATER_MS + 500).net_yen == 0


def test_the_wallet_pays_for_the_page_only_and_gets_back_what_returns() -> None:
    by_page = book.pay(a_payment("m-1", 20000), "p", by="page", now_ms=LATER_MS, cancel_delay_ms=0)
    by_remote = paid(a_payment("m-2", 9999))
    assert wallet_balance_yen([by_page, by_remote], 0, now_ms=LATER_MS) == 30_000
    assert wallet_balance_yen([by_page], 20_000, now_ms=LATER_MS) == 50_000
    returned = refunded(by_page, 5000)
    assert wallet_balance_yen([returned], 0, now_ms=LATER_MS + 1999) == 30_000
    assert wallet_balance_yen([returned], 0, now_ms=LATER_MS + 2000) == 35_000


MOVE = st.sampled_from(["pay", "decline", "expire", "delete", "cancel", "refund"])
STEP = st.tuples(MOVE, st.integers(0, 200_000))


@settings(max_examples=300, deadline=None)
@given(st.lists(STEP, max_size=8))
def test_status_never_moves_but_by_the_table(steps: list[tuple[str, int]]) -> None:
    """Whatever is tried whenever: seen over time, each change of status is one of the table's."""
    payment, now_ms = a_payment(), NOW_MS
    moments = [NOW_MS]
    for number, (move, wait_ms) in enumerate(steps):
        now_ms += wait_ms
        moments += [now_ms, now_ms + 500, now_ms + 1000]
        payment = tried(payment, move, number, now_ms)
    seen = [payment.status_at(at_ms) for at_ms in sorted(moments)]
    for before, after in pairwise(seen):
        assert after is before or after in MOVES[before]
    assert payment.refunded_yen <= payment.amount_yen
    assert not (payment.refunds and payment.reversed_at_ms)


def tried(payment: Payment, move: str, number: int, now_ms: int) -> Payment:
    try:
        match move:
            case "pay":
                return paid(payment, now_ms)
            case "decline":
                return book.decline(payment, "p-1", now_ms=now_ms)
            case "expire":
                return book.expire(payment, now_ms=now_ms)
            case "delete":
                return book.delete(payment, now_ms=now_ms)
            case "cancel":
                return book.cancel(payment, now_ms=now_ms, delay_ms=500)
            case _:
                asked = a_refund(f"r-{number}", 10_000)
                return book.refund(payment, asked, now_ms=now_ms, delay_ms=1000, several=True)
    except (IllegalMove, TurnedDown):
        return payment
