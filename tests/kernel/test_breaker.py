"""The breaker opens on failures only, and lets exactly one call try again."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.web import StillClock

from kessai.kernel.breaker import CircuitBreaker, CircuitOpen, State
from kessai.kernel.errors import Refused, Unknown


class Dependency:
    def __init__(self) -> None:
        self.asked = 0
        self.error: Exception | None = Unknown("PROVIDER_DOWN")
        self.gate: asyncio.Event | None = None

    async def ask(self) -> str:
        self.asked += 1
        if self.gate:
            await self.gate.wait()
        if self.error:
            raise self.error
        return "well"


async def fail(breaker: CircuitBreaker, dependency: Dependency, times: int) -> None:
    for _ in range(times):
        with pytest.raises(Unknown):
            await breaker.call(dependency.ask)


def state_of(breaker: CircuitBreaker) -> State:
    """Asked anew each time; the type checker takes a property for a constant."""
    return breaker.state


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def breaker(clock: StillClock) -> CircuitBreaker:
    return CircuitBreaker(clock, name="provider", failures=5, window_s=30, open_s=2, slow_s=1)


async def test_opens_after_the_fifth_failure_and_then_asks_nobody(breaker: CircuitBreaker) -> None:
    dependency = Dependency()
    await fail(breaker, dependency, 4)
    assert state_of(breaker) is State.CLOSED
    await fail(breaker, dependency, 1)
    assert state_of(breaker) is State.OPEN
    with pytest.raises(CircuitOpen) as turned_away:
        await breaker.call(dependency.ask)
    assert turned_away.value.code == "NOT_SENT"
    assert dependency.asked == 5


async def test_refusals_are_answers(breaker: CircuitBreaker) -> None:
    dependency = Dependency()
    dependency.error = Refused("OUT_OF_STOCK")
    for _ in range(50):
        with pytest.raises(Refused):
            await breaker.call(dependency.ask)
    assert state_of(breaker) is State.CLOSED
    assert dependency.asked == 50


async def test_failures_that_are_far_apart_do_not_open(
    breaker: CircuitBreaker, clock: StillClock
) -> None:
    dependency = Dependency()
    for _ in range(20):
        await fail(breaker, dependency, 1)
        clock.pass_s(7.6)  # five of them span more than the 30 s
    assert state_of(breaker) is State.CLOSED


async def test_a_few_failures_among_many_answers_do_not_open(breaker: CircuitBreaker) -> None:
    sick, well = Dependency(), Dependency()
    well.error = None
    for _ in range(20):
        await fail(breaker, sick, 1)
        await breaker.call(well.ask)
        await breaker.call(well.ask)
    assert state_of(breaker) is State.CLOSED


async def test_of_fifty_at_half_open_one_is_asked(
    breaker: CircuitBreaker, clock: StillClock
) -> None:
    dependency = Dependency()
    await fail(breaker, dependency, 5)
    clock.pass_s(2)
    assert state_of(breaker) is State.HALF_OPEN
    dependency.error, dependency.gate, dependency.asked = None, asyncio.Event(), 0
    calls = [asyncio.create_task(breaker.call(dependency.ask)) for _ in range(50)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    dependency.gate.set()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert dependency.asked == 1
    assert [answer for answer in answers if answer == "well"] == ["well"]
    assert sum(isinstance(answer, CircuitOpen) for answer in answers) == 49
    assert state_of(breaker) is State.CLOSED


async def test_a_failed_probe_opens_for_another_whole_pause(
    breaker: CircuitBreaker, clock: StillClock
) -> None:
    dependency = Dependency()
    await fail(breaker, dependency, 5)
    clock.pass_s(2)
    await fail(breaker, dependency, 1)
    clock.pass_s(1.9)
    assert state_of(breaker) is State.OPEN
    clock.pass_s(0.1)
    assert state_of(breaker) is State.HALF_OPEN
    assert dependency.asked == 6


async def test_a_cancelled_probe_gives_its_place_back(
    breaker: CircuitBreaker, clock: StillClock
) -> None:
    dependency = Dependency()
    await fail(breaker, dependency, 5)
    clock.pass_s(2)
    dependency.gate = asyncio.Event()
    probe = asyncio.create_task(breaker.call(dependency.ask))
    await asyncio.sleep(0)
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    assert state_of(breaker) is State.HALF_OPEN
    dependency.gate, dependency.error = None, None
    assert await breaker.call(dependency.ask) == "well"
    assert state_of(breaker) is State.CLOSED


async def test_a_probe_that_was_cancelled_for_being_slow_opens_again(
    breaker: CircuitBreaker, clock: StillClock
) -> None:
    dependency = Dependency()
    await fail(breaker, dependency, 5)
    clock.pass_s(2)
    dependency.gate = asyncio.Event()
    probe = asyncio.create_task(breaker.call(dependency.ask))
    await asyncio.sleep(0)
    clock.pass_s(1)
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    assert state_of(breaker) is State.OPEN


async def test_an_answer_to_a_call_from_before_the_opening_does_not_close(
    breaker: CircuitBreaker, clock: StillClock
) -> None:
    slow, dependency = Dependency(), Dependency()
    slow.error, slow.gate = None, asyncio.Event()
    early = asyncio.create_task(breaker.call(slow.ask))
    await asyncio.sleep(0)
    await fail(breaker, dependency, 5)
    clock.pass_s(2)
    dependency.gate = asyncio.Event()
    probe = asyncio.create_task(breaker.call(dependency.ask))
    await asyncio.sleep(0)
    slow.gate.set()
    assert await early == "well"
    with pytest.raises(CircuitOpen):
        await breaker.call(dependency.ask)
    dependency.gate.set()
    with pytest.raises(Unknown):
        await probe
    assert state_of(breaker) is State.OPEN
