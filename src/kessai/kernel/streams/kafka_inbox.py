"""What was fetched of one partition and waits for its turn in the order of time."""

from __future__ import annotations

from collections.abc import Sequence

from kessai.kernel.bus import Record
from kessai.kernel.streams.shard import in_time

# Above the first a topic is paused, below the second it goes on.
FULL, LOW = 4_000, 1_000


class Inbox:
    """`at_end`: topics of which nothing more is known to be there."""

    def __init__(self, topics: Sequence[str]) -> None:
        self._waiting: dict[str, list[Record]] = {topic: [] for topic in topics}
        self.at_end: dict[str, bool] = dict.fromkeys(topics, False)
        self.end: dict[str, int] = dict.fromkeys(topics, 0)
        self.paused: dict[str, bool] = dict.fromkeys(topics, False)

    def add(self, record: Record) -> None:
        self._waiting[record.topic].append(record)
        self.at_end[record.topic] = False

    def ended(self, topic: str, offset: int) -> None:
        """`offset`: of what comes next; marks of transactions may lie behind the last record."""
        self.at_end[topic] = True
        self.end[topic] = offset

    def has_more(self, topic: str, end: int) -> bool:
        """Whether the broker has records, its `end` being there, that are not here yet."""
        if end <= self.end[topic]:
            return False
        self.at_end[topic] = False
        return True

    @property
    def is_at_end(self) -> bool:
        return all(self.at_end.values()) and not any(self._waiting.values())

    def count(self, topic: str) -> int:
        return len(self._waiting[topic])

    def take(self) -> tuple[list[Record], int | None]:
        """What may be handled now, and up to when timers may ring (None: up to now).

        While a topic has more and none of it is here, nothing is known to be next.
        """
        more = {topic: not at_end for topic, at_end in self.at_end.items()}
        if any(more[topic] and not records for topic, records in self._waiting.items()):
            return [], 0
        records, until_ms = in_time(self._waiting, more)
        taken = dict.fromkeys(self._waiting, 0)
        for record in records:
            taken[record.topic] += 1
        for topic, count in taken.items():
            del self._waiting[topic][:count]
        return records, until_ms
