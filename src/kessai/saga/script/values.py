"""Groovy's idea of truth, equality, order and text; and how its exceptions are made."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NoReturn, TypeAlias, TypeGuard

from kessai.saga.expression import java
from kessai.saga.expression.java import Kind, kind, weighed
from kessai.saga.expression.types import is_list
from kessai.saga.script.errors import ScriptThrown

MAX_TEXT = 100_000
MAX_ITEMS = 10_000
# What Java has no limit for is no `Error` here, which no Catch could name.
LIMIT_EXCEEDED = "java.lang.IllegalStateException"

Number: TypeAlias = int | float | Decimal


class Range(list[object]):
    """Its items, and how it was written: as an index, `1..-1` counts from both ends."""

    def __init__(self, items: list[object], first: int, last: int, *, inclusive: bool) -> None:
        super().__init__(items)
        self.first = first
        self.last = last
        self.inclusive = inclusive


def fail(name: str, message: str | None = None) -> NoReturn:
    raise ScriptThrown(name, message)


def no_method(target: object, name: str, *arguments: object) -> NoReturn:
    types = ", ".join(class_of(argument) for argument in arguments)
    values = ", ".join(text_of(argument)[:60] for argument in arguments)
    fail(
        "groovy.lang.MissingMethodException",
        f"No signature of method: {class_of(target)}.{name}() is applicable for argument types:"
        f" ({types}) values: [{values}]",
    )


def no_property(target: object, name: str) -> NoReturn:
    fail(
        "groovy.lang.MissingPropertyException",
        f"No such property: {name} for class: {class_of(target)}",
    )


def null_pointer(message: str) -> NoReturn:
    fail("java.lang.NullPointerException", message)


def ambiguous(target: object, name: str) -> NoReturn:
    fail(
        "groovy.lang.GroovyRuntimeException",
        f"Ambiguous method overloading for method {class_of(target)}#{name}.",
    )


def is_number(value: object) -> TypeGuard[Number]:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def is_map(value: object) -> TypeGuard[Mapping[object, object]]:
    return isinstance(value, Mapping)


def class_of(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, Decimal):
        return "java.math.BigDecimal"
    if is_number(value):
        return _NUMBERS[kind(value)]
    if isinstance(value, bool | str):
        return "java.lang.Boolean" if isinstance(value, bool) else "java.lang.String"
    return "java.util.ArrayList" if is_list(value) else "java.util.LinkedHashMap"


_NUMBERS = {
    Kind.INT: "java.lang.Integer",
    Kind.LONG: "java.lang.Long",
    Kind.BIG: "java.math.BigInteger",
    Kind.FLOAT: "java.lang.Float",
    Kind.DOUBLE: "java.lang.Double",
}


def truth(value: object) -> bool:
    """Null, false, 0 and what is empty are false."""
    return bool(value)


def text_of(value: object) -> str:
    if isinstance(value, str):
        return value
    if is_list(value) or is_map(value):
        weighed(value)
    return limited(_text(value))


def _text(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value)
    if is_list(value):
        return "[" + ", ".join(_text(one) for one in value) + "]"
    if is_map(value):
        inside = ", ".join(f"{_text(key)}:{_text(one)}" for key, one in value.items())
        return f"[{inside or ':'}]"
    return java.text_of(value)


def room(length: int, most: int) -> None:
    """Raises before anything of this length is made."""
    if length > most:
        fail(LIMIT_EXCEEDED, f"a length of more than {most}")


def limited(text: str) -> str:
    room(len(text), MAX_TEXT)
    return text


def listed(items: list[object]) -> list[object]:
    room(len(items), MAX_ITEMS)
    return items


def equal(left: object, right: object) -> bool:
    """`==`: numbers by value, a character by its code, lists and maps by their parts."""
    if (is_list(left) and is_list(right)) or (is_map(left) and is_map(right)):
        weighed(left, right)
    return _equal(left, right)


def _equal(left: object, right: object) -> bool:
    if left is right:
        return True
    if is_number(left) or is_number(right):
        codes = _codes(left, right)
        return codes is not None and _order(*codes) == 0
    if is_list(left) and is_list(right):
        return len(left) == len(right) and all(
            _equal(one, two) for one, two in zip(left, right, strict=True)
        )
    if is_map(left) and is_map(right):
        return len(left) == len(right) and all(
            key in right and _equal(one, right[key]) for key, one in left.items()
        )
    return left.__class__ is right.__class__ and left == right


def _codes(left: object, right: object) -> tuple[Number, Number] | None:
    """Two numbers; a text of one character beside a number is its code."""
    if isinstance(left, str) and len(left) == 1:
        left = ord(left)
    if isinstance(right, str) and len(right) == 1:
        right = ord(right)
    return (left, right) if is_number(left) and is_number(right) else None


def _order(left: Number, right: Number) -> int:
    if isinstance(left, float) or isinstance(right, float):
        left, right = to_double(left), to_double(right)
        # As `Double.compare`: NaN equals itself and is greater than everything.
        if left != left or right != right:
            return (left != left) - (right != right)
    return (left > right) - (left < right)


def compared(left: object, right: object) -> int:
    if left is None or right is None:
        return (left is not None) - (right is not None)
    if isinstance(left, str) and isinstance(right, str):
        return java.order_of_texts(left, right)
    if isinstance(left, bool) and isinstance(right, bool):
        return left - right
    codes = _codes(left, right) if is_number(left) or is_number(right) else None
    if codes is not None:
        return _order(*codes)
    if is_list(left) or is_map(left):
        fail(
            "groovy.lang.GroovyRuntimeException",
            f"Cannot compare {class_of(left)} and {class_of(right)}",
        )
    fail(
        "java.lang.ClassCastException",
        f"class {class_of(right)} cannot be cast to class {class_of(left)}",
    )


def same(left: object, right: object) -> bool:
    """`equals()`: 1, 1L and 1.0 are different, and so are 1.0 and 1.00."""
    if isinstance(left, Decimal) or isinstance(right, Decimal):
        return (
            isinstance(left, Decimal)
            and isinstance(right, Decimal)
            and left.as_tuple() == right.as_tuple()
        )
    return java.equals(left, right)


def to_double(value: Number) -> float:
    return float(value) if isinstance(value, Decimal) else java.to_double(value)
