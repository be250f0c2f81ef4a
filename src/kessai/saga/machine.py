"""The pure interpreter: a machine, its history and a result in; the next event and commands out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias, cast

from kessai.kernel.errors import JsonValue, Refused
from kessai.saga.expression import ExpressionError
from kessai.saga.history import Event, EventKind, Operation, Run, Step, Thrown
from kessai.saga.language import Retry, ServiceTask, Status
from kessai.saga.routing import Draft, Fault
from kessai.saga.status import matched_status, step_status


@dataclass(frozen=True, slots=True)
class Value:
    """A service answered."""

    value: JsonValue


Result: TypeAlias = Value | Thrown


@dataclass(frozen=True, slots=True)
class Call:
    """Ask the service, with the token that is the same every time this step is asked."""

    step: Step
    task: ServiceTask


@dataclass(frozen=True, slots=True)
class Wait:
    """Ask again at `due_ms`."""

    step: Step
    due_ms: int


@dataclass(frozen=True, slots=True)
class Advance:
    """No step is open, because the last ones left no row: decide again with `advance`."""


@dataclass(frozen=True, slots=True)
class Ended:
    status: str
    compensation: str | None


Command: TypeAlias = Call | Wait | Advance | Ended


def commands(run: Run, now_ms: int) -> tuple[Command, ...]:
    """What has to happen next. One command today; a Loop will have one per open iteration."""
    if not run.running:
        return (Ended(run.status, run.compensation),)
    if run.current is None:
        return (Advance(),)
    step = run.steps[run.current]
    if step.due_ms is not None and step.due_ms > now_ms:
        return (Wait(step, step.due_ms),)
    return (Call(step, run.task(step)),)


def begin(run: Run, params: Mapping[str, JsonValue]) -> Event:
    """The first event. Null parameters are dropped, as in Seata."""
    given = {key: value for key, value in params.items() if value is not None}
    if run.business_key is not None:
        given.setdefault("_business_key_", run.business_key)
    draft = Draft(run, given)
    draft.put("params", given)
    _follow(draft, run.machine.start_state)
    return draft.event(EventKind.START, run.machine.name, Status.RUNNING)


def advance(run: Run) -> Event:
    draft = Draft(run)
    _continue(draft, _last_forward(run))
    return draft.event(EventKind.STEP, run.machine.name, Status.RUNNING)


def conclude(
    run: Run, n: int, result: Result, *, now_ms: int, jitter: float, cap_s: float
) -> Event:
    """The event that the result of step `n` makes. `jitter` in [0, 1) spreads a retry's pause."""
    step = run.steps[n]
    task = run.task(step)
    if isinstance(result, Thrown):
        again = _retry(task, step, result)
        if again is not None:
            position, pause_s = again
            due = now_ms + round(min(pause_s, cap_s) * (0.5 + 0.5 * jitter) * 1000)
            body: dict[str, JsonValue] = {
                "n": n,
                "retried": position,
                "due": due,
                "error": result.to_json(),
            }
            return Event(EventKind.RETRY, task.name, Status.RUNNING, body)
    return _finish(Draft(run), task, step, result)


def recover(run: Run) -> Event:
    """A new owner takes an instance over and goes on where the history ends."""
    return Event(EventKind.CLAIM, run.machine.name, Status.RUNNING, {"op": Operation.RECOVER.value})


def redrive(run: Run) -> Event:
    """Runs what stopped an unknown instance again, in the direction in which it was going."""
    last = next(reversed(run.steps.values()), None)
    if run.compensation is None:
        return forward(run, {}, operation=Operation.REDRIVE)
    draft = Draft(run, operation=Operation.REDRIVE)
    draft.put("op", Operation.REDRIVE.value)
    draft.compensation = Status.RUNNING
    if run.undo:
        draft.guard(lambda: draft.undo_next())
    elif last is not None and last.undoes is None and last.status != Status.SUCCEEDED:
        draft.guard(lambda: draft.enter(run.task(last), retries=last))
    else:
        _follow(draft, _trigger_next(run))
    return draft.event(EventKind.CLAIM, run.machine.name, Status.RUNNING)


def forward(
    run: Run,
    params: Mapping[str, JsonValue],
    *,
    operation: Operation = Operation.FORWARD,
) -> Event:
    """Goes on after the last state that succeeded. Raises `Refused` OPERATION_DENIED."""
    step = _last_forward(run)
    if step is None and operation is Operation.FORWARD:
        raise Refused("OPERATION_DENIED", "no state to go forward from: start a new instance")
    if step is not None and step.undo_status == Status.UNKNOWN:
        raise Refused("OPERATION_DENIED", "the last state's compensation is unknown")
    draft = _reopened(run, operation, params)
    draft.status = Status.RUNNING
    _continue(draft, step)
    return draft.event(EventKind.CLAIM, run.machine.name, Status.RUNNING)


def compensate(run: Run, params: Mapping[str, JsonValue]) -> Event:
    """Undoes what is not undone yet, last step first."""
    draft = _reopened(run, Operation.COMPENSATE, params)
    draft.guard(lambda: draft.begin_compensation(trigger=None))
    return draft.event(EventKind.CLAIM, run.machine.name, Status.RUNNING)


def _reopened(run: Run, operation: Operation, params: Mapping[str, JsonValue]) -> Draft:
    given = {key: value for key, value in params.items() if value is not None}
    draft = Draft(run, given, operation=operation)
    draft.put("op", operation.value)
    if given:
        draft.put("params", given)
    return draft


def _last_forward(run: Run) -> Step | None:
    steps = [step for step in run.forward_steps() if step.undo_status != Status.SUCCEEDED]
    return steps[-1] if steps else None


def _continue(draft: Draft, step: Step | None) -> None:
    run = draft.run
    if step is None:
        _follow(draft, run.machine.start_state)
    elif step.status in (Status.SUCCEEDED, Status.SKIPPED):
        _follow(draft, run.task(step).next)
    else:
        draft.guard(lambda: draft.enter(run.task(step), retries=step))


def _follow(draft: Draft, state: str | None) -> None:
    draft.guard(lambda: draft.follow(state))


def _trigger_next(run: Run) -> str | None:
    if run.trigger is None:
        return None
    return cast("str | None", getattr(run.machine.states[run.trigger], "next", None))


def _finish(draft: Draft, task: ServiceTask, step: Step, result: Result) -> Event:
    """Status, then Output, then the route, in Seata's order (seata.md 1.3, 1.4)."""
    thrown = result if isinstance(result, Thrown) else None
    value = result.value if isinstance(result, Value) else None
    undoing = step.undoes is not None
    decided: str | None = None
    fault: Fault | None = None
    try:
        decided = matched_status(task, value, thrown)
        if decided is None and thrown is None and task.status:
            fault = Fault("NoMatchedStatus", f"state {task.name!r}: no Status entry matches")
    except ExpressionError as error:
        fault = Fault("StatusExpression", f"state {task.name!r}: Status: {error}")
    if decided not in (*_DECIDED, None):
        fault = Fault("StatusName", f"state {task.name!r}: Status has no {decided!r}")
    if fault is not None:
        decided = Status.UNKNOWN if task.for_update else Status.FAILED
    status = decided or step_status(task, undoing=undoing, thrown=thrown)
    draft.settle(step, status, value, thrown)
    _route(draft, task, step, status, thrown, fault)
    return draft.event(EventKind.STEP, task.name, status)


_DECIDED = (Status.SUCCEEDED, Status.FAILED, Status.UNKNOWN, Status.SKIPPED)


def _route(
    draft: Draft,
    task: ServiceTask,
    step: Step,
    status: str,
    thrown: Thrown | None,
    fault: Fault | None,
) -> None:
    caught = _caught_by(task, thrown) if thrown is not None else None
    if thrown is None and fault is None:
        fault = draft.assign(task)
    if fault is not None:
        draft.fail(fault)
    elif thrown is not None and caught is None:
        draft.end(failed=True)
    elif step.undoes is not None:
        draft.guard(lambda: draft.after_undo(succeeded=thrown is None and status == "SU"))
    else:
        if caught is not None:
            draft.put("caught", True)
            draft.cause = thrown
        target = caught if caught is not None else task.next
        _follow(draft, target)


def _caught_by(task: ServiceTask, thrown: Thrown) -> str | None:
    for entry in task.catch:
        if any(name in thrown.names for name in entry.exceptions):
            return entry.next
    return None


def _retry(task: ServiceTask, step: Step, thrown: Thrown) -> tuple[int, float] | None:
    """Entry and pause; each entry counts alone, and its pauses grow linearly (seata.md 1.8)."""
    for position, entry in enumerate(task.retry):
        if _retries(entry, thrown):
            done = step.retries.get(position, 0)
            if done >= entry.max_attempts:
                return None
            factor = entry.backoff_rate * done if done and entry.backoff_rate else 1
            return position, entry.interval_s * factor
    return None


def _retries(entry: Retry, thrown: Thrown) -> bool:
    if entry.exceptions:
        return any(name in thrown.names for name in entry.exceptions)
    return thrown.is_network
