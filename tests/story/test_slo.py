"""Stories of the promise: which channel found the money, how long PAID took, what is stuck."""

from __future__ import annotations

import asyncio

from tests.support.shop import Customer, Shop, story

from kessai.contracts.order import PromiseFigures, PromiseWindow
from kessai.contracts.wire import Nothing
from kessai.kernel.app import condition_of

FRESH_S = 2.1


async def the_promise(shop: Shop, window: str = "1h") -> PromiseWindow:
    """As it is once what was kept for a moment is old."""
    await asyncio.sleep(FRESH_S)
    report = await shop.ports.order.report_promise(Nothing())
    assert (report.limit_s, report.target) == (60, 0.99)
    (found,) = [one for one in report.windows if one.window == window]
    return found


def by_name(window: PromiseWindow) -> dict[str, PromiseFigures]:
    return {one.channel: one for one in window.channels}


def metric(shop: Shop, series: str) -> float | None:
    """The value of a series as Prometheus would read it at order-service."""
    (unit,) = [one for one in shop.system.units if one.name == "order-service"]
    text = condition_of(unit.app).metrics.prometheus().decode()
    found = [line for line in text.splitlines() if line.startswith(f"{series} ")]
    return float(found[0].split()[-1]) if found else None


async def paid(shop: Shop, customer: Customer) -> str:
    order_id = await customer.buy()
    await asyncio.sleep(1)
    await shop.wallet(order_id)
    await customer.until(order_id, "PAID")
    return order_id


@story(1)
async def test_without_payments_nothing_is_promised(shop: Shop) -> None:
    customer = await shop.customer()
    await customer.buy()
    found = await the_promise(shop)
    assert (found.met, found.burn_rate, found.total.share) == (None, None, None)
    assert (found.channels, found.total.p50_ms, found.total.open) == ((), None, 0)
    assert metric(shop, 'kessai_slo_paid_within_60s_ratio{window="1h"}') is None


@story(1, 2)
async def test_with_webhooks_the_webhook_is_the_channel(shop: Shop) -> None:
    customer = await shop.customer()
    for _ in range(3):
        await paid(shop, customer)
    for window in ("1h", "24h"):
        found = await the_promise(shop, window)
        assert (found.met, found.total.share, found.burn_rate) == (True, 1, 0)
        assert list(by_name(found)) == ["webhook"]
        webhook = by_name(found)["webhook"]
        assert (webhook.within, webhook.late, webhook.open) == (3, 0, 0)
        # PayPay tells whole seconds, so what takes milliseconds may read as one second.
        assert webhook.max_ms is not None
        assert 0 <= webhook.max_ms < 2_000
    assert metric(shop, 'kessai_convergence_seconds_count{channel="webhook"}') == 3
    assert metric(shop, 'kessai_slo_paid_within_60s_ratio{window="24h"}') == 1
    assert metric(shop, "kessai_slo_target_ratio") == 0.99
    page = await shop.send("GET", "http://127.0.0.1:8082/actuator/metrics/kessai.convergence")
    counted = {one["statistic"]: one["value"] for one in page.ok()["measurements"]}
    assert (page.body["baseUnit"], counted["COUNT"]) == ("seconds", 3)
    share = await shop.send(
        "GET", "http://127.0.0.1:8082/actuator/metrics/kessai_slo_burn_rate?tag=window:1h"
    )
    assert share.ok()["measurements"] == [{"statistic": "VALUE", "value": 0}]


@story(1, 2)
async def test_with_every_webhook_lost_the_poller_is_the_channel(shop: Shop) -> None:
    await shop.faults(webhooks={"drop": 100})
    customer = await shop.customer()
    await paid(shop, customer)
    found = await the_promise(shop)
    assert list(by_name(found)) == ["poll"]
    assert (found.met, found.total.within) == (True, 1)
    assert found.total.max_ms is not None
    assert 500 < found.total.max_ms < 15_000


@story(1)
async def test_the_customers_check_is_a_channel(shop: Shop) -> None:
    await shop.faults(webhooks={"drop": 100})
    customer = await shop.customer()
    order_id = await customer.buy()
    await shop.wallet(order_id)
    await customer.act(order_id, "check")
    await customer.until(order_id, "PAID", within_s=2)
    found = await the_promise(shop)
    assert {name: one.within for name, one in by_name(found).items()} == {"operator": 1}


@story(1)
async def test_webhooks_that_come_many_times_count_once(shop: Shop) -> None:
    await shop.faults(webhooks={"duplicate": 100, "duplicates": 5, "delayMs": [0, 3000]})
    customer = await shop.customer()
    await paid(shop, customer)
    await asyncio.sleep(30)
    found = await the_promise(shop)
    assert (found.total.within, found.total.late, found.total.open) == (1, 0, 0)


@story(1)
async def test_a_blackout_of_the_provider_makes_payments_late(shop: Shop) -> None:
    await shop.faults(webhooks={"drop": 100})
    customer = await shop.customer()
    await paid(shop, customer)
    order_id = await customer.buy()
    await shop.wallet(order_id)
    await shop.faults(api={"*": {"error": 100, "kinds": ["503"]}}, webhooks={"drop": 100})
    await asyncio.sleep(90)
    await shop.faults(api=None)
    await customer.until(order_id, "PAID", within_s=60)
    found = await the_promise(shop)
    assert (found.total.within, found.total.late, found.total.share) == (1, 1, 0.5)
    assert found.met is False
    assert found.burn_rate is not None
    assert round(found.burn_rate) == 50
    assert found.total.max_ms is not None
    assert found.total.max_ms > 90_000
    assert metric(shop, 'kessai_convergence_seconds_bucket{channel="poll",le="60.0"}') == 1
    assert metric(shop, 'kessai_slo_payments{channel="poll",outcome="late",window="1h"}') == 1
