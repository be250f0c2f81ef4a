"""A key and its effect are one commit; a repeat gets the first answer or a clear refusal."""

from __future__ import annotations

import pytest
from tests.support.kernel import a_database

from kessai.kernel.db import Db
from kessai.kernel.errors import Invalid, Refused
from kessai.kernel.idempotency import (
    SHORTEST_MEMORY_MS,
    Began,
    Beginning,
    InFlight,
    Replay,
    answer,
    begin,
    progress,
    purge,
)


async def ask(
    db: Db, key: str = "k1", *, scope: str = "user-1", body: str = "h1", now_ms: int = 1000
) -> Beginning:
    async with db.transaction() as tx:
        return await begin(tx, scope, key, body, f"order-{now_ms}", now_ms)


async def test_a_new_key_begins_and_its_repeat_is_in_flight() -> None:
    db = await a_database()
    assert await ask(db) == Began("order-1000")
    assert await ask(db, now_ms=2000) == InFlight("order-1000", progressed_at_ms=1000)
    async with db.transaction() as tx:
        await progress(tx, "user-1", "k1", 2500)
    assert await ask(db, now_ms=3000) == InFlight("order-1000", progressed_at_ms=2500)


async def test_the_answer_is_said_again_word_by_word() -> None:
    db = await a_database()
    await ask(db)
    async with db.transaction() as tx:
        await answer(tx, "user-1", "k1", status_code=409, answer='{"code":"X"}', now_ms=1500)
    assert await ask(db, now_ms=9000) == Replay("order-1000", 409, '{"code":"X"}')


async def test_another_body_under_the_same_key_is_a_conflict_and_changes_nothing() -> None:
    db = await a_database()
    await ask(db)
    with pytest.raises(Refused) as refused:
        await ask(db, body="h2", now_ms=2000)
    assert refused.value.code == "IDEMPOTENCY_CONFLICT"
    assert await ask(db, now_ms=3000) == InFlight("order-1000", progressed_at_ms=1000)


async def test_keys_of_two_users_and_of_two_spellings_have_nothing_to_do_with_each_other() -> None:
    db = await a_database()
    assert await ask(db) == Began("order-1000")
    assert await ask(db, scope="user-2", body="h2") == Began("order-1000")
    assert await ask(db, key="K1", body="h3") == Began("order-1000")


async def test_a_purchase_that_fails_leaves_its_key_free() -> None:
    db = await a_database()

    async def purchase() -> None:
        async with db.transaction() as tx:
            await begin(tx, "user-1", "k1", "h1", "order-1", 1000)
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await purchase()
    assert await ask(db, body="h2") == Began("order-1000")


@pytest.mark.parametrize("key", ["", "k" * 256])
async def test_a_key_that_is_empty_or_too_long_is_refused(key: str) -> None:
    db = await a_database()
    with pytest.raises(Invalid):
        await ask(db, key=key)
    assert await ask(db, key="k" * 255) == Began("order-1000")


async def test_an_answer_to_a_key_that_never_began_is_a_mistake() -> None:
    db = await a_database()
    with pytest.raises(LookupError):
        async with db.transaction() as tx:
            await answer(tx, "user-1", "k1", status_code=200, answer="{}", now_ms=1)


async def test_keys_live_for_a_day_and_are_then_forgotten() -> None:
    db = await a_database()
    for n in range(5):
        await ask(db, key=f"k{n}", now_ms=n)
    async with db.transaction() as tx:
        assert await purge(tx, 3 + SHORTEST_MEMORY_MS, SHORTEST_MEMORY_MS, limit=2) == 2
        assert await purge(tx, 3 + SHORTEST_MEMORY_MS, SHORTEST_MEMORY_MS, limit=2) == 1
        assert await purge(tx, 3 + SHORTEST_MEMORY_MS, SHORTEST_MEMORY_MS, limit=2) == 0
        with pytest.raises(ValueError, match="24 hours"):
            await purge(tx, 3 + SHORTEST_MEMORY_MS, SHORTEST_MEMORY_MS - 1)
    assert await ask(db, key="k3") == InFlight("order-3", progressed_at_ms=3)
    assert await ask(db, key="k2") == Began("order-1000")
