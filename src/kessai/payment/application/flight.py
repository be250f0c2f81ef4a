"""One call at a time per key: who comes meanwhile waits for the same end, whoever gave up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from kessai.kernel.errors import KessaiError
from kessai.payment.application.ports import Background

T = TypeVar("T")


class SingleFlight(Generic[T]):
    def __init__(self, background: Background, name: str) -> None:
        self._background = background
        self._name = name
        self._running: dict[str, asyncio.Task[T | KessaiError]] = {}

    def is_running(self, key: str) -> bool:
        return key in self._running

    async def run(self, key: str, once: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What the running or a new `once` ends in; a caller's own end does not end it."""
        task = self._running.get(key)
        if task is None:
            task = self._background.spawn(self._name, _outcome(once()))
            self._running[key] = task
            task.add_done_callback(lambda _: self._running.pop(key, None))
        outcome: T | KessaiError = await asyncio.shield(task)
        if isinstance(outcome, KessaiError):
            raise outcome
        return outcome


async def _outcome(once: Coroutine[Any, Any, T]) -> T | KessaiError:
    """Refused and Unknown are answers here, not failures of the task."""
    try:
        return await once
    except KessaiError as error:
        return error
