"""What verify keeps of a million events: small, and complete although some commit late."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from kessai.kernel.db import Db, open_database
from kessai.proof.invariants.bus import Numbers
from kessai.proof.invariants.outboxes import Outbox

_NUMBER = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 9)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(there=st.lists(_NUMBER), asked=st.lists(_NUMBER))
def test_each_number_is_taken_once(there: list[int], asked: list[int]) -> None:
    numbers, left = Numbers(), set(there)
    numbers.update(there[:3])
    numbers.update(there[3:])
    numbers.settle()
    assert len(numbers) == len(left)
    for number in (*asked, *there[:5], *asked):
        assert numbers.take(number) == (number in left)
        left.discard(number)
        assert len(numbers) == len(left)


@pytest.fixture
async def db() -> AsyncIterator[Db]:
    made = await open_database("sqlite:")
    async with made.transaction() as tx:
        await tx.run(
            text(
                "CREATE TABLE outbox (id INTEGER PRIMARY KEY, topic TEXT, message_key TEXT,"
                " value BLOB, event_id TEXT, created_at_ms INTEGER, sent INTEGER)"
            )
        )
    yield made
    await made.close()


async def put(db: Db, *ids: int) -> None:
    insert = text("INSERT INTO outbox VALUES (:id, 't', 'k', x'00', 'e', 0, 0)")
    async with db.transaction() as tx:
        for one in ids:
            await tx.run(insert, {"id": one})


async def test_a_row_that_commits_after_younger_ones_is_read_once(db: Db) -> None:
    """As on MySQL, where an id is taken before the commit."""
    seen: Counter[int] = Counter()
    outbox = Outbox(db, lambda rows: seen.update(row.id for row in rows))
    await put(db, 1, 2, 5, 6)
    await outbox.read()
    await put(db, 3, 7)
    async with db.read() as tx:
        await outbox.catch_up(tx, late=False)
    assert dict(seen) == dict.fromkeys((1, 2, 5, 6, 7), 1)
    async with db.read() as tx:
        await outbox.catch_up(tx, late=True)
        await outbox.catch_up(tx, late=True)
    assert dict(seen) == dict.fromkeys((1, 2, 3, 5, 6, 7), 1)
    await put(db, 4)
    pages = [row.id async for rows in outbox.pages() for row in rows]
    assert (pages, seen[4]) == ([4], 1)
