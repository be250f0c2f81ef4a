"""From the log's values to what operators see."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from pydantic import JsonValue

from kessai.kernel.clock import wire
from kessai.saga.history import Event, EventKind, Run, Step, Thrown
from kessai.saga.language import Status
from kessai.saga.language.model import ServiceTask, SubStateMachine, Task
from kessai.saga.log import EventRow
from kessai.saga.records import Listed, Page, Record, Records
from kessai.saga.web.models import (
    ErrorView,
    SagaPage,
    SagaRow,
    SagaView,
    StateView,
    Timeline,
    TimelineEntry,
)

Values = dict[str, JsonValue]
# From the best to the worst: a picture shows a Loop's worst iteration.
_WORSE = (Status.SKIPPED, Status.SUCCEEDED, Status.RUNNING, Status.FAILED, Status.UNKNOWN)
UNDONE = "undone"


def page(found: Page) -> SagaPage:
    return SagaPage(items=tuple(map(row, found.items)), next_cursor=found.next_id)


def row(listed: Listed | Record) -> SagaRow:
    return SagaRow.model_validate(_row(listed))


def saga(record: Record, records: Records) -> SagaView:
    run = record.run
    times = _times(record.events)
    states = _states(record, run, times, records) if run is not None else ()
    return SagaView.model_validate(
        {
            **_row(record),
            "version": record.version,
            "defined": run is not None,
            "operation": run.operation.value if run else None,
            "context": run.context if run else {},
            "error": _error(run.exception) if run else None,
            "cause": _error(run.cause) if run else None,
            "fault": _error(run.fault) if run else None,
            "states": tuple(states),
            "actions": tuple(one.value for one in records.allowed(record)),
        }
    )


def timeline(record: Record) -> Timeline:
    attempts: dict[int, int] = {}
    return Timeline(
        id=record.row.id,
        machine=record.row.name,
        version=record.version,
        entries=tuple(_entry(one, one.event(), attempts) for one in record.events),
    )


def outcome(states: Iterable[StateView]) -> dict[str, str]:
    """What a picture shows of each state, in the order in which they were first reached."""
    found: dict[str, str] = {}
    for one in states:
        if one.superseded:
            continue
        status = UNDONE if one.undo_status == Status.SUCCEEDED else one.status
        found[one.state] = _worse(found.get(one.state), status)
    return found


def _worse(before: str | None, status: str) -> str:
    if before is None or before == status:
        return status
    # A state that is undone in part is not undone.
    known = [one for one in (before, status) if one in _WORSE]
    return max(known, key=lambda one: _WORSE.index(Status(one))) if known else status


def _row(listed: Listed | Record) -> dict[str, object]:
    one = listed.row
    return {
        "id": one.id,
        "machine": one.name,
        "machine_version": one.version,
        "business_key": one.business_key,
        "parent_id": one.parent_id,
        "status": one.status,
        "compensation": one.compensation,
        "running": bool(one.running),
        "stale": listed.stale,
        "needs_operator": bool(one.needs_operator),
        "redrives": one.redrives,
        "due_at": _time(one.due_at),
        "owner": one.owner,
        "started_at": wire(one.started_at),
        "ended_at": _time(one.ended_at),
    }


def _states(
    record: Record, run: Run, times: Mapping[int, _Times], records: Records
) -> Iterable[StateView]:
    for step in run.steps.values():
        sub = record.subs.get(step.n)
        yield _state(step, times.get(step.n, _Times()), saga(sub, records) if sub else None)


def _state(step: Step, times: _Times, sub: SagaView | None) -> StateView:
    return StateView(
        n=step.n,
        state=step.state,
        name=step.name,
        type=type(step.task).__name__,
        calls=_calls(step.task),
        status=step.status,
        undo_status=step.undo_status,
        undoes=step.undoes,
        undone_by=step.undone_by,
        again_for=step.again_for,
        superseded=step.superseded,
        attempt=step.attempt,
        token=step.token,
        input=tuple(cast("Sequence[JsonValue]", step.input)),
        output=cast("JsonValue", step.value),
        error=_error(step.error),
        started_at=times.started_at,
        ended_at=times.ended_at,
        due_at=_time(step.due_ms),
        saga=sub,
    )


def _calls(task: Task) -> str | None:
    match task:
        case ServiceTask(service=service, method=method):
            return f"{service}.{method}"
        case SubStateMachine(machine=machine):
            return machine
    return None


class _Times:
    __slots__ = ("ended_at", "started_at")

    def __init__(self) -> None:
        self.started_at: str | None = None
        self.ended_at: str | None = None


def _times(events: Sequence[EventRow]) -> Mapping[int, _Times]:
    """When each step began and ended, by its number."""
    found: dict[int, _Times] = {}
    for one in events:
        event = one.event()
        if event.kind is not EventKind.RETRY and "n" in event.body:
            n = cast("int", event.body["n"])
            found.setdefault(n, _Times()).ended_at = wire(one.at)
        for enter in _enters(event):
            found.setdefault(cast("int", enter["n"]), _Times()).started_at = wire(one.at)
    return found


def _enters(event: Event) -> Sequence[Values]:
    return cast("Sequence[Values]", event.body.get("enter") or ())


def _entry(one: EventRow, event: Event, attempts: dict[int, int]) -> TimelineEntry:
    body = cast("Values", event.body)
    is_step = event.kind in (EventKind.STEP, EventKind.RETRY, EventKind.END) and "n" in body
    attempt: int | None = None
    if is_step:
        n = cast("int", body["n"])
        attempt = attempts[n] = attempts.get(n, 0) + 1
    operation = body.get("op") if event.kind is EventKind.CLAIM else None
    by = cast("Values", body.get("by") or {})
    end = cast("Values | None", body.get("end"))
    return TimelineEntry(
        seq=one.seq,
        at=wire(one.at),
        kind=event.kind.value,
        operation=cast("str | None", operation),
        state=one.name if is_step else None,
        status=event.status,
        attempt=attempt,
        error=_error(_thrown(body)),
        enters=tuple(str(enter.get("name", enter["state"])) for enter in _enters(event)),
        compensates=bool(body.get("undo")),
        due_at=_time(cast("int | None", body.get("due"))),
        ended=(str(end["status"]), cast("str | None", end["compensation"])) if end else None,
        changed=not body.get("unchanged", False),
        actor=cast("str | None", by.get("actor")),
        reason=cast("str | None", by.get("reason")),
    )


def _thrown(body: Values) -> Thrown | None:
    """The step's own error, or what ended the machine."""
    found = body.get("error") or body.get("fault")
    return Thrown.from_json(cast("Mapping[str, JsonValue]", found)) if found else None


def _error(thrown: Thrown | None) -> ErrorView | None:
    if thrown is None:
        return None
    return ErrorView(
        type=thrown.names[0] if thrown.names else "",
        code=thrown.code,
        message=thrown.message,
        verdict=thrown.verdict.value,
        facts=cast("Values", dict(thrown.facts)),
    )


def _time(ms: int | None) -> str | None:
    return None if ms is None else wire(ms)
