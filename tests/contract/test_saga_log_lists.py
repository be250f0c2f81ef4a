"""What every saga log finds again, forgets, and takes from many at once."""

from __future__ import annotations

import asyncio

import pytest
from tests.saga.log_stores import listed, one, two, world
from tests.saga.log_world import (
    AT,
    Writer,
    a_claim,
    a_start,
    a_step,
    an_end,
    an_undoing,
)
from tests.saga.world import order_saga

from kessai.saga.log import (
    Rest,
)

__all__ = ["one", "two", "world"]


# --- lists ----------------------------------------------------------------------------------


async def some(one: Writer, two: Writer) -> None:
    """Five instances that differ in everything a list can ask for."""
    refund = order_saga(machine={"Name": "refund"})
    await one.create("i-1", key="o-1")
    await one.append("i-1", an_end())
    await one.create("i-2", key="o-2")
    await one.append("i-2", an_end("UN", "SU"))
    await one.create("i-3", key="o-3", machine=refund)
    await one.append("i-3", an_end("UN", "UN"), Rest(needs_operator=True))
    await two.create("i-4", key="o-3")
    await two.create("i-5")
    await two.append("i-5", an_undoing())


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, ["i-5", "i-4", "i-3", "i-2", "i-1"]),
        ({"status": "UN"}, ["i-5", "i-3", "i-2"]),
        ({"status": "UN", "compensation": "SU"}, ["i-2"]),
        ({"compensation": "RU"}, ["i-5"]),
        ({"machine": "order"}, ["i-5", "i-4", "i-2", "i-1"]),
        ({"machine": "refund"}, ["i-3"]),
        ({"business_key": "o-3"}, ["i-4", "i-3"]),
        ({"business_key": "o-3", "machine": "order"}, ["i-4"]),
        ({"running": True}, ["i-5", "i-4"]),
        ({"running": False}, ["i-3", "i-2", "i-1"]),
        ({"needs_operator": True}, ["i-3"]),
        ({"needs_operator": False, "running": False}, ["i-2", "i-1"]),
        ({"limit": 2}, ["i-5", "i-4"]),
        ({"limit": 2, "before_id": "i-4"}, ["i-3", "i-2"]),
        ({"before_id": "i-1"}, []),
        ({"status": "SK"}, []),
    ],
)
async def test_a_list_is_newest_first_and_filtered(
    one: Writer, two: Writer, wanted: dict[str, object], found: list[str]
) -> None:
    await some(one, two)
    assert await listed(two, **wanted) == found


async def test_instances_that_wait_for_a_person_are_counted(one: Writer, two: Writer) -> None:
    await some(one, two)
    async with two.log.reading() as session:
        assert await session.count_needing_operator() == 1


async def test_what_is_due_comes_in_the_order_of_its_time(one: Writer, two: Writer) -> None:
    for name, due in (("i-1", 300), ("i-2", 100), ("i-3", 200), ("i-4", 400)):
        await one.create(name)
        await one.append(name, an_end("UN"), Rest(due_ms=AT + due))
    await one.create("i-5")
    await one.claim(one.instances["i-3"], a_claim("redrive"))
    async with two.log.reading() as session:
        assert await session.due(AT + 99, 10) == []
        assert await session.due(AT + 300, 10) == ["i-2", "i-1"]
        assert await session.due(AT + 999, 2) == ["i-2", "i-1"]


# --- engines and their leases ---------------------------------------------------------------


async def renew(writer: Writer, until_ms: int, owner: str | None = None) -> None:
    async with writer.log.session() as session:
        await session.renew(owner or writer.owner, until_ms)


async def leases(writer: Writer, *owners: str) -> list[int | None]:
    async with writer.log.reading() as session:
        return [await session.lease_of(owner) for owner in owners]


async def test_a_lease_is_made_and_renewed(one: Writer, two: Writer) -> None:
    await renew(one, 100)
    await renew(one, 200)
    await renew(two, 150)
    assert await leases(two, "one#1", "two#1", "three#1") == [200, 150, None]


async def test_what_nobody_drives_is_found_with_its_dead_owner(one: Writer, two: Writer) -> None:
    three = Writer(one.log, "three#1")
    for writer, name in ((one, "i-1"), (two, "i-2"), (three, "i-3"), (one, "i-4"), (one, "i-5")):
        await writer.create(name)
    await one.append("i-4", an_end())
    await renew(one, 100)
    await renew(two, 200)

    async def orphans(now_ms: int, limit: int = 10) -> list[tuple[str, str]]:
        async with two.log.reading() as session:
            return list(await session.orphans("two#1", now_ms, limit))

    assert await orphans(100) == [("i-3", "three#1")]
    assert await orphans(101) == [("i-1", "one#1"), ("i-3", "three#1"), ("i-5", "one#1")]
    assert len(await orphans(101, 2)) == 2
    # Its own are never orphans, lease or not.
    assert ("i-2", "two#1") not in await orphans(10_000)


async def test_an_engine_finds_its_own_that_have_run_for_a_while(one: Writer, two: Writer) -> None:
    await one.create("i-1", at=AT)
    await one.create("i-2", at=AT + 10)
    await one.create("i-3", at=AT)
    await one.append("i-3", an_end())
    await two.create("i-4", at=AT)
    async with one.log.reading() as session:
        assert await session.own_running("one#1", AT + 10) == ["i-1"]
        assert await session.own_running("one#1", AT + 11) == ["i-1", "i-2"]


async def test_earlier_starts_under_a_name_lose_their_leases(one: Writer) -> None:
    owners = ("a_b%#1", "a_b%#2", "a_b%#3", "aXb%#1", "a_b#1", "a_b%c#1", "x#a_b%#1")
    for owner in owners:
        await renew(one, 500, owner)
    async with one.log.session() as session:
        await session.retire_predecessors("a_b%#3")
    assert await leases(one, *owners) == [0, 0, 500, 500, 500, 500, 500]


async def test_only_the_dead_that_own_nothing_are_forgotten(one: Writer, two: Writer) -> None:
    await one.create("i-1")
    await renew(one, 100)
    await renew(two, 100)
    await renew(one, 300, "three#1")
    async with one.log.session() as session:
        await session.forget_dead(100)
        await session.forget_dead(200)
    assert await leases(one, "one#1", "two#1", "three#1") == [100, None, 300]


# --- retention ------------------------------------------------------------------------------


async def purge(writer: Writer, before_ms: int, limit: int = 100) -> int:
    async with writer.log.session() as session:
        return await session.purge(before_ms, limit)


async def test_only_what_is_settled_and_old_is_deleted(one: Writer, two: Writer) -> None:
    ends = {
        "i-1": (an_end(), Rest(), AT + 10),
        "i-2": (an_end("UN"), Rest(due_ms=AT + 99), AT + 10),
        "i-3": (an_end("UN", "UN"), Rest(needs_operator=True), AT + 10),
        "i-4": (an_end("UN", "SU"), Rest(), AT + 20),
    }
    for name, (event, rest, at) in ends.items():
        await one.create(name, key=name)
        await one.append(name, event, rest, at=at)
    await one.create("i-5")

    assert await purge(two, AT + 10) == 0
    assert await purge(two, AT + 11) == 1
    assert await listed(one) == ["i-5", "i-4", "i-3", "i-2"]
    assert await one.history("i-1") == []
    assert await purge(two, AT + 999) == 1
    assert await listed(one) == ["i-5", "i-3", "i-2"]
    # Its key is free again.
    await one.create("i-6", key="i-1")


async def test_sub_machines_go_with_their_caller_and_never_before(one: Writer, two: Writer) -> None:
    await one.create("i-1")
    await one.create("i-10")
    await one.create("c-1", parent="i-1:2", key="c-1")
    await one.create("d-1", parent="c-1:1")
    await one.create("c-2", parent="i-10:2")
    for name in ("d-1", "c-1", "c-2"):
        await one.append(name, an_end(), at=AT + 1)
    assert await purge(two, AT + 99) == 0

    await one.append("i-1", an_end(), at=AT + 5)
    assert await purge(two, AT + 99) == 3
    assert await listed(one) == ["i-10", "c-2"]
    assert await one.history("d-1") == []
    async with one.log.reading() as session:
        assert await session.child_of("i-1:2") is None
        assert await session.machine_by_key("order", "c-1") is None


async def test_retention_takes_a_bounded_part_at_a_time_the_oldest_first(one: Writer) -> None:
    for n in (3, 1, 4, 2):
        await one.create(f"i-{n}")
        await one.append(f"i-{n}", an_end(), at=AT + n)
    assert await purge(one, AT + 99, 2) == 2
    assert await listed(one) == ["i-4", "i-3"]


# --- many at once ---------------------------------------------------------------------------


async def test_several_hundred_instances_at_once_are_each_written_once(one: Writer) -> None:
    names = [f"i-{n:04}" for n in range(700)]
    await asyncio.gather(*(one.create(name, key=name) for name in names))
    await asyncio.gather(*(one.append(name, a_step(value="x" * 100)) for name in names))
    await asyncio.gather(*(one.append(name, an_end()) for name in names))

    assert len(await listed(one, limit=1000, status="SU")) == 700
    for name in (names[0], names[350], names[-1]):
        assert await one.history(name) == [(1, 1, "start"), (2, 1, "step"), (3, 1, "end")]


async def test_large_rows_beside_small_ones_are_all_written(one: Writer) -> None:
    sizes = [10, 900_000, 20, 800_000, 700_000, 30, 900_000]
    names = [f"i-{n}" for n in range(len(sizes))]
    await asyncio.gather(
        *(
            one.create(name, event=a_start(params={"x": "決'" * (size // 2)}))
            for name, size in zip(names, sizes, strict=True)
        )
    )
    assert len(await listed(one)) == len(sizes)


async def test_whoever_gives_up_waiting_does_not_take_its_row_back_or_hold_others_up(
    one: Writer,
) -> None:
    for n in range(3):
        await one.create(f"i-{n}")
    gone = asyncio.create_task(one.append("i-0"))
    stays = [asyncio.create_task(one.append(f"i-{n}")) for n in (1, 2)]
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(*stays)
    await asyncio.gather(gone, return_exceptions=True)
    await one.append("i-1")

    history = await one.history("i-0")
    assert history in ([(1, 1, "start")], [(1, 1, "start"), (2, 1, "step")])
    assert len(await one.history("i-1")) == 3
