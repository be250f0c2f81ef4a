"""An alert as people handle it: who has it, what was done, and why."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kessai.contracts.alert import AlertStatus, Severity
from kessai.kernel.errors import Refused

SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Alert:
    """`change` is the table's word, in the order of the commits of all alerts."""

    id: str
    rule: str
    severity: Severity
    order_id: str | None
    source: str | None
    status: AlertStatus
    facts_json: str
    detected_at_ms: int
    first_seen_ms: int
    last_seen_ms: int
    count: int = 1
    resolved_at_ms: int | None = None
    resolved_by: str | None = None
    assignee: str | None = None
    note: str | None = None
    version: int = 1
    change: int = 0


def acknowledged(alert: Alert, actor: str) -> Alert:
    """Whoever takes it has it, unless somebody has it already. A repeat changes nothing."""
    if alert.status is AlertStatus.RESOLVED:
        raise Refused("ILLEGAL_STATE", "the alert is resolved")
    if alert.status is AlertStatus.ACKNOWLEDGED:
        return alert
    return _next(replace(alert, status=AlertStatus.ACKNOWLEDGED, assignee=alert.assignee or actor))


def assigned(alert: Alert, assignee: str | None) -> Alert:
    if alert.status is AlertStatus.RESOLVED:
        raise Refused("ILLEGAL_STATE", "the alert is resolved")
    return alert if alert.assignee == assignee else _next(replace(alert, assignee=assignee))


def noted(alert: Alert, note: str) -> Alert:
    return alert if alert.note == note else _next(replace(alert, note=note))


def resolved(alert: Alert, by: str, at_ms: int) -> Alert:
    """Once: whoever comes second changes nothing."""
    if alert.status is AlertStatus.RESOLVED:
        return alert
    return _next(replace(alert, status=AlertStatus.RESOLVED, resolved_by=by, resolved_at_ms=at_ms))


def seen_again(alert: Alert, facts_json: str, count: int, at_ms: int) -> Alert:
    """More evidence of the same alert; a repeat of the same event changes nothing."""
    if at_ms <= alert.last_seen_ms and count <= alert.count:
        return alert
    return _next(
        replace(
            alert,
            facts_json=facts_json,
            count=max(count, alert.count),
            last_seen_ms=max(at_ms, alert.last_seen_ms),
        )
    )


def _next(alert: Alert) -> Alert:
    return replace(alert, version=alert.version + 1)
