"""Every rate limit keeps the same promises: of one process, and in Redis for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from uuid import uuid4

import pytest
from redis.asyncio import Redis
from tests.support.servers import server_url

from kessai.kernel.clock import SystemClock
from kessai.kernel.errors import Kind, Refused, Unknown
from kessai.kernel.limits import MemoryRateLimit, RateLimit
from kessai.kernel.redis_limits import RedisRateLimit
from kessai.kernel.redis_server import open_redis

# So long that no test sees the next request earned.
HOUR_S = 3600.0
Open = Callable[[int, float], RateLimit]


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.stack)])
async def opened(request: pytest.FixtureRequest) -> AsyncIterator[Open]:
    """`opened(requests, period_s)` is always a limit of the same name."""
    if request.param == "memory":
        yield lambda requests, period_s: MemoryRateLimit(
            SystemClock(), requests=requests, period_s=period_s
        )
        return
    server, run = await open_redis(server_url("KESSAI_REDIS_URL")), f"t{uuid4().hex[:8]}"
    yield lambda requests, period_s: RedisRateLimit(
        server.client, "purchases", requests=requests, period_s=period_s, prefix=run
    )
    await server.close()


async def taken(limit: RateLimit, key: str, times: int) -> int:
    async def once() -> bool:
        try:
            await limit.take(key)
        except Refused:
            return False
        return True

    return sum(await asyncio.gather(*(once() for _ in range(times))))


@pytest.mark.parametrize("requests", [1, 3, 7, 60, 601])
async def test_exactly_as_many_as_allowed_pass_at_once(opened: Open, requests: int) -> None:
    assert await taken(opened(requests, HOUR_S), "alice", requests + 5) == requests


async def test_the_refusal_says_when(opened: Open) -> None:
    limit = opened(20, HOUR_S)
    await taken(limit, "alice", 20)
    with pytest.raises(Refused) as refused:
        await limit.take("alice")
    assert (refused.value.code, refused.value.kind) == ("TOO_MANY_REQUESTS", Kind.TOO_MANY)
    assert refused.value.retry_after_s is not None
    assert 170 <= refused.value.retry_after_s <= 180


async def test_what_was_refused_does_not_count(opened: Open) -> None:
    limit = opened(4, 2.0)
    assert await taken(limit, "alice", 50) == 4
    await asyncio.sleep(1.1)
    assert await taken(limit, "alice", 1) == 1


async def test_whoever_waits_as_long_as_told_passes(opened: Open) -> None:
    limit = opened(1, 1.0)
    await limit.take("alice")
    with pytest.raises(Refused) as refused:
        await limit.take("alice")
    await asyncio.sleep(refused.value.retry_after_s or 0)
    await limit.take("alice")


async def test_keys_do_not_share(opened: Open) -> None:
    limit = opened(1, HOUR_S)
    for key in ("alice", "bob", "bob:1", "2001:db8::1", "花子"):
        assert await taken(limit, key, 3) == 1


@pytest.mark.stack
async def test_processes_share_a_limit_and_names_do_not() -> None:
    url, run = server_url("KESSAI_REDIS_URL"), f"t{uuid4().hex[:8]}"
    servers = [await open_redis(url) for _ in range(3)]
    limits = [
        RedisRateLimit(one.client, "checks", requests=10, period_s=HOUR_S, prefix=run)
        for one in servers
    ]
    passed = await asyncio.gather(*(taken(limit, "alice", 10) for limit in limits))
    assert sum(passed) == 10
    other = RedisRateLimit(servers[0].client, "purchases", requests=10, period_s=HOUR_S, prefix=run)
    assert await taken(other, "alice", 20) == 10
    # What is earned back is not kept for ever.
    (key,) = await servers[0].client.keys(f"{run}:limit:checks:*")
    assert 0 < await servers[0].client.pttl(key) <= HOUR_S * 1000
    for one in servers:
        await one.close()


async def test_nobody_passes_uncounted_while_redis_is_down() -> None:
    client = Redis(host="127.0.0.1", port=9, socket_connect_timeout=0.5, socket_timeout=0.5)
    limit = RedisRateLimit(client, "purchases", requests=1000, period_s=60)
    with pytest.raises(Unknown) as raised:
        await limit.take("alice")
    assert raised.value.code == "REDIS_UNAVAILABLE"
    await client.aclose()
