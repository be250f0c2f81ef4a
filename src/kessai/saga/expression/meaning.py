"""What the operators of an expression do: Java's numbers, SpEL's null, real booleans only."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

_INT_MAX = 2**31 - 1
_INT_MIN = -(2**31)
_LONG_BITS = 64
_TEXT_LIMIT = 10_000


class ExpressionError(Exception):
    """An expression that cannot be parsed, or has no value here."""


def _no_sequence(content: str) -> object:
    raise ExpressionError(f"$Sequence.{content} has no value here")


@dataclass(frozen=True, slots=True)
class Scope:
    """Where names are looked up: `[a]` on the root, `#name` among the variables."""

    root: object
    variables: Mapping[str, object] = field(default_factory=dict)
    thrown: Sequence[str] = ()
    sequence: Callable[[str], object] = _no_sequence


Term: TypeAlias = Callable[[Scope], object]
_Number: TypeAlias = int | float


def constant(value: object) -> Term:
    return lambda _scope: value


def variable(name: str) -> Term:
    if name in ("root", "this"):
        return lambda scope: scope.root
    return lambda scope: scope.variables.get(name)


def root_name(name: str) -> Term:
    return lambda scope: member(scope.root, name)


def property_of(target: Term, name: str, *, safe: bool) -> Term:
    def evaluate(scope: Scope) -> object:
        value = target(scope)
        if value is None and safe:
            return None
        return member(value, name)

    return evaluate


def index_of(target: Term, key: Term) -> Term:
    return lambda scope: item(target(scope), key(scope))


def root_index(key: Term) -> Term:
    return lambda scope: item(scope.root, key(scope))


def call_of(target: Term, name: str, arguments: Sequence[Term], *, safe: bool) -> Term:
    method = _METHODS.get(name)
    if method is None:
        raise ExpressionError(f"method {name}() is not among the allowed ones")

    def evaluate(scope: Scope) -> object:
        value = target(scope)
        if value is None:
            if safe:
                return None
            raise ExpressionError(f"{name}() of null")
        try:
            return method(value, *[argument(scope) for argument in arguments])
        except (TypeError, IndexError) as error:
            raise ExpressionError(f"{name}() does not fit {type(value).__name__}") from error

    return evaluate


def both(left: Term, right: Term) -> Term:
    return lambda scope: _boolean(left(scope)) and _boolean(right(scope))


def either(left: Term, right: Term) -> Term:
    return lambda scope: _boolean(left(scope)) or _boolean(right(scope))


def negation(of: Term) -> Term:
    return lambda scope: not _boolean(of(scope))


def minus(of: Term) -> Term:
    return lambda scope: _fit(-_number(of(scope)))


def binary(symbol: str, left: Term, right: Term) -> Term:
    operation = _OPERATIONS[symbol]
    return lambda scope: operation(left(scope), right(scope))


def member(value: object, name: str) -> object:
    """A property of a map, which SpEL refuses and services that answer dicts need."""
    if value is None:
        raise ExpressionError(f"property {name!r} of null")
    if isinstance(value, Mapping) and name in value:
        return value[name]
    if name == "empty" and isinstance(value, Mapping | Sequence):
        return not value
    raise ExpressionError(f"no property {name!r}")


def item(value: object, key: object) -> object:
    if value is None:
        raise ExpressionError(f"index {key!r} of null")
    if isinstance(value, Mapping):
        return value.get(key)
    if isinstance(value, Sequence) and isinstance(key, int) and not isinstance(key, bool):
        if 0 <= key < len(value):
            return value[key]
        raise ExpressionError(f"index {key} is out of range")
    raise ExpressionError(f"{type(value).__name__} has no index {key!r}")


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise ExpressionError(f"{value!r} is not a boolean")


def _number(value: object) -> _Number:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise ExpressionError(f"{value!r} is not a number")


def _fit(value: _Number, *operands: _Number) -> _Number:
    """Wraps as Java does: int with int stays int, 64 bits at most. Amounts belong in services."""
    if isinstance(value, float) or _INT_MIN <= value <= _INT_MAX:
        return value
    small = all(_INT_MIN <= one <= _INT_MAX for one in operands)
    bits = 32 if small and operands else _LONG_BITS
    half = 1 << (bits - 1)
    return (value + half) % (1 << bits) - half


def _add(left: object, right: object) -> object:
    if isinstance(left, str) or isinstance(right, str):
        text = _text(left) + _text(right)
        if len(text) > _TEXT_LIMIT:
            raise ExpressionError("the text is too long")
        return text
    return _arithmetic(operator.add)(left, right)


def _text(value: object) -> str:
    if value is None:
        return "null"
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _arithmetic(
    operation: Callable[[_Number, _Number], _Number],
) -> Callable[[object, object], object]:
    def apply(left: object, right: object) -> object:
        one, two = _number(left), _number(right)
        try:
            return _fit(operation(one, two), one, two)
        except (ZeroDivisionError, OverflowError) as error:
            raise ExpressionError(str(error)) from error

    return apply


def _divide(left: _Number, right: _Number) -> _Number:
    if isinstance(left, float) or isinstance(right, float):
        return left / right
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _remainder(left: _Number, right: _Number) -> _Number:
    return left - right * _divide(left, right) if isinstance(left, int) else left % right


def _equal(left: object, right: object) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return left == right


def _compare(left: object, right: object) -> int:
    """Null is less than everything, as in SpEL; other kinds only with their own kind."""
    if left is None or right is None:
        return (left is not None) - (right is not None)
    if isinstance(left, str) and isinstance(right, str):
        return (left > right) - (left < right)
    one, two = _number(left), _number(right)
    return (one > two) - (one < two)


_OPERATIONS: Mapping[str, Callable[[object, object], object]] = {
    "+": _add,
    "-": _arithmetic(operator.sub),
    "*": _arithmetic(operator.mul),
    "/": _arithmetic(_divide),
    "%": _arithmetic(_remainder),
    "==": _equal,
    "!=": lambda left, right: not _equal(left, right),
    "<": lambda left, right: _compare(left, right) < 0,
    "<=": lambda left, right: _compare(left, right) <= 0,
    ">": lambda left, right: _compare(left, right) > 0,
    ">=": lambda left, right: _compare(left, right) >= 0,
}


def _length(value: object) -> object:
    if isinstance(value, Mapping | Sequence):
        return len(value)
    raise TypeError


def _contains(value: object, part: object) -> object:
    if isinstance(value, str):
        return isinstance(part, str) and part in value
    if isinstance(value, Sequence):
        return any(_equal(one, part) for one in value)
    raise TypeError


def _has_key(value: object, key: object) -> object:
    if isinstance(value, Mapping):
        return key in value
    raise TypeError


def _starts_with(value: object, part: object) -> object:
    if isinstance(value, str) and isinstance(part, str):
        return value.startswith(part)
    raise TypeError


_METHODS: Mapping[str, Callable[..., object]] = {
    "size": _length,
    "length": _length,
    "isEmpty": lambda value: _length(value) == 0,
    "contains": _contains,
    "containsKey": _has_key,
    "startsWith": _starts_with,
    "equals": _equal,
    "toString": lambda value: _text(value),
}
