"""The provider's day ends: its file is announced, fetched and compared, and nobody had to ask."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from tests.support.agreement import assert_agreement
from tests.support.shop import PAYPAY, Customer, Shop, open_shop

from kessai.contracts.events import Signal
from kessai.contracts.payment import ListSettlements, SettlementRun
from kessai.proof.virtual_time import VirtualLoop
from kessai.topology import SIGNALS_TOPIC

pytestmark = pytest.mark.story
DAY = "2026-01-15"


def live(seed: int, folder: Path, tale: Callable[[Shop], Awaitable[None]]) -> None:
    async def whole() -> None:
        shop = await open_shop(seed, data_dir=str(folder))
        try:
            await tale(shop)
        finally:
            await shop.system.stop()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(whole())
    # The alert rules keep their state in a folder of theirs.
    left = [each.relative_to(folder) for each in folder.rglob("*") if each.is_file()]
    assert [each for each in left if each.parts[0] != "alert"] == []


async def a_day(shop: Shop, count: int) -> tuple[Customer, list[str]]:
    """So many payments, of which every third goes back, and one code that is closed unpaid."""
    customer = await shop.customer()
    paid = [await customer.buy() for _ in range(count)]
    unpaid = await customer.buy()
    for order_id in paid:
        await shop.wallet(order_id)
    for number, order_id in enumerate(paid):
        await customer.until(order_id, "PAID")
        if number % 3 == 0:
            (await customer.act(order_id, "refund", {"reason": "CHANGED_MIND"})).ok()
            await customer.until(order_id, "REFUNDED")
    (await customer.act(unpaid, "cancel", {})).ok()
    await customer.until(unpaid, "FAILED")
    return customer, paid


async def announced(shop: Shop) -> SettlementRun:
    """The report on the day's file, once PayPay has told of it."""
    (await shop.send("POST", f"{PAYPAY}/sim/settlement/{DAY}?announce=true", {})).ok()
    await asyncio.sleep(5)
    (run, *_) = (await shop.ports.payment.list_settlements(ListSettlements())).runs
    return run


async def differences(shop: Shop) -> list[Signal]:
    async with shop.databases["payment"].read() as tx:
        asked = text("SELECT value FROM outbox WHERE topic = :topic ORDER BY id")
        rows = (await tx.run(asked, {"topic": SIGNALS_TOPIC})).all()
    told = [Signal.model_validate_json(row["value"]) for row in rows]
    return [one for one in told if one.signal == "SettlementDifference"]


@pytest.mark.parametrize("seed", [1, 2])
def test_the_day_is_settled_to_the_yen(seed: int, tmp_path: Path) -> None:
    async def tale(shop: Shop) -> None:
        customer, paid = await a_day(shop, 7)
        run = await announced(shop)
        # Three of the seven went back, and those are movements too.
        assert (run.matched, run.rows) == (10, 10)
        assert run.theirs_yen == run.ours_yen
        prices = [(await customer.order(order_id))["amount"] for order_id in paid]
        kept = sum(price for number, price in enumerate(prices) if number % 3)
        assert run.ours_yen == kept
        assert await differences(shop) == []
        await assert_agreement(shop, customer)

    live(seed, tmp_path, tale)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_is_wrong_with_the_file_is_found_and_told(seed: int, tmp_path: Path) -> None:
    async def tale(shop: Shop) -> None:
        _, paid = await a_day(shop, 12)
        movements = len(paid) + 4
        wrong = {"omit": 20, "wrongAmount": 20, "unknown": 20, "broken": 20}
        await shop.faults(seed=seed, settlement=wrong)
        run = await announced(shop)
        faults: dict[str, Any] = (await shop.send("GET", f"{PAYPAY}/sim/faults")).ok()
        fired = faults["fired"]["settlement"]
        lost, broken = fired["omit"], fired["broken"]
        assert min(fired.values()) > 0
        assert run.missing_here == fired["unknown"]
        assert run.missing_there == lost + broken
        assert (run.broken, run.differing) == (broken, fired["wrongAmount"])
        assert run.matched == movements - lost - broken - run.differing
        told = await differences(shop)
        kinds = [str(one.facts.get("kind", "all")) for one in told]
        assert {kind: kinds.count(kind) for kind in kinds} == {
            "MISSING_HERE": run.missing_here,
            "MISSING_THERE": run.missing_there,
            "DIFFERING": run.differing,
            "BROKEN": run.broken,
            "all": 1,
        }
        # The same announcement again, and the same file by another: nobody is told twice.
        assert await announced(shop) == run
        assert await differences(shop) == told

    live(seed, tmp_path, tale)
