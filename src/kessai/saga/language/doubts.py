"""What Seata accepts and an author hardly means, seen in how the machine would behave."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from kessai.saga.language.findings import Finding
from kessai.saga.language.model import (
    Choice,
    CompensateSubMachine,
    CompensationTrigger,
    Fail,
    Machine,
    ScriptTask,
    ServiceTask,
    State,
    SubStateMachine,
    Succeed,
    Task,
)
from kessai.saga.language.rules import reach, targets


def doubts(machine: Machine) -> Iterator[Finding]:
    for doubt in _DOUBTS:
        yield from doubt(machine)


def _self_loops(machine: Machine) -> Iterator[Finding]:
    for name, state in machine.states.items():
        if name in targets(state):
            yield Finding(("States", name), "follows itself")


def _unreachable(machine: Machine) -> Iterator[Finding]:
    after = {name: list(_really_following(state)) for name, state in machine.states.items()}
    found = reach(after, machine.start_state)
    for name, state in machine.states.items():
        if name not in found:
            named = isinstance(state, Task) and state.for_compensation
            why = "no state names it as its CompensateState" if named else "cannot be reached"
            yield Finding(("States", name), why)


def _really_following(state: State) -> Iterator[str]:
    """Unlike `targets`: ends have no follower, a Choice that has Next never takes a branch."""
    match state:
        case Task():
            followers = [state.next, *(entry.next for entry in state.catch), state.compensate_state]
        case Choice(next=None):
            followers = [*(branch.next for branch in state.branches), state.default]
        case Choice() | CompensationTrigger():
            followers = [state.next]
        case Succeed() | Fail():
            followers = []
    yield from (name for name in followers if name is not None)


def _compensation(machine: Machine) -> Iterator[Finding]:
    for state in machine.states.values():
        if not isinstance(state, Task) or state.compensate_state is None:
            continue
        path = ("States", state.name, "CompensateState")
        undo = machine.states.get(state.compensate_state)
        named = repr(state.compensate_state[:60])
        if undo is None:
            yield Finding(path, f"{named} does not exist")
        elif not isinstance(undo, Task):
            yield Finding(path, f"{named} is no task, so it cannot undo anything")
        elif undo is state:
            yield Finding(path, "is the state itself")
        elif isinstance(undo, CompensateSubMachine) and not isinstance(state, SubStateMachine):
            yield Finding(path, f"{named} compensates machines, and this state starts none")


def _updates_without_compensation(machine: Machine) -> Iterator[Finding]:
    """Seata stops the whole compensation at such a state."""
    if not any(isinstance(state, CompensationTrigger) for state in machine.states.values()):
        return
    for state in machine.states.values():
        if (
            isinstance(state, ServiceTask)
            and state.for_update
            and state.compensate_state is None
            and not state.for_compensation
        ):
            path = ("States", state.name, "IsForUpdate")
            yield Finding(path, "but no CompensateState: no compensation can begin after it")


def _choices(machine: Machine) -> Iterator[Finding]:
    for state in machine.states.values():
        if not isinstance(state, Choice):
            continue
        if state.next is not None:
            yield Finding(("States", state.name, "Next"), "wins over every entry of Choices")
        elif state.default is None:
            what = "has no Default: the machine fails when no entry matches"
            yield Finding(("States", state.name), what)


def _without_effect(machine: Machine) -> Iterator[Finding]:
    for state in machine.states.values():
        for attribute, why in _ignored(state):
            yield Finding(("States", state.name, attribute), f"has no effect: {why}")


def _ignored(state: State) -> Iterator[tuple[str, str]]:
    if isinstance(state, Succeed | Fail) and state.next is not None:
        yield "Next", "the machine ends here"
    if not isinstance(state, Task):
        return
    if state.retry and not isinstance(state, ServiceTask):
        yield "Retry", "only a ServiceTask is tried again"
    if state.loop is not None and isinstance(state, CompensateSubMachine):
        yield "Loop", "a CompensateSubMachine runs once"
    if isinstance(state, ScriptTask):
        if state.status:
            yield "Status", "a script leaves no step that could have a status"
        if state.compensate_state is not None:
            yield "CompensateState", "a script leaves no step that could be undone"
    if isinstance(state, ServiceTask) and state.is_async:
        for attribute, written in (("Output", state.output), ("Status", state.status)):
            if written:
                yield attribute, "nobody waits for the result of an IsAsync state"


_DOUBTS: tuple[Callable[[Machine], Iterator[Finding]], ...] = (
    _self_loops,
    _unreachable,
    _compensation,
    _updates_without_compensation,
    _choices,
    _without_effect,
)
