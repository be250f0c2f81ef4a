"""Chance as a port, so that a seed replays a story."""

from __future__ import annotations

import random
import secrets
from typing import Protocol


class Chance(Protocol):
    def random(self) -> float:
        """A number in [0, 1)."""
        ...

    def uniform(self, low: float, high: float) -> float: ...

    def token_bytes(self, length: int) -> bytes: ...


class SystemChance:
    """The operating system's generator: fit for session ids and tokens."""

    def __init__(self) -> None:
        self._random = random.SystemRandom()

    def random(self) -> float:
        return self._random.random()

    def uniform(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)

    def token_bytes(self, length: int) -> bytes:
        return secrets.token_bytes(length)


class SeededChance:
    """The same seed gives the same stream. For tests and simulators, never for secrets."""

    def __init__(self, seed: int | str) -> None:
        self._random = random.Random(seed)  # noqa: S311 - reproducible by design

    def random(self) -> float:
        return self._random.random()

    def uniform(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)

    def token_bytes(self, length: int) -> bytes:
        return self._random.randbytes(length)
