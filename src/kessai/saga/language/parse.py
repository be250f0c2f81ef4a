"""Reads a definition; every message names the state and the attribute."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from kessai.kernel.errors import JsonValue
from kessai.saga.expression import Expression, ExpressionError, compile_condition, compile_value
from kessai.saga.language.model import (
    Branch,
    Catch,
    Choice,
    CompensationTrigger,
    DefinitionError,
    Fail,
    Machine,
    Retry,
    ServiceTask,
    State,
    Succeed,
    Template,
)

MAX_BYTES = 1_000_000
MAX_STATES = 1_000
MAX_DEPTH = 40

# Parts of the language that this engine does not run yet.
_UNSUPPORTED_TYPES = ("ScriptTask", "SubStateMachine", "CompensateSubMachine")
_UNSUPPORTED_ATTRIBUTES = ("Loop", "IsAsync")


def read_machine(source: str | bytes | Path | Mapping[str, JsonValue]) -> Machine:
    return _machine(_document(source))


def _document(source: str | bytes | Path | Mapping[str, JsonValue]) -> _Fields:
    if isinstance(source, Mapping):
        return _Fields("machine", source)
    text = source.read_bytes() if isinstance(source, Path) else source
    if len(text) > MAX_BYTES:
        raise DefinitionError(f"a definition has at most {MAX_BYTES} bytes")
    try:
        document = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise DefinitionError(f"not a JSON document: {error}") from error
    if not isinstance(document, dict):
        raise DefinitionError("a definition is a JSON object")
    return _Fields("machine", document)


def _once(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {}
    for key, value in pairs:
        if key in found:
            raise DefinitionError(f"{key!r} is defined twice")
        found[key] = value
    return found


class _Fields:
    """Reads attributes of one JSON object with messages that say where they stand."""

    def __init__(self, where: str, values: Mapping[str, JsonValue]) -> None:
        self._where = where
        self._values = values

    def wrong(self, attribute: str, what: str) -> DefinitionError:
        return DefinitionError(f"{self._where}: {attribute} {what}")

    def text(self, attribute: str) -> str | None:
        value = self._values.get(attribute)
        if value is not None and not isinstance(value, str):
            raise self.wrong(attribute, "must be a string")
        return value

    def required(self, attribute: str) -> str:
        value = self.text(attribute)
        if not value:
            raise self.wrong(attribute, "is missing")
        return value

    def flag(self, attribute: str, default: bool) -> bool:
        """Only the literal that differs from the default counts, as in Seata."""
        value = self._values.get(attribute)
        return value if isinstance(value, bool) else default

    def number(self, attribute: str, default: float | None) -> float | None:
        value = self._values.get(attribute)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise self.wrong(attribute, "must be a number of at least 0")
        return float(value)

    def mapping(self, attribute: str) -> Mapping[str, JsonValue]:
        value = self._values.get(attribute)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            raise self.wrong(attribute, "must be an object")
        return value

    def items(self, attribute: str) -> Sequence[JsonValue]:
        value = self._values.get(attribute)
        if value is None:
            return ()
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise self.wrong(attribute, "must be an array")
        return value

    def objects(self, attribute: str) -> Iterator[_Fields]:
        for position, value in enumerate(self.items(attribute)):
            if not isinstance(value, Mapping):
                raise self.wrong(attribute, "must be an array of objects")
            yield _Fields(f"{self._where}: {attribute}[{position}]", value)

    def texts(self, attribute: str) -> tuple[str, ...]:
        found = tuple(value for value in self.items(attribute) if isinstance(value, str))
        if len(found) != len(self.items(attribute)):
            raise self.wrong(attribute, "must be an array of strings")
        return found

    def has(self, attribute: str) -> bool:
        return self._values.get(attribute) not in (None, False)

    def raw(self, attribute: str) -> JsonValue:
        return self._values.get(attribute)


def _machine(fields: _Fields) -> Machine:
    states = fields.mapping("States")
    if not states:
        raise fields.wrong("States", "is missing")
    if len(states) > MAX_STATES:
        raise fields.wrong("States", f"has more than {MAX_STATES} entries")
    strategy = fields.text("RecoverStrategy")
    if strategy not in (None, "Compensate", "Forward"):
        raise fields.wrong("RecoverStrategy", "must be Compensate or Forward")
    parsed = {name: _state(name, value) for name, value in states.items()}
    undoing = {
        state.compensate_state
        for state in parsed.values()
        if isinstance(state, ServiceTask) and state.compensate_state
    }
    return Machine(
        name=fields.required("Name"),
        version=fields.text("Version") or "",
        start_state=fields.required("StartState"),
        states={
            name: replace(state, for_compensation=True)
            if isinstance(state, ServiceTask) and name in undoing
            else state
            for name, state in parsed.items()
        },
        recover_forward=strategy == "Forward",
        persist=fields.flag("IsPersist", True),
    )


def _state(name: str, value: JsonValue) -> State:
    where = f"state {name!r}"
    if not isinstance(value, Mapping):
        raise DefinitionError(f"{where} must be an object")
    fields = _Fields(where, value)
    kind = fields.required("Type")
    match kind:
        case "ServiceTask":
            return _service_task(name, fields)
        case "Choice":
            if not isinstance(fields.raw("Choices"), Sequence):
                raise fields.wrong("Choices", "must be an array")
            branches = tuple(_branch(branch) for branch in fields.objects("Choices"))
            return Choice(name, branches, fields.text("Default"))
        case "CompensationTrigger":
            return CompensationTrigger(name, fields.text("Next"))
        case "Succeed":
            return Succeed(name)
        case "Fail":
            return Fail(name, fields.text("ErrorCode"), fields.text("Message"))
    if kind in _UNSUPPORTED_TYPES:
        raise fields.wrong("Type", f"{kind} is not supported")
    raise fields.wrong("Type", f"{kind!r} is unknown")


def _service_task(name: str, fields: _Fields) -> ServiceTask:
    for attribute in _UNSUPPORTED_ATTRIBUTES:
        if fields.has(attribute):
            raise fields.wrong(attribute, "of a ServiceTask is not supported")
    compensate = fields.text("CompensateState")
    timeout = _Fields(f"state {name!r}: Extensions", fields.mapping("Extensions"))
    return ServiceTask(
        name=name,
        service=fields.required("ServiceName"),
        method=fields.required("ServiceMethod"),
        next=fields.text("Next"),
        input=tuple(_template(fields, "Input", item, 0) for item in fields.items("Input")),
        output=tuple(
            (key, _template(fields, f"Output {key!r}", item, 0))
            for key, item in fields.mapping("Output").items()
        ),
        status=tuple(
            (_condition(fields, "Status", text), str(status))
            for text, status in fields.mapping("Status").items()
        ),
        retry=tuple(_retry(entry) for entry in fields.objects("Retry")),
        catch=tuple(
            Catch(entry.texts("Exceptions"), entry.required("Next"))
            for entry in fields.objects("Catch")
        ),
        compensate_state=compensate,
        for_update=fields.flag("IsForUpdate", False) or compensate is not None,
        for_compensation=fields.flag("IsForCompensation", False),
        persist=fields.flag("IsPersist", True),
        timeout_s=timeout.number("TimeoutSeconds", None),
    )


def _retry(fields: _Fields) -> Retry:
    attempts = fields.raw("MaxAttempts")
    if isinstance(attempts, bool) or not isinstance(attempts, int):
        raise fields.wrong("MaxAttempts", "must be a whole number")
    return Retry(
        exceptions=fields.texts("Exceptions"),
        interval_s=fields.number("IntervalSeconds", 0) or 0,
        backoff_rate=fields.number("BackoffRate", 0) or 0,
        max_attempts=attempts,
    )


def _branch(fields: _Fields) -> Branch:
    expression = _condition(fields, "Expression", fields.required("Expression"))
    return Branch(expression, fields.required("Next"))


def _condition(fields: _Fields, attribute: str, text: str) -> Expression:
    try:
        return compile_condition(text)
    except ExpressionError as error:
        raise fields.wrong(attribute, f"has a wrong expression: {error}") from error


def _value(fields: _Fields, attribute: str, text: str) -> Expression:
    try:
        return compile_value(text)
    except ExpressionError as error:
        raise fields.wrong(attribute, f"has a wrong expression: {error}") from error


def _template(fields: _Fields, attribute: str, value: JsonValue, depth: int) -> Template:
    if depth > MAX_DEPTH:
        raise fields.wrong(attribute, "is nested too deeply")
    if isinstance(value, str):
        if value.startswith("$"):
            return Template(expression=_value(fields, attribute, value))
        return Template(literal=value)
    if isinstance(value, Mapping):
        entries = ((k, _template(fields, attribute, v, depth + 1)) for k, v in value.items())
        return Template(entries=tuple(entries))
    if isinstance(value, Sequence):
        return Template(items=tuple(_template(fields, attribute, v, depth + 1) for v in value))
    return Template(literal=value)
