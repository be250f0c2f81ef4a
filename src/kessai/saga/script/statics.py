"""The functions and constants of classes that a script may use: all of them pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import Decimal

from kessai.saga.expression.java import INT_MAX, INT_MIN, LONG_MAX, LONG_MIN, Long, clamped, power
from kessai.saga.script.arithmetic import negative
from kessai.saga.script.types import cast, parsed
from kessai.saga.script.values import Number, compared, is_number, no_method, text_of, to_double
from kessai.saga.script.words import ROUNDINGS

CONSTANTS: Mapping[str, object] = {
    "Integer.MAX_VALUE": INT_MAX,
    "Integer.MIN_VALUE": INT_MIN,
    "Long.MAX_VALUE": LONG_MAX,
    "Long.MIN_VALUE": LONG_MIN,
    "BigDecimal.ZERO": Decimal(0),
    "BigDecimal.ONE": Decimal(1),
    "BigDecimal.TEN": Decimal(10),
    "Boolean.TRUE": True,
    "Boolean.FALSE": False,
    **{f"java.math.RoundingMode.{name}": name for name in ROUNDINGS},
    **{f"BigDecimal.ROUND_{name}": name for name in ROUNDINGS},
}


def is_static(name: str, arguments: int | None = None) -> bool:
    if arguments is None:
        return any(name == known for known, _ in _FUNCTIONS)
    return (name, arguments) in _FUNCTIONS


def call_static(name: str, arguments: list[object]) -> object:
    return _FUNCTIONS[name, len(arguments)](*arguments)


def _numbers(name: str, *values: object) -> list[Number]:
    """`Math` knows no decimals: they become doubles, and so does what stands beside them."""
    numbers = [value for value in values if is_number(value)]
    if len(numbers) < len(values):
        no_method("Math", name, *values)
    if any(isinstance(value, float | Decimal) for value in numbers):
        return [to_double(value) for value in numbers]
    return numbers


def _greatest(left: object, right: object) -> object:
    one, two = _numbers("max", left, right)
    return one if compared(one, two) >= 0 else two


def _least(left: object, right: object) -> object:
    one, two = _numbers("min", left, right)
    return one if compared(one, two) <= 0 else two


def _absolute(value: object) -> object:
    (number,) = _numbers("abs", value)
    return negative(number) if number < 0 else number


def rounded(value: Number) -> int:
    """To the nearest whole number, halves up."""
    found = clamped(math.floor(to_double(value) + 0.5), LONG_MIN, LONG_MAX)
    return Long(found) if INT_MIN <= found <= INT_MAX else found


def _double(name: str, function: Callable[[float], float]) -> Callable[[object], float]:
    return lambda value: function(to_double(_numbers(name, value)[0]))


def _power(base: object, exponent: object) -> float:
    one, two = _numbers("pow", base, exponent)
    return power(to_double(one), to_double(two))


def _parse(type_name: str) -> Callable[[object], object]:
    def parse(value: object) -> object:
        if isinstance(value, str):
            return parsed(value, type_name)
        return no_method(type_name, f"parse{type_name}", value)

    return parse


def _value_of(type_name: str) -> Callable[[object], object]:
    return lambda value: cast(value, type_name, converts=True)


_FUNCTIONS: Mapping[tuple[str, int], Callable[..., object]] = {
    ("Math.max", 2): _greatest,
    ("Math.min", 2): _least,
    ("Math.abs", 1): _absolute,
    ("Math.round", 1): lambda value: rounded(_numbers("round", value)[0]),
    ("Math.floor", 1): _double("floor", lambda value: float(math.floor(value))),
    ("Math.ceil", 1): _double("ceil", lambda value: float(math.ceil(value))),
    ("Math.sqrt", 1): _double("sqrt", lambda value: math.sqrt(value) if value >= 0 else math.nan),
    ("Math.pow", 2): _power,
    ("Integer.parseInt", 1): _parse("Integer"),
    ("Long.parseLong", 1): _parse("Long"),
    ("Double.parseDouble", 1): _parse("Double"),
    ("Integer.valueOf", 1): _value_of("Integer"),
    ("Long.valueOf", 1): _value_of("Long"),
    ("Double.valueOf", 1): _value_of("Double"),
    ("BigDecimal.valueOf", 1): _value_of("BigDecimal"),
    ("Boolean.parseBoolean", 1): lambda value: str(value).lower() == "true",
    ("String.valueOf", 1): text_of,
}
