"""Closing an order: no live code is left, and money that came is never overlooked."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from tests.support.payment import ORDER, Till, on_the_till, refusal, unknown
from tests.support.provider import NO_ANSWER, After

from kessai.contracts.moves import AttemptStatus, OrderReason
from kessai.contracts.payment import CloseOutcome, RecordBalancePayment
from kessai.kernel.errors import Refused, Unknown
from kessai.payment.domain.evidence import Word

FIRST = f"{ORDER}-1"


@on_the_till()
async def test_an_order_without_attempts_is_closed_at_once(till: Till) -> None:
    closed = await till.close()
    assert (closed.outcome, closed.reason) == (CloseOutcome.CLOSED, OrderReason.PAYMENT_UNAVAILABLE)
    assert (await till.payments()).closed
    assert till.provider.calls == []


@on_the_till()
async def test_a_live_code_is_deleted_and_asked_about_after_the_grace(till: Till) -> None:
    await till.create()
    await asyncio.sleep(1)
    started_ms = till.now_ms
    closed = await till.close()
    assert closed.outcome is CloseOutcome.CLOSED
    assert 2000 <= till.now_ms - started_ms <= 2100
    assert till.provider.codes[FIRST].deleted
    (attempt,) = (await till.payments()).attempts
    assert attempt.status is AttemptStatus.CANCELLED
    assert (await till.events())[-1].event_type == "PaymentAttemptChanged"
    assert await till.ledger() == []


@on_the_till()
async def test_closing_again_says_the_same_without_asking(till: Till) -> None:
    await till.create()
    first = await till.close()
    asked = len(till.provider.calls)
    assert await till.close() == first
    assert len(till.provider.calls) == asked


@on_the_till()
async def test_a_paid_order_is_paid_and_not_closed(till: Till) -> None:
    await till.create()
    till.provider.pay(FIRST)
    assert (await till.close()).outcome is CloseOutcome.PAID
    assert await till.statuses() == [AttemptStatus.SUCCEEDED]


@on_the_till()
async def test_a_provider_that_cannot_be_asked_leaves_it_unknown(till: Till) -> None:
    await till.create()
    till.provider.fail("delete", *[NO_ANSWER] * 20)
    till.provider.fail("get", *[NO_ANSWER] * 20)
    assert await unknown(till.close()) == "PAYMENT_UNAVAILABLE"
    assert await till.statuses() == [AttemptStatus.AWAITING]
    till.provider.trouble.clear()
    await asyncio.sleep(5)
    assert (await till.close()).outcome is CloseOutcome.CLOSED


@on_the_till()
async def test_a_delete_whose_answer_is_lost_is_asked_again(till: Till) -> None:
    await till.create()
    till.provider.fail("delete", After(NO_ANSWER))
    assert (await till.close()).outcome is CloseOutcome.CLOSED
    assert len(till.provider.calls_of("delete")) == 2


@on_the_till()
async def test_a_delete_that_was_wrongly_called_paid_is_asked_again(till: Till) -> None:
    await till.create()
    code = till.provider.codes[FIRST]
    # The provider calls it paid, and no look-up ever shows any money.
    code.status, code.visible_from_ms = Word.COMPLETED, till.now_ms + 3_600_000
    assert await unknown(till.close()) == "PAYMENT_UNAVAILABLE"
    code.status = Word.CREATED
    await asyncio.sleep(20)
    assert code.deleted
    assert (await till.close()).outcome is CloseOutcome.CLOSED
    assert await till.statuses() == [AttemptStatus.CANCELLED]


@on_the_till()
async def test_a_code_that_was_never_seen_is_cancelled_and_not_outlived(till: Till) -> None:
    """A closing order cannot wait 300 s, and PayPay gives back what is paid after a cancel."""
    till.provider.fail("create", After(NO_ANSWER))
    await unknown(till.create())
    assert await unknown(till.close()) == "PAYMENT_UNAVAILABLE"
    await asyncio.sleep(1)
    assert till.provider.codes[FIRST].canceled
    await asyncio.sleep(5)
    closed = await till.close()
    assert (closed.outcome, closed.reason) == (CloseOutcome.CLOSED, OrderReason.PAYMENT_UNAVAILABLE)
    assert await refusal(till.create()) == "ORDER_CLOSED"


async def closed_without_its_code(till: Till) -> None:
    """So the payment is cancelled, since its code cannot be deleted."""
    till.provider.fail("create", After(NO_ANSWER))
    await unknown(till.create())
    await unknown(till.close())


@on_the_till()
async def test_what_is_paid_while_a_cancel_is_on_its_way_is_not_believed(till: Till) -> None:
    till.provider.delay_s["cancel"] = 4
    await closed_without_its_code(till)
    await asyncio.sleep(1)
    till.provider.pay(FIRST)
    await till.webhook()
    await asyncio.sleep(1)
    assert await till.statuses() == [AttemptStatus.UNKNOWN]
    await asyncio.sleep(60)
    assert await till.statuses() == [AttemptStatus.FAILED]
    assert (await till.events())[-1].event_type == "PaymentFailed"
    assert await till.ledger() == []
    assert till.provider.calls_of("cancel") == [FIRST]


@on_the_till(paypay_create_timeout_s=10)
async def test_a_cancel_that_never_arrived_is_outlived_and_then_the_payment_counts(
    till: Till,
) -> None:
    till.provider.fail("cancel", NO_ANSWER)
    await closed_without_its_code(till)
    await asyncio.sleep(0.5)
    till.provider.pay(FIRST)
    await till.webhook()
    # The cancel may be on its way for 10 s, and then need 30.
    await asyncio.sleep(39)
    assert await till.statuses() == [AttemptStatus.UNKNOWN]
    await asyncio.sleep(25)
    assert await till.statuses() == [AttemptStatus.SUCCEEDED]
    assert till.provider.calls_of("cancel") == [FIRST]


@on_the_till(paypay_create_timeout_s=10)
async def test_a_cancel_that_could_not_leave_in_time_is_announced_anew(till: Till) -> None:
    """As of a process that was stopped behind its note: what is paid then is believed later."""
    till.provider.fail("create", After(NO_ANSWER))
    await unknown(till.create())
    till.lasting.queue_s = 4
    await unknown(till.close())
    await asyncio.sleep(60)
    assert till.provider.calls_of("cancel") == []
    till.lasting.queue_s = 0
    await asyncio.sleep(30)
    assert till.provider.calls_of("cancel") == [FIRST]
    assert till.provider.codes[FIRST].canceled


@pytest.mark.parametrize("cancel_s", [0.0, 3.0])
@pytest.mark.parametrize("loose", ["pause_s", "queue_s"])
@pytest.mark.parametrize("by_s", [0.1, 0.4])
@pytest.mark.parametrize("paid_at_s", [-0.9, -0.5, -0.3, -0.1, 0.0, 0.05, 0.2, 0.4, 0.8, 2.0, 3.5])
def test_whenever_it_is_paid_our_books_say_what_the_provider_holds(
    paid_at_s: float, by_s: float, loose: str, cancel_s: float
) -> None:
    """Also where who cancels and who hears of the money have read the same and then write."""

    @on_the_till(paypay_create_timeout_s=10)
    async def story(till: Till) -> None:
        till.provider.delay_s["cancel"] = cancel_s
        till.provider.fail("create", After(NO_ANSWER))
        await unknown(till.create())
        setattr(till.lasting, loose, by_s)

        async def pay() -> None:
            await asyncio.sleep(1 + paid_at_s)
            till.provider.pay(FIRST)
            await till.webhook()

        paying = asyncio.ensure_future(pay())
        await asyncio.sleep(1)
        with suppress(Unknown):
            await till.close()
        await paying
        await asyncio.sleep(120)
        (attempt,) = (await till.payments()).attempts
        held_yen = till.provider.codes[FIRST].held_yen(till.now_ms)
        assert held_yen == (1200 if attempt.status is AttemptStatus.SUCCEEDED else 0)
        assert sum(row[3] for row in await till.ledger()) == held_yen

    story()


@on_the_till(paypay_create_timeout_s=10)
async def test_a_request_that_never_arrived_is_waited_for_while_it_may_be_on_its_way(
    till: Till,
) -> None:
    till.provider.fail("create", NO_ANSWER)
    await unknown(till.create())
    assert await unknown(till.close()) == "PAYMENT_UNAVAILABLE"
    await asyncio.sleep(6)
    assert await unknown(till.close()) == "PAYMENT_UNAVAILABLE"
    await asyncio.sleep(10)
    assert (await till.close()).outcome is CloseOutcome.CLOSED


@on_the_till()
async def test_why_there_is_no_money(till: Till) -> None:
    await till.create()
    till.provider.decline(FIRST)
    await asyncio.sleep(4)
    assert (await till.close()).reason is OrderReason.PAYMENT_DECLINED


@on_the_till()
async def test_an_expired_attempt_closes_as_expired(till: Till) -> None:
    await till.create()
    await asyncio.sleep(306)
    assert (await till.close()).reason is OrderReason.PAYMENT_EXPIRED


@on_the_till()
async def test_a_refused_code_closes_as_unavailable(till: Till) -> None:
    till.provider.fail("create", Refused("INVALID_PARAMS"))
    await refusal(till.create())
    assert (await till.close()).reason is OrderReason.PAYMENT_UNAVAILABLE


def a_balance_payment(hold_id: str = "hold-1") -> RecordBalancePayment:
    return RecordBalancePayment(order_id=ORDER, amount=800, hold_id=hold_id)


@on_the_till()
async def test_a_wallet_payment_succeeds_at_once_and_once(till: Till) -> None:
    paid = await till.service.record_balance_payment(a_balance_payment())
    assert (paid.status, paid.provider, paid.amount) == (AttemptStatus.SUCCEEDED, "Balance", 800)
    assert await till.service.record_balance_payment(a_balance_payment()) == paid
    (event,) = await till.events()
    assert (event.event_type, event.provider, event.amount) == ("PaymentSucceeded", "Balance", 800)
    assert await till.ledger() == [("CAPTURE", "provider:Balance", f"order:{ORDER}", 800)]
    assert till.provider.calls == []


@on_the_till()
async def test_a_second_wallet_payment_is_refused(till: Till) -> None:
    await till.service.record_balance_payment(a_balance_payment())
    again = till.service.record_balance_payment(a_balance_payment("hold-2"))
    assert await refusal(again) == "ILLEGAL_STATE"
    assert len((await till.payments()).attempts) == 1


@on_the_till()
async def test_no_wallet_payment_for_a_closed_order(till: Till) -> None:
    await till.close()
    asked = till.service.record_balance_payment(a_balance_payment())
    assert await refusal(asked) == "ORDER_CLOSED"
    assert await till.ledger() == []
