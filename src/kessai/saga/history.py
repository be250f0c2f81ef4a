"""What happened to one instance: events in order, and the run that folding them rebuilds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import cast

from kessai.kernel.errors import JsonValue
from kessai.saga.language import Machine, ServiceTask, Status


class EventKind(StrEnum):
    START = "start"
    STEP = "step"
    RETRY = "retry"
    END = "end"
    CLAIM = "claim"


class Operation(StrEnum):
    """Why an instance runs; a claim names it."""

    START = "start"
    RECOVER = "recover"
    REDRIVE = "redrive"
    FORWARD = "forward"
    COMPENSATE = "compensate"


class Verdict(StrEnum):
    """What an exception proves about the effect of the call."""

    REFUSED = "REFUSED"  # nothing was done, and asking again changes nothing
    NOT_SENT = "NOT_SENT"  # no connection: nothing was done
    UNKNOWN = "UNKNOWN"  # it may or may not have happened
    NO_ANSWER = "NO_ANSWER"  # sent, and the answer did not come in time
    PLAIN = "PLAIN"  # Seata's other exceptions: unknown for updates, else failed


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
        return self.verdict in (Verdict.NOT_SENT, Verdict.NO_ANSWER, Verdict.UNKNOWN)

    def to_json(self) -> dict[str, JsonValue]:
        return {
            "type": self.names[0] if self.names else "",
            "names": list(self.names),
            "message": self.message,
            "verdict": self.verdict.value,
            "code": self.code,
            "facts": dict(self.facts),
        }

    @staticmethod
    def from_json(value: Mapping[str, JsonValue]) -> Thrown:
        return Thrown(
            names=tuple(cast("Sequence[str]", value["names"])),
            message=cast("str", value["message"]),
            verdict=Verdict(cast("str", value["verdict"])),
            code=cast("str", value["code"]),
            facts=cast("Mapping[str, JsonValue]", value["facts"]),
        )


@dataclass(frozen=True, slots=True)
class Event:
    """One transition: the result of a step together with what was decided next.

    Keys of `body`, all optional: `op` of a claim, `params` merged into the context; `n` the step
    that ended, its `value` or `error`, the names it `gives` the whole value to, other `outputs`,
    `caught`; `undo` and `trigger` when compensation begins; `enter` the step that begins;
    `retried` entry and `due` of a retry; `fail`, `fault` and `end` with both statuses.
    """

    kind: EventKind
    name: str
    status: str
    body: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Step:
    """One execution of a ServiceTask; `undoes` is the number of the step it compensates."""

    n: int
    state: str
    token: str
    input: Sequence[JsonValue]
    status: str = Status.RUNNING
    value: JsonValue = None
    error: Thrown | None = None
    undoes: int | None = None
    for_update: bool = False
    undo_status: str | None = None
    superseded: bool = False
    retries: Mapping[int, int] = field(default_factory=dict)
    due_ms: int | None = None

    @property
    def attempt(self) -> int:
        return 1 + sum(self.retries.values())


@dataclass(slots=True)
class Run:
    """An instance between two events. Only `apply` changes it."""

    machine: Machine
    instance_id: str
    business_key: str | None = None
    seq: int = 0
    context: dict[str, JsonValue] = field(default_factory=dict)
    steps: dict[int, Step] = field(default_factory=dict)
    status: str = Status.RUNNING
    compensation: str | None = None
    running: bool = True
    operation: Operation = Operation.START
    undo: tuple[int, ...] = ()
    undoing: tuple[int, ...] = ()
    trigger: str | None = None
    current: int | None = None
    thrown: Thrown | None = None
    cause: Thrown | None = None
    fault: Thrown | None = None

    @property
    def compensating(self) -> bool:
        return self.compensation == Status.RUNNING

    def forward_steps(self) -> Iterator[Step]:
        return (step for step in self.steps.values() if step.undoes is None and not step.superseded)

    def task(self, step: Step) -> ServiceTask:
        return cast("ServiceTask", self.machine.states[step.state])


def fold(run: Run, events: Iterable[Event]) -> Run:
    for event in events:
        apply(run, event)
        run.seq += 1
    return run


_RESULT_KEYS = ("n", "value", "error", "gives", "outputs", "caught")


def loggable(run: Run, event: Event) -> Event | None:
    """What the log keeps of an event: states with IsPersist false leave no trace in it."""
    if not run.machine.persist:
        return None
    body = dict(event.body)
    step = run.steps.get(cast("int", body.get("n", 0)))
    if step is not None and not run.task(step).persist:
        if event.kind is EventKind.RETRY:
            return None
        for key in _RESULT_KEYS:
            body.pop(key, None)
    enter = cast("Mapping[str, JsonValue]", body.get("enter") or {})
    if enter and not cast("ServiceTask", run.machine.states[cast("str", enter["state"])]).persist:
        del body["enter"]
    if len(body) == len(event.body):
        return event
    return replace(event, body=body) if body else None


def apply(run: Run, event: Event) -> None:
    """Adds one event; the order below is the order in which `machine` decided it."""
    body = event.body
    if event.kind is EventKind.CLAIM:
        apply_claim(run, body)
    if params := body.get("params"):
        run.context.update(cast("Mapping[str, JsonValue]", params))
    if event.kind is EventKind.RETRY:
        _apply_retry(run, body)
        return
    if "n" in body:
        _apply_result(run, event.status, body)
    if "undo" in body:
        run.compensation = Status.RUNNING
        run.undoing = run.undo = tuple(cast("Sequence[int]", body["undo"]))
        run.trigger = cast("str | None", body.get("trigger"))
    if (enter := body.get("enter")) is not None:
        _apply_enter(run, cast("Mapping[str, JsonValue]", enter))
    if (end := body.get("end")) is not None:
        _apply_end(run, body, cast("Mapping[str, JsonValue]", end))


def apply_claim(run: Run, body: Mapping[str, JsonValue]) -> None:
    run.running = True
    operation = Operation(cast("str", body["op"]))
    if operation is Operation.RECOVER:
        return
    run.operation = operation
    run.current = run.fault = None
    if goes_forward(run, operation):
        run.status = Status.RUNNING
        run.thrown = None
    elif operation is Operation.REDRIVE:
        run.compensation = Status.RUNNING


def goes_forward(run: Run, operation: Operation) -> bool:
    redrive = operation is Operation.REDRIVE and run.compensation is None
    return redrive or operation is Operation.FORWARD


def _apply_retry(run: Run, body: Mapping[str, JsonValue]) -> None:
    step = run.steps[cast("int", body["n"])]
    entry = cast("int", body["retried"])
    run.steps[step.n] = replace(
        step,
        retries={**step.retries, entry: step.retries.get(entry, 0) + 1},
        due_ms=cast("int", body["due"]),
        error=Thrown.from_json(cast("Mapping[str, JsonValue]", body["error"])),
    )


def _apply_result(run: Run, status: str, body: Mapping[str, JsonValue]) -> None:
    n = cast("int", body["n"])
    run.current = None
    error = body.get("error")
    thrown = Thrown.from_json(cast("Mapping[str, JsonValue]", error)) if error else None
    step = run.steps.get(n)
    if step is not None:
        run.steps[n] = replace(
            step, status=status, value=body.get("value"), error=thrown, due_ms=None
        )
        if step.undoes is not None:
            _mark_undone(run, step.undoes, status)
    if thrown is not None:
        run.thrown = None if status == Status.SUCCEEDED else thrown
    if body.get("caught"):
        run.cause = thrown
    for name in cast("Sequence[str]", body.get("gives", ())):
        run.context[name] = body["value"]
    if outputs := body.get("outputs"):
        run.context.update(cast("Mapping[str, JsonValue]", outputs))


def _mark_undone(run: Run, n: int, status: str) -> None:
    if n in run.steps:
        run.steps[n] = replace(run.steps[n], undo_status=status)
    if status == Status.SUCCEEDED:
        run.undo = tuple(one for one in run.undo if one != n)


def _apply_enter(run: Run, enter: Mapping[str, JsonValue]) -> None:
    n = cast("int", enter["n"])
    retried = cast("int | None", enter.get("retries"))
    if retried is not None and retried in run.steps:
        run.steps[retried] = replace(run.steps[retried], superseded=True)
    state = cast("ServiceTask", run.machine.states[cast("str", enter["state"])])
    run.steps[n] = Step(
        n=n,
        state=state.name,
        token=cast("str", enter["token"]),
        input=cast("Sequence[JsonValue]", enter["input"]),
        undoes=cast("int | None", enter.get("undoes")),
        for_update=state.for_update,
    )
    if key := enter.get("key"):
        run.context[f"{state.name}_business_key_"] = key
    run.current = n


def _apply_end(run: Run, body: Mapping[str, JsonValue], end: Mapping[str, JsonValue]) -> None:
    run.running = False
    run.current = None
    run.status = cast("str", end["status"])
    run.compensation = cast("str | None", end["compensation"])
    if fail := body.get("fail"):
        run.context.update(cast("Mapping[str, JsonValue]", fail))
    if fault := body.get("fault"):
        run.fault = run.thrown = Thrown.from_json(cast("Mapping[str, JsonValue]", fault))
    if run.status == Status.SUCCEEDED and run.compensation is None:
        run.thrown = None
