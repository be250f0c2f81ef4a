"""The methods that an expression may call: those of Java's values that read and change nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from kessai.saga.expression import java
from kessai.saga.expression.java import (
    INT_MAX,
    INT_MIN,
    LONG_MAX,
    LONG_MIN,
    Array,
    Bean,
    Char,
    Kind,
    Number,
    to_long,
)
from kessai.saga.expression.pattern import Pattern
from kessai.saga.expression.scope import ExpressionError
from kessai.saga.expression.types import is_list, is_map, is_number, shown, to_index, to_text

MAX_TEXT = 10_000


def is_allowed(name: str, arguments: int) -> bool:
    return (name, arguments) in _KNOWN or (arguments == 0 and bean_property(name) is not None)


def bean_property(method: str) -> str | None:
    """`getName` and `isName` read the property `name`."""
    found = re.fullmatch(r"(?:get|is)([A-Z])(\w*)", method)
    if found is None or method == "getClass":
        return None
    return found[1].lower() + found[2]


def call(target: object, name: str, arguments: Sequence[object]) -> object:
    found = _table(target).get((name, len(arguments)))
    if found is None:
        key = bean_property(name) if not arguments else None
        if key is not None and isinstance(target, Mapping) and key in target:
            return target[key]
        raise ExpressionError(f"{shown(target)} has no method {name}()")
    try:
        return found(target, *arguments)
    except (TypeError, IndexError, UnicodeDecodeError) as error:
        raise ExpressionError(f"{name}() does not fit {shown(target)}") from error


def limited(text: str) -> str:
    if len(text) > MAX_TEXT:
        raise ExpressionError(f"the text has more than {MAX_TEXT} characters")
    return text


def repeated(text: str, times: int) -> str:
    if len(text) * times > MAX_TEXT:
        raise ExpressionError(f"the text has more than {MAX_TEXT} characters")
    return text * times


def string(value: object) -> str:
    """An argument that is a String: numbers, booleans and lists are converted."""
    if value is None or isinstance(value, Mapping):
        raise ExpressionError(f"{shown(value)} instead of a text")
    return limited(value if isinstance(value, str) else to_text(value))


def characters(value: object) -> str:
    """An argument that is a CharSequence, to which nothing is converted."""
    if not isinstance(value, str):
        raise ExpressionError(f"{shown(value)} instead of a text")
    return value


def position(value: object, low: int, high: int) -> int:
    found = to_index(value)
    if not low <= found <= high:
        raise ExpressionError(f"position {found} is out of range")
    return found


def _substring(text: str, start: object, end: object = None) -> str:
    length = java.length_of(text)
    last = length if end is None else position(end, 0, length)
    return java.part_of(text, position(start, 0, last), last)


def _char_at(text: str, at: object) -> Char:
    first = position(at, 0, java.length_of(text) - 1)
    return Char(java.part_of(text, first, first + 1))


def _index_of(text: str, part: object, start: object = 0) -> int:
    first = max(to_index(start), 0)
    sought = _sought(part)
    if text.isascii():
        return text.find(sought, first)
    return _unit(java.units(text).find, java.units(sought), 2 * first)


def _sought(part: object) -> str:
    """A number is the code of a character."""
    if isinstance(part, str | bool):
        return string(part)
    if isinstance(part, int) and 0 <= part <= 0xFFFF:
        return chr(part)
    raise ExpressionError(f"{shown(part)} instead of a text")


def _last_index_of(text: str, part: object) -> int:
    sought = _sought(part)
    if text.isascii():
        return text.rfind(sought)
    return _unit(java.units(text).rfind, java.units(sought), 0)


def _unit(find: Callable[[bytes, int], int], sought: bytes, start: int) -> int:
    """A position in UTF-16 units; a hit in the middle of one is none."""
    at = find(sought, start)
    while at >= 0 and at % 2:
        at = find(sought, at + 1)
    return at // 2 if at >= 0 else -1


def _compare_texts(left: str, right: str) -> int:
    """The difference of the first units that differ, or of the lengths."""
    one, two = java.units(left), java.units(right)
    for at in range(0, min(len(one), len(two)), 2):
        difference = int.from_bytes(one[at : at + 2]) - int.from_bytes(two[at : at + 2])
        if difference:
            return difference
    return (len(one) - len(two)) // 2


def _replace(text: str, old: object, new: object) -> str:
    one, two = characters(old), characters(new)
    if text.count(one) * len(two) > MAX_TEXT:
        raise ExpressionError(f"the text has more than {MAX_TEXT} characters")
    return limited(text.replace(one, two))


def _split(text: str, separator: object) -> Array:
    """Only by plain texts; empty ones at the end are left out."""
    sought = string(separator)
    if not sought:
        return Array(text or [""])
    plain = re.sub(r"\\([^A-Za-z0-9])", r"\1", sought)
    if re.search(r"[.$|()\[{^?*+\\]", re.sub(r"\\[^A-Za-z0-9]", "", sought)):
        raise ExpressionError(f"split() takes plain texts, not {shown(sought)}")
    found = Array(text.split(plain))
    while len(found) > 1 and not found[-1]:
        found.pop()
    return found


_BLANKS = "".join(chr(code) for code in range(33))


def _starts_with(text: str, part: object, start: object) -> bool:
    first = to_index(start)
    if not 0 <= first <= java.length_of(text):
        return False
    return java.units(text)[2 * first :].startswith(java.units(string(part)))


_TEXT: Mapping[tuple[str, int], Callable[..., object]] = {
    ("length", 0): java.length_of,
    ("isEmpty", 0): lambda text: not text,
    ("isBlank", 0): lambda text: not text.strip(),
    ("contains", 1): lambda text, part: characters(part) in text,
    ("startsWith", 1): lambda text, part: text.startswith(string(part)),
    ("startsWith", 2): _starts_with,
    ("endsWith", 1): lambda text, part: text.endswith(string(part)),
    ("indexOf", 1): _index_of,
    ("indexOf", 2): _index_of,
    ("lastIndexOf", 1): _last_index_of,
    ("substring", 1): _substring,
    ("substring", 2): _substring,
    ("charAt", 1): _char_at,
    ("toUpperCase", 0): lambda text: text.upper(),
    ("toLowerCase", 0): lambda text: text.lower(),
    ("trim", 0): lambda text: text.strip(_BLANKS),
    ("strip", 0): lambda text: text.strip(),
    ("concat", 1): lambda text, other: limited(text + string(other)),
    ("repeat", 1): lambda text, times: repeated(text, position(times, 0, INT_MAX)),
    ("replace", 2): _replace,
    ("split", 1): _split,
    ("matches", 1): lambda text, pattern: Pattern(string(pattern)).matches(text),
    ("equalsIgnoreCase", 1): lambda text, other: (
        other is not None and text.lower() == string(other).lower()
    ),
    ("compareTo", 1): lambda text, other: _compare_texts(text, string(other)),
    ("compareToIgnoreCase", 1): lambda text, other: _compare_texts(
        text.lower(), string(other).lower()
    ),
    ("hashCode", 0): java.hash_of,
}


def _sub_list(items: Sequence[object], start: object, end: object) -> list[object]:
    last = position(end, 0, len(items))
    return list(items[position(start, 0, last) : last])


def _has(items: Sequence[object], one: object) -> bool:
    return _place(items, one) >= 0


def _has_all(items: Sequence[object], others: object) -> bool:
    if not is_list(others):
        raise TypeError
    # Each pair is one comparison: what would be too many is no question of a machine.
    if len(items) * len(others) > 1_000_000:
        raise ExpressionError("containsAll() of lists that are too long")
    return all(_has(items, other) for other in others)


def _place(items: Sequence[object], one: object) -> int:
    if isinstance(one, Mapping) or is_list(one):
        return next((at for at, item in enumerate(items) if java.equals(item, one)), -1)
    # What Python holds for different is different in Java, too.
    alike = (at for at, item in enumerate(items) if item == one and java.equals(item, one))
    return next(alike, -1)


def _last_place(items: Sequence[object], one: object) -> int:
    at = _place(items[::-1], one)
    return -1 if at < 0 else len(items) - 1 - at


_LIST: Mapping[tuple[str, int], Callable[..., object]] = {
    ("size", 0): len,
    ("isEmpty", 0): lambda items: not items,
    ("contains", 1): _has,
    ("containsAll", 1): _has_all,
    ("indexOf", 1): _place,
    ("lastIndexOf", 1): _last_place,
    ("get", 1): lambda items, at: items[position(at, 0, len(items) - 1)],
    ("subList", 2): _sub_list,
}


def get(values: Mapping[object, object], key: object) -> object:
    """Keys of JSON are texts; others can stand only in an inline map, and 1 is no 1L there."""
    if isinstance(key, str):
        return values.get(key)
    return next((values[name] for name in _alike(values, key)), None)


def has_key(values: Mapping[object, object], key: object) -> bool:
    if isinstance(key, str):
        return key in values
    return any(True for _ in _alike(values, key))


def _alike(values: Mapping[object, object], key: object) -> Iterator[object]:
    if not isinstance(key, Mapping) and not is_list(key) and key in values:
        yield from (name for name in values if java.equals(name, key))


_MAP: Mapping[tuple[str, int], Callable[..., object]] = {
    ("size", 0): len,
    ("isEmpty", 0): lambda values: not values,
    ("containsKey", 1): has_key,
    ("containsValue", 1): lambda values, one: _has(list(values.values()), one),
    ("get", 1): get,
    ("getOrDefault", 2): lambda values, key, other: (
        get(values, key) if has_key(values, key) else other
    ),
    ("keySet", 0): list,
    ("values", 0): lambda values: list(values.values()),
    ("entrySet", 0): lambda values: entries(values),
}


def entries(values: Mapping[object, object]) -> list[object]:
    return [Bean(key=key, value=value) for key, value in values.items()]


def _compare_numbers(left: Number, right: object) -> int:
    if java.kind(left) is Kind.INT:
        right = to_index(right)
    if not is_number(right):
        raise TypeError
    return java.ordered(left, right)


def _compare_booleans(left: bool, right: object) -> int:
    if not isinstance(right, bool):
        raise TypeError
    return left - right


_NUMBER: Mapping[tuple[str, int], Callable[..., object]] = {
    ("intValue", 0): lambda number: (
        java.to_int(number) if isinstance(number, int) else java.clamped(number, INT_MIN, INT_MAX)
    ),
    ("longValue", 0): lambda number: to_long(
        number if isinstance(number, int) else java.clamped(number, LONG_MIN, LONG_MAX)
    ),
    ("doubleValue", 0): java.to_double,
    ("floatValue", 0): java.to_float,
    ("isNaN", 0): lambda number: _double(number) != number,
    ("isInfinite", 0): lambda number: abs(_double(number)) == float("inf"),
    ("compareTo", 1): _compare_numbers,
}


def _double(number: Number) -> float:
    if java.kind(number) not in (Kind.FLOAT, Kind.DOUBLE):
        raise TypeError
    return float(number)


_BOOLEAN: Mapping[tuple[str, int], Callable[..., object]] = {
    ("booleanValue", 0): lambda value: value,
    ("compareTo", 1): _compare_booleans,
}
_ALL: Mapping[tuple[str, int], Callable[..., object]] = {
    ("equals", 1): java.equals,
    ("toString", 0): lambda value: limited(java.text_of(value)),
}
_TEXT, _LIST, _MAP, _NUMBER, _BOOLEAN = (
    {**_ALL, **one} for one in (_TEXT, _LIST, _MAP, _NUMBER, _BOOLEAN)
)
_KNOWN = {**_TEXT, **_LIST, **_MAP, **_NUMBER, **_BOOLEAN}


_BY_CLASS: Mapping[type, Mapping[tuple[str, int], Callable[..., object]]] = {
    str: _TEXT,
    list: _LIST,
    dict: _MAP,
    bool: _BOOLEAN,
    int: _NUMBER,
    float: _NUMBER,
}


def _table(target: object) -> Mapping[tuple[str, int], Callable[..., object]]:
    found = _BY_CLASS.get(target.__class__)
    if found is not None:
        return found
    if isinstance(target, str):
        return _TEXT
    if is_list(target):
        return _LIST
    if is_map(target):
        return _MAP
    if isinstance(target, bool):
        return _BOOLEAN
    return _NUMBER if is_number(target) else _ALL
