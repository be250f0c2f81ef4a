"""Tokens come at their rate, takers wait in line, and one key's greed is nobody else's loss."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.web import StillClock, run_virtual

from kessai.kernel.errors import Kind, Refused
from kessai.kernel.limits import MemoryRateLimit, TokenBucket
from kessai.proof.virtual_time import VirtualClock


def test_takers_are_served_in_their_order_at_the_rate() -> None:
    served: list[tuple[int, float]] = []

    async def story() -> None:
        clock = VirtualClock()
        bucket = TokenBucket(clock, rate_per_s=2, burst=2)

        async def take(who: int) -> None:
            await bucket.take()
            served.append((who, clock.monotonic()))

        await asyncio.gather(*(take(who) for who in range(6)))

    run_virtual(story())
    assert served == [(0, 0.0), (1, 0.0), (2, 0.5), (3, 1.0), (4, 1.5), (5, 2.0)]


def test_a_large_taker_is_not_overtaken_by_small_ones() -> None:
    served: list[tuple[str, float]] = []

    async def story() -> None:
        clock = VirtualClock()
        bucket = TokenBucket(clock, rate_per_s=1, burst=1)

        async def take(who: str, n: float) -> None:
            await bucket.take(n)
            served.append((who, clock.monotonic()))

        await asyncio.gather(take("large", 3), take("small", 1))
        assert not bucket.try_take()

    run_virtual(story())
    assert served == [("large", 2.0), ("small", 3.0)]


def test_those_who_wait_go_on_in_groups() -> None:
    served: list[float] = []

    async def story() -> None:
        clock = VirtualClock()
        bucket = TokenBucket(clock, rate_per_s=8, burst=1, step_s=0.5)

        async def take() -> None:
            await bucket.take()
            served.append(clock.monotonic())

        await asyncio.gather(*(take() for _ in range(10)))

    run_virtual(story())
    assert served == [0.0] + [0.5] * 4 + [1.0] * 4 + [1.5]


def test_who_goes_ahead_does_not_queue_and_the_rate_holds_all_the_same() -> None:
    served: list[tuple[str, float]] = []

    async def story() -> None:
        clock = VirtualClock()
        bucket = TokenBucket(clock, rate_per_s=1, burst=1)

        async def take(who: str) -> None:
            await bucket.take()
            served.append((who, clock.monotonic()))

        waiting = [asyncio.ensure_future(take(who)) for who in ("a", "b", "c")]
        await asyncio.sleep(0)
        assert bucket.take_ahead(debt=4)
        assert bucket.take_ahead(debt=4)
        assert not bucket.take_ahead(debt=4)
        await asyncio.gather(*waiting)
        await take("later")

    run_virtual(story())
    assert served == [("a", 0.0), ("b", 1.0), ("c", 2.0), ("later", 5.0)]


async def test_try_take_does_not_wait() -> None:
    clock = StillClock()
    bucket = TokenBucket(clock, rate_per_s=10, burst=2)
    assert [bucket.try_take() for _ in range(3)] == [True, True, False]
    clock.pass_s(0.1)
    assert [bucket.try_take() for _ in range(2)] == [True, False]
    clock.pass_s(3600)
    assert [bucket.try_take() for _ in range(3)] == [True, True, False]


async def test_a_wait_over_the_limit_is_refused_and_takes_nothing() -> None:
    clock = StillClock()
    bucket = TokenBucket(clock, rate_per_s=1, burst=1, max_wait_s=0.5)
    assert bucket.try_take()
    with pytest.raises(Refused) as refused:
        await bucket.take()
    assert (refused.value.code, refused.value.kind) == ("TOO_MANY_REQUESTS", Kind.TOO_MANY)
    assert refused.value.retry_after_s == 1
    clock.pass_s(1)
    assert bucket.try_take()


def test_who_gives_up_gives_the_token_back() -> None:
    async def story() -> None:
        bucket = TokenBucket(VirtualClock(), rate_per_s=1, burst=1)
        await bucket.take()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await bucket.take()
        await asyncio.sleep(0.5)
        assert bucket.try_take()

    run_virtual(story())


async def test_a_pause_holds_all_back_and_does_not_add_up() -> None:
    clock = StillClock()
    bucket = TokenBucket(clock, rate_per_s=10, burst=5)
    bucket.pause(2)
    bucket.pause(2)
    clock.pass_s(2)
    assert not bucket.try_take()
    clock.pass_s(0.1)
    assert bucket.try_take()


async def taken(limit: MemoryRateLimit, key: str, times: int) -> int:
    """How many of `times` requests were let through."""
    passed = 0
    for _ in range(times):
        try:
            await limit.take(key)
            passed += 1
        except Refused:
            continue
    return passed


async def test_exactly_as_many_as_allowed_pass_and_the_refusal_says_when() -> None:
    clock = StillClock()
    limit = MemoryRateLimit(clock, requests=20, period_s=60)
    assert await taken(limit, "alice", 50) == 20
    with pytest.raises(Refused) as refused:
        await limit.take("alice")
    assert refused.value.retry_after_s == 3
    clock.pass_s(2.9)
    assert await taken(limit, "alice", 5) == 0
    clock.pass_s(0.1)
    assert await taken(limit, "alice", 5) == 1
    clock.pass_s(60)
    assert await taken(limit, "alice", 50) == 20


@pytest.mark.parametrize("requests", [1, 3, 7, 600, 1000])
async def test_rounding_never_costs_a_request(requests: int) -> None:
    clock = StillClock(passed_s=86_400.1)
    limit = MemoryRateLimit(clock, requests=requests, period_s=60)
    assert await taken(limit, "alice", requests + 5) == requests


async def test_keys_do_not_share() -> None:
    limit = MemoryRateLimit(StillClock(), requests=1, period_s=60)
    assert await taken(limit, "alice", 2) == 1
    assert await taken(limit, "bob", 2) == 1


async def test_memory_is_bounded_and_the_idle_are_forgotten_first() -> None:
    clock = StillClock()
    limit = MemoryRateLimit(clock, requests=1, period_s=60, max_keys=100)
    for n in range(1000):
        await limit.take(f"address-{n}")
    assert len(limit) == 100
    assert await taken(limit, "address-999", 1) == 0
    clock.pass_s(60)
    for n in range(60):
        await limit.take(f"later-{n}")
    assert len(limit) == 60


async def test_a_flood_of_other_keys_does_not_free_one_that_keeps_knocking() -> None:
    limit = MemoryRateLimit(StillClock(), requests=1, period_s=60, max_keys=10)
    await limit.take("greedy")
    for n in range(100):
        await limit.take(f"address-{n}")
        assert await taken(limit, "greedy", 1) == 0
