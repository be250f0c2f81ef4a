"""The timers of the near future in memory, so that no event has to search the disk for them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
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
        # Most timers are set in the order in which they are due, and stand in line; a heap has
        # the others.
        self._line: deque[Timer] = deque()
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
            line, timer = self._line, (at_ms, key)
            if not line or timer >= line[-1]:
                line.append(timer)
            else:
                heappush(self._near, timer)
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
        while True:
            found = self._first(wake_of)
            if found is not None and found[0] <= until_ms:
                self._take()
                self._note_first()
                return found
            if until_ms < self._known_until_ms:
                self._note_first()
                return None
            self._look_ahead(until_ms)

    def is_due(self, until_ms: int, wake_of: WakeOf) -> bool:
        """Whether `pop` may have one; cheaper than to ask it, where most were put off since."""
        self._first(wake_of)
        self._note_first()
        return self.first_ms <= until_ms

    def next_ms(self, wake_of: WakeOf) -> int | None:
        found = self._first(wake_of)
        self._note_first()
        if found is not None:
            return found[0]
        far_ms = self._find_far()
        return None if far_ms == _FAR else far_ms

    def _first(self, wake_of: WakeOf) -> Timer | None:
        """The earliest of the near ones. All before it that were put off go at once, also those
        that are not due yet: then nothing is due, and nobody asks, until it is this one's turn."""
        line, near = self._line, self._near
        while line and wake_of(line[0][1]) != line[0][0]:
            line.popleft()
        while near and wake_of(near[0][1]) != near[0][0]:
            heappop(near)
        if line and near:
            return min(line[0], near[0])
        return line[0] if line else near[0] if near else None

    def _take(self) -> None:
        """What `_first` found."""
        line, near = self._line, self._near
        if line and not (near and near[0] < line[0]):
            line.popleft()
        else:
            heappop(near)

    def _note_first(self) -> None:
        line, near = self._line, self._near
        if line:
            self.first_ms = line[0][0]
            if near and near[0][0] < self.first_ms:
                self.first_ms = near[0][0]
        elif near:
            self.first_ms = near[0][0]
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
        found: list[Timer] = []
        for at_ms, key in self._kept(low_ms, high_ms):
            if len(found) >= _MOST and at_ms > found[-1][0]:
                high_ms = at_ms
                break
            found.append((at_ms, key))
        found += self._fresh_within(low_ms, high_ms)
        found.sort()
        self._line.extend(found)
        self._known_until_ms = high_ms
        self._far_ms = None
        self._note_first()

    def _fresh_within(self, low_ms: int, high_ms: int) -> Iterator[Timer]:
        for number, bucket in self._fresh.items():
            if low_ms // _BUCKET_MS <= number <= high_ms // _BUCKET_MS:
                yield from (one for one in bucket if low_ms <= one[0] < high_ms)
