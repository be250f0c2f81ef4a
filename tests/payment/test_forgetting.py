"""Webhooks are forgotten by age, what they led to is not."""

from __future__ import annotations

import asyncio

from tests.support.payment import ORDER, Till, on_the_till
from tests.support.provider import NO_ANSWER

from kessai.contracts.moves import AttemptStatus

DAY_S = 86_400
STORED = "select merchant_payment_id from webhook_inbox order by received_at_ms, id"


async def stored(till: Till) -> list[str]:
    return [row["merchant_payment_id"] for row in await till.rows(STORED)]


async def days(till: Till, count: float) -> None:
    """With nobody at work, and then with everybody for a moment."""
    await till.unit.supervisor.stop()
    await asyncio.sleep(count * DAY_S)
    await till.start_again()
    await asyncio.sleep(30)


async def paid_and_told(till: Till, name: str) -> str:
    order_id = name.ljust(26, "0")
    await till.create(order_id, request_id=name)
    payment = f"{order_id}-1"
    till.provider.pay(payment)
    assert (await till.webhook(payment)).stored
    await asyncio.sleep(60)
    return payment


@on_the_till(webhook_keep_days=2)
async def test_a_webhook_is_forgotten_after_its_days_and_the_payment_is_not(till: Till) -> None:
    first = await paid_and_told(till, "a")
    await days(till, 1.5)
    second = await paid_and_told(till, "b")
    assert await stored(till) == [first, second]
    await days(till, 1)
    assert await stored(till) == [second]
    (attempt,) = (await till.payments(first[:-2])).attempts
    assert attempt.status is AttemptStatus.SUCCEEDED
    # Nothing is the matter when it comes again: it is looked into once more.
    assert (await till.webhook(first)).stored
    await asyncio.sleep(60)
    assert (await till.payments(first[:-2])).attempts == (attempt,)


@on_the_till(webhook_keep_days=1)
async def test_one_that_came_again_counts_from_then(till: Till) -> None:
    first = await paid_and_told(till, "a")
    await days(till, 0.9)
    assert not (await till.webhook(first)).stored
    await paid_and_told(till, "b")
    await days(till, 0.9)
    assert len(await stored(till)) == 2


@on_the_till(webhook_keep_days=1)
async def test_one_that_is_not_dealt_with_is_kept(till: Till) -> None:
    await paid_and_told(till, "a")
    till.provider.fail("get", *[NO_ANSWER] * 1_000)
    waiting = [await paid_and_told(till, name) for name in "bc"]
    await days(till, 2)
    assert await stored(till) == waiting


@on_the_till(webhook_keep_days=1)
async def test_many_are_forgotten_in_one_round_and_never_the_last_of_all(till: Till) -> None:
    for number in range(1_203):
        await till.webhook(f"{ORDER}-9", order_id=f"pp-{number}")
    await asyncio.sleep(1)
    last = await paid_and_told(till, "a")
    await days(till, 2)
    assert await stored(till) == [last]
