"""What a service tells of itself: signals whose key is their source, for rules H and I."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import JsonValue

from kessai.contracts.events import Signal, write_event
from kessai.kernel.bus import Message
from kessai.kernel.clock import Clock, wire
from kessai.kernel.ids import content_id
from kessai.kernel.outbox import Lag

OUTBOX_LAG, OUTBOX_DRAINED = "OutboxLag", "OutboxDrained"
# A person closed the alert that is the subject, whatever the facts say.
ALERT_CLOSED = "AlertClosed"
WEBHOOK_SILENCE, WEBHOOKS_HEARD = "WebhookSilence", "WebhooksHeard"


def source_signal(name: str, source: str, subject: str, now_ms: int, **facts: JsonValue) -> Signal:
    """The same fact about the same subject is the same signal."""
    return Signal(
        event_id=content_id("signal", name, source, subject),
        occurred_at=wire(now_ms),
        signal=name,
        source=source,
        facts={"subject": subject, **facts},
    )


def outbox_news(source: str, topic: str, clock: Clock) -> Callable[[bool, str, Lag], Message]:
    """What `kernel.outbox_watch` tells: past the outbox, so as a message and not as a row."""

    def tell(lags: bool, episode: str, lag: Lag) -> Message:
        signal = source_signal(
            OUTBOX_LAG if lags else OUTBOX_DRAINED,
            source,
            episode,
            clock.now_ms(),
            messages=lag.messages,
            oldestAgeS=round(lag.oldest_age_s, 1),
        )
        # Without the header of an event's id: that is for what is in an outbox.
        return Message(topic, source, write_event(signal))

    return tell
