"""Java's numbers and texts on Python's values: 32 bits unless marked, printed as Java prints."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from typing import TypeAlias

INT_MIN, INT_MAX = -(2**31), 2**31 - 1
LONG_MIN, LONG_MAX = -(2**63), 2**63 - 1
MAX_BITS = 10_000
# A weight is one for each value and each piece of text: what may be printed, compared or kept.
MAX_WEIGHT = 100_000
_PIECE = 64


class Long(int):
    """A 64-bit number that would fit in 32; a greater `int` is a long without being marked."""


class Big(int):
    """A number of any length, which an operation never cuts."""


class Float(float):
    """A number of single precision."""


class Bean(dict[str, object]):
    """An object with properties where a plain dict is a map: `[bean][name]` is no key of it."""


@dataclass(frozen=True, slots=True)
class Char:
    """A character, which is no text: it equals none and is longer than none."""

    value: str

    def __str__(self) -> str:
        return self.value


class Array(list[object]):
    """A list with a `length`."""


Number: TypeAlias = int | float


class Kind(IntEnum):
    """In the order in which an operand decides the kind of the result."""

    NONE = -1
    INT = 0
    LONG = 1
    BIG = 2
    FLOAT = 3
    DOUBLE = 4


def kind(value: object) -> Kind:
    if value.__class__ is float:
        return Kind.DOUBLE
    if isinstance(value, float):
        return Kind.FLOAT if isinstance(value, Float) else Kind.DOUBLE
    if isinstance(value, int) and not isinstance(value, bool):
        if isinstance(value, Long | Big):
            return Kind.LONG if isinstance(value, Long) else Kind.BIG
        if INT_MIN <= value <= INT_MAX:
            return Kind.INT
        return Kind.LONG if LONG_MIN <= value <= LONG_MAX else Kind.BIG
    return Kind.NONE


def to_int(value: int) -> int:
    return (value - INT_MIN) % 2**32 + INT_MIN


def to_long(value: int) -> int:
    wrapped = (value - LONG_MIN) % 2**64 + LONG_MIN
    return Long(wrapped) if INT_MIN <= wrapped <= INT_MAX else wrapped


def to_float(value: Number) -> Float:
    try:
        return Float(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:
        return Float(math.copysign(math.inf, value))


def to_double(value: Number) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.copysign(math.inf, value)


def clamped(value: Number, low: int, high: int) -> int:
    """A cast from a double: NaN is 0, and what does not fit is the nearest that does."""
    if value != value:
        return 0
    return low if value <= low else high if value >= high else int(value)


def whole(value: int, left: int, right: int) -> int:
    """The result of an operation on two plain numbers; nearly all fit into 32 bits."""
    if INT_MIN <= left <= INT_MAX and INT_MIN <= right <= INT_MAX:
        return value if INT_MIN <= value <= INT_MAX else to_int(value)
    found = fitted(value, max(kind(left), kind(right)))
    return found if isinstance(found, int) else int(found)


def fitted(value: Number, of: Kind) -> Number:
    """The result of an operation, in the width of its operands."""
    match of:
        case Kind.INT:
            return to_int(int(value))
        case Kind.LONG:
            return to_long(int(value))
        case Kind.FLOAT:
            return to_float(value)
        case Kind.BIG if int(value).bit_length() > MAX_BITS:
            raise OverflowError(f"a number of more than {MAX_BITS} bits")
    return value


def quotient(left: int, right: int) -> int:
    """Towards zero; raises `ZeroDivisionError`."""
    found = abs(left) // abs(right)
    return found if (left < 0) == (right < 0) else -found


def divided(left: float, right: float) -> float:
    if right:
        return left / right
    if not left or left != left:
        return math.nan
    return math.copysign(math.inf, math.copysign(1, left) * math.copysign(1, right))


def remainder(left: float, right: float) -> float:
    try:
        return math.fmod(left, right)
    except ValueError:
        return math.nan


def power(left: float, right: float) -> float:
    try:
        found = math.pow(left, right)
    except OverflowError:
        odd = right == math.floor(right) and right % 2 == 1
        return -math.inf if left < 0 and odd else math.inf
    except ValueError:
        return math.inf if not left else math.nan
    return math.nan if abs(left) == 1 and math.isinf(right) else found


def double_text(value: float) -> str:
    if value != value:
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    shortest = _shortest(value) if isinstance(value, Float) else repr(value)
    number = Decimal(shortest)
    if not number:
        return "-0.0" if number.is_signed() else "0.0"
    if Decimal("0.001") <= abs(number) < Decimal(10_000_000):
        plain = f"{number:f}"
        return plain if "." in plain else f"{plain}.0"
    sign, digits, _ = number.normalize().as_tuple()
    first, *rest = (str(digit) for digit in digits)
    return f"{'-' if sign else ''}{first}.{''.join(rest) or '0'}E{number.adjusted()}"


def _shortest(value: Float) -> str:
    """The fewest digits that are this number and no other of single precision."""
    return next(
        text
        for text in (f"{float(value):.{digits}g}" for digits in range(1, 18))
        if to_float(float(text)) == value
    )


def weight(value: object, limit: int = MAX_WEIGHT) -> int:
    """How much there is to look at, counted hardly further than `limit`."""
    found = 1
    pending = [value]
    while pending and found <= limit:
        one = pending.pop()
        if isinstance(one, str):
            found += len(one) // _PIECE
        elif isinstance(one, Mapping):
            found += len(one)
            pending.extend(one.values())
        elif isinstance(one, list | tuple):
            found += len(one)
            pending.extend(one)
    return found


def weighed(*values: object) -> None:
    """Raises `OverflowError` unless one is light: lists of lists of one list grow without end."""
    if all(weight(value) > MAX_WEIGHT for value in values):
        raise OverflowError(f"more than {MAX_WEIGHT} parts")


def text_of(value: object) -> str:
    """`toString()`; lists and maps as Java's collections print themselves."""
    if isinstance(value, Mapping | list | tuple):
        weighed(value)
    return _text(value)


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return double_text(value)
    if isinstance(value, Mapping):
        inside = (f"{_text(key)}={_text(one)}" for key, one in value.items())
        return "{" + ", ".join(inside) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_text(one) for one in value) + "]"
    return int.__repr__(value) if isinstance(value, int) else str(value)


def equals(left: object, right: object) -> bool:
    """`Object.equals`: 1, 1L and 1.0 are three different things."""
    if left.__class__ is str or right.__class__ is str:
        return left == right
    if isinstance(left, Mapping | list | tuple):
        weighed(left, right)
    return _equals(left, right)


def _equals(left: object, right: object) -> bool:
    if left is right:
        return True
    if isinstance(left, list | tuple):
        return (
            isinstance(right, list | tuple)
            and len(left) == len(right)
            and all(_equals(one, two) for one, two in zip(left, right, strict=True))
        )
    if isinstance(left, Mapping):
        return (
            isinstance(right, Mapping)
            and isinstance(left, Bean) == isinstance(right, Bean)
            and len(left) == len(right)
            and all(key in right and _equals(one, right[key]) for key, one in left.items())
        )
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return kind(left) is kind(right) and (left == right or (left != left and right != right))


def same_number(left: Number, right: Number) -> bool:
    """`==` between numbers of any kinds."""
    if isinstance(left, float) or isinstance(right, float):
        return to_double(left) == to_double(right)
    return left == right


def ordered(left: Number, right: Number) -> int:
    if isinstance(left, float) or isinstance(right, float):
        left, right = to_double(left), to_double(right)
    return (left > right) - (left < right)


def order_of_texts(left: str, right: str) -> int:
    """By UTF-16 units: above the basic plane that is not Python's order."""
    if not (left.isascii() and right.isascii()):
        one, two = units(left), units(right)
        return (one > two) - (one < two)
    return (left > right) - (left < right)


def units(text: str) -> bytes:
    return text.encode("utf-16-be", "surrogatepass")


def length_of(text: str) -> int:
    return len(text) if text.isascii() else len(units(text)) // 2


def part_of(text: str, start: int, end: int) -> str:
    """By UTF-16 units. Raises `UnicodeDecodeError` where half a character would be left."""
    if text.isascii():
        return text[start:end]
    return units(text)[2 * start : 2 * end].decode("utf-16-be")


def hash_of(text: str) -> int:
    found = 0
    data = units(text)
    for at in range(0, len(data), 2):
        found = (found * 31 + (data[at] << 8) + data[at + 1]) & 0xFFFFFFFF
    return to_int(found)
