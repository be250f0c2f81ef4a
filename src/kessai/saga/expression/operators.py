"""What the operators of an expression do: Java's numbers, and SpEL's null."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import TypeAlias

from kessai.saga.expression import java
from kessai.saga.expression.java import (
    INT_MAX,
    INT_MIN,
    LONG_MAX,
    LONG_MIN,
    Kind,
    Number,
    fitted,
    kind,
    to_double,
)
from kessai.saga.expression.methods import limited, repeated
from kessai.saga.expression.pattern import Pattern
from kessai.saga.expression.scope import ExpressionError
from kessai.saga.expression.types import is_list, is_number, shown, to_text

Operation: TypeAlias = Callable[[object, object], object]


def _numbers(symbol: str, left: object, right: object) -> tuple[Number, Number, Kind]:
    if is_number(left) and is_number(right):
        of = max(kind(left), kind(right))
        if of is Kind.DOUBLE or of is Kind.FLOAT:
            return to_double(left), to_double(right), of
        return left, right, of
    raise ExpressionError(f"{shown(left)} {symbol} {shown(right)} has no value")


def add(left: object, right: object) -> object:
    if left.__class__ is int and right.__class__ is int:
        return java.whole(left + right, left, right)
    if isinstance(left, str):
        return limited(left + (right if isinstance(right, str) else to_text(right)))
    if isinstance(right, str):
        return limited(to_text(left) + right)
    one, two, of = _numbers("+", left, right)
    return fitted(one + two, of)


def subtract(left: object, right: object) -> object:
    if left.__class__ is int and right.__class__ is int:
        return java.whole(left - right, left, right)
    if isinstance(left, str) and kind(right) is Kind.INT and is_number(right):
        return _earlier(left, int(right))
    one, two, of = _numbers("-", left, right)
    return fitted(one - two, of)


def _earlier(text: str, by: int) -> str:
    """The character before: 'b' - 1 is 'a'."""
    if java.length_of(text) == 1:
        code = (ord(text) - by) % 0x10000
        if not 0xD800 <= code < 0xE000:
            return chr(code)
    raise ExpressionError(f"{shown(text)} - {by} has no value")


def multiply(left: object, right: object) -> object:
    if left.__class__ is int and right.__class__ is int:
        return java.whole(left * right, left, right)
    if isinstance(left, str) and kind(right) is Kind.INT and is_number(right):
        return repeated(left, max(int(right), 0))
    one, two, of = _numbers("*", left, right)
    return fitted(one * two, of)


def divide(left: object, right: object) -> object:
    if left.__class__ is int and right.__class__ is int:
        return java.whole(java.quotient(left, right), left, right)
    one, two, of = _numbers("/", left, right)
    if isinstance(one, int) and isinstance(two, int):
        return fitted(java.quotient(one, two), of)
    return fitted(java.divided(one, two), of)


def remain(left: object, right: object) -> object:
    one, two, of = _numbers("%", left, right)
    if isinstance(one, int) and isinstance(two, int):
        return fitted(one - two * java.quotient(one, two), of)
    return fitted(java.remainder(one, two), of)


def power(left: object, right: object) -> object:
    one, two, of = _numbers("^", left, right)
    found = java.power(to_double(one), to_double(two))
    match of:
        case Kind.FLOAT | Kind.DOUBLE:
            return found
        case Kind.BIG:
            raise OverflowError("a power of a number of more than 64 bits")
        case Kind.INT if not found > INT_MAX:
            return java.clamped(found, INT_MIN, INT_MAX)
    return java.to_long(java.clamped(found, LONG_MIN, LONG_MAX))


def negative(value: object) -> object:
    one, _, of = _numbers("-", value, 0)
    return fitted(0 - one, of)


def positive(value: object) -> object:
    if is_number(value):
        return value
    raise ExpressionError(f"+ {shown(value)} has no value")


def equal(left: object, right: object) -> bool:
    if left.__class__ is int and right.__class__ is int:
        return left == right
    if is_number(left) and is_number(right):
        return java.same_number(left, right)
    return left is right or java.equals(left, right)


def compared(left: object, right: object) -> int:
    """Null is less than everything; other kinds only with their own kind."""
    if left.__class__ is int and right.__class__ is int:
        return (left > right) - (left < right)
    if left is None or right is None:
        return (left is not None) - (right is not None)
    if isinstance(left, str) and isinstance(right, str):
        return java.order_of_texts(left, right)
    if is_number(left) and is_number(right):
        return java.ordered(left, right)
    if isinstance(left, bool) and isinstance(right, bool):
        return left - right
    raise ExpressionError(f"{shown(left)} cannot be compared with {shown(right)}")


def _ordering(test: Callable[[int, int], bool]) -> Operation:
    def compare(left: object, right: object) -> bool:
        # NaN is neither less nor greater nor equal.
        return test(compared(left, right), 0) and not (_is_nan(left) or _is_nan(right))

    return compare


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and value != value


def between(value: object, bounds: object) -> bool:
    if not is_list(bounds) or len(bounds) != 2:
        raise ExpressionError(f"between needs a list of two, not {shown(bounds)}")
    low, high = bounds
    return compared(value, low) >= 0 and compared(value, high) <= 0


def matches(text: object, pattern: object) -> bool:
    if not isinstance(pattern, str):
        raise ExpressionError(f"a pattern is a text, not {shown(pattern)}")
    return match_of(Pattern(pattern), text)


def match_of(pattern: Pattern, text: object) -> bool:
    if text is None or isinstance(text, Mapping):
        raise ExpressionError(f"{shown(text)} is no text to match")
    return pattern.matches(to_text(text))


OPERATIONS: Mapping[str, Operation] = {
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "%": remain,
    "^": power,
    "==": equal,
    "!=": lambda left, right: not equal(left, right),
    "<": _ordering(operator.lt),
    "<=": _ordering(operator.le),
    ">": _ordering(operator.gt),
    ">=": _ordering(operator.ge),
    "between": between,
    "matches": matches,
}
