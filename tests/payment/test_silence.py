"""Webhooks that stay away while payments are found by polling are told, and so is their return."""

from __future__ import annotations

import asyncio

from tests.support.payment import Till, on_the_till

WINDOW_S = 900


async def found_by_polling(till: Till, name: str, payments: int) -> None:
    for n in range(payments):
        order_id = f"{name}{n}".ljust(26, "0")
        await till.create(order_id, request_id=f"{name}{n}")
        till.provider.pay(f"{order_id}-1")
    await asyncio.sleep(60)


async def told(till: Till) -> list[str]:
    return [one.signal for one in await till.signals()]


@on_the_till(webhook_silence_s=WINDOW_S)
async def test_payments_without_any_webhook_are_told_once(till: Till) -> None:
    await found_by_polling(till, "a", 4)
    await asyncio.sleep(60)
    assert await told(till) == []
    await found_by_polling(till, "b", 1)
    await found_by_polling(till, "c", 6)
    assert await told(till) == ["WebhookSilence"]
    (signal,) = await till.signals()
    assert (signal.order_id, signal.source) == (None, "payment-service")
    await till.webhook(f"{'a0'.ljust(26, '0')}-1")
    await asyncio.sleep(60)
    assert await told(till) == ["WebhookSilence", "WebhooksHeard"]


@on_the_till(webhook_silence_s=WINDOW_S)
async def test_one_webhook_in_the_window_is_no_silence(till: Till) -> None:
    await found_by_polling(till, "a", 3)
    await till.webhook(f"{'a0'.ljust(26, '0')}-1")
    await found_by_polling(till, "b", 6)
    await asyncio.sleep(WINDOW_S - 150)
    assert "WebhookSilence" not in await told(till)
    # A window later, all of it came by polling.
    await asyncio.sleep(150)
    assert (await told(till)).count("WebhookSilence") == 1


@on_the_till(webhook_silence_s=WINDOW_S)
async def test_a_night_without_payments_is_no_silence(till: Till) -> None:
    await found_by_polling(till, "a", 4)
    await asyncio.sleep(10 * WINDOW_S)
    await found_by_polling(till, "b", 4)
    await asyncio.sleep(60)
    assert await told(till) == []


@on_the_till(webhook_silence_s=WINDOW_S)
async def test_a_forged_webhook_does_not_break_the_silence(till: Till) -> None:
    await found_by_polling(till, "a", 2)
    await till.webhook("nobody-1")
    await found_by_polling(till, "b", 5)
    assert await told(till) == ["WebhookSilence"]
    await till.webhook("nobody-2")
    await asyncio.sleep(60)
    assert await told(till) == ["WebhookSilence"]


@on_the_till(webhook_silence_s=WINDOW_S)
async def test_a_new_process_tells_the_end_of_what_an_old_one_told(till: Till) -> None:
    await found_by_polling(till, "a", 5)
    await till.start_again()
    await till.webhook(f"{'a0'.ljust(26, '0')}-1")
    await asyncio.sleep(60)
    assert await told(till) == ["WebhookSilence", "WebhooksHeard"]
