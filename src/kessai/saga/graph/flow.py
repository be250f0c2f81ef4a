"""A machine as nodes and edges, and what an outcome says about them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

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


class Kind(StrEnum):
    START = "start"
    END = "end"
    TASK = "task"
    SCRIPT = "script"
    SUB = "sub"
    UNDO_SUB = "undo-sub"
    CHOICE = "choice"
    TRIGGER = "trigger"
    SUCCEED = "succeed"
    FAIL = "fail"


class Way(StrEnum):
    NEXT = "next"
    BRANCH = "branch"
    DEFAULT = "default"
    CATCH = "catch"


@dataclass(slots=True, eq=False)
class Node:
    """`beneath` is what undoes it and is drawn with it; `undo` names what is drawn elsewhere."""

    kind: Kind
    state: State | None = None
    beneath: Node | None = None
    undo: str | None = None
    undoes: bool = False
    outcome: str = ""

    @property
    def name(self) -> str:
        return self.state.name if self.state is not None else ""


@dataclass(slots=True, eq=False)
class Edge:
    source: Node
    target: Node
    way: Way
    labels: list[str] = field(default_factory=list)
    taken: bool = False


@dataclass(frozen=True, slots=True)
class Flow:
    """`nodes` begin with the start mark; what is drawn beneath another is not among them."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


_KINDS: tuple[tuple[type[State], Kind], ...] = (
    (ServiceTask, Kind.TASK),
    (ScriptTask, Kind.SCRIPT),
    (SubStateMachine, Kind.SUB),
    (CompensateSubMachine, Kind.UNDO_SUB),
    (Choice, Kind.CHOICE),
    (CompensationTrigger, Kind.TRIGGER),
    (Succeed, Kind.SUCCEED),
    (Fail, Kind.FAIL),
)
# Of a trigger, seen from what it made undo.
PASSED, STOPPED = "passed", "stopped"
_WELL = ("SU", "SK", PASSED)
_STEPS = (Kind.TASK, Kind.SUB, Kind.UNDO_SUB)
_STOPS = (Kind.SUCCEED, Kind.FAIL)


def kind_of(state: State) -> Kind:
    return next(kind for type_, kind in _KINDS if isinstance(state, type_))


def ways(state: State) -> Iterator[tuple[Way, str, str]]:
    """Way, target and label of everything that may follow, in the order in which it is tried."""
    match state:
        case Choice(next=None):
            for branch in state.branches:
                if branch.next is not None:
                    yield Way.BRANCH, branch.next, branch.expression.text
            if state.default is not None:
                yield Way.DEFAULT, state.default, "otherwise"
        case Succeed() | Fail():
            return
        case _:
            if state.next is not None:
                yield Way.NEXT, state.next, ""
    if isinstance(state, Task):
        for entry in state.catch:
            yield Way.CATCH, entry.next, ", ".join(map(_simple, entry.exceptions))


def flow_of(machine: Machine, outcome: Mapping[str, str] | None = None) -> Flow:
    nodes = {name: Node(kind_of(state), state) for name, state in machine.states.items()}
    for name, status in (outcome or {}).items():
        if name in nodes:
            nodes[name].outcome = status
    start = Node(Kind.START, outcome="SU" if outcome else "")
    forward = _forward(machine)
    _place_undos(machine, nodes, forward)
    shown = [node for node in nodes.values() if not node.undoes]
    edges = [Edge(start, nodes[machine.start_state], Way.NEXT)]
    ends = []
    for node in shown:
        out = list(_edges(node, nodes))
        if not out and node.kind not in _STOPS:
            ends.append(Node(Kind.END))
            out.append(Edge(node, ends[-1], Way.NEXT))
        edges += out
    _pass_triggers(nodes.values())
    if outcome:
        ranks = {nodes[name]: at for at, name in enumerate(outcome, 1) if name in nodes}
        undone = min((ranks[node] for node in ranks if node.undoes), default=0)
        triggers = [node for node in shown if node.outcome in (PASSED, STOPPED)]
        ranks |= dict.fromkeys(triggers, undone)
        _mark(edges, {start: 0, **ranks})
    return Flow((start, *shown, *ends), tuple(edges))


def _pass_triggers(nodes: Collection[Node]) -> None:
    """A trigger leaves no trace of its own, but what it made undo does."""
    undone = [node.outcome for node in nodes if node.undoes and node.outcome]
    if not undone:
        return
    stopped = any(outcome in ("FA", "UN", "RU") for outcome in undone)
    for node in nodes:
        if node.kind is Kind.TRIGGER and not node.outcome:
            node.outcome = STOPPED if stopped else PASSED


def _edges(node: Node, nodes: Mapping[str, Node]) -> Iterator[Edge]:
    """One edge for all branches, and one for all catches, that lead to the same state."""
    found: dict[tuple[str, str], Edge] = {}
    assert node.state is not None
    for way, target, label in ways(node.state):
        # The engine goes on with the undoing, wherever an undo would lead by itself.
        if nodes[target].undoes:
            continue
        key = ("catch" if way is Way.CATCH else "next", target)
        edge = found.setdefault(key, Edge(node, nodes[target], way))
        if label and label not in edge.labels:
            edge.labels.append(label)
    yield from found.values()


def _simple(exception: str) -> str:
    return exception.rpartition(".")[2]


def _forward(machine: Machine) -> dict[str, None]:
    found: dict[str, None] = {machine.start_state: None}
    pending = [machine.start_state]
    while pending:
        for _, target, _ in ways(machine.states[pending.pop()]):
            if target not in found:
                found[target] = None
                pending.append(target)
    return found


def _place_undos(machine: Machine, nodes: Mapping[str, Node], forward: Mapping[str, None]) -> None:
    """Each undo lies beneath the first state that names it, unless it is also a step forward."""
    named = {
        target
        for name, state in machine.states.items()
        if name not in forward and not (isinstance(state, Task) and state.for_compensation)
        for _, target, _ in ways(state)
    }
    for name, state in machine.states.items():
        undo = state.compensate_state if isinstance(state, Task) else None
        if undo is None:
            continue
        node, other = nodes[name], nodes.get(undo)
        free = other is not None and undo not in forward and undo not in named and undo != name
        if other is not None and free and not other.undoes and not node.undoes:
            node.beneath = other
            other.undoes = True
        else:
            node.undo = undo


def _mark(edges: Sequence[Edge], ranks: Mapping[Node, int]) -> None:
    """From each step that left a trace to the one that came next, over what leaves none."""
    after: dict[Node, list[Edge]] = {}
    for edge in edges:
        after.setdefault(edge.source, []).append(edge)
    for node, rank in sorted(ranks.items(), key=lambda pair: pair[1]):
        ways = after.get(node, [])
        caught = [edge for edge in ways if edge.way is Way.CATCH]
        usual = [edge for edge in ways if edge.way is not Way.CATCH]
        path = _next_step(caught, after, ranks, rank) if _failed(node) else []
        path = path or _next_step(usual, after, ranks, rank)
        if not path and node.outcome in _WELL:
            path = _to_end(node, after)
        for edge in path:
            edge.taken = True


def _next_step(
    ways: Sequence[Edge], after: Mapping[Node, list[Edge]], ranks: Mapping[Node, int], rank: int
) -> list[Edge]:
    """The shortest way to what came soonest of all that came later."""
    found: dict[Node, list[Edge]] = {}
    pending = [[edge] for edge in ways]
    for path in pending:
        node = path[-1].target
        if node in found or (node.kind in _STEPS and not node.outcome):
            continue
        found[node] = path
        if not node.outcome:
            pending += [[*path, edge] for edge in after.get(node, ())]
    later = [node for node in found if ranks.get(node, rank) > rank]
    return found[min(later, key=ranks.__getitem__)] if later else []


def _to_end(node: Node, after: Mapping[Node, list[Edge]]) -> list[Edge]:
    """Where only one way leads on from the last step, and it meets no step any more."""
    path: list[Edge] = []
    while True:
        out = [edge for edge in after.get(node, ()) if edge.way is not Way.CATCH]
        if len(out) != 1 or out[0] in path or out[0].target.outcome:
            break
        path.append(out[0])
        node = out[0].target
        if node.kind in _STEPS:
            break
    return path if node.kind in (*_STOPS, Kind.END) else []


def _failed(node: Node) -> bool:
    return node.outcome in ("FA", "UN", STOPPED)
