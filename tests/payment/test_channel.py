"""Who first proved a capture: told in the event, and still the same when asked for later."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from tests.payment.test_domain import START, a_sighting, an_attempt
from tests.support.payment import ORDER, Till, on_the_till, unknown
from tests.support.provider import NO_ANSWER, After

from kessai.contracts.events import PaymentSucceeded
from kessai.contracts.payment import PaymentsOfOrder
from kessai.payment.domain.attempt import proved_by
from kessai.payment.domain.evidence import Evidence, Source

FIRST = f"{ORDER}-1"


def captured(source: Source, at_s: float) -> Evidence:
    return a_sighting("COMPLETED", at_s, source=source)


@pytest.mark.parametrize(
    ("evidence", "closing_s", "channel"),
    [
        ([], None, None),
        ([a_sighting("CREATED")], None, None),
        ([captured(Source.WEBHOOK, 1)], None, None),
        ([captured(Source.WEBHOOK, 1), captured(Source.POLL, 5)], None, "poll"),
        ([captured(Source.WEBHOOK, 1), captured(Source.ANNOUNCED, 2)], None, "webhook"),
        ([captured(Source.OPERATOR, 9), captured(Source.POLL, 8)], None, "poll"),
        ([captured(Source.OPERATOR, 7), captured(Source.POLL, 8)], None, "operator"),
        ([captured(Source.CREATE, 7)], None, "create"),
        ([captured(Source.CLOSE, 7)], None, "close"),
        ([captured(Source.POLL, 7)], 6, "close"),
        ([captured(Source.POLL, 7)], 8, "poll"),
        ([captured(Source.ANNOUNCED, 7)], 6, "webhook"),
        ([a_sighting("REFUNDED", 7)], None, "poll"),
    ],
)
def test_the_first_proof_names_the_channel(
    evidence: list[Evidence], closing_s: float | None, channel: str | None
) -> None:
    closing_ms = None if closing_s is None else START + int(closing_s * 1000)
    attempt = an_attempt(closing_at_ms=closing_ms)
    assert proved_by(attempt, evidence) == channel
    assert proved_by(attempt, evidence[::-1]) == channel


def test_two_proofs_of_one_moment_have_one_order() -> None:
    one = captured(Source.POLL, 5)
    two = replace(captured(Source.OPERATOR, 5), payment_id="pp-2")
    assert proved_by(an_attempt(), [one, two]) == proved_by(an_attempt(), [two, one])


async def told(till: Till) -> tuple[str | None, str | None]:
    """The channel and the capture's time, in the event; a later question has the same answer."""
    (event,) = [one for one in await till.events() if isinstance(one, PaymentSucceeded)]
    (attempt,) = [
        one
        for one in (await till.payments()).attempts
        if one.merchant_payment_id == event.merchant_payment_id
    ]
    assert (attempt.channel, attempt.completed_at) == (event.channel, event.captured_at)
    return event.channel, event.captured_at


@on_the_till()
async def test_a_webhook_that_the_look_up_confirms(till: Till) -> None:
    await till.create()
    await asyncio.sleep(1.5)
    till.provider.pay(FIRST)
    await till.webhook()
    await asyncio.sleep(60)
    assert await told(till) == ("webhook", "2026-01-15T03:00:01.000Z")


@on_the_till()
async def test_the_poller_and_a_webhook_that_came_after_it(till: Till) -> None:
    await till.create()
    till.provider.pay(FIRST)
    await asyncio.sleep(10)
    await till.webhook()
    await asyncio.sleep(60)
    assert await told(till) == ("poll", "2026-01-15T03:00:00.000Z")


@on_the_till()
async def test_a_check_before_everybody_else(till: Till) -> None:
    await till.create()
    till.provider.pay(FIRST)
    await till.service.check_payment(PaymentsOfOrder(order_id=ORDER))
    await till.webhook()
    await asyncio.sleep(60)
    assert (await told(till))[0] == "operator"


@on_the_till()
async def test_a_close_that_finds_the_money(till: Till) -> None:
    await till.create()
    await asyncio.sleep(4)
    till.provider.pay(FIRST)
    await till.close()
    await asyncio.sleep(60)
    assert (await told(till))[0] == "close"


@on_the_till()
async def test_a_create_call_that_is_made_again_and_finds_the_money(till: Till) -> None:
    till.provider.fail("create", After(NO_ANSWER))
    assert await unknown(till.create()) == "PAYMENT_UNAVAILABLE"
    till.provider.pay(FIRST)
    await till.create()
    assert (await told(till))[0] == "create"
