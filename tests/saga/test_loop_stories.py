"""Loops in a running engine: side by side, local, failing, undone, and cut off in the middle."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from tests.saga.world import (
    Notes,
    Shop,
    a_database,
    a_machine,
    a_task,
    an_engine,
    events,
    goes_on,
    kinds,
    notes_in,
    play,
    run_virtual,
)

from kessai.kernel.db import Db
from kessai.kernel.errors import JsonValue, Refused, Unknown
from kessai.saga import Engine, EngineLimits, Machine, StepContext

LOOP: dict[str, Any] = {
    "Collection": "$.[all]",
    "ElementVariableName": "one",
    "ElementIndexName": "at",
    "Parallel": 2,
}
LOCAL = {"ServiceName": "notes", "ServiceMethod": "write", "Input": ["$.[one]"]}


def looping(*, loop: dict[str, Any] | None = None, **changes: Any) -> Machine:
    refused = [{"Exceptions": ["Refused"], "Next": "Undo"}]
    each = a_task("reserve", Input=["$.[one]"], Output={"got": "$.#root"}, Catch=refused)
    states = {
        "Each": {**each, "Loop": {**LOOP, **(loop or {})}, "CompensateState": "Undone"},
        "Then": a_task("ship", Input=["$.[loopResult]"]),
        "Undone": a_task("release"),
        "Undo": {"Type": "CompensationTrigger"},
    }
    states["Each"]["Next"] = "Then"
    for name, change in changes.items():
        states[name] = {**states[name], **change}
    return a_machine(states)


async def begin(engine: Engine, *elements: JsonValue) -> str:
    return await engine.begin("m", {"all": list(elements)})


class Slow(Shop):
    """Takes a second over each call and counts how many are under way."""

    def __init__(self) -> None:
        super().__init__()
        self.active = self.most = 0
        self.inputs: list[JsonValue] = []

    async def reserve(self, step: StepContext, *input: JsonValue) -> JsonValue:
        self.inputs.append(input[0])
        self.active += 1
        self.most = max(self.most, self.active)
        try:
            await asyncio.sleep(1)
            return await super().reserve(step, *input)
        finally:
            self.active -= 1


@pytest.mark.parametrize("parallel", [1, 3, 100])
def test_no_more_iterations_are_asked_at_once_than_the_loop_allows(parallel: int) -> None:
    async def story(db: Db, _: Shop) -> None:
        shop = Slow()
        engine = an_engine(db, shop, looping(loop={"Parallel": parallel}))
        began = asyncio.get_running_loop().time()
        outcome = await engine.wait(await begin(engine, *"abcdefg"), 60)

        assert outcome is not None
        assert outcome.succeeded
        assert shop.inputs == list("abcdefg")
        assert shop.most == min(parallel, 7)
        rounds = -(-7 // parallel)
        assert asyncio.get_running_loop().time() - began == pytest.approx(rounds, abs=0.1)
        assert outcome.context["loopResult"] == [{"got": {"method": "reserve"}}] * 7

    play(story)


def test_a_condition_that_holds_leaves_the_rest_of_the_collection_alone() -> None:
    async def story(db: Db, _: Shop) -> None:
        shop = Slow()
        condition = "[nrOfCompletedInstances] / [nrOfInstances] >= 0.4"
        engine = an_engine(db, shop, looping(loop={"CompletionCondition": condition}))
        outcome = await engine.wait(await begin(engine, *"abcde"), 60)

        assert outcome is not None
        assert outcome.succeeded
        assert shop.inputs == ["a", "b", "c"]
        assert shop.done == ["reserve"] * 3 + ["ship"]

    play(story)


def test_a_refused_iteration_undoes_those_that_took_effect() -> None:
    async def story(db: Db, shop: Shop) -> None:
        shop.plan["reserve"] = [{}, Refused("SOLD_OUT"), {}]
        engine = an_engine(db, shop, looping(loop={"Parallel": 3}))
        outcome = await engine.wait(await begin(engine, *"abcde"), 60)

        assert outcome is not None
        assert (outcome.status, outcome.compensation) == ("UN", "SU")
        assert outcome.cause is not None
        assert outcome.cause.code == "SOLD_OUT"
        # The fourth began when the first ended, and after the refusal none did.
        assert Counter(method for method, _ in shop.asked) == {"reserve": 4, "release": 3}

    play(story)


def test_a_pause_of_one_iteration_does_not_hold_the_others_up() -> None:
    async def story(db: Db, shop: Shop) -> None:
        shop.plan["reserve"] = [Unknown("DOWN")]
        hourly = {"Exceptions": ["Unknown"], "IntervalSeconds": 3600, "MaxAttempts": 1}
        limits = EngineLimits(retry_max_s=3600, machine_timeout_s=None)
        engine = an_engine(db, shop, looping(Each={"Retry": [hourly]}), limits=limits)
        instance_id = await begin(engine, *"abcd")
        await asyncio.sleep(1)

        assert shop.done == ["reserve"] * 3
        outcome = await engine.wait(instance_id, 4000)
        assert outcome is not None
        assert outcome.succeeded
        assert shop.done == ["reserve"] * 4 + ["ship"]

    play(story)


def test_local_iterations_go_one_after_another_each_with_its_row() -> None:
    async def story(db: Db, shop: Shop) -> None:
        engine = an_engine(db, shop, looping(Each={**LOCAL, "CompensateState": None}))
        outcome = await engine.wait(await begin(engine, *"abc"), 5)

        assert outcome is not None
        assert outcome.succeeded
        assert await notes_in(db) == ["a", "b", "c"]
        assert await kinds(db) == ["start", "step", "step", "step", "end"]

    play(story)


def test_a_local_iteration_that_waits_is_asked_in_a_transaction_again() -> None:
    async def story(db: Db, shop: Shop) -> None:
        notes = Notes()
        notes.plan = [Unknown("LOCKED"), Unknown("LOCKED")]
        saga = looping(loop={"Parallel": 3}, Each={**LOCAL, "CompensateState": None})
        engine = an_engine(db, shop, saga, notes=notes)
        outcome = await engine.wait(await begin(engine, *"abc"), 30)

        assert outcome is not None
        assert outcome.succeeded
        assert sorted(await notes_in(db)) == ["a", "b", "c"]
        assert (await kinds(db)).count("retry") == 2

    play(story)


def test_forward_repeats_only_what_failed_in_the_loop() -> None:
    async def story(db: Db, shop: Shop) -> None:
        shop.plan["reserve"] = [{}, Refused("SOLD_OUT"), {}]
        saga = looping(loop={"Parallel": 3}, Each={"Catch": []})
        engine = an_engine(db, shop, saga, limits=EngineLimits(redrives=0))
        instance_id = await begin(engine, *"abc")
        outcome = await engine.wait(instance_id, 5)
        assert outcome is not None
        assert (outcome.status, outcome.compensation) == ("UN", None)

        assert await engine.forward(instance_id)
        outcome = await engine.wait(instance_id, 5)
        assert outcome is not None
        assert outcome.succeeded
        tokens = [token.removeprefix(f"{instance_id}.") for _, token in shop.asked]
        assert tokens == [
            "Each-loop-0.1",
            "Each-loop-1.1",
            "Each-loop-2.1",
            "Each-loop-1.2",
            "Then.1",
        ]

    play(story)


# Four iterations and the state behind them pass two points each.
@pytest.mark.parametrize("point", range(1, 11))
def test_a_crash_anywhere_in_a_loop_loses_and_doubles_no_iteration(point: int) -> None:
    async def story() -> None:
        db, shop = await a_database(), Shop()
        shop.crash_after = point
        dead = an_engine(db, shop, looping())
        instance_id = await begin(dead, *"abcd")
        await asyncio.sleep(0.1)
        assert await dead.wait(instance_id, 0) is None

        outcome = await goes_on(an_engine(db, shop, looping(), owner="two"), instance_id)
        assert outcome == ("SU", None)
        assert Counter(shop.done) == {"reserve": 4, "ship": 1}
        assert len(dict.fromkeys(token for _, token in shop.asked)) == 5
        assert [row["seq"] for row in await events(db)] == list(range(1, 8))
        await dead.close()
        await db.close()

    run_virtual(story())


@pytest.mark.parametrize("point", range(1, 4 * 2 + 2 * 3 + 1))
def test_a_crash_anywhere_in_a_loop_that_fails_still_undoes_each_iteration_once(
    point: int,
) -> None:
    async def story() -> None:
        db, shop = await a_database(), Fourth()
        shop.crash_after = point
        dead = an_engine(db, shop, looping())
        instance_id = await begin(dead, *"abcd")
        await asyncio.sleep(0.1)

        outcome = await goes_on(an_engine(db, shop, looping(), owner="two"), instance_id)
        assert outcome == ("UN", "SU")
        assert Counter(shop.done) == {"reserve": 3, "release": 3}
        await dead.close()
        await db.close()

    run_virtual(story())


class Fourth(Shop):
    """Has no fourth piece."""

    async def reserve(self, step: StepContext, *input: JsonValue) -> JsonValue:
        if input[0] == "d":
            raise Refused("SOLD_OUT")
        return await super().reserve(step, *input)


def test_a_zombie_in_a_loop_stops_all_its_iterations() -> None:
    async def story() -> None:
        db, shop = await a_database(), Slow()
        zombie = an_engine(db, shop, looping(loop={"Parallel": 4}))
        instance_id = await begin(zombie, *"abcd")
        await asyncio.sleep(0.5)
        heir = an_engine(db, shop, looping(loop={"Parallel": 4}), owner="two")
        await heir.tick()
        outcome = await heir.wait(instance_id, 10)

        assert outcome is not None
        assert outcome.succeeded
        assert Counter(shop.done) == {"reserve": 4, "ship": 1}
        # Both asked all four, and the zombie nothing after its first row was refused.
        assert len(shop.asked) == 9
        assert [row["epoch"] for row in await events(db)] == [1] + [2] * 5 + [2]
        for engine in (zombie, heir):
            await engine.close()
        await db.close()

    run_virtual(story())
