"""Where each partition ends, and who in this process waits for it to grow."""

from __future__ import annotations

import asyncio

from kessai.kernel.local_bus.log import Heads, Place


class Tails:
    def __init__(self) -> None:
        self._heads: dict[Place, int] = {}
        self._waiting: dict[Place, list[asyncio.Event]] = {}

    def head(self, place: Place) -> int:
        return self._heads.get(place, 0)

    def advance(self, heads: Heads) -> None:
        for place, head in heads.items():
            if head > self._heads.get(place, 0):
                self._heads[place] = head
                for wake in self._waiting.get(place, ()):
                    wake.set()

    def listen(self, place: Place, wake: asyncio.Event) -> None:
        self._waiting.setdefault(place, []).append(wake)

    def unlisten(self, place: Place, wake: asyncio.Event) -> None:
        self._waiting[place].remove(wake)
