"""Liveness: one lease per engine start, and what takes over from engines that are gone."""

from __future__ import annotations

from typing import cast

from sqlalchemy import bindparam, delete, insert, literal_column, or_, select, update

from kessai.kernel.db import Tx
from kessai.saga.log import SG_ENGINE, SG_MACHINE

_m = SG_MACHINE.c
_n = SG_ENGINE.c

_REGISTER = insert(SG_ENGINE)
_RENEW = update(SG_ENGINE).where(_n.owner == bindparam("o")).values(lease_until=bindparam("t"))
_PREDECESSORS = (
    update(SG_ENGINE)
    .where(_n.owner.like(bindparam("prefix"), escape="\\"), _n.owner != bindparam("o"))
    .values(lease_until=literal_column("0"))
)
_ORPHANS = (
    select(_m.id, _m.owner)
    .select_from(SG_MACHINE.outerjoin(SG_ENGINE, _m.owner == _n.owner))
    .where(
        _m.running == literal_column("1"),
        _m.owner != bindparam("o"),
        or_(_n.owner.is_(None), _n.lease_until < bindparam("now")),
    )
    .order_by(_m.id)
    .limit(bindparam("n"))
)
_OWN = (
    select(_m.id)
    .where(
        _m.running == literal_column("1"),
        _m.owner == bindparam("o"),
        _m.started_at < bindparam("before"),
    )
    .order_by(_m.id)
)
_FORGET = delete(SG_ENGINE).where(
    _n.lease_until < bindparam("now"),
    _n.owner.not_in(select(_m.owner).where(_m.running == literal_column("1"))),
)
_LEASE = select(_n.lease_until).where(_n.owner == bindparam("o"))


async def renew(tx: Tx, owner: str, lease_until_ms: int) -> None:
    """Heartbeat; the row is made again if somebody declared this engine dead meanwhile."""
    values = {"o": owner, "t": lease_until_ms}
    if (await tx.run(_RENEW, values)).rowcount == 0:
        await tx.run(_REGISTER, {"owner": owner, "lease_until": lease_until_ms})


async def retire_predecessors(tx: Tx, owner: str) -> None:
    """An instance name runs once, so earlier starts under it are dead, lease or not.

    Should two live processes share a name by mistake, the fence still keeps every history whole.
    """
    name, _, _ = owner.rpartition("#")
    escaped = name.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    await tx.run(_PREDECESSORS, {"prefix": f"{escaped}#%", "o": owner})


async def release(tx: Tx, owner: str) -> None:
    await tx.run(_RENEW, {"o": owner, "t": 0})


async def orphans(tx: Tx, owner: str, now_ms: int, limit: int) -> list[tuple[str, str]]:
    """Running instances whose engine has no lease any more, and that engine."""
    rows = await tx.run(_ORPHANS, {"o": owner, "now": now_ms, "n": limit})
    return [(row["id"], row["owner"]) for row in rows.all()]


async def own_running(tx: Tx, owner: str, before_ms: int) -> list[str]:
    """Running instances of this engine; those without a task lost it to an error."""
    rows = await tx.run(_OWN, {"o": owner, "before": before_ms})
    return [row["id"] for row in rows.all()]


async def forget_dead(tx: Tx, now_ms: int) -> None:
    """Dead engines that own nothing leave the table."""
    await tx.run(_FORGET, {"now": now_ms})


async def lease_of(tx: Tx, owner: str) -> int | None:
    return cast("int | None", (await tx.run(_LEASE, {"o": owner})).scalar())
