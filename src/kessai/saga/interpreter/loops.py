"""A task with a Loop: one step for each element, some at once, and what their ends mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from kessai.kernel.errors import JsonValue
from kessai.saga.expression import Expression, ExpressionError, Scope
from kessai.saga.history import Body, LoopRun, Run, Step, Thrown
from kessai.saga.interpreter.draft import Draft, Fault, Stopped, assignment_fault
from kessai.saga.interpreter.targets import HALT, Target
from kessai.saga.interpreter.values import caught_by, outputs_of, script_exception, script_value
from kessai.saga.language import Status
from kessai.saga.language.model import CompensationTrigger, Loop, ScriptTask, SubStateMachine, Task
from kessai.saga.script import ScriptThrown

RESULT = "loopResult"


def elements_of(draft: Draft, task: Task) -> list[JsonValue]:
    """Empty where Seata runs the state once and without a loop: no list, or nothing in it."""
    loop = task.loop
    if loop is None or loop.collection is None:
        return []
    try:
        elements = loop.collection.evaluate(draft.scope())
    except ExpressionError as error:
        raise Stopped(Fault("LoopCollection", f"state {task.name!r}: Loop: {error}")) from error
    return elements if isinstance(elements, list) else []


@dataclass(slots=True)
class _Turn:
    """The loop as it will be after this event; `taken` elements begin with it."""

    again: Sequence[int]
    fresh: Sequence[int]
    size: int
    parallel: int
    left: int
    completed: int
    active: int = 0
    failed: bool = False
    satisfied: bool = False
    fault: Thrown | None = None
    taken: int = 0

    @staticmethod
    def of(loop: LoopRun) -> _Turn:
        return _Turn(
            loop.again,
            loop.fresh,
            loop.size,
            loop.parallel,
            loop.left,
            loop.completed,
            loop.active,
            loop.failed,
            loop.satisfied,
            loop.fault,
        )


def begin(draft: Draft, task: Task, elements: list[JsonValue]) -> Target:
    loop = cast("Loop", task.loop)
    again, fresh, completed = _elements_left(draft, task, len(elements))
    left = len(elements) - completed
    turn = _Turn(again, fresh, len(elements), max(1, min(loop.parallel, left)), left, completed)
    if isinstance(task, ScriptTask):
        return _run_scripts(draft, task, elements, turn)
    draft.body["loop"] = {
        "state": task.name,
        "size": turn.size,
        "parallel": turn.parallel,
        "again": [*again],
        "fresh": [*fresh],
        "left": left,
        "completed": completed,
    }
    return _launch(draft, task, elements, turn, ())


def _elements_left(draft: Draft, task: Task, size: int) -> tuple[list[int], list[int], int]:
    """What a forward repeats, what it starts anew, and how many are done (seata.md 1.8, Loop)."""
    if not draft.forwarding:
        return [], list(range(size)), 0
    again: list[int] = []
    met: dict[int, None] = {}
    completed = 0
    superseded: list[int] = []
    for step in draft.run.steps.values():
        if step.state != task.name or not draft.counts(step):
            continue
        index = -1 if step.index is None else step.index
        if draft.status_of(step) == Status.SUCCEEDED:
            completed += 1
        else:
            superseded.append(step.n)
            if 0 <= index < size:
                again.append(index)
        met[index] = None
    if superseded:
        draft.supersede(superseded)
        cast("list[JsonValue]", draft.body.setdefault("supersede", [])).extend(superseded)
    return again, [index for index in range(size) if index not in met], min(completed, size)


def after(draft: Draft, step: Step, status: str, thrown: Thrown | None) -> Target:
    """An iteration has ended: another one may begin, and the last one ends the loop."""
    run = draft.run
    turn = _Turn.of(cast("LoopRun", run.loop))
    turn.active -= 1
    failed = thrown is not None and status != Status.SUCCEEDED
    turn.completed += not failed
    turn.failed = turn.failed or failed or status != Status.SUCCEEDED
    try:
        outputs = outputs_of(draft, step.task, draft.value_of(step))
        null = next((name for name, part in outputs.items() if part is None), None)
        if null is not None:
            raise Stopped(assignment_fault(step.task, "Output", f"{null!r} is null"))
    except Stopped as stopped:
        lose(draft, stopped.fault.thrown())
    return _continue(draft, step.task, turn)


def lose(draft: Draft, fault: Thrown) -> None:
    """A fault inside an iteration: the others still end, and then the machine fails."""
    draft.body.setdefault("iteration_fault", fault.to_json())
    draft.iteration_fault = draft.iteration_fault or fault


def resume(draft: Draft) -> Target:
    """Goes on where a crash left a loop without an open step."""
    loop = cast("LoopRun", draft.run.loop)
    return _continue(draft, draft.run.machine.task(loop.state), _Turn.of(loop))


def _continue(draft: Draft, task: Task, turn: _Turn) -> Target:
    started = cast("LoopRun", draft.run.loop).started
    if turn.left == 0 or turn.satisfied:
        return HALT if turn.active else _finish(draft, task, turn, started)
    return _launch(draft, task, elements_of(draft, task), turn, started)


def _launch(
    draft: Draft,
    task: Task,
    elements: list[JsonValue],
    turn: _Turn,
    started: Sequence[int],
) -> Target:
    """Begins iterations while there is room: failed ones again first, and those without a check."""
    while turn.left > 0 and turn.active < turn.parallel:
        if turn.taken < len(turn.again):
            index = turn.again[turn.taken]
        else:
            place = turn.taken - len(turn.again)
            stopped = turn.failed or draft.iteration_fault is not None
            if place >= len(turn.fresh) or stopped or _is_satisfied(draft, task, turn):
                break
            index = turn.fresh[place]
        turn.taken += 1
        turn.left -= 1
        element = elements[index] if index < len(elements) else None
        try:
            draft.enter(task, index=index, element=element, forwards=_forwarded(draft, task, index))
        except Stopped as stopped_by:
            cast("list[JsonValue]", draft.body.setdefault("lost", [])).append(index)
            lose(draft, stopped_by.fault.thrown())
        else:
            turn.active += 1
    return HALT if turn.active else _finish(draft, task, turn, started)


def _forwarded(draft: Draft, task: Task, index: int) -> int | None:
    """A sub machine in a forwarded loop goes on with its instance unless that was undone."""
    run = draft.run
    before = run.latest.get(f"{task.name}-loop-{index}")
    if not (draft.forwarding and isinstance(task, SubStateMachine)) or before is None:
        return None
    step = run.steps[before]
    if draft.undo_status_of(step) == Status.SUCCEEDED:
        return None
    root = origin(run, step)
    sub = run.subs.get(root.row)
    if sub is None or sub.compensation == Status.SUCCEEDED:
        return None
    return root.row


def origin(run: Run, step: Step) -> Step:
    """The first attempt of a step, under which its sub machine was started."""
    while step.again_for is not None and step.again_for in run.steps:
        step = run.steps[step.again_for]
    return step


def _is_satisfied(draft: Draft, task: Task, turn: _Turn) -> bool:
    if turn.satisfied:
        return True
    draft.put_outputs(
        {
            "nrOfInstances": float(turn.size),
            "nrOfActiveInstances": float(turn.active),
            "nrOfCompletedInstances": float(turn.completed),
        }
    )
    try:
        holds = turn.completed >= turn.size or _condition(task).holds(draft.scope())
    except ExpressionError as error:
        message = f"state {task.name!r}: CompletionCondition: {error}"
        lose(draft, Fault("LoopCondition", message).thrown())
        return True
    if holds:
        turn.satisfied = True
        draft.body["satisfied"] = True
    return holds


def _condition(task: Task) -> Expression:
    return cast("Loop", task.loop).condition


def _run_scripts(draft: Draft, task: ScriptTask, elements: list[JsonValue], turn: _Turn) -> Target:
    """A script has no step, so all its iterations belong to one event, one after the other."""
    loop = cast("Loop", task.loop)
    results: list[JsonValue] = []
    thrown: Thrown | None = None
    for index, element in enumerate(elements):
        if _is_satisfied(draft, task, turn):
            break
        context = {**draft.context, loop.index_name: index, loop.element_name: element}
        try:
            value = script_value(task, draft.scope(context))
        except ScriptThrown as error:
            thrown = script_exception(error)
            results.append({})
            break
        results.append(outputs_of(draft, task, value))
        turn.completed += 1
    draft.put_outputs({RESULT: results})
    return _route(draft, task, [thrown] if thrown else [], draft.iteration_fault)


def _finish(draft: Draft, task: Task, turn: _Turn, started: Sequence[int]) -> Target:
    """The outputs of every iteration that was started, in that order, are the loop's result."""
    draft.body["looped"] = True
    steps = [draft.run.steps[n] for n in started]
    if steps:
        draft.put_outputs({RESULT: [_outputs(draft, step) for step in steps]})
    fault = turn.fault or draft.iteration_fault
    if not (turn.failed or fault):
        return task.next
    errors = [error for step in steps if (error := draft.error_of(step)) is not None]
    return _route(draft, task, errors, fault, failed=_uncaught(draft, steps))


def _outputs(draft: Draft, step: Step) -> Body:
    """Of an iteration; one that failed has what its Output says of nothing."""
    value = draft.value_of(step)
    scope = Scope(root=value)
    found: Body = {}
    for name, template in step.task.output:
        try:
            part = cast("JsonValue", template.evaluate(scope))
        except ExpressionError:
            continue
        if part is not None:
            found[name] = part
    return found


def _uncaught(draft: Draft, steps: Sequence[Step]) -> Thrown | None:
    """The first iteration's exception, or the one that was current before the loop."""
    for step in steps:
        error = draft.error_of(step)
        if error is not None and draft.status_of(step) != Status.SUCCEEDED:
            return error
    return draft.thrown


def _route(
    draft: Draft,
    task: Task,
    errors: Sequence[Thrown],
    fault: Thrown | None,
    *,
    failed: Thrown | None = None,
) -> Target:
    """A Catch that compensates comes first, then any Catch, then the failure itself."""
    states = draft.run.machine.states
    caught = [(name, error) for error in errors if (name := caught_by(task, error)) is not None]
    triggers = [one for one in caught if isinstance(states.get(one[0]), CompensationTrigger)]
    chosen = next(iter(triggers or caught), None)
    if chosen is not None:
        draft.put_cause(chosen[1])
        return chosen[0]
    if fault is not None:
        draft.fail(fault, fault=True)
        return HALT
    uncaught = failed or next(iter(errors), None)
    if uncaught is not None:
        draft.fail(uncaught)
        return HALT
    return task.next
