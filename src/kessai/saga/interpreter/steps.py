"""From the start of an instance and from the result of a step to the next event."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kessai.kernel.errors import JsonValue
from kessai.saga.expression import ExpressionError
from kessai.saga.history import Body, Event, EventKind, Run, Step, Thrown
from kessai.saga.interpreter import loops, undoing
from kessai.saga.interpreter.commands import Result, Value
from kessai.saga.interpreter.draft import Draft, Fault, Stopped
from kessai.saga.interpreter.flow import follow
from kessai.saga.interpreter.values import assign, caught_by
from kessai.saga.language import Status
from kessai.saga.language.model import Retry, ServiceTask, SubStateMachine, Task
from kessai.saga.status import DECIDABLE, matched_status, step_status, sub_status

NO_WAY_FORWARD = "org.apache.seata.saga.engine.exception.ForwardInvalidException"
SUB_STATUS = "_sub_statemachine_execution_status_"


def begin(
    run: Run,
    params: Mapping[str, JsonValue] | None,
    *,
    now_ms: int,
    timeout_s: float | None = None,
) -> Event:
    """The first event. Null parameters are dropped; parameters take the business key in."""
    given: Body = {key: value for key, value in (params or {}).items() if value is not None}
    if params is not None and run.business_key and not run.business_key.isspace():
        given["_business_key_"] = run.business_key
    draft = Draft(run, now_ms, timeout_s)
    draft.since_ms = now_ms
    draft.context = given
    draft.body["at"] = now_ms
    draft.body["params"] = given
    guard(draft, lambda: follow(draft, run.machine.start_state))
    return draft.event(EventKind.START, run.machine.name, Status.RUNNING)


def broken(run: Run, thrown: Thrown) -> Event:
    """Ends an instance that the engine itself cannot drive: what was under way is unknown."""
    status = Status.UNKNOWN if run.status == Status.RUNNING else run.status
    undoing = run.compensation == Status.RUNNING
    error = thrown.to_json()
    body: Body = {
        "fault": error,
        "exception": error,
        "end": {"status": status, "compensation": "UN" if undoing else run.compensation},
    }
    return Event(EventKind.END, run.machine.name, Status.UNKNOWN, body)


def advance(run: Run, *, now_ms: int, timeout_s: float | None = None) -> Event:
    """Decides again where a crash left no step open."""
    draft = Draft(run, now_ms, timeout_s)
    guard(draft, lambda: _advance(draft))
    return draft.event(EventKind.STEP, run.machine.name, Status.RUNNING)


def _advance(draft: Draft) -> None:
    run = draft.run
    if run.undoing:
        return follow(draft, undoing.proceed(draft), with_loop=False)
    if run.loop is not None:
        return follow(draft, loops.resume(draft))
    last = next((step for step in reversed(list(run.forward_steps()))), None)
    if last is None:
        return follow(draft, run.machine.start_state)
    caught = caught_by(last.task, last.error) if last.error is not None else None
    if caught is not None or last.status in (Status.SUCCEEDED, Status.SKIPPED):
        return follow(draft, caught or last.task.next)
    draft.again = {last.name: last.n}
    return draft.enter(last.task)


def guard(draft: Draft, route: Callable[[], None]) -> None:
    """A machine that cannot go on ends, where Seata would leave it running for ever."""
    try:
        route()
    except Stopped as stopped:
        draft.fail(stopped.fault.thrown(), fault=True)


def conclude(
    run: Run,
    n: int,
    result: Result,
    *,
    now_ms: int,
    jitter: float,
    cap_s: float,
    timeout_s: float | None = None,
) -> Event:
    """The event that the result of step `n` makes. `jitter` in [0, 1) spreads a retry's pause."""
    step = run.steps[n]
    if isinstance(result, Thrown) and step.task.retry:
        again = _retry(step, result)
        if again is not None:
            position, pause_s = again
            due = now_ms + round(min(pause_s, cap_s) * (0.5 + 0.5 * jitter) * 1000)
            body: Body = {"n": n, "retried": position, "due": due, "error": result.to_json()}
            return Event(EventKind.RETRY, step.name, Status.RUNNING, body)
    draft = Draft(run, now_ms, timeout_s)
    status = _finish(draft, step, result)
    return draft.event(EventKind.STEP, step.name, status)


def _finish(draft: Draft, step: Step, result: Result) -> str:
    """Status, then Output, then the route, in Seata's order (seata.md 1.3, 1.4)."""
    value, thrown, given = _parts(draft, step, result)
    current = thrown or draft.thrown
    status, fault = _status(step.task, value, current, given)
    draft.settle(step, status, value, thrown)
    if draft.run.loop is not None and step.index is not None and step.undoes is None:
        if fault is not None:
            loops.lose(draft, fault.thrown())
        elif status == Status.SUCCEEDED and thrown is None:
            draft.put_thrown(None)
        guard(draft, lambda: follow(draft, loops.after(draft, step, status, thrown)))
        return status
    if fault is None:
        if status == Status.SUCCEEDED:
            draft.put_thrown(None)
        elif thrown is not None:
            draft.put_thrown(thrown, marker="error")
    guard(draft, lambda: _route(draft, step, value, thrown, fault))
    return status


def _parts(draft: Draft, step: Step, result: Result) -> tuple[JsonValue, Thrown | None, str | None]:
    """Value, exception, and the status that a sub machine already gives."""
    if isinstance(result, Value):
        return result.value, None, None
    if isinstance(result, Thrown):
        # A sub machine that cannot go on leaves its caller with the status that it had.
        before = draft.run.steps.get(step.again_for or 0)
        denied = NO_WAY_FORWARD in result.names and step.forwards is not None
        return None, result, before.status if denied and before is not None else None
    draft.body["sub"] = [result.started_by, result.instance_id, result.compensation]
    if result.thrown is not None:
        return None, result.thrown, None
    if not isinstance(step.task, SubStateMachine):
        return dict(result.context), None, result.compensation
    status = sub_status(result.status, result.compensation, forward=draft.forwarding)
    return {**result.context, SUB_STATUS: status}, None, status


def _status(
    task: Task, value: JsonValue, thrown: Thrown | None, given: str | None
) -> tuple[str, Fault | None]:
    is_async = isinstance(task, ServiceTask) and task.is_async
    matched: str | None = None
    fault: Fault | None = None
    if task.status and not is_async:
        try:
            matched = matched_status(task, value, thrown)
        except ExpressionError as error:
            fault = Fault("StatusExpression", f"state {task.name!r}: Status: {error}")
        if matched == Status.RUNNING:
            # The entry matched, so no later one is asked, but it decides nothing.
            matched = None
        if matched is None and thrown is None and given in (None, "RU") and fault is None:
            fault = Fault("NoMatchedStatus", f"state {task.name!r}: no Status entry matches")
        if matched is not None and matched not in DECIDABLE:
            fault = Fault("StatusName", f"state {task.name!r}: Status has no {matched!r}")
    if fault is not None:
        return (Status.UNKNOWN if task.for_update else Status.FAILED), fault
    return matched or given or step_status(task, thrown), None


def _route(
    draft: Draft, step: Step, value: JsonValue, thrown: Thrown | None, fault: Fault | None
) -> None:
    if fault is not None:
        raise Stopped(fault)
    assign(draft, step.task, value, settled=True)
    target = step.task.next
    if thrown is not None:
        caught = caught_by(step.task, thrown)
        if caught is None:
            return draft.fail(thrown)
        draft.put_cause(thrown, marker="error")
        target = caught
    if draft.run.undoing:
        return follow(draft, undoing.proceed(draft), with_loop=False)
    return follow(draft, target)


def _retry(step: Step, thrown: Thrown) -> tuple[int, float] | None:
    """Entry and pause; each entry counts alone, and its pauses grow linearly (seata.md 1.8)."""
    if not isinstance(step.task, ServiceTask):
        return None
    for position, entry in enumerate(step.task.retry):
        if _retries(entry, thrown):
            done = step.repeats.get(position, 0)
            if done >= entry.max_attempts:
                return None
            factor = entry.backoff_rate * done if done and entry.backoff_rate else 1
            return position, entry.interval_s * factor
    return None


def _retries(entry: Retry, thrown: Thrown) -> bool:
    if entry.exceptions:
        return any(name in thrown.names for name in entry.exceptions)
    return thrown.is_network
