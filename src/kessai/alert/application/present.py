"""Alerts as others see them."""

from __future__ import annotations

from kessai.alert.application.evidence import is_order_id
from kessai.alert.application.ports import Act
from kessai.alert.domain.alert import Alert
from kessai.alert.domain.rules import BY_ID
from kessai.contracts.alert import AlertAct, AlertRow
from kessai.kernel.clock import wire


def alert_row(alert: Alert) -> AlertRow:
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
        remedies=rule.remedies if rule and is_order_id(alert.order_id) else (),
        change=alert.change,
    )


def act_row(act: Act) -> AlertAct:
    return AlertAct(
        at=wire(act.at_ms), action=act.action, actor=act.actor, reason=act.reason, note=act.note
    )
