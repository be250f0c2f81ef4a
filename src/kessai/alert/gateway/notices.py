"""Notices that are still to be told, in SQL."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    Table,
    Text,
    bindparam,
    delete,
    select,
    update,
)

from kessai.alert.application.ports import DueNotice, Notice
from kessai.alert.gateway.alerts import SYSTEM
from kessai.kernel.db import Tx, insert_ignore
from kessai.kernel.kernel_tables import exact
from kessai.kernel.leases import DueWork, due_columns

NOTICE = Table(
    "sys_pay_alert_notice",
    SYSTEM,
    Column("id", exact(26), primary_key=True),
    Column("alert_id", exact(26), nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("tries", Integer, nullable=False),
    *due_columns(),
)
Index("ix_alert_notice_due", NOTICE.c.due_at_ms, NOTICE.c.id)

_WORK = DueWork(NOTICE)
_ADD = insert_ignore(NOTICE)
_OF_NOTICE = NOTICE.c.id == bindparam("of_notice")
_TRIED = update(NOTICE).where(_OF_NOTICE).values(tries=NOTICE.c.tries + 1)
_ANY_DUE = (
    select(NOTICE.c.id)
    .where(
        NOTICE.c.due_at_ms <= bindparam("now_ms"), NOTICE.c.lease_until_ms <= bindparam("now_ms")
    )
    .limit(1)
)
_FORGET = delete(NOTICE).where(_OF_NOTICE)


class SqlNotices:
    async def add(self, tx: Tx, notice: Notice) -> None:
        row = {
            "id": notice.id,
            "alert_id": notice.alert_id,
            "body": notice.body,
            "created_at": notice.created_at_ms,
            "tries": 0,
            "due_at_ms": notice.created_at_ms,
            "lease_owner": None,
            "lease_until_ms": 0,
            "lease_fence": 0,
        }
        await tx.run(_ADD, row)

    async def is_any_due(self, tx: Tx, now_ms: int) -> bool:
        return (await tx.run(_ANY_DUE, {"now_ms": now_ms})).first() is not None

    async def take(
        self, tx: Tx, *, owner: str, lease_ms: int, now_ms: int, limit: int
    ) -> Sequence[DueNotice]:
        taken = await _WORK.claim_due(
            tx, owner=owner, lease_ms=lease_ms, now_ms=now_ms, limit=limit
        )
        return [
            DueNotice(
                Notice(due.row["id"], due.row["alert_id"], due.row["body"], due.row["created_at"]),
                due.row["tries"],
                due,
            )
            for due in taken
        ]

    async def forget(self, tx: Tx, one: DueNotice) -> None:
        await _WORK.finish(tx, one.due, next_ms=None)
        await tx.run(_FORGET, {"of_notice": one.notice.id})

    async def put_off(self, tx: Tx, one: DueNotice, next_ms: int) -> None:
        await _WORK.finish(tx, one.due, next_ms=next_ms)
        await tx.run(_TRIED, {"of_notice": one.notice.id})
