"""Sub machines in a running engine: started once, failing, undone, nested, and cut off."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import Delete, delete
from tests.saga.world import (
    Shop,
    a_database,
    a_machine,
    a_task,
    an_engine,
    goes_on,
    machines,
    play,
    run_virtual,
)

from kessai.kernel.db import Db
from kessai.kernel.errors import JsonValue, Refused, Unknown
from kessai.saga import SG_EVENT, Engine, EngineLimits, Machine, Outcome, StepContext
from kessai.saga.log.rows import EVENT_CHARACTERS

REFUSED = [{"Exceptions": ["Refused"], "Next": "Undo"}]
UNDO: dict[str, Any] = {"Undo": {"Type": "CompensationTrigger"}}
SUB: dict[str, Any] = {
    "Type": "SubStateMachine",
    "StateMachineName": "stock",
    "Input": [{"orderId": "$.[orderId]"}],
    "Output": {"sub": "$.[_sub_statemachine_execution_status_]"},
}


def stock(**changes: Any) -> Machine:
    states = {
        "Reserve": a_task("reserve", Next="Pay", CompensateState="Release"),
        "Pay": a_task("pay", CompensateState="Refund"),
        "Release": a_task("release"),
        "Refund": a_task("refund"),
    }
    for name, change in changes.items():
        states[name] = {**states[name], **change}
    return a_machine(states, name="stock")


def order(*, sub: dict[str, Any] | None = None, **changes: Any) -> Machine:
    states = {
        "Note": a_task("fail", Next="Stock", CompensateState="Unnote"),
        "Stock": {**SUB, "Next": "Ship", "Catch": REFUSED, **(sub or {})},
        "Ship": a_task("ship", Catch=REFUSED),
        "Unnote": a_task("release"),
        **UNDO,
    }
    for name, change in changes.items():
        states[name] = {**states.get(name, {}), **change}
    return a_machine(states, name="order")


async def run(
    engine: Engine, timeout_s: float = 5, key: str | None = None
) -> tuple[str, Outcome | None]:
    instance_id = await engine.begin("order", {"orderId": "o-1"}, business_key=key)
    return instance_id, await engine.wait(instance_id, timeout_s)


def pairs(outcome: Outcome | None) -> tuple[str, str | None]:
    assert outcome is not None
    return outcome.status, outcome.compensation


async def rows(db: Db) -> dict[str, tuple[str, str | None]]:
    return {row["name"]: (row["status"], row["compensation"]) for row in await machines(db)}


def test_a_sub_machine_is_an_instance_of_its_own_that_knows_its_caller() -> None:
    async def story(db: Db, shop: Shop) -> None:
        output = {**SUB["Output"], "reserved": "$.[reserve]"}
        engine = an_engine(db, shop, order(sub={"Output": output}), stock())
        instance_id, outcome = await run(engine, key="o-1")

        assert pairs(outcome) == ("SU", None)
        assert outcome is not None
        assert (outcome.context["sub"], outcome.context["reserved"]) == (
            "SU",
            {"method": "reserve"},
        )
        assert shop.done == ["fail", "reserve", "pay", "ship"]
        sub = next(row for row in await machines(db) if row["name"] == "stock")
        assert (sub["parent_id"], sub["business_key"]) == (f"{instance_id}:2", None)
        assert (sub["running"], sub["needs_operator"], sub["due_at"]) == (0, 0, None)
        # The sub machine's steps carry tokens of its own instance.
        assert shop.asked[1] == ("reserve", f"{sub['id']}.Reserve.1")

    play(story)


def test_a_sub_machine_that_fails_does_not_stop_its_caller_as_in_seata() -> None:
    async def story(db: Db, shop: Shop) -> None:
        shop.plan["reserve"] = [Refused("SOLD_OUT")]
        engine = an_engine(db, shop, order(), stock(), limits=EngineLimits(redrives=0))
        _, outcome = await run(engine)

        assert pairs(outcome) == ("UN", None)
        assert outcome is not None
        assert outcome.context["sub"] == "FA"
        assert shop.done == ["fail", "ship"]
        assert await rows(db) == {"order": ("UN", None), "stock": ("FA", None)}

    play(story)


def test_a_choice_on_its_status_undoes_what_came_before_it() -> None:
    async def story(db: Db, shop: Shop) -> None:
        shop.plan["reserve"] = [Refused("SOLD_OUT")]
        went = {"Type": "Choice", "Default": "Undo"}
        went["Choices"] = [{"Expression": "[sub] == 'SU'", "Next": "Ship"}]  # type: ignore[assignment]
        engine = an_engine(db, shop, order(sub={"Next": "Went"}, Went=went), stock())
        _, outcome = await run(engine)

        assert pairs(outcome) == ("UN", "SU")
        # A sub machine that failed without effect is not undone.
        assert shop.done == ["fail", "release"]

    play(story)


def test_undoing_a_caller_undoes_the_sub_machine_in_its_place() -> None:
    async def story(db: Db, shop: Shop) -> None:
        shop.plan["ship"] = [Refused("NO_COURIER")]
        engine = an_engine(db, shop, order(), stock())
        _, outcome = await run(engine)

        assert pairs(outcome) == ("UN", "SU")
        assert shop.done == ["fail", "reserve", "pay", "refund", "release", "release"]
        assert await rows(db) == {"order": ("UN", "SU"), "stock": ("SU", "SU")}

    play(story)


def test_a_state_that_undoes_a_sub_machine_may_change_its_parameters() -> None:
    class Seeing(Shop):
        async def refund(self, step: StepContext, *input: JsonValue) -> JsonValue:
            self.seen = input
            return await super().refund(step, *input)

    async def story(db: Db, _shop: Shop) -> None:
        shop = Seeing()
        shop.plan["ship"] = [Refused("NO_COURIER")]
        explicit = {"Type": "CompensateSubMachine", "Input": [{"why": "$.#exception.code"}]}
        saga = order(sub={"CompensateState": "Unstock"}, Unstock=explicit)
        engine = an_engine(db, shop, saga, stock(Refund={"Input": ["$.[why]"]}))
        _, outcome = await run(engine)

        assert pairs(outcome) == ("UN", "SU")
        assert shop.seen == ("NO_COURIER",)

    play(story)


def test_an_unknown_sub_machine_is_driven_again_with_its_caller() -> None:
    async def story(db: Db, shop: Shop) -> None:
        shop.plan["pay"] = [Unknown("DOWN")] * 7
        engine = an_engine(db, shop, order(sub={"Next": None}), stock())
        loop = asyncio.create_task(engine.run())
        _, outcome = await run(engine, 60)

        assert pairs(outcome) == ("SU", None)
        assert await rows(db) == {"order": ("SU", None), "stock": ("SU", None)}
        assert shop.done == ["fail", "reserve", "pay"]
        pays = [token for method, token in shop.asked if method == "pay"]
        assert (len(pays), len(dict.fromkeys(pays))) == (8, 1)
        loop.cancel()

    play(story)


def test_an_operator_moves_a_sub_machine_through_its_caller() -> None:
    async def story(db: Db, shop: Shop) -> None:
        shop.plan["pay"] = [Refused("NO_MONEY")]
        # In insert mode a forwarded state has a row that its sub machine does not hang below, in
        # Seata and here: nobody finds it to undo it.
        saga = order(sub={"Next": None, "IsRetryPersistModeUpdate": True})
        engine = an_engine(db, shop, saga, stock(), limits=EngineLimits(redrives=0))
        instance_id, outcome = await run(engine)
        assert pairs(outcome) == ("UN", None)

        assert await engine.forward(instance_id)
        assert pairs(await engine.wait(instance_id, 5)) == ("SU", None)
        assert shop.done == ["fail", "reserve", "pay"]
        assert await engine.compensate(instance_id)
        assert pairs(await engine.wait(instance_id, 5)) == ("SU", "SU")
        assert shop.done[3:] == ["refund", "release", "release"]

    play(story)


def nested() -> tuple[Machine, ...]:
    middle = {
        "Inner": {**SUB, "Next": "More"},
        "More": a_task("reserve", CompensateState="Less"),
        "Less": a_task("release"),
    }
    return order(sub={"StateMachineName": "middle"}), a_machine(middle, name="middle"), stock()


def test_sub_machines_of_sub_machines_are_undone_from_the_inside() -> None:
    async def story(db: Db, shop: Shop) -> None:
        shop.plan["ship"] = [Refused("NO_COURIER")]
        # One call at a time is enough: who waits for a sub machine holds no place of the others.
        engine = an_engine(db, shop, *nested(), limits=EngineLimits(calls=1))
        _, outcome = await run(engine)

        assert pairs(outcome) == ("UN", "SU")
        assert shop.done == [
            *("fail", "reserve", "pay", "reserve"),
            *("release", "refund", "release", "release"),
        ]
        assert await rows(db) == {
            "order": ("UN", "SU"),
            "middle": ("SU", "SU"),
            "stock": ("SU", "SU"),
        }

    play(story)


def test_the_key_of_a_state_is_the_business_key_of_its_sub_machine() -> None:
    async def story(db: Db, shop: Shop) -> None:
        keyed = {"Input": [{"orderId": "$.[orderId]", "key": "$Sequence.STOCK|SIMPLE"}]}
        engine = an_engine(db, shop, order(sub=keyed), stock())
        _, outcome = await run(engine)

        assert outcome is not None
        sub = next(row for row in await machines(db) if row["name"] == "stock")
        assert sub["business_key"] == outcome.context["Stock_business_key_"]
        assert await engine.find("stock", sub["business_key"]) == sub["id"]

    play(story)


@pytest.mark.parametrize(
    ("sub", "code"),
    [
        ({"StateMachineName": "nobody"}, "SAGA_UNKNOWN"),
        ({"Input": ["$.[orderId]"]}, "java.lang.ClassCastException"),
    ],
)
def test_a_sub_machine_that_cannot_begin_is_an_exception_of_its_state(
    sub: dict[str, Any], code: str
) -> None:
    async def story(db: Db, shop: Shop) -> None:
        caught = [{"Exceptions": [code], "Next": "Undo"}]
        saga = order(sub={**sub, "Catch": caught})
        engine = an_engine(db, shop, saga, stock(), limits=EngineLimits(redrives=0))
        _, outcome = await run(engine)

        # An update that threw is unknown, so it is to be undone; but there is nothing to undo.
        assert pairs(outcome) == ("UN", "UN")
        assert outcome is not None
        assert outcome.needs_operator
        assert outcome.cause is not None
        assert code in outcome.cause.names
        assert shop.done[0] == "fail"
        assert [row["name"] for row in await machines(db)] == ["order"]

    play(story)


def test_parameters_that_fit_the_caller_and_not_the_sub_machine_are_an_exception() -> None:
    async def story(db: Db, shop: Shop) -> None:
        # The caller's row holds the text three times, the sub machine's would hold it five times.
        shop.plan["fail"] = [["x" * (EVENT_CHARACTERS // 4)]]
        caught = [{"Exceptions": ["NotStorable"], "Next": "Ship"}]
        sub = {"Input": [{"orderId": "$.[fail]", "again": "$.[fail]"}], "Catch": caught}
        large = stock(Reserve={"Input": ["$.[orderId]", "$.[again]", "$.[orderId]"]})
        engine = an_engine(db, shop, order(sub=sub), large, limits=EngineLimits(redrives=0))
        _, outcome = await run(engine)

        assert pairs(outcome) == ("UN", None)
        assert outcome is not None
        assert outcome.cause is not None
        assert outcome.cause.code == "NOT_STORABLE"
        assert shop.done == ["fail", "ship"]
        assert [row["name"] for row in await machines(db)] == ["order"]

    play(story)


def test_a_sub_machine_without_a_log_runs_and_answers_all_the_same() -> None:
    async def story(db: Db, shop: Shop) -> None:
        quiet = a_machine(
            {"Reserve": a_task("reserve", Next="Pay"), "Pay": a_task("pay")},
            name="stock",
            IsPersist=False,
        )
        engine = an_engine(db, shop, order(), quiet)
        _, outcome = await run(engine)

        assert pairs(outcome) == ("SU", None)
        assert shop.done == ["fail", "reserve", "pay", "ship"]
        assert [row["name"] for row in await machines(db)] == ["order"]

    play(story)


# Two points before and after each effect, of the caller and of its sub machine.
@pytest.mark.parametrize("point", range(1, 4 * 2 + 1))
def test_a_crash_anywhere_loses_and_doubles_nothing_in_a_sub_machine(point: int) -> None:
    async def story() -> None:
        db, shop = await a_database(), Shop()
        shop.crash_after = point
        dead = an_engine(db, shop, order(), stock())
        instance_id, outcome = await run(dead, 0.1)
        assert outcome is None

        heir = an_engine(db, shop, order(), stock(), owner="two")
        assert await goes_on(heir, instance_id) == ("SU", None)
        assert shop.done == ["fail", "reserve", "pay", "ship"]
        assert_nothing_is_asked_without_need(shop, effects=4)
        assert sorted(row["name"] for row in await machines(db)) == ["order", "stock"]
        await dead.close()
        await db.close()

    run_virtual(story())


@pytest.mark.parametrize("point", range(1, 3 * 2 + 1 + 3 * 2 + 1))
def test_a_crash_anywhere_in_its_undoing_undoes_a_sub_machine_once(point: int) -> None:
    async def story() -> None:
        db, shop = await a_database(), NoCourier()
        shop.crash_after = point
        dead = an_engine(db, shop, order(), stock())
        instance_id, outcome = await run(dead, 0.1)
        assert outcome is None

        heir = an_engine(db, shop, order(), stock(), owner="two")
        assert await goes_on(heir, instance_id) == ("UN", "SU")
        assert shop.done == ["fail", "reserve", "pay", "refund", "release", "release"]
        assert_nothing_is_asked_without_need(shop, effects=6)
        await dead.close()
        await db.close()

    run_virtual(story())


class NoCourier(Shop):
    async def ship(self, step: StepContext, *input: JsonValue) -> JsonValue:
        await self._crash_point()
        raise Refused("NO_COURIER")


def assert_nothing_is_asked_without_need(shop: Shop, *, effects: int) -> None:
    """Only the one call that the crash cut off is made twice, by its own token."""
    asked = Counter(token for _, token in shop.asked)
    assert len(asked) == effects
    assert sum(asked.values()) - effects in (0, 1)


def last_row_away(instance_id: str) -> Delete:
    """The caller's third: the first entered Note, the second Stock."""
    return delete(SG_EVENT).where(SG_EVENT.c.machine_id == instance_id, SG_EVENT.c.seq == 3)


def test_a_crash_between_a_sub_machines_end_and_its_callers_row_asks_nothing_again() -> None:
    async def story() -> None:
        db, shop = await a_database(), Shop()
        shop.crash_after = 7  # ship is asked; the heir begins there
        dead = an_engine(db, shop, order(), stock())
        instance_id, _ = await run(dead, 0.1)
        # The row that took the sub machine's end over is gone, as if the crash had come before it.
        async with db.transaction() as tx:
            await tx.run(last_row_away(instance_id))
        heir = an_engine(db, shop, order(), stock(), owner="two")
        assert await goes_on(heir, instance_id) == ("SU", None)
        assert Counter(method for method, _ in shop.asked) == {
            "fail": 1,
            "reserve": 1,
            "pay": 1,
            "ship": 2,
        }
        await dead.close()
        await db.close()

    run_virtual(story())
