"""What was fetched of one partition and waits for its turn in the order of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from confluent_kafka import Message as KafkaMessage

from kessai.kernel.streams.shard import Fetched, count_until, up_to

# Above the first a topic is paused, below the second it goes on.
FULL, LOW = 4_000, 1_000


@dataclass(slots=True)
class _Lane:
    topic: str
    waiting: list[Fetched] = field(default_factory=list)
    turn_ms: int = 0


class Inbox:
    """`at_end`: topics of which nothing more is known to be there."""

    def __init__(self, topics: Sequence[str]) -> None:
        self._lanes = {topic: _Lane(topic) for topic in topics}
        self.at_end: dict[str, bool] = dict.fromkeys(topics, False)
        self.end: dict[str, int] = dict.fromkeys(topics, 0)
        self.paused: dict[str, bool] = dict.fromkeys(topics, False)

    def add(self, message: KafkaMessage) -> None:
        topic = message.topic()
        lane = self._lanes[topic]  # type: ignore[index]
        at_ms = message.timestamp()[1]
        if at_ms > lane.turn_ms:
            lane.turn_ms = at_ms
        # The client answers with bytes, or with None for a message without a value.
        lane.waiting.append(
            (lane.turn_ms, at_ms, message.offset(), lane.topic, message.value() or b"", message)  # type: ignore[arg-type]
        )
        self.at_end[lane.topic] = False

    def ended(self, topic: str, offset: int) -> None:
        """`offset`: of what comes next; marks of transactions may lie behind the last record."""
        self.at_end[topic] = True
        self.end[topic] = offset

    def ends_at(self, topic: str, end: int) -> None:
        """By the broker, of whose records some may not be here yet."""
        if end > self.end[topic]:
            self.at_end[topic] = False

    @property
    def known_until_ms(self) -> int | None:
        """Whatever is not here yet is no earlier; None: nothing is known to come."""
        return min(
            (lane.turn_ms for topic, lane in self._lanes.items() if not self.at_end[topic]),
            default=None,
        )

    @property
    def is_at_end(self) -> bool:
        return all(self.at_end.values()) and not any(lane.waiting for lane in self._lanes.values())

    def count(self, topic: str) -> int:
        return len(self._lanes[topic].waiting)

    def take(self) -> tuple[list[Fetched], int | None]:
        """What may be handled now, and up to when timers may ring (None: up to now)."""
        until_ms = self.known_until_ms
        lanes = [lane.waiting for lane in self._lanes.values()]
        records = up_to(lanes, until_ms)
        for waiting in lanes:
            if until_ms is None:
                waiting.clear()
            else:
                del waiting[: count_until(waiting, until_ms)]
        return records, until_ms
