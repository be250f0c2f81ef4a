"""Follows a machine from one task to the next; choices and scripts are passed on the way."""

from __future__ import annotations

from kessai.saga.expression import ExpressionError
from kessai.saga.history import Body
from kessai.saga.interpreter import loops, undoing
from kessai.saga.interpreter.draft import Draft, Fault, Stopped
from kessai.saga.interpreter.targets import HALT, Target
from kessai.saga.interpreter.values import assign, caught_by, script_exception, script_value
from kessai.saga.language.model import (
    Choice,
    CompensationTrigger,
    Fail,
    ScriptTask,
    Succeed,
    Task,
)
from kessai.saga.script import ScriptThrown

# States without a step between two that have one; more is a cycle of choices.
MAX_HOPS = 1_000


def follow(draft: Draft, target: Target, *, with_loop: bool = True) -> None:
    """Until a step begins or the machine ends. Raises `Stopped`.

    `with_loop` False: Seata runs the state after a CompensationTrigger without its Loop.
    """
    states = draft.run.machine.states
    for _ in range(MAX_HOPS):
        if target is HALT:
            return None
        name = target or draft.take_choice()
        state = states[name] if name is not None else None
        match state:
            case Task():
                target = _begin(draft, state, with_loop=with_loop)
            case Choice():
                draft.choice = _choose(draft, state)
                target = state.next
            case CompensationTrigger():
                target = undoing.begin(draft, state)
            case Fail():
                draft.body["fail"] = _fail_context(state)
                return draft.end(fail_state=True)
            case Succeed() | None:
                return draft.end()
        with_loop = not isinstance(state, CompensationTrigger)
    raise Stopped(
        Fault("TooManyHops", f"state {target!r}: states without a step follow each other")
    )


def _begin(draft: Draft, task: Task, *, with_loop: bool) -> Target:
    elements = loops.elements_of(draft, task) if with_loop and task.loop else []
    if elements:
        return loops.begin(draft, task, elements)
    if isinstance(task, ScriptTask):
        return _run_script(draft, task)
    draft.enter(task)
    return HALT


def _run_script(draft: Draft, task: ScriptTask) -> Target:
    try:
        value = script_value(task, draft.scope())
    except ScriptThrown as error:
        thrown = script_exception(error)
        draft.put_thrown(thrown)
        caught = caught_by(task, thrown)
        if caught is None:
            draft.fail(thrown)
            return HALT
        draft.put_cause(thrown)
        return caught
    assign(draft, task, value, settled=False)
    return task.next


def _choose(draft: Draft, choice: Choice) -> str | None:
    scope = draft.scope()
    for branch in choice.branches:
        try:
            if branch.expression.holds(scope):
                return branch.next
        except ExpressionError as error:
            raise Stopped(Fault("ChoiceExpression", f"state {choice.name!r}: {error}")) from error
    if choice.default is None:
        raise Stopped(
            Fault("StateMachineNoChoiceMatched", f"state {choice.name!r}: no choice matched")
        )
    return choice.default


def _fail_context(fail: Fail) -> Body:
    named = {
        "_statemachine_error_code_": fail.code,
        "_statemachine_error_message_": fail.message,
    }
    return {key: value for key, value in named.items() if value is not None}
