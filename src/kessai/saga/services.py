"""What a saga calls: objects by name, their three answers, and exceptions as the log keeps them."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

from kessai.kernel.errors import JsonValue, Refused, Unknown
from kessai.saga.history import Thrown, Verdict
from kessai.saga.language import DefinitionError, Machine, ServiceTask

_MESSAGE_LIMIT = 2_000
_MAX_DEPTH = 40
# What a Seata definition writes to catch everything.
_CATCH_ALL = ("java.lang.Exception", "java.lang.Throwable")


@dataclass(frozen=True, slots=True)
class StepContext:
    """First argument of every service method.

    `token` is the same each time this step is asked, after a crash too: the callee's idempotency
    key. `cause` is the caught exception that sent the machine here.
    """

    token: str
    instance_id: str
    business_key: str | None
    machine: str
    state: str
    attempt: int
    cause: Thrown | None


@dataclass(frozen=True, slots=True)
class Local:
    """Registers a service whose methods take an open `tx` after the context.

    They await nothing but `tx.run`; their changes and the log row commit together or not at all.
    """

    target: object


@dataclass(frozen=True, slots=True)
class Bound:
    method: Callable[..., Awaitable[object]]
    local: bool


class Services:
    """Methods found once, when the engine is built."""

    def __init__(self, services: Mapping[str, object], machines: Iterable[Machine]) -> None:
        self._bound: dict[tuple[str, str], Bound] = {}
        for machine in machines:
            for state in machine.states.values():
                if isinstance(state, ServiceTask):
                    self._bind(services, machine, state)

    def of(self, task: ServiceTask) -> Bound:
        return self._bound[task.service, task.method]

    def _bind(self, services: Mapping[str, object], machine: Machine, task: ServiceTask) -> None:
        where = f"machine {machine.name!r}, state {task.name!r}"
        service = services.get(task.service)
        if service is None:
            raise DefinitionError(f"{where}: ServiceName {task.service!r} is not registered")
        target = service.target if isinstance(service, Local) else service
        method = None if task.method.startswith("_") else getattr(target, task.method, None)
        if not callable(method):
            raise DefinitionError(f"{where}: ServiceMethod {task.method!r} does not exist")
        self._bound[task.service, task.method] = Bound(method, isinstance(service, Local))


class NotStorable(Exception):
    """A service answered what JSON cannot keep."""


def plain(value: object, depth: int = 0) -> JsonValue:
    """A copy made of JSON's own types. Raises `NotStorable`."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if depth > _MAX_DEPTH:
        raise NotStorable("nested too deeply")
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise NotStorable("keys of a map must be strings")
        return {key: plain(one, depth + 1) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one, depth + 1) for one in value]
    if isinstance(value, Mapping):
        return plain(dict(value), depth)
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise NotStorable(f"{type(value).__name__} is not a JSON value")


def classify(error: Exception) -> Thrown:
    """`Refused` is a final no; everything else may have happened and is asked again.

    A code can be named in Catch, Retry and $Exception like a class. `Unknown` is matched only by
    its own names, so that no catch-all advances or compensates on it.
    """
    message = str(error)[:_MESSAGE_LIMIT]
    names = _class_names(error)
    if isinstance(error, Refused):
        named = (*names, error.code, *_CATCH_ALL)
        return Thrown(named, message, Verdict.REFUSED, error.code, _facts(error))
    if isinstance(error, Unknown):
        own = tuple(name for name in names if name not in ("Exception", "KessaiError"))
        return Thrown((*own, error.code), message, Verdict.UNKNOWN, error.code)
    return Thrown((*names, *_CATCH_ALL), message, Verdict.UNKNOWN, "UNEXPECTED")


def _facts(error: Refused) -> Mapping[str, JsonValue]:
    try:
        return {key: plain(value) for key, value in error.facts.items()}
    except NotStorable:
        return {}


def _class_names(error: Exception) -> tuple[str, ...]:
    classes = [one for one in type(error).__mro__ if issubclass(one, Exception)]
    return tuple(one.__name__ for one in classes)
