"""The event loop of a simulation: virtual time, a seeded choice of what runs next, deaths.

A death is a kill -9 and no cancellation: what the dead service still had to do is never stepped
again, so no `finally` and no `except` of it runs, as none would in a process that is gone.
"""

from __future__ import annotations

import asyncio
import heapq
import warnings
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextvars import Context, ContextVar, copy_context
from typing import Any, TypeVar, TypeVarTuple

from kessai.kernel.telemetry import get_log
from kessai.proof.simulation.dice import Dice

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
_log = get_log(__name__)
# A loop that never comes to its next timer is a finding, not a reason to wait for ever.
MAX_STEPS = 5_000_000
_SWEEP_AT = 512
_CLOSINGS = 20


class Stuck(RuntimeError):
    """Every task waits and no timer is set, or the steps never end."""


class Life:
    """One start of a service. `fuse` counts its steps down to its death, None without one."""

    __slots__ = ("alive", "backlog", "code", "fuse", "name", "number", "on_fuse", "paused", "tasks")

    def __init__(self, name: str, number: int, code: int) -> None:
        self.name = name
        self.number = number
        self.code = code
        self.alive = True
        self.paused = False
        self.backlog: list[asyncio.Handle] = []
        self.fuse: int | None = None
        self.on_fuse: Callable[[], None] | None = None
        self.tasks: list[asyncio.Task[Any]] = []

    def burn(self) -> None:
        """One step nearer to what the fuse is for: a death, or a stop."""
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse < 0 and self.on_fuse is not None:
                self.fuse = None
                self.on_fuse()

    def context(self) -> Context:
        """A fresh context whose tasks belong to this life."""
        context = copy_context()
        context.run(OWNER.set, self)
        return context


OWNER: ContextVar[Life] = ContextVar("simulated_owner")


# A debug mode, which a simulation never has, is asked for by each handle of the standard library.
class _Handle(asyncio.Handle):
    __slots__ = ()

    def __init__(
        self,
        callback: Callable[[*Ts], object],
        args: tuple[*Ts],
        loop: asyncio.AbstractEventLoop,
        context: Context | None,
    ) -> None:
        self._context = copy_context() if context is None else context
        self._loop = loop
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._repr = self._source_traceback = None


class _Timer(asyncio.TimerHandle):
    __slots__ = ()

    def __init__(
        self,
        when_s: float,
        callback: Callable[[*Ts], object],
        args: tuple[*Ts],
        loop: asyncio.AbstractEventLoop,
        context: Context | None,
    ) -> None:
        self._context = copy_context() if context is None else context
        self._loop = loop
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._repr = self._source_traceback = None
        self._when = when_s
        self._scheduled = True

    def cancel(self) -> None:
        """Dropped when its time comes, or swept when such are many."""
        self._cancelled = True
        self._callback, self._args = None, ()  # type: ignore[assignment]


class SimLoop(asyncio.BaseEventLoop):
    """`shuffle` is the share of steps that are not the one whose turn it is."""

    # Of the base class, which keeps them to itself.
    _ready: deque[asyncio.Handle]
    _stopping: bool
    _check_closed: Callable[[], None]

    def __init__(self, dice: Dice, shuffle: float) -> None:
        super().__init__()
        self._clock_resolution = 1e-9
        self._now_s = 0.0
        self._unit = dice.unit
        self._shuffle = shuffle
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._timer_number = 0
        self.steps = 0
        self.max_steps: int | None = None
        # Choice and owner of every step: two runs are the same when these are.
        self.choices = bytearray()

    def time(self) -> float:
        return self._now_s

    def call_soon(
        self,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        self._check_closed()
        handle = _Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        timer = _Timer(when, callback, args, self, context)
        self._timer_number += 1
        heapq.heappush(self._timers, (when, self._timer_number, timer))
        return timer

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: Any = None,
        context: Context | None = None,
    ) -> asyncio.Task[T]:
        task = asyncio.Task(coro, loop=self, name=name, context=context)
        life = (context.get(OWNER) if context is not None else None) or OWNER.get(None)
        if life is not None:
            life.tasks.append(task)
        return task

    def _run_once(self) -> None:
        ready = self._ready
        while not self._stopping:
            if self._timers and self._timers[0][0] <= self._now_s:
                self._ring()
            if not ready:
                self._pass_time()
                continue
            count = len(ready)
            choice = 0
            if count > 1 and self._unit() < self._shuffle:
                choice = int(self._unit() * count)
                handle = ready[choice]
                del ready[choice]
            else:
                handle = ready.popleft()
            if handle._cancelled:
                continue
            self._step(handle, choice)

    def _step(self, handle: asyncio.Handle, choice: int) -> None:
        context: Context = handle._context  # type: ignore[attr-defined]
        life = context.get(OWNER)
        code = 0
        if life is not None:
            if life.fuse is not None and life.alive and not life.paused:
                life.burn()
            if not life.alive:
                return
            if life.paused:
                life.backlog.append(handle)
                return
            code = life.code
        self.steps += 1
        self.choices.append(choice & 255)
        self.choices.append(code)
        if self.steps > MAX_STEPS:
            raise Stuck(f"{MAX_STEPS} steps and no end")
        try:
            context.run(handle._callback, *handle._args)  # type: ignore[attr-defined]
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self.call_exception_handler({"message": f"in {handle!r}", "exception": error})

    def _ring(self) -> None:
        timers = self._timers
        while timers and timers[0][0] <= self._now_s:
            timer = heapq.heappop(timers)[2]
            if not timer._cancelled:
                self._ready.append(timer)

    def _pass_time(self) -> None:
        timers = self._timers
        while timers and timers[0][2]._cancelled:
            heapq.heappop(timers)
        if not timers:
            raise Stuck("every task waits and no timer is set")
        self._now_s = max(self._now_s, timers[0][0])
        if len(timers) > _SWEEP_AT:
            self._sweep()

    def _sweep(self) -> None:
        left = [one for one in self._timers if not one[2]._cancelled]
        if len(left) < len(self._timers) // 2:
            heapq.heapify(left)
            self._timers = left

    def resume(self, life: Life) -> None:
        """What a stopped life has missed comes in the order in which it would have come."""
        life.paused = False
        self._ready.extend(life.backlog)
        life.backlog = []

    def _asyncgen_finalizer_hook(self, agen: AsyncGenerator[Any, Any]) -> None:
        """One that was left behind: closed where somebody still lives to close it."""
        if self.is_running():
            self.create_task(agen.aclose())

    def _write_to_self(self) -> None:
        raise RuntimeError("a thread reached the simulation")

    def call_soon_threadsafe(
        self,
        callback: Callable[[*Ts], object],
        *args: *Ts,  # noqa: ARG002 - the base class's
        context: Context | None = None,  # noqa: ARG002
    ) -> asyncio.Handle:
        raise RuntimeError(f"a thread reached the simulation: {callback}")

    def run_in_executor(self, *call: object) -> None:  # type: ignore[override]
        raise RuntimeError(f"a thread reached the simulation: {call}")

    def _process_events(self, event_list: object) -> None:
        raise RuntimeError(f"a socket reached the simulation: {event_list}")


def bury(tasks: list[asyncio.Task[Any]]) -> None:
    """Frees what was never finished, once nothing of it can be seen any more."""
    with warnings.catch_warnings():
        # What the dead had made and not yet begun ("was never awaited").
        warnings.simplefilter("ignore", RuntimeWarning)
        for task in tasks:
            if not task.done():
                _close(task)
        tasks.clear()


def _close(task: asyncio.Task[Any]) -> None:
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    work = task.get_coro()
    for _ in range(_CLOSINGS):
        try:
            work.close()
        except Exception as error:
            # A `finally` that awaits, or that needs what is gone.
            _log.debug("simulation.unfinished", task=task.get_name(), error=repr(error))
        else:
            return
