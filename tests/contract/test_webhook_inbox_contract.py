"""The inbox of webhooks promises the same on every database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.support.mariadb import MARIADB, server

from kessai.kernel.db import Db, MySqlDb, MySqlLimits, open_database
from kessai.kernel.migrations import migrate
from kessai.payment.application.ports import Webhook
from kessai.payment.gateway.evidence import SqlWebhookInbox
from kessai.payment.gateway.silence import SqlHeard

INBOX, HEARD = SqlWebhookInbox(), SqlHeard()
ROWS = text("SELECT id, deliveries, last_received_ms FROM webhook_inbox ORDER BY id")
DEALT_WITH = text("UPDATE webhook_inbox SET due_at_ms = NULL WHERE id <> 'w2'")


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=MARIADB)])
async def db(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Db]:
    opened: Db
    if request.param == "mariadb":
        url = server().url(server().fresh_schema())
        opened = MySqlDb(url, limits=MySqlLimits(writers=2, readers=2))
    else:
        opened = await open_database(f"sqlite:///{tmp_path}/payment.db")
    migrate(opened, "payment")
    yield opened
    await opened.close()


async def told(db: Db, name: str, at_ms: int, *, parked: str | None = None) -> bool:
    webhook = Webhook(
        id=name,
        merchant_payment_id=f"{name}-1",
        payment_id=None,
        word="COMPLETED",
        amount_yen=100,
        body=b"{}",
        source="127.0.0.1",
        received_at_ms=at_ms,
        parked=parked,
    )
    async with db.transaction() as tx:
        return await INBOX.add(tx, webhook)


async def forget(db: Db, before_ms: int, limit: int = 100) -> int:
    async with db.transaction() as tx:
        return await INBOX.forget(tx, before_ms, limit=limit)


async def stored(db: Db) -> list[tuple[str, int, int]]:
    async with db.read() as tx:
        return [tuple(row.values()) for row in (await tx.run(ROWS)).all()]


async def test_a_repeat_is_counted_and_the_last_one_of_ours_is_known(db: Db) -> None:
    assert await told(db, "w1", 1_000)
    assert not await told(db, "w1", 3_000)
    assert await told(db, "w2", 9_000, parked="UNKNOWN_ORDER")
    assert await stored(db) == [("w1", 2, 3_000), ("w2", 1, 9_000)]
    async with db.read() as tx:
        assert await HEARD.last_heard_ms(tx) == 3_000


async def test_the_oldest_that_were_dealt_with_are_forgotten_a_part_at_a_time(db: Db) -> None:
    for number in range(1, 7):
        await told(db, f"w{number}", number * 1_000)
    await told(db, "w1", 5_500)
    async with db.transaction() as tx:
        await tx.run(DEALT_WITH)
    assert await forget(db, 1_000) == 0
    assert await forget(db, 5_500, limit=2) == 2
    assert [name for name, _, _ in await stored(db)] == ["w1", "w2", "w5", "w6"]
    assert await forget(db, 5_500, limit=2) == 1
    assert await forget(db, 5_500, limit=2) == 0
    assert [name for name, _, _ in await stored(db)] == ["w1", "w2", "w6"]
