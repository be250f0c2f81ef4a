"""One event in the making: reads the run, never changes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from kessai.kernel.errors import JsonValue
from kessai.kernel.ids import content_id
from kessai.saga.expression import ExpressionError, Form, Scope
from kessai.saga.history import Body, Event, EventKind, Run, Step, Thrown, Verdict
from kessai.saga.language import Status
from kessai.saga.language.model import ServiceTask, SubStateMachine, Task, Template
from kessai.saga.status import TIMEOUT, compensation_status, machine_status

_ENGINE_EXCEPTION = (
    "org.apache.seata.saga.engine.exception.EngineExecutionException",
    "org.apache.seata.common.exception.FrameworkException",
    "java.lang.RuntimeException",
    "java.lang.Exception",
    "java.lang.Throwable",
    "EngineExecutionException",
)


@dataclass(frozen=True, slots=True)
class Fault:
    """The machine itself cannot go on; `code` is Seata's name for the reason where it has one."""

    code: str
    message: str

    def thrown(self) -> Thrown:
        names = (*_ENGINE_EXCEPTION, self.code)
        return Thrown(names, self.message, Verdict.PLAIN, code=self.code)


class Stopped(Exception):
    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


class Draft:
    """What will be written, and the run as it will be once that is applied.

    `timeout_s` bounds the time since the last start or restart (seata.md 1.3).
    """

    __slots__ = (
        "_last_n",
        "_sequences",
        "_settled",
        "_settled_error",
        "_settled_status",
        "_superseded",
        "_timeout_s",
        "again",
        "body",
        "cause",
        "choice",
        "compensation",
        "context",
        "exception",
        "forwarding",
        "iteration_fault",
        "now_ms",
        "run",
        "since_ms",
        "since_n",
        "skipped",
        "status",
        "thrown",
        "trigger",
        "undo",
        "undo_began",
    )

    def __init__(self, run: Run, now_ms: int, timeout_s: float | None = None) -> None:
        self.run = run
        self.now_ms = now_ms
        self.context = run.context
        self.status = run.status
        self.compensation = run.compensation
        self.thrown = run.thrown
        self.exception = run.exception
        self.cause = run.cause
        self.choice = run.choice
        self.trigger = run.trigger
        self.undo = [*run.undo]
        self.undo_began = run.undo_began
        self.iteration_fault: Thrown | None = None
        self.skipped: Step | None = None
        self.again: Mapping[str, int] = run.again
        self.forwarding = run.forwarding
        self.since_n = run.since_n
        self.since_ms = run.since_ms
        self.body: Body = {}
        self._timeout_s = run.machine.timeout_s or timeout_s
        self._last_n = run.last_n
        self._settled: Step | None = None
        self._settled_status = ""
        self._settled_error: Thrown | None = None
        self._superseded: list[int] = []
        self._sequences = 0

    def event(self, kind: EventKind, name: str, status: str) -> Event:
        if kind is EventKind.STEP and "end" in self.body:
            kind = EventKind.END
        if self.choice != self.run.choice:
            self.body["choice"] = self.choice
        return Event(kind, name, status, self.body)

    # --- the run as it will be -------------------------------------------------------------

    def status_of(self, step: Step) -> str:
        if step is self.skipped:
            return Status.SKIPPED
        return self._settled_status if step is self._settled else step.status

    def value_of(self, step: Step) -> JsonValue:
        return self.body.get("value") if step is self._settled else step.value

    def error_of(self, step: Step) -> Thrown | None:
        return self._settled_error if step is self._settled else step.error

    def undo_status_of(self, step: Step) -> str | None:
        settled = self._settled
        if settled is not None and settled.undoes == step.n:
            return self._settled_status
        return step.undo_status

    def counts(self, step: Step) -> bool:
        return not step.superseded and step.n not in self._superseded

    def last_step(self) -> Step | None:
        return self._settled or next(reversed(self.run.steps.values()), None)

    # --- results ---------------------------------------------------------------------------

    def settle(self, step: Step, status: str, value: JsonValue, error: Thrown | None) -> None:
        self._settled = step
        self._settled_status = status
        self._settled_error = error
        self.body["n"] = step.n
        if value is not None:
            self.body["value"] = value
        if error is not None:
            self.body["error"] = error.to_json()

    def put_thrown(self, thrown: Thrown | None, *, marker: JsonValue = None) -> None:
        """`marker` "error" where it is the error of the step that this event ends."""
        if thrown is not self.thrown:
            self.thrown = thrown
            self.body["thrown"] = marker or (thrown.to_json() if thrown else None)

    def put_exception(self, thrown: Thrown | None) -> None:
        if thrown is not self.exception:
            self.exception = thrown
            self.body["exception"] = thrown.to_json() if thrown else None

    def put_cause(self, thrown: Thrown, *, marker: JsonValue = None) -> None:
        self.cause = thrown
        self.body["cause"] = marker or thrown.to_json()

    def take_choice(self) -> str | None:
        """What the last Choice chose, for a state that has no Next (seata.md 1.3, route)."""
        chosen, self.choice = self.choice, None
        return chosen

    def put_outputs(self, outputs: Body) -> None:
        """New entries of the context; the run's own mapping stays as it is."""
        self.context = {**self.context, **outputs}
        cast("Body", self.body.setdefault("outputs", {})).update(outputs)

    def give(self, names: list[str], value: JsonValue) -> None:
        """The whole result of the settled step under these names, written only once."""
        self.context = {**self.context, **dict.fromkeys(names, value)}
        self.body["gives"] = cast("list[JsonValue]", names)

    def scope(self, context: Mapping[str, JsonValue] | None = None) -> Scope:
        cause = self.cause
        return Scope(
            root=self.context if context is None else context,
            variables={"exception": cause.to_json()} if cause else {},
            thrown=cause.names if cause else (),
            sequence=self.sequence,
        )

    def sequence(self, content: str) -> str:
        """`$Sequence.ENTITY|RULE`, from content, so that a replay meets the same value."""
        self._sequences += 1
        run = self.run
        # `seq` alone stands still between states that leave no row.
        place = (str(run.seq), str(run.last_n), str(self._sequences))
        return content_id(run.instance_id, content, *place)

    # --- steps that begin ------------------------------------------------------------------

    def enter(
        self,
        task: Task,
        *,
        undoes: int | None = None,
        index: int | None = None,
        element: JsonValue = None,
        forwards: int | None = None,
    ) -> None:
        """Raises `Stopped` when the time is up or an Input entry has no value."""
        self._check_time(task)
        self._last_n += 1
        name = task.name if index is None else f"{task.name}-loop-{index}"
        enter: Body = {"n": self._last_n, "state": task.name}
        if index is not None:
            enter["name"] = name
            enter["index"] = index
        self._put_input(enter, task, index, element)
        before = self._put_relations(enter, task, name, undoes)
        enter["token"] = self._token(name, before)
        if forwards is not None:
            enter["forwards"] = forwards
        cast("list[JsonValue]", self.body.setdefault("enter", [])).append(enter)

    def _check_time(self, task: Task) -> None:
        if self._timeout_s is None or self.now_ms - self.since_ms <= self._timeout_s * 1000:
            return
        message = f"state {task.name!r}: the machine has run for more than {self._timeout_s} s"
        raise Stopped(Fault(TIMEOUT, message))

    def _put_input(self, enter: Body, task: Task, index: int | None, element: JsonValue) -> None:
        if not task.input:
            enter["input"] = []
            return
        context: Mapping[str, JsonValue] = self.context
        if index is not None and task.loop is not None:
            extra = {task.loop.index_name: index, task.loop.element_name: element}
            context = {**context, **extra}
        scope = self.scope(context)
        first = self._sequences
        try:
            enter["input"] = [cast("JsonValue", one.evaluate(scope)) for one in task.input]
        except ExpressionError as error:
            raise Stopped(assignment_fault(task, "Input", str(error))) from error
        if self._sequences > first and isinstance(task, ServiceTask | SubStateMachine):
            # A state's key is its first `$Sequence` (seata.md 1.7): the first that was asked for.
            enter["key"] = _first_sequence(task, enter["input"])

    def _put_relations(self, enter: Body, task: Task, name: str, undoes: int | None) -> Step | None:
        """Which earlier step this one undoes or repeats; returns that earlier attempt."""
        run = self.run
        if undoes is not None:
            undone = run.steps[undoes]
            enter["undoes"] = undoes
            if not undone.task.persist:
                enter["undone_name"] = undone.name
            attempt = undone.undone_by
            if attempt is not None:
                self._put_update(enter, attempt, task.compensation_updates, of_retry=False)
            return None if attempt is None else run.steps.get(attempt)
        again_for = run.latest.get(name) if "index" in enter else self.again.get(name)
        if again_for is None and self.forwarding and not task.for_compensation:
            again_for = run.latest.get(name)
            if again_for is not None:
                self._superseded.append(again_for)
                enter["supersede"] = [again_for]
        if again_for is None:
            return None
        enter["again_for"] = again_for
        self._put_update(enter, again_for, task.retry_updates, of_retry=True)
        return run.steps.get(again_for)

    def _put_update(self, enter: Body, n: int, updates: bool | None, *, of_retry: bool) -> None:
        if updates is None:
            machine = self.run.machine
            updates = machine.retry_updates if of_retry else machine.compensation_updates
        if updates:
            enter["replaces"] = n

    def _token(self, name: str, before: Step | None) -> str:
        """Instance, step and serial: the same while the effect is unknown, then a new one."""
        if before is not None and self._is_unknown(before.token):
            return before.token
        return f"{self.run.instance_id}.{name}.{self.run.tokens.get(name, 0) + 1}"

    def _is_unknown(self, token: str) -> bool:
        """The newest attempt counts; and what was undone may not be taken for done."""
        attempts = (step for step in reversed(self.run.steps.values()) if step.token == token)
        last = next(attempts)
        if self.undo_status_of(last) == Status.SUCCEEDED:
            return False
        return self.status_of(last) in (Status.RUNNING, Status.UNKNOWN)

    def supersede(self, numbers: list[int]) -> None:
        self._superseded += numbers

    # --- ends ------------------------------------------------------------------------------

    def fail(self, thrown: Thrown, *, fault: bool = False) -> None:
        """An uncaught exception or a fault, which also spoils a compensation (seata.md 1.5)."""
        for key in ("enter", "loop", "satisfied", "lost"):
            self.body.pop(key, None)
        if fault:
            self.body["fault"] = thrown.to_json()
        if self.status == Status.RUNNING:
            self.status = self._forward_status(thrown, failed=True)
        else:
            self.compensation = Status.UNKNOWN
        self.put_exception(thrown)
        self._put_end()

    def end(self, *, fail_state: bool = False) -> None:
        if self.thrown is not None:
            self.put_exception(self.thrown)
        if self.compensation == Status.RUNNING:
            undone = dict(self._compensations())
            self.compensation = compensation_status(undone, left=bool(self.undo))
        elif self.status == Status.RUNNING:
            self.status = self._forward_status(self.thrown, failed=fail_state)
        if self.compensation is not None and self.forwarding and self.status == "SU":
            self.compensation = Status.FAILED
        self._put_end()

    def _put_end(self) -> None:
        if self.status == Status.SUCCEEDED:
            self.put_exception(None)
        self.body["end"] = {"status": self.status, "compensation": self.compensation}

    def _forward_status(self, thrown: Thrown | None, *, failed: bool) -> str:
        statuses: list[str] = []
        changed = touched = False
        for step in self.run.steps.values():
            if not self.counts(step):
                continue
            touched = touched or step.task.for_update or step.undoes is not None
            if step.undoes is not None:
                continue
            status = self.status_of(step)
            statuses.append(status)
            if status == Status.SUCCEEDED and step.task.for_update:
                changed = changed or isinstance(step.task, ServiceTask)
        return machine_status(statuses, thrown, changed=changed, touched=touched, failed=failed)

    def _compensations(self) -> Iterator[tuple[str, str]]:
        """The last status of each compensation state that ran since the last restart."""
        for step in self.run.steps.values():
            if step.n > self.since_n and (step.undoes is not None or step.task.for_compensation):
                yield step.name, self.status_of(step)


def assignment_fault(task: Task, attribute: str, reason: str) -> Fault:
    return Fault("VariablesAssignError", f"state {task.name!r}: {attribute}: {reason}")


def _first_sequence(task: Task, values: JsonValue) -> str | None:
    """The value that the first `$Sequence` of the Input got, if it stands where it is kept."""
    for template, value in zip(task.input, cast("list[JsonValue]", values), strict=True):
        found = _sequence_in(template, value)
        if found is not None:
            return found
    return None


def _sequence_in(template: Template, value: JsonValue) -> str | None:
    if template.expression is not None:
        return (
            str(value) if template.expression.form is Form.SEQUENCE and value is not None else None
        )
    if template.entries is not None and isinstance(value, dict):
        pairs = [(one, value[key]) for key, one in template.entries if key in value]
    elif template.items is not None and isinstance(value, list):
        pairs = list(zip(template.items, value, strict=True))
    else:
        return None
    return next((found for one, part in pairs if (found := _sequence_in(one, part))), None)
