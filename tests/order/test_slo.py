"""The promise in the tables: open, stuck, restarted, shared by processes, forgotten."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from sqlalchemy import text
from tests.support.order_shop import OrderShop, a_shop, of, on_virtual_time

from kessai.contracts.events import PaymentSucceeded
from kessai.contracts.moves import Method
from kessai.contracts.order import PromiseFigures
from kessai.contracts.wire import Nothing
from kessai.kernel.clock import wire
from kessai.kernel.db import open_database
from kessai.kernel.metrics import Metrics
from kessai.kernel.migrations import migrate
from kessai.order.application.ports import Limits
from kessai.order.application.promise import Promise
from kessai.order.domain.order import Policy
from kessai.order.domain.promise import PAID, Channel, Sample
from kessai.order.gateway.board import MetricsBoard
from kessai.order.gateway.promise import SqlSamples

LIMITS = Limits(Policy(900_000, 86_400_000, 300_000))
HOUR_MS = 3_600_000


def another(shop: OrderShop, metrics: Metrics | None = None) -> Promise:
    """A process beside or after the first one, on the same tables."""
    board = MetricsBoard(metrics) if metrics else None
    return Promise(shop.db, SqlSamples(), board, shop.runtime.clock, LIMITS)


async def total(promise: Promise, window: str = "1h") -> PromiseFigures:
    report = await promise.report()
    return next(one.total for one in report.windows if one.window == window)


def now_ms(shop: OrderShop) -> int:
    return shop.runtime.clock.now_ms()


def proven(shop: OrderShop, order_id: str, age_ms: int, channel: str = "poll") -> PaymentSucceeded:
    """The news of money that the provider has had for so long."""
    event = shop.payment.pay(order_id)
    captured = {"captured_at": wire(now_ms(shop) - age_ms), "channel": channel}
    return event.model_copy(update=captured)


def kept(payment: str, took_ms: int, ended_at_ms: int, channel: Channel = Channel.POLL) -> Sample:
    return Sample(payment, channel, PAID, ended_at_ms, took_ms)


async def put(shop: OrderShop, *samples: Sample) -> None:
    async with shop.db.transaction() as tx:
        for one in samples:
            await SqlSamples().add(tx, one)


@on_virtual_time
async def test_the_same_event_many_times_is_one_payment() -> None:
    shop = await a_shop()
    order = await shop.buy()
    event = proven(shop, order.order_id, 1_500)
    for _ in range(5):
        await shop.news(event)
    await asyncio.sleep(2)
    await shop.news(event)
    found = await total(another(shop))
    assert (found.within, found.late, found.open) == (1, 0, 0)
    assert found.max_ms is not None
    assert 1_500 <= found.max_ms < 3_000


@on_virtual_time
async def test_what_is_stuck_counts_against_the_promise_until_it_ends() -> None:
    shop = await a_shop(run=False)
    order = await shop.buy()
    shop.storage.delays_s["confirm_stock"] = 1e9
    await shop.news(proven(shop, order.order_id, 0))
    await asyncio.sleep(59)
    young = await total(another(shop))
    assert (young.open, young.open_late, young.share) == (1, 0, None)
    await asyncio.sleep(2)
    old = await total(another(shop))
    assert (old.open, old.open_late, old.share) == (1, 1, 0)
    assert old.oldest_open_ms == 61_000
    await asyncio.sleep(25 * 3_600)
    for window in ("1h", "24h"):
        stuck = await total(another(shop), window)
        assert (stuck.open_late, stuck.share) == (1, 0), window
    shop.storage.delays_s.clear()
    again = await shop.restarted()
    again.run("sagas")
    assert (await again.settled(order.order_id)).status == "PAID"
    ended = await total(another(shop))
    assert (ended.open, ended.late, ended.share) == (0, 1, 0)


@on_virtual_time
async def test_late_and_double_money_is_counted_by_its_reason_and_once() -> None:
    shop = await a_shop()
    order = await shop.buy()
    await shop.house.desk.cancel_order(of(order))
    await asyncio.sleep(10)
    event = proven(shop, order.order_id, 500)
    await shop.news(event)
    await shop.news(event)
    async with shop.db.transaction() as tx:
        await tx.run(text("delete from inbox"))
    await total(another(shop))
    await shop.news(event)
    found = await total(another(shop))
    assert (found.share, found.within, found.otherwise) == (None, 0, {"LATE_SUCCESS": 1})


@on_virtual_time
async def test_the_wallets_own_payments_are_no_part_of_it() -> None:
    shop = await a_shop()
    order = await shop.buy(method=Method.BALANCE)
    await shop.news(shop.payment.pay(order.order_id))
    assert (await shop.settled(order.order_id)).status == "PAID"
    found = await another(shop).report()
    assert (found.windows[0].channels, found.windows[0].total.within) == ((), 0)


@on_virtual_time
async def test_an_event_of_an_older_version_is_counted_from_its_own_time() -> None:
    shop = await a_shop()
    order = await shop.buy()
    await shop.news(shop.payment.pay(order.order_id))
    await asyncio.sleep(2)
    report = await another(shop).report()
    assert [one.channel for one in report.windows[0].channels] == ["other"]
    assert report.windows[0].total.within == 1


@on_virtual_time
async def test_a_restart_and_a_second_process_tell_the_same() -> None:
    shop = await a_shop()
    order = await shop.buy()
    await shop.news(proven(shop, order.order_id, 61_000, "webhook"))
    await asyncio.sleep(2)
    one, two = another(shop), another(shop)
    first, second = await asyncio.gather(one.report(), two.report())
    assert first == second
    assert first.windows[0].total.late == 1
    again = await shop.restarted()
    assert (await again.house.desk.report_promise(Nothing())).windows == first.windows


@on_virtual_time
async def test_two_processes_count_each_sample_once_together() -> None:
    shop = await a_shop(run=False)
    samples = [kept(f"p-{n:04}", n, now_ms(shop)) for n in range(1_200)]
    await put(shop, *samples)
    metrics = Metrics("one"), Metrics("two")
    one, two = (another(shop, own) for own in metrics)
    assert sum(await asyncio.gather(one.count(), two.count())) == 1_200
    seen = [
        own.registry.get_sample_value("kessai_convergence_seconds_count", {"channel": "poll"}) or 0
        for own in metrics
    ]
    assert sum(seen) == 1_200
    assert (await total(two, "24h")).within == 1_200
    assert await shop.count("promise_sample") == 0


@on_virtual_time
async def test_who_comes_too_late_for_a_sample_does_not_count_it() -> None:
    shop = await a_shop(run=False)
    mine = kept("p-1", 100, now_ms(shop))
    await put(shop, mine)
    async with shop.db.transaction() as tx:
        assert await SqlSamples().count(tx, [mine]) == [mine]
    async with shop.db.transaction() as tx:
        assert await SqlSamples().count(tx, [mine]) == []
    assert (await total(another(shop))).within == 1


@on_virtual_time
async def test_each_window_sees_the_minutes_that_are_its_own() -> None:
    shop = await a_shop(run=False)
    now = now_ms(shop)
    ages_min = (0, 1, 59, 60, 62, 23 * 60, 24 * 60, 24 * 60 + 2, 30 * 60)
    await put(shop, *(kept(f"p-{age}", 100, now - age * 60_000) for age in ages_min))
    promise = another(shop)
    for offset_min in range(0, 120, 7):
        hour, day = await total(promise), await total(promise, "24h")
        assert hour.within == sum(age + offset_min <= 60 for age in ages_min), offset_min
        assert day.within == sum(age + offset_min <= 24 * 60 for age in ages_min), offset_min
        await asyncio.sleep(7 * 60)


@on_virtual_time
async def test_old_counts_are_forgotten_and_no_others() -> None:
    shop = await a_shop(run=False)
    now = now_ms(shop)
    days = (1, 13, 15, 40, 400)
    await put(shop, *(kept(f"p-{day}", 100, now - day * 24 * HOUR_MS) for day in days))
    promise = another(shop)
    await promise.count()
    assert await shop.count("promise_count") == 10
    for _ in range(5):
        await promise.forget()
    assert await shop.count("promise_count") == 4
    assert (await total(promise, "24h")).within == 1


@on_virtual_time
async def test_the_figures_are_kept_for_a_moment_only() -> None:
    shop = await a_shop(run=False)
    promise = another(shop)
    assert (await total(promise)).within == 0
    await put(shop, kept("p-1", 100, now_ms(shop)))
    assert (await total(promise)).within == 0
    await asyncio.sleep(2.1)
    assert (await total(promise)).within == 1


@on_virtual_time
async def test_gauges_lose_what_has_no_payments_any_more() -> None:
    shop = await a_shop(run=False)
    metrics = Metrics("order-service")
    promise = another(shop, metrics)
    await put(shop, kept("p-1", 100, now_ms(shop)), kept("p-2", 61_000, now_ms(shop)))
    await promise.report()

    def share(window: str) -> float | None:
        name = "kessai_slo_paid_within_60s_ratio"
        return metrics.registry.get_sample_value(name, {"window": window})

    def p99(window: str) -> float | None:
        name = "kessai_slo_convergence_quantile_seconds"
        labels = {"window": window, "channel": "poll", "quantile": "0.99"}
        return metrics.registry.get_sample_value(name, labels)

    assert (share("1h"), share("24h"), p99("1h")) == (0.5, 0.5, 61)
    await asyncio.sleep(2 * 3_600)
    await promise.report()
    assert (share("1h"), share("24h"), p99("1h"), p99("24h")) == (None, 0.5, None, 61)


async def test_the_reads_of_a_report_use_their_indexes() -> None:
    """A million orders cost what the open ones and a day of counts cost."""
    db = await open_database("sqlite:")
    migrate(db, "order")
    plans = {
        "explain query plan select settling_channel, count(*), min(settling_since_ms) from orders "
        "where settling_since_ms IS NOT NULL group by settling_channel": "ix_orders_settling",
        "explain query plan select channel, sum(payments) from promise_count where span = 1 "
        "and minute >= 5 and minute < 9 group by channel": "sqlite_autoindex_promise_count_1",
    }
    async with db.read() as tx:
        for query, index in plans.items():
            plan: Any = (await tx.run(text(query))).all()
            assert index in json.dumps([dict(row) for row in plan]), query
    await db.close()
