"""What happened to one instance: events, steps, and the run between two events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import cast

from kessai.kernel.errors import JsonValue
from kessai.saga.language import Machine, Status
from kessai.saga.language.model import Task

Body = dict[str, JsonValue]


class NotStorable(Exception):
    """A value that JSON cannot keep, or more of it than a row of the log takes."""


class EventKind(StrEnum):
    START = "start"
    STEP = "step"
    RETRY = "retry"
    END = "end"
    CLAIM = "claim"
    NOTE = "note"


class Operation(StrEnum):
    """Why an instance runs; a claim names it."""

    START = "start"
    RECOVER = "recover"
    REDRIVE = "redrive"
    FORWARD = "forward"
    COMPENSATE = "compensate"
    SKIP = "skip"


class Verdict(StrEnum):
    """What an exception proves about the effect of the call."""

    REFUSED = "REFUSED"  # nothing was done, and asking again changes nothing
    NOT_SENT = "NOT_SENT"  # no connection: nothing was done
    NOT_CONNECTED = "NOT_CONNECTED"  # no connection in time, which Seata does not trust
    UNKNOWN = "UNKNOWN"  # it may or may not have happened
    NO_ANSWER = "NO_ANSWER"  # sent, and the answer did not come in time
    PLAIN = "PLAIN"  # Seata's other exceptions: unknown for updates, else failed


_NETWORK = (Verdict.NOT_SENT, Verdict.NOT_CONNECTED, Verdict.NO_ANSWER, Verdict.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Thrown:
    """An exception as the log keeps it; `names` are what Catch, Retry and $Exception may say."""

    names: tuple[str, ...]
    message: str
    verdict: Verdict
    code: str = ""
    facts: Mapping[str, JsonValue] = field(default_factory=dict)

    @property
    def is_network(self) -> bool:
        """What a Retry entry without exceptions stands for."""
        return self.verdict in _NETWORK

    def to_json(self) -> Body:
        return {
            "type": self.names[0] if self.names else "",
            "names": list(self.names),
            "message": self.message,
            "verdict": self.verdict.value,
            "code": self.code,
            "facts": dict(self.facts),
        }

    @staticmethod
    def from_json(value: JsonValue) -> Thrown:
        content = cast("Mapping[str, JsonValue]", value)
        return Thrown(
            names=tuple(cast("Sequence[str]", content["names"])),
            message=cast("str", content["message"]),
            verdict=Verdict(cast("str", content["verdict"])),
            code=cast("str", content["code"]),
            facts=cast("Mapping[str, JsonValue]", content["facts"]),
        )


@dataclass(slots=True)
class Event:
    """One transition: the result of a step together with what was decided next.

    Keys of `body`, all optional: `op` of a claim with `by`, `skip` (the step that it skips) and
    `params`, merged into the context; `n`, the step that ended, with its `value` or `error`, the
    `sub` instance that it ran, the names it `gives` the whole value to and other `outputs`;
    `thrown`, `exception` and `cause` where the current, the machine's or the caught exception
    changed; `undo` and `trigger` when compensation begins, `undo_left` and `undo_done` as it goes
    on; `loop`, `satisfied`, `lost`, `iteration_fault` and `looped` of a Loop; `choice`, which waits
    for a state without a Next; `enter`, the steps that begin; `retried` entry and `due` of a retry;
    `fail`, `fault`, `end`; `denied`, why a redrive could not move the instance.
    """

    kind: EventKind
    name: str
    status: str
    body: Body


@dataclass(frozen=True, slots=True)
class Sub:
    """The instance that a SubStateMachine step ran, and how its own compensation ended."""

    instance_id: str
    compensation: str | None


@dataclass(slots=True, eq=False)
class Step:
    """One execution of a task. `undoes` and `again_for` are numbers of other steps; `undone_name`
    stands beside the number where a state that is not persisted left no step in the log.

    `superseded`: a later attempt of the same state counts instead (Seata's ignoreStatus);
    `replaces`: in update mode this attempt takes over the row of an earlier one. `forwards`: a
    SubStateMachine goes on with the instance that this row started; `row` is the step's own, that
    of the earlier attempt in update mode.
    """

    n: int
    state: str
    name: str
    token: str
    input: Sequence[JsonValue]
    task: Task
    index: int | None = None
    undoes: int | None = None
    undone_name: str | None = None
    again_for: int | None = None
    replaces: int | None = None
    forwards: int | None = None
    row: int = 0
    key: str | None = None
    status: str = Status.RUNNING
    value: JsonValue = None
    error: Thrown | None = None
    undo_status: str | None = None
    undone_by: int | None = None
    superseded: bool = False
    repeats: dict[int, int] = field(default_factory=dict)
    due_ms: int | None = None

    @property
    def attempt(self) -> int:
        return 1 + sum(self.repeats.values())

    @property
    def for_update(self) -> bool:
        return self.task.for_update


@dataclass(slots=True, eq=False)
class LoopRun:
    """A Loop under way: which elements are left, which run, and how the others ended."""

    state: str
    size: int
    parallel: int
    again: list[int]
    fresh: list[int]
    left: int
    completed: int = 0
    active: int = 0
    failed: bool = False
    satisfied: bool = False
    fault: Thrown | None = None
    started: list[int] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Run:
    """An instance between two events. Only `folding.apply` changes it.

    `subs` are the instances that SubStateMachine steps started, by row; `latest` and `tokens` are
    the newest step and the last token's serial by step name; `again` names the steps that a
    forward repeats. `thrown` is the current exception, which in Seata outlives the state that threw
    it; `exception` is the machine's; `cause` is the last one that a Catch took; `fault` is the
    engine's own.
    """

    machine: Machine
    instance_id: str
    business_key: str | None = None
    parent_id: str | None = None
    seq: int = 0
    context: Body = field(default_factory=dict)
    steps: dict[int, Step] = field(default_factory=dict)
    open: list[int] = field(default_factory=list)
    status: str = Status.RUNNING
    compensation: str | None = None
    running: bool = True
    operation: Operation = Operation.START
    forwarding: bool = False
    restarts: int = 0
    since_ms: int = 0
    since_n: int = 0
    last_n: int = 0
    tokens: dict[str, int] = field(default_factory=dict)
    latest: dict[str, int] = field(default_factory=dict)
    again: dict[str, int] = field(default_factory=dict)
    subs: dict[int, Sub] = field(default_factory=dict)
    undo: list[int] = field(default_factory=list)
    undoing: bool = False
    undo_began: bool = False
    trigger: str | None = None
    choice: str | None = None
    loop: LoopRun | None = None
    thrown: Thrown | None = None
    exception: Thrown | None = None
    cause: Thrown | None = None
    fault: Thrown | None = None
    carried: Body = field(default_factory=dict)

    def forward_steps(self) -> Iterator[Step]:
        return (step for step in self.steps.values() if step.undoes is None and not step.superseded)
