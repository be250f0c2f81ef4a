"""Leases with fencing numbers, and the one way to take due-time work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    String,
    Table,
    TextClause,
    and_,
    bindparam,
    or_,
    select,
    text,
    update,
)

from kessai.kernel.db import Row, Tx, insert_ignore
from kessai.kernel.errors import Fenced, VersionConflict
from kessai.kernel.kernel_tables import LEASES


@dataclass(frozen=True, slots=True)
class Lease:
    """A right that ends at `until_ms`; `fence` grows with every change of hands."""

    name: str
    owner: str
    fence: int
    until_ms: int


_MINE = and_(
    LEASES.c.name == bindparam("of_name"),
    LEASES.c.owner == bindparam("of_owner"),
    LEASES.c.fence == bindparam("of_fence"),
)
_CREATE = insert_ignore(LEASES)
_TAKE = (
    update(LEASES)
    .where(
        LEASES.c.name == bindparam("of_name"),
        or_(LEASES.c.until_ms <= bindparam("now_ms"), LEASES.c.owner == bindparam("by")),
    )
    .values(owner=bindparam("by"), fence=LEASES.c.fence + 1, until_ms=bindparam("until"))
)
_FENCE = select(LEASES.c.fence).where(LEASES.c.name == bindparam("of_name"))
_PROLONG = update(LEASES).where(_MINE).values(until_ms=bindparam("until"))
# Locks the row on MySQL, so that nobody takes over before this transaction has committed.
_CHECK = select(LEASES.c.fence).where(_MINE).with_for_update(read=True)


async def claim(tx: Tx, name: str, owner: str, ttl_ms: int, now_ms: int) -> Lease | None:
    """The lease if it is free, expired or already the owner's (a restart); None if it is held."""
    until_ms = now_ms + ttl_ms
    taking = {"of_name": name, "by": owner, "now_ms": now_ms, "until": until_ms}
    if (await tx.run(_TAKE, taking)).rowcount == 1:
        fence = cast(int, (await tx.run(_FENCE, {"of_name": name})).scalar())
        return Lease(name, owner, fence, until_ms)
    fresh = {"name": name, "owner": owner, "fence": 1, "until_ms": until_ms}
    if (await tx.run(_CREATE, fresh)).rowcount == 1:
        return Lease(name, owner, 1, until_ms)
    return None


async def renew(tx: Tx, lease: Lease, ttl_ms: int, now_ms: int) -> Lease:
    """Raises `Fenced` when somebody else has taken it since."""
    until_ms = now_ms + ttl_ms
    if (await tx.run(_PROLONG, {**_of(lease), "until": until_ms})).rowcount != 1:
        raise Fenced(f"lease {lease.name!r} was taken over")
    return replace(lease, until_ms=until_ms)


async def release(tx: Tx, lease: Lease) -> None:
    """Lets the next one in at once; does nothing to a lease that was taken over."""
    await tx.run(_PROLONG, {**_of(lease), "until": 0})


async def check(tx: Tx, lease: Lease) -> None:
    """Call it in the transaction that the lease protects: raises `Fenced` for a zombie."""
    if (await tx.run(_CHECK, _of(lease))).first() is None:
        raise Fenced(f"lease {lease.name!r} was taken over")


def _of(lease: Lease) -> dict[str, object]:
    return {"of_name": lease.name, "of_owner": lease.owner, "of_fence": lease.fence}


def due_columns() -> tuple[Column[Any], ...]:
    """The columns of due-time work; give the table an index on (due_at_ms, id) as well.

    `due_at_ms` NULL means that nothing is to be done.
    """
    return (
        Column("due_at_ms", BigInteger),
        Column("lease_owner", String(120)),
        Column("lease_until_ms", BigInteger, nullable=False, server_default=text("0")),
        Column("lease_fence", BigInteger, nullable=False, server_default=text("0")),
    )


@dataclass(frozen=True, slots=True)
class Due:
    """A row taken for work; `row` is as it was before, `fence` is what finishing it needs."""

    id: object
    fence: int
    row: Row


class DueWork:
    """Rows of one table that are worked on at their time, by one worker each.

    Build it once, as a module constant: it holds the prepared statements. The table has a
    column `id` and `due_columns()`; `where` narrows the rows and may hold literals only.
    """

    def __init__(
        self, table: Table, *, where: ColumnElement[bool] | TextClause | None = None
    ) -> None:
        rows, due_at, until, fence = (
            table.c.id,
            table.c.due_at_ms,
            table.c.lease_until_ms,
            table.c.lease_fence,
        )
        self._name = table.name
        due = select(table).where(due_at <= bindparam("now_ms"), until <= bindparam("now_ms"))
        # An index in exactly this order: InnoDB locks every candidate row that it has to sort.
        self._select = (
            (due if where is None else due.where(where))
            .order_by(due_at, rows)
            .limit(bindparam("limit"))
            .with_for_update(skip_locked=True)
        )
        this = and_(rows == bindparam("of_id"), fence == bindparam("of_fence"))
        self._take = (
            update(table)
            .where(this)
            .values(
                lease_owner=bindparam("by_owner"),
                lease_until_ms=bindparam("to_ms"),
                lease_fence=fence + 1,
            )
        )
        # Work that was finished is nobody's: who still thought of it must not hold it again.
        held = and_(this, table.c.lease_owner.is_not(None))
        self._prolong = update(table).where(held).values(lease_until_ms=bindparam("to_ms"))
        self._finish = (
            update(table)
            .where(this)
            .values(due_at_ms=bindparam("to_ms"), lease_owner=None, lease_until_ms=0)
        )

    async def claim_due(
        self, tx: Tx, *, owner: str, lease_ms: int, now_ms: int, limit: int
    ) -> list[Due]:
        """Takes up to `limit` due rows, the longest due first; commit before working on them."""
        rows = (await tx.run(self._select, {"now_ms": now_ms, "limit": limit})).all()
        if not rows:
            return []
        taken = [
            {
                "of_id": row["id"],
                "of_fence": row["lease_fence"],
                "by_owner": owner,
                "to_ms": now_ms + lease_ms,
            }
            for row in rows
        ]
        if (await tx.run(self._take, taken)).rowcount != len(rows):
            raise VersionConflict(f"another worker took rows of {self._name}")
        return [Due(row["id"], row["lease_fence"] + 1, row) for row in rows]

    async def renew(self, tx: Tx, due: Due, *, lease_ms: int, now_ms: int) -> None:
        """Raises `Fenced` when another worker has the row by now, or its work is finished."""
        await self._change(tx, self._prolong, due, {"to_ms": now_ms + lease_ms})

    async def finish(self, tx: Tx, due: Due, *, next_ms: int | None) -> None:
        """Ends the work: due again at `next_ms`, or never (None). Raises `Fenced`.

        Run it in the transaction that writes the result, so that a zombie's result goes too.
        """
        await self._change(tx, self._finish, due, {"to_ms": next_ms})

    async def _change(self, tx: Tx, statement: Any, due: Due, values: Mapping[str, object]) -> None:
        of = {"of_id": due.id, "of_fence": due.fence}
        if (await tx.run(statement, {**of, **values})).rowcount != 1:
            raise Fenced(f"row {due.id!r} of {self._name} was taken over")
