"""What takes an instance up again: recovery, a redrive, and an operator's three operations.

But for a recovery, `run` has been through `folding.reload`.
"""

from __future__ import annotations

from collections.abc import Mapping

from kessai.kernel.errors import JsonValue, Refused
from kessai.saga.folding import replace_entries
from kessai.saga.history import Body, Event, EventKind, Operation, Run, Step
from kessai.saga.interpreter import loops, undoing
from kessai.saga.interpreter.draft import Draft
from kessai.saga.interpreter.flow import follow
from kessai.saga.interpreter.loops import origin
from kessai.saga.interpreter.steps import guard
from kessai.saga.language import Status
from kessai.saga.language.model import CompensationTrigger, SubStateMachine
from kessai.saga.status import TIMEOUT


class NoWayForward(Refused):
    """Nothing to go forward from; a sub machine's caller keeps the status that it had."""

    def __init__(self, message: str) -> None:
        super().__init__("OPERATION_DENIED", message)


class Unchanged(Exception):
    """Nothing to do: the instance is where the operation would bring it."""


def recover(run: Run, *, now_ms: int) -> Event:
    """A new owner takes an instance over and goes on where the history ends."""
    body: Body = {"op": Operation.RECOVER.value, "at": now_ms}
    return Event(EventKind.CLAIM, run.machine.name, Status.RUNNING, body)


def forward(
    run: Run, params: Mapping[str, JsonValue], *, now_ms: int, timeout_s: float | None = None
) -> Event:
    """Goes on after the last state that succeeded, or repeats the one that did not.

    Raises `Unchanged`, and `Refused` OPERATION_DENIED.
    """
    _check_forward(run)
    step = _last_forward(run)
    if step is None:
        raise NoWayForward("no state to go forward from: start a new instance")
    draft = _reopened(run, Operation.FORWARD, params, now_ms, timeout_s)
    _forward(draft, _wanted(draft, step))
    return _claim(draft)


def skip(
    run: Run, params: Mapping[str, JsonValue], *, now_ms: int, timeout_s: float | None = None
) -> Event:
    """Counts the state that failed as skipped and goes on after it (seata.md 1.8: Seata's own
    skipAndForward repeats the state). Raises as `forward` does.
    """
    _check_forward(run)
    step = _last_forward(run)
    if step is None:
        raise NoWayForward("no state to skip: start a new instance")
    draft = _reopened(run, Operation.SKIP, params, now_ms, timeout_s)
    step = _wanted(draft, step)
    if step.status == Status.SUCCEEDED:
        _forward(draft, step)
        return _claim(draft)
    _go_forward(draft, step)
    draft.body["skip"] = step.n
    draft.skipped = step
    guard(draft, lambda: follow(draft, step.task.next))
    return _claim(draft)


def compensate(
    run: Run, params: Mapping[str, JsonValue], *, now_ms: int, timeout_s: float | None = None
) -> Event:
    """Undoes what is not undone yet, last step first. Raises `Unchanged`."""
    if run.compensation == Status.SUCCEEDED:
        raise Unchanged
    draft = _reopened(run, Operation.COMPENSATE, params, now_ms, timeout_s)
    guard(draft, lambda: follow(draft, undoing.begin(draft, None)))
    return _claim(draft)


def redrive(run: Run, *, now_ms: int, timeout_s: float | None = None) -> Event:
    """Runs what stopped an unknown instance again, in the direction in which it was going.

    An instance that ran out of time follows its RecoverStrategy (seata.md 1.9).
    """
    timed_out = run.fault is not None and run.fault.code == TIMEOUT
    draft = _reopened(run, Operation.REDRIVE, {}, now_ms, timeout_s)
    if run.compensation is not None:
        guard(draft, lambda: _undo_again(draft))
    elif timed_out and not run.machine.recover_forward:
        guard(draft, lambda: follow(draft, undoing.begin(draft, None)))
    else:
        guard(draft, lambda: _go_on(draft))
    return _claim(draft)


def _go_on(draft: Draft) -> None:
    """Forward again; where that is denied, the instance ends as it was, for a person to look at."""
    run = draft.run
    try:
        step = _last_forward(run)
        if step is not None:
            return _forward(draft, _wanted(draft, step))
    except Unchanged:
        return follow(draft, None)
    except Refused as error:
        draft.body["denied"] = str(error)
        draft.body["end"] = {"status": run.status, "compensation": run.compensation}
        return None
    draft.forwarding = draft.body["forward"] = True
    draft.status = Status.RUNNING
    return follow(draft, run.machine.start_state)


def _undo_again(draft: Draft) -> None:
    """What is not undone yet, and then whatever came after the trigger and did not succeed."""
    run = draft.run
    trigger = run.machine.states.get(run.trigger or "")
    known = trigger if isinstance(trigger, CompensationTrigger) else None
    if undoing.is_anything_left(draft):
        return follow(draft, undoing.begin(draft, known), with_loop=False)
    draft.compensation = Status.RUNNING
    draft.body["undo"] = []
    draft.body["trigger"] = run.trigger
    draft.body["undo_done"] = True
    last = draft.last_step()
    if last is not None and last.undoes is None and last.status != Status.SUCCEEDED:
        draft.again = {last.name: last.n}
        draft.supersede([last.n])
        draft.body["supersede"] = [last.n]
        return draft.enter(last.task)
    return follow(draft, known.next if known else None, with_loop=False)


def _reopened(
    run: Run,
    operation: Operation,
    params: Mapping[str, JsonValue],
    now_ms: int,
    timeout_s: float | None,
) -> Draft:
    """The variables of an earlier execution are gone; its context and its exception stay."""
    draft = Draft(run, now_ms, timeout_s)
    draft.since_ms = now_ms
    draft.since_n = run.last_n
    draft.thrown = draft.choice = None
    draft.forwarding = draft.undo_began = False
    draft.again = {}
    draft.undo = []
    draft.body["op"] = operation.value
    draft.body["at"] = now_ms
    if params:
        draft.context = {**draft.context}
        replace_entries(draft.context, dict(params))
        draft.body["params"] = dict(params)
    return draft


def _claim(draft: Draft) -> Event:
    return draft.event(EventKind.CLAIM, draft.run.machine.name, Status.RUNNING)


def _check_forward(run: Run) -> None:
    if run.status == Status.SUCCEEDED:
        if run.compensation is None:
            raise Unchanged
        raise Refused("OPERATION_DENIED", "the instance succeeded and was compensated since")


def _last_forward(run: Run) -> Step | None:
    """The newest step that was not undone. Raises `Refused` where its undoing is unknown."""
    for step in reversed(list(run.steps.values())):
        if step.undoes is not None or step.undo_status == Status.SUCCEEDED:
            continue
        undone = step.undo_status
        if isinstance(step.task, SubStateMachine):
            sub = run.subs.get(origin(run, step).row)
            undone = sub.compensation if sub else None
            if undone == Status.SUCCEEDED:
                continue
        if undone == Status.UNKNOWN:
            raise NoWayForward("the last state's compensation is unknown")
        return step
    return None


def _wanted(draft: Draft, step: Step) -> Step:
    """In a Loop, the newest iteration that did not succeed instead of one that did."""
    if step.status != Status.SUCCEEDED or not loops.elements_of(draft, step.task):
        return step
    for other in reversed(list(draft.run.steps.values())):
        if other.state == step.state and other.status != Status.SUCCEEDED:
            return other
    return step


def _go_forward(draft: Draft, step: Step) -> None:
    draft.forwarding = draft.body["forward"] = True
    draft.status = Status.RUNNING
    draft.again = {step.name: step.n}
    draft.body["again"] = {step.name: step.n}


def _forward(draft: Draft, step: Step) -> None:
    if step.status == Status.SUCCEEDED and step.task.next is None:
        raise Unchanged
    _go_forward(draft, step)
    if step.status == Status.SUCCEEDED:
        guard(draft, lambda: follow(draft, step.task.next))
        return
    draft.supersede([step.n])
    draft.body["supersede"] = [step.n]
    guard(draft, lambda: _repeat(draft, step))


def _repeat(draft: Draft, step: Step) -> None:
    elements = loops.elements_of(draft, step.task)
    if elements:
        return follow(draft, loops.begin(draft, step.task, elements))
    forwards: int | None = None
    if isinstance(step.task, SubStateMachine) and step.undo_status != Status.SUCCEEDED:
        forwards = origin(draft.run, step).row
    return draft.enter(step.task, forwards=forwards)
