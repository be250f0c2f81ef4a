"""Compensation: what is selected, in which order it is undone, and what follows (seata.md 1.6)."""

from __future__ import annotations

from kessai.saga.history import Step
from kessai.saga.interpreter.draft import Draft, Fault, Stopped
from kessai.saga.interpreter.targets import HALT, Target
from kessai.saga.language import Status
from kessai.saga.language.model import (
    IMPLICIT_COMPENSATION,
    CompensationTrigger,
    ScriptTask,
    ServiceTask,
    SubStateMachine,
    Task,
)


def begin(draft: Draft, trigger: CompensationTrigger | None) -> Target:
    """Selects what to undo; with nothing to undo the machine ends here, whatever comes next."""
    selected = [step.n for step in draft.run.steps.values() if _is_to_undo(draft, step)]
    if not selected:
        draft.end()
        return HALT
    if draft.thrown is not None:
        draft.put_exception(draft.thrown)
        draft.put_thrown(None)
    if draft.status == Status.RUNNING:
        draft.status = Status.UNKNOWN
    draft.compensation = Status.RUNNING
    draft.undo = selected
    draft.trigger = trigger.name if trigger else None
    draft.body["undo"] = [*selected]
    draft.body["trigger"] = draft.trigger
    return proceed(draft)


def is_anything_left(draft: Draft) -> bool:
    return any(_is_to_undo(draft, step) for step in draft.run.steps.values())


def _is_to_undo(draft: Draft, step: Step) -> bool:
    task = step.task
    if step.undoes is not None or not draft.counts(step):
        return False
    if not isinstance(task, ServiceTask | SubStateMachine):
        return False
    if draft.status_of(step) == Status.FAILED or draft.undo_status_of(step) == Status.SUCCEEDED:
        return False
    if undone_by(task) is not None:
        return True
    if task.for_update:
        raise Stopped(
            Fault("CompensationStateNotFound", f"state {task.name!r}: CompensateState is missing")
        )
    return False


def undone_by(task: Task) -> str | None:
    if task.compensate_state is None and isinstance(task, SubStateMachine):
        return f"{IMPLICIT_COMPENSATION}{task.name}"
    return task.compensate_state


def proceed(draft: Draft) -> Target:
    """Strictly one after the other; the first that does not succeed ends the machine."""
    if draft.undo_began:
        last = draft.last_step()
        # After a crash the last one that is known may be a forward step.
        spoilt = last is not None and last.undoes is not None and draft.status_of(last) != "SU"
        if draft.thrown is not None or spoilt:
            draft.end()
            return HALT
    while draft.undo and draft.undo[-1] not in draft.run.steps:
        draft.undo.pop()  # it left no row, so a crash has forgotten it
    if draft.undo:
        return _undo_next(draft)
    draft.body["undo_done"] = True
    trigger = draft.run.machine.states.get(draft.trigger or "")
    if not isinstance(trigger, CompensationTrigger) or not trigger.next:
        draft.end()
        return HALT
    return trigger.next


def _undo_next(draft: Draft) -> Target:
    undone = draft.run.steps[draft.undo.pop()]
    draft.body["undo_left"] = len(draft.undo)
    name = undone_by(undone.task) or ""
    try:
        task = draft.run.machine.task(name)
    except KeyError:
        draft.end()
        return HALT
    if isinstance(task, ScriptTask):
        # A script changes nothing outside of the context, so it cannot undo anything either.
        draft.end()
        return HALT
    draft.undo_began = True
    draft.enter(task, undoes=undone.n)
    return HALT
