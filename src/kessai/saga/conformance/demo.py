"""Seata's demo services in Python: what the recorded cases call (seata.md section 3)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from kessai.kernel.errors import JsonValue
from kessai.saga.history import Thrown, Verdict
from kessai.saga.services import StepContext

_EXCEPTION = ("java.lang.Exception", "java.lang.Throwable")
_RUNTIME = ("java.lang.RuntimeException", *_EXCEPTION)
DEMO = "org.apache.seata.saga.engine.mock.DemoException"
_ENGINE = (
    "org.apache.seata.saga.engine.exception.EngineExecutionException",
    "org.apache.seata.common.exception.FrameworkException",
    *_RUNTIME,
)
# What a scripted action throws: class names, upwards, and what it proves of the call.
THROWN: Mapping[str, tuple[tuple[str, ...], Verdict]] = {
    "demo": ((DEMO, *_RUNTIME), Verdict.PLAIN),
    "runtime": (_RUNTIME, Verdict.PLAIN),
    "connect": (_RUNTIME, Verdict.NOT_SENT),
    "connecttimeout": (_RUNTIME, Verdict.NOT_CONNECTED),
    "readtimeout": (_RUNTIME, Verdict.NO_ANSWER),
    "error": (("java.lang.Error", "java.lang.Throwable"), Verdict.PLAIN),
    "invalid": (_ENGINE, Verdict.PLAIN),
    "missing": (_ENGINE, Verdict.PLAIN),
}
MAP_METHODS = ("foo", "bar", "compensateFoo", "compensateBar", "randomExceptionMethod")


_CLASS_KEYS = ("@class", "@type")
_SERVICES: Mapping[str, tuple[str, ...]] = {
    "": (*MAP_METHODS, "complexParameterMethod", "interfaceParameterMethod"),
    "inventoryAction": ("reduce", "compensateReduce"),
    "balanceAction": ("reduce", "compensateReduce"),
}


class JavaError(Exception):
    def __init__(self, action: str, message: str) -> None:
        super().__init__(message)
        self.action = action


def classify_java(error: BaseException) -> Thrown:
    """By what a class of that name means to Seata (seata.md 1.4)."""
    action = error.action if isinstance(error, JavaError) else "runtime"
    names, verdict = THROWN[action]
    return Thrown(names, str(error), verdict)


@dataclass(slots=True)
class Demo:
    """Every service of every machine. `script` says what the next calls of a method do.

    `slept` takes the milliseconds that a service wants to sleep, so that no case has to wait;
    `missing` are methods that the engine of a case could not find.
    """

    slept: Callable[[int], None]
    calls: list[list[JsonValue]] = field(default_factory=list)
    script: dict[str, list[str]] = field(default_factory=dict)
    missing: dict[str, None] = field(default_factory=dict)

    def service(self, name: str) -> DemoService:
        return DemoService(self, "" if name == "demoService" else f"{name}.")

    def answer(self, name: str, input: Sequence[JsonValue]) -> JsonValue:
        service, _, method = name.rpartition(".")
        lost = name in self.missing or name.startswith(".")
        if lost or service not in _SERVICES or method not in _SERVICES[service]:
            raise JavaError("missing", f"{name} does not exist")
        known = not service and method in MAP_METHODS
        first = input[0] if input else None
        if known and first is not None and not isinstance(first, Mapping):
            raise JavaError("invalid", f"{name} takes a map")
        is_map = isinstance(first, Mapping) and not any(key in first for key in _CLASS_KEYS)
        if method == "interfaceParameterMethod" and is_map:
            raise JavaError("invalid", f"{name} takes an object")
        one = known or method == "interfaceParameterMethod"
        given = cast("JsonValue", first if one else [*input])
        self.calls.append(["call", name, given])
        self.slept(1)  # no call is over in no time
        planned = self.script.get(name)
        action = planned.pop(0) if planned else "ok"
        if action in THROWN:
            raise JavaError(action, f"{name} scripted")
        if action in ("null", "empty"):
            return None if action == "null" else {}
        return self._behave(method, input, first, known=known)

    def _behave(
        self, method: str, input: Sequence[JsonValue], first: JsonValue, *, known: bool
    ) -> JsonValue:
        if method == "complexParameterMethod":
            return input[2] if len(input) > 2 else None
        if known or method == "interfaceParameterMethod":
            return self._echo(method, first)
        if any(isinstance(one, Mapping) and _throws(one) for one in input):
            raise JavaError("runtime", f"{method} execute failed")
        return True

    def _echo(self, method: str, value: JsonValue) -> JsonValue:
        if isinstance(value, Mapping):
            sleep_ms = value.get("sleepTime")
            if isinstance(sleep_ms, int) and method in ("foo", "bar"):
                self.slept(sleep_ms)
            if _throws(value) and method in MAP_METHODS:
                raise JavaError("demo", f"{method} execute failed")
        return value


def _throws(value: Mapping[str, JsonValue]) -> bool:
    return value.get("throwException") == "true"


class DemoService:
    def __init__(self, demo: Demo, prefix: str) -> None:
        self._demo = demo
        self._prefix = prefix

    def method_named(self, name: str) -> Callable[..., Awaitable[JsonValue]]:
        async def call(step: StepContext, *input: JsonValue) -> JsonValue:
            del step
            return self._demo.answer(f"{self._prefix}{name}", input)

        return call


def from_markers(value: object) -> JsonValue:
    """`{"$people": {...}}` is an object of that class: a map that says so."""
    if isinstance(value, dict):
        if len(value) == 1 and next(iter(value)) in ("$people", "$engineer"):
            mark, content = next(iter(value.items()))
            return {"@class": mark[1:], **cast("dict[str, JsonValue]", content)}
        return {key: from_markers(one) for key, one in value.items()}
    if isinstance(value, list):
        return [from_markers(one) for one in value]
    return cast("JsonValue", value)
