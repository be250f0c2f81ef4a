"""What the tables tell of the provider's webhooks."""

from __future__ import annotations

from typing import cast

from sqlalchemy import select

from kessai.kernel.db import Tx
from kessai.payment.gateway.tables import LEDGER, WEBHOOK_INBOX

# By the index on its column, from the end: the greatest of all would be looked for in every row.
_LAST_HEARD = (
    select(WEBHOOK_INBOX.c.last_received_ms)
    .where(WEBHOOK_INBOX.c.status != "PARKED")
    .order_by(WEBHOOK_INBOX.c.last_received_ms.desc())
    .limit(1)
)
_ANY_MONEY = select(LEDGER.c.id).limit(1)


class SqlHeard:
    async def last_heard_ms(self, tx: Tx) -> int | None:
        return cast("int | None", (await tx.run(_LAST_HEARD)).scalar())

    async def any_money(self, tx: Tx) -> bool:
        return (await tx.run(_ANY_MONEY)).first() is not None
