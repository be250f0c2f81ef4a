"""The methods of texts in a script; positions count UTF-16 units, as Java does."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from kessai.saga.expression import java
from kessai.saga.expression.pattern import Pattern
from kessai.saga.expression.scope import ExpressionError
from kessai.saga.script import arithmetic
from kessai.saga.script.access import item_of
from kessai.saga.script.types import is_written, parsed
from kessai.saga.script.values import MAX_TEXT, fail, limited, null_pointer, room

_BLANKS = "".join(chr(code) for code in range(33))


def _text(value: object) -> str:
    if value is None:
        null_pointer("null instead of a text")
    if not isinstance(value, str):
        raise TypeError
    return value


def _position(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError
    return value


def _part(text: str, start: int, end: int) -> str:
    length = java.length_of(text)
    if not 0 <= start <= end <= length:
        fail(
            "java.lang.StringIndexOutOfBoundsException",
            f"begin {start}, end {end}, length {length}",
        )
    return java.part_of(text, start, end)


def _substring(text: str, start: object, end: object = None) -> str:
    last = java.length_of(text) if end is None else _position(end)
    return _part(text, _position(start), last)


def _take(text: str, count: object) -> str:
    return _part(text, 0, max(0, min(_position(count), java.length_of(text))))


def _drop(text: str, count: object) -> str:
    length = java.length_of(text)
    return _part(text, max(0, min(_position(count), length)), length)


def _units_before(text: str, at: int) -> int:
    return at if at < 0 else java.length_of(text[:at])


def _index_of(text: str, part: object) -> int:
    return _units_before(text, text.find(_text(part)))


def _last_index_of(text: str, part: object) -> int:
    return _units_before(text, text.rfind(_text(part)))


def _replaced(text: str, old: object, new: object) -> str:
    one, two = _text(old), _text(new)
    room(text.count(one) * len(two), MAX_TEXT)
    return limited(text.replace(one, two))


def _count(text: str, part: object) -> int:
    return text.count(_text(part)) if part else 0


def _tokens(text: str, separators: object = " \t\n\r\f") -> list[str]:
    """By any of the characters; nothing empty is left."""
    found = [text]
    for separator in dict.fromkeys(_text(separators)):
        found = [part for one in found for part in one.split(separator)]
    return [part for part in found if part]


def _split(text: str, separator: object) -> list[str]:
    """Only by plain texts, though Groovy takes patterns; empty ones at the end are left out."""
    sought = _text(separator)
    plain = re.sub(r"\\([^A-Za-z0-9])", r"\1", sought)
    if not plain or re.search(r"[.$|()\[{^?*+\\]", re.sub(r"\\[^A-Za-z0-9]", "", sought)):
        fail("java.lang.UnsupportedOperationException", "split() takes plain texts")
    found = text.split(plain)
    while len(found) > 1 and not found[-1]:
        found.pop()
    return found


def _padded(text: str, length: object, filling: object, side: str) -> str:
    wanted, fill = _position(length), _text(filling)
    missing = max(wanted - java.length_of(text), 0)
    room(missing, MAX_TEXT)
    if not fill:
        fail("java.lang.ArithmeticException", "/ by zero")
    left = {"left": missing, "right": 0, "both": missing // 2}[side]
    return limited(_filling(fill, left) + text + _filling(fill, missing - left))


def _filling(fill: str, length: int) -> str:
    return (fill * (length // len(fill) + 1))[:length]


def _padding(side: str) -> Callable[..., str]:
    return lambda text, length, filling=" ": _padded(text, length, filling, side)


def _matches(text: str, pattern: object) -> bool:
    try:
        return Pattern(_text(pattern)).matches(text)
    except ExpressionError as error:
        fail("java.util.regex.PatternSyntaxException", str(error))


def _difference(left: str, other: object) -> int:
    """Of the first units that differ, or of the lengths."""
    one, two = java.units(left), java.units(_text(other))
    for at in range(0, min(len(one), len(two)), 2):
        found = int.from_bytes(one[at : at + 2]) - int.from_bytes(two[at : at + 2])
        if found:
            return found
    return (len(one) - len(two)) // 2


def _reader(type_name: str) -> Callable[[str], object]:
    return lambda text: parsed(text, type_name)


def _is(type_name: str) -> Callable[[str], bool]:
    return lambda text: is_written(text, type_name)


METHODS: Mapping[tuple[str, int], Callable[..., object]] = {
    ("size", 0): java.length_of,
    ("length", 0): java.length_of,
    ("isEmpty", 0): lambda text: not text,
    ("isBlank", 0): lambda text: not text.strip(),
    ("contains", 1): lambda text, part: _text(part) in text,
    ("startsWith", 1): lambda text, part: text.startswith(_text(part)),
    ("endsWith", 1): lambda text, part: text.endswith(_text(part)),
    ("indexOf", 1): _index_of,
    ("lastIndexOf", 1): _last_index_of,
    ("substring", 1): _substring,
    ("substring", 2): _substring,
    ("charAt", 1): lambda text, at: _part(text, _position(at), _position(at) + 1),
    ("getAt", 1): item_of,
    ("take", 1): _take,
    ("drop", 1): _drop,
    ("toUpperCase", 0): lambda text: text.upper(),
    ("toLowerCase", 0): lambda text: text.lower(),
    ("capitalize", 0): lambda text: text[:1].upper() + text[1:],
    ("reverse", 0): lambda text: text[::-1],
    ("trim", 0): lambda text: text.strip(_BLANKS),
    ("strip", 0): lambda text: text.strip(),
    ("replace", 2): _replaced,
    ("count", 1): _count,
    ("tokenize", 0): _tokens,
    ("tokenize", 1): _tokens,
    ("split", 1): _split,
    ("padLeft", 1): _padding("left"),
    ("padLeft", 2): _padding("left"),
    ("padRight", 1): _padding("right"),
    ("padRight", 2): _padding("right"),
    ("center", 1): _padding("both"),
    ("center", 2): _padding("both"),
    ("concat", 1): lambda text, other: limited(text + _text(other)),
    ("plus", 1): arithmetic.plus,
    ("minus", 1): arithmetic.minus,
    ("multiply", 1): arithmetic.multiply,
    ("matches", 1): _matches,
    ("equalsIgnoreCase", 1): lambda text, other: (
        other is not None and text.lower() == _text(other).lower()
    ),
    ("compareTo", 1): _difference,
    ("toInteger", 0): _reader("Integer"),
    ("toLong", 0): _reader("Long"),
    ("toDouble", 0): _reader("Double"),
    ("toFloat", 0): _reader("Float"),
    ("toBigDecimal", 0): _reader("BigDecimal"),
    ("toBigInteger", 0): _reader("BigInteger"),
    ("toBoolean", 0): lambda text: text.strip().lower() in ("y", "true", "1"),
    ("isInteger", 0): _is("Integer"),
    ("isLong", 0): _is("Long"),
    ("isNumber", 0): _is("BigDecimal"),
    ("isBigDecimal", 0): _is("BigDecimal"),
    ("isDouble", 0): _is("BigDecimal"),
}
