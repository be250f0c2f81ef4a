"""Ids: time-ordered for new things, from content where a repeat must be recognised."""

from __future__ import annotations

import hashlib
from typing import Protocol

from kessai.kernel.chance import Chance
from kessai.kernel.clock import Clock

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_PAIRS = tuple(high + low for high in _DIGITS for low in _DIGITS)
ID_LENGTH = 26
_TIME_LENGTH = 9  # 36**9 milliseconds last until the year 5188
_CHANCE_LENGTH = ID_LENGTH - _TIME_LENGTH  # 17 digits are 87 bits


class Ids(Protocol):
    def new(self) -> str:
        """26 characters `[0-9a-z]`, ordered by time; two of one millisecond may swap."""
        ...


class RandomIds:
    """Milliseconds first, then 87 bits of chance: near in time is near in the index."""

    def __init__(self, clock: Clock, chance: Chance) -> None:
        self._clock = clock
        self._chance = chance

    def new(self) -> str:
        chance = int.from_bytes(self._chance.token_bytes(11), "big")
        return _base36(self._clock.now_ms(), _TIME_LENGTH) + _base36(chance, _CHANCE_LENGTH)


def content_id(*parts: str) -> str:
    """An id made of what it names: same parts, same id, so a repeat is one row.

    Parts are joined by the unit separator, so ("a", "bc") and ("ab", "c") differ.
    """
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    return _base36(int.from_bytes(digest[:17], "big"), ID_LENGTH)


def _base36(value: int, length: int) -> str:
    """The last `length` base-36 digits, most significant first; two of them at a time."""
    pairs = []
    for _ in range((length + 1) // 2):
        value, rest = divmod(value, 1296)
        pairs.append(_PAIRS[rest])
    return "".join(reversed(pairs))[-length:]
