"""What others may know of alerts: their events, their ids, and what alert-service offers."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal, Protocol, TypeAlias

from pydantic import Discriminator, Field, JsonValue, TypeAdapter

from kessai.contracts.order import Remedy, RemedyStep
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


class AlertStatus(StrEnum):
    NEW = "NEW"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    RESOLVED = "RESOLVED"


MAX_PAGE: Final = 200


class ListAlerts(Wire):
    """Newest first; `cursor` is the last alert's id of the page before."""

    status: AlertStatus | None = None
    rule: str | None = Field(default=None, max_length=10)
    severity: Severity | None = None
    order_id: str | None = Field(default=None, max_length=64)
    assignee: str | None = Field(default=None, max_length=64)
    cursor: str | None = Field(default=None, max_length=26)
    limit: int = Field(default=50, ge=1, le=MAX_PAGE)


class AlertById(Wire):
    alert_id: str = Field(max_length=26)


class AlertRow(Wire):
    """`count`: distinct pieces of evidence, never deliveries. `remedies` fit the alert's rule.

    `change` grows with every change of any alert, in the order of the commits.
    """

    alert_id: str
    rule: str
    severity: Severity
    order_id: str | None
    source: str | None
    status: AlertStatus
    sentence: str
    remedy: str
    detected_at: str
    resolved_at: str | None
    resolved_by: str | None
    assignee: str | None
    note: str | None
    count: int
    first_seen: str
    last_seen: str
    version: int
    remedies: tuple[Remedy, ...] = ()
    change: int = 0


class AlertPage(Wire):
    """`change`: what `AlertChanges` goes on after, so that nothing is missed in between."""

    alerts: tuple[AlertRow, ...]
    cursor: str | None = None
    change: int = 0


class ChangesAfter(Wire):
    """Without `after`: none, only how far they go."""

    after: int | None = Field(default=None, ge=0)
    limit: int = Field(default=100, ge=1, le=MAX_PAGE)


class AlertChanges(Wire):
    """Alerts as they are now, by their last change; each once, however often it changed.

    `change`: how far this page goes. As many as were asked for: there may be more.
    """

    alerts: tuple[AlertRow, ...]
    change: int


class AlertAct(Wire):
    """Something that a person or the system did with an alert."""

    at: str
    action: str
    actor: str
    reason: str
    note: str | None = None


class EvidenceSide(Wire):
    """What one service says now. `code` tells why it said nothing: unknown is not failed."""

    source: str
    asked_at: str
    answered: bool
    code: str | None = None
    content: dict[str, JsonValue] | None = None


class AlertEvidence(Wire):
    """Order, payment and stock side by side; None for an alert about a source."""

    order: EvidenceSide | None = None
    payment: EvidenceSide | None = None
    stock: EvidenceSide | None = None


class AlertDetail(Wire):
    alert: AlertRow
    facts: dict[str, JsonValue]
    history: tuple[AlertAct, ...]
    evidence: AlertEvidence = AlertEvidence()


class ActOnAlert(Wire):
    """`version` as it was seen: who acts on an older view is refused (VERSION_CONFLICT)."""

    alert_id: str = Field(max_length=26)
    version: int
    actor: str = Field(min_length=1, max_length=64)
    reason: str = Field(min_length=1, max_length=500)


class AssignAlert(ActOnAlert):
    assignee: str | None = Field(default=None, max_length=64)


class NoteAlert(ActOnAlert):
    note: str = Field(max_length=2000)


class RemedyAlert(ActOnAlert):
    remedy: Remedy


class RemedyDone(Wire):
    """Without any step there was nothing to do. The alert resolves itself when the facts come."""

    alert: AlertRow
    remedy: Remedy
    order_status: str | None = None
    steps: tuple[RemedyStep, ...] = ()


class AlertService(Protocol):
    async def list_alerts(self, command: ListAlerts) -> AlertPage: ...

    async def get_alert(self, command: AlertById) -> AlertDetail:
        """Asks the services for their evidence; who does not answer is shown as such."""
        ...

    async def list_changes(self, command: ChangesAfter) -> AlertChanges: ...

    async def acknowledge_alert(self, command: ActOnAlert) -> AlertRow:
        """NEW becomes ACKNOWLEDGED; a repeat by the same person changes nothing."""
        ...

    async def assign_alert(self, command: AssignAlert) -> AlertRow: ...

    async def note_alert(self, command: NoteAlert) -> AlertRow: ...

    async def resolve_alert(self, command: ActOnAlert) -> AlertRow:
        """By a person, who says why; the system resolves by itself when the fact comes."""
        ...

    async def remedy_alert(self, command: RemedyAlert) -> RemedyDone:
        """Safe to repeat. Refused REMEDY_DOES_NOT_FIT for one that is none of the rule's.

        Raises `Unknown` when a service does not answer: ask again.
        """
        ...
