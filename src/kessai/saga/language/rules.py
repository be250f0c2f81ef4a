"""What a definition must keep beyond its form: Seata's rules, and one for several machines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from kessai.saga.language.findings import Finding, Path
from kessai.saga.language.model import (
    Choice,
    DefinitionError,
    Machine,
    State,
    SubStateMachine,
    Task,
)


def broken(machine: Machine, references: Iterable[tuple[Path, str]]) -> Iterator[Finding]:
    """A machine whose names all exist is looked at for cycles too."""
    missing = [
        Finding(path, f"{target[:60]!r} does not exist")
        for path, target in references
        if target not in machine.states
    ]
    yield from missing
    if not missing and machine.start_state in machine.states:
        yield from _endless(machine)


def targets(state: State) -> list[str]:
    """All states that may follow, as Seata counts them: an end may have a Next."""
    found = [state.next]
    if isinstance(state, Task):
        found += [entry.next for entry in state.catch]
    if isinstance(state, Choice):
        found += [*(branch.next for branch in state.branches), state.default]
    return list(dict.fromkeys(name for name in found if name is not None))


def check_machines(machines: Iterable[Machine]) -> tuple[str, ...]:
    """Doubts about machines that call one another. Raises `DefinitionError` where they recurse."""
    calls: dict[str, dict[str, None]] = {}
    asked: list[tuple[Machine, SubStateMachine]] = []
    for machine in machines:
        called = calls.setdefault(machine.name, {})
        for state in machine.states.values():
            if isinstance(state, SubStateMachine) and state.machine:
                asked.append((machine, state))
                called[state.machine] = None
    for names in _components(calls, calls):
        first = next(iter(names))
        if len(names) > 1 or first in calls[first]:
            circle = ", ".join(repr(name) for name in names)
            raise DefinitionError(f"machines call one another without end: {circle}")
    return tuple(
        f"machine {machine.name!r}: state {state.name!r}: "
        f"StateMachineName {state.machine!r} is not among the machines"
        for machine, state in asked
        if state.machine not in calls
    )


def _endless(machine: Machine) -> Iterator[Finding]:
    """FiniteTerminationRule: a reachable cycle needs a way out.

    Seata accepts a state that follows itself only where the machine starts, whatever ways out
    it has.
    """
    after = {name: targets(state) for name, state in machine.states.items()}
    reachable = reach(after, machine.start_state)
    for name in reachable:
        if name != machine.start_state and name in after[name]:
            yield Finding(("States", name), "follows itself, which only the start state may")
    for names in _components(reachable, after):
        if len(names) > 1 and all(target in names for name in names for target in after[name]):
            circle = ", ".join(repr(name[:60]) for name in names)
            yield Finding(("States", next(iter(names))), f"a cycle without an end: {circle}")


def reach(after: Mapping[str, Iterable[str]], *starts: str) -> dict[str, None]:
    """Insertion-ordered names; a dict, so that no iteration depends on hashing."""
    found = dict.fromkeys(starts)
    pending = list(found)
    while pending:
        for target in after.get(pending.pop(), ()):
            if target not in found:
                found[target] = None
                pending.append(target)
    return found


def _components(
    names: Iterable[str], after: Mapping[str, Iterable[str]]
) -> Iterator[dict[str, None]]:
    """Strongly connected groups: where forward and backward reach meet (Kosaraju)."""
    before: dict[str, list[str]] = {name: [] for name in names}
    inside = {name: [one for one in after[name] if one in before] for name in before}
    for name, found in inside.items():
        for target in found:
            before[target].append(name)
    assigned: dict[str, None] = {}
    for root in _finish_order(inside):
        if root in assigned:
            continue
        group = {root: None}
        pending = [root]
        while pending:
            for name in before[pending.pop()]:
                if name not in group and name not in assigned:
                    group[name] = None
                    pending.append(name)
        assigned |= group
        yield {name: None for name in before if name in group}


def _finish_order(after: Mapping[str, Iterable[str]]) -> list[str]:
    """Names by descending finish time of a depth-first walk, without recursion."""
    seen: dict[str, None] = {}
    order: list[str] = []
    for root in after:
        if root in seen:
            continue
        seen[root] = None
        stack = [(root, iter(after[root]))]
        while stack:
            name, found = stack[-1]
            target = next((one for one in found if one not in seen), None)
            if target is None:
                order.append(name)
                stack.pop()
            else:
                seen[target] = None
                stack.append((target, iter(after[target])))
    return order[::-1]
