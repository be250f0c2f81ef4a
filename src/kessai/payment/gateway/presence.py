"""The processes of this service, as rows among the leases of its database."""

from __future__ import annotations

from typing import cast

from sqlalchemy import and_, bindparam, delete, func, literal_column, select

from kessai.kernel.db import Tx
from kessai.kernel.kernel_tables import LEASES
from kessai.kernel.leases import claim

_PREFIX = "process/"
# "0" comes right after "/", so this range is everything that begins with the prefix.
_OURS = and_(
    LEASES.c.name > literal_column("'process/'"), LEASES.c.name < literal_column("'process0'")
)
_ALIVE = (
    select(func.count()).select_from(LEASES).where(_OURS, LEASES.c.until_ms > bindparam("now_ms"))
)
_RAN_OUT = LEASES.c.until_ms <= bindparam("now_ms")
_DEAD = select(LEASES.c.owner).where(_OURS, _RAN_OUT).order_by(LEASES.c.name)
_BURY = delete(LEASES).where(LEASES.c.name == bindparam("of_name"), _RAN_OUT)


class SqlPresence:
    """See `application.peers.Presence`."""

    async def show(self, tx: Tx, owner: str, *, now_ms: int, until_ms: int) -> int:
        await claim(tx, _PREFIX + owner, owner, until_ms - now_ms, now_ms)
        return cast(int, (await tx.run(_ALIVE, {"now_ms": now_ms})).scalar())

    async def dead(self, tx: Tx, *, now_ms: int) -> list[str]:
        return [str(row["owner"]) for row in (await tx.run(_DEAD, {"now_ms": now_ms})).all()]

    async def bury(self, tx: Tx, owner: str, *, now_ms: int) -> bool:
        burying = {"of_name": _PREFIX + owner, "now_ms": now_ms}
        return (await tx.run(_BURY, burying)).rowcount == 1
