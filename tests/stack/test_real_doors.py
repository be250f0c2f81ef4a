"""Two doors with one Redis: either knows the session, counts the same, and pushes any order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.process import Processes, is_free, processes
from tests.support.servers import private_servers, private_url, server_url

from kessai.proof.customer import Answered, Customer, SeenOrder, Watch
from kessai.proof.line import AiohttpLine

pytestmark = [pytest.mark.stack, pytest.mark.network, pytest.mark.timeout(400)]

SECOND = 97
READY_S = 60.0
ENDED_S = 30.0
CHECKS = 4


@asynccontextmanager
async def two_doors(system: Processes) -> AsyncIterator[tuple[Customer, Customer]]:
    """The second is a process of its own; one browser goes in and out of both."""
    port = 8080 + SECOND + system.offset
    system.start("up")
    system.start("serve", "bff", "--port", str(port))
    end = time.monotonic() + READY_S
    while is_free(port):
        assert time.monotonic() < end, system.log_tail()
        await asyncio.sleep(0.1)
    line = AiohttpLine(system.urls.shop)
    first = Customer(system.urls, line)
    yield first, Customer(replace(system.urls, shop=f"http://127.0.0.1:{port}"), line)
    await first.close()


async def buy(customer: Customer) -> SeenOrder:
    product = next(int(str(p["id"])) for p in await customer.products() if p["stock"])
    return await customer.purchase([(product, 1)], key=f"key-{time.monotonic_ns()}")


async def require_pushes(doors: tuple[Customer, Customer], order_id: str) -> None:
    """Both pages of the same order see it end, each frame once and in sequence."""
    async with AsyncExitStack() as stack:
        watches: list[Watch] = []
        for door in doors:
            # A ticket of its own for each page, minted by whichever door.
            order = await door.order(order_id)
            watches.append(await stack.enter_async_context(door.watching(order)))
        async with asyncio.timeout(ENDED_S):
            await asyncio.gather(*(watch.begun.wait() for watch in watches))
            await doors[0].pay(f"{order_id}-1")
            await asyncio.gather(*(watch.ended.wait() for watch in watches))
    for watch in watches:
        assert watch.frames[-1].order_status == "PAID"
        sequences = [frame.sequence for frame in watch.frames]
        assert sequences == sorted(set(sequences))
    assert len({watch.frames[-1].sequence for watch in watches}) == 1


async def checks_that_pass(doors: tuple[Customer, Customer], order_id: str) -> int:
    answers = []
    for n in range(4 * CHECKS):
        try:
            await doors[n % 2].act(order_id, "check")
            answers.append(200)
        except Answered as answered:
            answers.append(answered.status)
    assert set(answers) == {200, 429}
    return answers.count(200)


@pytest.mark.parametrize("bus", ["local", "kafka"])
async def test_either_door_serves_every_order(tmp_path: Path, bus: str) -> None:
    env = {
        "KESSAI_REDIS_URL": server_url("KESSAI_REDIS_URL"),
        "KESSAI_BUS_URL": server_url("KESSAI_BUS_URL") if bus == "kafka" else "local:",
        "KESSAI_CHECKS_PER_MINUTE": str(CHECKS),
    }
    with processes(tmp_path, **env) as system:
        async with two_doors(system) as doors:
            await doors[0].sign_in("shopper@example.com", "kessai-demo")
            for door in doors:
                order = await buy(door)
                await require_pushes(doors, order.order_id)
            waiting = await buy(doors[1])
            # One more is earned in a quarter of a minute.
            assert CHECKS <= await checks_that_pass(doors, waiting.order_id) <= CHECKS + 2


async def test_without_redis_both_doors_are_closed_and_open_by_themselves(tmp_path: Path) -> None:
    servers = private_servers()
    with processes(tmp_path, KESSAI_REDIS_URL=private_url("KESSAI_REDIS_URL")) as system:
        async with two_doors(system) as doors:
            await doors[0].sign_in("shopper@example.com", "kessai-demo")
            assert servers.run("down", "redis").returncode == 0
            try:
                for door in doors:
                    for closed in (buy(door), door.listed(), door.open_session()):
                        with pytest.raises(Answered) as answered:
                            await closed
                        told = (answered.value.status, answered.value.code)
                        assert told == (503, "REDIS_UNAVAILABLE")
            finally:
                assert servers.run("up", "redis").returncode == 0
            # The session was acknowledged, so it is still there.
            order = await buy(doors[1])
            await require_pushes(doors, order.order_id)
