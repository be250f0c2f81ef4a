"""What an engine does beside driving: it shows that it lives, and takes up what nobody drives."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from typing import TypeAlias

from kessai.kernel.clock import Clock
from kessai.saga import interpreter
from kessai.saga.gauges import Gauges
from kessai.saga.limits import EngineLimits
from kessai.saga.log import SagaLog
from kessai.saga.steering import Steering
from kessai.saga.tasks import Tasks

_TIDY_PAUSE_MS = 60_000
# An engine is forgotten when it has been dead for so many leases.
_DEAD_LEASES = 60
# An instance, and the dead engine that drove it; none where it is due again.
Found: TypeAlias = tuple[str, str | None]


class Keeper:
    """One lease for each engine start; it is for liveness only, the log's fence is for safety."""

    def __init__(
        self,
        owner: str,
        log: SagaLog,
        steering: Steering,
        tasks: Tasks,
        clock: Clock,
        limits: EngineLimits,
        gauges: Gauges,
    ) -> None:
        self._owner = owner
        self._log = log
        self._steering = steering
        self._tasks = tasks
        self._clock = clock
        self._limits = limits
        self._gauges = gauges
        self._tidied_ms = 0
        self._puzzles = Puzzles(limits)

    async def begin(self) -> None:
        async with self._log.session() as session:
            await session.retire_predecessors(self._owner)

    async def tick(self) -> None:
        """One heartbeat and one look for instances that nobody drives."""
        limits = self._limits
        now_ms = self._clock.now_ms()
        lease_ms = round(limits.lease_s * 1000)
        async with self._log.session() as session:
            await session.renew(self._owner, now_ms + lease_ms)
        # Those that are passed by must not stand in the way of as many others.
        wanted = limits.claims + len(self._puzzles)
        async with self._log.reading() as session:
            left = await session.orphans(self._owner, now_ms, wanted)
            lost = await session.own_running(self._owner, now_ms - lease_ms)
            due = await session.due(now_ms, wanted)
            self._gauges.needs_operator(await session.count_needing_operator())
        own = [(one, self._owner) for one in lost if one not in self._tasks]
        if len(left) < wanted and len(due) < wanted:
            self._puzzles.keep_only({one for one, _ in [*left, *own]}.union(due))
        await self._take_over([*left, *own], now_ms)
        await self._take_over([(one, None) for one in due], now_ms)
        self._gauges.not_recoverable(len(self._puzzles))
        if now_ms - self._tidied_ms >= _TIDY_PAUSE_MS and await self._tidy(now_ms, lease_ms):
            self._tidied_ms = now_ms

    async def _take_over(self, found: Sequence[Found], now_ms: int) -> None:
        timeout_s = self._limits.machine_timeout_s
        recover = partial(interpreter.recover, now_ms=now_ms)
        redrive = partial(interpreter.redrive, now_ms=now_ms, timeout_s=timeout_s)
        untried = self._puzzles.leave_out(found, now_ms)
        for instance_id, dead_owner in untried[: self._limits.claims]:
            decide = redrive if dead_owner is None else recover
            if await self._steering.take_over(instance_id, decide, dead_owner):
                self._puzzles.drop(instance_id)
            else:
                self._puzzles.add(instance_id, now_ms)

    async def _tidy(self, now_ms: int, lease_ms: int) -> bool:
        """Dead engines that own nothing, and a bounded part of what is older than the retention.

        In transactions of their own: what the heartbeat has locked must not wait for rows that
        other engines lock. False when there is more to delete.
        """
        limits = self._limits
        async with self._log.session() as session:
            await session.forget_dead(now_ms - _DEAD_LEASES * lease_ms)
        if limits.retention_s is None:
            return True
        async with self._log.session() as session:
            before_ms = now_ms - round(limits.retention_s * 1000)
            return await session.purge(before_ms, limits.retention_rows) < limits.retention_rows


class Puzzles:
    """Instances that this engine does not understand: looked at again only after a pause.

    Their machine may not be loaded here, or its definition was changed under its version.
    """

    def __init__(self, limits: EngineLimits) -> None:
        self._limits = limits
        self._again_ms: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._again_ms)

    def add(self, instance_id: str, now_ms: int) -> None:
        if instance_id in self._again_ms or len(self._again_ms) < self._limits.puzzles:
            self._again_ms[instance_id] = now_ms + round(self._limits.puzzle_s * 1000)

    def drop(self, instance_id: str) -> None:
        self._again_ms.pop(instance_id, None)

    def leave_out(self, found: Sequence[Found], now_ms: int) -> Sequence[Found]:
        """What is left to try: first what was never tried, then those whose pause is over."""
        again_ms = self._again_ms
        left = [one for one in found if again_ms.get(one[0], 0) <= now_ms]
        return sorted(left, key=lambda one: again_ms.get(one[0], 0))

    def keep_only(self, found: Collection[str]) -> None:
        """What somebody else has taken up or deleted is none any more."""
        for instance_id in [one for one in self._again_ms if one not in found]:
            del self._again_ms[instance_id]
