"""What a person closed, told to the alerts' topic and to the rules: rows of the outbox."""

from __future__ import annotations

import json

from kessai.alert.domain.alert import Alert
from kessai.contracts.alert import AlertResolved, alert_event_id
from kessai.contracts.events import Signal, write_event
from kessai.contracts.signals import ALERT_CLOSED
from kessai.kernel.clock import wire
from kessai.kernel.db import Tx
from kessai.kernel.ids import content_id
from kessai.kernel.outbox import Outbox

_SOURCE = "alert-service"


class OutboxClosings:
    def __init__(self, outbox: Outbox, *, alerts_topic: str, signals_topic: str) -> None:
        self._outbox = outbox
        self._alerts_topic = alerts_topic
        self._signals_topic = signals_topic

    async def tell(self, tx: Tx, alert: Alert) -> None:
        key = alert.order_id or alert.source or _SOURCE
        ended = _ended(alert)
        value = ended.model_dump_json(by_alias=True).encode()
        await self._outbox.add(tx, self._alerts_topic, key, value, event_id=ended.event_id)
        signal = Signal(
            event_id=content_id("signal", ALERT_CLOSED, alert.id),
            occurred_at=ended.occurred_at,
            signal=ALERT_CLOSED,
            source=alert.source or _SOURCE,
            order_id=alert.order_id,
            facts={"subject": alert.id, "by": alert.resolved_by},
        )
        await self._outbox.add(
            tx, self._signals_topic, key, write_event(signal), event_id=signal.event_id
        )


def _ended(alert: Alert) -> AlertResolved:
    at = wire(alert.resolved_at_ms or 0)
    return AlertResolved(
        event_id=alert_event_id(alert.id, "AlertResolved"),
        occurred_at=at,
        alert_id=alert.id,
        rule=alert.rule,
        severity=alert.severity,
        order_id=alert.order_id,
        source=alert.source,
        detected_at=wire(alert.detected_at_ms),
        facts=json.loads(alert.facts_json),
        resolved_at=at,
        resolved_by=alert.resolved_by or "",
    )
