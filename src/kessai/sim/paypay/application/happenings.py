"""What happened lately, for people who watch; the book is what counts."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from kessai.kernel.clock import Clock

KEPT: Final = 2000


@dataclass(frozen=True, slots=True)
class Happening:
    """`kind` is a dotted name such as `webhook.dropped`."""

    sequence: int
    at_ms: int
    kind: str
    merchant_payment_id: str
    detail: str


class Happenings:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: deque[Happening] = deque(maxlen=KEPT)
        self._last = 0

    def tell(self, kind: str, merchant_payment_id: str, detail: str = "") -> None:
        self._last += 1
        now_ms = self._clock.now_ms()
        self._kept.append(Happening(self._last, now_ms, kind, merchant_payment_id, detail))

    def after(self, sequence: int, limit: int) -> list[Happening]:
        """The newest `limit` of those after `sequence`, oldest first."""
        newer = [happening for happening in self._kept if happening.sequence > sequence]
        return newer[-limit:]

    def clear(self) -> None:
        """Sequences go on, so that a watcher notices nothing but the gap."""
        self._kept.clear()
