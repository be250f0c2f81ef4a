"""What only a server can do to the log: lose an answer, cut a connection, hold a lock, die."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select, update
from tests.saga.log_world import Writer, a_step, an_end
from tests.saga.world import NOTES, Notes, Shop, notes_in, order_saga
from tests.support.kernel import eventually
from tests.support.mariadb import MARIADB, mysql_url, proxy, server

from kessai.kernel.chance import SystemChance
from kessai.kernel.clock import SystemClock
from kessai.kernel.db import Db, MySqlDb, MySqlLimits
from kessai.kernel.errors import (
    ConstraintViolated,
    DatabaseUnavailable,
    Duplicate,
    Fenced,
    JsonValue,
    Refused,
)
from kessai.kernel.ids import RandomIds
from kessai.saga import (
    METADATA,
    SG_ENGINE,
    SG_EVENT,
    SG_MACHINE,
    Engine,
    EngineLimits,
    Local,
    Machine,
    Outcome,
    StepContext,
)
from kessai.saga.library import living
from kessai.saga.log import log_of

__all__ = ["mysql_url"]
pytestmark = MARIADB

LIMITS = MySqlLimits(writers=4, readers=2, answer_s=5.0)


@pytest.fixture
async def db(mysql_url: str) -> AsyncIterator[MySqlDb]:
    db = MySqlDb(mysql_url, limits=LIMITS, lock_timeout_s=1.0)
    db.migrate(METADATA.create_all)
    db.migrate(NOTES.create_all)
    async with db.transaction() as tx:
        for table in (SG_EVENT, SG_MACHINE, SG_ENGINE, *NOTES.sorted_tables):
            await tx.run(table.delete())
    yield db
    await db.close()


@pytest.fixture
async def one(db: MySqlDb) -> AsyncIterator[Writer]:
    log = log_of(db)
    yield Writer(log)
    await log.close()


def an_engine(
    db: Db, shop: Shop, *machines: Machine, owner: str = "one", redrives: int = 8
) -> Engine:
    clock, chance = SystemClock(), SystemChance()
    limits = EngineLimits(
        lease_s=1.0, heartbeat_s=0.1, retry_max_s=0.2, redrive_first_s=0.2, redrives=redrives
    )
    services = {"shop": shop, "notes": Local(Notes())}
    ids = RandomIds(clock, chance)
    return Engine(db, services, machines, clock, ids, chance, owner, limits)


async def test_a_row_whose_answer_was_lost_meets_itself(mysql_url: str, one: Writer) -> None:
    async with proxy() as between:
        far = MySqlDb(between.url(mysql_url), limits=LIMITS)
        lossy = Writer(log_of(far))
        await lossy.create("i-1")
        between.lose_answers = 1
        with pytest.raises(DatabaseUnavailable):
            await lossy.append("i-1", a_step())
        # It is there; sent again, it is simply acknowledged.
        assert await one.history("i-1") == [(1, 1, "start"), (2, 1, "step")]
        await lossy.append("i-1", a_step())
        await lossy.append("i-1", an_end())
        assert await one.history("i-1") == [(1, 1, "start"), (2, 1, "step"), (3, 1, "end")]
        await lossy.log.close()
        await far.close()


async def test_beside_a_lost_answer_a_zombie_and_a_taken_key_are_still_told_apart(
    mysql_url: str, one: Writer
) -> None:
    async with proxy() as between:
        far = MySqlDb(between.url(mysql_url), limits=LIMITS)
        lossy = Writer(log_of(far))
        for n in range(4):
            await lossy.create(f"i-{n}", key=f"o-{n}")
        await one.claim(lossy.instances["i-3"])

        def writes() -> list[asyncio.Future[object]]:
            # The first time the group is split by the zombie; then its answer is lost.
            appends = [lossy.append(f"i-{n}", a_step()) for n in range(4)]
            creates = [lossy.create("i-9", key="o-0"), lossy.create("i-8", key="o-8")]
            return [asyncio.ensure_future(each) for each in (*appends, *creates)]

        started = writes()
        # Two selects of the sifting are answered; the second try of the group is not.
        await eventually(lambda: between.queries >= 3, every_s=0.0005)
        between.lose_answers = 1
        first = await asyncio.gather(*started, return_exceptions=True)
        between.lose_answers = 0
        kinds = {type(answer).__name__ for answer in first}
        assert kinds <= {"NoneType", "Instance", "Fenced", "Duplicate", "DatabaseUnavailable"}

        for n, answer in enumerate(first[:3]):
            if isinstance(answer, DatabaseUnavailable):
                await lossy.append(f"i-{n}", a_step())
        with pytest.raises(Fenced):
            await lossy.append("i-3", a_step())
        with pytest.raises(Duplicate):
            await lossy.create("i-9", key="o-0")
        for n in range(3):
            assert await one.history(f"i-{n}") == [(1, 1, "start"), (2, 1, "step")]
        assert await one.history("i-3") == [(1, 1, "start"), (2, 2, "claim")]
        await lossy.log.close()
        await far.close()


async def test_only_the_rows_that_cannot_be_written_fail(one: Writer) -> None:
    names = [f"i-{n:02}" for n in range(40)]
    too_long = {"i-07": "k" * 300, "i-31": "k" * 129}
    answers = await asyncio.gather(
        *(one.create(name, key=too_long.get(name, name)) for name in names), return_exceptions=True
    )
    failed = {
        name: type(answer).__name__
        for name, answer in zip(names, answers, strict=True)
        if isinstance(answer, Exception)
    }
    assert failed == dict.fromkeys(too_long, ConstraintViolated.__name__)
    for name in names:
        row = await one.row(name)
        assert (row is None) == (name in too_long)


async def test_keys_that_only_the_database_takes_for_the_same_hold_nobody_up(one: Writer) -> None:
    """MariaDB's binary collation pads with spaces, so these two are one key."""
    await one.create("i-1", key="o-1")
    answers = await asyncio.gather(
        one.create("i-2", key="o-1 "),
        *(one.create(f"j-{n}", key=f"k-{n}") for n in range(20)),
        one.create("i-3", key="new "),
        one.create("i-4", key="new"),
        return_exceptions=True,
    )
    failed = [n for n, answer in enumerate(answers) if isinstance(answer, Exception)]
    assert failed == [0, 22]
    assert all(isinstance(answers[n], Duplicate) for n in failed)


async def test_two_engines_that_start_the_same_keys_share_them(db: MySqlDb, one: Writer) -> None:
    two = Writer(log_of(db), "two#1")
    keys = [f"o-{n:03}" for n in range(150)]
    answers = await asyncio.gather(
        *(one.create(f"a-{key}", key=key) for key in keys),
        *(two.create(f"b-{key}", key=key) for key in reversed(keys)),
        return_exceptions=True,
    )
    kinds = [type(answer).__name__ for answer in answers]
    assert (kinds.count("Instance"), kinds.count("Duplicate")) == (150, 150)
    async with db.read() as tx:
        rows = (await tx.run(select(SG_MACHINE.c.id, SG_MACHINE.c.business_key))).all()
        events = (await tx.run(select(SG_EVENT.c.machine_id))).all()
    assert sorted(row["business_key"] for row in rows) == keys
    assert sorted(row["id"] for row in rows) == sorted(row["machine_id"] for row in events)
    await two.log.close()


async def test_a_lock_that_somebody_holds_delays_a_group_and_loses_none_of_it(
    db: MySqlDb, one: Writer
) -> None:
    for n in range(3):
        await one.create(f"i-{n}")
    async with db.transaction() as tx:
        await tx.run(update(SG_MACHINE).where(SG_MACHINE.c.id == "i-1").values(redrives=0))
        answers = await asyncio.gather(
            *(one.append(f"i-{n}", an_end()) for n in range(3)), return_exceptions=True
        )
        # Longer than the server waits: nobody knows, everybody asks again.
        assert {type(answer) for answer in answers} == {DatabaseUnavailable}
    for n in range(3):
        await one.append(f"i-{n}", an_end())
        assert await one.history(f"i-{n}") == [(1, 1, "start"), (2, 1, "end")]


async def test_a_log_that_was_closed_opens_again_for_whoever_still_writes(one: Writer) -> None:
    await one.create("i-1")
    await one.log.close()
    await one.append("i-1", an_end())
    assert await one.history("i-1") == [(1, 1, "start"), (2, 1, "end")]


class Patient(Shop):
    """Releases nothing before it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may_release = asyncio.Event()

    async def release(self, step: StepContext, *input: JsonValue) -> JsonValue:
        await self.may_release.wait()
        return await super().release(step, *input)


async def test_of_two_orders_at_once_one_is_refused(db: MySqlDb) -> None:
    shop = Patient()
    shop.plan["pay"] = [Refused("NO_MONEY")] * 20
    saga = order_saga(Pay={"Catch": []})
    # An engine that took the instance up by itself would refuse both.
    one = an_engine(db, shop, saga, redrives=0)
    two = an_engine(db, shop, saga, owner="two", redrives=0)
    async with living(one), living(two):
        for _ in range(10):
            shop.may_release.clear()
            instance_id = await one.begin("order", {"orderId": "o-1"})
            await eventually(lambda: at_rest(one, instance_id))  # noqa: B023
            answers = await asyncio.gather(
                one.compensate(instance_id), two.compensate(instance_id), return_exceptions=True
            )
            refused = [answer for answer in answers if isinstance(answer, Refused)]
            assert [answer.code for answer in refused] == ["SAGA_RUNNING"]
            shop.may_release.set()
            outcome = await two.wait(instance_id, 10)
            assert outcome is not None
            assert outcome.compensation == "SU"
    assert shop.done == ["reserve", "release"] * 10


async def at_rest(engine: Engine, instance_id: str) -> bool:
    row, _, _ = await engine.inspect(instance_id)
    return not row.running


LOCAL = {"ServiceName": "notes", "ServiceMethod": "write", "Input": ["$.[orderId]"]}
SAGAS = 120


async def ended(engine: Engine, instance_id: str) -> Outcome | None:
    """Who asks is cut off, too, and asks again."""
    while True:
        try:
            return await engine.wait(instance_id, 60)
        except DatabaseUnavailable:
            await asyncio.sleep(0.05)


async def cut(stop: asyncio.Event, *, every_s: float) -> int:
    """KILL CONNECTION for every session of ours, again and again."""
    killed = 0
    listed = "SELECT id FROM information_schema.processlist WHERE user = 'shopkeeper'"
    while not stop.is_set():
        for (session,) in server().sql(listed):
            try:
                server().sql(f"KILL CONNECTION {session}")
            except RuntimeError:
                continue  # it was gone before
            killed += 1
        await asyncio.sleep(every_s)
    return killed


async def test_connections_that_are_cut_under_load_cost_nothing_but_time(db: MySqlDb) -> None:
    shop, stop = Shop(), asyncio.Event()
    engine = an_engine(db, shop, order_saga(Pay=LOCAL))
    async with living(engine):
        cutting = asyncio.create_task(cut(stop, every_s=0.1))
        ids = await asyncio.gather(
            *(
                engine.begin("order", {"orderId": f"o-{n}"}, business_key=f"o-{n}")
                for n in range(SAGAS)
            )
        )
        outcomes = await asyncio.gather(*(ended(engine, one) for one in ids))
        stop.set()
        assert await cutting > 0

    assert all(outcome is not None and outcome.succeeded for outcome in outcomes)
    await assert_each_effect_once(db, shop)


async def test_answers_that_are_lost_under_load_cost_nothing_but_time(
    mysql_url: str, db: MySqlDb
) -> None:
    async with proxy() as between:
        far = MySqlDb(between.url(mysql_url), limits=LIMITS)
        shop, lost = Shop(), 0

        async def lose() -> None:
            """For a while; without an end, no connection would ever be made again."""
            nonlocal lost
            for _ in range(40):
                lost += not between.lose_answers
                between.lose_answers = 1
                await asyncio.sleep(0.02)
            between.lose_answers = 0

        engine = an_engine(far, shop, order_saga(Pay=LOCAL))
        async with living(engine):
            losing = asyncio.create_task(lose())
            ids = await asyncio.gather(
                *(engine.begin("order", {"orderId": f"o-{n}"}) for n in range(SAGAS))
            )
            outcomes = await asyncio.gather(*(ended(engine, one) for one in ids))
            await losing
        assert lost > 2
        await far.close()

    assert all(outcome is not None and outcome.succeeded for outcome in outcomes)
    await assert_each_effect_once(db, shop)


async def test_a_server_that_dies_and_comes_back_has_forgotten_nothing(db: MySqlDb) -> None:
    shop = Shop()
    engine = an_engine(db, shop, order_saga(Pay=LOCAL))
    async with living(engine):
        started = [
            asyncio.create_task(engine.begin("order", {"orderId": f"o-{n}"})) for n in range(SAGAS)
        ]
        await eventually(lambda: len(shop.effects) > SAGAS // 2, every_s=0.001)
        server().kill()
        server().start()
        ids = await asyncio.gather(*started)
        outcomes = await asyncio.gather(*(ended(engine, one) for one in ids))

    assert all(outcome is not None and outcome.succeeded for outcome in outcomes)
    await assert_each_effect_once(db, shop)


async def assert_each_effect_once(db: MySqlDb, shop: Shop) -> None:
    """By token at the services, by row in our own tables, and no history with a gap."""
    assert sorted(shop.done) == sorted(["reserve", "ship"] * SAGAS)
    assert len(await notes_in(db)) == SAGAS
    async with db.read() as tx:
        rows = (await tx.run(select(SG_EVENT.c.machine_id, SG_EVENT.c.seq))).all()
        machines = (await tx.run(select(SG_MACHINE))).all()
    histories: dict[str, list[int]] = {}
    for row in rows:
        histories.setdefault(row["machine_id"], []).append(row["seq"])
    assert len(histories) == SAGAS
    assert all(sorted(one) == list(range(1, len(one) + 1)) for one in histories.values())
    assert {(row["status"], row["running"]) for row in machines} == {("SU", 0)}
