"""The instances that this process drives: their tasks, and who waits for their ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine
from contextvars import Context
from typing import Any

from kessai.kernel.telemetry import get_log
from kessai.saga.outcome import Outcome

_CANCELS = 5
_log = get_log("kessai.saga")


async def end_all(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancels until they end: one cancelling may be lost on the way.

    Python 3.11's `wait_for`, under which drivers connect, keeps it for itself when the connection
    comes at the same moment; and a service may think that it knows better.
    """
    for _ in range(_CANCELS):
        if not tasks:
            return
        for task in tasks:
            task.cancel()
        ended, tasks = await asyncio.wait(tasks, timeout=1)
        for task in ended:
            if not task.cancelled():
                task.exception()  # looked at, or the loop complains
    for task in tasks:
        _log.error("saga.task_does_not_end", task=task.get_name())


class Tasks:
    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._waiting: dict[str, list[asyncio.Future[Outcome | None]]] = {}
        self.closed = False

    def __contains__(self, instance_id: str) -> bool:
        return instance_id in self._tasks

    def __len__(self) -> int:
        return len(self._tasks)

    def launch(
        self,
        instance_id: str,
        name: str,
        drive: Callable[[], Awaitable[Outcome | None]],
        context: Context,
    ) -> None:
        if self.closed:
            return
        work: Coroutine[None, None, None] = self._run(instance_id, drive)
        loop = asyncio.get_running_loop()
        self._tasks[instance_id] = loop.create_task(work, name=name, context=context)

    async def _run(self, instance_id: str, drive: Callable[[], Awaitable[Outcome | None]]) -> None:
        outcome: Outcome | None = None
        try:
            outcome = await drive()
        finally:
            if self._tasks.get(instance_id) is asyncio.current_task():
                del self._tasks[instance_id]
            self._wake(instance_id, outcome)

    async def next_outcome(self, instance_id: str, timeout_s: float | None) -> Outcome | None:
        """None when the time is up or the task ended without an outcome."""
        future: asyncio.Future[Outcome | None] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(instance_id, [])
        waiting.append(future)
        try:
            async with asyncio.timeout(timeout_s):
                return await future
        except TimeoutError:
            return None
        finally:
            if future in waiting:
                waiting.remove(future)
            if not waiting and self._waiting.get(instance_id) is waiting:
                del self._waiting[instance_id]

    async def close(self) -> None:
        self.closed = True
        await end_all(list(self._tasks.values()))
        for instance_id in list(self._waiting):
            self._wake(instance_id, None)

    def _wake(self, instance_id: str, outcome: Outcome | None) -> None:
        for future in self._waiting.pop(instance_id, ()):
            if not future.done():
                future.set_result(outcome)
