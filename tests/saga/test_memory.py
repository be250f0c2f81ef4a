"""The same engine without a database, and machines that leave no log at all."""

from __future__ import annotations

import asyncio

import pytest
from tests.saga.test_sub_stories import order, pairs, stock
from tests.saga.world import (
    Shop,
    a_machine,
    an_engine,
    goes_on,
    kinds,
    machines,
    order_saga,
    play,
    run_virtual,
)

from kessai.kernel.db import Db, open_database
from kessai.kernel.errors import NotFound, Refused, Unknown
from kessai.saga import Engine, EngineLimits, Filter, MemoryLog, Order
from kessai.saga.log.rows import EVENT_CHARACTERS


async def run(engine: Engine, key: str | None = None) -> str:
    return await engine.begin("order", {"orderId": "o-1"}, business_key=key)


def test_an_instance_in_memory_runs_is_undone_and_is_steered() -> None:
    async def story() -> None:
        shop = Shop()
        shop.plan["ship"] = [Refused("NO_COURIER")]
        engine = an_engine(MemoryLog(), shop, order_saga())
        undone = await run(engine)
        assert pairs(await engine.wait(undone, 5)) == ("UN", "SU")
        done = await run(engine)
        assert pairs(await engine.wait(done, 5)) == ("SU", None)
        assert not await engine.forward(done, order=Order("alice", "why not"))
        assert await engine.compensate(done, order=Order("alice", "called", version=5))
        assert pairs(await engine.wait(done, 5)) == ("SU", "SU")

        row, run_of, history = await engine.inspect(done)
        assert (row.status, row.compensation, run_of.seq) == ("SU", "SU", 8)
        assert [str(event.kind) for event in history] == [
            *("start", "step", "step", "end"),
            *("note", "claim", "step", "end"),
        ]
        listed = await engine.list(Filter(machine="order"))
        assert [one.id for one in listed] == [done, undone]
        await engine.close()

    run_virtual(story())


def test_a_key_has_one_instance_in_memory_too() -> None:
    async def story() -> None:
        engine = an_engine(MemoryLog(), Shop(), order_saga())
        first = await run(engine, "o-1")
        with pytest.raises(Refused, match="was started"):
            await run(engine, "o-1")
        assert await engine.find("order", "o-1") == first
        await engine.close()

    run_virtual(story())


def test_sub_machines_are_undone_in_memory_too() -> None:
    async def story() -> None:
        shop = Shop()
        shop.plan["ship"] = [Refused("NO_COURIER")]
        engine = an_engine(MemoryLog(), shop, order(), stock())
        assert pairs(await engine.wait(await run(engine), 5)) == ("UN", "SU")
        assert shop.done == ["fail", "reserve", "pay", "refund", "release", "release"]
        await engine.close()

    run_virtual(story())


def test_an_unknown_instance_is_driven_again_in_memory_too() -> None:
    async def story() -> None:
        shop = Shop()
        shop.plan["pay"] = [Unknown("DOWN")] * 6
        engine = an_engine(MemoryLog(), shop, order_saga())
        assert await goes_on(engine, await run(engine)) == ("SU", None)
        await engine.close()

    run_virtual(story())


def test_a_second_engine_on_the_same_memory_takes_over() -> None:
    async def story() -> None:
        log, shop = MemoryLog(), Shop()
        shop.crash_after = 4
        dead = an_engine(log, shop, order_saga())
        await dead.tick()
        instance_id = await run(dead)
        await asyncio.sleep(0.1)
        heir = an_engine(log, shop, order_saga(), owner="two")
        assert await goes_on(heir, instance_id) == ("SU", None)
        assert shop.done == ["reserve", "pay", "ship"]
        await dead.close()
        await heir.close()

    run_virtual(story())


def test_settled_instances_leave_the_memory_in_time() -> None:
    async def story() -> None:
        log = MemoryLog()
        limits = EngineLimits(retention_s=60, retention_rows=2)
        engine = an_engine(log, Shop(), order_saga(), limits=limits)
        for n in range(5):
            await engine.wait(await run(engine, f"o-{n}"), 5)
        for seconds, left in ((61, 3), (0.5, 1), (0.5, 0)):
            await asyncio.sleep(seconds)
            await engine.tick()
            assert len(await engine.list(Filter())) == left
        await run(engine, "o-0")
        await engine.close()

    run_virtual(story())


def test_a_memory_keeps_answers_of_any_size_and_shows_them() -> None:
    async def story() -> None:
        shop, large = Shop(), "x" * (2 * EVENT_CHARACTERS)
        shop.plan["pay"] = [[large]]
        engine = an_engine(MemoryLog(), shop, order_saga())
        instance_id = await run(engine)
        await asyncio.sleep(1)
        outcome = await engine.wait(instance_id, 5)
        assert outcome is not None
        assert outcome.context["pay"] == [large]
        await engine.close()

    run_virtual(story())


def test_a_memory_has_no_transaction_to_start_in() -> None:
    async def story() -> None:
        db = await open_database("sqlite:")
        engine = an_engine(MemoryLog(), Shop(), order_saga())
        async with db.transaction() as tx:
            with pytest.raises(TypeError, match="in memory"):
                await engine.start(tx, "order", None, {})
        assert await engine.list(Filter()) == []
        await engine.close()
        await db.close()

    run_virtual(story())


# --- machines with IsPersist false ----------------------------------------------------------

QUIET = {"IsPersist": False}


def test_a_machine_without_a_log_runs_and_leaves_nothing() -> None:
    async def story(db: Db, shop: Shop) -> None:
        shop.plan["pay"] = [Unknown("DOWN"), {"paid": True}]
        engine = an_engine(db, shop, order_saga(machine=QUIET))
        outcome = await engine.execute("order", {"orderId": "o-1"}, timeout_s=5)
        assert pairs(outcome) == ("SU", None)
        assert outcome is not None
        assert outcome.context["pay"] == {"paid": True}
        assert await machines(db) == []
        for operation in (engine.forward, engine.compensate, engine.skip):
            with pytest.raises(NotFound):
                await operation(outcome.instance_id)

    play(story)


def test_a_machine_without_a_log_is_undone_but_never_driven_again() -> None:
    async def story(db: Db, shop: Shop) -> None:
        engine = an_engine(db, shop, order_saga(machine=QUIET))
        shop.plan["ship"] = [Refused("NO_COURIER")]
        outcome = await engine.execute("order", {"orderId": "o-1"}, timeout_s=5)
        assert pairs(outcome) == ("UN", "SU")
        assert shop.done == ["reserve", "pay", "refund", "release", "fail"]

        shop.plan["pay"] = [Unknown("DOWN")] * 4
        outcome = await engine.execute("order", {"orderId": "o-2"}, timeout_s=30)
        assert pairs(outcome) == ("UN", None)
        assert outcome is not None
        assert (outcome.needs_operator, outcome.error and outcome.error.code) == (False, "DOWN")

    play(story)


def test_a_machine_without_a_log_that_ends_at_once_says_so() -> None:
    async def story(db: Db, shop: Shop) -> None:
        states = {"No": {"Type": "Fail", "ErrorCode": "E", "Message": "no"}}
        engine = an_engine(db, shop, a_machine(states, name="order", **QUIET))
        outcome = await engine.execute("order", {})
        assert pairs(outcome) == ("FA", None)
        assert outcome is not None
        assert outcome.context["_statemachine_error_code_"] == "E"

    play(story)


def test_a_local_step_needs_no_row_of_a_machine_without_a_log() -> None:
    async def story(db: Db, shop: Shop) -> None:
        local = {"ServiceName": "notes", "ServiceMethod": "write", "Input": ["paid"]}
        engine = an_engine(db, shop, order_saga(machine=QUIET, Pay=local))
        assert pairs(await engine.execute("order", {"orderId": "o-1"}, timeout_s=5)) == ("SU", None)
        assert await machines(db) == []

    play(story)


def test_a_state_without_a_row_that_a_crash_cut_off_is_decided_on_again() -> None:
    async def story(db: Db, shop: Shop) -> None:
        saga = order_saga(Ship={"IsPersist": False}, Refund={"IsPersist": False})
        shop.plan["ship"] = [Refused("NO_COURIER")]
        # The first engine dies while it asks ship, the second while it asks refund.
        first, second = (an_engine(db, shop, saga, owner=owner) for owner in ("one", "two"))
        shop.crash_after = 5
        instance_id = await run(first)
        await asyncio.sleep(0.1)
        await first.close()
        shop.crash_after = 7
        await second.tick()
        await asyncio.sleep(0.1)
        await second.close()

        heir = an_engine(db, shop, saga, owner="three")
        assert await goes_on(heir, instance_id) == ("UN", "SU")
        assert [method for method, _ in shop.asked] == [
            *("reserve", "pay", "ship", "ship"),
            *("refund", "refund", "release", "fail"),
        ]
        assert shop.done == ["reserve", "pay", "refund", "release", "fail"]
        await heir.close()

    play(story)


def test_states_without_rows_are_asked_again_after_a_crash() -> None:
    async def story(db: Db, shop: Shop) -> None:
        quiet = {"IsPersist": False}
        saga = order_saga(Reserve=quiet, Pay=quiet)
        shop.crash_after = 5  # reserve and pay have answered, ship is asked
        dead = an_engine(db, shop, saga)
        instance_id = await run(dead)
        await asyncio.sleep(0.1)
        await dead.close()
        assert await kinds(db) == ["start", "step"]
        heir = an_engine(db, shop, saga, owner="two")
        assert await goes_on(heir, instance_id) == ("SU", None)
        # What came before the first row was known through the row that carried its outputs.
        assert [method for method, _ in shop.asked] == ["reserve", "pay", "ship", "ship"]
        _, run_of, _ = await heir.inspect(instance_id)
        assert run_of.context["pay"] == {"method": "pay"}

    play(story)
