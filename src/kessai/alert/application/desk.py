"""People at work on alerts: each change with its reason, on the version that they have seen."""

from __future__ import annotations

import json
from collections.abc import Callable

from kessai.alert.application.ports import Act, Alerts
from kessai.alert.domain.alert import Alert, acknowledged, assigned, noted, resolved
from kessai.alert.domain.rules import BY_ID
from kessai.contracts.alert import (
    ActOnAlert,
    AlertAct,
    AlertById,
    AlertDetail,
    AlertPage,
    AlertRow,
    AssignAlert,
    ListAlerts,
    NoteAlert,
)
from kessai.kernel.clock import Clock, wire
from kessai.kernel.db import Db
from kessai.kernel.errors import NotFound, VersionConflict


class AlertDesk:
    """Implements `AlertService`."""

    def __init__(
        self, db: Db, clock: Clock, alerts: Alerts, on_news: Callable[[Alert], None]
    ) -> None:
        self._db = db
        self._clock = clock
        self._alerts = alerts
        self._on_news = on_news

    async def list_alerts(self, command: ListAlerts) -> AlertPage:
        async with self._db.read() as tx:
            found = await self._alerts.page(tx, command)
        page = found[: command.limit]
        cursor = page[-1].id if len(found) > command.limit else None
        return AlertPage(alerts=tuple(map(_row, page)), cursor=cursor)

    async def get_alert(self, command: AlertById) -> AlertDetail:
        async with self._db.read() as tx:
            alert = await self._alerts.get(tx, command.alert_id)
            if alert is None:
                raise NotFound(f"no alert {command.alert_id}")
            acts = await self._alerts.acts(tx, alert.id)
        history = tuple(
            AlertAct(at=wire(a.at_ms), action=a.action, actor=a.actor, reason=a.reason, note=a.note)
            for a in acts
        )
        return AlertDetail(alert=_row(alert), facts=json.loads(alert.facts_json), history=history)

    async def acknowledge_alert(self, command: ActOnAlert) -> AlertRow:
        return await self._act(
            command, "ACKNOWLEDGED", lambda alert: acknowledged(alert, command.actor)
        )

    async def assign_alert(self, command: AssignAlert) -> AlertRow:
        return await self._act(
            command, "ASSIGNED", lambda alert: assigned(alert, command.assignee), command.assignee
        )

    async def note_alert(self, command: NoteAlert) -> AlertRow:
        return await self._act(
            command, "NOTED", lambda alert: noted(alert, command.note), command.note
        )

    async def resolve_alert(self, command: ActOnAlert) -> AlertRow:
        now_ms = self._clock.now_ms()
        return await self._act(
            command, "RESOLVED", lambda alert: resolved(alert, command.actor, now_ms)
        )

    async def _act(
        self,
        command: ActOnAlert,
        action: str,
        change: Callable[[Alert], Alert],
        note: str | None = None,
    ) -> AlertRow:
        """Who repeats what is done already gets the row as it is, whatever version they saw."""
        async with self._db.transaction() as tx:
            before = await self._alerts.lock(tx, command.alert_id)
            if before is None:
                raise NotFound(f"no alert {command.alert_id}")
            after = change(before)
            if after is before:
                return _row(before)
            if before.version != command.version:
                raise VersionConflict(f"the alert is at version {before.version}")
            await self._alerts.save(tx, before, after)
            at_ms = self._clock.now_ms()
            act = Act(after.id, after.version, at_ms, action, command.actor, command.reason, note)
            await self._alerts.add_act(tx, act)
            tx.after_commit(lambda: self._on_news(after))
        return _row(after)


def _row(alert: Alert) -> AlertRow:
    rule = BY_ID.get(alert.rule)
    return AlertRow(
        alert_id=alert.id,
        rule=alert.rule,
        severity=alert.severity,
        order_id=alert.order_id,
        source=alert.source,
        status=alert.status,
        sentence=rule.sentence if rule else "",
        remedy=rule.remedy if rule else "",
        detected_at=wire(alert.detected_at_ms),
        resolved_at=wire(alert.resolved_at_ms) if alert.resolved_at_ms is not None else None,
        resolved_by=alert.resolved_by,
        assignee=alert.assignee,
        note=alert.note,
        count=alert.count,
        first_seen=wire(alert.first_seen_ms),
        last_seen=wire(alert.last_seen_ms),
        version=alert.version,
    )
