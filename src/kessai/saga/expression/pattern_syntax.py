"""Reads the regular expressions of Java that are regular: no look-around, no reference back."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

from kessai.saga.expression.scope import ExpressionError

MAX_PATTERN = 500
MAX_GROUPS = 20  # one inside the other

Ranges: TypeAlias = tuple[tuple[str, str], ...]


class Chars:
    """A set of characters, as sorted ranges that do not touch."""

    __slots__ = ("_firsts", "_lasts", "ranges")

    def __init__(self, ranges: Ranges, *, negated: bool = False) -> None:
        merged = _merged(ranges)
        self.ranges = _complement(merged) if negated else merged
        self._firsts = [first for first, _ in self.ranges]
        self._lasts = [last for _, last in self.ranges]

    def has(self, char: str) -> bool:
        at = bisect_right(self._firsts, char) - 1
        return at >= 0 and char <= self._lasts[at]


@dataclass(frozen=True, slots=True)
class Char:
    """Consumes one character of the set."""

    chars: Chars


@dataclass(frozen=True, slots=True)
class Border:
    """Holds at a place between two characters."""

    holds: Callable[[str, int], bool]


@dataclass(frozen=True, slots=True)
class Series:
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    part: Part
    least: int
    most: int | None


Part: TypeAlias = Char | Border | Series | Choice | Repeat

_DIGIT: Ranges = (("0", "9"),)
_WORD: Ranges = (("a", "z"), ("A", "Z"), ("_", "_"), ("0", "9"))
_SPACE: Ranges = (("\t", "\r"), (" ", " "))
_LINE_ENDS: Ranges = (("\n", "\n"), ("\r", "\r"), ("\x85", "\x85"), ("\u2028", "\u2029"))
_HIGHEST = "\U0010ffff"
_CLASSES: dict[str, Ranges] = {"d": _DIGIT, "w": _WORD, "s": _SPACE}
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "a": "\a", "e": "\x1b"}
_META = "*+?|()[{\\^$."


def _word_border(text: str, at: int) -> bool:
    before = at > 0 and (text[at - 1].isalnum() or text[at - 1] == "_")
    after = at < len(text) and (text[at].isalnum() or text[at] == "_")
    return before != after


def _at_end(text: str, at: int) -> bool:
    left = len(text) - at
    return not left or (left <= 2 and text[at:] in ("\n", "\r\n", "\r"))


_TESTS: dict[str, Callable[[str, int], bool]] = {
    "^": lambda _text, at: at == 0,
    "A": lambda _text, at: at == 0,
    "$": _at_end,
    "Z": _at_end,
    "z": lambda text, at: at == len(text),
    "b": _word_border,
    "B": lambda text, at: not _word_border(text, at),
}


def read(source: str) -> Part:
    if len(source) > MAX_PATTERN:
        raise ExpressionError(f"a pattern has at most {MAX_PATTERN} characters")
    return _Reader(source).read()


class _Reader:
    def __init__(self, source: str) -> None:
        self._source = source
        self._at = 0
        self._depth = 0
        self._ignores_case = False
        self._any: Chars = Chars(_LINE_ENDS, negated=True)

    def read(self) -> Part:
        part = self._choice()
        if self._at < len(self._source):
            self._refuse("unexpected")
        return part

    def _choice(self) -> Part:
        parts = [self._series()]
        while self._take("|"):
            parts.append(self._series())
        return parts[0] if len(parts) == 1 else Choice(tuple(parts))

    def _series(self) -> Part:
        parts: list[Part] = []
        while self._at < len(self._source) and self._source[self._at] not in "|)":
            part = self._atom()
            if part is not None:
                parts.append(self._quantified(part))
        return Series(tuple(parts))

    def _quantified(self, part: Part) -> Part:
        if self._take("*"):
            least, most = 0, None
        elif self._take("+"):
            least, most = 1, None
        elif self._take("?"):
            least, most = 0, 1
        elif self._take("{"):
            least, most = self._bounds()
        else:
            return part
        # Whether it takes more or less first says nothing about the whole text.
        if not self._take("?") and self._take("+"):
            self._refuse("possessive repetition before")
        return Repeat(part, least, most)

    def _bounds(self) -> tuple[int, int | None]:
        least = self._count()
        most: int | None = least
        if self._take(","):
            most = self._count() if self._peek().isdigit() else None
        if not self._take("}") or (most is not None and most < least):
            self._refuse("wrong repetition before")
        return least, most

    def _count(self) -> int:
        start = self._at
        while self._peek().isdecimal() and self._peek().isascii():
            self._at += 1
        digits = self._source[start : self._at]
        if not digits or len(digits) > 4:
            self._refuse("wrong repetition at")
        return int(digits)

    def _atom(self) -> Part | None:
        char = self._next()
        if char == "(":
            return self._group()
        if char == "[":
            return Char(self._class())
        if char == ".":
            return Char(self._any)
        if char in "^$":
            return Border(_TESTS[char])
        if char == "\\":
            return self._escape()
        if char in _META:
            self._at -= 1
            self._refuse("dangling")
        return Char(self._cased(((char, char),)))

    def _group(self) -> Part | None:
        self._depth += 1
        if self._depth > MAX_GROUPS:
            self._refuse("groups are nested too deeply before")
        if self._take("?") and not self._take(":"):
            if self._peek() in ("i", "s"):
                self._flags()
                return None
            self._name()
        part = self._choice()
        if not self._take(")"):
            self._refuse("')' expected before")
        self._depth -= 1
        return part

    def _flags(self) -> None:
        """`(?i)` and `(?s)`, only before everything else."""
        first = self._at == len("(?")
        while self._peek() in ("i", "s"):
            if self._next() == "i":
                self._ignores_case = True
            else:
                self._any = Chars((), negated=True)
        if not first or not self._take(")"):
            self._refuse("flags are not allowed before")
        self._depth -= 1

    def _name(self) -> None:
        if self._take("<") and self._peek().isalpha():
            while self._peek().isalnum():
                self._at += 1
            if self._take(">"):
                return
        self._refuse("this kind of group is not allowed,")

    def _escape(self) -> Part:
        char = self._peek()
        if char in _TESTS and char.isalpha():
            self._at += 1
            return Border(_TESTS[char])
        return Char(self._escaped())

    def _escaped(self) -> Chars:
        char = self._next()
        if char.lower() in _CLASSES:
            return Chars(_CLASSES[char.lower()], negated=char.isupper())
        if char in _CONTROLS:
            return Chars(((_CONTROLS[char], _CONTROLS[char]),))
        if char in "ux":
            digits = self._source[self._at : self._at + (4 if char == "u" else 2)]
            self._at += len(digits)
            try:
                char = chr(int(digits, 16))
            except ValueError:
                self._refuse("wrong escape before")
        elif char.isascii() and char.isalnum():
            self._refuse(f"\\{char} is not allowed before")
        return self._cased(((char, char),))

    def _class(self) -> Chars:
        negated = self._take("^")
        ranges: list[tuple[str, str]] = []
        first = True
        while first or not self._take("]"):
            first = False
            low = self._member()
            if len(low) == 1 and low[0][0] == low[0][1] and self._ranges_on():
                self._at += 1
                high = self._member()
                if len(high) != 1 or high[0][1] < low[0][0]:
                    self._refuse("wrong range before")
                low = ((low[0][0], high[0][1]),)
            ranges.extend(low)
        return Chars(self._cased(tuple(ranges)).ranges, negated=negated)

    def _ranges_on(self) -> bool:
        return self._source[self._at : self._at + 1] == "-" and (
            self._source[self._at + 1 : self._at + 2] not in ("]", "")
        )

    def _member(self) -> Ranges:
        char = self._next()
        if char == "[" or self._source[self._at - 1 : self._at + 1] == "&&":
            self._refuse("a class in a class is not allowed before")
        if char != "\\":
            return ((char, char),)
        return self._escaped().ranges

    def _cased(self, ranges: Ranges) -> Chars:
        """Java ignores the case of ASCII letters only."""
        if not self._ignores_case:
            return Chars(ranges)
        more = []
        for low, high in ranges:
            for first, last in (("a", "z"), ("A", "Z")):
                start, end = max(low, first), min(high, last)
                if start <= end:
                    more.append((start.swapcase(), end.swapcase()))
        return Chars((*ranges, *more))

    def _peek(self) -> str:
        return self._source[self._at : self._at + 1]

    def _next(self) -> str:
        if self._at >= len(self._source):
            self._refuse("unexpected")
        self._at += 1
        return self._source[self._at - 1]

    def _take(self, char: str) -> bool:
        if self._peek() != char:
            return False
        self._at += 1
        return True

    def _refuse(self, what: str) -> NoReturn:
        rest = self._source[self._at :]
        where = repr(rest[:20]) if rest else "its end"
        raise ExpressionError(f"pattern {self._source!r}: {what} {where}")


def _merged(ranges: Ranges) -> Ranges:
    found: list[tuple[str, str]] = []
    for first, last in sorted(ranges):
        if found and ord(first) <= ord(found[-1][1]) + 1:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return tuple(found)


def _complement(ranges: Ranges) -> Ranges:
    found = []
    low = 0
    for first, last in sorted(ranges):
        if ord(first) > low:
            found.append((chr(low), chr(ord(first) - 1)))
        low = max(low, ord(last) + 1)
    if low <= ord(_HIGHEST):
        found.append((chr(low), _HIGHEST))
    return tuple(found)
