"""The oracle's own strictness, and faults that are no crash: other processes, loose databases."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from contextvars import copy_context
from dataclasses import replace

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, select, update

from kessai.contracts.events import refund_id
from kessai.kernel.bus import Record
from kessai.kernel.clock import SystemClock
from kessai.kernel.db import Tx
from kessai.kernel.db.inline import InlineDb
from kessai.kernel.errors import Fenced, KessaiError, Refused, Unknown
from kessai.proof.invariants.deliveries import CONSUMER
from kessai.proof.simulation.dice import Dice
from kessai.proof.simulation.disk import SimDb
from kessai.proof.simulation.loop import SimLoop
from kessai.proof.simulation.loose import LooseBody
from kessai.proof.simulation.mix import Away, BusFaults, Kill, Mix, draw
from kessai.proof.simulation.oracle import Oracle
from kessai.proof.simulation.run import run_mix
from kessai.proof.simulation.scene import scene
from kessai.proof.simulation.sim_bus import BusLine, Place
from kessai.proof.simulation.trace import Trace
from kessai.proof.simulation.world import START, World
from kessai.topology import ORDER, PAYMENT, PAYMENTS_TOPIC

SEED = 3
ORDER_ID = "0" * 26


def wrong_after(change: Callable[[World], None]) -> list[str]:
    """What the oracle says of a shop at rest in which something was changed by hand."""
    the_scene = scene()
    the_scene.set_up(unordered=False)
    loop = SimLoop(Dice("oracle"), 0.0)
    world = World(the_scene.stage, Mix(0), loop, Trace(loop.time), START)

    async def look() -> list[str]:
        await world.open()
        await asyncio.sleep(5)
        change(world)
        return await Oracle(world).disagreements()

    try:
        return loop.run_until_complete(loop.create_task(look(), context=world.director.context()))
    finally:
        world.end()
        loop.close()


def insert(world: World, into: str, row: Mapping[str, object]) -> None:
    """Columns that are not named are empty."""
    raw = world.disk(ORDER).raw
    columns = {one[1]: one for one in raw.execute(f"PRAGMA table_info({into})").fetchall()}
    empty = {name: 0 if "INT" in one[2].upper() else "" for name, one in columns.items() if one[3]}
    values = {**empty, **row}
    marks = ", ".join("?" * len(values))
    raw.execute(f"INSERT INTO {into} ({', '.join(values)}) VALUES ({marks})", [*values.values()])


@pytest.mark.story
def test_a_shop_at_rest_agrees() -> None:
    assert wrong_after(lambda _: None) == []


@pytest.mark.story
def test_at_rest_nothing_may_be_settling_for_ever() -> None:
    def a_refund_that_never_comes(world: World) -> None:
        payment = f"{ORDER_ID}-1"
        row = {
            "refund_id": refund_id(payment, "CUSTOMER"),
            "order_id": ORDER_ID,
            "merchant_payment_id": payment,
            "amount": 5,
            "reason": "CUSTOMER",
            "status": "REQUESTED",
            "requested_at_ms": world.clock.now_ms(),
        }
        insert(world, "order_refund", row)

    assert wrong_after(a_refund_that_never_comes) == ["I4 never settles: 1 for 0 s"]


@pytest.mark.story
def test_a_price_that_is_not_the_shelf_s_is_told() -> None:
    def cheap(world: World) -> None:
        items = [{"productId": scene().goods.plenty, "quantity": 2, "unitPrice": 1}]
        row = {"order_id": ORDER_ID, "amount": 2, "items": json.dumps(items)}
        insert(world, "orders", row)

    assert any("was sold for 2" in one for one in wrong_after(cheap))


@pytest.mark.story
def test_a_webhook_that_was_answered_and_is_not_stored_is_told() -> None:
    body = {"merchant_order_id": f"{ORDER_ID}-1", "state": "COMPLETED"}
    told = wrong_after(lambda world: world.answered_webhooks.append(json.dumps(body).encode()))
    assert told == [f"the webhook COMPLETED of {ORDER_ID}-1 was answered and is not stored"]


@pytest.mark.story
@pytest.mark.parametrize(("position", "tells"), [(7, True), (6, False)])
def test_a_record_that_waits_for_its_consumer_may_not_be_passed_over(
    position: int, tells: bool
) -> None:
    def leave_one(world: World) -> None:
        world.bus.owed[CONSUMER, PAYMENTS_TOPIC, 2, 6] = None
        of_claim = 'consumer_group = ? and topic = ? and "partition" = 2'
        change = f"update bus_claim set position = ? where {of_claim}"
        raw = world.stage.bus_disk.raw
        assert raw.execute(change, (position, CONSUMER, PAYMENTS_TOPIC)).rowcount == 1

    words = f"a record was passed over that is still owed ({CONSUMER} {PAYMENTS_TOPIC} 2 6)"
    assert (words in wrong_after(leave_one)) is tells


@pytest.mark.story
def test_only_silence_is_owed_an_answer() -> None:
    async def story() -> list[Place]:
        line = BusLine(
            SimDb(scene().stage.bus_disk, copy_context()),
            SystemClock(),
            BusFaults(),
            1,
            Trace(float),
        )

        async def handle(record: Record) -> None:
            if error := errors.pop(record.offset, None):
                raise error

        errors = {1: Unknown("BUSY"), 2: Refused("BAD"), 3: Fenced(), 4: Unknown("BUSY")}
        for offset in (1, 2, 3, 4, 5, 4):
            record = Record(PAYMENTS_TOPIC, 0, offset, "k", b"", {}, 0)
            with suppress(KessaiError):
                await line.give(handle, (CONSUMER, PAYMENTS_TOPIC, 0, offset), record)
        return list(line.owed)

    assert [place[-1] for place in asyncio.run(story())] == [1, 3]


@pytest.mark.story
@pytest.mark.parametrize("service", [ORDER.name, PAYMENT.name])
def test_one_who_was_stopped_wakes_up_beside_its_twin(service: str) -> None:
    twin = Kill(service, at_s=2.0, steps=20, down_s=8.0, stop=True, twin=True)
    result = run_mix(replace(draw(SEED), kills=(twin,)))
    assert result.violations == ()
    assert result.fired["stop"] == 1


@pytest.mark.story
def test_a_database_is_away_and_another_one_is_loose() -> None:
    mix = replace(draw(SEED), away=(Away(ORDER.name, 1.0, 8.0),), loose=0.6)
    result = run_mix(mix)
    assert result.violations == ()
    assert min(result.fired["db.away"], result.fired["db.overtaken"]) > 0


METADATA = MetaData()
COUNT = Table("count", METADATA, Column("n", Integer))
Body = Callable[[Tx, list[str]], Awaitable[None]]


def overtaken(body: Body) -> tuple[list[str], int]:
    """The body in a loose transaction, and somebody who adds 10 as soon as he may."""

    async def story() -> tuple[list[str], int]:
        db = InlineDb(None, lock_timeout_s=1.0)
        db.migrate(METADATA.create_all)
        seen: list[str] = []
        async with db.transaction() as tx:
            await tx.run(COUNT.insert(), {"n": 1})

        async def other() -> None:
            async with db.transaction() as tx:
                await tx.run(update(COUNT).values(n=COUNT.c.n + 10))
            seen.append("other")

        adding = asyncio.ensure_future(other())
        async with LooseBody(db, lambda: 0.01) as tx:
            await body(tx, seen)
        await adding
        async with db.read() as reading:
            count = (await reading.run(select(COUNT.c.n))).scalar()
        await db.close()
        return seen, int(str(count))

    return asyncio.run(story())


def test_between_a_read_and_a_write_another_one_may_write() -> None:
    async def read_and_write(tx: Tx, seen: list[str]) -> None:
        n = int(str((await tx.run(select(COUNT.c.n))).scalar()))
        await tx.run(update(COUNT).values(n=n + 1))
        seen.append("mine")

    # The other's ten is lost: nothing has held the row.
    assert overtaken(read_and_write) == (["other", "mine"], 2)


def test_who_locks_what_it_reads_is_not_overtaken() -> None:
    async def lock_and_write(tx: Tx, seen: list[str]) -> None:
        n = int(str((await tx.run(select(COUNT.c.n).with_for_update())).scalar()))
        await tx.run(update(COUNT).values(n=n + 1))
        seen.append("mine")

    assert overtaken(lock_and_write) == (["mine", "other"], 12)
