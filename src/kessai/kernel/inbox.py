"""The inbox: each event counts once for each consumer, decided in the consumer's transaction."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, func, select

from kessai.kernel.db import Tx, insert_ignore
from kessai.kernel.kernel_tables import INBOX

_REMEMBER = insert_ignore(INBOX)
_OLDEST = (
    select(INBOX.c.seen_at_ms)
    .where(INBOX.c.seen_at_ms < bindparam("before_ms"))
    .order_by(INBOX.c.seen_at_ms)
    .limit(bindparam("limit"))
    .subquery()
)
_LAST_OF_OLDEST = select(func.max(_OLDEST.c.seen_at_ms))
_FORGET = delete(INBOX).where(INBOX.c.seen_at_ms <= bindparam("until_ms"))


async def first_time(tx: Tx, consumer: str, event_id: str, now_ms: int) -> bool:
    """False when this consumer has had the event before; then do nothing and acknowledge."""
    row = {"consumer": consumer, "event_id": event_id, "seen_at_ms": now_ms}
    return (await tx.run(_REMEMBER, row)).rowcount == 1


async def purge(tx: Tx, before_ms: int, *, limit: int = 1000) -> int:
    """Forgets about `limit` of the oldest entries; keep them longer than the bus keeps records."""
    until_ms = (await tx.run(_LAST_OF_OLDEST, {"before_ms": before_ms, "limit": limit})).scalar()
    if until_ms is None:
        return 0
    return (await tx.run(_FORGET, {"until_ms": until_ms})).rowcount
