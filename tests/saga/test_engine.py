"""Instances that run in one engine: answers, compensation, local steps, keys."""

from __future__ import annotations

import asyncio
import json

import pytest
from tests.saga.world import (
    Notes,
    Shop,
    an_engine,
    events,
    machines,
    notes_in,
    order_saga,
    play,
    start,
)

from kessai.kernel.db import Db
from kessai.kernel.errors import NotFound, Refused, Unknown
from kessai.saga import EngineLimits


def test_a_saga_without_trouble_calls_each_step_once() -> None:
    async def story(db: Db, shop: Shop) -> None:
        engine = an_engine(db, shop, order_saga())
        instance_id = await start(engine, db)
        outcome = await engine.wait(instance_id, 1)

        assert outcome is not None
        assert (outcome.status, outcome.compensation, outcome.succeeded) == ("SU", None, True)
        assert shop.done == ["reserve", "pay", "ship"]
        assert outcome.context["ship"] == {"method": "ship"}
        log = await events(db)
        assert [(row["seq"], row["kind"], row["name"], row["status"]) for row in log] == [
            (1, "start", "order", "RU"),
            (2, "step", "Reserve", "SU"),
            (3, "step", "Pay", "SU"),
            (4, "end", "Ship", "SU"),
        ]
        (row,) = await machines(db)
        assert (row["status"], row["running"], row["epoch"], row["due_at"]) == ("SU", 0, 1, None)

    play(story)


def test_a_refusal_undoes_in_reverse_order_and_then_follows_the_trigger() -> None:
    async def story(db: Db, shop: Shop) -> None:
        shop.plan["ship"] = [Refused("NO_COURIER", "none today", facts={"days": 3})]
        engine = an_engine(db, shop, order_saga())
        outcome = await engine.wait(await start(engine, db), 1)

        assert outcome is not None
        assert (outcome.status, outcome.compensation) == ("UN", "SU")
        assert shop.done == ["reserve", "pay", "refund", "release", "fail"]
        assert outcome.cause is not None
        assert (outcome.cause.code, outcome.cause.facts) == ("NO_COURIER", {"days": 3})
        assert shop.contexts[-1].cause == outcome.cause
        refusal = json.loads((await events(db))[3]["data"])["error"]
        assert (refusal["type"], refusal["code"]) == ("Refused", "NO_COURIER")
        assert (refusal["facts"], refusal["message"]) == ({"days": 3}, "none today")

    play(story)


def test_the_machine_row_says_so_before_the_first_compensation_is_asked() -> None:
    async def story(db: Db, shop: Shop) -> None:
        shop.plan["ship"] = [Refused("NO_COURIER")]
        shop.crash_after = 6  # reserve and pay pass two points each, ship one; then refund
        engine = an_engine(db, shop, order_saga())
        await start(engine, db)
        await asyncio.sleep(1)

        assert shop.asked[-1][0] == "refund"
        assert shop.done == ["reserve", "pay"]
        (row,) = await machines(db)
        assert (row["status"], row["compensation"], row["running"]) == ("UN", "RU", 1)
        await engine.close()

    play(story)


def test_a_refused_first_step_leaves_nothing_to_undo_and_ends_failed() -> None:
    async def story(db: Db, shop: Shop) -> None:
        shop.plan["reserve"] = [Refused("OUT_OF_STOCK")]
        engine = an_engine(db, shop, order_saga())
        outcome = await engine.wait(await start(engine, db), 1)

        assert outcome is not None
        assert (outcome.status, outcome.compensation) == ("FA", None)
        assert shop.done == []
        assert [method for method, _ in shop.asked] == ["reserve"]

    play(story)


def test_unknown_is_asked_again_with_the_same_token_and_neither_advances_nor_undoes() -> None:
    async def story(db: Db, shop: Shop) -> None:
        shop.plan["pay"] = [Unknown("NO_ANSWER"), Unknown("NO_ANSWER"), {"paid": True}]
        engine = an_engine(db, shop, order_saga())
        instance_id = await start(engine, db)
        outcome = await engine.wait(instance_id, 10)

        assert outcome is not None
        assert outcome.succeeded
        asked = [token for method, token in shop.asked if method == "pay"]
        assert asked == [f"{instance_id}.Pay.1"] * 3
        assert [c.attempt for c in shop.contexts if c.state == "Pay"] == [1, 2, 3]
        kinds = [row["kind"] for row in await events(db)]
        assert kinds == ["start", "step", "retry", "retry", "step", "end"]

    play(story)


def test_a_catch_all_does_not_conclude_from_unknown() -> None:
    async def story(db: Db, shop: Shop) -> None:
        catch_all = [{"Exceptions": ["java.lang.Throwable", "Exception"], "Next": "Undo"}]
        machine = order_saga(Pay={"Catch": catch_all, "Retry": []})
        shop.plan["pay"] = [Unknown("NO_ANSWER")]
        engine = an_engine(db, shop, machine, limits=EngineLimits(redrives=0))
        outcome = await engine.wait(await start(engine, db), 1)

        assert outcome is not None
        assert (outcome.status, outcome.compensation) == ("UN", None)
        assert outcome.needs_operator
        assert shop.done == ["reserve"]

    play(story)


def test_a_call_that_does_not_return_is_unknown() -> None:
    async def story(db: Db, shop: Shop) -> None:
        shop.crash_after = 3  # inside pay, before its effect
        machine = order_saga(Pay={"Extensions": {"TimeoutSeconds": 2}})
        engine = an_engine(db, shop, machine)
        outcome = await engine.wait(await start(engine, db), 10)

        assert outcome is not None
        assert outcome.succeeded
        assert shop.done == ["reserve", "pay", "ship"]
        retry = json.loads((await events(db))[2]["data"])
        assert retry["error"]["code"] == "TIMEOUT"

    play(story)


def test_a_waiting_retry_does_not_stop_its_neighbours() -> None:
    async def story(db: Db, shop: Shop) -> None:
        shop.plan["pay"] = [Unknown("NO_ANSWER")]
        hourly = {"Exceptions": ["Unknown"], "IntervalSeconds": 3600, "MaxAttempts": 3}
        limits = EngineLimits(calls=1, retry_max_s=3600, machine_timeout_s=None)
        engine = an_engine(db, shop, order_saga(Pay={"Retry": [hourly]}), limits=limits)
        slow = await start(engine, db, "slow")
        await asyncio.sleep(0.01)
        quick = await engine.wait(await start(engine, db, "quick"), 0.05)

        assert quick is not None
        assert quick.succeeded
        assert await engine.wait(slow, 1000) is None
        outcome = await engine.wait(slow, 3600)
        assert outcome is not None
        assert outcome.succeeded

    play(story)


def test_exhausted_attempts_are_driven_again_and_then_left_to_an_operator() -> None:
    async def story(db: Db, shop: Shop) -> None:
        shop.plan["pay"] = [Unknown("DOWN")] * 100
        engine = an_engine(db, shop, order_saga(), limits=EngineLimits(redrives=2))
        loop = asyncio.create_task(engine.run())
        instance_id = await start(engine, db)
        assert await engine.wait(instance_id, 1) is None
        outcome = await engine.wait(instance_id, 60)

        assert outcome is not None
        assert (outcome.status, outcome.compensation) == ("UN", None)
        assert outcome.needs_operator
        assert outcome.error is not None
        assert outcome.error.code == "DOWN"
        asked = [token for method, token in shop.asked if method == "pay"]
        assert asked == [f"{instance_id}.Pay.1"] * (3 * 4)
        (row,) = await machines(db)
        assert (row["needs_operator"], row["redrives"], row["due_at"]) == (1, 2, None)

        shop.plan["pay"] = []
        await engine.forward(instance_id)
        outcome = await engine.wait(instance_id, 5)
        assert outcome is not None
        assert outcome.succeeded
        assert shop.done == ["reserve", "pay", "ship"]
        loop.cancel()

    play(story)


def test_a_compensation_that_is_unknown_is_asked_until_it_succeeds() -> None:
    async def story(db: Db, shop: Shop) -> None:
        shop.plan["ship"] = [Refused("NO_COURIER")]
        shop.plan["refund"] = [Unknown("DOWN")] * 9
        engine = an_engine(db, shop, order_saga())
        loop = asyncio.create_task(engine.run())
        outcome = await engine.wait(await start(engine, db), 120)

        assert outcome is not None
        assert (outcome.status, outcome.compensation) == ("UN", "SU")
        assert shop.done == ["reserve", "pay", "refund", "release", "fail"]
        assert len({token for method, token in shop.asked if method == "refund"}) == 1
        assert shop.contexts[-1].cause is not None
        assert shop.contexts[-1].cause.code == "NO_COURIER"
        loop.cancel()

    play(story)


def test_a_task_behind_the_trigger_is_driven_again_too() -> None:
    async def story(db: Db, shop: Shop) -> None:
        shop.plan["ship"] = [Refused("NO_COURIER")]
        shop.plan["fail"] = [ValueError("a bug")]
        engine = an_engine(db, shop, order_saga())
        loop = asyncio.create_task(engine.run())
        outcome = await engine.wait(await start(engine, db), 120)

        assert outcome is not None
        assert (outcome.status, outcome.compensation) == ("UN", "SU")
        assert shop.done == ["reserve", "pay", "refund", "release", "fail"]
        assert len({token for method, token in shop.asked if method == "fail"}) == 1
        loop.cancel()

    play(story)


def test_a_business_key_starts_one_instance_per_machine() -> None:
    async def story(db: Db, shop: Shop) -> None:
        engine = an_engine(db, shop, order_saga())
        first = await start(engine, db)
        with pytest.raises(Refused, match="was started") as refusal:
            await start(engine, db)
        async with db.transaction() as tx:
            again = await engine.start_once(tx, "order", "o-1", {"orderId": "o-1"})

        assert refusal.value.code == "SAGA_DUPLICATE"
        assert again == first == await engine.find("order", "o-1")
        await engine.wait(first, 1)
        assert shop.done == ["reserve", "pay", "ship"]
        assert len(await machines(db)) == 1

    play(story)


def test_what_does_not_exist_or_exists_already_is_said() -> None:
    async def story(db: Db, shop: Shop) -> None:
        engine = an_engine(db, shop, order_saga())
        assert await engine.find("order", "o-1") is None
        await engine.execute("order", {"orderId": "o-1"}, business_key="o-1")
        for starting in (engine.begin, engine.execute):
            with pytest.raises(Refused, match="was started") as refusal:
                await starting("order", {}, business_key="o-1")
            assert refusal.value.facts == {"machine": "order", "businessKey": "o-1"}
        async with db.transaction() as tx:
            with pytest.raises(Refused) as refusal:
                await engine.start_once(tx, "nobody", "o-1", {})
            assert refusal.value.code == "SAGA_UNKNOWN"
        for looking in (engine.inspect("nobody"), engine.wait("nobody", 1)):
            with pytest.raises(NotFound):
                await looking
        assert len(await machines(db)) == 1

    play(story)


def test_an_instance_of_an_undone_transaction_never_runs() -> None:
    async def story(db: Db, shop: Shop) -> None:
        engine = an_engine(db, shop, order_saga())

        async def place_order_that_fails() -> None:
            async with db.transaction() as tx:
                await engine.start(tx, "order", "o-1", {})
                raise RuntimeError("no order")

        with pytest.raises(RuntimeError, match="no order"):
            await place_order_that_fails()
        await asyncio.sleep(1)

        assert shop.asked == []
        assert await machines(db) == []

    play(story)


def test_a_local_step_and_its_row_commit_together() -> None:
    async def story(db: Db, shop: Shop) -> None:
        local = {"ServiceName": "notes", "ServiceMethod": "write", "Input": ["paid"]}
        notes = Notes()
        notes.plan = [Unknown("LOCKED"), None]
        engine = an_engine(db, shop, order_saga(Pay=local), notes=notes)
        outcome = await engine.wait(await start(engine, db), 5)

        assert outcome is not None
        assert outcome.succeeded
        assert await notes_in(db) == ["paid"]
        assert [row["kind"] for row in await events(db)] == [
            "start",
            "step",
            "retry",
            "step",
            "end",
        ]

    play(story)


def test_a_refused_local_step_leaves_only_its_refusal() -> None:
    async def story(db: Db, shop: Shop) -> None:
        local = {"ServiceName": "notes", "ServiceMethod": "write", "Input": ["paid"]}
        notes = Notes()
        notes.plan = [Refused("NO_MONEY")]
        engine = an_engine(db, shop, order_saga(Pay=local), notes=notes)
        outcome = await engine.wait(await start(engine, db), 5)

        assert outcome is not None
        assert (outcome.status, outcome.compensation) == ("UN", "SU")
        assert await notes_in(db) == []
        assert shop.done == ["reserve", "release", "fail"]

    play(story)
