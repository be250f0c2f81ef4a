"""The timers of the near future in memory, so that no event has to search the disk for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush
from typing import Final, TypeAlias

Timer: TypeAlias = tuple[int, str]
WakeOf: TypeAlias = Callable[[str], int | None]
_NEAR_MS: Final = 60_000
# A million orders may wait for the same minute.
_MOST: Final = 20_000
_BUCKET_MS: Final = 600_000
_FAR: Final = 1 << 62


class Timers:
    """A timer may have been put off or taken back since: `wake_of(key)` says when the key wakes.

    `kept(from_ms, below_ms)` are those on the disk in their order.
    """

    def __init__(self, kept: Callable[[int, int | None], Iterator[Timer]]) -> None:
        self._kept = kept
        self.forget()

    def forget(self) -> None:
        self._near: list[Timer] = []
        self._known_until_ms = 0
        # Those beyond it that are not on the disk yet, roughly by time.
        self._fresh: dict[int, list[Timer]] = {}
        # No timer beyond what is known is earlier; None: it has to be looked up.
        self._far_ms: int | None = None
        # The earliest moment at which `pop` can have anything.
        self.first_ms = 0

    def add(self, at_ms: int, key: str) -> None:
        if at_ms < self._known_until_ms:
            heappush(self._near, (at_ms, key))
            if at_ms < self.first_ms:
                self.first_ms = at_ms
            return
        bucket = self._fresh.get(at_ms // _BUCKET_MS)
        if bucket is None:
            bucket = self._fresh[at_ms // _BUCKET_MS] = []
        bucket.append((at_ms, key))
        if self._far_ms is not None and at_ms < self._far_ms:
            self._far_ms = at_ms
            self._note_first()

    def written(self) -> None:
        """All of them are on the disk."""
        self._fresh.clear()

    def pop(self, until_ms: int, wake_of: WakeOf) -> Timer | None:
        """The earliest at or before `until_ms`."""
        near = self._near
        while True:
            while near and near[0][0] <= until_ms:
                found = heappop(near)
                if wake_of(found[1]) == found[0]:
                    self._note_first()
                    return found
            if until_ms < self._known_until_ms:
                self._note_first()
                return None
            self._look_ahead(until_ms)

    def is_due(self, until_ms: int, wake_of: WakeOf) -> bool:
        """Whether `pop` may have one; cheaper than to ask it, where most were put off since."""
        near = self._near
        while near and near[0][0] <= until_ms:
            if wake_of(near[0][1]) == near[0][0]:
                return True
            heappop(near)
        self._note_first()
        return self.first_ms <= until_ms

    def next_ms(self, wake_of: WakeOf) -> int | None:
        near = self._near
        while near and wake_of(near[0][1]) != near[0][0]:
            heappop(near)
        self._note_first()
        if near:
            return near[0][0]
        far_ms = self._find_far()
        return None if far_ms == _FAR else far_ms

    def _note_first(self) -> None:
        if self._near:
            self.first_ms = self._near[0][0]
        else:
            self.first_ms = max(self._known_until_ms, self._far_ms or 0)

    def _find_far(self) -> int:
        if self._far_ms is None:
            kept = next(self._kept(self._known_until_ms, None), None)
            fresh = min(self._fresh_within(self._known_until_ms, _FAR), default=None)
            self._far_ms = min(kept[0] if kept else _FAR, fresh[0] if fresh else _FAR)
            self._note_first()
        return self._far_ms

    def _look_ahead(self, until_ms: int) -> None:
        """Called where nothing is near any more."""
        low_ms, high_ms = self._known_until_ms, until_ms + _NEAR_MS
        near = self._near
        for at_ms, key in self._kept(low_ms, high_ms):
            if len(near) >= _MOST and at_ms > near[-1][0]:
                high_ms = at_ms
                break
            near.append((at_ms, key))
        near += self._fresh_within(low_ms, high_ms)
        heapify(near)
        self._known_until_ms = high_ms
        self._far_ms = None
        self._note_first()

    def _fresh_within(self, low_ms: int, high_ms: int) -> Iterator[Timer]:
        for number, bucket in self._fresh.items():
            if low_ms // _BUCKET_MS <= number <= high_ms // _BUCKET_MS:
                yield from (one for one in bucket if low_ms <= one[0] < high_ms)
