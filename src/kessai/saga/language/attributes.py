"""Reads attributes of one object as leniently as Seata does, and notes what it finds odd."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

from kessai.kernel.errors import JsonValue
from kessai.saga.expression import (
    Expression,
    ExpressionError,
    Form,
    compile_condition,
    compile_value,
)
from kessai.saga.language.findings import Log, Path
from kessai.saga.language.model import Template
from kessai.saga.language.spelling import misspelt

MAX_SECONDS = 1e9

_NOT_BOOLEAN = re.compile(
    r"""-?\d[\w.]*|'(?:[^']|'')*'|"(?:[^"]|"")*"|false|null
    |(?:\#?\w+|\[\w+\]|\.\w+)*\.(?:size|length|toString|hashCode)\(\)""",
    re.VERBOSE,
)

_Compile: TypeAlias = Callable[[str], Expression]

_JAVA_INT = range(-(2**31), 2**31)
_JAVA_DIGITS = re.compile(r"[+-]?\d{1,20}")


class Attributes:
    def __init__(self, values: Mapping[str, JsonValue], path: Path, log: Log) -> None:
        self.values = values
        self._path = path
        self._log = log

    def path(self, *attribute: str | int) -> Path:
        return (*self._path, *attribute)

    def refuse(self, attribute: str, what: str) -> None:
        self._log.refuse(self.path(attribute), what)

    def refuse_at(self, *attribute: str | int, what: str) -> None:
        self._log.refuse(self.path(*attribute), what)

    def doubt(self, attribute: str, what: str) -> None:
        self._log.doubt(self.path(attribute), what)

    def doubt_at(self, *attribute: str | int, what: str) -> None:
        self._log.doubt(self.path(*attribute), what)

    def check_spelling(self, known: tuple[str, ...]) -> None:
        for written, meant in misspelt(self.values, known):
            self.doubt(written, f"is unknown and ignored: {meant} is meant?")

    def text(self, attribute: str) -> str | None:
        value = self.values.get(attribute)
        if value is None or isinstance(value, str):
            return value
        self.refuse(attribute, f"must be a string, not {_shown(value)}")
        return None

    def name(self, attribute: str) -> str | None:
        """The name of something else; Seata takes a blank one for none."""
        value = self.text(attribute)
        if value is not None and not value.strip():
            self.doubt(attribute, "is blank and counts as missing")
            return None
        return value

    def follower(self, attribute: str) -> str | None:
        """The name of a state that has to exist."""
        value = self.name(attribute)
        if value is not None:
            self._log.references.append((self.path(attribute), value))
        return value

    def wanted(self, attribute: str, without: str) -> str:
        """Seata starts machines without it, and fails where it is needed."""
        value = self.text(attribute)
        if not value:
            self.doubt(attribute, f"is missing: {without}")
        return value or ""

    def flag(self, attribute: str, default: bool) -> bool:
        value = self.tri_state(attribute)
        return default if value is None else value

    def tri_state(self, attribute: str) -> bool | None:
        value = self.values.get(attribute)
        if value is None or isinstance(value, bool):
            return value
        self.doubt(attribute, f"has no effect: it must be true or false, not {_shown(value)}")
        return None

    def seconds(self, attribute: str) -> float | None:
        value = self.values.get(attribute)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.doubt(attribute, f"has no effect: it must be a number, not {_shown(value)}")
            return None
        if value < 0:
            self.doubt(attribute, "is negative and counts as 0")
        return float(min(max(value, 0), MAX_SECONDS))

    def whole(self, attribute: str) -> int:
        value = self.values.get(attribute)
        if isinstance(value, int) and not isinstance(value, bool) and value in _JAVA_INT:
            return value
        self.refuse(attribute, "must be a whole number" if value is not None else "is missing")
        return 0

    def lenient_whole(self, attribute: str, default: int) -> int:
        """Numbers in strings count, anything else is the default."""
        value = self.values.get(attribute)
        if value is None:
            self.refuse(attribute, "is missing")
            return default
        if isinstance(value, str) and _JAVA_DIGITS.fullmatch(value):
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and value in _JAVA_INT:
            return value
        self.doubt(attribute, f"counts as {default}: it must be a whole number")
        return default

    def mapping(self, attribute: str) -> Mapping[str, JsonValue]:
        value = self.values.get(attribute)
        if isinstance(value, Mapping):
            return value
        if value is not None:
            self.refuse(attribute, f"must be an object, not {_shown(value)}")
        return {}

    def items(self, attribute: str) -> Sequence[JsonValue]:
        value = self.values.get(attribute)
        if isinstance(value, list | tuple):
            return value
        if value is not None:
            self.refuse(attribute, f"must be an array, not {_shown(value)}")
        return ()

    def has_object(self, attribute: str) -> bool:
        return isinstance(self.values.get(attribute), Mapping) or bool(self.mapping(attribute))

    def inner(self, attribute: str) -> Attributes:
        return Attributes(self.mapping(attribute), self.path(attribute), self._log)

    def objects(self, attribute: str) -> Iterator[Attributes]:
        for at, value in enumerate(self.items(attribute)):
            if isinstance(value, Mapping):
                yield Attributes(value, self.path(attribute, at), self._log)
            else:
                self._log.refuse(self.path(attribute, at), "must be an object")

    def texts(self, attribute: str) -> tuple[str, ...]:
        found = []
        for at, value in enumerate(self.items(attribute)):
            if isinstance(value, str):
                found.append(value)
            else:
                self._log.doubt(self.path(attribute, at), "is not a string and is left out")
        return tuple(found)

    def condition(self, *attribute: str | int, text: str) -> Expression | None:
        """Choice, Status, CompletionCondition: the text is an expression, with or without $."""
        compiled = self._compiled(attribute, text, compile_condition)
        if compiled is not None and _never_true(compiled):
            self._log.doubt(self.path(*attribute), f"{text[:60]!r} can never be true")
        return compiled

    def value(self, attribute: str, *, text: str) -> Expression | None:
        return self._compiled((attribute,), text, compile_value)

    def template(self, *attribute: str | int, value: JsonValue) -> Template:
        if isinstance(value, str):
            if value.startswith("$"):
                return Template(expression=self._compiled(attribute, value, compile_value))
            return Template(literal=value)
        if isinstance(value, Mapping):
            return Template(
                entries=tuple(
                    (key, self.template(*attribute, key, value=inner))
                    for key, inner in value.items()
                )
            )
        if isinstance(value, list | tuple):
            return Template(
                items=tuple(
                    self.template(*attribute, at, value=inner) for at, inner in enumerate(value)
                )
            )
        return Template(literal=value)

    def _compiled(
        self, attribute: tuple[str | int, ...], text: str, compile_: _Compile
    ) -> Expression | None:
        try:
            return compile_(text)
        except ExpressionError as error:
            self._log.refuse(self.path(*attribute), f"has a wrong expression: {error}")
            return None


def _never_true(expression: Expression) -> bool:
    """Certain cases only: what yields a number, a text or false whatever the context is."""
    if expression.form is not Form.SPEL:
        return expression.form is Form.SEQUENCE
    return _NOT_BOOLEAN.fullmatch(expression.content.strip()) is not None


def _shown(value: JsonValue) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float() if abs(value) < MAX_SECONDS:
            return str(value)
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case Mapping():
            return "an object"
        case None:
            return "null"
        case _:
            return "an array"
