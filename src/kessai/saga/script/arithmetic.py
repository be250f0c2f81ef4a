"""Groovy's operators: whole numbers as in Java, and decimals that are exact where they can be."""

from __future__ import annotations

import decimal
import math
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import cache

from kessai.saga.expression import java
from kessai.saga.expression.java import INT_MAX, INT_MIN, MAX_BITS, Big, Kind, kind, weighed
from kessai.saga.expression.types import is_list
from kessai.saga.script.values import (
    MAX_ITEMS,
    MAX_TEXT,
    Number,
    ambiguous,
    class_of,
    compared,
    equal,
    fail,
    is_map,
    is_number,
    limited,
    listed,
    no_method,
    null_pointer,
    room,
    text_of,
    to_double,
)

MAX_PRECISION = 1_000
MAX_PAIRS = 1_000_000  # of items, where two lists are compared
# Of a quotient that does not end.
_MIN_SCALE = 10
_MORE_DIGITS = 10

EXACT = Context(
    prec=MAX_PRECISION,
    rounding=ROUND_HALF_UP,
    Emin=-10_000,
    Emax=10_000,
    traps=[decimal.Inexact, decimal.InvalidOperation, decimal.Overflow, decimal.Clamped],
)


def plus(left: object, right: object) -> object:
    if left.__class__ is int and right.__class__ is int:
        return java.whole(left + right, left, right)
    if is_number(left) and is_number(right):
        return _counted("plus", left, right)
    if isinstance(left, str) or (isinstance(right, str) and (left is None or is_number(left))):
        return limited(text_of(left) + text_of(right))
    if left is None:
        null_pointer(f"Cannot execute null+{text_of(right)}")
    if is_list(left):
        return listed([*left, *right] if is_list(right) else [*left, right])
    if is_map(left) and is_map(right):
        return {**left, **right}
    return _unfit("plus", left, right)


def minus(left: object, right: object) -> object:
    if left.__class__ is int and right.__class__ is int:
        return java.whole(left - right, left, right)
    if is_number(left) and is_number(right):
        return _counted("minus", left, right)
    if isinstance(left, str):
        return left.replace(text_of(right), "", 1)
    if is_list(left):
        others = right if is_list(right) else [right]
        room(len(left) * len(others), MAX_PAIRS)
        return [one for one in left if not any(equal(one, other) for other in others)]
    if is_map(left) and is_map(right):
        return {
            key: one for key, one in left.items() if key not in right or not equal(one, right[key])
        }
    return _unfit("minus", left, right)


def multiply(left: object, right: object) -> object:
    if left.__class__ is int and right.__class__ is int:
        return java.whole(left * right, left, right)
    if not is_number(right) or is_number(left):
        return _numeric("multiply", left, right)
    times = int(to_double(right))
    if isinstance(left, str):
        if times < 0:
            fail(
                "java.lang.IllegalArgumentException",
                f"multiply() should be called with a number of 0 or greater not: {times}",
            )
        room(len(left) * times, MAX_TEXT)
        return left * times
    if is_list(left):
        if times < 0:
            fail("java.lang.IllegalArgumentException", f"Illegal Capacity: {times * len(left)}")
        room(len(left) * times, MAX_ITEMS)
        return list(left) * times
    return _unfit("multiply", left, right)


def divide(left: object, right: object) -> object:
    return _numeric("div", left, right)


def remain(left: object, right: object) -> object:
    return _numeric("mod", left, right)


def power(left: object, right: object) -> object:
    return _numeric("power", left, right)


def whole_quotient(left: object, right: object) -> object:
    return _numeric("intdiv", left, right)


def _numeric(name: str, left: object, right: object) -> object:
    if is_number(left) and is_number(right):
        return _counted(name, left, right)
    return _unfit(name, left, right)


def _unfit(name: str, left: object, right: object) -> object:
    if left is None:
        null_pointer(f"Cannot invoke method {name}() on null object")
    if right is None and is_number(left) and name in _WITHOUT_OVERLOADS:
        null_pointer(f"null instead of a number for {name}()")
    if right is None and (is_number(left) or is_map(left)):
        ambiguous(left, name)
    return no_method(left, name, right)


# Java picks a method by its argument, which null leaves open where there are several.
_WITHOUT_OVERLOADS = ("mod", "and", "or", "xor", "intdiv")


def _counted(name: str, left: Number, right: Number) -> Number:
    if name == "power":
        return _raised(left, right)
    if isinstance(left, float) or isinstance(right, float):
        return _FLOATING[name](to_double(left), to_double(right))
    if name == "div":
        return quotient(_decimal(left), _decimal(right))
    if isinstance(left, Decimal) or isinstance(right, Decimal):
        return _DECIMAL[name](_decimal(left), _decimal(right))
    if not right and name in ("mod", "intdiv"):
        fail("java.lang.ArithmeticException", "/ by zero")
    return sized(_WHOLE[name](left, right), max(kind(left), kind(right)))


def sized(value: int, of: Kind) -> int:
    if of is Kind.BIG:
        if value.bit_length() > MAX_BITS:
            raise OverflowError(f"a number of more than {MAX_BITS} bits")
        return Big(value)
    return java.to_int(value) if of is Kind.INT else java.to_long(value)


_WHOLE: Mapping[str, Callable[[int, int], int]] = {
    "plus": lambda left, right: left + right,
    "minus": lambda left, right: left - right,
    "multiply": lambda left, right: left * right,
    "mod": lambda left, right: left - right * java.quotient(left, right),
    "intdiv": java.quotient,
}


def _no_decimals(name: str) -> Callable[[Decimal, Decimal], Decimal]:
    def apply(left: Decimal, _right: Decimal) -> Decimal:
        fail(
            "java.lang.UnsupportedOperationException",
            f"Cannot use {name}() on this number type: java.math.BigDecimal with value: {left}",
        )

    return apply


_DECIMAL: Mapping[str, Callable[[Decimal, Decimal], Decimal]] = {
    "plus": EXACT.add,
    "minus": EXACT.subtract,
    "multiply": EXACT.multiply,
    "mod": _no_decimals("mod"),
    "intdiv": _no_decimals("intdiv"),
}


def _no_doubles(left: float, _right: float) -> float:
    fail(
        "java.lang.UnsupportedOperationException",
        f"Cannot use intdiv() on this number type: java.lang.Double with value: {left}",
    )


_FLOATING: Mapping[str, Callable[[float, float], float]] = {
    "plus": lambda left, right: left + right,
    "minus": lambda left, right: left - right,
    "multiply": lambda left, right: left * right,
    "div": java.divided,
    "mod": java.remainder,
    "intdiv": _no_doubles,
}


def quotient(left: Decimal, right: Decimal) -> Decimal:
    """Exact where the digits end, or else rounded twice, as Groovy does."""
    if not right:
        fail("java.lang.ArithmeticException", "Division by zero")
    try:
        return _exact(_digits(left) + math.ceil(10 * _digits(right) / 3)).divide(left, right)
    except decimal.Inexact:
        digits = max(_digits(left), _digits(right)) + _MORE_DIGITS
        found = _rounding(digits).divide(left, right)
    scale = max(scale_of(left), scale_of(right), _MIN_SCALE)
    if scale_of(found) <= scale:
        return found
    return rounded(found, scale, ROUND_HALF_UP)


@cache
def _exact(digits: int) -> Context:
    return Context(prec=digits, Emin=-10_000, traps=[decimal.Inexact, decimal.InvalidOperation])


@cache
def _rounding(digits: int) -> Context:
    return Context(prec=digits, rounding=ROUND_HALF_UP, Emin=-10_000)


def rounded(value: Decimal, scale: int, rounding: str) -> Decimal:
    context = Context(prec=MAX_PRECISION, rounding=rounding, Emin=-10_000, Emax=10_000)
    return context.quantize(value, Decimal((0, (1,), -scale)))


def scale_of(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


def _digits(value: Decimal) -> int:
    return len(value.as_tuple().digits)


def _decimal(value: Number) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(value)


def _raised(left: Number, right: Number) -> Number:
    """Exact for a whole exponent that is not negative, or else by way of doubles."""
    exact = not isinstance(left, float) and kind(right) is Kind.INT and right >= 0
    if exact and isinstance(left, Decimal):
        return EXACT.power(left, Decimal(right))
    if exact and isinstance(left, int) and isinstance(right, int):
        if abs(left) > 1 and left.bit_length() * right > MAX_BITS:
            fail("java.lang.ArithmeticException", f"a number of more than {MAX_BITS} bits")
        found: int = left**right
        of = kind(left)
        if INT_MIN <= found <= INT_MAX and of is Kind.INT:
            return found
        return java.to_long(found) if of is Kind.LONG and _is_long(found) else Big(found)
    raised = java.power(to_double(left), to_double(right))
    if math.isfinite(raised) and raised == int(raised) and _is_long(int(raised)):
        whole = int(raised)
        return whole if INT_MIN <= whole <= INT_MAX else java.to_long(whole)
    return raised


def _is_long(value: int) -> bool:
    return java.LONG_MIN <= value <= java.LONG_MAX


def negative(value: object) -> object:
    if isinstance(value, Decimal):
        return value.copy_negate()
    if isinstance(value, float):
        return -float(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return sized(-value, kind(value))
    if is_list(value):
        weighed(value)
        return [negative(one) for one in value]
    if value is None:
        null_pointer("Cannot invoke method negative() on null object")
    return no_method(value, "negative")


def positive(value: object) -> object:
    if is_number(value):
        return value
    if value is None:
        null_pointer("Cannot invoke method positive() on null object")
    return no_method(value, "positive")


def _bitwise(name: str, apply: Callable[[int, int], int]) -> Callable[[object, object], object]:
    def operate(left: object, right: object) -> object:
        if isinstance(left, bool) and isinstance(right, bool):
            return bool(apply(left, right))
        if (
            isinstance(left, int)
            and isinstance(right, int)
            and not isinstance(left, bool)
            and not isinstance(right, bool)
        ):
            return sized(apply(left, right), max(kind(left), kind(right)))
        if is_number(left) and is_number(right):
            fail(
                "java.lang.UnsupportedOperationException",
                f"Cannot use {name}() on this number type: {class_of(left)} with value: {left}",
            )
        return _unfit(name, left, right)

    return operate


OPERATIONS: Mapping[str, Callable[[object, object], object]] = {
    "+": plus,
    "-": minus,
    "*": multiply,
    "/": divide,
    "%": remain,
    "**": power,
    "&": _bitwise("and", lambda left, right: left & right),
    "|": _bitwise("or", lambda left, right: left | right),
    "^": _bitwise("xor", lambda left, right: left ^ right),
    "==": equal,
    "!=": lambda left, right: not equal(left, right),
    "<=>": lambda left, right: max(-1, min(1, compared(left, right))),
    "<": lambda left, right: compared(left, right) < 0,
    "<=": lambda left, right: compared(left, right) <= 0,
    ">": lambda left, right: compared(left, right) > 0,
    ">=": lambda left, right: compared(left, right) >= 0,
}
