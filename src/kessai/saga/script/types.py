"""The types that a script can ask for, and what becomes of a value that is made one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import NoReturn

from kessai.saga.expression import java
from kessai.saga.expression.java import INT_MAX, INT_MIN, LONG_MAX, LONG_MIN, Big, Kind, kind
from kessai.saga.expression.types import is_list
from kessai.saga.script.arithmetic import MAX_PRECISION
from kessai.saga.script.tokens import MAX_DIGITS
from kessai.saga.script.values import (
    Number,
    class_of,
    fail,
    is_map,
    is_number,
    text_of,
    to_double,
    truth,
)

_FULL: dict[str, Callable[[object], bool]] = {
    "java.lang.Object": lambda value: value is not None,
    "java.lang.String": lambda value: isinstance(value, str),
    "java.lang.CharSequence": lambda value: isinstance(value, str),
    "java.lang.Boolean": lambda value: isinstance(value, bool),
    "java.lang.Number": is_number,
    "java.lang.Integer": lambda value: kind(value) is Kind.INT,
    "java.lang.Long": lambda value: kind(value) is Kind.LONG,
    "java.lang.Float": lambda value: kind(value) is Kind.FLOAT,
    "java.lang.Double": lambda value: kind(value) is Kind.DOUBLE,
    "java.math.BigInteger": lambda value: kind(value) is Kind.BIG,
    "java.math.BigDecimal": lambda value: isinstance(value, Decimal),
    "java.util.Collection": is_list,
    "java.util.List": is_list,
    "java.util.Map": is_map,
}
INSTANCES: Mapping[str, Callable[[object], bool]] = _FULL | {
    name.rpartition(".")[2]: test for name, test in _FULL.items()
}


def whole(value: Number, low: int, high: int) -> int:
    """Cut after the point; a double that does not fit is the nearest that does, others wrap."""
    if isinstance(value, float):
        return java.clamped(value, low, high)
    if isinstance(value, Decimal) and value.adjusted() > MAX_PRECISION:
        fail("java.lang.ArithmeticException", "a number that is too great")
    width = high - low + 1
    return (int(value) - low) % width + low


def to_integer(value: Number) -> int:
    return whole(value, INT_MIN, INT_MAX)


def to_long(value: Number) -> int:
    return java.to_long(whole(value, LONG_MIN, LONG_MAX))


def to_decimal(value: Number) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int):
        return Decimal(value)
    if value - value != 0:
        fail("java.lang.NumberFormatException", "Infinite or NaN")
    return Decimal(java.double_text(value).replace("E", "e"))


def to_big(value: Number) -> int:
    if isinstance(value, Decimal) and value.adjusted() > MAX_PRECISION:
        fail("java.lang.ArithmeticException", "a number that is too great")
    return Big(int(value))


_NUMERIC: Mapping[str, Callable[[Number], object]] = {
    "int": to_integer,
    "Integer": to_integer,
    "long": to_long,
    "Long": to_long,
    "double": to_double,
    "Double": to_double,
    "float": lambda value: java.to_float(to_double(value)),
    "Float": lambda value: java.to_float(to_double(value)),
    "BigDecimal": to_decimal,
    "BigInteger": to_big,
    "Number": lambda value: value,
}
_PRIMITIVES = ("int", "long", "double", "float")


def cast(value: object, type_name: str, *, converts: bool) -> object:
    """`converts`: `'5' as int` reads the text, where `(int) '5'` is the code of a character."""
    if type_name in ("boolean", "Boolean"):
        return None if value is None and type_name == "Boolean" else truth(value)
    if type_name == "Object" or (value is None and type_name not in _PRIMITIVES):
        return value
    if type_name == "String":
        # A typed variable gets Java's text of lists and maps, `as String` gets Groovy's.
        inside = not converts and (is_list(value) or is_map(value))
        return java.text_of(value) if inside else text_of(value)
    if type_name in ("List", "Map"):
        return _collection(value, type_name, converts=converts)
    if isinstance(value, str):
        if converts:
            return parsed(value, type_name)
        if len(value) == 1 and type_name != "Number":
            value = ord(value)
    if not is_number(value):
        _refuse(value, type_name)
    return _NUMERIC[type_name](value)


def _collection(value: object, type_name: str, *, converts: bool) -> object:
    if is_list(value) if type_name == "List" else is_map(value):
        return value
    if type_name == "List" and converts and isinstance(value, str):
        return list(value)
    return _refuse(value, type_name)


def _refuse(value: object, type_name: str) -> NoReturn:
    shown = text_of(value)[:60]
    fail(
        "org.codehaus.groovy.runtime.typehandling.GroovyCastException",
        f"Cannot cast object '{shown}' with class '{class_of(value)}' to class '{type_name}'",
    )


def parsed(text: str, type_name: str) -> object:
    """A number from its text, as `toInteger()` and its like read it."""
    value = number_in(text)
    if value is None or (type_name in _WHOLE and not _is_whole(text, value, type_name)):
        fail("java.lang.NumberFormatException", f'For input string: "{text[:60]}"')
    return _NUMERIC[type_name](value)


_WHOLE = {
    "int": (INT_MIN, INT_MAX),
    "Integer": (INT_MIN, INT_MAX),
    "long": (LONG_MIN, LONG_MAX),
    "Long": (LONG_MIN, LONG_MAX),
    "BigInteger": (-(10**MAX_DIGITS), 10**MAX_DIGITS),
}


def _is_whole(text: str, value: Decimal, type_name: str) -> bool:
    low, high = _WHOLE[type_name]
    return text.strip().lstrip("+-").isdecimal() and low <= value <= high


def is_written(text: str, type_name: str) -> bool:
    """Whether the text is a number of the type."""
    value = number_in(text)
    return value is not None and (type_name not in _WHOLE or _is_whole(text, value, type_name))


def number_in(text: str) -> Decimal | None:
    bare = text.strip()
    if not bare.isascii() or "_" in bare or len(bare) > MAX_DIGITS:
        return None
    try:
        value = Decimal(bare)
    except InvalidOperation:
        return None
    return value if value.is_finite() and abs(value.adjusted()) <= MAX_DIGITS else None
