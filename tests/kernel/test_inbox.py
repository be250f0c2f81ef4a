"""An event counts once for each consumer, whatever the bus does."""

from __future__ import annotations

import pytest
from tests.support.kernel import a_database

from kessai.kernel.inbox import first_time, purge


async def test_the_second_delivery_is_recognised() -> None:
    db = await a_database()
    async with db.transaction() as tx:
        assert await first_time(tx, "order.payments", "e1", 1000)
        assert not await first_time(tx, "order.payments", "e1", 1001)
    async with db.transaction() as tx:
        assert not await first_time(tx, "order.payments", "e1", 2000)
        assert await first_time(tx, "order.payments", "E1", 2000)
        assert await first_time(tx, "order.audit", "e1", 2000)


async def test_a_transaction_that_fails_has_not_seen_the_event() -> None:
    db = await a_database()

    async def apply() -> None:
        async with db.transaction() as tx:
            assert await first_time(tx, "order.payments", "e1", 1000)
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await apply()
    async with db.transaction() as tx:
        assert await first_time(tx, "order.payments", "e1", 1000)


async def test_old_entries_are_forgotten_in_small_portions() -> None:
    db = await a_database()
    async with db.transaction() as tx:
        for n in range(10):
            await first_time(tx, "c", f"e{n}", n)
    async with db.transaction() as tx:
        assert await purge(tx, before_ms=8, limit=5) == 5
        assert await purge(tx, before_ms=8, limit=5) == 3
        assert await purge(tx, before_ms=8, limit=5) == 0
        assert not await first_time(tx, "c", "e8", 99)
        assert await first_time(tx, "c", "e7", 99)
