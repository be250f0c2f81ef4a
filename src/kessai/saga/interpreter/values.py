"""What scripts, Output entries and Catch entries make of a result."""

from __future__ import annotations

from typing import cast

from kessai.kernel.errors import JsonValue
from kessai.saga.expression import ExpressionError, Scope
from kessai.saga.history import Body, Thrown, Verdict
from kessai.saga.interpreter.draft import Draft, Fault, Stopped, assignment_fault
from kessai.saga.language.model import ScriptTask, Task
from kessai.saga.script import ScriptThrown

_SCRIPT_EXCEPTION = (
    "javax.script.ScriptException",
    "java.lang.Exception",
    "java.lang.Throwable",
    "ScriptException",
)


def script_value(task: ScriptTask, scope: Scope) -> JsonValue:
    """Only the entries of a map as first Input are names in the script, null ones included.

    Raises `Stopped`, and `ScriptThrown` for an exception of the script.
    """
    try:
        values = [one.evaluate(scope) for one in task.input]
    except ExpressionError as error:
        raise Stopped(assignment_fault(task, "Input", str(error))) from error
    bindings: Body = {}
    entries = task.input[0].entries if task.input else None
    if entries is not None:
        given = cast("Body", values[0])
        bindings = {name: given.get(name) for name, _ in entries}
    return task.script.run(bindings)


def script_exception(error: ScriptThrown) -> Thrown:
    """A Catch sees the wrapper and never the exception inside (seata.md 1.8)."""
    return Thrown(_SCRIPT_EXCEPTION, f"{error.name}: {error.message}", Verdict.PLAIN, "SCRIPT")


def outputs_of(draft: Draft, task: Task, value: JsonValue) -> Body:
    """Output entries over a result; a result of null has none. Raises `Stopped`."""
    if not task.output or value is None:
        return {}
    scope: Scope | None = None
    outputs: Body = {}
    for name, template in task.output:
        if template.expression is not None and template.expression.is_root:
            outputs[name] = value
            continue
        scope = scope or Scope(root=value, sequence=draft.sequence)
        try:
            outputs[name] = cast("JsonValue", template.evaluate(scope))
        except ExpressionError as error:
            raise Stopped(assignment_fault(task, "Output", str(error))) from error
    return outputs


def assign(draft: Draft, task: Task, value: JsonValue, *, settled: bool) -> None:
    """A result's outputs into the context; the whole value of a settled step is written only once.

    A null among them stops the machine (seata.md 1.8), but not before those in front of it.
    """
    whole: list[str] = []
    parts: Body = {}
    fault: Fault | None = None
    for name, part in outputs_of(draft, task, value).items():
        if part is None:
            fault = assignment_fault(task, "Output", f"{name!r} is null")
            break
        if settled and part is value:
            whole.append(name)
        else:
            parts[name] = part
    if parts:
        draft.put_outputs(parts)
    if whole:
        draft.give(whole, value)
    if fault is not None:
        raise Stopped(fault)


def caught_by(task: Task, thrown: Thrown) -> str | None:
    for entry in task.catch:
        if any(name in thrown.names for name in entry.exceptions):
            return entry.next
    return None
