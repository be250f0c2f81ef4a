"""The methods that a script may call: those that read a value and make another from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cmp_to_key

from kessai.saga.expression import java
from kessai.saga.expression.java import Kind, kind, weighed
from kessai.saga.expression.methods import get, has_key
from kessai.saga.expression.types import is_list
from kessai.saga.script import arithmetic, texts, types
from kessai.saga.script.access import is_in, item_of
from kessai.saga.script.arithmetic import MAX_PAIRS, rounded, scale_of
from kessai.saga.script.statics import rounded as nearest
from kessai.saga.script.values import (
    MAX_TEXT,
    Number,
    compared,
    equal,
    fail,
    is_map,
    limited,
    no_method,
    null_pointer,
    room,
    same,
    text_of,
    to_double,
    truth,
)
from kessai.saga.script.words import ROUNDINGS

_Table = Mapping[tuple[str, int], Callable[..., object]]


def is_method(name: str, arguments: int) -> bool:
    return (name, arguments) in _KNOWN


def call(target: object, name: str, arguments: Sequence[object]) -> object:
    if target is None:
        if name in ("equals", "is"):
            return arguments[0] is None
        if name == "toString":
            return "null"
        null_pointer(f"Cannot invoke method {name}() on null object")
    method = _table(target).get((name, len(arguments)))
    if method is None:
        no_method(target, name, *arguments)
    try:
        return method(target, *arguments)
    except TypeError:
        no_method(target, name, *arguments)


def _items(value: object) -> Sequence[object]:
    if is_list(value):
        return value
    raise TypeError


def _index(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError
    return value


def _at(items: Sequence[object], position: object) -> object:
    at = _index(position)
    if not 0 <= at < len(items):
        fail(
            "java.lang.IndexOutOfBoundsException",
            f"Index {at} out of bounds for length {len(items)}",
        )
    return items[at]


def _first(items: Sequence[object], what: str = "first()") -> object:
    if not items:
        _none(what)
    return items[0]


def _last(items: Sequence[object]) -> object:
    if not items:
        _none("last()")
    return items[-1]


def _none(what: str) -> None:
    fail("java.util.NoSuchElementException", f"Cannot access {what} element from an empty List")


def _tail(items: Sequence[object]) -> list[object]:
    if not items:
        fail("java.util.NoSuchElementException", "Cannot access tail() for an empty iterable")
    return list(items[1:])


def _sum(items: Sequence[object]) -> object:
    if not items:
        return None
    total = items[0]
    cost = 0
    for one in items[1:]:
        total = arithmetic.plus(total, one)
        cost += len(total) if isinstance(total, str | list) else 1
        room(cost, MAX_PAIRS)
    return total


def _greatest(items: Sequence[object]) -> object:
    return _extreme(items, lambda order: order > 0)


def _least(items: Sequence[object]) -> object:
    return _extreme(items, lambda order: order < 0)


def _extreme(items: Sequence[object], better: Callable[[int], bool]) -> object:
    found: object = None
    for one in items:
        if one is not None and (found is None or better(compared(one, found))):
            found = one
    return found


def _sorted(items: Sequence[object], mutates: object = False) -> list[object]:
    if mutates is not False:
        raise TypeError
    return sorted(items, key=cmp_to_key(compared))


def _unique(items: Sequence[object], mutates: object = False) -> list[object]:
    if mutates is not False:
        raise TypeError
    room(len(items) ** 2, MAX_PAIRS)
    found: list[object] = []
    for one in items:
        if not any(equal(one, other) for other in found):
            found.append(one)
    return found


def _join(items: Sequence[object], separator: object = "") -> str:
    if not isinstance(separator, str):
        raise TypeError
    weighed(items)
    room(len(separator) * len(items), MAX_TEXT)
    return limited(separator.join(text_of(one) for one in items))


def _flat(items: Sequence[object]) -> list[object]:
    weighed(items)
    found: list[object] = []
    for one in items:
        found.extend(_flat(one) if is_list(one) else [one])
    return found


def _place(items: Sequence[object], one: object) -> int:
    return next((at for at, item in enumerate(items) if same(item, one)), -1)


def _last_place(items: Sequence[object], one: object) -> int:
    at = _place(items[::-1], one)
    return -1 if at < 0 else len(items) - 1 - at


def _has_all(items: Sequence[object], others: object) -> bool:
    room(len(items) * len(_items(others)), MAX_PAIRS)
    return all(is_in(other, items) for other in _items(others))


def _common(items: Sequence[object], others: object) -> list[object]:
    room(len(items) * len(_items(others)), MAX_PAIRS)
    return [one for one in items if any(equal(one, other) for other in _items(others))]


def _sub_list(items: Sequence[object], start: object, end: object) -> list[object]:
    first, last = _index(start), _index(end)
    if not 0 <= first <= last <= len(items):
        fail("java.lang.IndexOutOfBoundsException", f"toIndex = {last}")
    return list(items[first:last])


def _take(items: Sequence[object], count: object) -> list[object]:
    return list(items[: max(_index(count), 0)])


def _drop(items: Sequence[object], count: object) -> list[object]:
    return list(items[max(_index(count), 0) :])


_LIST: _Table = {
    ("size", 0): len,
    ("isEmpty", 0): lambda items: not items,
    ("get", 1): _at,
    ("getAt", 1): item_of,
    ("first", 0): _first,
    ("head", 0): _first,
    ("last", 0): _last,
    ("tail", 0): _tail,
    ("contains", 1): lambda items, one: is_in(one, items),
    ("containsAll", 1): _has_all,
    ("indexOf", 1): _place,
    ("lastIndexOf", 1): _last_place,
    ("count", 1): lambda items, one: sum(equal(item, one) for item in items),
    ("sum", 0): _sum,
    ("max", 0): _greatest,
    ("min", 0): _least,
    ("join", 0): _join,
    ("join", 1): _join,
    ("reverse", 0): lambda items: list(items[::-1]),
    ("sort", 1): _sorted,
    ("toSorted", 0): _sorted,
    ("unique", 1): _unique,
    ("toUnique", 0): _unique,
    ("flatten", 0): _flat,
    ("take", 1): _take,
    ("drop", 1): _drop,
    ("subList", 2): _sub_list,
    ("intersect", 1): _common,
    ("plus", 1): arithmetic.plus,
    ("minus", 1): arithmetic.minus,
    ("multiply", 1): arithmetic.multiply,
    ("any", 0): lambda items: any(truth(one) for one in items),
    ("every", 0): lambda items: all(truth(one) for one in items),
}


def _sub_map(values: Mapping[object, object], keys: object) -> dict[object, object]:
    return {key: get(values, key) for key in _items(keys) if has_key(values, key)}


_MAP: _Table = {
    ("size", 0): len,
    ("isEmpty", 0): lambda values: not values,
    ("get", 1): get,
    ("getAt", 1): get,
    ("getOrDefault", 2): lambda values, key, other: (
        get(values, key) if has_key(values, key) else other
    ),
    ("containsKey", 1): has_key,
    ("containsValue", 1): lambda values, one: is_in(one, list(values.values())),
    ("keySet", 0): list,
    ("values", 0): lambda values: list(values.values()),
    ("plus", 1): arithmetic.plus,
    ("minus", 1): arithmetic.minus,
    ("subMap", 1): _sub_map,
}


def _absolute(number: Number) -> object:
    return arithmetic.negative(number) if number < 0 else number


def _round(number: Number, digits: object = 0) -> object:
    """Only of doubles; a decimal has `setScale` instead."""
    if not isinstance(number, float):
        raise TypeError
    factor = 10.0 ** max(-300, min(300, _index(digits)))
    return nearest(number * factor) / factor


def _truncated(number: Number, digits: object = 0) -> object:
    if not isinstance(number, float):
        raise TypeError
    factor = 10.0 ** max(-300, min(300, _index(digits)))
    return float(types.to_long(number * factor)) / factor


def _scaled(number: Number, scale: object, rounding: object = None) -> Decimal:
    if not isinstance(number, Decimal):
        raise TypeError
    digits = _index(scale)
    if not -arithmetic.MAX_PRECISION < digits < arithmetic.MAX_PRECISION:
        fail("java.lang.ArithmeticException", f"a scale of {digits}")
    if rounding is None:
        found = rounded(number, digits, "ROUND_DOWN")
        if found != number:
            fail("java.lang.ArithmeticException", "Rounding necessary")
        return found
    if not isinstance(rounding, str) or rounding not in ROUNDINGS:
        raise TypeError
    return rounded(number, digits, ROUNDINGS[rounding])


def _scale(number: Number) -> int:
    if not isinstance(number, Decimal):
        raise TypeError
    return scale_of(number)


def _of_doubles(test: Callable[[float], bool]) -> Callable[[Number], bool]:
    def apply(number: Number) -> bool:
        if not isinstance(number, float):
            raise TypeError
        return test(number)

    return apply


def _sign(number: Number) -> int:
    if kind(number) in (Kind.INT, Kind.LONG, Kind.FLOAT, Kind.DOUBLE):
        raise TypeError
    return (number > 0) - (number < 0)


_NUMBER: _Table = {
    ("intValue", 0): types.to_integer,
    ("toInteger", 0): types.to_integer,
    ("longValue", 0): types.to_long,
    ("toLong", 0): types.to_long,
    ("doubleValue", 0): to_double,
    ("toDouble", 0): to_double,
    ("toBigDecimal", 0): types.to_decimal,
    ("toBigInteger", 0): types.to_big,
    ("abs", 0): _absolute,
    ("signum", 0): _sign,
    ("round", 0): lambda number: nearest(number) if isinstance(number, float) else _round(number),
    ("round", 1): _round,
    ("trunc", 0): _truncated,
    ("trunc", 1): _truncated,
    ("setScale", 1): _scaled,
    ("setScale", 2): _scaled,
    ("scale", 0): _scale,
    ("plus", 1): arithmetic.plus,
    ("minus", 1): arithmetic.minus,
    ("multiply", 1): arithmetic.multiply,
    ("div", 1): arithmetic.divide,
    ("mod", 1): arithmetic.remain,
    ("power", 1): arithmetic.power,
    ("intdiv", 1): arithmetic.whole_quotient,
    ("compareTo", 1): compared,
    ("isNaN", 0): _of_doubles(lambda number: number != number),
    ("isInfinite", 0): _of_doubles(lambda number: abs(number) == float("inf")),
}
_ALL: _Table = {
    ("equals", 1): same,
    ("is", 1): same,
    ("toString", 0): text_of,
    ("hashCode", 0): lambda value: _hash(value),
}


def _hash(value: object) -> int:
    if isinstance(value, str):
        return java.hash_of(value)
    if kind(value) is Kind.INT and isinstance(value, int):
        return int(value)
    raise TypeError


_TABLES: Mapping[str, _Table] = {
    "text": {**_ALL, **texts.METHODS},
    "list": {**_ALL, **_LIST},
    "map": {**_ALL, **_MAP},
    "number": {**_ALL, **_NUMBER},
    "boolean": {**_ALL, ("compareTo", 1): compared},
}
_KNOWN = frozenset(key for table in _TABLES.values() for key in table)


def _table(target: object) -> _Table:
    if isinstance(target, str):
        return _TABLES["text"]
    if is_list(target):
        return _TABLES["list"]
    if is_map(target):
        return _TABLES["map"]
    return _TABLES["boolean" if isinstance(target, bool) else "number"]
