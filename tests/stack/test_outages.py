"""Each server goes away while customers buy: docs/operations/degradation.md, row by row.

The shop runs as processes on a stack of its own, so that nobody else misses a server.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from tests.support.fleet import SHORT_WINDOWS, require_agreement, wait_until_up
from tests.support.outages import Server, Traffic, own_stack, searches, traffic
from tests.support.process import Processes, processes
from tests.support.stack import Shell

from kessai.proof.customer import Answered, Customer

pytestmark = [pytest.mark.stack, pytest.mark.network, pytest.mark.timeout(900)]

WAYS = ("stopped", "restarted", "paused", "killed")
RECOVERED_WITHIN_S = 10.0
UP = "up --profile stack"


@pytest.fixture(scope="module")
def shell() -> Shell:
    return own_stack()


@pytest.fixture(scope="module")
def shop(shell: Shell, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    env = {**SHORT_WINDOWS, "KESSAI_ORDER_DEADLINE_S": "120"}
    logs = tmp_path_factory.mktemp("outages")
    with processes(logs, KESSAI_DATA_DIR=str(shell.folder), **env) as system:
        system.start(*UP.split())
        wait_until_up(system)
        yield system
        system.env |= shell.settings()
        require_agreement(system)
        assert system.stop(UP, timeout_s=60) == 0


@dataclass
class Outage:
    """One row: what was seen while the server was away, and from its return on."""

    traffic: Traffic
    away: dict[str, int]
    back: dict[str, int]
    recovered_after_s: float


async def outage(system: Processes, server: Server, way: str) -> Outage:
    async with traffic(system.urls) as made:
        await asyncio.sleep(2)
        began = time.monotonic()
        await asyncio.to_thread(getattr(server, way))
        back = time.monotonic()
        await made.until_well(back, within_s=60)
        recovered = made.recovered_after_s(back)
    return Outage(made, made.seen(began, back), made.seen(back, time.monotonic()), recovered)


async def converge(system: Processes, made: Traffic, within_s: float) -> list[str]:
    """The orders that were paid and are not PAID in time."""
    open_orders = list(made.paid)
    end = time.monotonic() + within_s
    async with Customer(system.urls) as customer:
        await customer.sign_in("shopper@example.com", "kessai-demo")
        while open_orders and time.monotonic() < end:
            seen = {one: (await customer.order(one)).status for one in open_orders}
            open_orders = [one for one, status in seen.items() if status != "PAID"]
            await asyncio.sleep(0.5)
    return open_orders


def only(counts: dict[str, int], *allowed: str) -> bool:
    return set(counts) <= {f"purchase: {one}" for one in allowed}


DATABASE_AWAY = (
    "503 DATABASE_UNAVAILABLE",
    "503 ORDER_SERVICE_UNAVAILABLE",
    "503 PAYMENT_UNAVAILABLE",
    "503 STORAGE_SERVICE_UNAVAILABLE",
    "503 ACCOUNT_SERVICE_UNAVAILABLE",
    "409 IDEMPOTENCY_IN_FLIGHT",
)


@pytest.mark.parametrize("way", WAYS)
async def test_without_mysql_nothing_is_sold_and_nothing_is_lost(
    shell: Shell, shop: Processes, way: str
) -> None:
    seen = await outage(shop, Server(shell, "mariadb"), way)
    assert only(seen.away, "ok", *DATABASE_AWAY), seen.away
    assert any(what.startswith("purchase: 503") for what in seen.away), seen.away
    assert only(seen.back, "ok", *DATABASE_AWAY), seen.back
    assert seen.recovered_after_s < RECOVERED_WITHIN_S
    assert await converge(shop, seen.traffic, 60) == []


@pytest.mark.parametrize("way", WAYS)
async def test_without_redis_the_api_says_so_and_comes_back(
    shell: Shell, shop: Processes, way: str
) -> None:
    seen = await outage(shop, Server(shell, "redis"), way)
    assert only(seen.away, "ok", "503 REDIS_UNAVAILABLE"), seen.away
    assert seen.away.get("purchase: 503 REDIS_UNAVAILABLE"), seen.away
    assert only(seen.back, "ok", "503 REDIS_UNAVAILABLE"), seen.back
    assert seen.recovered_after_s < RECOVERED_WITHIN_S
    # What was paid before and meanwhile needs no session.
    assert await converge(shop, seen.traffic, 60) == []


async def test_without_redis_every_path_of_the_api_is_503(shell: Shell, shop: Processes) -> None:
    server = Server(shell, "redis")
    async with Customer(shop.urls) as customer:
        await customer.sign_in("shopper@example.com", "kessai-demo")
        await asyncio.to_thread(server.down)
        try:
            for ask in (customer.listed(), customer.open_session(), customer.order("0" * 26)):
                with pytest.raises(Answered) as answered:
                    await ask
                assert (answered.value.status, answered.value.code) == (503, "REDIS_UNAVAILABLE")
                assert answered.value.retry_after_s
        finally:
            await asyncio.to_thread(server.up)


@pytest.mark.parametrize("way", WAYS)
async def test_without_kafka_everything_is_sold_and_converges_over_http(
    shell: Shell, shop: Processes, way: str
) -> None:
    seen = await outage(shop, Server(shell, "kafka"), way)
    assert only({**seen.away, **seen.back}, "ok"), (seen.away, seen.back)
    assert await converge(shop, seen.traffic, 60) == []


async def test_while_kafka_is_away_orders_are_paid_and_shown(shell: Shell, shop: Processes) -> None:
    server = Server(shell, "kafka")
    await asyncio.to_thread(server.down)
    try:
        async with traffic(shop.urls) as made:
            await asyncio.sleep(5)
        assert len(made.paid) >= 4
        assert await converge(shop, made, 60) == []
    finally:
        await asyncio.to_thread(server.up)


@pytest.mark.parametrize("way", WAYS)
async def test_without_elasticsearch_everything_is_sold_and_searching_says_so(
    shell: Shell, shop: Processes, way: str
) -> None:
    async with searches(shop.urls) as looked:
        await looked.until_found(within_s=120)
        before = len(looked.answers)
        seen = await outage(shop, Server(shell, "elasticsearch"), way)
        await looked.until_found(within_s=60)
    assert only({**seen.away, **seen.back}, "ok"), (seen.away, seen.back)
    assert {one.what for one in looked.answers[before:]} == {"ok", "503 SEARCH_UNAVAILABLE"}
    assert await converge(shop, seen.traffic, 60) == []
