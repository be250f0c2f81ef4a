"""A document into a machine; what is refused or odd goes to the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from kessai.kernel.errors import JsonValue
from kessai.saga.language.attributes import Attributes
from kessai.saga.language.findings import Log
from kessai.saga.language.layout import read_layout
from kessai.saga.language.model import Machine, ScriptTask, State, SubStateMachine, Succeed, Task
from kessai.saga.language.spelling import MACHINE
from kessai.saga.language.states import read_state, read_timeout

_STRATEGIES = ("Compensate", "Forward")


def read_machine(values: Mapping[str, JsonValue], log: Log) -> Machine:
    fields = Attributes(values, (), log)
    fields.check_spelling(MACHINE)
    states = _states(fields, log)
    _check_self_calls(fields, states)
    strategy = fields.text("RecoverStrategy")
    if strategy is not None and strategy.strip() and strategy not in _STRATEGIES:
        fields.refuse("RecoverStrategy", "must be Compensate or Forward")
    return Machine(
        name=fields.wanted("Name", "a machine is stored and started by its name"),
        version=fields.text("Version") or "",
        start_state=_start(fields, states),
        states=_marked(states),
        recover_forward=strategy == "Forward",
        persist=fields.flag("IsPersist", True),
        comment=fields.text("Comment"),
        retry_updates=fields.tri_state("IsRetryPersistModeUpdate"),
        compensation_updates=fields.tri_state("IsCompensatePersistModeUpdate"),
        timeout_s=_timeout(fields),
        layout=read_layout(values),
        document=values,
    )


def _timeout(fields: Attributes) -> float | None:
    """A machine has no Extensions in Seata, so nothing in them is an error."""
    if fields.values.get("Extensions") is None:
        return None
    if not isinstance(fields.values["Extensions"], Mapping):
        fields.doubt("Extensions", "has no effect: it must be an object")
        return None
    return read_timeout(fields)


def _start(fields: Attributes, states: Mapping[str, State]) -> str:
    start = fields.text("StartState")
    if start is None and fields.values.get("StartState") is None:
        fields.refuse("StartState", "is missing")
    elif start is not None and start not in states:
        fields.refuse("StartState", f"{start[:60]!r} does not exist")
    return start or ""


def _states(fields: Attributes, log: Log) -> dict[str, State]:
    found = fields.mapping("States")
    if fields.values.get("States") is None:
        fields.refuse("States", "is missing")
    return {name: _state(name, value, log) for name, value in found.items()}


def _state(name: str, value: JsonValue, log: Log) -> State:
    path = ("States", name)
    if isinstance(value, Mapping):
        return read_state(name, Attributes(value, path, log))
    log.refuse(path, "must be an object")
    return Succeed(name)


def _check_self_calls(fields: Attributes, states: Mapping[str, State]) -> None:
    """NoRecursiveSubStateMachineRule, which fails on a machine without a name."""
    name = fields.values.get("Name")
    for state in states.values():
        if isinstance(state, SubStateMachine):
            if name is None:
                fields.refuse("Name", "is missing, and the machine calls another")
                return
            written = fields.inner("States").inner(state.name).values.get("StateMachineName")
            if written == name:
                fields.refuse_at(
                    "States", state.name, "StateMachineName", what="is the machine itself"
                )


def _marked(states: Mapping[str, State]) -> dict[str, State]:
    """A task that another task names as its CompensateState is for compensation."""
    undoing = {state.compensate_state: None for state in states.values() if isinstance(state, Task)}
    return {
        name: replace(state, for_compensation=True)
        if isinstance(state, Task) and not isinstance(state, ScriptTask) and name in undoing
        else state
        for name, state in states.items()
    }
