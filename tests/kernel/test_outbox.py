"""What was committed is published, in order; what was not is never seen; zombies write nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.dialects import sqlite
from structlog.testing import capture_logs
from tests.support.kernel import FlakyBus, a_database, eventually
from tests.support.web import run_virtual

from kessai.kernel import outbox as outbox_module
from kessai.kernel.db import Db
from kessai.kernel.kernel_tables import OUTBOX
from kessai.kernel.outbox import Lag, Outbox, OutboxLimits
from kessai.kernel.telemetry import correlated
from kessai.proof.virtual_time import VirtualClock

LIMITS = OutboxLimits(batch=10, keep_sent_s=100, purge_every_s=60)


def an_outbox(db: Db, bus: FlakyBus, *, owner: str = "a", limits: OutboxLimits = LIMITS) -> Outbox:
    return Outbox(db, bus, VirtualClock(), service="order-service", owner=owner, limits=limits)


async def say(db: Db, box: Outbox, *words: str, then: Exception | None = None) -> None:
    async with db.transaction() as tx:
        for word in words:
            await box.add(tx, "orders", f"key-{word[0]}", word.encode(), event_id=f"id-{word}")
        if then is not None:
            raise then


def words(bus: FlakyBus) -> list[str]:
    return [message.value.decode() for message in bus.taken]


async def count(db: Db, *, sent: int) -> int:
    async with db.read() as tx:
        found = await tx.run(select(func.count()).where(OUTBOX.c.sent == sent))
    return int(str(found.scalar()))


@asynccontextmanager
async def relaying(*boxes: Outbox) -> AsyncIterator[list[asyncio.Task[None]]]:
    tasks = [asyncio.create_task(box.relay()) for box in boxes]
    await asyncio.sleep(0)
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def now_s() -> float:
    return asyncio.get_running_loop().time()


def story(tale: Coroutine[object, object, None]) -> None:
    run_virtual(tale)


def test_a_committed_message_leaves_at_once_and_a_failed_one_never() -> None:
    async def tale() -> None:
        db, bus = await a_database(), FlakyBus()
        box = an_outbox(db, bus)
        async with relaying(box):
            await asyncio.sleep(5)
            started = now_s()
            with pytest.raises(ValueError, match="no"):
                await say(db, box, "ghost", then=ValueError("no"))
            await say(db, box, "a1", "b1", "a2")
            await eventually(lambda: len(bus.taken) == 3, every_s=0.001)
            assert now_s() - started < 0.01
            await asyncio.sleep(30)
        assert words(bus) == ["a1", "b1", "a2"]
        assert (await count(db, sent=1), await count(db, sent=0)) == (3, 0)

    story(tale())


def test_a_message_carries_its_event_id_and_the_trail_of_its_cause() -> None:
    async def tale() -> None:
        db, bus = await a_database(), FlakyBus()
        box = an_outbox(db, bus)
        async with relaying(box):
            with correlated("corr-1", traceparent="00-aa-bb-01"):
                await say(db, box, "a1")
            async with db.transaction() as tx:
                await box.add(tx, "t", "k", b"\xff", event_id="e", headers={"extra": "x"})
            await eventually(lambda: len(bus.taken) == 2)
        assert bus.taken[0].headers == {
            "X-Correlation-ID": "corr-1",
            "traceparent": "00-aa-bb-01",
            "event-id": "id-a1",
        }
        assert (bus.taken[0].topic, bus.taken[0].key) == ("orders", "key-a")
        assert bus.taken[1].value == b"\xff"
        assert bus.taken[1].headers == {"extra": "x", "event-id": "e"}

    story(tale())


def test_a_backlog_goes_out_in_order_and_in_batches() -> None:
    async def tale() -> None:
        db, bus = await a_database(), FlakyBus()
        box = an_outbox(db, bus)
        expected = [f"{n:03}" for n in range(95)]
        await say(db, box, *expected)
        async with relaying(box):
            await eventually(lambda: len(bus.taken) == 95)
        assert words(bus) == expected
        assert await count(db, sent=0) == 0

    story(tale())


def test_a_row_that_was_committed_after_a_larger_id_left_leaves_before_those_behind_it() -> None:
    """MySQL gives an id when a row is written, not when it is committed."""

    async def say_as(db: Db, box: Outbox, word: str, id_: int) -> None:
        async with db.transaction() as tx:
            await box.add(tx, "orders", "key", word.encode(), event_id=word)
            await tx.run(update(OUTBOX).where(OUTBOX.c.event_id == word).values(id=id_))

    async def tale() -> None:
        db, bus = await a_database(), FlakyBus()
        box = an_outbox(db, bus)
        async with relaying(box):
            await say_as(db, box, "of another order", 50)
            await asyncio.sleep(LIMITS.mark_after_s / 2)
            assert words(bus) == ["of another order"]
            assert await count(db, sent=1) == 0
            await say_as(db, box, "view 3", 40)
            await say_as(db, box, "view 4", 60)
            await asyncio.sleep(5)
            assert words(bus) == ["of another order", "view 3", "view 4"]
            assert await count(db, sent=0) == 0

    story(tale())


def test_while_the_bus_is_away_nothing_is_lost_and_it_is_told_once() -> None:
    async def tale() -> None:
        db, bus = await a_database(), FlakyBus()
        bus.down = True
        box = an_outbox(db, bus)
        async with relaying(box):
            await say(db, box, "a1")
            await asyncio.sleep(3600)
            await say(db, box, "a2")
            # Pauses grow to 5 s and no further.
            assert 3600 / 5 < bus.refused < 3600 / 5 + 20
            lag = await box.lag()
            assert (lag.messages, round(lag.oldest_age_s)) == (2, 3600)
            bus.down = False
            await asyncio.sleep(6)
            assert words(bus) == ["a1", "a2"]
            assert await box.lag() == Lag(0, 0.0)

    with capture_logs() as lines:
        story(tale())
    assert [line["event"] for line in lines] == ["outbox.relay_waits", "outbox.relay_goes_on"]


def test_a_crash_before_it_is_marked_sends_again_and_loses_nothing() -> None:
    async def tale() -> None:
        db, bus = await a_database(), FlakyBus()
        stuck = asyncio.Event()

        async def never() -> None:
            bus.taken.append(bus.taken[-1]) if bus.taken else None
            stuck.set()
            await asyncio.Event().wait()

        bus.before_taking = never
        first = an_outbox(db, bus, owner="a")
        await say(db, first, "a1", "a2")
        dead = asyncio.create_task(first.relay())
        await stuck.wait()
        bus.before_taking = None
        # Same name: the restart takes over at once, it need not wait for the lease to end.
        started = now_s()
        async with relaying(an_outbox(db, bus, owner="a")):
            await eventually(lambda: words(bus) == ["a1", "a2"], every_s=0.001)
            assert now_s() - started < 0.01
        assert await count(db, sent=0) == 0
        dead.cancel()

    story(tale())


def test_a_zombie_relay_may_repeat_itself_but_marks_nothing() -> None:
    async def tale() -> None:
        db, bus = await a_database(), FlakyBus()
        stuck, free = asyncio.Event(), asyncio.Event()

        async def slow() -> None:
            bus.before_taking = None
            stuck.set()
            await free.wait()

        bus.before_taking = slow
        zombie, heir = an_outbox(db, bus, owner="z"), an_outbox(db, bus, owner="h")
        await say(db, zombie, "a1")
        async with relaying(zombie):
            await stuck.wait()
            async with relaying(heir):
                await asyncio.sleep(LIMITS.lease_s + 2)
                assert words(bus) == ["a1"]
                before = await sent_at(db)
                free.set()
                await asyncio.sleep(1)
                assert words(bus) == ["a1", "a1"]
                assert await sent_at(db) == before

    with capture_logs() as lines:
        story(tale())
    assert [line["event"] for line in lines] == ["outbox.relay_fenced"]


async def sent_at(db: Db) -> object:
    async with db.read() as tx:
        return (await tx.run(select(OUTBOX.c.sent_at_ms))).scalar()


def test_two_processes_of_one_service_relay_one_at_a_time() -> None:
    async def tale() -> None:
        db, bus = await a_database(), FlakyBus()
        one, two = an_outbox(db, bus, owner="one"), an_outbox(db, bus, owner="two")
        async with relaying(one, two) as (first, _):
            for n in range(20):
                await say(db, one if n % 2 else two, f"a{n:02}")
                await asyncio.sleep(0.3)
            await asyncio.sleep(3)
            assert words(bus) == [f"a{n:02}" for n in range(20)]
            first.cancel()
            await asyncio.sleep(1)
            await say(db, one, "b")
            await asyncio.sleep(LIMITS.lease_s + 2)
            assert words(bus)[20:] == ["b"]

    story(tale())


def test_an_idle_relay_writes_nothing() -> None:
    async def tale() -> None:
        db, bus = await a_database(), FlakyBus()
        box = an_outbox(db, bus, limits=OutboxLimits(purge_every_s=10_000))
        async with relaying(box):
            await say(db, box, "a1")
            await asyncio.sleep(5)
            async with db.transaction() as tx:
                before = (await tx.run(text("SELECT total_changes() AS n"))).scalar()
            await asyncio.sleep(600)
            async with db.transaction() as tx:
                after = (await tx.run(text("SELECT total_changes() AS n"))).scalar()
            assert before == after

    story(tale())


def test_sent_messages_are_kept_for_a_time_and_unsent_ones_for_ever() -> None:
    async def tale() -> None:
        db, bus = await a_database(), FlakyBus()
        box = an_outbox(db, bus)
        async with relaying(box):
            await say(db, box, "a1", "a2")
            await asyncio.sleep(90)
            bus.down = True
            await say(db, box, "b1")
            assert await count(db, sent=1) == 2
            await asyncio.sleep(500)
            assert await box.purge() == 2
            assert (await count(db, sent=1), await count(db, sent=0)) == (0, 1)
            bus.down = False
            await asyncio.sleep(6)
            assert words(bus) == ["a1", "a2", "b1"]
            # The table is empty again, and yet ids go on: the relay's cursor stays right.
            await asyncio.sleep(500)
            assert (await count(db, sent=1), await count(db, sent=0)) == (0, 0)
            await say(db, box, "c1")
            await asyncio.sleep(0.01)
            assert words(bus)[3:] == ["c1"]
            async with db.read() as tx:
                assert (await tx.run(select(OUTBOX.c.id))).scalar() == 4

    story(tale())


async def test_the_relay_finds_its_messages_by_the_partial_index() -> None:
    db = await a_database()
    async with db.transaction() as tx:
        await tx.run(text("INSERT INTO leases VALUES ('x', 'y', 1, 1)"))
    for statement in (outbox_module._NEXT.params(left=(3, 4), limit=10), outbox_module._LAG):
        compiled = statement.compile(
            dialect=sqlite.dialect(), compile_kwargs={"render_postcompile": True}
        )
        query = str(compiled).replace("?", "1")
        async with db.read() as tx:
            plan = (await tx.run(text(f"EXPLAIN QUERY PLAN {query}"))).all()
        steps = [row["detail"] for row in plan]
        assert len(steps) == 1
        assert "USING INDEX ix_outbox_unsent (sent=?" in steps[0]


async def test_a_message_that_was_marked_by_hand_is_not_sent() -> None:
    db, bus = await a_database(), FlakyBus()
    box = Outbox(db, bus, _Still(), service="s", owner="o")
    await say(db, box, "a1", "a2")
    async with db.transaction() as tx:
        await tx.run(update(OUTBOX).where(OUTBOX.c.event_id == "id-a1").values(sent=1))
    async with relaying(box):
        await eventually(lambda: words(bus) == ["a2"])


async def test_an_unsent_message_outlives_a_later_one_that_was_sent_long_ago() -> None:
    db, bus = await a_database(), FlakyBus()
    box = Outbox(db, bus, _Still(), service="s", owner="o")
    await say(db, box, "a1", "a2")
    marked = update(OUTBOX).where(OUTBOX.c.event_id == "id-a2").values(sent=1, sent_at_ms=1)
    async with db.transaction() as tx:
        await tx.run(marked)
    assert await box.purge() == 1
    assert (await count(db, sent=0), await count(db, sent=1)) == (1, 0)


class _Still(VirtualClock):
    def monotonic(self) -> float:
        return 0.0
