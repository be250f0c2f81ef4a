"""How the status of a state, of a machine and of its compensation is decided (seata.md 1.4-1.5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kessai.kernel.errors import JsonValue
from kessai.saga.expression import Scope
from kessai.saga.history import Thrown, Verdict
from kessai.saga.language import Status
from kessai.saga.language.model import Task

TIMEOUT = "StateMachineExecutionTimeout"
DECIDABLE = (Status.SUCCEEDED, Status.FAILED, Status.UNKNOWN, Status.SKIPPED)


def matched_status(task: Task, value: JsonValue, thrown: Thrown | None) -> str | None:
    """The first Status entry that holds. Raises `ExpressionError`."""
    if not task.status:
        return None
    scope = Scope(root=value, thrown=thrown.names if thrown else (), sequence=str)
    return next((status for test, status in task.status if test.holds(scope)), None)


def step_status(task: Task, thrown: Thrown | None) -> str:
    """Without a matching Status entry, by what the current exception proves."""
    if thrown is None:
        return Status.SUCCEEDED
    if thrown.verdict in (Verdict.REFUSED, Verdict.NOT_SENT):
        return Status.FAILED
    if thrown.verdict is Verdict.UNKNOWN:
        return Status.UNKNOWN
    return Status.UNKNOWN if task.for_update or task.for_compensation else Status.FAILED


def sub_status(status: str, compensation: str | None, *, forward: bool) -> str:
    """What the end of a sub machine means for the state that called it."""
    if forward and status == Status.SUCCEEDED:
        return status
    if compensation is None or compensation == Status.FAILED:
        return status
    return Status.FAILED if compensation == Status.SUCCEEDED else Status.UNKNOWN


def machine_status(
    statuses: Iterable[str],
    thrown: Thrown | None,
    *,
    changed: bool,
    touched: bool,
    failed: bool,
) -> str:
    """`statuses` of the forward states that no retry replaced.

    `changed`: an update service succeeded among them. `touched`: one of them is an update, or
    anything was compensated. `failed`: a Fail state or an uncaught error, which cannot have
    succeeded: it is unknown once it touched something.
    """
    status = _by_states(statuses, changed=changed) or _by_exception(thrown, changed=changed)
    if failed and status == Status.SUCCEEDED:
        return Status.UNKNOWN if touched else Status.FAILED
    return status


def _by_states(statuses: Iterable[str], *, changed: bool) -> str | None:
    unsuccessful = False
    for status in statuses:
        if status == Status.UNKNOWN:
            return Status.UNKNOWN
        if status not in (Status.SUCCEEDED, Status.SKIPPED):
            unsuccessful = True
    if unsuccessful:
        return Status.UNKNOWN if changed else Status.FAILED
    return None


def _by_exception(thrown: Thrown | None, *, changed: bool) -> str:
    if thrown is None:
        return Status.SUCCEEDED
    if changed or thrown.code == TIMEOUT:
        return Status.UNKNOWN
    if thrown.verdict in (Verdict.NO_ANSWER, Verdict.UNKNOWN):
        return Status.UNKNOWN
    return Status.FAILED


def compensation_status(undone: Mapping[str, str], *, left: bool) -> str:
    """`undone`: the last status by compensation state; `left`: something was not undone at all."""
    if not left:
        good = all(status == Status.SUCCEEDED for status in undone.values())
        return Status.SUCCEEDED if good else Status.UNKNOWN
    tried = (Status.SUCCEEDED, Status.UNKNOWN)
    return Status.UNKNOWN if any(s in tried for s in undone.values()) else Status.FAILED
