"""More attempts wait than the provider may be asked about: who is found first, and who is not."""

from __future__ import annotations

import asyncio

from tests.support.payment import ORDER, Till, on_the_till

from kessai.contracts.moves import AttemptStatus
from kessai.contracts.payment import PaymentsOfOrder
from kessai.payment.domain.schedule import FIRST_MINUTE_MS

# 32 look-ups at once that take so long are ten a second: what a quota would leave.
SLOW_S = 3.2
CROWD = 600


def order_id(number: int) -> str:
    return f"{number:026d}"


async def crowd(till: Till, count: int = CROWD, *, first: int = 0) -> None:
    for number in range(first, first + count):
        await till.create(order_id(number), hold_s=3600)


async def seconds_until_paid(till: Till, order: str = ORDER, limit_s: int = 400) -> float:
    """From now, to a tenth of a second."""
    begun_ms = till.now_ms
    for _ in range(limit_s * 10):
        if await till.statuses(order) == [AttemptStatus.SUCCEEDED]:
            return (till.now_ms - begun_ms) / 1000
        await asyncio.sleep(0.1)
    raise AssertionError(f"not found within {limit_s} s")


@on_the_till()
async def test_the_newest_is_found_although_hundreds_were_only_watched_before(till: Till) -> None:
    await crowd(till)
    till.provider.delay_s["get"] = SLOW_S
    # They have all been looked at since, so that they are only watched.
    await asyncio.sleep(FIRST_MINUTE_MS / 1000 + 2 * CROWD / 10)
    await till.create()
    till.provider.pay(f"{ORDER}-1")
    assert await seconds_until_paid(till) <= 3 + 2 * SLOW_S + 1


@on_the_till()
async def test_a_rush_of_new_ones_does_not_starve_who_has_waited_long(till: Till) -> None:
    await till.create(hold_s=3600)
    await asyncio.sleep(2 * FIRST_MINUTE_MS / 1000)
    till.provider.delay_s["get"] = SLOW_S
    rush = asyncio.create_task(_rush(till))
    await asyncio.sleep(FIRST_MINUTE_MS / 1000)
    till.provider.pay(f"{ORDER}-1")
    try:
        # One place in five is kept for the longest due; among those it waits for its turn.
        assert await seconds_until_paid(till) <= 30
    finally:
        rush.cancel()
        await asyncio.gather(rush, return_exceptions=True)


async def _rush(till: Till) -> None:
    """Six a second want to be looked at every three seconds: far more than ten a second."""
    number = 0
    while True:
        await till.create(order_id(number), hold_s=3600)
        number += 1
        await asyncio.sleep(1 / 6)


@on_the_till(poll_max_s=30)
async def test_who_asks_is_looked_at_again_soon(till: Till) -> None:
    await till.create(hold_s=3600)
    await asyncio.sleep(250)
    asked = len(till.provider.calls_of("get"))
    # The customer is back before PayPay's own look-up shows the payment.
    till.provider.pay(f"{ORDER}-1", seen_after_s=3)
    payments = await till.service.check_payment(PaymentsOfOrder(order_id=ORDER))
    assert [one.status for one in payments.attempts] == [AttemptStatus.AWAITING]
    assert await seconds_until_paid(till) <= 3 + 1.6
    assert len(till.provider.calls_of("get")) <= asked + 4


@on_the_till()
async def test_asking_about_a_payment_that_is_over_makes_nothing_due(till: Till) -> None:
    await till.create()
    till.provider.pay(f"{ORDER}-1")
    await till.webhook()
    await asyncio.sleep(1)
    await till.service.check_payment(PaymentsOfOrder(order_id=ORDER))
    (row,) = await till.rows("SELECT due_at_ms, asked_at_ms FROM attempt")
    assert row == {"due_at_ms": None, "asked_at_ms": None}


@on_the_till()
async def test_an_attempt_is_in_the_fast_lane_while_somebody_may_pay_or_it_is_closed(
    till: Till,
) -> None:
    async def lane() -> int:
        (row,) = await till.rows("SELECT lane FROM attempt")
        return int(row["lane"])

    await till.create(hold_s=3600)
    assert await lane() == 0
    await asyncio.sleep(90)
    assert await lane() == 1
    await till.service.check_payment(PaymentsOfOrder(order_id=ORDER))
    assert await lane() == 0
    await asyncio.sleep(90)
    assert await lane() == 1
    closing = asyncio.create_task(till.close())
    await asyncio.sleep(0.001)
    assert await lane() == 0
    await closing
    await asyncio.sleep(60)
    assert await lane() == 1
