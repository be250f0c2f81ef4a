"""Payment events and signals on their way out: rows of the outbox, keyed by their order."""

from __future__ import annotations

from kessai.contracts.events import PaymentEvent, Signal, write_event
from kessai.kernel.db import Tx
from kessai.kernel.outbox import Outbox
from kessai.kernel.telemetry import outgoing_headers


class OutboxEvents:
    def __init__(self, outbox: Outbox, *, payments_topic: str, signals_topic: str) -> None:
        self._outbox = outbox
        self._payments_topic = payments_topic
        self._signals_topic = signals_topic

    async def tell(self, tx: Tx, event: PaymentEvent) -> None:
        await self._outbox.add(
            tx,
            self._payments_topic,
            event.order_id,
            write_event(event),
            event_id=event.event_id,
            headers=outgoing_headers(),
        )

    async def signal(self, tx: Tx, signal: Signal) -> None:
        await self._outbox.add(
            tx,
            self._signals_topic,
            signal.order_id or signal.source,
            write_event(signal),
            event_id=signal.event_id,
            headers=outgoing_headers(),
        )
