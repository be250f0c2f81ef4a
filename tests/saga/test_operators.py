"""What a person may ask for: refused while it runs, at a version, with a reason that is kept."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from tests.saga.world import (
    Shop,
    a_database,
    an_engine,
    events,
    goes_on,
    kinds,
    machines,
    order_saga,
    play,
    run_virtual,
    start,
)

from kessai.kernel.db import Db
from kessai.kernel.errors import JsonValue, NotFound, Refused, Unknown, VersionConflict
from kessai.saga import Engine, EngineLimits, Order, StepContext

ALICE = Order("alice", "the courier confirmed by telephone")
BY_ALICE = {"actor": "alice", "reason": "the courier confirmed by telephone"}


async def stopped(db: Db, shop: Shop, *, seed: int = 1) -> tuple[Engine, str]:
    """An instance that waits for a person, because paying was refused and nobody caught that."""
    shop.plan["pay"] = [Refused("NO_MONEY")]
    limits = EngineLimits(redrives=0)
    engine = an_engine(db, shop, order_saga(Pay={"Catch": []}), limits=limits, seed=seed)
    instance_id = await start(engine, db)
    outcome = await engine.wait(instance_id, 1)
    assert outcome is not None
    assert (outcome.status, outcome.needs_operator) == ("UN", True)
    return engine, instance_id


def test_operations_refuse_what_runs_and_what_moved_on() -> None:
    async def story(db: Db, shop: Shop) -> None:
        shop.crash_after = 1
        engine = an_engine(db, shop, order_saga())
        instance_id = await start(engine, db)
        await asyncio.sleep(0.1)
        for operation in (engine.forward, engine.compensate, engine.skip):
            with pytest.raises(Refused) as refusal:
                await operation(instance_id, order=ALICE)
            assert refusal.value.code == "SAGA_RUNNING"
        with pytest.raises(NotFound):
            await engine.forward("nobody")
        done = await start(engine, db, "o-2")
        await engine.wait(done, 1)
        with pytest.raises(VersionConflict):
            await engine.compensate(done, order=Order(version=1))

        assert shop.done == ["reserve", "pay", "ship"]
        assert await kinds(db) == ["start", "start", "step", "step", "end"]
        await engine.close()

    play(story)


def test_an_operator_undoes_a_saga_that_had_succeeded() -> None:
    async def story(db: Db, shop: Shop) -> None:
        engine = an_engine(db, shop, order_saga())
        instance_id = await start(engine, db)
        await engine.wait(instance_id, 1)
        assert await engine.compensate(instance_id, order=Order(version=4))
        outcome = await engine.wait(instance_id, 1)

        assert outcome is not None
        assert (outcome.status, outcome.compensation) == ("SU", "SU")
        assert shop.done == ["reserve", "pay", "ship", "refund", "release"]
        assert not await engine.compensate(instance_id)
        assert len(shop.asked) == 5

    play(story)


def test_a_claim_keeps_who_asked_for_it_why_and_with_what() -> None:
    async def story(db: Db, shop: Shop) -> None:
        engine, instance_id = await stopped(db, shop)
        assert await engine.forward(instance_id, {"orderId": "o-9"}, order=ALICE)
        outcome = await engine.wait(instance_id, 1)

        assert outcome is not None
        assert outcome.succeeded
        claim = json.loads((await events(db))[3]["data"])
        assert (claim["op"], claim["by"], claim["params"]) == (
            "forward",
            BY_ALICE,
            {"orderId": "o-9"},
        )
        (row,) = await machines(db)
        assert (row["epoch"], row["needs_operator"], row["running"]) == (2, 0, 0)
        _, run, history = await engine.inspect(instance_id)
        assert (run.status, history[3].body["by"]) == ("SU", BY_ALICE)

    play(story)


def test_an_order_that_changes_nothing_leaves_a_note() -> None:
    async def story(db: Db, shop: Shop) -> None:
        engine = an_engine(db, shop, order_saga())
        instance_id = await start(engine, db)
        await engine.wait(instance_id, 1)
        assert not await engine.forward(instance_id, order=ALICE)
        assert not await engine.forward(instance_id)

        note = (await events(db))[4:]
        assert [(row["seq"], row["kind"]) for row in note] == [(5, "note")]
        assert json.loads(note[0]["data"]) == {"by": BY_ALICE, "unchanged": True}
        # It moved the version on, and what was seen before is out of date.
        with pytest.raises(VersionConflict):
            await engine.compensate(instance_id, order=Order(version=4))
        assert await engine.compensate(instance_id, order=Order(version=5))
        outcome = await engine.wait(instance_id, 1)
        assert outcome is not None
        assert (outcome.status, outcome.compensation) == ("SU", "SU")

    play(story)


def test_skip_goes_on_behind_what_failed() -> None:
    async def story(db: Db, shop: Shop) -> None:
        engine, instance_id = await stopped(db, shop)
        assert await engine.skip(instance_id, order=ALICE)
        outcome = await engine.wait(instance_id, 1)

        assert outcome is not None
        assert outcome.succeeded
        assert shop.done == ["reserve", "ship"]
        assert await engine.compensate(instance_id)
        outcome = await engine.wait(instance_id, 1)
        assert outcome is not None
        # What a person did by hand is undone by its own state, like the rest.
        assert (outcome.compensation, shop.done[2:]) == ("SU", ["refund", "release"])

    play(story)


def test_a_compensation_that_needs_an_operator_goes_on_where_it_stopped() -> None:
    async def story(db: Db, shop: Shop) -> None:
        shop.plan["ship"] = [Refused("NO_COURIER")]
        shop.plan["refund"] = [Refused("NO_ACCOUNT")]
        engine = an_engine(db, shop, order_saga(), limits=EngineLimits(redrives=0))
        instance_id = await start(engine, db)
        outcome = await engine.wait(instance_id, 1)
        assert outcome is not None
        assert (outcome.status, outcome.compensation, outcome.needs_operator) == ("UN", "UN", True)

        assert await engine.compensate(instance_id, {"account": "new"}, order=ALICE)
        outcome = await engine.wait(instance_id, 1)
        assert outcome is not None
        assert (outcome.status, outcome.compensation, outcome.needs_operator) == ("UN", "SU", False)
        assert shop.done == ["reserve", "pay", "refund", "release"]
        refunds = [token for method, token in shop.asked if method == "refund"]
        assert refunds == [f"{instance_id}.Refund.1", f"{instance_id}.Refund.2"]

    play(story)


def test_forward_is_denied_where_an_undoing_is_unknown() -> None:
    async def story(db: Db, shop: Shop) -> None:
        shop.plan["pay"] = [Unknown("DOWN")]
        shop.plan["refund"] = [Unknown("DOWN")] * 9
        doubtful = [{"Exceptions": ["Unknown"], "Next": "Undo"}]
        saga = order_saga(Pay={"Catch": doubtful, "Retry": []})
        engine = an_engine(db, shop, saga, limits=EngineLimits(redrives=0))
        instance_id = await start(engine, db)
        await engine.wait(instance_id, 5)
        before = await events(db)
        for operation in (engine.forward, engine.skip):
            with pytest.raises(Refused, match="unknown") as refusal:
                await operation(instance_id, order=ALICE)
            assert refusal.value.code == "OPERATION_DENIED"
        assert await events(db) == before

    play(story)


def test_of_two_orders_at_once_one_is_refused() -> None:
    async def story(db: Db, shop: Shop) -> None:
        first, instance_id = await stopped(db, shop)
        second = an_engine(db, shop, order_saga(Pay={"Catch": []}), owner="two")
        for engine in (first, second):
            await engine.tick()
        answers = await asyncio.gather(
            first.forward(instance_id, order=ALICE),
            second.compensate(instance_id, order=Order("bob", "customer called")),
            return_exceptions=True,
        )

        refused = [one for one in answers if isinstance(one, Refused)]
        assert [one.code for one in refused] == ["SAGA_RUNNING"]
        assert [one for one in answers if one is True] == [True]
        assert (await kinds(db)).count("claim") == 1
        for engine in (first, second):
            await engine.close()

    play(story)


def test_an_instance_of_a_dead_engine_takes_orders_before_anybody_recovers_it() -> None:
    async def story() -> None:
        db, shop = await a_database(), Shop()
        shop.crash_after = 4  # the payment is made, and nobody wrote that down
        dead = an_engine(db, shop, order_saga())
        await dead.tick()
        instance_id = await start(dead, db)
        await asyncio.sleep(0.1)
        await dead.close()
        heir = an_engine(db, shop, order_saga(), owner="two")
        assert await heir.compensate(instance_id, order=ALICE)
        outcome = await heir.wait(instance_id, 5)

        assert outcome is not None
        # It was not known whether the payment took effect, so it is undone.
        assert (outcome.status, outcome.compensation) == ("UN", "SU")
        assert shop.done == ["reserve", "pay", "refund", "release"]
        await heir.close()
        await db.close()

    run_virtual(story())


def test_what_cannot_go_on_by_itself_is_left_to_a_person_at_once() -> None:
    class Failing(Shop):
        async def release(self, step: StepContext, *input: JsonValue) -> JsonValue:
            raise Refused("NO")

    async def story() -> None:
        db, shop = await a_database(), Failing()
        inner = order_saga(machine={"Name": "inner"}, Release={"Retry": []})
        sub: dict[str, Any] = {
            "Type": "SubStateMachine",
            "StateMachineName": "inner",
            "Input": [],
            "Next": None,
        }
        outer = order_saga(Reserve=sub)
        shop.plan["pay"] = [Refused("NO_MONEY")]
        engine = an_engine(db, shop, outer, inner)
        instance_id = await engine.begin("order", {"orderId": "o-1"})
        assert await goes_on(engine, instance_id) == ("UN", None)

        row, _, history = await engine.inspect(instance_id)
        assert (row.needs_operator, row.redrives) == (1, 1)
        assert history[-1].body["denied"] == "the last state's compensation is unknown"
        await engine.close()
        await db.close()

    run_virtual(story())
