"""Follows a machine from one ServiceTask to the next, and writes down what it decided."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import cast

from kessai.kernel.errors import JsonValue
from kessai.kernel.ids import content_id
from kessai.saga.expression import Expression, ExpressionError, Form, Scope
from kessai.saga.history import (
    Event,
    EventKind,
    Operation,
    Run,
    Step,
    Thrown,
    Verdict,
    goes_forward,
)
from kessai.saga.language import (
    Choice,
    CompensationTrigger,
    Fail,
    ServiceTask,
    Status,
    Succeed,
    Template,
)
from kessai.saga.status import compensation_status, machine_status

# States without a service between two that have one; more is a cycle of choices.
MAX_HOPS = 1_000


@dataclass(frozen=True, slots=True)
class Fault:
    """The machine itself cannot go on; `code` is Seata's name for the reason where it has one."""

    code: str
    message: str

    def thrown(self) -> Thrown:
        names = ("EngineExecutionException", self.code)
        return Thrown(names, self.message, Verdict.PLAIN, code=self.code)


class _Stopped(Exception):
    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


class Draft:
    """One event in the making: reads the run, never changes it."""

    def __init__(
        self,
        run: Run,
        params: Mapping[str, JsonValue] | None = None,
        *,
        operation: Operation | None = None,
    ) -> None:
        self.run = run
        self.status = run.status
        self.compensation = run.compensation
        self.cause = run.cause
        self._operation = operation or run.operation
        fresh = operation is not None and goes_forward(run, operation)
        self._thrown = None if fresh else run.thrown
        self._context = {**run.context, **params} if params else run.context
        self._settled: Step | None = None
        self._undo = run.undo
        self._undoing = run.undoing
        self._trigger = run.trigger
        self._body: dict[str, JsonValue] = {}

    def event(self, kind: EventKind, name: str, status: str) -> Event:
        if kind is EventKind.STEP and "end" in self._body:
            kind = EventKind.END
        return Event(kind, name, status, self._body)

    def put(self, key: str, value: JsonValue) -> None:
        self._body[key] = value

    def guard(self, route: Callable[[], None]) -> None:
        """A machine that cannot go on ends, where Seata would leave it running for ever."""
        try:
            route()
        except _Stopped as stopped:
            self.fail(stopped.fault)

    def settle(self, step: Step, status: str, value: JsonValue, thrown: Thrown | None) -> None:
        self._settled = replace(step, status=status, value=value)
        self._body["n"] = step.n
        if value is not None:
            self._body["value"] = value
        if thrown is not None:
            self._body["error"] = thrown.to_json()
            self._thrown = None if status == Status.SUCCEEDED else thrown
        if step.undoes is not None and status == Status.SUCCEEDED:
            self._undo = tuple(n for n in self._undo if n != step.undoes)

    def assign(self, task: ServiceTask) -> Fault | None:
        """Output entries into the context; a service that answered null has none."""
        value = self._settled.value if self._settled else None
        if not task.output or value is None:
            return None
        scope = Scope(root=value)
        whole: list[JsonValue] = []
        parts: dict[str, JsonValue] = {}
        for name, template in task.output:
            try:
                part = cast("JsonValue", template.evaluate(scope))
            except ExpressionError as error:
                return _assignment(task, "Output", str(error))
            if part is None:
                return _assignment(task, "Output", f"{name!r} is null")
            if part is value:
                whole.append(name)
            else:
                parts[name] = part
        self._context = {**self._context, **parts, **dict.fromkeys(cast("list[str]", whole), value)}
        if whole:
            self._body["gives"] = whole
        if parts:
            self._body["outputs"] = parts
        return None

    def follow(self, name: str | None) -> None:
        """Passes states that need no service until one calls, or the machine ends."""
        for _ in range(MAX_HOPS):
            match self.run.machine.states[name] if name is not None else None:
                case ServiceTask() as task:
                    return self.enter(task)
                case Choice() as choice:
                    name = self._choose(choice)
                case CompensationTrigger() as trigger:
                    return self.begin_compensation(trigger=trigger)
                case Fail() as fail:
                    self._body["fail"] = _fail_context(fail)
                    return self.end(failed=False, fail_state=True)
                case Succeed() | None:
                    return self.end(failed=False)
        raise _Stopped(Fault("TooManyHops", f"state {name!r}: choices lead to each other"))

    def enter(
        self, task: ServiceTask, *, undoes: int | None = None, retries: Step | None = None
    ) -> None:
        replaced = retries or self._replaced(task, undoes)
        enter: dict[str, JsonValue] = {
            "n": 1 + next(reversed(self.run.steps), 0),
            "state": task.name,
            "token": self._token(task, replaced),
            "input": self._input(task),
        }
        if undoes is not None:
            enter["undoes"] = undoes
        if replaced is not None:
            enter["retries"] = replaced.n
        key = self._business_key(task)
        if key is not None:
            enter["key"] = key
        self._body["enter"] = enter

    def begin_compensation(self, *, trigger: CompensationTrigger | None) -> None:
        """Selects what to undo (seata.md 1.6); with nothing to undo the machine ends here."""
        selected: list[int] = []
        for step in self._steps():
            if step.undoes is not None or step.superseded or step.status == Status.FAILED:
                continue
            if step.undo_status == Status.SUCCEEDED:
                continue
            task = self.run.task(step)
            if task.compensate_state is not None:
                selected.append(step.n)
            elif step.for_update:
                raise _Stopped(
                    Fault("CompensationStateNotFound", f"state {task.name!r}: CompensateState")
                )
        if not selected:
            return self.end(failed=False)
        self.compensation = Status.RUNNING
        self._undo = self._undoing = tuple(selected)
        self._trigger = trigger.name if trigger else None
        self._body["undo"] = list(selected)
        self._body["trigger"] = self._trigger
        return self.undo_next()

    def undo_next(self) -> None:
        undone = self._step(self._undo[-1])
        name = self.run.task(undone).compensate_state
        task = self.run.machine.states.get(name or "")
        if not isinstance(task, ServiceTask):
            raise _Stopped(Fault("CompensationStateNotFound", f"state {name!r} cannot compensate"))
        self.enter(task, undoes=undone.n)

    def after_undo(self, *, succeeded: bool) -> None:
        """Strictly one after the other; the first that does not succeed ends the machine."""
        if not succeeded:
            self.end(failed=False)
        elif self._undo:
            self.undo_next()
        else:
            trigger = self.run.machine.states.get(self._trigger or "")
            self.follow(trigger.next if isinstance(trigger, CompensationTrigger) else None)

    def fail(self, fault: Fault) -> None:
        self._body.pop("enter", None)
        self._thrown = fault.thrown()
        self._body["fault"] = self._thrown.to_json()
        self.end(failed=True)

    def end(self, *, failed: bool, fail_state: bool = False) -> None:
        """`failed`: an uncaught exception or a fault, which also spoils a compensation."""
        steps = list(self._steps())
        status = self.status
        if status == Status.RUNNING:
            forward = [s for s in steps if s.undoes is None and not s.superseded]
            undone = self.compensation == Status.RUNNING
            status = machine_status(forward, self._thrown, failed=failed or fail_state or undone)
        compensation = self.compensation
        if compensation == Status.RUNNING:
            undoing = [step for step in steps if step.n in self._undoing]
            compensation = compensation_status(undoing, self._undo, failed=failed)
        elif (
            compensation is not None
            and self._operation is not Operation.COMPENSATE
            and status == Status.SUCCEEDED
        ):
            compensation = Status.FAILED
        self._body["end"] = {"status": status, "compensation": compensation}

    def _steps(self) -> list[Step]:
        settled = self._settled
        steps = list(self.run.steps.values())
        if settled is None:
            return steps
        return [self._seen(step, settled) for step in steps]

    def _seen(self, step: Step, settled: Step) -> Step:
        if step.n == settled.n:
            return settled
        if step.n == settled.undoes:
            return replace(step, undo_status=settled.status)
        return step

    def _step(self, n: int) -> Step:
        return self.run.steps[n]

    def _replaced(self, task: ServiceTask, undoes: int | None) -> Step | None:
        """The attempt that this one repeats: same undone step, or same state while forwarding."""
        for step in reversed(self.run.steps.values()):
            if undoes is not None:
                if step.undoes == undoes and not step.superseded:
                    return step
            elif (
                self._operation is Operation.FORWARD
                and step.state == task.name
                and step.undoes is None
                and not step.superseded
            ):
                return step
        return None

    def _token(self, task: ServiceTask, replaced: Step | None) -> str:
        """Instance, state and n: the same while the effect is unknown, a new one after a no."""
        if replaced is not None and replaced.status in (Status.RUNNING, Status.UNKNOWN):
            return replaced.token
        tokens = {step.token: None for step in self.run.steps.values() if step.state == task.name}
        return f"{self.run.instance_id}.{task.name}.{len(tokens) + 1}"

    def _input(self, task: ServiceTask) -> list[JsonValue]:
        if not task.input:
            return []
        try:
            scope = self._scope()
            return [cast("JsonValue", template.evaluate(scope)) for template in task.input]
        except ExpressionError as error:
            raise _Stopped(_assignment(task, "Input", str(error))) from error

    def _choose(self, choice: Choice) -> str:
        scope = self._scope()
        for branch in choice.branches:
            try:
                if branch.expression.holds(scope):
                    return branch.next
            except ExpressionError as error:
                raise _Stopped(
                    Fault("ChoiceExpression", f"state {choice.name!r}: {error}")
                ) from error
        if choice.default is None:
            raise _Stopped(
                Fault("StateMachineNoChoiceMatched", f"state {choice.name!r}: no choice matched")
            )
        return choice.default

    def _scope(self) -> Scope:
        cause = self.cause.to_json() if self.cause else None
        return Scope(
            root=self._context,
            variables={"exception": cause},
            thrown=self.cause.names if self.cause else (),
            sequence=self._sequence,
        )

    def _sequence(self, content: str) -> str:
        """`$Sequence.ENTITY|RULE`, from content, so that a replay meets the same value."""
        return content_id(self.run.instance_id, content, str(self.run.seq))

    def _business_key(self, task: ServiceTask) -> str | None:
        """A state's key is its first `$Sequence` (seata.md 1.7)."""
        for template in task.input:
            found = _first_sequence(template)
            if found is not None:
                return self._sequence(found.content)
        return None


def _assignment(task: ServiceTask, attribute: str, reason: str) -> Fault:
    return Fault("VariablesAssignError", f"state {task.name!r}: {attribute}: {reason}")


def _fail_context(fail: Fail) -> dict[str, JsonValue]:
    named = {
        "_statemachine_error_code_": fail.code,
        "_statemachine_error_message_": fail.message,
    }
    return {key: value for key, value in named.items() if value is not None}


def _first_sequence(template: Template) -> Expression | None:
    if template.expression is not None:
        return template.expression if template.expression.form is Form.SEQUENCE else None
    children = [child for _, child in template.entries or ()] + list(template.items or ())
    return next((found for child in children if (found := _first_sequence(child))), None)
