"""Programs that run beside each other: started, kept running, stopped in order, never orphaned."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from kessai.kernel.telemetry import get_log

_log: Final = get_log("kessai.processes")
_PR_SET_PDEATHSIG: Final = 1
_CHUNK_BYTES: Final = 64 * 1024
_LONGEST_LINE: Final = 16 * 1024
_LAST_WORDS_S: Final = 1.0
_NOT_STARTED: Final = 127

# Told of every line that a program writes, without its end.
Tell = Callable[[str, str], None]
# Whether a program does its work already.
IsReady = Callable[[str], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Program:
    """`stage`: lower ones are stopped later, since higher ones need them."""

    name: str
    command: Sequence[str]
    stage: int = 0
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProcessLimits:
    ready_s: float = 120.0
    look_every_s: float = 0.1
    stop_s: float = 12.0
    first_pause_s: float = 0.5
    max_pause_s: float = 10.0
    # A program that ran for so long starts to count its failures anew.
    steady_s: float = 30.0
    # How often it may end before it was ready for the first time.
    first_tries: int = 3


@dataclass(frozen=True, slots=True)
class Ended:
    """Why a group ended by itself: this program did not come up."""

    program: str
    code: int | None
    last_line: str


class ProcessGroup:
    """Restarts what dies, with pauses that double. What never was ready ends the group.

    A refusal of the settings (`refusals`: exit codes) is believed at the first start only: later
    it may be a server that is away.
    """

    def __init__(
        self,
        programs: Sequence[Program],
        *,
        tell: Tell,
        is_ready: IsReady,
        limits: ProcessLimits | None = None,
        refusals: Sequence[int] = (2,),
    ) -> None:
        self._programs = tuple(programs)
        self._tell = tell
        self._is_ready = is_ready
        self._limits = limits or ProcessLimits()
        self._refusals = tuple(refusals)
        self._running: dict[str, Process] = {}
        self._readers: dict[str, list[asyncio.Task[None]]] = {}
        self._last_line: dict[str, str] = {}
        self._was_ready: dict[str, asyncio.Event] = {p.name: asyncio.Event() for p in programs}
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._failed: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        self._stopping = False

    @property
    def pids(self) -> dict[str, int]:
        return {name: process.pid for name, process in self._running.items()}

    async def start(self) -> Ended | None:
        """Starts all and waits until each was ready once, or says which one was not."""
        for program in self._programs:
            self._keepers[program.name] = asyncio.create_task(
                self._keep(program), name=f"keep:{program.name}"
            )
        ready = asyncio.create_task(self._all_ready())
        try:
            await asyncio.wait(
                (ready, self._failed),
                timeout=self._limits.ready_s,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            ready.cancel()
        if self._failed.done():
            return self._failed.result()
        late = [name for name, event in self._was_ready.items() if not event.is_set()]
        return Ended(late[0], None, self._last_line.get(late[0], "")) if late else None

    async def stop(self, hurry: asyncio.Event | None = None) -> list[str]:
        """The highest stage first, each with the time to finish; `hurry` leaves none.

        Returns those that had to be killed.
        """
        self._stopping = True
        for keeper in self._keepers.values():
            keeper.cancel()
        await asyncio.gather(*self._keepers.values(), return_exceptions=True)
        killed = []
        for stage in sorted({program.stage for program in self._programs}, reverse=True):
            names = [p.name for p in self._programs if p.stage == stage and p.name in self._running]
            ends = [self._end(name, hurry or asyncio.Event()) for name in names]
            in_time = await asyncio.gather(*ends)
            killed += [name for name, well in zip(names, in_time, strict=True) if not well]
        return killed

    async def _all_ready(self) -> None:
        for event in self._was_ready.values():
            await event.wait()

    async def _end(self, name: str, hurry: asyncio.Event) -> bool:
        process = self._running.pop(name)
        if process.returncode is None and not hurry.is_set():
            process.terminate()
        ended = asyncio.create_task(process.wait())
        hurried = asyncio.create_task(hurry.wait())
        await asyncio.wait(
            {ended, hurried}, timeout=self._limits.stop_s, return_when=asyncio.FIRST_COMPLETED
        )
        hurried.cancel()
        in_time = ended.done()
        if not in_time:
            process.kill()
            await ended
        # Its last words; a grandchild may hold the pipe for longer.
        await asyncio.wait(self._readers.pop(name), timeout=_LAST_WORDS_S)
        return in_time

    async def _keep(self, program: Program) -> None:
        """Runs a program again and again; ends when it never came up."""
        loop, failures = asyncio.get_running_loop(), 0
        while True:
            started = loop.time()
            code = await self._run(program)
            failures = 1 if loop.time() - started >= self._limits.steady_s else failures + 1
            if not self._was_ready[program.name].is_set() and (
                code in self._refusals or failures >= self._limits.first_tries
            ):
                if not self._failed.done():
                    last = self._last_line.get(program.name, "")
                    self._failed.set_result(Ended(program.name, code, last))
                return
            pause_s = min(
                self._limits.max_pause_s, self._limits.first_pause_s * 2.0 ** min(failures - 1, 20)
            )
            _log.warning("process.ended", program=program.name, why=_why(code), again_in_s=pause_s)
            await asyncio.sleep(pause_s)

    async def _run(self, program: Program) -> int:
        """One life of it; its exit code."""
        try:
            process = await self._begin(program)
        except OSError as error:
            self._line(program.name, f"cannot be started: {error.strerror}".encode())
            return _NOT_STARTED
        looking = asyncio.create_task(self._look(program.name))
        try:
            code = await process.wait()
            await asyncio.wait(self._readers[program.name], timeout=_LAST_WORDS_S)
            del self._running[program.name], self._readers[program.name]
            return code
        finally:
            looking.cancel()

    async def _begin(self, program: Program) -> Process:
        process = await asyncio.create_subprocess_exec(
            *program.command,
            env={**os.environ, **program.env},
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            # Ctrl-C in a terminal is for us: we end them, in their order.
            start_new_session=True,
        )
        self._running[program.name] = process
        self._readers[program.name] = [
            asyncio.create_task(self._read(program.name, stream))
            for stream in (process.stdout, process.stderr)
            if stream is not None
        ]
        return process

    async def _look(self, name: str) -> None:
        while True:
            if await self._is_ready(name):
                return self._was_ready[name].set()
            await asyncio.sleep(self._limits.look_every_s)

    async def _read(self, name: str, stream: asyncio.StreamReader) -> None:
        """To the end of the stream, also while the group stops; a line may be of any length."""
        rest = b""
        while chunk := await stream.read(_CHUNK_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > _LONGEST_LINE:
                lines, rest = [*lines, rest], b""
            for line in lines:
                self._line(name, line)
        if rest:
            self._line(name, rest)

    def _line(self, name: str, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip("\r")
        if text.strip():
            self._last_line[name] = text
        self._tell(name, text)


def _why(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def end_with_parent(parent_pid: int) -> None:
    """Asks the system for SIGTERM when the parent is gone, however it went. Linux only."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent_pid:
        # It was gone before we could ask.
        os.kill(os.getpid(), signal.SIGTERM)
