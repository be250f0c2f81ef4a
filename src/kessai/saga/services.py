"""What a saga calls: objects, mappings or functions by name, and their exceptions for the log."""

from __future__ import annotations

import inspect
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast, runtime_checkable

from kessai.kernel.db import Tx
from kessai.kernel.errors import JsonValue, Refused, Unknown
from kessai.saga.history import NotStorable, Thrown, Verdict
from kessai.saga.language import DefinitionError, Machine
from kessai.saga.language.model import ServiceTask

_MESSAGE_LIMIT = 2_000
_MAX_DEPTH = 40
# Kinds that JSON has and that nobody can change; asked by type, this is the path of every value.
_SCALARS = frozenset((str, int, bool, type(None)))
# What a Seata definition writes to catch everything.
_CATCH_ALL = ("java.lang.Exception", "java.lang.Throwable")
_NO_CONNECTION = ("java.net.ConnectException", *_CATCH_ALL)
_NO_ANSWER = ("java.net.SocketTimeoutException", *_CATCH_ALL)


@dataclass(slots=True)
class StepContext:
    """What a service method gets first if it asks for it by this annotation.

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


@runtime_checkable
class Remote(Protocol):
    """A service that takes every method by its name, as `HttpService` does."""

    def method_named(self, name: str) -> Callable[..., Awaitable[JsonValue]]: ...


class Service(dict[str, Callable[..., object]]):
    """Functions as a service: `@inventory.task` takes one over under its own name."""

    def task(self, function: Callable[..., object]) -> Callable[..., object]:
        self[function.__name__] = function
        return function


Call = Callable[[StepContext, "Tx | None", Sequence[JsonValue]], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Bound:
    call: Call
    local: bool


class Services:
    """Methods found once, when the engine is built. Raises `DefinitionError` for a missing one."""

    def __init__(self, services: Mapping[str, object], machines: Iterable[Machine]) -> None:
        self._bound: dict[tuple[str, str], Bound] = {}
        for machine in machines:
            for state in machine.states.values():
                if isinstance(state, ServiceTask):
                    self._bind(services, machine, state)

    @property
    def any_local(self) -> bool:
        return any(bound.local for bound in self._bound.values())

    def of(self, task: ServiceTask) -> Bound:
        return self._bound[task.service, task.method]

    def all(self) -> Mapping[tuple[str, str], Bound]:
        """By the names of service and method."""
        return self._bound

    def _bind(self, services: Mapping[str, object], machine: Machine, task: ServiceTask) -> None:
        if (task.service, task.method) in self._bound:
            return
        where = f"machine {machine.name!r}, state {task.name!r}"
        service = services.get(task.service)
        if service is None:
            raise DefinitionError(f"{where}: ServiceName {task.service!r} is not registered")
        local = isinstance(service, Local)
        method = _method_of(service.target if isinstance(service, Local) else service, task.method)
        if method is None:
            raise DefinitionError(f"{where}: ServiceMethod {task.method!r} does not exist")
        call = _local_call(method) if local else _remote_call(method)
        self._bound[task.service, task.method] = Bound(call, local)


def _method_of(service: object, name: str) -> Callable[..., object] | None:
    if isinstance(service, Mapping):
        found = service.get(name)
    elif isinstance(service, Remote):
        found = service.method_named(name)
    else:
        found = None if name.startswith("_") else getattr(service, name, None)
    return found if callable(found) else None


def _local_call(method: Callable[..., object]) -> Call:
    async def call(context: StepContext, tx: Tx | None, input: Sequence[JsonValue]) -> object:
        return await cast("Awaitable[object]", method(context, tx, *input))

    return call


def _remote_call(method: Callable[..., object]) -> Call:
    """With the context if the first parameter is one; a plain function answers at once."""
    with_context = _takes_context(method)

    async def call(context: StepContext, tx: Tx | None, input: Sequence[JsonValue]) -> object:
        del tx
        answer = method(context, *input) if with_context else method(*input)
        return await answer if inspect.isawaitable(answer) else answer

    return call


def _takes_context(method: Callable[..., object]) -> bool:
    try:
        first = next(iter(inspect.signature(method).parameters.values()), None)
    except ValueError:  # some built-in functions have no signature
        return False
    if first is None:
        return False
    annotation = first.annotation
    name = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
    # Quoted where all annotations are texts anyway, it has its quotes still.
    return name.strip("'\"").rpartition(".")[2] == StepContext.__name__


def plain(value: object, depth: int = 0) -> JsonValue:
    """A copy made of JSON's own types. Raises `NotStorable`."""
    kind = type(value)
    if kind in _SCALARS:
        return cast("JsonValue", value)
    if depth > _MAX_DEPTH:
        raise NotStorable("nested too deeply")
    if kind is dict:
        content = {}
        for key, one in cast("dict[object, object]", value).items():
            if type(key) is not str and not isinstance(key, str):
                raise NotStorable("keys of a map must be strings")
            content[key] = one if type(one) in _SCALARS else plain(one, depth + 1)
        return cast("JsonValue", content)
    if isinstance(value, list | tuple):
        return [plain(one, depth + 1) for one in value]
    if isinstance(value, Mapping):
        return plain(dict(value), depth)
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, str | int):
        return value
    raise NotStorable(f"{kind.__name__} is not a JSON value")


def classify(error: BaseException) -> Thrown:
    """`Refused` is a final no; everything else may have happened and is asked again.

    A code can be named in Catch, Retry and $Exception like a class, and so can what an exception
    class lists as `saga_names`. `Unknown` is matched only by its own names, so that no catch-all
    advances or compensates on it.
    """
    message = str(error)[:_MESSAGE_LIMIT]
    names = _class_names(error)
    if isinstance(error, Refused):
        named = (*names, error.code, *_CATCH_ALL)
        return Thrown(named, message, Verdict.REFUSED, error.code, _facts(error))
    if isinstance(error, Unknown):
        own = tuple(name for name in names if name not in ("Exception", "KessaiError"))
        return Thrown((*own, error.code), message, Verdict.UNKNOWN, error.code)
    if isinstance(error, ConnectionRefusedError):
        return Thrown((*names, *_NO_CONNECTION), message, Verdict.NOT_SENT, "NOT_SENT")
    if isinstance(error, TimeoutError):
        return Thrown((*names, *_NO_ANSWER), message, Verdict.UNKNOWN, "NO_ANSWER")
    return Thrown((*names, *_CATCH_ALL), message, Verdict.UNKNOWN, "UNEXPECTED")


def _facts(error: Refused) -> Mapping[str, JsonValue]:
    try:
        return {key: plain(value) for key, value in error.facts.items()}
    except NotStorable:
        return {}


def _class_names(error: BaseException) -> tuple[str, ...]:
    classes = [one for one in type(error).__mro__ if issubclass(one, BaseException)]
    given = [str(name) for name in getattr(error, "saga_names", ())]
    return (*(one.__name__ for one in classes if one is not BaseException), *given)
