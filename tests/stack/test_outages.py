"""Each server goes away while customers buy: docs/operations/degradation.md, row by row.

The shop runs as processes on a stack of its own, so that nobody else misses a server.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass

import pytest
from tests.support.fleet import SHORT_WINDOWS, require_agreement, wait_until_up
from tests.support.kernel import eventually
from tests.support.outages import Away, Looks, Traffic, looks, own_stack, traffic
from tests.support.process import Processes, processes
from tests.support.stack import Shell
from tests.support.visitor import Visitor, a_picture, visitor

from kessai.kernel.mongo import open_mongo
from kessai.order.gateway.archive import COLLECTION
from kessai.proof.customer import Answered, Customer

pytestmark = [pytest.mark.stack, pytest.mark.long, pytest.mark.network, pytest.mark.timeout(900)]

WAYS = ("stopped", "restarted", "paused", "killed")
# Those that are away for longer than anybody waits for an answer.
LONG = ("stopped", "paused")
RECOVERED_WITHIN_S = 10.0
# Of the trail of an order that was paid.
ENTRIES = 8
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


async def outage(
    system: Processes,
    servers: Away,
    way: str,
    meanwhile: Callable[[], Awaitable[object]] | None = None,
) -> Outage:
    async with traffic(system.urls) as made:
        await asyncio.sleep(2)
        began = time.monotonic()
        away = asyncio.create_task(asyncio.to_thread(getattr(servers, way)))
        if meanwhile is not None:
            await meanwhile()
        await away
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
    """Also to those whose order was taken and had no code yet, and who asked for it later."""
    return set(counts) <= {f"{what}: {one}" for what in ("purchase", "order") for one in allowed}


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
    seen = await outage(shop, Away(shell, "mariadb"), way)
    assert only(seen.away, "ok", *DATABASE_AWAY), seen.away
    assert any(what.startswith("purchase: 503") for what in seen.away), seen.away
    assert only(seen.back, "ok", *DATABASE_AWAY), seen.back
    assert seen.recovered_after_s < RECOVERED_WITHIN_S
    assert await converge(shop, seen.traffic, 60) == []


@pytest.mark.parametrize("way", WAYS)
async def test_without_redis_the_api_says_so_and_comes_back(
    shell: Shell, shop: Processes, way: str
) -> None:
    seen = await outage(shop, Away(shell, "redis"), way)
    assert only(seen.away, "ok", "503 REDIS_UNAVAILABLE"), seen.away
    assert seen.away.get("purchase: 503 REDIS_UNAVAILABLE"), seen.away
    assert only(seen.back, "ok", "503 REDIS_UNAVAILABLE"), seen.back
    assert seen.recovered_after_s < RECOVERED_WITHIN_S
    # What was paid before and meanwhile needs no session.
    assert await converge(shop, seen.traffic, 60) == []


async def test_without_redis_every_path_of_the_api_is_503(shell: Shell, shop: Processes) -> None:
    server = Away(shell, "redis")
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


@pytest.mark.parametrize("way", WAYS[1:])
async def test_without_kafka_everything_is_sold_and_converges_over_http(
    shell: Shell, shop: Processes, way: str
) -> None:
    seen = await outage(shop, Away(shell, "kafka"), way)
    assert only({**seen.away, **seen.back}, "ok"), (seen.away, seen.back)
    assert await converge(shop, seen.traffic, 60) == []


async def test_while_kafka_is_stopped_orders_are_paid_and_shown(
    shell: Shell, shop: Processes
) -> None:
    """They do not wait for its return, which changes nothing for those who buy."""
    servers = Away(shell, "kafka")
    async with traffic(shop.urls) as made:
        await asyncio.sleep(2)
        began = time.monotonic()
        await asyncio.to_thread(servers.down)
        try:
            await asyncio.sleep(5)
            assert len(made.paid) >= 4
            assert await converge(shop, made, 60) == []
        finally:
            await asyncio.to_thread(servers.up)
        back = time.monotonic()
        await made.until_well(back, within_s=60)
    assert only(made.seen(began, time.monotonic()), "ok"), made.seen(began, time.monotonic())
    assert await converge(shop, made, 60) == []


def told(looked: Looks) -> set[str]:
    return {one.what for one in looked.answers}


@pytest.fixture
async def guest(shop: Processes) -> AsyncIterator[Visitor]:
    async with visitor(shop) as made:
        yield made


# All three at once, since nothing that is sold needs any of them.
ASIDE = ("elasticsearch", "mongodb", "minio")


@pytest.mark.parametrize("way", WAYS)
async def test_without_elasticsearch_mongodb_and_s3_all_is_sold_and_each_catches_up(
    shell: Shell, shop: Processes, guest: Visitor, way: str
) -> None:
    """What each of them is for says so while it is away: searches, trails of orders, pictures."""
    number, before = WAYS.index(way), await one_paid(shop)
    product, title, content = 910_000 + number, f"unheard{way}", a_picture(number)
    await guest.collect_pictures()

    async def put_on_sale() -> None:
        refused = {"503 SEARCH_UNAVAILABLE"}
        await eventually(lambda: told(searched) >= refused, within_s=60, every_s=0.1)
        assert await guest.put_on_sale(product, title) == "ok"
        assert await guest.search(title) != "ok"

    async def upload() -> str:
        return (await guest.upload(1001, content))[0]

    async def trail() -> str:
        return (await guest.trail(before))[0]

    async with (
        looks(guest.search) as searched,
        looks(guest.browse) as listed,
        looks(trail) as read,
        looks(guest.picture) as shown,
        looks(upload) as uploaded,
    ):
        seen = await outage(shop, Away(shell, *ASIDE), way, put_on_sale)
    assert only({**seen.away, **seen.back}, "ok"), (seen.away, seen.back)
    assert seen.away["purchase: ok"] > 0
    assert told(listed) == {"ok"}
    assert told(searched) == {"ok", "503 SEARCH_UNAVAILABLE"}
    # A start within the time that they are waited for is not seen by everybody.
    for asked, refusal in (
        (read, "503 AUDIT_UNAVAILABLE"),
        (shown, "503 placeholder"),
        (uploaded, "503 OBJECTS_UNAVAILABLE"),
    ):
        assert told(asked) <= {"ok", refusal}
        assert way not in LONG or refusal in told(asked)
    assert await converge(shop, seen.traffic, 60) == []
    await caught_up(shell, guest, [before, *seen.traffic.paid], title, content)


async def caught_up(
    shell: Shell, guest: Visitor, orders: list[str], title: str, content: bytes
) -> None:
    """What was put on sale meanwhile is found, trails are whole, and pictures are shown."""
    async with looks(lambda: guest.search(title)) as found:
        await found.until_ok(within_s=30)
    for order in orders:
        what, trail = await guest.trail(order)
        assert what == "ok"
        assert trail["intact"], trail
        assert len(trail["entries"]) >= ENTRIES, trail
    await moved(shell, orders)
    what, key = await guest.upload(1001, content)
    assert (what, await guest.shown(key)) == ("ok", "ok")


async def moved(shell: Shell, orders: list[str]) -> None:
    """MongoDB itself has all of their entries, not only the order's own database."""
    database = await open_mongo(shell.settings()["KESSAI_AUDIT_URL"])

    async def are_there() -> bool:
        found = database[COLLECTION].find({"orderId": {"$in": orders}}, {"orderId": 1})
        counted = Counter([one["orderId"] async for one in found])
        return all(counted[order] >= ENTRIES for order in orders)

    try:
        await eventually(are_there, within_s=30, every_s=0.5)
    finally:
        await database.client.close()


async def one_paid(system: Processes) -> str:
    async with traffic(system.urls) as made:
        await eventually(lambda: bool(made.paid), within_s=30)
    return next(iter(made.paid))
