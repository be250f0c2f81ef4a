"""The engine on its own: a store by URL, services as plain functions, errors that come through."""

from __future__ import annotations

import asyncio
import multiprocessing
from pathlib import Path
from typing import Any, ClassVar

import pytest
from tests.support.kernel import eventually

from kessai.kernel.db import open_database
from kessai.kernel.errors import DatabaseUnavailable, Refused
from kessai.saga import (
    SG_ENGINE,
    SG_EVENT,
    Engine,
    EngineLimits,
    Machine,
    Service,
    StepContext,
    Thrown,
    Verdict,
    load,
)

QUICK = EngineLimits(heartbeat_s=0.02, lease_s=0.2, redrives=0)


def an_order(**pay: Any) -> Machine:
    return load(
        {
            "Name": "order",
            "StartState": "Reserve",
            "Version": "1",
            "States": {
                "Reserve": {
                    "Type": "ServiceTask",
                    "ServiceName": "stock",
                    "ServiceMethod": "reserve",
                    "Input": ["$.[orderId]"],
                    "Output": {"reserved": "$.#root"},
                    "Next": "Pay",
                },
                "Pay": {
                    "Type": "ServiceTask",
                    "ServiceName": "money",
                    "ServiceMethod": "pay",
                    "Input": ["$.[orderId]", "$.[reserved]"],
                    "Output": {"paid": "$.#root"},
                    **pay,
                },
            },
        }
    )


class Money:
    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.answers: list[Exception] = []

    async def pay(self, step: StepContext, order_id: int, reserved: int) -> dict[str, int]:
        self.tokens.append(step.token)
        if self.answers:
            raise self.answers.pop(0)
        return {"order": order_id, "pieces": reserved}


def services() -> dict[str, object]:
    stock = Service()

    @stock.task
    def reserve(order_id: int) -> int:
        return order_id + 1

    return {"stock": stock, "money": Money()}


@pytest.mark.parametrize("url", ["memory:", "sqlite:", "sqlite:///{folder}/new/saga.db"])
async def test_an_instance_runs_on_any_store(url: str, tmp_path: Path) -> None:
    opened = Engine.open(url.format(folder=tmp_path), services(), [an_order()])
    async with opened as engine, asyncio.timeout(10):
        outcome = await engine.execute("order", {"orderId": 1})
        assert outcome is not None
        assert outcome.succeeded
        assert outcome.context["paid"] == {"order": 1, "pieces": 2}


async def test_the_next_opening_finds_what_the_last_one_wrote(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'saga.db'}"
    async with Engine.open(url, services(), [an_order()]) as engine, asyncio.timeout(10):
        first = await engine.execute("order", {"orderId": 1}, business_key="o-1")
        assert first is not None
    async with Engine.open(url, services(), [an_order()]) as engine, asyncio.timeout(10):
        assert await engine.find("order", "o-1") == first.instance_id
        with pytest.raises(Refused) as refused:
            await engine.execute("order", {"orderId": 1}, business_key="o-1")
        assert refused.value.code == "SAGA_DUPLICATE"


async def test_what_was_left_running_goes_on_at_the_next_opening(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'saga.db'}"
    never = asyncio.Event()

    class Slow(Money):
        async def pay(self, step: StepContext, order_id: int, reserved: int) -> dict[str, int]:
            self.tokens.append(step.token)
            await never.wait()
            return {}

    slow, quick = Slow(), Money()
    for name, money in (("one", slow), ("two", quick)):
        opened = Engine.open(
            url, {**services(), "money": money}, [an_order()], limits=QUICK, owner=name
        )
        async with opened as engine, asyncio.timeout(20):
            if money is slow:
                instance_id = await engine.begin("order", {"orderId": 1})
                await eventually(lambda: slow.tokens != [])
            else:
                outcome = await engine.wait(instance_id, 10)
    assert outcome is not None
    assert outcome.succeeded
    assert quick.tokens == slow.tokens == [f"{instance_id}.Pay.1"]


async def test_the_lease_is_written_before_the_block_begins(tmp_path: Path) -> None:
    """Another engine takes an instance whose owner has none for abandoned."""
    path = tmp_path / "saga.db"
    limits = EngineLimits(heartbeat_s=60)
    async with Engine.open(f"sqlite:///{path}", services(), [an_order()], limits=limits) as engine:
        assert await rows_of(path, SG_ENGINE) == [engine.owner]
        lease = await lease_of(path, engine.owner)
        assert lease > 0
    assert await lease_of(path, engine.owner) == 0


async def rows_of(path: Path, table: Any) -> list[Any]:
    db = await open_database(f"sqlite:///{path}")
    async with db.read() as tx:
        found = [next(iter(row.values())) for row in (await tx.run(table.select())).all()]
    await db.close()
    return found


async def lease_of(path: Path, owner: str) -> int:
    db = await open_database(f"sqlite:///{path}")
    async with db.read() as tx:
        rows = await tx.run(SG_ENGINE.select().where(SG_ENGINE.c.owner == owner))
        lease: int = rows.one()["lease_until"]
    await db.close()
    return lease


async def test_two_that_give_no_name_leave_each_other_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'saga.db'}"
    released = asyncio.Event()

    class Waiting(Money):
        async def pay(self, step: StepContext, order_id: int, reserved: int) -> dict[str, int]:
            self.tokens.append(step.token)
            await released.wait()
            return {}

    money = Waiting()
    mine = Engine.open(url, {**services(), "money": money}, [an_order()], limits=QUICK)
    theirs = Engine.open(url, services(), [an_order()], limits=QUICK)
    async with mine as engine, asyncio.timeout(20):
        instance_id = await engine.begin("order", {"orderId": 1})
        await eventually(lambda: money.tokens != [])
        async with theirs as other:
            for _ in range(5):
                await other.tick()
            row, _, events = await other.inspect(instance_id)
            assert (row.owner, row.epoch) == (engine.owner, 1)
            assert [event.kind.value for event in events] == ["start", "step"]
        released.set()
        outcome = await engine.wait(instance_id, 10)
    assert outcome is not None
    assert outcome.succeeded


async def test_errors_of_the_block_come_out_as_they_are() -> None:
    with pytest.raises(KeyError, match="mine"):
        async with Engine.open("memory:", services(), [an_order()]):
            raise KeyError("mine")
    with pytest.raises(ExceptionGroup, match="theirs"):
        async with Engine.open("memory:", services(), [an_order()]):
            raise ExceptionGroup("theirs", [KeyError("a"), KeyError("b")])


class BrokenRun(Engine):
    """Its loop ends as the list says; then it lives."""

    ends: ClassVar[list[Exception]]

    async def run(self) -> None:
        if self.ends:
            raise self.ends.pop(0)
        await super().run()


async def test_an_error_that_ends_the_loop_ends_the_block() -> None:
    class Failing(BrokenRun):
        ends: ClassVar[list[Exception]] = [LookupError("the schema is not ours")]

    reached_the_end = False

    async def program() -> None:
        nonlocal reached_the_end
        async with Failing.open("memory:", services(), [an_order()]):
            await asyncio.sleep(60)
            reached_the_end = True

    with pytest.raises(LookupError, match="the schema is not ours"):
        await program()
    assert not reached_the_end
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_database_that_is_away_for_a_moment_ends_nothing() -> None:
    class Patient(BrokenRun):
        ends: ClassVar[list[Exception]] = [
            DatabaseUnavailable("away"),
            DatabaseUnavailable("still away"),
        ]

    async with Patient.open("memory:", services(), [an_order()]) as engine, asyncio.timeout(20):
        await eventually(lambda: Patient.ends == [])
        assert await engine.execute("order", {"orderId": 1}) is not None


class BrokenTick(Engine):
    """Its first heartbeats meet a database that has just chosen them as a deadlock's victim."""

    failures: ClassVar[int]

    async def tick(self) -> None:
        if self.failures:
            type(self).failures -= 1
            raise DatabaseUnavailable("Deadlock found when trying to get lock")
        await super().tick()


async def test_a_first_heartbeat_that_the_database_refused_is_tried_again() -> None:
    class Victim(BrokenTick):
        failures: ClassVar[int] = 2

    async with Victim.open("memory:", services(), [an_order()]) as engine, asyncio.timeout(20):
        assert Victim.failures == 0
        assert await engine.execute("order", {"orderId": 1}) is not None


async def test_a_database_that_stays_away_from_the_first_heartbeat_is_said_so() -> None:
    class Forsaken(BrokenTick):
        failures: ClassVar[int] = 1_000

    with pytest.raises(DatabaseUnavailable, match="Deadlock"):
        async with Forsaken.open("memory:", services(), [an_order()]):
            raise AssertionError("nothing is begun without a lease")


async def test_a_cancelled_block_is_cancelled() -> None:
    entered = asyncio.Event()

    async def program() -> None:
        async with Engine.open("memory:", services(), [an_order()]):
            entered.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(program())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_exceptions_mean_what_the_caller_says() -> None:
    money = Money()
    money.answers = [ValueError("no such card")]

    def every_error_is_final(error: BaseException) -> Thrown:
        return Thrown(("CardRefused",), str(error), Verdict.REFUSED, code="CARD_REFUSED")

    opened = Engine.open(
        "memory:", {**services(), "money": money}, [an_order()], classify=every_error_is_final
    )
    async with opened as engine, asyncio.timeout(10):
        outcome = await engine.execute("order", {"orderId": 1})
    assert outcome is not None
    assert outcome.error is not None
    assert (outcome.status, outcome.error.code) == ("FA", "CARD_REFUSED")


@pytest.mark.parametrize("url", ["redis://x", "order.db", ""])
async def test_a_store_that_nobody_serves_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="no SQL adapter"):
        async with Engine.open(url, services(), [an_order()]):
            pass


async def test_a_missing_service_is_said_before_anything_is_opened_for_work() -> None:
    with pytest.raises(Exception, match="ServiceName 'money' is not registered"):
        async with Engine.open("memory:", {"stock": services()["stock"]}, [an_order()]):
            pass


def open_and_run(url: str, key: str) -> None:
    async def main() -> None:
        async with Engine.open(url, services(), [an_order()]) as engine, asyncio.timeout(30):
            outcome = await engine.execute("order", {"orderId": 1}, business_key=key)
            assert outcome is not None
            assert outcome.succeeded

    asyncio.run(main())


@pytest.mark.crash
def test_processes_that_open_a_new_database_at_once_all_find_their_tables(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'saga.db'}"
    processes = multiprocessing.get_context("spawn")
    started = [processes.Process(target=open_and_run, args=(url, f"o-{n}")) for n in range(3)]
    for process in started:
        process.start()
    for process in started:
        process.join(60)
    assert [process.exitcode for process in started] == [0, 0, 0]
    events = asyncio.run(rows_of(tmp_path / "saga.db", SG_EVENT))
    assert len(events) == 9
