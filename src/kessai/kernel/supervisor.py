"""The background loops of one service: named, restarted when they fail, stopped in bounded time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from kessai.kernel.errors import Unknown
from kessai.kernel.telemetry import get_log, in_service

T = TypeVar("T")
_log: Final = get_log("kessai.supervisor")


@dataclass(frozen=True, slots=True)
class LoopHealth:
    """`failures` are in a row; a loop that ran for `steady_s` starts to count anew."""

    failures: int
    failing: bool
    last_error: str


@dataclass(slots=True)
class _Loop:
    task: asyncio.Task[None]
    failures: int = 0
    started_at: float = 0.0
    running: bool = False
    last_error: str = ""


class Supervisor:
    """Every loop of a service is started here, so that all of them can be seen and stopped.

    Pauses between restarts double from `first_pause_s` to `max_pause_s`. A loop is failing after
    `failing_after` failures in a row, until it has run for `steady_s` without one.
    """

    def __init__(
        self,
        service: str,
        *,
        first_pause_s: float = 0.1,
        max_pause_s: float = 5.0,
        failing_after: int = 3,
        steady_s: float = 10.0,
        stop_timeout_s: float = 5.0,
    ) -> None:
        self.service = service
        self._first_pause_s = first_pause_s
        self._max_pause_s = max_pause_s
        self._failing_after = failing_after
        self._steady_s = steady_s
        self._stop_timeout_s = stop_timeout_s
        self._loops: dict[str, _Loop] = {}
        self._tasks: dict[asyncio.Task[Any], str] = {}
        self._stopping = False

    def start(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        """Runs `loop` until `stop`. A loop that returns is started again, as one that raises."""
        if name in self._loops:
            raise ValueError(f"the loop {name!r} runs already")
        self._refuse_when_stopping(name)
        task = asyncio.get_running_loop().create_task(
            self._keep_running(name, loop), name=f"{self.service}:{name}"
        )
        self._loops[name] = _Loop(task)

    def spawn(self, name: str, once: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Runs `once` to its end, outliving whoever awaits it; `stop` cancels it.

        Await the task under `asyncio.shield`. A failure is logged even when nobody awaits it.
        """
        if self._stopping:
            once.close()
        self._refuse_when_stopping(name)
        with in_service(self.service):
            task = asyncio.get_running_loop().create_task(once, name=f"{self.service}:{name}")
        self._tasks[task] = name
        task.add_done_callback(self._spawned_ended)
        return task

    def health(self) -> dict[str, LoopHealth]:
        """Of each loop by its name."""
        now = asyncio.get_running_loop().time()
        return {name: self._health_of(loop, now) for name, loop in self._loops.items()}

    async def stop(self) -> None:
        """Cancels all and waits; what does not end in time is named in the log and left."""
        self._stopping = True
        tasks: list[asyncio.Task[Any]] = [
            *(loop.task for loop in self._loops.values()),
            *self._tasks,
        ]
        for task in tasks:
            task.cancel()
        if tasks:
            _, stuck = await asyncio.wait(tasks, timeout=self._stop_timeout_s)
            for name in sorted(task.get_name() for task in stuck):
                _log.error("loop.stuck", loop=name, waited_s=self._stop_timeout_s)
        self._loops.clear()

    def _refuse_when_stopping(self, name: str) -> None:
        if self._stopping:
            raise RuntimeError(f"{self.service} is stopping: {name!r} was not started")

    async def _keep_running(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        clock = asyncio.get_running_loop().time
        with in_service(self.service):
            while True:
                state = self._loops[name]
                state.started_at, state.running = clock(), True
                try:
                    await loop()
                    problem = "it returned"
                    _log.error("loop.returned", loop=name)
                except Unknown as error:
                    # Somebody is away; where in our code we noticed says nothing.
                    problem = error.code
                    _log.warning(
                        "loop.waits", loop=name, failures=state.failures + 1, code=error.code
                    )
                except Exception as error:
                    problem = type(error).__name__
                    _log.exception("loop.failed", loop=name, failures=state.failures + 1)
                state.running = False
                steady = clock() - state.started_at >= self._steady_s
                state.failures = 1 if steady else state.failures + 1
                state.last_error = problem
                await asyncio.sleep(self._pause_s(state.failures))

    def _pause_s(self, failures: int) -> float:
        # The exponent is capped as well: 2.0**1100 does not exist.
        return min(self._max_pause_s, self._first_pause_s * 2.0 ** min(failures - 1, 30))

    def _health_of(self, loop: _Loop, now: float) -> LoopHealth:
        steady = loop.running and now - loop.started_at >= self._steady_s
        failures = 0 if steady else loop.failures
        return LoopHealth(
            failures=failures,
            failing=loop.task.done() or failures >= self._failing_after,
            last_error=loop.last_error if failures else "",
        )

    def _spawned_ended(self, task: asyncio.Task[T]) -> None:
        name = self._tasks.pop(task)
        if not task.cancelled() and (error := task.exception()):
            _log.error("task.failed", task=name, service=self.service, exc_info=error)
