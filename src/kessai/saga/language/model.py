"""The state types of Seata's Saga State Language as frozen dataclasses (seata.md 1.1, 1.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self, TypeAlias

from kessai.kernel.errors import JsonValue
from kessai.saga.expression import Expression, Scope
from kessai.saga.language.findings import Finding, summary
from kessai.saga.script import Script

# What undoes a SubStateMachine that names no CompensateState has this name and the state's.
IMPLICIT_COMPENSATION = "_compensate_sub_machine_state_"


class Status(StrEnum):
    """Of a state, of a machine and of its compensation (seata.md 1.4, 1.5)."""

    RUNNING = "RU"
    SUCCEEDED = "SU"
    FAILED = "FA"
    UNKNOWN = "UN"
    SKIPPED = "SK"


class DefinitionError(Exception):
    """A definition that cannot run; the message names the state and the attribute."""

    def __init__(self, message: str, findings: tuple[Finding, ...] = ()) -> None:
        super().__init__(message)
        self.findings = findings

    @classmethod
    def because(cls, findings: tuple[Finding, ...]) -> Self:
        return cls(summary(findings), findings)


@dataclass(frozen=True, slots=True)
class Template:
    """One Input or Output value: a literal, an expression, or a map or list of templates."""

    literal: JsonValue = None
    expression: Expression | None = None
    entries: tuple[tuple[str, Template], ...] | None = None
    items: tuple[Template, ...] | None = None

    def evaluate(self, scope: Scope) -> object:
        """Map entries that are null are left out, list items stay (seata.md 1.8)."""
        if self.expression is not None:
            return self.expression.evaluate(scope)
        if self.entries is not None:
            pairs = ((key, template.evaluate(scope)) for key, template in self.entries)
            return {key: value for key, value in pairs if value is not None}
        if self.items is not None:
            return [template.evaluate(scope) for template in self.items]
        return self.literal


@dataclass(frozen=True, slots=True)
class Retry:
    exceptions: tuple[str, ...]
    interval_s: float
    backoff_rate: float
    max_attempts: int


@dataclass(frozen=True, slots=True)
class Catch:
    exceptions: tuple[str, ...]
    next: str


@dataclass(frozen=True, slots=True)
class Loop:
    """Runs a task once for each element; `collection` is None when nothing can be a list."""

    parallel: int
    collection: Expression | None
    element_name: str
    index_name: str
    condition: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What ServiceTask, ScriptTask, SubStateMachine and CompensateSubMachine have in common."""

    name: str
    next: str | None = None
    input: tuple[Template, ...] = ()
    output: tuple[tuple[str, Template], ...] = ()
    status: tuple[tuple[Expression, str], ...] = ()
    retry: tuple[Retry, ...] = ()
    catch: tuple[Catch, ...] = ()
    loop: Loop | None = None
    compensate_state: str | None = None
    for_update: bool = False
    for_compensation: bool = False
    persist: bool = True
    # None: the machine's word counts, then the engine's.
    retry_updates: bool | None = None
    compensation_updates: bool | None = None
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceTask(Task):
    service: str
    method: str
    service_type: str | None = None
    parameter_types: tuple[str, ...] = ()
    is_async: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SubStateMachine(Task):
    """Runs another machine; always an update. `compensate_state` None: the sub undoes itself."""

    machine: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CompensateSubMachine(Task):
    """Compensates the instance that a SubStateMachine started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptTask(Task):
    """Pure computation on the context: it never has a step of its own (seata.md 1.2)."""

    script: Script


@dataclass(frozen=True, slots=True)
class Branch:
    """`next` None: the machine ends here, as in Seata."""

    expression: Expression
    next: str | None


@dataclass(frozen=True, slots=True)
class Choice:
    name: str
    branches: tuple[Branch, ...]
    default: str | None
    next: str | None = None


@dataclass(frozen=True, slots=True)
class CompensationTrigger:
    name: str
    next: str | None


@dataclass(frozen=True, slots=True)
class Succeed:
    name: str
    next: str | None = None


@dataclass(frozen=True, slots=True)
class Fail:
    name: str
    code: str | None
    message: str | None
    next: str | None = None


State: TypeAlias = Task | Choice | CompensationTrigger | Succeed | Fail


@dataclass(frozen=True, slots=True)
class Machine:
    """`doubts` are what Seata accepts and an author hardly means; `states` keep their order."""

    name: str
    version: str
    start_state: str
    states: Mapping[str, State]
    recover_forward: bool
    persist: bool
    comment: str | None = None
    retry_updates: bool | None = None
    compensation_updates: bool | None = None
    timeout_s: float | None = None
    doubts: tuple[str, ...] = ()
    # Where the designer drew each state, for pictures; the engine does not look at it.
    layout: Mapping[str, JsonValue] = field(default_factory=dict)
    # As it was read, so that a run elsewhere can take its definition along.
    document: Mapping[str, JsonValue] = field(default_factory=dict, compare=False, repr=False)
    # Every event of a run has a row: asked for each of them, so it is known beforehand.
    writes_all: bool = field(init=False, compare=False, repr=False, default=False)

    def __post_init__(self) -> None:
        tasks = (state for state in self.states.values() if isinstance(state, Task))
        quiet = any(not task.persist and not isinstance(task, ScriptTask) for task in tasks)
        object.__setattr__(self, "writes_all", self.persist and not quiet)

    def task(self, name: str) -> Task:
        """Raises KeyError for a name without a task: a definition that was changed meanwhile."""
        if name.startswith(IMPLICIT_COMPENSATION):
            return CompensateSubMachine(name=name, for_compensation=True)
        state = self.states[name]
        if isinstance(state, Task):
            return state
        raise KeyError(name)
