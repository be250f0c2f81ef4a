"""What an engine does beside driving: it shows that it lives, and takes up what nobody drives."""

from __future__ import annotations

from functools import partial

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
        async with self._log.reading() as session:
            left = await session.orphans(self._owner, now_ms, limits.claims)
            lost = await session.own_running(self._owner, now_ms - lease_ms)
            due = await session.due(now_ms, limits.claims)
            self._gauges.needs_operator(await session.count_needing_operator())
        own = [(one, self._owner) for one in lost if one not in self._tasks]
        recover = partial(interpreter.recover, now_ms=now_ms)
        redrive = partial(interpreter.redrive, now_ms=now_ms, timeout_s=limits.machine_timeout_s)
        for instance_id, dead_owner in [*left, *own]:
            await self._steering.take_over(instance_id, recover, dead_owner)
        for instance_id in due:
            await self._steering.take_over(instance_id, redrive, None)
        if now_ms - self._tidied_ms >= _TIDY_PAUSE_MS and await self._tidy(now_ms, lease_ms):
            self._tidied_ms = now_ms

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
