"""`sys_pay_alert` and its history, in the schema `ec_system`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    and_,
    bindparam,
    insert,
    or_,
    select,
    update,
)

from kessai.alert.application.ports import Act
from kessai.alert.domain.alert import Alert
from kessai.contracts.alert import AlertStatus, ListAlerts
from kessai.kernel.db import SERIAL, Row, Tx, insert_ignore
from kessai.kernel.errors import VersionConflict
from kessai.kernel.kernel_tables import exact

SYSTEM = MetaData()

# The names are those that others read by; times are epoch milliseconds as in every table.
ALERT = Table(
    "sys_pay_alert",
    SYSTEM,
    Column("alert_id", exact(26), primary_key=True),
    Column("rule", String(10), nullable=False),
    Column("severity", String(2), nullable=False),
    Column("order_id", exact(64)),
    Column("source", exact(64)),
    Column("status", String(12), nullable=False),
    Column("facts_json", Text, nullable=False),
    Column("detected_at", BigInteger, nullable=False),
    Column("resolved_at", BigInteger),
    Column("resolved_by", String(64)),
    Column("assignee", String(64)),
    Column("note", Text),
    Column("count", Integer, nullable=False),
    Column("first_seen", BigInteger, nullable=False),
    Column("last_seen", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("change_no", BigInteger, nullable=False),
    Index("ix_alert_newest", "detected_at", "alert_id"),
    Index("ix_alert_change", "change_no"),
    Index("ix_alert_order", "order_id"),
)

ALERT_ACT = Table(
    "sys_pay_alert_act",
    SYSTEM,
    Column("id", SERIAL, primary_key=True, autoincrement=True),
    Column("alert_id", exact(26), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("action", String(16), nullable=False),
    Column("actor", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("note", Text),
    Index("ix_alert_act", "alert_id", "id"),
)

# One row: who changes an alert holds it until the commit, so numbers are committed in their order.
CHANGE = Table(
    "sys_pay_alert_change",
    SYSTEM,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("last_no", BigInteger, nullable=False),
)

_OF_ALERT = ALERT.c.alert_id == bindparam("of_alert")
_GET = select(ALERT).where(_OF_ALERT)
_LOCK = _GET.with_for_update()
_ADD = insert_ignore(ALERT)
_SAVE = (
    update(ALERT)
    .where(_OF_ALERT, ALERT.c.version == bindparam("expected"))
    .values(
        status=bindparam("new_status"),
        facts_json=bindparam("new_facts"),
        resolved_at=bindparam("new_resolved_at"),
        resolved_by=bindparam("new_resolved_by"),
        assignee=bindparam("new_assignee"),
        note=bindparam("new_note"),
        count=bindparam("new_count"),
        last_seen=bindparam("new_last_seen"),
        version=bindparam("new_version"),
        change_no=bindparam("new_change"),
    )
)
_NEXT_CHANGE = update(CHANGE).where(CHANGE.c.id == 1).values(last_no=CHANGE.c.last_no + 1)
_LAST_CHANGE = select(CHANGE.c.last_no).where(CHANGE.c.id == 1)
_HOLD = _LAST_CHANGE.with_for_update()
_CHANGED = (
    select(ALERT)
    .where(ALERT.c.change_no > bindparam("after"))
    .order_by(ALERT.c.change_no)
    .limit(bindparam("limit"))
)
_ACTS = select(ALERT_ACT).where(ALERT_ACT.c.alert_id == bindparam("of_alert")).order_by("id")
_ADD_ACT = insert(ALERT_ACT)
_FILTERS = ("status", "rule", "severity", "order_id", "assignee")


def _given(name: str) -> ColumnElement[bool]:
    """What is not asked for filters nothing; one statement for every question."""
    asked = bindparam(f"of_{name}", type_=String)
    return or_(asked.is_(None), ALERT.c[name] == asked)


_BEFORE_MS = bindparam("before_ms", type_=BigInteger)
_OLDER = or_(
    _BEFORE_MS.is_(None),
    ALERT.c.detected_at < _BEFORE_MS,
    and_(ALERT.c.detected_at == _BEFORE_MS, ALERT.c.alert_id < bindparam("before_id")),
)
_PAGE = (
    select(ALERT)
    .where(_OLDER, *map(_given, _FILTERS))
    .order_by(ALERT.c.detected_at.desc(), ALERT.c.alert_id.desc())
    .limit(bindparam("limit"))
)


class SqlAlerts:
    async def get(self, tx: Tx, alert_id: str) -> Alert | None:
        row = (await tx.run(_GET, {"of_alert": alert_id})).first()
        return _alert(row) if row else None

    async def lock(self, tx: Tx, alert_id: str) -> Alert | None:
        # First, and for all alerts: two that found the same one missing would wait for each other.
        await tx.run(_HOLD)
        row = (await tx.run(_LOCK, {"of_alert": alert_id})).first()
        return _alert(row) if row else None

    async def add(self, tx: Tx, alert: Alert) -> bool:
        row = {
            "alert_id": alert.id,
            "rule": alert.rule,
            "severity": alert.severity,
            "order_id": alert.order_id,
            "source": alert.source,
            "status": alert.status,
            "facts_json": alert.facts_json,
            "detected_at": alert.detected_at_ms,
            "resolved_at": alert.resolved_at_ms,
            "resolved_by": alert.resolved_by,
            "assignee": alert.assignee,
            "note": alert.note,
            "count": alert.count,
            "first_seen": alert.first_seen_ms,
            "last_seen": alert.last_seen_ms,
            "version": alert.version,
            "change_no": await self._next_change(tx),
        }
        return (await tx.run(_ADD, row)).rowcount == 1

    async def save(self, tx: Tx, before: Alert, after: Alert) -> Alert:
        change = await self._next_change(tx)
        changed = await tx.run(
            _SAVE,
            {
                "of_alert": after.id,
                "expected": before.version,
                "new_status": after.status,
                "new_facts": after.facts_json,
                "new_resolved_at": after.resolved_at_ms,
                "new_resolved_by": after.resolved_by,
                "new_assignee": after.assignee,
                "new_note": after.note,
                "new_count": after.count,
                "new_last_seen": after.last_seen_ms,
                "new_version": after.version,
                "new_change": change,
            },
        )
        if changed.rowcount != 1:
            raise VersionConflict(f"alert {after.id} moved on")
        return replace(after, change=change)

    async def last_change(self, tx: Tx) -> int:
        return int(cast(int, (await tx.run(_LAST_CHANGE)).scalar()))

    async def changed(self, tx: Tx, after: int, limit: int) -> Sequence[Alert]:
        rows = (await tx.run(_CHANGED, {"after": after, "limit": limit})).all()
        return [_alert(row) for row in rows]

    async def _next_change(self, tx: Tx) -> int:
        await tx.run(_NEXT_CHANGE)
        return await self.last_change(tx)

    async def page(self, tx: Tx, asked: ListAlerts) -> Sequence[Alert]:
        """A cursor that is gone begins anew."""
        values: dict[str, object] = {f"of_{name}": getattr(asked, name) for name in _FILTERS}
        last = await self.get(tx, asked.cursor) if asked.cursor else None
        values["before_ms"] = last.detected_at_ms if last else None
        values["before_id"] = last.id if last else ""
        rows = (await tx.run(_PAGE, {**values, "limit": asked.limit + 1})).all()
        return [_alert(row) for row in rows]

    async def acts(self, tx: Tx, alert_id: str) -> Sequence[Act]:
        rows = (await tx.run(_ACTS, {"of_alert": alert_id})).all()
        return [
            Act(
                row["alert_id"],
                row["version"],
                row["at"],
                row["action"],
                row["actor"],
                row["reason"],
                row["note"],
            )
            for row in rows
        ]

    async def add_act(self, tx: Tx, act: Act) -> None:
        row = {
            "alert_id": act.alert_id,
            "version": act.version,
            "at": act.at_ms,
            "action": act.action,
            "actor": act.actor,
            "reason": act.reason,
            "note": act.note,
        }
        await tx.run(_ADD_ACT, row)


def _alert(row: Row) -> Alert:
    return Alert(
        id=row["alert_id"],
        rule=row["rule"],
        severity=row["severity"],
        order_id=row["order_id"],
        source=row["source"],
        status=AlertStatus(row["status"]),
        facts_json=row["facts_json"],
        detected_at_ms=row["detected_at"],
        first_seen_ms=row["first_seen"],
        last_seen_ms=row["last_seen"],
        count=row["count"],
        resolved_at_ms=row["resolved_at"],
        resolved_by=row["resolved_by"],
        assignee=row["assignee"],
        note=row["note"],
        version=row["version"],
        change=row["change_no"],
    )
