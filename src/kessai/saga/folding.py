"""Adds events to a run; folding a history rebuilds the run that wrote it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import cast

from kessai.kernel.errors import JsonValue
from kessai.saga.history import Body, Event, EventKind, LoopRun, Operation, Run, Step, Sub, Thrown
from kessai.saga.language import Status


def fold(run: Run, events: Iterable[Event]) -> Run:
    for event in events:
        apply(run, event)
        run.seq += 1
    return run


def apply(run: Run, event: Event) -> None:
    """The order below is the order in which `machine` decided the event."""
    body = event.body
    kind = event.kind
    if kind is EventKind.RETRY:
        _apply_retry(run, body)
        return
    if kind is EventKind.NOTE:
        return
    if kind is EventKind.START:
        run.since_ms = cast("int", body["at"])
    elif kind is EventKind.CLAIM:
        apply_claim(run, body)
    if params := body.get("params"):
        replace_entries(run.context, cast("Body", params))
    if "n" in body:
        _apply_result(run, event.status, body)
    if outputs := body.get("outputs"):
        run.context.update(cast("Body", outputs))
    if "thrown" in body:
        run.thrown = _marked(body, "thrown")
    if "exception" in body:
        run.exception = _marked(body, "exception")
    if "cause" in body:
        run.cause = _marked(body, "cause")
    if "choice" in body:
        run.choice = cast("str | None", body["choice"])
    if "undo" in body:
        _apply_undo(run, body)
    if "undo_left" in body:
        run.undo_began = True
        del run.undo[cast("int", body["undo_left"]) :]
    if "undo_done" in body:
        run.undoing = False
    if "last_n" in body:
        run.last_n = max(run.last_n, cast("int", body["last_n"]))
    if "looped" in body:
        run.loop = None
    if run.loop is not None or "loop" in body:
        _apply_loop(run, body)
    if enters := body.get("enter"):
        for enter in cast("Sequence[Body]", enters):
            _apply_enter(run, enter)
    if end := body.get("end"):
        _apply_end(run, body, cast("Body", end))


def replace_entries(context: Body, params: Body) -> None:
    """Parameters of a restart: null takes an entry away."""
    for key, value in params.items():
        if value is None:
            context.pop(key, None)
        else:
            context[key] = value


def apply_claim(run: Run, body: Body) -> None:
    """Takes an instance up again, as Seata's reload does: current variables are gone."""
    run.running = True
    run.since_ms = cast("int", body["at"])
    operation = Operation(cast("str", body["op"]))
    if operation is Operation.RECOVER:
        return
    run.operation = operation
    run.restarts += 1
    run.since_n = run.last_n
    run.open = []
    run.undo = []
    run.undoing = run.undo_began = False
    run.loop = run.choice = run.thrown = run.fault = None
    run.carried = {}
    reload(run)
    for n in cast("Sequence[int]", body.get("supersede", ())):
        run.steps[n].superseded = True
    if "skip" in body:
        run.steps[cast("int", body["skip"])].status = Status.SKIPPED
    run.again = dict(cast("dict[str, int]", body.get("again", {})))
    run.forwarding = bool(body.get("forward"))
    if run.forwarding:
        run.status = Status.RUNNING


def reload(run: Run) -> None:
    """What reading an instance from Seata's tables makes of it, before it is taken up again.

    A repeated attempt supersedes the earlier one, forward or undoing; in update mode it has no row
    of its own and takes the earlier one's place. Doing it twice changes nothing.
    """
    if any(step.replaces is not None for step in run.steps.values()):
        _project_updates(run)
    for step in run.steps.values():
        if step.again_for is not None and step.again_for in run.steps:
            run.steps[step.again_for].superseded = True
        undone = run.steps.get(step.undoes) if step.undoes is not None else None
        if undone is not None and undone.undone_by not in (None, step.n):
            step.superseded = True


def _project_updates(run: Run) -> None:
    order: list[Step] = []
    place: dict[int, int] = {}
    now: dict[int, int] = {}
    for step in run.steps.values():
        at = place.get(step.replaces) if step.replaces is not None else None
        if at is None:
            place[step.n] = len(order)
            order.append(step)
        else:
            before = order[at]
            now[before.n] = step.n
            place[step.n] = at
            again_for = before.again_for
            order[at] = replace(step, input=before.input, again_for=again_for, replaces=None)
    for step in order:
        while step.undoes in now:
            step.undoes = now[step.undoes]
        step.replaces = None
    run.steps = {step.n: step for step in order}
    for step in order:
        undone = run.steps.get(step.undoes) if step.undoes is not None else None
        if undone is not None and step.n >= (undone.undone_by or 0):
            undone.undone_by, undone.undo_status = step.n, step.status


def _marked(body: Body, key: str) -> Thrown | None:
    """ "error" stands for the error of the step that the same event ends."""
    value = body[key]
    if value is None:
        return None
    return Thrown.from_json(body["error"] if value == "error" else value)


def _apply_retry(run: Run, body: Body) -> None:
    step = run.steps[cast("int", body["n"])]
    entry = cast("int", body["retried"])
    step.repeats[entry] = step.repeats.get(entry, 0) + 1
    step.due_ms = cast("int", body["due"])
    step.error = Thrown.from_json(body["error"])


def _apply_result(run: Run, status: str, body: Body) -> None:
    n = cast("int", body["n"])
    step = run.steps.get(n)
    error = body.get("error")
    thrown = Thrown.from_json(error) if error else None
    if step is not None:
        run.open.remove(n)
        step.status, step.value, step.error = status, body.get("value"), thrown
        step.due_ms = None
        if step.undoes is not None and step.undoes in run.steps:
            run.steps[step.undoes].undo_status = status
        if run.loop is not None:
            _count_iteration(run.loop, status, thrown)
    if "sub" in body:
        started_by, instance_id, compensation = cast("tuple[int, str, str | None]", body["sub"])
        run.subs[started_by] = Sub(instance_id, compensation)
    for name in cast("Sequence[str]", body.get("gives", ())):
        run.context[name] = body["value"]


def _count_iteration(loop: LoopRun, status: str, thrown: Thrown | None) -> None:
    loop.active -= 1
    failed = thrown is not None and status != Status.SUCCEEDED
    loop.completed += not failed
    loop.failed = loop.failed or failed or status != Status.SUCCEEDED


def _apply_undo(run: Run, body: Body) -> None:
    run.compensation = Status.RUNNING
    if run.status == Status.RUNNING:
        run.status = Status.UNKNOWN
    run.undo = list(cast("Sequence[int]", body["undo"]))
    run.undoing = True
    run.trigger = cast("str | None", body.get("trigger"))


def _apply_loop(run: Run, body: Body) -> None:
    if "loop" in body:
        begun = cast("Body", body["loop"])
        run.loop = LoopRun(
            state=cast("str", begun["state"]),
            size=cast("int", begun["size"]),
            parallel=cast("int", begun["parallel"]),
            again=list(cast("Sequence[int]", begun["again"])),
            fresh=list(cast("Sequence[int]", begun["fresh"])),
            left=cast("int", begun["left"]),
            completed=cast("int", begun["completed"]),
        )
    loop = cast("LoopRun", run.loop)
    if "satisfied" in body:
        loop.satisfied = True
    if "iteration_fault" in body:
        loop.failed = True
        loop.fault = loop.fault or Thrown.from_json(body["iteration_fault"])
    for index in cast("Sequence[int]", body.get("lost", ())):
        take_element(loop, index)
        loop.left -= 1


def take_element(loop: LoopRun, index: int) -> None:
    (loop.again if index in loop.again else loop.fresh).remove(index)


def _apply_enter(run: Run, enter: Body) -> None:
    task = run.machine.task(cast("str", enter["state"]))
    n = cast("int", enter["n"])
    token = cast("str", enter["token"])
    given = cast("Sequence[JsonValue]", enter["input"])
    step = Step(n, task.name, task.name, token, given, task, row=n)
    if len(enter) > _PLAIN_ENTER:
        _relate(run, step, enter)
    run.tokens[step.name] = max(run.tokens.get(step.name, 0), int(token.rpartition(".")[2]))
    run.steps[n] = step
    run.latest[step.name] = n
    run.open.append(n)
    run.last_n = n
    if run.loop is not None and step.index is not None:
        take_element(run.loop, step.index)
        run.loop.left -= 1
        run.loop.active += 1
        run.loop.started.append(n)


# Number, state, token and input; whatever else is there relates the step to others.
_PLAIN_ENTER = 4


def _relate(run: Run, step: Step, enter: Body) -> None:
    step.name = cast("str", enter.get("name", step.name))
    step.index = cast("int | None", enter.get("index"))
    step.undoes = cast("int | None", enter.get("undoes"))
    step.undone_name = cast("str | None", enter.get("undone_name"))
    step.again_for = cast("int | None", enter.get("again_for"))
    step.replaces = cast("int | None", enter.get("replaces"))
    step.forwards = cast("int | None", enter.get("forwards"))
    step.key = cast("str | None", enter.get("key"))
    replaced = run.steps.get(step.replaces) if step.replaces is not None else None
    if replaced is not None:
        step.row = replaced.row
    for superseded in cast("Sequence[int]", enter.get("supersede", ())):
        run.steps[superseded].superseded = True
    if step.undoes is not None and step.undoes in run.steps:
        run.steps[step.undoes].undone_by = step.n
    if step.key is not None:
        run.context[f"{step.state}_business_key_"] = step.key


def _apply_end(run: Run, body: Body, end: Body) -> None:
    run.running = run.undoing = False
    run.open = []
    run.loop = None
    run.status = cast("str", end["status"])
    run.compensation = cast("str | None", end["compensation"])
    if fail := body.get("fail"):
        run.context.update(cast("Body", fail))
    if fault := body.get("fault"):
        run.fault = Thrown.from_json(fault)


# What an event keeps of a state that is not persisted, and what may wait for a later event.
_NOTHING: Body = {}
_RESULT_KEYS = ("n", "value", "error", "sub", "gives")
_WAITING_KEYS = ("outputs", "thrown", "cause", "choice", "last_n")


def loggable(run: Run, event: Event) -> tuple[Event | None, Body]:
    """The row of an event, if it has one, and what has to wait for the next row.

    States with IsPersist false leave no trace of their own; what they put into the context is
    carried along until an event of the run is written.
    """
    if run.machine.writes_all and not run.carried:
        return event, _NOTHING
    body = event.body
    step = run.steps.get(cast("int", body.get("n", 0)))
    enters = cast("Sequence[Body]", body.get("enter") or ())
    kept = step is None or step.task.persist
    persisted = [one for one in enters if run.machine.task(cast("str", one["state"])).persist]
    if not run.machine.persist:
        return None, {}
    if kept and len(persisted) == len(enters) and not run.carried:
        return event, {}
    if not kept and event.kind is EventKind.RETRY:
        return None, run.carried
    body = {**body}
    if not kept:
        _resolve(body)
    if len(persisted) != len(enters):
        body.pop("enter")
        if persisted:
            body["enter"] = cast("JsonValue", persisted)
        elif "undoes" in enters[0]:
            # Until something after it has a row, nobody knows that it was asked.
            body.pop("undo_left")
    keys: Body = {
        f"{one['state']}_business_key_": one["key"]
        for one in enters
        if one not in persisted and one.get("key") is not None
    }
    outputs = {
        **cast("Body", run.carried.get("outputs", {})),
        **keys,
        **cast("Body", body.get("outputs", {})),
    }
    body = {**run.carried, **body}
    if outputs:
        body["outputs"] = outputs
    # Numbers of steps that leave no trace are not given again after a restart.
    used = [cast("int", one["n"]) for one in enters]
    body["last_n"] = max([run.last_n, *used])
    if all(key in _WAITING_KEYS for key in body):
        return None, body
    return Event(event.kind, event.name, event.status, body), {}


def _resolve(body: Body) -> None:
    """Without the step's own result, but with what it changed around it."""
    given = cast("Sequence[str]", body.get("gives", ()))
    outputs: Body = dict.fromkeys(given, body.get("value"))
    outputs.update(cast("Body", body.get("outputs", {})))
    if outputs:
        body["outputs"] = outputs
    for key in ("thrown", "exception", "cause"):
        if body.get(key) == "error":
            body[key] = body["error"]
    for key in _RESULT_KEYS:
        body.pop(key, None)
