"""Where a recorded case is played: an engine, its time, and the ends of its runs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Protocol

from kessai.saga.conformance.demo import Demo
from kessai.saga.conformance.seen import Json
from kessai.saga.history import Event, Run
from kessai.saga.language import Machine
from kessai.saga.log import Filter, MachineRow
from kessai.saga.port import Params

_WAIT_S = 20.0
_TURNS = 20


class StillClock:
    """Stands still but for what services and cases sleep: a case depends on no machine's speed."""

    def __init__(self) -> None:
        self._now_ms = 1_700_000_000_000

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._now_ms / 1000, UTC)

    def now_ms(self) -> int:
        return self._now_ms

    def monotonic(self) -> float:
        return self._now_ms / 1000

    def advance(self, by_ms: int) -> None:
        self._now_ms += by_ms


class Ends:
    """The runs that ended, as they were in memory: states without a row are in them, too."""

    def __init__(self) -> None:
        self._runs: dict[str, Run] = {}
        self._news = asyncio.Event()

    def __call__(self, run: Run) -> None:
        self._runs[run.instance_id] = run
        self._news.set()

    def clear(self) -> None:
        self._runs.clear()
        self._news.clear()

    async def of(self, instance_id: str) -> Run | None:
        try:
            async with asyncio.timeout(_WAIT_S):
                while instance_id not in self._runs:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return None
        # Asynchronous states are begun before the end, and answer at once.
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        return self._runs[instance_id]


class Played(Protocol):
    """The part of an engine that a case plays on."""

    async def begin(
        self, machine_name: str, params: Params | None, *, business_key: str | None = None
    ) -> str: ...

    async def forward(self, instance_id: str, params: Params = ...) -> bool: ...

    async def skip(self, instance_id: str, params: Params = ...) -> bool: ...

    async def compensate(self, instance_id: str, params: Params = ...) -> bool: ...

    async def list(self, wanted: Filter) -> Sequence[MachineRow]: ...

    async def inspect(self, instance_id: str) -> tuple[MachineRow, Run, Sequence[Event]]: ...


class Stage(Protocol):
    """Where a case is played: an engine, the time that its services take, and the ends of runs."""

    def advance(self, by_ms: int) -> None: ...

    def open(
        self, case: Json, machines: Mapping[str, Machine], demo: Demo
    ) -> AbstractAsyncContextManager[Played]: ...

    def clear(self) -> None:
        """Before a step: earlier ends do not count."""
        ...

    async def of(self, instance_id: str) -> Run | None:
        """The run once it has ended; None when it does not."""
        ...
