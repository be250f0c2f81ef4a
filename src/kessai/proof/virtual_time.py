"""An event loop whose clock jumps to the next timer, so that an hour of a story takes no time."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Mapping
from contextvars import Context
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 15, 3, 0, tzinfo=UTC)


class Stuck(RuntimeError):
    """Every task waits and no timer is set: the story would never go on."""


class _JumpingSelector(selectors.BaseSelector):
    """Where the loop would sleep, time passes at once. No real socket is ever ready."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.intruder = ""
        self._files: dict[object, selectors.SelectorKey] = {}

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Stuck("every task waits and no timer is set")
        if self.intruder:
            raise RuntimeError(f"a thread reached the virtual loop: {self.intruder}")
        self.now_s += max(0.0, timeout)
        return []

    def register(self, fileobj: object, events: int, data: object = None) -> selectors.SelectorKey:
        # The loop registers its own wake-up pipe; nothing else may come here.
        key = selectors.SelectorKey(fileobj, 0, events, data)  # type: ignore[arg-type]
        self._files[fileobj] = key
        return key

    def unregister(self, fileobj: object) -> selectors.SelectorKey:
        return self._files.pop(fileobj)

    def get_map(self) -> Mapping[object, selectors.SelectorKey]:  # type: ignore[override]
        return self._files


class VirtualLoop(asyncio.SelectorEventLoop):
    """`asyncio.sleep`, timeouts and timers run on virtual seconds; sockets and threads do not."""

    def __init__(self) -> None:
        self._virtual = _JumpingSelector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now_s

    def run_in_executor(self, *call: object) -> None:  # type: ignore[override]
        raise RuntimeError(f"a thread reached the virtual loop: {call}")

    def call_soon_threadsafe(
        self, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> asyncio.Handle:
        """While a thread works, any amount of virtual time may pass: no seed would replay that."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            self._virtual.intruder = repr(callback)
        return super().call_soon_threadsafe(callback, *args, context=context)


class VirtualClock:
    """The injected clock of a story: it shows the loop's virtual time, from a fixed start."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.monotonic())

    def now_ms(self) -> int:
        return (self.now() - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()
