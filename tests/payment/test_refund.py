"""Refunds: once, never more than came, and told to nobody before the money is back."""

from __future__ import annotations

import asyncio

from tests.support.payment import ORDER, Till, on_the_till, refusal
from tests.support.provider import NO_ANSWER, After

from kessai.contracts.moves import AttemptStatus, RefundStatus
from kessai.contracts.payment import RecordBalancePayment, RequestRefund
from kessai.kernel.errors import Refused

FIRST = f"{ORDER}-1"


async def a_paid_order(till: Till) -> None:
    await till.create()
    till.provider.pay(FIRST)
    await till.webhook()
    await asyncio.sleep(0.1)
    assert await till.statuses() == [AttemptStatus.SUCCEEDED]


@on_the_till()
async def test_the_whole_amount_goes_back(till: Till) -> None:
    await a_paid_order(till)
    asked = await till.refund()
    assert (asked.status, asked.amount) == (RefundStatus.REQUESTED, 1200)
    assert await till.statuses() == [AttemptStatus.REFUNDING]
    await asyncio.sleep(1)
    assert await till.statuses() == [AttemptStatus.REFUNDED]
    (refund,) = (await till.payments()).refunds
    assert refund.status is RefundStatus.COMPLETED
    event = (await till.events())[-1]
    assert (event.event_type, event.amount) == ("RefundCompleted", 1200)
    assert [(kind, yen) for kind, _, _, yen in await till.ledger()] == [
        ("CAPTURE", 1200),
        ("REFUND", 1200),
    ]


@on_the_till()
async def test_asked_twice_it_goes_back_once(till: Till) -> None:
    await a_paid_order(till)
    await asyncio.gather(till.refund(), till.refund())
    await asyncio.sleep(2)
    again = await till.refund()
    assert again.status is RefundStatus.COMPLETED
    assert list(till.provider.refunds) == ["refund-1"]
    assert (await till.event_types()).count("RefundCompleted") == 1


@on_the_till()
async def test_asked_twice_at_the_same_moment_both_are_given_the_one_refund(till: Till) -> None:
    await a_paid_order(till)
    till.lasting.pause_s = 0.01
    asked = await asyncio.gather(till.refund(), till.refund())
    assert [one.refund_id for one in asked] == ["refund-1", "refund-1"]
    await asyncio.sleep(2)
    assert [kind for kind, *_ in await till.ledger()] == ["CAPTURE", "REFUND"]


@on_the_till()
async def test_another_amount_under_the_same_id_is_a_mistake(till: Till) -> None:
    await a_paid_order(till)
    await till.refund(500)
    assert await refusal(till.refund(600)) == "IDEMPOTENCY_CONFLICT"
    assert len((await till.payments()).refunds) == 1


@on_the_till()
async def test_parts_add_up_and_no_more_goes_back_than_came(till: Till) -> None:
    await a_paid_order(till)
    await till.refund(500, refund_id="a")
    await asyncio.sleep(1)
    assert await till.statuses() == [AttemptStatus.SUCCEEDED]
    assert await refusal(till.refund(701, refund_id="b")) == "REFUND_EXCEEDS_CAPTURE"
    await till.refund(700, refund_id="c")
    await asyncio.sleep(1)
    assert await till.statuses() == [AttemptStatus.REFUNDED]
    assert await refusal(till.refund(1, refund_id="d")) == "REFUND_EXCEEDS_CAPTURE"
    assert sorted(till.provider.refunds) == ["a", "c"]


@on_the_till()
async def test_two_at_once_cannot_give_back_more_than_came(till: Till) -> None:
    await a_paid_order(till)
    first, second = await asyncio.gather(
        till.refund(700, refund_id="a"),
        till.refund(700, refund_id="b"),
        return_exceptions=True,
    )
    assert not isinstance(first, BaseException)
    assert isinstance(second, Refused)
    await asyncio.sleep(2)
    assert list(till.provider.refunds) == ["a"]


@on_the_till()
async def test_nothing_to_give_back(till: Till) -> None:
    assert await refusal(till.refund()) == "NOT_FOUND"
    await till.create()
    assert await refusal(till.refund()) == "ILLEGAL_STATE"
    assert (await till.payments()).refunds == ()


@on_the_till()
async def test_accepted_is_asked_about_until_it_is_back(till: Till) -> None:
    await a_paid_order(till)
    till.provider.refunds_are_back = False
    await till.refund()
    await asyncio.sleep(2)
    (refund,) = (await till.payments()).refunds
    assert refund.status is RefundStatus.ACCEPTED
    assert "RefundCompleted" not in await till.event_types()
    till.provider.refunds_are_back = True
    await asyncio.sleep(10)
    assert (await till.payments()).refunds[0].status is RefundStatus.COMPLETED
    assert till.provider.calls_of("refund") == ["refund-1"]


@on_the_till()
async def test_an_answer_that_is_lost_is_asked_for_and_not_sent_again(till: Till) -> None:
    await a_paid_order(till)
    till.provider.fail("refund", After(NO_ANSWER))
    await till.refund()
    await asyncio.sleep(5)
    assert (await till.payments()).refunds[0].status is RefundStatus.COMPLETED
    assert till.provider.calls_of("refund") == ["refund-1"]
    assert till.provider.calls_of("get_refund") == ["refund-1"]


@on_the_till()
async def test_a_request_that_never_arrived_is_sent_again(till: Till) -> None:
    await a_paid_order(till)
    till.provider.fail("refund", NO_ANSWER, NO_ANSWER)
    await till.refund()
    await asyncio.sleep(10)
    assert (await till.payments()).refunds[0].status is RefundStatus.COMPLETED
    assert till.provider.calls_of("refund") == ["refund-1"] * 3


@on_the_till()
async def test_after_a_long_outage_an_accepted_refund_is_soon_looked_at(till: Till) -> None:
    await a_paid_order(till)
    till.provider.fail("refund", *[NO_ANSWER] * 12)
    till.provider.refunds_are_back = False
    await till.refund()
    for _ in range(600):
        if (await till.payments()).refunds[0].status is RefundStatus.ACCEPTED:
            break
        await asyncio.sleep(0.5)
    till.provider.refunds_are_back = True
    await asyncio.sleep(3)
    assert (await till.payments()).refunds[0].status is RefundStatus.COMPLETED


@on_the_till()
async def test_throttled_waits_a_minute(till: Till) -> None:
    await a_paid_order(till)
    till.provider.fail("refund", Refused("THROTTLED"))
    await till.refund()
    await asyncio.sleep(59)
    assert (await till.payments()).refunds[0].status is RefundStatus.REQUESTED
    assert till.provider.calls_of("refund") == ["refund-1"]
    await asyncio.sleep(3)
    assert (await till.payments()).refunds[0].status is RefundStatus.COMPLETED


@on_the_till()
async def test_a_clear_no_is_final_and_an_operator_hears_of_it(till: Till) -> None:
    await a_paid_order(till)
    till.provider.fail("refund", Refused("REFUND_WINDOW_EXCEED"))
    await till.refund()
    await asyncio.sleep(60)
    assert (await till.payments()).refunds[0].status is RefundStatus.REJECTED
    (signal,) = await till.signals()
    assert (signal.signal, signal.facts["why"]) == ("RefundRejected", "REFUND_WINDOW_EXCEED")
    assert till.provider.calls_of("refund") == ["refund-1"]
    assert [kind for kind, *_ in await till.ledger()] == ["CAPTURE"]


@on_the_till()
async def test_a_refund_that_is_stuck_is_told_once(till: Till) -> None:
    await a_paid_order(till)
    till.provider.refunds_are_back = False
    await till.refund()
    await asyncio.sleep(250)
    assert await till.signals() == []
    await asyncio.sleep(200)
    assert [one.signal for one in await till.signals()] == ["RefundStuck"]


@on_the_till()
async def test_killed_while_refunding_the_next_life_goes_on(till: Till) -> None:
    await a_paid_order(till)
    till.provider.delay_s["refund"] = 10
    await till.refund()
    await asyncio.sleep(1)
    till.provider.delay_s.clear()
    await till.start_again()
    await asyncio.sleep(1)
    assert (await till.payments()).refunds[0].status is RefundStatus.COMPLETED
    assert len(till.provider.refunds) == 1


@on_the_till()
async def test_a_wallet_refund_is_done_when_the_wallet_is_credited(till: Till) -> None:
    await till.service.record_balance_payment(
        RecordBalancePayment(order_id=ORDER, amount=800, hold_id="hold-1")
    )
    command = RequestRefund(
        refund_id="r1", order_id=ORDER, merchant_payment_id=FIRST, amount=800, reason="CUSTOMER"
    )
    assert await refusal(till.service.request_refund(command)) == "ILLEGAL_STATE"
    assert (await till.payments()).refunds == ()
    credited = command.model_copy(update={"credited": True})
    refund = await till.service.request_refund(credited)
    assert refund.status is RefundStatus.COMPLETED
    assert await till.service.request_refund(credited) == refund
    assert await till.statuses() == [AttemptStatus.REFUNDED]
    assert await till.event_types() == ["PaymentSucceeded", "RefundCompleted"]
    assert [(kind, yen) for kind, _, _, yen in await till.ledger()] == [
        ("CAPTURE", 800),
        ("REFUND", 800),
    ]
    assert till.provider.calls == []
