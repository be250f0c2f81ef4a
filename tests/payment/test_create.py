"""A payable code: made once, whatever happens to its answer."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast

from tests.support.payment import ORDER, Till, on_the_till, refusal, unknown
from tests.support.provider import LIFETIME_S, NO_ANSWER, NOT_SENT, After, FakeProvider

from kessai.contracts.moves import AttemptStatus
from kessai.contracts.payment import CloseOutcome
from kessai.kernel.errors import Refused, Unknown
from kessai.payment.application.ports import Code, CodeRequest, Provider
from kessai.payment.main import build

FIRST, SECOND = f"{ORDER}-1", f"{ORDER}-2"


@on_the_till()
async def test_a_code_is_made(till: Till) -> None:
    attempt = await till.create()
    assert attempt.status is AttemptStatus.AWAITING
    assert attempt.merchant_payment_id == FIRST
    assert (attempt.number, attempt.amount, attempt.currency) == (1, 1200, "JPY")
    assert attempt.provider_status == "CREATED"
    assert attempt.url == "https://pay.test/04-0000000000000000"
    assert attempt.expires_at == "2026-01-15T03:05:00.000Z"
    assert (await till.payments()).attempts == (attempt,)
    assert till.provider.calls == [("create", FIRST)]


@on_the_till()
async def test_the_same_token_gets_the_same_code(till: Till) -> None:
    first = await till.create()
    assert await till.create() == first
    assert till.provider.calls == [("create", FIRST)]


@on_the_till()
async def test_two_at_once_with_the_same_token_make_one_code(till: Till) -> None:
    till.provider.delay_s["create"] = 2
    first, second = await asyncio.gather(till.create(), till.create())
    assert first == second
    assert till.provider.calls_of("create") == [FIRST]


@on_the_till()
async def test_two_at_once_with_other_tokens_make_one_code(till: Till) -> None:
    till.provider.delay_s["create"] = 2
    first, second = await asyncio.gather(
        till.create(), till.create(request_id="r2"), return_exceptions=True
    )
    assert not isinstance(first, BaseException)
    assert isinstance(second, Refused)
    assert second.code == "ILLEGAL_STATE"
    assert till.provider.calls_of("create") == [FIRST]


@on_the_till()
async def test_another_token_is_refused_while_a_code_is_live(till: Till) -> None:
    await till.create()
    assert await refusal(till.create(request_id="r2")) == "ILLEGAL_STATE"
    assert await till.statuses() == [AttemptStatus.AWAITING]


@on_the_till()
async def test_the_caller_gives_up_and_the_answer_is_kept(till: Till) -> None:
    till.provider.delay_s["create"] = 12
    try:
        async with asyncio.timeout(8):
            await till.create()
    except TimeoutError:
        pass
    assert await till.statuses() == [AttemptStatus.CREATING]
    attempt = await till.create()
    assert attempt.status is AttemptStatus.AWAITING
    assert till.provider.calls_of("create") == [FIRST]


@on_the_till()
async def test_a_clear_no_is_the_end_of_the_attempt(till: Till) -> None:
    till.provider.fail("create", Refused("DYNAMIC_QR_BAD_REQUEST", "no"))
    assert await refusal(till.create()) == "PAYMENT_UNAVAILABLE"
    (attempt,) = (await till.payments()).attempts
    assert attempt.status is AttemptStatus.FAILED
    assert attempt.error is not None
    assert attempt.error.code == "PAYMENT_UNAVAILABLE"
    assert attempt.error.message == "DYNAMIC_QR_BAD_REQUEST: no"
    assert await till.event_types() == ["PaymentFailed"]
    # The same token is told the same, without asking again.
    assert await refusal(till.create()) == "PAYMENT_UNAVAILABLE"
    assert till.provider.calls_of("create") == [FIRST]


@on_the_till()
async def test_a_provider_that_was_never_reached_is_a_clear_no(till: Till) -> None:
    till.provider.fail("create", NOT_SENT, NOT_SENT, NOT_SENT)
    started_ms = till.now_ms
    assert await refusal(till.create()) == "PAYMENT_UNAVAILABLE"
    assert till.now_ms - started_ms == 2000
    assert till.provider.calls_of("create") == [FIRST, FIRST, FIRST]
    assert till.provider.codes == {}
    assert await till.statuses() == [AttemptStatus.FAILED]


@on_the_till()
async def test_a_provider_that_comes_back_within_two_seconds_is_used(till: Till) -> None:
    till.provider.fail("create", NOT_SENT, NOT_SENT)
    assert (await till.create()).status is AttemptStatus.AWAITING


@on_the_till()
async def test_silence_after_an_unsent_try_stays_unknown(till: Till) -> None:
    till.provider.fail("create", NOT_SENT, NO_ANSWER)
    assert await unknown(till.create()) == "PAYMENT_UNAVAILABLE"
    assert await till.statuses() == [AttemptStatus.UNKNOWN]


@on_the_till()
async def test_an_error_before_the_effect_is_asked_again_and_succeeds(till: Till) -> None:
    till.provider.fail("create", NO_ANSWER)
    assert await unknown(till.create()) == "PAYMENT_UNAVAILABLE"
    assert await till.statuses() == [AttemptStatus.UNKNOWN]
    attempt = await till.create()
    assert attempt.status is AttemptStatus.AWAITING
    assert attempt.merchant_payment_id == FIRST
    assert till.provider.calls == [("create", FIRST), ("get", FIRST), ("create", FIRST)]
    assert await till.event_types() == ["PaymentAttemptChanged"]


@on_the_till()
async def test_a_lost_answer_is_outlived_before_a_new_code_is_made(till: Till) -> None:
    till.provider.fail("create", After(NO_ANSWER))
    started_ms = till.now_ms
    assert await unknown(till.create()) == "PAYMENT_UNAVAILABLE"
    assert await unknown(till.create()) == "PAYMENT_UNAVAILABLE"
    await asyncio.sleep(0.2)
    assert till.provider.codes[FIRST].canceled
    attempt = None
    for _ in range(LIFETIME_S + 10):
        try:
            attempt = await till.create(hold_s=900 - (till.now_ms - started_ms) / 1000)
            break
        except Unknown:
            assert list(till.provider.codes) == [FIRST]
            await asyncio.sleep(1)
    assert attempt is not None
    # The lifetime of a code and the grace: only then the second one.
    assert LIFETIME_S + 2 <= (till.now_ms - started_ms) / 1000 <= LIFETIME_S + 4
    assert attempt.merchant_payment_id == SECOND
    assert attempt.status is AttemptStatus.AWAITING
    assert await till.statuses() == [AttemptStatus.EXPIRED, AttemptStatus.AWAITING]
    assert till.provider.calls_of("create") == [FIRST, FIRST, SECOND]


@on_the_till()
async def test_a_no_to_the_second_try_does_not_prove_that_the_first_made_nothing(
    till: Till,
) -> None:
    till.provider.fail("create", After(NO_ANSWER), Refused("DYNAMIC_QR_BAD_REQUEST"))
    await unknown(till.create())
    assert await unknown(till.create()) == "PAYMENT_UNAVAILABLE"
    assert await till.statuses() == [AttemptStatus.UNKNOWN]
    await asyncio.sleep(0.2)
    assert till.provider.codes[FIRST].canceled


@on_the_till()
async def test_killed_between_intent_and_result_looks_before_it_asks_again(till: Till) -> None:
    till.provider.fail("create", After(asyncio.CancelledError()))  # type: ignore[arg-type]
    till.provider.delay_s["create"] = 5
    asking = asyncio.ensure_future(till.create())
    await asyncio.sleep(1)
    await till.start_again()
    till.provider.delay_s.clear()
    till.provider.trouble.clear()
    assert await till.statuses() == [AttemptStatus.CREATING]
    attempt = await till.create()
    assert attempt.status is AttemptStatus.AWAITING
    assert till.provider.calls[1:] == [("get", FIRST), ("create", FIRST)]
    assert asking.cancelled() or asking.done() or asking.cancel()


@on_the_till()
async def test_a_further_code_that_would_outlast_the_deadline_is_refused(till: Till) -> None:
    await till.create()
    till.provider.decline(FIRST)
    await asyncio.sleep(4)
    assert await till.statuses() == [AttemptStatus.FAILED]
    assert await refusal(till.create(request_id="r2", hold_s=299)) == "PAYMENT_UNAVAILABLE"
    assert await till.statuses() == [AttemptStatus.FAILED]
    second = await till.create(request_id="r2", hold_s=300)
    assert second.merchant_payment_id == SECOND


@on_the_till()
async def test_no_code_for_a_closed_order(till: Till) -> None:
    await till.close()
    assert await refusal(till.create()) == "ORDER_CLOSED"
    assert till.provider.calls == []


@on_the_till()
async def test_an_order_closed_while_its_code_is_made_ends_without_one(till: Till) -> None:
    till.provider.delay_s["create"] = 3
    asking = asyncio.ensure_future(refusal(till.create()))
    await asyncio.sleep(1)
    assert await unknown(till.close()) == "PAYMENT_UNAVAILABLE"
    assert await asking == "ORDER_CLOSED"
    await asyncio.sleep(5)
    assert till.provider.codes[FIRST].deleted
    assert await till.statuses() == [AttemptStatus.CANCELLED]


@on_the_till()
async def test_a_no_that_comes_while_the_attempt_moves_on_is_no_refusal(till: Till) -> None:
    till.provider.delay_s["create"] = 3
    till.provider.fail("create", Refused("DYNAMIC_QR_BAD_REQUEST", "no"))
    asking = asyncio.ensure_future(unknown(till.create()))
    await asyncio.sleep(2.9)
    till.lasting.queue_s = 0.2
    closing = asyncio.ensure_future(unknown(till.close()))
    assert await asking == "PAYMENT_UNAVAILABLE"
    assert await till.statuses() == [AttemptStatus.CREATING]
    assert await closing == "PAYMENT_UNAVAILABLE"
    till.lasting.queue_s = 0
    await asyncio.sleep(LIFETIME_S)
    assert (await till.close()).outcome is CloseOutcome.CLOSED
    assert await till.statuses() == [AttemptStatus.CANCELLED]


class SlowAnswers:
    """The provider as one process hears it: what it asks for is done, and told a minute later."""

    def __init__(self, provider: FakeProvider) -> None:
        self._provider = provider

    def __getattr__(self, name: str) -> Any:
        return getattr(self._provider, name)

    async def create_code(self, request: CodeRequest) -> Code:
        code = await self._provider.create_code(request)
        await asyncio.sleep(60)
        return code


class Asking:
    """The provider as one process asks it: late, or twice for once."""

    def __init__(self, provider: FakeProvider, *, after_s: float = 0, times: int = 1) -> None:
        self._provider = provider
        self._after_s, self._times = after_s, times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._provider, name)

    async def create_code(self, request: CodeRequest) -> Code:
        await asyncio.sleep(self._after_s)
        for _ in range(self._times - 1):
            await self._provider.create_code(request)
        return await self._provider.create_code(request)


@on_the_till()
async def test_who_asks_after_its_lease_does_not_end_the_attempt_of_another(till: Till) -> None:
    settings = till.runtime.settings.model_copy(update={"instance": "stopped"})
    runtime = replace(till.runtime, settings=settings)
    late = cast(Provider, Asking(till.provider, after_s=60))
    stopped = await build(runtime, provider=late)
    asking = asyncio.ensure_future(unknown(stopped.port.create_payment(till.wish())))
    await asyncio.sleep(40)
    attempt = await till.create()
    assert attempt.status is AttemptStatus.AWAITING
    assert await asking == "PAYMENT_UNAVAILABLE"
    await stopped.supervisor.stop()
    assert (await till.payments()).attempts == (attempt,)
    assert till.provider.calls_of("create") == [FIRST, FIRST]
    assert not till.provider.codes[FIRST].deleted


@on_the_till()
async def test_an_attempt_that_was_outlived_stays_ended_whatever_is_heard_later(till: Till) -> None:
    settings = till.runtime.settings.model_copy(update={"instance": "stopped"})
    runtime = replace(till.runtime, settings=settings)
    late = cast(Provider, Asking(till.provider, after_s=400, times=2))
    stopped = await build(runtime, provider=late)
    asking = asyncio.ensure_future(unknown(stopped.port.create_payment(till.wish())))
    await asyncio.sleep(390)
    assert await till.statuses() == [AttemptStatus.EXPIRED]
    assert await asking == "PAYMENT_UNAVAILABLE"
    await asyncio.sleep(30)
    await stopped.supervisor.stop()
    assert await till.statuses() == [AttemptStatus.EXPIRED]
    # What was told of it later is what the provider says, and never that it lives again.
    ended, *later = [event.model_dump() for event in await till.events()]
    assert ended["event_type"] == "PaymentExpired"
    assert {event["status"] for event in later} == {"EXPIRED"}


@on_the_till()
async def test_a_first_request_that_came_twice_has_made_a_code(till: Till) -> None:
    twice = cast(Provider, Asking(till.provider, times=2))
    unit = await build(till.runtime, provider=twice)
    assert await unknown(unit.port.create_payment(till.wish())) == "PAYMENT_UNAVAILABLE"
    assert await till.statuses() == [AttemptStatus.UNKNOWN]
    await asyncio.sleep(5)
    await unit.supervisor.stop()
    assert till.provider.codes[FIRST].canceled


@on_the_till()
async def test_an_answer_that_comes_after_its_code_was_given_up_is_never_shown(till: Till) -> None:
    settings = till.runtime.settings.model_copy(update={"instance": "stopped"})
    runtime = replace(till.runtime, settings=settings)
    stopped = await build(runtime, provider=cast(Provider, SlowAnswers(till.provider)))
    started_ms = till.now_ms
    asking = asyncio.ensure_future(unknown(stopped.port.create_payment(till.wish())))
    await asyncio.sleep(1)
    attempt = None
    while attempt is None and till.now_ms - started_ms < 100_000:
        try:
            attempt = await till.create()
        except Unknown:
            await asyncio.sleep(1)
    await stopped.supervisor.stop()
    assert await asking == "PAYMENT_UNAVAILABLE"
    assert till.provider.codes[FIRST].deleted
    assert attempt is not None
    assert attempt.merchant_payment_id == SECOND
    assert await till.statuses() == [AttemptStatus.EXPIRED, AttemptStatus.AWAITING]
    # Its end was proved by deleting it, long before a code that nobody saw is outlived.
    assert till.now_ms - started_ms < 80_000
