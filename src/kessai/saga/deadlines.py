"""Ends calls that take too long, with one timer for all of them.

`asyncio.timeout` makes, schedules and cancels a timer for each call, which costs as much as a whole
decision of the interpreter; most calls end long before.
"""

from __future__ import annotations

import asyncio


class Deadlines:
    """One call a task at a time. A task that is over its time is cancelled and marked."""

    def __init__(self) -> None:
        self._due: dict[asyncio.Task[object], float] = {}
        self._expired: dict[asyncio.Task[object], None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, task: asyncio.Task[object], timeout_s: float) -> None:
        loop = task.get_loop()
        due = loop.time() + timeout_s
        self._due[task] = due
        timer = self._timer
        if timer is None or timer.when() > due:
            if timer is not None:
                timer.cancel()
            self._timer = loop.call_at(due, self._look, loop)

    def end(self, task: asyncio.Task[object]) -> bool:
        """True when the time was up; the task's cancellation is then taken back."""
        self._due.pop(task, None)
        if task not in self._expired:
            return False
        del self._expired[task]
        task.uncancel()
        return True

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        for task in [task for task, due in self._due.items() if due <= now]:
            del self._due[task]
            self._expired[task] = None
            task.cancel()
        if self._due:
            self._timer = loop.call_at(min(self._due.values()), self._look, loop)
