"""People at work on alerts: each change with its reason, on the version that they have seen."""

from __future__ import annotations

import json
from collections.abc import Callable

from kessai.alert.application.evidence import Witnesses
from kessai.alert.application.ports import Act, Alerts, Closings, Tell
from kessai.alert.application.present import act_row, alert_row
from kessai.alert.application.remedies import Remedies
from kessai.alert.domain.alert import Alert, acknowledged, assigned, noted, resolved
from kessai.contracts.alert import (
    ActOnAlert,
    AlertById,
    AlertChanges,
    AlertDetail,
    AlertPage,
    AlertRow,
    AlertStatus,
    AssignAlert,
    ChangesAfter,
    ListAlerts,
    NoteAlert,
    RemedyAlert,
    RemedyDone,
)
from kessai.kernel.clock import Clock
from kessai.kernel.db import Db
from kessai.kernel.errors import NotFound, VersionConflict


class AlertDesk:
    """Implements `AlertService`."""

    def __init__(
        self,
        db: Db,
        clock: Clock,
        alerts: Alerts,
        witnesses: Witnesses,
        remedies: Remedies,
        tell: Tell,
        closings: Closings,
    ) -> None:
        self._db = db
        self._clock = clock
        self._alerts = alerts
        self._witnesses = witnesses
        self._remedies = remedies
        self._tell = tell
        self._closings = closings

    async def list_alerts(self, command: ListAlerts) -> AlertPage:
        async with self._db.read() as tx:
            # Before the page: what changes in between is told by the changes as well.
            change = await self._alerts.last_change(tx)
            found = await self._alerts.page(tx, command)
        page = found[: command.limit]
        cursor = page[-1].id if len(found) > command.limit else None
        return AlertPage(alerts=tuple(map(alert_row, page)), cursor=cursor, change=change)

    async def list_changes(self, command: ChangesAfter) -> AlertChanges:
        async with self._db.read() as tx:
            if command.after is None:
                return AlertChanges(alerts=(), change=await self._alerts.last_change(tx))
            found = await self._alerts.changed(tx, command.after, command.limit)
        change = found[-1].change if found else command.after
        return AlertChanges(alerts=tuple(map(alert_row, found)), change=change)

    async def get_alert(self, command: AlertById) -> AlertDetail:
        async with self._db.read() as tx:
            alert = await self._alerts.get(tx, command.alert_id)
            if alert is None:
                raise NotFound(f"no alert {command.alert_id}")
            acts = await self._alerts.acts(tx, alert.id)
        return AlertDetail(
            alert=alert_row(alert),
            facts=json.loads(alert.facts_json),
            history=tuple(map(act_row, acts)),
            evidence=await self._witnesses.ask(alert.order_id),
        )

    async def remedy_alert(self, command: RemedyAlert) -> RemedyDone:
        return await self._remedies.apply(command)

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
                return alert_row(before)
            if before.version != command.version:
                raise VersionConflict(f"the alert is at version {before.version}")
            after = await self._alerts.save(tx, before, after)
            at_ms = self._clock.now_ms()
            act = Act(after.id, after.version, at_ms, action, command.actor, command.reason, note)
            await self._alerts.add_act(tx, act)
            if after.status is AlertStatus.RESOLVED and before.status is not after.status:
                await self._tell(tx, after, "resolved")
                await self._closings.tell(tx, after)
        return alert_row(after)
