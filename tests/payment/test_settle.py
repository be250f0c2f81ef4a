"""One door for payment truth: webhook, poll and look-up, in whatever order they come."""

from __future__ import annotations

import asyncio

from tests.support.payment import ORDER, OTHER, Till, on_the_till, refusal, unknown
from tests.support.provider import NO_ANSWER

from kessai.contracts.moves import AttemptStatus, RefundStatus
from kessai.contracts.payment import CloseOutcome, PaymentsOfOrder, ReceiveWebhook

FIRST, SECOND = f"{ORDER}-1", f"{ORDER}-2"
CAPTURE = ("CAPTURE", "provider:PayPay", f"order:{ORDER}", 1200)


@on_the_till()
async def test_a_webhook_makes_us_ask_and_the_answer_settles(till: Till) -> None:
    await till.create()
    till.provider.pay(FIRST)
    assert (await till.webhook()).stored
    await asyncio.sleep(0.05)
    (attempt,) = (await till.payments()).attempts
    assert attempt.status is AttemptStatus.SUCCEEDED
    assert attempt.provider_status == "COMPLETED"
    assert attempt.payment_id == f"pp-{FIRST}"
    assert attempt.completed_at == "2026-01-15T03:00:00.000Z"
    (event,) = await till.events()
    assert event.event_type == "PaymentSucceeded"
    assert (event.order_id, event.merchant_payment_id) == (ORDER, FIRST)
    assert (event.payment_id, event.amount, event.currency) == (f"pp-{FIRST}", 1200, "JPY")
    assert await till.ledger() == [CAPTURE]
    (row,) = await till.rows("SELECT * FROM webhook_inbox")
    assert (row["status"], row["reason"], row["due_at_ms"]) == ("DONE", "SUCCEEDED", None)


@on_the_till()
async def test_without_any_webhook_the_poller_finds_the_payment(till: Till) -> None:
    await till.create()
    till.provider.pay(FIRST)
    await asyncio.sleep(2.9)
    assert await till.statuses() == [AttemptStatus.AWAITING]
    await asyncio.sleep(0.3)
    assert await till.statuses() == [AttemptStatus.SUCCEEDED]
    await asyncio.sleep(600)
    assert till.provider.calls_of("get") == [FIRST]
    assert await till.event_types() == ["PaymentSucceeded"]


@on_the_till()
async def test_webhook_and_poll_together_settle_once(till: Till) -> None:
    await till.create()
    await asyncio.sleep(2.9)
    till.provider.delay_s["get"] = 1
    till.provider.pay(FIRST)
    await till.webhook()
    await asyncio.sleep(3)
    assert await till.event_types() == ["PaymentSucceeded"]
    assert await till.ledger() == [CAPTURE]
    assert till.provider.calls_of("get") == [FIRST]


@on_the_till()
async def test_a_doubled_webhook_is_one_row_with_a_count(till: Till) -> None:
    await till.create()
    till.provider.pay(FIRST)
    stored = [(await till.webhook()).stored for _ in range(5)]
    assert stored == [True, False, False, False, False]
    await asyncio.sleep(0.1)
    (row,) = await till.rows("SELECT deliveries, status FROM webhook_inbox")
    assert row == {"deliveries": 5, "status": "DONE"}
    assert await till.event_types() == ["PaymentSucceeded"]


@on_the_till()
async def test_a_webhook_seen_again_long_after_changes_nothing(till: Till) -> None:
    await till.create()
    till.provider.pay(FIRST)
    await till.webhook()
    await asyncio.sleep(1800)
    asked = len(till.provider.calls)
    await till.webhook()
    await asyncio.sleep(60)
    assert len(till.provider.calls) == asked
    assert await till.event_types() == ["PaymentSucceeded"]


@on_the_till()
async def test_a_forged_completed_for_an_unpaid_order_is_only_looked_into(till: Till) -> None:
    await till.create()
    await till.webhook()
    await asyncio.sleep(30)
    assert await till.statuses() == [AttemptStatus.AWAITING]
    assert await till.events() == []
    assert await till.ledger() == []
    (row,) = await till.rows("SELECT status, reason, tries FROM webhook_inbox")
    assert row == {"status": "DONE", "reason": "UNCONFIRMED", "tries": 6}
    hints = await till.rows("SELECT word, times FROM evidence WHERE source = 'WEBHOOK'")
    assert hints == [{"word": "COMPLETED", "times": 6}]


@on_the_till()
async def test_a_forged_failed_does_not_end_a_live_attempt(till: Till) -> None:
    await till.create()
    await till.webhook(state="FAILED")
    await asyncio.sleep(2)
    assert await till.statuses() == [AttemptStatus.AWAITING]
    till.provider.pay(FIRST)
    await asyncio.sleep(4)
    assert await till.statuses() == [AttemptStatus.SUCCEEDED]


@on_the_till()
async def test_a_webhook_with_another_amount_believes_the_provider_and_not_the_text(
    till: Till,
) -> None:
    await till.create()
    till.provider.pay(FIRST)
    await till.webhook(order_amount="1")
    await asyncio.sleep(0.1)
    (attempt,) = (await till.payments()).attempts
    assert (attempt.status, attempt.amount) == (AttemptStatus.SUCCEEDED, 1200)


@on_the_till()
async def test_webhooks_that_concern_nobody_are_parked_with_a_reason(till: Till) -> None:
    await till.create()
    await till.webhook(f"{OTHER}-1")
    await till.webhook(merchant_id="somebody-else")
    await till.webhook(notification_type="customer.authorization.succeeded")
    await till.webhook(merchant_order_id={"not": "text"})
    await asyncio.sleep(1)
    rows = await till.rows("SELECT status, reason FROM webhook_inbox ORDER BY reason")
    assert [row["reason"] for row in rows] == [
        "FOREIGN_MERCHANT",
        "NO_TRANSACTION",
        "UNKNOWN_ORDER",
        "UNREADABLE_FIELDS",
    ]
    assert [row["status"] for row in rows] == ["PARKED"] * 4
    assert till.metric('webhooks_received_total{outcome="FOREIGN_MERCHANT"}') == 1
    assert till.provider.calls_of("get") == []


@on_the_till()
async def test_what_is_no_json_object_is_refused_and_not_stored(till: Till) -> None:
    for body in (b"", b"not json", b"[]", b"\xff\xfe", b"[" * 10_000, b'"text"'):
        asked = till.service.receive_webhook(ReceiveWebhook(body=body, source="127.0.0.1"))
        assert await refusal(asked) == "BAD_REQUEST"
    too_large = ReceiveWebhook(body=b" " * 65537, source="127.0.0.1")
    assert await refusal(till.service.receive_webhook(too_large)) == "TOO_LARGE"
    assert await till.rows("SELECT id FROM webhook_inbox") == []
    assert till.metric('webhooks_received_total{outcome="BAD_REQUEST"}') == 6
    assert till.metric('webhooks_received_total{outcome="TOO_LARGE"}') == 1


@on_the_till()
async def test_a_webhook_that_outruns_the_look_up_is_asked_again_soon(till: Till) -> None:
    """The provider's read side lags behind the payment."""
    await till.create()
    till.provider.pay(FIRST, seen_after_s=1)
    await till.webhook()
    await asyncio.sleep(1.2)
    assert await till.statuses() == [AttemptStatus.SUCCEEDED]


@on_the_till()
async def test_a_silent_provider_leaves_the_webhook_waiting(till: Till) -> None:
    await till.create()
    till.provider.pay(FIRST)
    till.provider.fail("get", *[NO_ANSWER] * 3)
    await till.webhook()
    await asyncio.sleep(0.5)
    assert await till.statuses() == [AttemptStatus.AWAITING]
    await asyncio.sleep(10)
    assert await till.statuses() == [AttemptStatus.SUCCEEDED]
    (row,) = await till.rows("SELECT status FROM webhook_inbox")
    assert row["status"] == "DONE"


@on_the_till()
async def test_another_amount_is_refused_and_given_back(till: Till) -> None:
    await till.create()
    till.provider.pay(FIRST, 900)
    await asyncio.sleep(10)
    payments = await till.payments()
    (attempt,), (refund,) = payments.attempts, payments.refunds
    assert attempt.status is AttemptStatus.FAILED
    assert attempt.error is not None
    assert attempt.error.code == "AMOUNT_MISMATCH"
    assert (refund.status, refund.amount) == (RefundStatus.COMPLETED, 900)
    assert refund.reason == "AMOUNT_MISMATCH"
    assert await till.event_types() == ["PaymentFailed", "RefundCompleted"]
    (signal,) = await till.signals()
    assert (signal.signal, signal.order_id) == ("AmountDiffers", ORDER)
    assert signal.facts == {"subject": FIRST, "expected": 1200, "paid": 900}
    assert [(kind, yen) for kind, _, _, yen in await till.ledger()] == [
        ("CAPTURE", 900),
        ("REFUND", 900),
    ]


@on_the_till()
async def test_another_currency_never_succeeds(till: Till) -> None:
    await till.create()
    till.provider.pay(FIRST)
    till.provider.codes[FIRST].currency = "USD"
    await asyncio.sleep(5)
    assert await till.statuses() == [AttemptStatus.FAILED]
    assert "PaymentSucceeded" not in await till.event_types()


@on_the_till()
async def test_a_declined_payment_fails_and_a_new_attempt_may_follow(till: Till) -> None:
    await till.create()
    till.provider.decline(FIRST)
    await asyncio.sleep(4)
    (attempt,) = (await till.payments()).attempts
    assert attempt.status is AttemptStatus.FAILED
    assert attempt.error is not None
    assert attempt.error.code == "PAYMENT_DECLINED"
    assert await till.event_types() == ["PaymentFailed"]
    second = await till.create(request_id="r2")
    assert (second.merchant_payment_id, second.status) == (SECOND, AttemptStatus.AWAITING)


@on_the_till()
async def test_a_cancel_that_won_gives_the_money_back_and_is_told(till: Till) -> None:
    await till.create()
    till.provider.pay(FIRST)
    await till.webhook()
    await asyncio.sleep(0.1)
    till.provider.codes[FIRST].status = "FAILED"
    await till.service.check_payment(PaymentsOfOrder(order_id=ORDER))
    (attempt,) = (await till.payments()).attempts
    assert attempt.status is AttemptStatus.FAILED
    assert attempt.error is not None
    assert attempt.error.code == "PAYMENT_RETURNED"
    assert await till.event_types() == ["PaymentSucceeded", "PaymentFailed"]
    assert [one.signal for one in await till.signals()] == ["MoneyReturned"]
    assert await till.ledger() == [
        CAPTURE,
        ("RETURN", f"order:{ORDER}", "provider:PayPay", 1200),
    ]
    assert await refusal(till.refund()) == "ILLEGAL_STATE"


@on_the_till()
async def test_an_unknown_word_is_shown_to_an_operator_and_proves_nothing(till: Till) -> None:
    await till.create()
    till.provider.codes[FIRST].status = "PONDERING"
    await asyncio.sleep(20)
    (attempt,) = (await till.payments()).attempts
    assert (attempt.status, attempt.provider_status) == (AttemptStatus.UNKNOWN, "PONDERING")
    (signal,) = await till.signals()
    assert signal.signal == "UnknownProviderWord"
    assert signal.facts["word"] == "PONDERING"
    till.provider.pay(FIRST)
    await asyncio.sleep(10)
    assert await till.statuses() == [AttemptStatus.SUCCEEDED]


@on_the_till()
async def test_the_customer_asks_now(till: Till) -> None:
    await till.create()
    till.provider.pay(FIRST)
    checked = await till.service.check_payment(PaymentsOfOrder(order_id=ORDER))
    assert checked.attempts[0].status is AttemptStatus.SUCCEEDED


@on_the_till()
async def test_a_check_without_an_answer_is_unknown_and_changes_nothing(till: Till) -> None:
    before = await till.create()
    till.provider.fail("get", NO_ANSWER)
    asked = till.service.check_payment(PaymentsOfOrder(order_id=ORDER))
    assert await unknown(asked) == "NO_ANSWER"
    assert (await till.payments()).attempts == (before,)


@on_the_till()
async def test_paid_in_the_last_second_is_paid(till: Till) -> None:
    await till.create()
    await asyncio.sleep(299.9)
    till.provider.pay(FIRST)
    await asyncio.sleep(10)
    assert await till.statuses() == [AttemptStatus.SUCCEEDED]
    assert not till.provider.codes[FIRST].deleted


@on_the_till()
async def test_paid_one_second_after_expiry_is_paid(till: Till) -> None:
    """The code lives until it is deleted, whatever its own date says."""
    await till.create()
    await asyncio.sleep(301)
    till.provider.pay(FIRST)
    await asyncio.sleep(10)
    assert await till.statuses() == [AttemptStatus.SUCCEEDED]
    assert await till.event_types() == ["PaymentSucceeded"]


@on_the_till()
async def test_an_unpaid_code_is_deleted_asked_about_and_then_expired(till: Till) -> None:
    await till.create()
    await asyncio.sleep(302.5)
    assert till.provider.codes[FIRST].deleted
    assert await till.statuses() == [AttemptStatus.AWAITING]
    await asyncio.sleep(2)
    assert await till.statuses() == [AttemptStatus.EXPIRED]
    assert await till.event_types() == ["PaymentExpired"]
    assert till.provider.calls_of("delete") == ["04-0000000000000000"]


@on_the_till()
async def test_a_late_success_after_the_end_is_found(till: Till) -> None:
    await till.create()
    await asyncio.sleep(306)
    assert await till.statuses() == [AttemptStatus.EXPIRED]
    code = till.provider.codes[FIRST]
    code.deleted = False
    till.provider.pay(FIRST)
    await asyncio.sleep(30)
    assert await till.statuses() == [AttemptStatus.SUCCEEDED]
    assert await till.event_types() == ["PaymentExpired", "PaymentSucceeded"]
    assert await till.ledger() == [CAPTURE]


@on_the_till()
async def test_after_the_end_it_asks_four_times_more_and_then_never(till: Till) -> None:
    await till.create()
    await asyncio.sleep(306)
    asked = len(till.provider.calls_of("get"))
    await asyncio.sleep(3700)
    assert len(till.provider.calls_of("get")) - asked == 4
    (row,) = await till.rows("SELECT due_at_ms FROM attempt")
    assert row["due_at_ms"] is None


@on_the_till()
async def test_a_stale_answer_right_after_the_delete_is_not_believed(till: Till) -> None:
    """Paid while we were closing: the look-up still says CREATED for a second."""
    await till.create()
    await asyncio.sleep(5)
    code = till.provider.codes[FIRST]
    closing = asyncio.ensure_future(till.close())
    await asyncio.sleep(0.05)
    assert code.deleted
    code.deleted = False
    till.provider.pay(FIRST, seen_after_s=1.5)
    assert (await closing).outcome is CloseOutcome.PAID
    assert await till.statuses() == [AttemptStatus.SUCCEEDED]


@on_the_till()
async def test_a_code_that_was_paid_before_the_delete_is_waited_for(till: Till) -> None:
    await till.create()
    await asyncio.sleep(5)
    till.provider.pay(FIRST, seen_after_s=60)
    assert await unknown(till.close()) == "PAYMENT_UNAVAILABLE"
    assert await till.statuses() == [AttemptStatus.AWAITING]
    await asyncio.sleep(61)
    assert (await till.close()).outcome is CloseOutcome.PAID


@on_the_till()
async def test_ten_abandoned_carts_do_not_delay_the_eleventh(till: Till) -> None:
    orders = [f"{n:02d}" + ORDER[2:] for n in range(10)]
    for order_id in orders:
        await till.create(order_id)
    await asyncio.sleep(120)
    await till.create()
    till.provider.pay(FIRST)
    await asyncio.sleep(3.2)
    assert await till.statuses() == [AttemptStatus.SUCCEEDED]


@on_the_till()
async def test_a_slow_look_up_does_not_hold_up_the_others(till: Till) -> None:
    orders = [f"{n:02d}" + ORDER[2:] for n in range(20)]
    for order_id in orders:
        await till.create(order_id)
        till.provider.pay(f"{order_id}-1")
    till.provider.delay_s["get"] = 14
    await asyncio.sleep(3 + 14 + 1)
    for order_id in orders:
        assert await till.statuses(order_id) == [AttemptStatus.SUCCEEDED]


@on_the_till()
async def test_polling_slows_down_and_never_stops(till: Till) -> None:
    await till.create()
    await asyncio.sleep(60)
    first_minute = len(till.provider.calls_of("get"))
    assert 18 <= first_minute <= 21
    await asyncio.sleep(180)
    before = len(till.provider.calls_of("get"))
    await asyncio.sleep(60)
    assert 5 <= len(till.provider.calls_of("get")) - before <= 8


@on_the_till()
async def test_killed_while_polling_the_next_life_goes_on(till: Till) -> None:
    await till.create()
    till.provider.delay_s["get"] = 10
    till.provider.pay(FIRST)
    await asyncio.sleep(5)
    till.provider.delay_s.clear()
    await till.start_again()
    await asyncio.sleep(0.3)
    assert await till.statuses() == [AttemptStatus.SUCCEEDED]


@on_the_till()
async def test_killed_before_the_webhook_was_looked_into(till: Till) -> None:
    await till.create()
    till.provider.delay_s["get"] = 10
    till.provider.pay(FIRST)
    await till.webhook()
    await asyncio.sleep(0.5)
    till.provider.delay_s.clear()
    await till.start_again()
    await asyncio.sleep(0.3)
    assert await till.statuses() == [AttemptStatus.SUCCEEDED]
    (row,) = await till.rows("SELECT status FROM webhook_inbox")
    assert row["status"] == "DONE"
