"""Instances that an engine does not understand: they keep nobody waiting, and are told of once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from sqlalchemy import update
from structlog.testing import capture_logs
from tests.saga.world import (
    Shop,
    a_database,
    a_machine,
    a_task,
    an_engine,
    goes_on,
    machines,
    order_saga,
    run_virtual,
)

from kessai.kernel.db import Db
from kessai.kernel.metrics import Metrics
from kessai.saga import SG_EVENT, SG_MACHINE, Engine, EngineLimits, Machine

GONE = a_machine({"Gone": a_task("reserve")}, name="gone")
PAUSE_S = 600.0


async def left_behind(db: Db, names: Sequence[str]) -> list[str]:
    """Running instances of these machines, whose engine is gone."""
    shop = Shop()
    dead = an_engine(db, shop, GONE, order_saga())
    ids = []
    for nth, name in enumerate(names, 1):
        shop.crash_after = nth
        ids.append(await dead.begin(name, {"orderId": "o-1"}))
        await asyncio.sleep(0.01)
    await dead.close()
    return ids


def an_heir(db: Db, *known: Machine, limits: EngineLimits | None = None) -> tuple[Engine, Metrics]:
    metrics = Metrics("heir")
    heir = an_engine(db, Shop(), *known, owner="two", limits=limits, metrics=metrics)
    return heir, metrics


def test_machines_that_are_not_loaded_here_starve_no_others_however_many_they_are() -> None:
    async def story() -> None:
        db = await a_database()
        *lost, good = await left_behind(db, ["gone"] * 5 + ["order"])
        heir, metrics = an_heir(db, order_saga(), limits=EngineLimits(claims=2))

        assert await goes_on(heir, good) == ("SU", None)
        assert [row["running"] for row in await machines(db)] == [1] * len(lost) + [0]
        await heir.tick()
        assert shown(metrics) == len(lost)
        await heir.close()
        await db.close()

    run_virtual(story())


def test_instances_that_are_due_and_not_understood_starve_no_others() -> None:
    async def story() -> None:
        db = await a_database()
        ids = await left_behind(db, ["gone"] * 3 + ["order"])
        async with db.transaction() as tx:
            for at, instance_id in enumerate(ids):
                rest = update(SG_MACHINE).where(SG_MACHINE.c.id == instance_id)
                await tx.run(rest.values(running=0, status="UN", due_at=at))
        heir, metrics = an_heir(db, order_saga(), limits=EngineLimits(claims=1))
        for _ in ids:
            await heir.tick()

        assert [row["redrives"] for row in await machines(db)] == [0, 0, 0, 1]
        assert shown(metrics) == 3
        await heir.close()
        await db.close()

    run_virtual(story())


def test_an_instance_that_is_not_understood_is_told_of_once_in_each_pause() -> None:
    async def story() -> None:
        db = await a_database()
        (broken,) = await left_behind(db, ["order"])
        async with db.transaction() as tx:
            await tx.run(update(SG_EVENT).values(data="{"))
        heir, metrics = an_heir(db, order_saga())
        with capture_logs() as lines:
            loop = asyncio.create_task(heir.run())
            await asyncio.sleep(PAUSE_S - 1)
            first = told(lines)
            await asyncio.sleep(PAUSE_S)
            loop.cancel()

        assert first == [broken]
        assert told(lines) == [broken, broken]
        assert shown(metrics) == 1
        await heir.close()
        await db.close()

    run_virtual(story())


def test_what_somebody_else_takes_up_is_no_puzzle_any_more() -> None:
    async def story() -> None:
        db = await a_database()
        (lost,) = await left_behind(db, ["gone"])
        heir, metrics = an_heir(db, order_saga())
        await heir.tick()
        assert shown(metrics) == 1

        other = an_engine(db, Shop(), GONE, owner="three")
        assert await goes_on(other, lost) == ("SU", None)
        await heir.tick()
        assert shown(metrics) == 0
        await heir.close()
        await other.close()
        await db.close()

    run_virtual(story())


def test_no_more_puzzles_are_remembered_than_the_limit_says_and_the_old_ones_stay() -> None:
    async def story() -> None:
        db = await a_database()
        await left_behind(db, ["gone"] * 4)
        heir, metrics = an_heir(db, order_saga(), limits=EngineLimits(puzzles=3))
        with capture_logs() as lines:
            await heir.tick()
            await heir.tick()

        assert shown(metrics) == 3
        assert len(told(lines)) == 4 + 1
        await heir.close()
        await db.close()

    run_virtual(story())


def shown(metrics: Metrics) -> float | None:
    return metrics.registry.get_sample_value("saga_not_recoverable")


def told(lines: Sequence[Mapping[str, object]]) -> list[object]:
    return [line["instance_id"] for line in lines if line["event"] == "saga.not_recoverable"]
