"""What the rules have found, as rows for people: one for each alert, however often it is told."""

from __future__ import annotations

import json

from kessai.alert.application.ports import Act, Alerts, Tell
from kessai.alert.domain.alert import SYSTEM, Alert, resolved, seen_again
from kessai.contracts.alert import AlertRaised, AlertResolved, AlertStatus
from kessai.kernel.clock import parse_wire, to_ms
from kessai.kernel.db import Db, Tx
from kessai.kernel.telemetry import get_log

_log = get_log("kessai.alert")


class AlertBook:
    """Under at-least-once delivery: a repeat changes nothing, and an end without a beginning is
    kept as both."""

    def __init__(self, db: Db, alerts: Alerts, tell: Tell) -> None:
        self._db = db
        self._alerts = alerts
        self._tell_outside = tell

    async def record(self, event: AlertRaised | AlertResolved) -> None:
        async with self._db.transaction() as tx:
            before = await self._alerts.lock(tx, event.alert_id)
            if before is None:
                fresh = _opened(event)
                if not await self._alerts.add(tx, fresh):
                    before = await self._alerts.lock(tx, event.alert_id)
                else:
                    await self._write(tx, fresh, "RAISED")
                    await self._tell_outside(tx, fresh, "raised")
                    tx.after_commit(lambda: _log_change(fresh))
                    before = fresh
            if before is not None:
                await self._go_on(tx, before, event)

    async def _go_on(self, tx: Tx, before: Alert, event: AlertRaised | AlertResolved) -> None:
        if before.status is AlertStatus.RESOLVED and isinstance(event, AlertResolved):
            return
        at_ms = to_ms(parse_wire(event.occurred_at))
        after = seen_again(before, _text(event), _count(event), at_ms)
        if isinstance(event, AlertResolved):
            after = resolved(after, event.resolved_by, to_ms(parse_wire(event.resolved_at)))
        if after == before:
            return
        await self._alerts.save(tx, before, after)
        if after.status is AlertStatus.RESOLVED and before.status is not AlertStatus.RESOLVED:
            await self._write(tx, after, "RESOLVED")
            await self._tell_outside(tx, after, "resolved")
            tx.after_commit(lambda: _log_change(after))

    async def _write(self, tx: Tx, alert: Alert, action: str) -> None:
        at_ms = alert.detected_at_ms if action == "RAISED" else alert.resolved_at_ms or 0
        act = Act(alert.id, alert.version, at_ms, action, SYSTEM, f"rule {alert.rule}")
        await self._alerts.add_act(tx, act)


def _log_change(alert: Alert) -> None:
    _log.warning(
        "alert.changed",
        alert_id=alert.id,
        rule=alert.rule,
        severity=alert.severity,
        order_id=alert.order_id,
        status=alert.status,
    )


def _opened(event: AlertRaised | AlertResolved) -> Alert:
    detected_ms = to_ms(parse_wire(event.detected_at))
    return Alert(
        id=event.alert_id,
        rule=event.rule,
        severity=event.severity,
        order_id=event.order_id,
        source=event.source,
        status=AlertStatus.NEW,
        facts_json=_text(event),
        detected_at_ms=detected_ms,
        first_seen_ms=detected_ms,
        last_seen_ms=detected_ms,
        count=_count(event),
    )


def _text(event: AlertRaised | AlertResolved) -> str:
    return json.dumps(event.facts, ensure_ascii=False, sort_keys=True)


def _count(event: AlertRaised | AlertResolved) -> int:
    """Distinct pieces of evidence: payments for what is paid twice, else one."""
    count = event.facts.get("paymentSuccessCount")
    return count if event.rule == "C" and isinstance(count, int) else 1
