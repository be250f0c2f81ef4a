"""What a definition must keep beyond its form, and what is doubtful though Seata accepts it."""

from __future__ import annotations

from collections.abc import Iterator

from kessai.saga.language.model import (
    Choice,
    CompensationTrigger,
    DefinitionError,
    Machine,
    ServiceTask,
    State,
    Status,
)


def check(machine: Machine) -> None:
    """Raises `DefinitionError` for a name without a state and for a cycle without an exit."""
    if machine.start_state not in machine.states:
        raise DefinitionError(f"machine: StartState {machine.start_state!r} does not exist")
    for state in machine.states.values():
        for attribute, target in _targets(state):
            if target not in machine.states:
                raise DefinitionError(
                    f"state {state.name!r}: {attribute} {target!r} does not exist"
                )
    _check_termination(machine)


def doubts(machine: Machine) -> Iterator[str]:
    reachable = _reachable(machine)
    for state in machine.states.values():
        targets = dict(_targets(state)).values()
        if state.name in targets:
            yield f"state {state.name!r}: Next leads to itself"
        if not isinstance(state, ServiceTask):
            if state.name not in reachable:
                yield f"state {state.name!r}: cannot be reached"
            continue
        if state.name not in reachable and not state.for_compensation:
            yield f"state {state.name!r}: cannot be reached"
        undo = state.compensate_state
        if undo is not None and not isinstance(machine.states.get(undo), ServiceTask):
            yield f"state {state.name!r}: CompensateState {undo!r} is not a ServiceTask"
        for expression, status in state.status:
            if status not in _DECIDABLE:
                yield f"state {state.name!r}: Status {expression.text!r} has no status {status!r}"


_DECIDABLE = (Status.SUCCEEDED, Status.FAILED, Status.UNKNOWN, Status.SKIPPED)


def _targets(state: State) -> Iterator[tuple[str, str]]:
    if isinstance(state, ServiceTask | CompensationTrigger) and state.next is not None:
        yield "Next", state.next
    if isinstance(state, ServiceTask):
        for position, entry in enumerate(state.catch):
            yield f"Catch[{position}]: Next", entry.next
    if isinstance(state, Choice):
        for position, branch in enumerate(state.branches):
            yield f"Choices[{position}]: Next", branch.next
        if state.default is not None:
            yield "Default", state.default


def _reachable(machine: Machine) -> dict[str, None]:
    """Insertion-ordered names; a dict, so that no iteration depends on hashing."""
    found: dict[str, None] = {machine.start_state: None}
    pending = [machine.start_state]
    while pending:
        for _, target in _targets(machine.states[pending.pop()]):
            if target not in found:
                found[target] = None
                pending.append(target)
    return found


def _check_termination(machine: Machine) -> None:
    """A reachable cycle of two or more states must have a way out (FiniteTerminationRule)."""
    for group in _components(machine):
        if len(group) < 2:
            continue
        if not any(_leaves(machine.states[name], group) for name in group):
            names = ", ".join(repr(name) for name in group)
            raise DefinitionError(f"states {names}: Next makes a cycle without an end")


def _leaves(state: State, group: dict[str, None]) -> bool:
    targets = [target for _, target in _targets(state)]
    return not targets or any(target not in group for target in targets)


def _components(machine: Machine) -> Iterator[dict[str, None]]:
    """Strongly connected states among the reachable ones: forward and backward reach meet."""
    reachable = _reachable(machine)
    before: dict[str, list[str]] = {name: [] for name in reachable}
    after: dict[str, list[str]] = {name: [] for name in reachable}
    for name in reachable:
        for _, target in _targets(machine.states[name]):
            after[name].append(target)
            before[target].append(name)
    assigned: dict[str, None] = {}
    for root in _finish_order(reachable, after):
        if root in assigned:
            continue
        group: dict[str, None] = {root: None}
        pending = [root]
        while pending:
            for name in before[pending.pop()]:
                if name not in group and name not in assigned:
                    group[name] = None
                    pending.append(name)
        assigned |= group
        yield group


def _finish_order(names: dict[str, None], after: dict[str, list[str]]) -> list[str]:
    """Kosaraju's first pass: names by descending finish time, without recursion."""
    seen: dict[str, None] = {}
    order: list[str] = []
    for root in names:
        if root in seen:
            continue
        seen[root] = None
        stack = [(root, iter(after[root]))]
        while stack:
            name, targets = stack[-1]
            target = next((one for one in targets if one not in seen), None)
            if target is None:
                order.append(name)
                stack.pop()
            else:
                seen[target] = None
                stack.append((target, iter(after[target])))
    return order[::-1]
