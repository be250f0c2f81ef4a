"""Throws of a seed, each stream named by what it is for, so that one more throw moves no other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from kessai.kernel.chance import SeededChance

T = TypeVar("T")


class Dice:
    def __init__(self, *names: object) -> None:
        self.unit = SeededChance("/".join(map(str, names))).random

    def below(self, count: int) -> int:
        return int(self.unit() * count)

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * self.unit()

    def hits(self, share: float) -> bool:
        """False without a throw for a share of nothing."""
        return share > 0 and self.unit() < share

    def pick(self, items: Sequence[T]) -> T:
        return items[self.below(len(items))]

    def some(self, items: Sequence[T], count: int) -> list[T]:
        """So many different ones, in the order in which they are listed."""
        places = list(range(len(items)))
        chosen = [places.pop(self.below(len(places))) for _ in range(min(count, len(places)))]
        return [items[place] for place in sorted(chosen)]


class StandingChance:
    """Chance that outlives its service: apps keep it from seed to seed, each life throws anew."""

    def __init__(self) -> None:
        self._now = SeededChance(0)

    def reseed(self, *names: object) -> None:
        self._now = SeededChance("/".join(map(str, names)))

    def random(self) -> float:
        return self._now.random()

    def uniform(self, low: float, high: float) -> float:
        return self._now.uniform(low, high)

    def token_bytes(self, length: int) -> bytes:
        return self._now.token_bytes(length)
