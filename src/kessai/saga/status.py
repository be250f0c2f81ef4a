"""How the status of a state, of a machine and of its compensation is decided (seata.md 1.4-1.5)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kessai.kernel.errors import JsonValue
from kessai.saga.expression import Scope
from kessai.saga.history import Step, Thrown, Verdict
from kessai.saga.language import ServiceTask, Status


def matched_status(task: ServiceTask, value: JsonValue, thrown: Thrown | None) -> str | None:
    """The first Status entry that holds. Raises `ExpressionError`."""
    if not task.status:
        return None
    scope = Scope(root=value, thrown=thrown.names if thrown else ())
    return next((status for test, status in task.status if test.holds(scope)), None)


def step_status(task: ServiceTask, *, undoing: bool, thrown: Thrown | None) -> str:
    """Without a matching Status entry, by what the exception proves."""
    if thrown is None:
        return Status.SUCCEEDED
    if thrown.verdict in (Verdict.REFUSED, Verdict.NOT_SENT):
        return Status.FAILED
    if thrown.verdict is Verdict.UNKNOWN:
        return Status.UNKNOWN
    update = task.for_update or task.for_compensation or undoing
    return Status.UNKNOWN if update else Status.FAILED


def machine_status(steps: Sequence[Step], thrown: Thrown | None, *, failed: bool) -> str:
    """Over forward steps that no retry replaced; `failed`: a Fail state or an uncaught error."""
    status = _by_steps(steps) or _by_exception(steps, thrown)
    if failed and status == Status.SUCCEEDED:
        # A machine that failed cannot have succeeded: it is unknown once it changed something.
        return Status.UNKNOWN if any(step.for_update for step in steps) else Status.FAILED
    return status


def _by_steps(steps: Sequence[Step]) -> str | None:
    statuses = [step.status for step in steps]
    if Status.UNKNOWN in statuses:
        return Status.UNKNOWN
    if Status.FAILED in statuses or Status.RUNNING in statuses:
        return Status.UNKNOWN if _changed_something(steps) else Status.FAILED
    return None


def _by_exception(steps: Sequence[Step], thrown: Thrown | None) -> str:
    if thrown is None:
        return Status.SUCCEEDED
    if _changed_something(steps) or thrown.verdict in (Verdict.NO_ANSWER, Verdict.UNKNOWN):
        return Status.UNKNOWN
    return Status.FAILED


def _changed_something(steps: Iterable[Step]) -> bool:
    return any(step.for_update and step.status == Status.SUCCEEDED for step in steps)


def compensation_status(undoing: Sequence[Step], remaining: Sequence[int], *, failed: bool) -> str:
    """`undoing` are the steps this compensation undoes; `remaining` those not undone yet."""
    if failed:
        return Status.UNKNOWN
    if all(step.undo_status == Status.SUCCEEDED for step in undoing):
        return Status.SUCCEEDED
    last_only = len(remaining) == 1
    tried = [step.undo_status for step in undoing if step.undo_status is not None]
    if last_only or Status.SUCCEEDED in tried or Status.UNKNOWN in tried:
        return Status.UNKNOWN
    return Status.FAILED
