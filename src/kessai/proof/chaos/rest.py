"""What is still on its way: counted in the databases themselves, read only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy import text

from kessai.kernel.db import Db

_OPEN_ORDERS: Final = text(
    "select count(*) as n from orders where status in ('PENDING', 'WAITING_PAYMENT', 'REFUNDING')"
)
_RUNNING_SAGAS: Final = text("select count(*) as n from sg_machine where running = 1")
_WANTED_REFUNDS: Final = text("select count(*) as n from order_refund where status <> 'COMPLETED'")
_LIVE_ATTEMPTS: Final = text(
    "select count(*) as n from attempt"
    " where status in ('CREATING', 'AWAITING', 'UNKNOWN', 'REFUNDING')"
)
_OPEN_REFUNDS: Final = text("select count(*) as n from refund where status <> 'COMPLETED'")
_NEW_WEBHOOKS: Final = text("select count(*) as n from webhook_inbox where status = 'NEW'")
_UNSENT: Final = text("select count(*) as n from outbox where sent = 0")
_RESERVED: Final = text("select count(*) as n from reservation where status = 'RESERVED'")
_HELD: Final = text("select count(*) as n from hold where status = 'HELD'")

_COUNTS: Final = (
    ("order", "orders open", _OPEN_ORDERS),
    ("order", "sagas running", _RUNNING_SAGAS),
    ("order", "refunds wanted", _WANTED_REFUNDS),
    ("order", "order events unsent", _UNSENT),
    ("payment", "attempts live", _LIVE_ATTEMPTS),
    ("payment", "refunds open", _OPEN_REFUNDS),
    ("payment", "webhooks unread", _NEW_WEBHOOKS),
    ("payment", "payment events unsent", _UNSENT),
    ("storage", "reservations open", _RESERVED),
    ("storage", "product events unsent", _UNSENT),
    ("account", "holds open", _HELD),
)


_ENDS: Final = text(
    "select status, coalesce(reason, '') as reason, count(*) as n from orders"
    " group by status, reason order by n desc, status, reason"
)


async def ends(order: Db) -> dict[str, int]:
    """Orders by status and reason, as order-service knows them."""
    async with order.read() as tx:
        rows = (await tx.run(_ENDS)).all()
    return {
        f"{row['status']}: {row['reason']}" if row["reason"] else str(row["status"]): int(row["n"])
        for row in rows
    }


async def still_open(databases: Mapping[str, Db]) -> dict[str, int]:
    """Empty when everything is final."""
    found: dict[str, int] = {}
    for database, name, statement in _COUNTS:
        async with databases[database].read() as tx:
            count = int((await tx.run(statement)).one()["n"])
        if count:
            found[name] = count
    return found
