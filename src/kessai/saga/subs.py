"""A SubStateMachine step runs an instance of its own, a compensation undoes it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from kessai.kernel.errors import Duplicate, JsonValue, Refused
from kessai.kernel.ids import content_id
from kessai.saga.history import NotStorable, Run, Step, Thrown, Verdict
from kessai.saga.interpreter import Result, SubEnded
from kessai.saga.interpreter.draft import Fault
from kessai.saga.interpreter.operations import NoWayForward
from kessai.saga.interpreter.steps import NO_WAY_FORWARD
from kessai.saga.language.model import SubStateMachine
from kessai.saga.log import Instance, MachineRow, SagaLog
from kessai.saga.outcome import Outcome

Params = Mapping[str, JsonValue]

_CAST = ("java.lang.ClassCastException", "java.lang.RuntimeException")
_DENIED = (
    "org.apache.seata.saga.engine.exception.EngineExecutionException",
    "java.lang.RuntimeException",
)
_NO_WAY = (NO_WAY_FORWARD, *_DENIED)
_ALL = ("java.lang.Exception", "java.lang.Throwable")


@dataclass(frozen=True, slots=True)
class Child:
    """What a step starts: `instance_id` comes from the step, so a repeat finds the first one."""

    instance_id: str
    parent_id: str
    machine: str
    business_key: str | None
    params: Params


@dataclass(frozen=True, slots=True)
class Steer:
    """The engine's operations on a whole instance that a step of another one needs."""

    start: Callable[[Child], Awaitable[None]]
    forward: Callable[[str, Params], Awaitable[None]]
    compensate: Callable[[str, Params], Awaitable[None]]
    end_of: Callable[[str], Awaitable[Outcome]]


class SubMachines:
    """After a crash the step is asked again: what it started is waited for, not started twice."""

    def __init__(self, log: SagaLog, steer: Steer) -> None:
        self._log = log
        self._steer = steer

    async def run(self, parent: Instance, step: Step) -> Result:
        params = _params(step)
        if params is None:
            return Thrown((*_CAST, *_ALL), "the first Input of a sub machine is a map", _PLAIN)
        try:
            if isinstance(step.task, SubStateMachine):
                return await self._run(parent.run, step, step.task, params)
            return await self._undo(parent.run, step, params)
        except NotStorable as error:
            return Thrown(("NotStorable", *_ALL), str(error), _PLAIN, "NOT_STORABLE")
        except Refused as error:
            names = _NO_WAY if isinstance(error, NoWayForward) else _DENIED
            return Thrown((*names, *_ALL, error.code), str(error), _PLAIN, error.code)

    async def _run(self, run: Run, step: Step, task: SubStateMachine, params: Params) -> Result:
        if step.forwards is not None:
            child = await self._child(run, step.forwards)
            if child is not None:
                if not child.running:
                    # Seata hands the caller's id along, and a machine can see it.
                    parent = {"_parent_id_": f"{run.instance_id}:{step.row}"}
                    await self._steer.forward(child.id, {**params, **parent})
                return await self._ended(child.id, step.forwards)
        parent_id = f"{run.instance_id}:{step.row}"
        # A step that is not persisted is not counted after a restart, so its number comes again.
        instance_id = content_id(run.instance_id, str(run.restarts), str(step.n))
        new = Child(instance_id, parent_id, task.machine, step.key, params)
        try:
            await self._steer.start(new)
        except Duplicate:
            async with self._log.reading() as session:
                known = await session.machine(instance_id)
            if known is None:
                # Somebody else has the business key: this step never started anything.
                raise Refused("SAGA_DUPLICATE", f"{task.machine} was started") from None
        return await self._ended(instance_id, step.row)

    async def _undo(self, run: Run, step: Step, params: Params) -> Result:
        undone = run.steps.get(step.undoes or 0)
        row = undone.row if undone is not None else 0
        child = await self._child(run, row)
        if child is None:
            fault = Fault(
                "ObjectNotExists", f"state {step.name!r}: there is no sub machine to undo"
            )
            return fault.thrown()
        if not child.running:
            await self._steer.compensate(child.id, params)
        return await self._ended(child.id, row)

    async def _child(self, run: Run, row: int) -> MachineRow | None:
        async with self._log.reading() as session:
            return await session.child_of(f"{run.instance_id}:{row}")

    async def _ended(self, instance_id: str, row: int) -> SubEnded:
        outcome = await self._steer.end_of(instance_id)
        return SubEnded(
            instance_id,
            row,
            outcome.status,
            outcome.compensation,
            outcome.context,
            outcome.fault,
        )


_PLAIN = Verdict.PLAIN


def _params(step: Step) -> Params | None:
    if not step.input:
        return {}
    first = step.input[0]
    return first if isinstance(first, Mapping) else None
