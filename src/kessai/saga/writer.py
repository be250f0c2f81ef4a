"""Writes rows until they are there: an unavailable database costs nothing but time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from kessai.kernel.clock import Clock
from kessai.kernel.errors import DatabaseUnavailable, Duplicate, Fenced
from kessai.saga.history import Event
from kessai.saga.limits import EngineLimits
from kessai.saga.log import Instance, Rest, SagaLog

_PAUSE_MAX_S = 1.0


class Writer:
    """A row whose commit had no answer may be there: sent again, it meets itself."""

    def __init__(self, log: SagaLog, clock: Clock, limits: EngineLimits) -> None:
        self._log = log
        self._clock = clock
        self._limits = limits

    async def create(self, instance: Instance, row: Event, *, owner: str) -> bool:
        """Raises `Duplicate`, also for an instance of this owner that it did not just begin.

        False: it was written without an answer, and recovery was faster than the next try.
        """
        doubtful = False
        for pause_s in self._pauses():
            try:
                return await self._create(instance, row, owner, doubtful=doubtful)
            except DatabaseUnavailable:
                doubtful = True
            await asyncio.sleep(pause_s)
        raise DatabaseUnavailable("the saga cannot be started")

    async def append(
        self, instance: Instance, row: Event, rest: Rest, *, in_doubt: bool = False
    ) -> None:
        """Raises `Fenced` when another engine has the instance.

        `in_doubt`: a local step's commit had no answer, so a row that stands here may be its own.
        That row is the truth then, and whoever folds the history goes on with it.
        """
        write = self._append_alone if in_doubt else self._append
        for pause_s in self._pauses():
            try:
                return await write(instance, row, rest)
            except DatabaseUnavailable:
                await asyncio.sleep(pause_s)
        raise DatabaseUnavailable("the saga log cannot be written")

    async def _create(self, instance: Instance, row: Event, owner: str, *, doubtful: bool) -> bool:
        try:
            await self._log.create(instance, row, owner=owner, at=instance.started_at)
        except Duplicate:
            if not doubtful:
                raise
            async with self._log.reading() as session:
                found = await session.machine(instance.run.instance_id)
            if found is None:
                raise
            return (found.owner, found.epoch) == (owner, instance.epoch)
        return True

    async def _append(self, instance: Instance, row: Event, rest: Rest) -> None:
        try:
            await self._log.append(instance, row, rest, at=self._clock.now_ms())
        except Fenced:
            if not await self._is_mine(instance):
                raise

    async def _append_alone(self, instance: Instance, row: Event, rest: Rest) -> None:
        async with self._log.session() as session:
            await session.append(instance, row, rest, at=self._clock.now_ms())

    def _pauses(self) -> Iterator[float]:
        pause_s = self._limits.write_pause_s
        for _ in range(self._limits.write_attempts):
            yield pause_s
            pause_s = min(pause_s * 2, _PAUSE_MAX_S)

    async def _is_mine(self, instance: Instance) -> bool:
        """The next place in the history holds a row of this epoch: our own earlier attempt."""
        run = instance.run
        async with self._log.reading() as session:
            return await session.epoch_at(run.instance_id, run.seq + 1) == instance.epoch
