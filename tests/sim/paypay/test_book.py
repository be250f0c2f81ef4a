"""The book on paper: every move there is, the ones there are not, and the seconds in between."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from tests.support.paypay import NOW_MS, a_payment, a_refund, an_order

from kessai.contracts.paypay import CreateCode, ProviderStatus, RefundState
from kessai.kernel.errors import IllegalMove
from kessai.sim.paypay.domain import moves as book
from kessai.sim.paypay.domain import results
from kessai.sim.paypay.domain.behaviour import Behaviour
from kessai.sim.paypay.domain.book import Payment
from kessai.sim.paypay.domain.ledger import ledger_of, wallet_balance_yen
from kessai.sim.paypay.domain.results import Result, TurnedDown

CREATED, COMPLETED = ProviderStatus.CREATED, ProviderStatus.COMPLETED
REFUNDED, FAILED = ProviderStatus.REFUNDED, ProviderStatus.FAILED
LATER_MS = NOW_MS + 10_000


def paid(payment: Payment, at_ms: int = LATER_MS, cancel_delay_ms: int = 500) -> Payment:
    rules = Behaviour(cancel_delay_ms=cancel_delay_ms)
    return book.pay(payment, "p-1", by="api", now_ms=at_ms, rules=rules)


def refunded(payment: Payment, amount: int = 25180, name: str = "r-1") -> Payment:
    asked = a_refund(name, amount)
    return book.refund(
        payment, asked, now_ms=LATER_MS + 1000, rules=Behaviour(refund_delay_ms=1000)
    )


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
    payment = book.cancel(
        paid(a_payment()), now_ms=LATER_MS + 100, rules=Behaviour(cancel_delay_ms=500)
    )
    assert payment.status_at(LATER_MS + 599) is COMPLETED
    assert payment.status_at(LATER_MS + 600) is FAILED
    with pytest.raises(TurnedDown) as caught:
        refunded(payment)
    assert caught.value.result is results.NOT_REFUNDABLE


def test_a_cancel_before_the_payment_sends_the_money_back_after_it_came() -> None:
    cancelled = book.cancel(a_payment(), now_ms=NOW_MS + 1, rules=Behaviour(cancel_delay_ms=500))
    assert cancelled.status_at(LATER_MS) is CREATED
    assert cancelled.is_payable(LATER_MS)
    payment = paid(cancelled)
    assert payment.status_at(LATER_MS) is COMPLETED
    assert payment.status_at(LATER_MS + 500) is FAILED


def test_a_repeated_cancel_changes_nothing() -> None:
    once = book.cancel(paid(a_payment()), now_ms=LATER_MS, rules=Behaviour(cancel_delay_ms=500))
    assert book.cancel(once, now_ms=LATER_MS + 400, rules=Behaviour(cancel_delay_ms=500)) is once


def test_a_refunded_payment_is_not_cancelled() -> None:
    payment = refunded(paid(a_payment()), amount=1)
    with pytest.raises(TurnedDown) as caught:
        book.cancel(payment, now_ms=LATER_MS + 5000, rules=Behaviour(cancel_delay_ms=0))
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
    code = book.create(asked, "04-x", now_ms=at_ms(paid_time), lifetime_s=300, rules=Behaviour())
    payment = paid(code, at_ms(paid_time))
    if fine:
        assert (
            book.cancel(
                payment, now_ms=at_ms(asked_time), rules=Behaviour(cancel_delay_ms=0)
            ).status_at(at_ms(asked_time))
            is FAILED
        )
    else:
        with pytest.raises(TurnedDown) as caught:
            book.cancel(payment, now_ms=at_ms(asked_time), rules=Behaviour(cancel_delay_ms=0))
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
    payment = book.delete(a_payment(), now_ms=LATER_MS, rules=Behaviour())
    with pytest.raises(IllegalMove, match="deleted"):
        paid(payment)
    with pytest.raises(TurnedDown) as caught:
        book.delete(payment, now_ms=LATER_MS, rules=Behaviour())
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
        book.delete(payment, now_ms=at_ms, rules=Behaviour())
    assert caught.value.result is result


def test_the_same_refund_is_made_once() -> None:
    once = refunded(paid(a_payment()), 100)
    again = book.refund(
        once, a_refund("r-1", 999), now_ms=LATER_MS + 9, rules=Behaviour(refund_delay_ms=0)
    )
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
        book.refund(
            payment,
            a_refund("r-2", 1),
            now_ms=LATER_MS,
            rules=Behaviour(refund_delay_ms=0, multiple_refunds=False),
        )
    assert caught.value.result is results.NO_SECOND_REFUND


def test_an_unpaid_code_is_not_refunded() -> None:
    with pytest.raises(TurnedDown) as caught:
        refunded(a_payment())
    assert caught.value.result is results.NOT_REFUNDABLE


def test_authorisations_need_the_contract_and_an_expiry_within_it() -> None:
    for rules, expiry_s, result in (
        (Behaviour(pre_auth=False), None, results.PRE_AUTH_UNSUPPORTED),
        (Behaviour(), NOW_MS // 1000, results.PRE_AUTH_EXPIRY),
        (Behaviour(), NOW_MS // 1000 + 30 * 86_400 + 1, results.PRE_AUTH_EXPIRY),
    ):
        wish = an_order(isAuthorization=True, authorizationExpiry=expiry_s)
        asked = CreateCode.model_validate(wish)
        with pytest.raises(TurnedDown) as caught:
            book.create(asked, "04-x", now_ms=NOW_MS, lifetime_s=300, rules=rules)
        assert caught.value.result is result
    assert a_payment(authorizationExpiry=NOW_MS // 1000 + 60).expires_at_s == NOW_MS // 1000 + 300
    short = a_payment(isAuthorization=True, authorizationExpiry=NOW_MS // 1000 + 60)
    assert short.expires_at_s == NOW_MS // 1000 + 60


def test_the_ledger_adds_up() -> None:
    kept = paid(a_payment("m-1", 1000))
    half = refunded(paid(a_payment("m-2", 300)), 100)
    back = book.cancel(
        paid(a_payment("m-3", 50)), now_ms=LATER_MS, rules=Behaviour(cancel_delay_ms=0)
    )
    unpaid = a_payment("m-4", 7)
    ledger = ledger_of([kept, half, back, unpaid], now_ms=LATER_MS + 60_000)
    assert (ledger.captured_yen, ledger.reversed_yen, ledger.refunded_yen) == (1350, 50, 100)
    assert ledger.net_yen == 1200
    assert [entry.merchant_payment_id for entry in ledger.captures] == ["m-1", "m-2", "m-3"]
    assert [(e.reference, e.state) for e in ledger.refunds] == [("r-1", "REFUNDED")]


def test_a_reversal_counts_from_its_moment_on() -> None:
    back = book.cancel(
        paid(a_payment("m-3", 50)), now_ms=LATER_MS, rules=Behaviour(cancel_delay_ms=500)
    )
    assert ledger_of([back], now_ms=LATER_MS + 499).net_yen == 50
    assert ledger_of([back], now_ms=LATER_MS + 500).net_yen == 0


def test_the_wallet_pays_for_the_page_only_and_gets_back_what_returns() -> None:
    by_page = book.pay(a_payment("m-1", 20000), "p", by="page", now_ms=LATER_MS, rules=Behaviour())
    by_remote = paid(a_payment("m-2", 9999))
    assert wallet_balance_yen([by_page, by_remote], 0, now_ms=LATER_MS) == 30_000
    assert wallet_balance_yen([by_page], 20_000, now_ms=LATER_MS) == 50_000
    returned = refunded(by_page, 5000)
    assert wallet_balance_yen([returned], 0, now_ms=LATER_MS + 1999) == 30_000
    assert wallet_balance_yen([returned], 0, now_ms=LATER_MS + 2000) == 35_000
