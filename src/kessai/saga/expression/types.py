"""The types that `instanceof T(..)` knows, and the conversions that SpEL makes unasked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeGuard

from kessai.saga.expression.java import (
    INT_MAX,
    INT_MIN,
    LONG_MAX,
    LONG_MIN,
    Bean,
    Kind,
    Number,
    clamped,
    kind,
    text_of,
    weighed,
)
from kessai.saga.expression.scope import ExpressionError


def is_number(value: object) -> TypeGuard[Number]:
    return value.__class__ is int or (
        isinstance(value, int | float) and not isinstance(value, bool)
    )


def is_list(value: object) -> TypeGuard[list[object] | tuple[object, ...]]:
    return value.__class__ is list or isinstance(value, list | tuple)


def is_map(value: object) -> TypeGuard[Mapping[object, object]]:
    return value.__class__ is dict or (isinstance(value, Mapping) and not isinstance(value, Bean))


_FULL: dict[str, Callable[[object], bool]] = {
    "java.lang.Object": lambda value: value is not None,
    "java.lang.String": lambda value: isinstance(value, str),
    "java.lang.CharSequence": lambda value: isinstance(value, str),
    "java.lang.Comparable": lambda value: isinstance(value, str | bool) or is_number(value),
    "java.lang.Boolean": lambda value: isinstance(value, bool),
    "java.lang.Number": is_number,
    "java.lang.Integer": lambda value: kind(value) is Kind.INT,
    "java.lang.Long": lambda value: kind(value) is Kind.LONG,
    "java.lang.Float": lambda value: kind(value) is Kind.FLOAT,
    "java.lang.Double": lambda value: kind(value) is Kind.DOUBLE,
    "java.lang.Iterable": is_list,
    "java.math.BigInteger": lambda value: kind(value) is Kind.BIG,
    "java.util.Collection": is_list,
    "java.util.List": is_list,
    "java.util.Map": is_map,
}
_PRIMITIVES = ("boolean", "byte", "char", "short", "int", "long", "float", "double")
# The names of java.lang stand alone, too; no value is an instance of a primitive type.
TYPES: Mapping[str, Callable[[object], bool]] = (
    _FULL
    | {
        name.removeprefix("java.lang."): test
        for name, test in _FULL.items()
        if name.startswith("java.lang.")
    }
    | dict.fromkeys(_PRIMITIVES, lambda _value: False)
)

_TRUE = ("true", "on", "yes", "1")
_FALSE = ("false", "off", "no", "0")


def to_boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    value = _first(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        word = value.strip().lower()
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
    raise ExpressionError(f"{shown(value)} is not a boolean")


def _first(value: object) -> object:
    """SpEL makes one value of a list by taking the first."""
    while is_list(value):
        value = value[0] if value else None
    return value


def to_index(value: object) -> int:
    """What a position may be written as: 1, 1L, 1.7 and '1' are all 1."""
    value = _first(value)
    if isinstance(value, str):
        digits = value.strip()
        if digits.removeprefix("-").isdecimal() and len(digits) <= 11:
            value = int(digits)
    if not is_number(value):
        raise ExpressionError(f"{shown(value)} is not a whole number")
    whole = clamped(value, LONG_MIN, LONG_MAX)
    if not INT_MIN <= whole <= INT_MAX:
        raise ExpressionError(f"{shown(value)} does not fit into 32 bits")
    return whole


def to_text(value: object) -> str:
    """A list becomes its elements with commas, which `toString()` would put into brackets."""
    if not is_list(value):
        return text_of(value)
    weighed(value)
    return _joined(value)


def _joined(value: Sequence[object]) -> str:
    if any(is_map(one) for one in value):
        raise ExpressionError("a list of maps is no text")
    return ",".join(_joined(one) if is_list(one) else text_of(one) for one in value)


def shown(value: object) -> str:
    text = text_of(value) if value is None or isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
