"""Words that PayPay never said before: no verdict, no silence, and an operator who hears of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.support.payment import ORDER, Till, on_the_till
from tests.support.provider import NO_ANSWER, After

from kessai.contracts.moves import AttemptStatus
from kessai.contracts.payment import CloseOutcome
from kessai.kernel.errors import Refused
from kessai.payment.domain.evidence import KNOWN_WORDS, provider_word

FIRST = f"{ORDER}-1"
ODD: list[Any] = ["PONDERING", "completed", "", None, 17, ["COMPLETED"], "X" * 4000, "NOT_FOUND"]


@pytest.mark.parametrize("state", ODD, ids=lambda state: str(state)[:12])
def test_an_odd_word_of_a_webhook_is_looked_into_and_told(state: Any) -> None:
    @on_the_till()
    async def tale(till: Till) -> None:
        await till.create()
        till.provider.pay(FIRST)
        till.provider.fail("get", NO_ANSWER)
        await till.webhook(state=state)
        await till.webhook(state=state)
        await asyncio.sleep(3)
        assert await till.statuses() == [AttemptStatus.SUCCEEDED]
        (told,) = await till.signals()
        assert (told.signal, told.facts["word"]) == ("UnknownProviderWord", provider_word(state))

    tale()


@pytest.mark.parametrize("state", ODD, ids=lambda state: str(state)[:12])
def test_an_odd_word_alone_never_fails_a_payment(state: Any) -> None:
    @on_the_till()
    async def tale(till: Till) -> None:
        await till.create()
        till.provider.codes[FIRST].status = provider_word(state)
        await asyncio.sleep(400)
        assert await till.statuses() == [AttemptStatus.UNKNOWN]
        assert [one.signal for one in await till.signals()] == ["UnknownProviderWord"]
        assert await till.ledger() == []
        till.provider.pay(FIRST)
        await asyncio.sleep(30)
        assert await till.statuses() == [AttemptStatus.SUCCEEDED]

    tale()


@on_the_till()
async def test_a_flood_of_odd_words_is_told_ten_times(till: Till) -> None:
    await till.create()
    for number in range(40):
        await till.webhook(state=f"WORD_{number}")
    await asyncio.sleep(60)
    assert len(await till.signals()) == 10
    assert await till.statuses() == [AttemptStatus.AWAITING]


@pytest.mark.parametrize("word", sorted(KNOWN_WORDS))
def test_no_odd_word_passes_for_one_of_ours(word: str) -> None:
    assert provider_word([word]) not in KNOWN_WORDS
    assert provider_word(f"{word} ") not in KNOWN_WORDS
    assert provider_word(word.lower()) not in KNOWN_WORDS


@on_the_till()
async def test_an_authorisation_that_nobody_asked_for_is_released_by_the_close(till: Till) -> None:
    await till.create()
    till.provider.codes[FIRST].authorize = True
    till.provider.pay(FIRST)
    await asyncio.sleep(10)
    assert await till.statuses() == [AttemptStatus.AWAITING]
    till.provider.fail("cancel", NO_ANSWER, After(NO_ANSWER))
    assert (await till.close()).outcome is CloseOutcome.CLOSED
    await asyncio.sleep(10)
    assert await till.statuses() == [AttemptStatus.FAILED]
    assert await till.ledger() == []


@on_the_till()
async def test_a_refund_that_was_accepted_and_then_denied_is_stuck_and_told(till: Till) -> None:
    await till.create()
    till.provider.pay(FIRST)
    await asyncio.sleep(4)
    till.provider.refunds_are_back = False
    await till.refund()
    await asyncio.sleep(2)
    till.provider.refunds.clear()
    till.provider.fail("refund", *[Refused("REFUND_WINDOW_EXCEED")] * 40)
    await asyncio.sleep(500)
    assert [one.signal for one in await till.signals()] == ["RefundStuck"]
    till.provider.trouble.clear()
    till.provider.codes[FIRST].refunded_yen = 0
    till.provider.refunds_are_back = True
    await asyncio.sleep(60)
    assert await till.statuses() == [AttemptStatus.REFUNDED]
