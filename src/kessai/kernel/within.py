"""A time limit for a block that nearly always ends long before it."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any


class within:
    """Raises `TimeoutError` where the time is up, as `asyncio.timeout`, for a third less:
    it cannot be rescheduled, and entering and leaving it awaits nothing."""

    __slots__ = ("_cancelling", "_is_over", "_limit_s", "_task", "_timer")

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._is_over = False

    def __enter__(self) -> None:
        task: asyncio.Task[Any] | None = asyncio.current_task()
        if task is None:
            raise RuntimeError("only a task has a time limit")
        self._task = task
        self._cancelling = task.cancelling()
        self._timer = task.get_loop().call_later(self._limit_s, self._end)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        if not self._is_over:
            return
        # Somebody else may have cancelled the task, too: that is not ours to take back.
        if self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def _end(self) -> None:
        self._is_over = True
        self._task.cancel()
