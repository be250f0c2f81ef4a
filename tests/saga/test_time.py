"""What time does to an instance: its own limit, states that nobody waits for, growing pauses."""

from __future__ import annotations

import asyncio

import pytest
from tests.saga.world import (
    Shop,
    a_database,
    a_machine,
    a_task,
    an_engine,
    events,
    kinds,
    machines,
    order_saga,
    play,
    run_virtual,
    start,
)

from kessai.kernel.db import Db
from kessai.kernel.errors import JsonValue, Refused, Unknown
from kessai.saga import EngineLimits, Filter, StepContext


class Slow(Shop):
    """Takes a minute to reserve."""

    async def reserve(self, step: StepContext, *input: JsonValue) -> JsonValue:
        await asyncio.sleep(60)
        return await super().reserve(step, *input)


@pytest.mark.parametrize(
    ("strategy", "ended", "done"),
    [
        ("Compensate", ("UN", "SU"), ["reserve", "release"]),
        ("Forward", ("SU", None), ["reserve", "pay", "ship"]),
    ],
)
def test_an_instance_that_ran_out_of_time_follows_its_recover_strategy(
    strategy: str, ended: tuple[str, str | None], done: list[str]
) -> None:
    async def story() -> None:
        db, shop = await a_database(), Slow()
        saga = order_saga(machine={"RecoverStrategy": strategy})
        limits = EngineLimits(machine_timeout_s=30, step_timeout_s=90)
        engine = an_engine(db, shop, saga, limits=limits)
        loop = asyncio.create_task(engine.run())
        instance_id = await start(engine, db)
        await asyncio.sleep(60.1)
        (row,) = await machines(db)
        assert (row["status"], row["compensation"], row["running"]) == ("UN", None, 0)
        assert row["due_at"] is not None

        outcome = await engine.wait(instance_id, 60)
        assert outcome is not None
        assert (outcome.status, outcome.compensation) == ended
        # Pay was not begun before the strategy said so: paying has nothing to be undone.
        assert shop.done == done
        loop.cancel()
        await engine.close()
        await db.close()

    run_virtual(story())


def test_a_restart_has_its_whole_time_again() -> None:
    async def story() -> None:
        db, shop = await a_database(), Slow()
        limits = EngineLimits(machine_timeout_s=30, step_timeout_s=90, redrives=0)
        engine = an_engine(db, shop, order_saga(), limits=limits)
        instance_id = await start(engine, db)
        outcome = await engine.wait(instance_id, 100)
        assert outcome is not None
        assert (outcome.status, outcome.needs_operator) == ("UN", True)
        assert outcome.fault is not None
        assert outcome.fault.code == "StateMachineExecutionTimeout"
        await asyncio.sleep(1000)
        assert await engine.forward(instance_id)
        outcome = await engine.wait(instance_id, 5)
        assert outcome is not None
        assert outcome.succeeded
        await engine.close()
        await db.close()

    run_virtual(story())


def test_recovery_gives_an_instance_time_for_what_is_left() -> None:
    async def story() -> None:
        db, shop = await a_database(), Shop()
        shop.crash_after = 3
        limits = EngineLimits(machine_timeout_s=30)
        dead = an_engine(db, shop, order_saga(), limits=limits)
        instance_id = await start(dead, db)
        await asyncio.sleep(0.1)
        await dead.close()
        await asyncio.sleep(1000)
        heir = an_engine(db, shop, order_saga(), owner="two", limits=limits)
        await heir.tick()
        outcome = await heir.wait(instance_id, 5)
        assert outcome is not None
        assert outcome.succeeded
        await heir.close()
        await db.close()

    run_virtual(story())


# --- states that nobody waits for -----------------------------------------------------------

ASYNC = {"IsAsync": True, "Status": {"#root == null": "FA"}, "Output": {"later": "$.#root"}}


def test_an_async_state_succeeds_at_once_and_its_answer_changes_nothing() -> None:
    async def story(db: Db, _shop: Shop) -> None:
        shop = Slow()
        limits = EngineLimits(step_timeout_s=90)
        engine = an_engine(db, shop, order_saga(Reserve=ASYNC), limits=limits)
        began = asyncio.get_running_loop().time()
        instance_id = await start(engine, db)
        outcome = await engine.wait(instance_id, 5)
        assert outcome is not None
        assert outcome.succeeded
        assert asyncio.get_running_loop().time() - began < 1
        assert "later" not in outcome.context
        assert shop.done == ["pay", "ship"]
        before = await events(db)

        await asyncio.sleep(61)
        assert shop.done == ["pay", "ship", "reserve"]
        assert await events(db) == before
        # It is undone like any other state.
        assert await engine.compensate(instance_id)
        await engine.wait(instance_id, 5)
        assert shop.done[3:] == ["refund", "release"]

    play(story)


def test_an_async_state_that_fails_is_asked_again_as_its_retry_says() -> None:
    async def story(db: Db, shop: Shop) -> None:
        shop.plan["reserve"] = [Refused("NO"), Unknown("DOWN"), {}]
        again = [{"Exceptions": ["Unknown"], "IntervalSeconds": 10, "MaxAttempts": 5}]
        engine = an_engine(db, shop, order_saga(Reserve={**ASYNC, "Retry": again}))
        instance_id = await start(engine, db)
        outcome = await engine.wait(instance_id, 5)
        assert outcome is not None
        assert outcome.succeeded
        await asyncio.sleep(25)
        tokens = [token for method, token in shop.asked if method == "reserve"]
        assert tokens == [f"{instance_id}.Reserve.1"] * 3
        assert shop.done == ["pay", "ship", "reserve"]

    play(story)


def test_closing_an_engine_ends_what_nobody_waits_for() -> None:
    async def story(db: Db, _shop: Shop) -> None:
        shop = Slow()
        engine = an_engine(db, shop, order_saga(Reserve=ASYNC))
        await engine.wait(await start(engine, db), 5)
        await engine.close()
        await asyncio.sleep(100)
        assert shop.done == ["pay", "ship"]

    play(story)


# --- pauses and retention -------------------------------------------------------------------


def test_pauses_between_redrives_grow_to_their_limit() -> None:
    async def story() -> None:
        db, shop = await a_database(), Shop()
        shop.plan["pay"] = [Unknown("DOWN")] * 100
        limits = EngineLimits(
            redrives=6, redrive_first_s=1, redrive_max_s=10, machine_timeout_s=None
        )
        engine = an_engine(db, shop, order_saga(Pay={"Retry": []}), limits=limits)
        loop = asyncio.create_task(engine.run())
        outcome = await engine.wait(await start(engine, db), 600)
        loop.cancel()

        assert outcome is not None
        assert outcome.needs_operator
        at = [row["at"] for row in await events(db) if row["kind"] in ("end", "claim")]
        pauses = [(claim - end) / 1000 for end, claim in zip(at[::2], at[1::2], strict=False)]
        # Between half and whole of 1, 2, 4, 8, 10, 10 s, and at the next look.
        assert len(pauses) == 6
        for pause, most in zip(pauses, (1, 2, 4, 8, 10, 10), strict=True):
            assert most / 2 <= pause <= most + limits.heartbeat_s
        await engine.close()
        await db.close()

    run_virtual(story())


def test_settled_instances_are_deleted_with_their_sub_machines_after_a_while() -> None:
    async def story(db: Db, shop: Shop) -> None:
        sub = {"Type": "SubStateMachine", "StateMachineName": "inner", "Input": []}
        outer = a_machine({"A": {**sub, "Next": "B"}, "B": a_task("ship")}, name="outer")
        inner = a_machine({"C": a_task("reserve")}, name="inner")
        limits = EngineLimits(retention_s=3600, redrives=0)
        engine = an_engine(db, shop, outer, inner, limits=limits)
        done = await engine.begin("outer", {})
        await engine.wait(done, 5)
        shop.plan["ship"] = [Unknown("DOWN")] * 9
        stuck = await engine.begin("outer", {})
        await engine.wait(stuck, 5)
        await engine.tick()
        assert len(await engine.list(Filter())) == 4

        await asyncio.sleep(3700)
        await engine.tick()
        assert sorted(row.name for row in await engine.list(Filter())) == ["inner", "outer"]
        assert {row["machine_id"] for row in await events(db)} == {
            row.id for row in await engine.list(Filter())
        }
        # What waits for a person stays, and so does its sub machine.
        assert (await engine.list(Filter(machine="outer")))[0].id == stuck

    play(story)


def test_nothing_is_deleted_unless_somebody_says_when() -> None:
    async def story(db: Db, shop: Shop) -> None:
        engine = an_engine(db, shop, order_saga())
        await engine.wait(await start(engine, db), 5)
        await asyncio.sleep(10**6)
        await engine.tick()
        assert await kinds(db) == ["start", "step", "step", "end"]

    play(story)
