"""Odd answers and operators: what a service may do wrong, and what a person may ask for."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from tests.saga.world import (
    Shop,
    an_engine,
    events,
    order_saga,
    play,
    start,
)

from kessai.kernel.db import Db
from kessai.kernel.errors import JsonValue, NotFound, Refused, VersionConflict
from kessai.kernel.telemetry import correlated, correlation_id
from kessai.saga import EngineLimits, StepContext


def test_an_answer_that_json_cannot_keep_is_unknown_not_lost() -> None:
    async def story(db: Db, shop: Shop) -> None:
        shop.plan["pay"] = [[object()]]
        engine = an_engine(db, shop, order_saga(), limits=EngineLimits(redrives=0))
        outcome = await engine.wait(await start(engine, db), 1)

        assert outcome is not None
        assert (outcome.status, outcome.needs_operator) == ("UN", True)
        assert outcome.error is not None
        assert outcome.error.names[0] == "NotStorable"

    play(story)


def test_an_answer_too_large_for_the_log_is_unknown_not_lost() -> None:
    async def story(db: Db, shop: Shop) -> None:
        shop.plan["pay"] = [["x" * 2000]]
        limits = EngineLimits(redrives=0, event_bytes=1000)
        engine = an_engine(db, shop, order_saga(), limits=limits)
        outcome = await engine.wait(await start(engine, db), 1)

        assert outcome is not None
        assert (outcome.status, outcome.needs_operator) == ("UN", True)
        assert outcome.error is not None
        assert outcome.error.code == "NOT_STORABLE"

    play(story)


def test_a_service_that_cancels_itself_is_unknown_and_asked_again() -> None:
    class Giving(Shop):
        async def pay(self, step: StepContext, *input: JsonValue) -> JsonValue:
            if step.attempt == 1:
                raise asyncio.CancelledError
            return await super().pay(step, *input)

    async def story(db: Db, _: Shop) -> None:
        shop = Giving()
        engine = an_engine(db, shop, order_saga())
        outcome = await engine.wait(await start(engine, db), 5)

        assert outcome is not None
        assert outcome.succeeded
        assert [c.attempt for c in shop.contexts if c.state == "Pay"] == [2]

    play(story)


def test_a_service_that_changes_its_input_does_not_change_the_context() -> None:
    class Careless(Shop):
        async def ship(self, step: StepContext, *input: JsonValue) -> JsonValue:
            cast("dict[str, JsonValue]", input[0])["method"] = "spoilt"
            return await super().ship(step)

    async def story(db: Db, _: Shop) -> None:
        engine = an_engine(db, Careless(), order_saga(Ship={"Input": ["$.[pay]"]}))
        outcome = await engine.wait(await start(engine, db), 5)

        assert outcome is not None
        assert outcome.context["pay"] == {"method": "pay"}

    play(story)


def test_a_saga_runs_in_the_context_of_the_request_that_started_it() -> None:
    seen: dict[str, str] = {}

    class Listening(Shop):
        async def reserve(self, step: StepContext, *input: JsonValue) -> JsonValue:
            seen[str(step.business_key)] = correlation_id()
            return await super().reserve(step, *input)

    async def story(db: Db, _: Shop) -> None:
        engine = an_engine(db, Listening(), order_saga())

        async def request(name: str) -> None:
            with correlated(name):
                await engine.wait(await start(engine, db, f"order of {name}"), 5)

        await asyncio.gather(request("ann"), request("bob"))
        assert seen == {"order of ann": "ann", "order of bob": "bob"}

    play(story)


def test_operations_refuse_what_runs_and_what_moved_on() -> None:
    async def story(db: Db, shop: Shop) -> None:
        shop.crash_after = 1
        engine = an_engine(db, shop, order_saga())
        instance_id = await start(engine, db)
        await asyncio.sleep(0.1)
        for operation in (engine.forward, engine.compensate):
            with pytest.raises(Refused) as refusal:
                await operation(instance_id)
            assert refusal.value.code == "SAGA_RUNNING"
        with pytest.raises(NotFound):
            await engine.forward("nobody")
        done = await start(engine, db, "o-2")
        await engine.wait(done, 1)
        with pytest.raises(VersionConflict):
            await engine.compensate(done, expected_seq=1)

        assert shop.done == ["reserve", "pay", "ship"]
        await engine.close()

    play(story)


def test_an_operator_undoes_a_saga_that_had_succeeded() -> None:
    async def story(db: Db, shop: Shop) -> None:
        engine = an_engine(db, shop, order_saga())
        instance_id = await start(engine, db)
        await engine.wait(instance_id, 1)
        await engine.compensate(instance_id, expected_seq=4)
        outcome = await engine.wait(instance_id, 1)

        assert outcome is not None
        assert (outcome.status, outcome.compensation) == ("SU", "SU")
        assert shop.done == ["reserve", "pay", "ship", "refund", "release"]
        await engine.compensate(instance_id)
        assert len(shop.asked) == 5

    play(story)


def test_two_hundred_sagas_at_once_each_end_once() -> None:
    async def story(db: Db, shop: Shop) -> None:
        engine = an_engine(db, shop, order_saga(), limits=EngineLimits(calls=10))
        ids = [await start(engine, db, f"o-{n}") for n in range(200)]
        outcomes = await asyncio.gather(*(engine.wait(one, 10) for one in ids))

        assert all(outcome is not None and outcome.succeeded for outcome in outcomes)
        assert sorted(shop.done) == sorted(["reserve", "pay", "ship"] * 200)
        assert len(await events(db)) == 800

    play(story)
