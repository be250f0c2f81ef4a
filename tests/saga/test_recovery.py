"""Engines that are gone: what they began goes on elsewhere, no effect lost and none twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest
from sqlalchemy import update
from tests.saga.world import (
    Notes,
    Shop,
    a_database,
    a_machine,
    a_task,
    an_engine,
    events,
    goes_on,
    machines,
    notes_in,
    order_saga,
    run_virtual,
    start,
)

from kessai.kernel.db import Body, Db, Tx
from kessai.kernel.errors import DatabaseUnavailable, JsonValue, Refused, Unknown
from kessai.saga import SG_EVENT, EngineLimits, StepContext
from kessai.saga.library import living
from kessai.saga.log import EventRow

# The happy path passes two crash points per step, the refused one more while it undoes.
HAPPY_POINTS = 6
UNDO_POINTS = 2 + 2 + 1 + 2 + 2 + 2


@pytest.mark.parametrize("point", range(1, HAPPY_POINTS + 1))
@pytest.mark.parametrize("owner", ["one", "two"])
def test_a_crash_between_any_two_transitions_loses_and_doubles_nothing(
    point: int, owner: str
) -> None:
    async def story() -> None:
        db, shop = await a_database(), Shop()
        shop.crash_after = point
        dead = an_engine(db, shop, order_saga())
        await dead.tick()
        instance_id = await start(dead, db)
        await asyncio.sleep(0.1)
        assert await dead.wait(instance_id, 0) is None

        outcome = await goes_on(an_engine(db, shop, order_saga(), owner=owner, seed=2), instance_id)
        assert outcome == ("SU", None)
        assert shop.done == ["reserve", "pay", "ship"]
        assert len({token for _, token in shop.asked}) == 3
        assert_without_gaps(await events(db))
        await dead.close()
        await db.close()

    run_virtual(story())


@pytest.mark.parametrize("point", range(1, UNDO_POINTS + 1))
def test_a_crash_anywhere_in_a_compensation_still_undoes_everything_once(point: int) -> None:
    async def story() -> None:
        db, shop = await a_database(), Shop()
        shop.plan["ship"] = [Refused("NO_COURIER"), Refused("NO_COURIER")]
        shop.crash_after = point
        dead = an_engine(db, shop, order_saga())
        instance_id = await start(dead, db)
        await asyncio.sleep(0.1)

        outcome = await goes_on(an_engine(db, shop, order_saga(), owner="two"), instance_id)
        assert outcome == ("UN", "SU")
        assert shop.done == ["reserve", "pay", "refund", "release", "fail"]
        assert_without_gaps(await events(db))
        await dead.close()
        await db.close()

    run_virtual(story())


def assert_without_gaps(log: list[dict[str, object]]) -> None:
    assert [row["seq"] for row in log] == list(range(1, len(log) + 1))


def test_a_live_engine_keeps_its_instances() -> None:
    async def story() -> None:
        db, shop = await a_database(), Shop()
        shop.crash_after = 1
        alive = an_engine(db, shop, order_saga())
        other = an_engine(db, shop, order_saga(), owner="two")
        loops = [asyncio.create_task(engine.run()) for engine in (alive, other)]
        instance_id = await start(alive, db)
        await asyncio.sleep(20)

        assert [row["owner"] for row in await machines(db)] == [alive.owner]
        assert len(await events(db)) == 1
        assert await other.wait(instance_id, 1) is None
        for loop in loops:
            loop.cancel()
        await alive.close()
        await other.close()

    run_virtual(story())


def test_a_process_that_restarts_under_its_name_does_not_wait_for_the_lease() -> None:
    async def story() -> None:
        db, shop = await a_database(), Shop()
        shop.crash_after = 1
        dead = an_engine(db, shop, order_saga())
        await dead.tick()
        instance_id = await start(dead, db)
        await asyncio.sleep(0.1)
        again = an_engine(db, shop, order_saga(), seed=2)
        loop = asyncio.create_task(again.run())

        outcome = await again.wait(instance_id, 0.6)
        assert outcome is not None
        assert outcome.succeeded
        loop.cancel()
        await dead.close()

    run_virtual(story())


def test_a_closed_engine_hands_over_at_once() -> None:
    async def story() -> None:
        db, shop = await a_database(), Shop()
        shop.crash_after = 3
        first = an_engine(db, shop, order_saga())
        await first.tick()
        instance_id = await start(first, db)
        await asyncio.sleep(0.1)
        await first.close()

        second = an_engine(db, shop, order_saga(), owner="two")
        loop = asyncio.create_task(second.run())
        outcome = await second.wait(instance_id, 0.6)
        assert outcome is not None
        assert shop.done == ["reserve", "pay", "ship"]
        loop.cancel()

    run_virtual(story())


def test_a_zombie_is_fenced_by_the_next_row_and_stops() -> None:
    async def story() -> None:
        db, shop, gate = await a_database(), Gated(), asyncio.Event()
        shop.gate = gate
        zombie = an_engine(db, shop, order_saga())
        instance_id = await start(zombie, db)
        await asyncio.sleep(3)
        shop.gate = None
        assert await goes_on(an_engine(db, shop, order_saga(), owner="two"), instance_id) == (
            "SU",
            None,
        )
        history, asked = await events(db), list(shop.asked)
        gate.set()
        await asyncio.sleep(1)

        assert await events(db) == history
        assert shop.asked == [*asked, ("reserve", f"{instance_id}.Reserve.1")]
        assert shop.done == ["reserve", "pay", "ship"]
        assert [row["epoch"] for row in history] == [1, 2, 2, 2, 2]
        # The zombie tells whoever asks it what really happened.
        outcome = await zombie.wait(instance_id, 1)
        assert outcome is not None
        assert outcome.succeeded

    run_virtual(story())


class Gated(Shop):
    """Holds `reserve` until the gate opens, as a process that was paused does."""

    gate: asyncio.Event | None = None

    async def _do(self, method: str, step, input):  # type: ignore[no-untyped-def]
        if method == "reserve" and self.gate is not None:
            await self.gate.wait()
        return await super()._do(method, step, input)


def test_two_engines_that_find_the_same_orphans_share_them_without_a_quarrel() -> None:
    async def story() -> None:
        db, shop = await a_database(), Gated()
        shop.gate = asyncio.Event()
        dead = an_engine(db, shop, order_saga())
        for n in range(4):
            await start(dead, db, f"o-{n}")
        heirs = [an_engine(db, shop, order_saga(), owner=owner) for owner in ("two", "three")]
        await asyncio.gather(*(heir.tick() for heir in heirs))

        assert [row["epoch"] for row in await machines(db)] == [2, 2, 2, 2]
        assert [row["kind"] for row in await events(db)] == ["start", "claim"] * 4
        for engine in (dead, *heirs):
            await engine.close()

    run_virtual(story())


def test_a_zombies_local_step_is_undone_with_its_row() -> None:
    async def story() -> None:
        db, shop = await a_database(), Gated()
        shop.gate = asyncio.Event()
        local = {"ServiceName": "notes", "ServiceMethod": "write", "Input": ["paid"]}
        zombie = an_engine(db, shop, order_saga(Pay=local), notes=Notes())
        instance_id = await start(zombie, db)
        await asyncio.sleep(3)
        gate, shop.gate = shop.gate, None
        await goes_on(an_engine(db, shop, order_saga(Pay=local), owner="two"), instance_id)
        gate.set()
        await asyncio.sleep(1)

        assert await notes_in(db) == ["paid"]

    run_virtual(story())


def test_a_retry_that_waited_goes_on_waiting_in_the_next_engine() -> None:
    async def story() -> None:
        db, shop = await a_database(), Shop()
        shop.plan["pay"] = [Unknown("DOWN"), Unknown("DOWN"), {"paid": True}]
        dead = an_engine(db, shop, order_saga())
        instance_id = await start(dead, db)
        await asyncio.sleep(0.01)
        await dead.close()
        assert await goes_on(an_engine(db, shop, order_saga(), owner="two"), instance_id) == (
            "SU",
            None,
        )
        assert [c.attempt for c in shop.contexts if c.state == "Pay"] == [1, 2, 3]

    run_virtual(story())


def test_a_database_that_is_away_for_a_while_costs_nothing_but_time() -> None:
    async def story() -> None:
        db, shop = await a_database(), Shop()
        engine = an_engine(Flaky(db, failures=5), shop, order_saga())
        instance_id = await start(engine, db)
        outcome = await engine.wait(instance_id, 30)

        assert outcome is not None
        assert outcome.succeeded
        assert [method for method, _ in shop.asked] == ["reserve", "pay", "ship"]

    run_virtual(story())


def test_a_database_that_is_away_for_long_leaves_instances_to_the_next_recovery() -> None:
    async def story() -> None:
        db, shop = await a_database(), Shop()
        flaky = Flaky(db, failures=0)
        limits = EngineLimits(write_attempts=3)
        engine = an_engine(flaky, shop, order_saga(), limits=limits)
        async with living(engine):
            instance_id = await start(engine, db)
            flaky.failures = 12
            with pytest.raises(DatabaseUnavailable, match="cannot be started"):
                await engine.begin("order", {})
            assert await engine.wait(instance_id, 1) is None
            outcome = await engine.wait(instance_id, 120)
        assert outcome is not None
        assert outcome.succeeded
        assert shop.done == ["reserve", "pay", "ship"]
        assert len(await machines(db)) == 1
        await db.close()

    run_virtual(story())


class Flaky:
    """A database whose next transactions find it locked."""

    def __init__(self, db: Db, *, failures: int) -> None:
        self._db = db
        self.failures = failures
        self.read, self.ping, self.migrate, self.close = db.read, db.ping, db.migrate, db.close

    def transaction(self):  # type: ignore[no-untyped-def]
        if self.failures:
            self.failures -= 1
            raise DatabaseUnavailable("locked")
        return self._db.transaction()


def test_a_local_commit_without_an_answer_counts_once_whether_it_came_through_or_not() -> None:
    async def story(*, comes_through: bool) -> None:
        db, shop = await a_database(), Shop()
        losing = Losing(db, comes_through=comes_through)
        local = {"ServiceName": "notes", "ServiceMethod": "write", "Input": ["paid"]}

        asked: list[str] = []

        class Doubtful(Notes):
            async def write(self, step: StepContext, tx: Tx, text: str) -> JsonValue:
                losing.lose = not asked
                asked.append(step.token)
                return await super().write(step, tx, text)

        engine = an_engine(losing, shop, order_saga(Pay=local), notes=Doubtful())
        loop = asyncio.create_task(engine.run())
        outcome = await engine.wait(await start(engine, db), 30)
        loop.cancel()

        assert outcome is not None
        assert outcome.succeeded
        assert await notes_in(db) == ["paid"]
        assert len(asked) == (1 if comes_through else 2)
        assert [method for method, _ in shop.asked] == ["reserve", "ship"]
        assert_without_gaps(await events(db))
        await engine.close()
        await db.close()

    for comes_through in (True, False):
        run_virtual(story(comes_through=comes_through))


class Losing:
    """A database that once does not answer to a commit, whether that came through or not."""

    def __init__(self, db: Db, *, comes_through: bool) -> None:
        self._db = db
        self._comes_through = comes_through
        self.lose = False
        self.read, self.ping, self.migrate, self.close = db.read, db.ping, db.migrate, db.close

    def transaction(self) -> Body:
        return cast("Body", self._transaction())

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Tx]:
        async with self._db.transaction() as tx:
            yield tx
            if self.lose and not self._comes_through:
                self.lose = False
                raise DatabaseUnavailable("lost before the commit")
        if self.lose:
            self.lose = False
            raise DatabaseUnavailable("lost after the commit")


def test_a_history_that_nobody_understands_keeps_no_other_from_being_taken_up() -> None:
    async def story() -> None:
        db, shop = await a_database(), Gated()
        shop.gate = asyncio.Event()
        gone = a_machine({"Gone": a_task("reserve")}, name="gone")
        dead = an_engine(db, shop, gone, order_saga())
        ids = []
        for name in ("gone", "order", "order"):
            ids.append(await dead.begin(name, {"orderId": "o-1"}))
            await asyncio.sleep(0.01)
        lost, broken, good = ids
        await dead.close()
        shop.gate = None
        async with db.transaction() as tx:
            await tx.run(update(SG_EVENT).where(SG_EVENT.c.machine_id == broken).values(data="{"))

        heir = an_engine(db, shop, order_saga(), owner="two")
        assert await goes_on(heir, good) == ("SU", None)
        rows = {row["id"]: row["running"] for row in await machines(db)}
        assert rows == {lost: 1, broken: 1, good: 0}
        await heir.close()
        await db.close()

    run_virtual(story())


def test_every_event_of_a_run_is_readable_json() -> None:
    async def story() -> None:
        db, shop = await a_database(), Shop()
        shop.plan["ship"] = [Refused("NO_COURIER")]
        engine = an_engine(db, shop, order_saga())
        await engine.wait(await start(engine, db), 1)
        rows = await events(db)

        assert set(rows[0]) == {column.name for column in SG_EVENT.c}
        assert [EventRow(**row).event().name for row in rows] == [
            "order",
            "Reserve",
            "Pay",
            "Ship",
            "Refund",
            "Release",
            "Tell",
        ]

    run_virtual(story())
