"""What an instance had taken before it died is free again at once."""

from __future__ import annotations

from sqlalchemy import bindparam, update

from kessai.kernel.db import Tx
from kessai.payment.gateway.settlement_tables import FILE
from kessai.payment.gateway.tables import ATTEMPT, REFUND, WEBHOOK_INBOX

_FREE = [
    update(table)
    .where(table.c.lease_owner == bindparam("by"), table.c.lease_until_ms > 0)
    .values(lease_owner=None, lease_until_ms=0, lease_fence=table.c.lease_fence + 1)
    for table in (ATTEMPT, WEBHOOK_INBOX, REFUND, FILE)
]


async def free_leases(tx: Tx, owner: str) -> int:
    """How many rows. The fence moves on, so a zombie of that name writes nothing."""
    return sum([(await tx.run(free, {"by": owner})).rowcount for free in _FREE])
