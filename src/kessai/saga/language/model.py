"""The state types of Seata's Saga State Language as frozen dataclasses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from kessai.kernel.errors import JsonValue
from kessai.saga.expression import Expression, Scope


class Status(StrEnum):
    """Of a state, of a machine and of its compensation (seata.md 1.4, 1.5)."""

    RUNNING = "RU"
    SUCCEEDED = "SU"
    FAILED = "FA"
    UNKNOWN = "UN"
    SKIPPED = "SK"


class DefinitionError(Exception):
    """A definition that cannot run; the message names the state and the attribute."""


@dataclass(frozen=True, slots=True)
class Template:
    """One Input value: a literal, an expression, or a map or list of templates."""

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
class ServiceTask:
    name: str
    service: str
    method: str
    next: str | None
    input: tuple[Template, ...]
    output: tuple[tuple[str, Template], ...]
    status: tuple[tuple[Expression, str], ...]
    retry: tuple[Retry, ...]
    catch: tuple[Catch, ...]
    compensate_state: str | None
    for_update: bool
    for_compensation: bool
    persist: bool
    timeout_s: float | None


@dataclass(frozen=True, slots=True)
class Branch:
    expression: Expression
    next: str


@dataclass(frozen=True, slots=True)
class Choice:
    name: str
    branches: tuple[Branch, ...]
    default: str | None


@dataclass(frozen=True, slots=True)
class CompensationTrigger:
    name: str
    next: str | None


@dataclass(frozen=True, slots=True)
class Succeed:
    name: str


@dataclass(frozen=True, slots=True)
class Fail:
    name: str
    code: str | None
    message: str | None


State: TypeAlias = ServiceTask | Choice | CompensationTrigger | Succeed | Fail


@dataclass(frozen=True, slots=True)
class Machine:
    name: str
    version: str
    start_state: str
    states: Mapping[str, State]
    recover_forward: bool
    persist: bool
    warnings: tuple[str, ...] = ()
