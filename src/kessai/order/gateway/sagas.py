"""The sagas of an order that stopped, at the engine that runs them."""

from __future__ import annotations

from collections.abc import Sequence

from kessai.kernel.errors import Refused
from kessai.order.application.ports import Stopped
from kessai.saga.log import MachineRow
from kessai.saga.port import SagaEngine
from kessai.saga.steering import Order

# Somebody else was faster, or it runs: both mean that it moves.
_MOVES = frozenset({"SAGA_RUNNING", "VERSION_CONFLICT"})


class EngineSagas:
    def __init__(self, engine: SagaEngine) -> None:
        self._engine = engine

    async def find(self, keys: Sequence[tuple[str, str]]) -> Sequence[Stopped]:
        stopped = []
        for machine, key in keys:
            instance_id = await self._engine.find(machine, key)
            if instance_id is None:
                continue
            row, run, _ = await self._engine.inspect(instance_id)
            if _is_stopped(row):
                compensates = row.compensation is not None
                stopped.append(Stopped(instance_id, machine, run.seq, compensates))
        return stopped

    async def drive(self, stopped: Stopped, actor: str, reason: str) -> bool:
        steer = self._engine.compensate if stopped.compensates else self._engine.forward
        order = Order(actor=actor, reason=reason, version=stopped.version)
        try:
            return await steer(stopped.instance_id, {}, order=order)
        except Refused as refused:
            if refused.code not in _MOVES:
                raise
            return False


def _is_stopped(row: MachineRow) -> bool:
    return not row.running and (bool(row.needs_operator) or row.due_at is not None)
