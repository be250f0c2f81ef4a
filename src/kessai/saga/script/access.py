"""Properties, indices and ranges of the values of a script."""

from __future__ import annotations

from collections.abc import Sequence

from kessai.saga.expression import java
from kessai.saga.expression.java import Kind, kind, weighed
from kessai.saga.expression.methods import get
from kessai.saga.expression.types import is_list
from kessai.saga.script.values import (
    MAX_ITEMS,
    Range,
    ambiguous,
    fail,
    is_map,
    no_method,
    no_property,
    null_pointer,
    room,
    same,
    text_of,
)


def property_of(target: object, name: str) -> object:
    """Of a map the key, missing or not; of a list the properties of its items."""
    if target is None:
        null_pointer(f"Cannot get property '{name}' on null object")
    if is_map(target):
        return target.get(name)
    if is_list(target):
        if name == "size":
            return len(target)
        if name != "empty":
            weighed(target)
            return [property_of(one, name) for one in target if one is not None]
    if name == "empty" and (is_list(target) or isinstance(target, str)):
        return not target
    return no_property(target, name)


def item_of(target: object, key: object) -> object:
    if target is None:
        if isinstance(key, str):
            null_pointer(f"Cannot get property '{key}' on null object")
        null_pointer("Cannot invoke method getAt() on null object")
    if is_map(target):
        return get(target, key)
    if isinstance(key, str):
        return property_of(target, key)
    if is_list(target):
        return _of_list(target, key)
    if isinstance(target, str):
        return _of_text(target, key)
    return no_method(target, "getAt", key)


def _of_list(items: Sequence[object], key: object) -> object:
    if isinstance(key, Range):
        start, end, step = _borders(key, len(items), "java.lang.IndexOutOfBoundsException")
        return list(items[start:end])[::step]
    if is_list(key):
        return [_of_list(items, one) for one in _flat(key)]
    at = _whole(items, key)
    if at < 0:
        at = _from_end(at, len(items))
    return items[at] if at < len(items) else None


def _of_text(text: str, key: object) -> str:
    length = java.length_of(text)
    outside = "java.lang.StringIndexOutOfBoundsException"
    if isinstance(key, Range):
        start, end, step = _borders(key, length, outside)
        part = java.part_of(text, start, end)
        return part if step > 0 else part[::-1]
    if is_list(key):
        return "".join(_of_text(text, one) for one in _flat(key))
    at = _whole(text, key)
    if at < 0:
        at = _from_end(at, length)
    if at >= length:
        fail(outside, f"begin {at}, end {at + 1}, length {length}")
    return java.part_of(text, at, at + 1)


def _flat(keys: Sequence[object]) -> Sequence[object]:
    if any(is_list(key) for key in keys):
        fail("java.lang.ClassCastException", "an index of lists")
    return keys


def _whole(target: object, key: object) -> int:
    if key is None:
        ambiguous(target, "getAt")
    if not isinstance(key, int) or kind(key) is not Kind.INT:
        no_method(target, "getAt", key)
    return key


def _from_end(at: int, length: int) -> int:
    if at + length < 0:
        fail(
            "java.lang.ArrayIndexOutOfBoundsException",
            f"Negative array index [{at}] too large for array size {length}",
        )
    return at + length


def _borders(key: Range, length: int, outside: str) -> tuple[int, int, int]:
    """Start, end and direction; a negative border counts from the end."""
    first = _from_end(key.first, length) if key.first < 0 else key.first
    last = _from_end(key.last, length) if key.last < 0 else key.last
    if not key.inclusive:
        if first == last:
            return 0, 0, 1
        last += 1 if first > last else -1
    low, high = min(first, last), max(first, last)
    if high >= length:
        fail(outside, f"toIndex = {high + 1}")
    return low, high + 1, 1 if first <= last else -1


def range_of(first: object, last: object, *, inclusive: bool) -> object:
    if isinstance(first, str) and isinstance(last, str) and len(first) == len(last) == 1:
        codes = _between(ord(first), ord(last), inclusive=inclusive)
        return [chr(code) for code in codes]
    low, high = _border(first), _border(last)
    room(abs(high - low), MAX_ITEMS)
    items: list[object] = list(_between(low, high, inclusive=inclusive))
    return Range(items, low, high, inclusive=inclusive)


def _border(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        fail("java.lang.IllegalArgumentException", f"no range to {text_of(value)[:60]}")
    return int(value)


def _between(first: int, last: int, *, inclusive: bool) -> range:
    room(abs(first - last), MAX_ITEMS)
    step = 1 if first <= last else -1
    return range(first, last + step if inclusive else last, step)


def is_in(value: object, values: object) -> bool:
    if is_list(values):
        return any(same(one, value) for one in values)
    if is_map(values):
        return get(values, value) is not None or (isinstance(value, str) and value in values)
    return value is values or (values is not None and same(values, value))
