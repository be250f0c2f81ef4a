"""What others may know of alerts: their events and ids."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Discriminator, Field, JsonValue, TypeAdapter

from kessai.contracts.wire import Wire
from kessai.kernel.ids import content_id

Severity: TypeAlias = Literal["P1", "P2"]


class _AlertEvent(Wire):
    """`order_id` is None for an alert about a source, which is then the key."""

    schema_version: int = 1
    event_id: str
    occurred_at: str
    alert_id: str
    rule: str
    severity: Severity
    order_id: str | None
    source: str | None = None
    detected_at: str
    facts: dict[str, JsonValue] = Field(default_factory=dict)


class AlertRaised(_AlertEvent):
    event_type: Literal["AlertRaised"] = "AlertRaised"


class AlertResolved(_AlertEvent):
    """The missing fact came: `resolved_by` is `system`."""

    event_type: Literal["AlertResolved"] = "AlertResolved"
    resolved_at: str
    resolved_by: str = "system"


AlertEvent: TypeAlias = Annotated[AlertRaised | AlertResolved, Discriminator("event_type")]
_ALERT: TypeAdapter[AlertEvent] = TypeAdapter(AlertEvent)


def read_alert_event(value: bytes) -> AlertEvent:
    """Raises `ValueError` for what is no alert."""
    return _ALERT.validate_json(value)


def alert_id(rule: str, key: str, episode: str) -> str:
    """The same violation is the same alert, whoever finds it and however often."""
    return content_id("alert", rule, key, episode)


def alert_event_id(id_: str, event_type: str) -> str:
    return content_id("alert", id_, event_type)
