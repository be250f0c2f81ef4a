"""Odd answers: what a service may do wrong, and what becomes of the instance that asked it."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from types import MappingProxyType
from typing import cast

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
from kessai.kernel.errors import JsonValue, Refused
from kessai.kernel.telemetry import correlated, correlation_id
from kessai.saga import EngineLimits, StepContext, Thrown
from kessai.saga.history import NotStorable
from kessai.saga.log.rows import EVENT_CHARACTERS


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
        shop.plan["pay"] = [["x" * EVENT_CHARACTERS]]
        limits = EngineLimits(redrives=0)
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


def test_two_hundred_sagas_at_once_each_end_once() -> None:
    async def story(db: Db, shop: Shop) -> None:
        engine = an_engine(db, shop, order_saga(), limits=EngineLimits(calls=10))
        ids = [await start(engine, db, f"o-{n}") for n in range(200)]
        outcomes = await asyncio.gather(*(engine.wait(one, 10) for one in ids))

        assert all(outcome is not None and outcome.succeeded for outcome in outcomes)
        assert sorted(shop.done) == sorted(["reserve", "pay", "ship"] * 200)
        assert len(await events(db)) == 800

    play(story)


def nested(depth: int) -> object:
    return [nested(depth - 1)] if depth else []


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (object(), "object is not a JSON value"),
        ({1: "one"}, "keys of a map must be strings"),
        ([float("nan")], "float is not a JSON value"),
        ({"at": datetime(2026, 1, 1, tzinfo=UTC)}, "datetime is not a JSON value"),
        (nested(50), "nested too deeply"),
    ],
)
def test_whatever_json_has_no_form_for_is_named(answer: object, reason: str) -> None:
    async def story(db: Db, shop: Shop) -> None:
        shop.plan["pay"] = [[answer]]
        engine = an_engine(db, shop, order_saga(), limits=EngineLimits(redrives=0))
        outcome = await engine.wait(await start(engine, db), 1)

        assert outcome is not None
        assert (outcome.status, outcome.needs_operator) == ("UN", True)
        assert outcome.error is not None
        assert (outcome.error.code, outcome.error.message) == ("NOT_STORABLE", reason)
        # The effect happened; only its answer is lost.
        assert shop.done == ["reserve", "pay"]

    play(story)


def test_parameters_that_cannot_be_kept_start_nothing() -> None:
    async def story(db: Db, shop: Shop) -> None:
        engine = an_engine(db, shop, order_saga())
        for params in ({"x": object()}, {"x": "y" * EVENT_CHARACTERS}):
            with pytest.raises(NotStorable):
                await engine.begin("order", cast("dict[str, JsonValue]", params))
        assert await machines(db) == []
        assert shop.asked == []

    play(story)


def test_parameters_of_an_order_that_cannot_be_kept_change_nothing() -> None:
    async def story(db: Db, shop: Shop) -> None:
        engine = an_engine(db, shop, order_saga(Pay={"Catch": []}))
        shop.plan["pay"] = [Refused("NO_MONEY")]
        instance_id = await start(engine, db)
        await engine.wait(instance_id, 1)
        before = await events(db)
        for params in ({"x": object()}, {"x": "y" * EVENT_CHARACTERS}):
            with pytest.raises(NotStorable):
                await engine.forward(instance_id, cast("dict[str, JsonValue]", params))
        assert await events(db) == before
        assert await engine.forward(instance_id)
        assert (await engine.wait(instance_id, 1)) is not None
        assert shop.done == ["reserve", "pay", "ship"]

    play(story)


class Stranger(BaseException):
    """Neither an Exception nor anything that asyncio knows."""


@pytest.mark.parametrize("error", [SystemExit(3), Stranger("?"), MemoryError(), RecursionError()])
def test_whatever_a_remote_service_raises_is_unknown_and_nobody_else_stops(
    error: BaseException,
) -> None:
    class Raising(Shop):
        async def pay(self, step: StepContext, *input: JsonValue) -> JsonValue:
            if step.business_key == "odd" and step.attempt == 1:
                raise error
            return await super().pay(step, *input)

    async def story(db: Db, _: Shop) -> None:
        shop = Raising()
        saga = order_saga(Pay={"Retry": [ANYTHING_AGAIN]})
        engine = an_engine(db, shop, saga)
        odd, even = await start(engine, db, "odd"), await start(engine, db, "even")
        outcomes = [await engine.wait(one, 5) for one in (odd, even)]

        assert [outcome is not None and outcome.succeeded for outcome in outcomes] == [True, True]
        retry = next(row for row in await events(db) if row["kind"] == "retry")
        kept = json.loads(retry["data"])["error"]
        assert (kept["type"], kept["verdict"]) == (type(error).__name__, "UNKNOWN")

    play(story)


ANYTHING_AGAIN = {"Exceptions": ["java.lang.Throwable"], "MaxAttempts": 3, "IntervalSeconds": 0.1}
LOCAL = {"ServiceName": "notes", "ServiceMethod": "write", "Input": ["paid"]}


@pytest.mark.parametrize("error", [SystemExit(3), Stranger("?"), asyncio.CancelledError()])
def test_whatever_a_local_step_raises_undoes_it_and_is_asked_again(error: BaseException) -> None:
    async def story(db: Db, shop: Shop) -> None:
        notes = Notes()
        notes.plan = [error]
        again = {**ANYTHING_AGAIN, "Exceptions": ["java.lang.Throwable", "Unknown"]}
        saga = order_saga(Pay={**LOCAL, "Retry": [again]})
        engine = an_engine(db, shop, saga, notes=notes)
        outcome = await engine.wait(await start(engine, db), 5)

        assert outcome is not None
        assert outcome.succeeded
        assert await notes_in(db) == ["paid"]
        kinds = [row["kind"] for row in await events(db)]
        assert kinds == ["start", "step", "retry", "step", "end"]

    play(story)


def test_a_mistake_in_what_the_engine_was_given_is_tried_a_few_times_and_left_to_a_person() -> None:
    def mistaken(error: BaseException) -> Thrown:
        raise LookupError(f"{error} is in no table")

    async def story(db: Db, shop: Shop) -> None:
        shop.plan["pay"] = [Refused("NO_MONEY")] * 3
        limits = EngineLimits(redrives=2)
        engine = an_engine(db, shop, order_saga(), limits=limits, classify=mistaken)
        loop = asyncio.create_task(engine.run())
        instance_id = await start(engine, db)
        outcome = await engine.wait(instance_id, 30)

        assert outcome is not None
        assert (outcome.status, outcome.compensation, outcome.needs_operator) == ("UN", None, True)
        assert outcome.fault is not None
        assert outcome.fault.names[0] == "LookupError"
        tokens = [token for method, token in shop.asked if method == "pay"]
        assert tokens == [f"{instance_id}.Pay.1"] * 3
        # A person mends what the engine was given, and it goes on where it stood.
        assert await engine.forward(instance_id)
        outcome = await engine.wait(instance_id, 5)
        assert outcome is not None
        assert outcome.succeeded
        loop.cancel()

    play(story)


def test_a_service_that_never_returns_keeps_no_other_from_its_turn() -> None:
    async def story(db: Db, shop: Shop) -> None:
        never = asyncio.Event()

        class Silent(Shop):
            async def pay(self, step: StepContext, *input: JsonValue) -> JsonValue:
                self.asked.append(("pay", step.token))
                await never.wait()
                return None

        silent = Silent()
        limits = EngineLimits(calls=1, step_timeout_s=2, redrives=0)
        engine = an_engine(db, silent, order_saga(), limits=limits)
        ids = [await start(engine, db, f"o-{n}") for n in range(3)]
        outcomes = [await engine.wait(one, 60) for one in ids]

        assert [outcome and outcome.status for outcome in outcomes] == ["UN"] * 3
        assert [outcome and outcome.error and outcome.error.code for outcome in outcomes] == [
            "TIMEOUT"
        ] * 3
        # Each was asked four times, always by its own token.
        assert sorted(silent.asked) == sorted(
            [("reserve", f"{one}.Reserve.1") for one in ids]
            + [("pay", f"{one}.Pay.1") for one in ids] * 4
        )

    play(story)


def test_a_service_that_hears_the_cancelling_and_answers_all_the_same_is_believed() -> None:
    class Stubborn(Shop):
        async def pay(self, step: StepContext, *input: JsonValue) -> JsonValue:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return {"paid": "in time"}
            return None

    async def story(db: Db, _: Shop) -> None:
        engine = an_engine(db, Stubborn(), order_saga(), limits=EngineLimits(step_timeout_s=2))
        outcome = await engine.wait(await start(engine, db), 30)

        assert outcome is not None
        assert outcome.context["pay"] == {"paid": "in time"}

    play(story)


def test_a_sub_class_of_json_types_is_kept_as_json() -> None:
    class Money(int):
        pass

    class Name(str):
        pass

    async def story(db: Db, shop: Shop) -> None:
        frozen = MappingProxyType({"a": 1})
        answer = {Name("yen"): Money(3), "list": (1, [Name("x")]), "frozen": frozen}
        shop.plan["pay"] = [answer, None]
        engine = an_engine(db, shop, order_saga())
        outcome = await engine.wait(await start(engine, db), 1)
        assert outcome is not None
        assert outcome.context["pay"] == {
            "yen": 3,
            "list": [1, ["x"]],
            "frozen": {"a": 1},
        }

    play(story)
