"""Cuts a script into tokens; a text with `${..}` keeps the tokens of the code inside."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import NoReturn

from kessai.saga.expression.java import INT_MAX, LONG_MAX, Big, Long, to_float
from kessai.saga.script.errors import ScriptError

MAX_LENGTH = 20_000
MAX_DIGITS = 300
MAX_NESTED_TEXTS = 8

_SPACE = re.compile(r"[ \t\f]+|//[^\n]*|/\*.*?\*/", re.DOTALL)
_NUMBER = re.compile(
    r"0[xX][0-9a-fA-F_]+[iIlLgG]?|0[bB][01_]+[iIlLgG]?"
    r"|\d[\d_]*(?:\.\d[\d_]*)?(?:[eE][+-]?\d+)?[iIlLgGfFdD]?"
)
_NAME = re.compile(r"(?:[^\W\d]|\$)[\w$]*")
_DOTTED = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_SYMBOL = re.compile(
    r"\.\.<|<=>|===|!==|\*\*=|==~|\?\.|\*\.|\.\.|==|!=|<=|>=|&&|\|\||\?:|\+\+|--|\*\*"
    r"|[-+*/%]=|=~|->|<<|>>|[-+*/%<>!=?:.,;()\[\]{}&|^~@]"
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


class Lexeme(Enum):
    NUMBER = "number"
    TEXT = "text"
    NAME = "name"
    SYMBOL = "symbol"
    NEWLINE = "newline"
    END = "end"


@dataclass(frozen=True, slots=True)
class Code:
    """What stands in `${..}`, or the dotted name after `$`."""

    tokens: tuple[Token, ...]


@dataclass(frozen=True, slots=True)
class Token:
    lexeme: Lexeme
    text: str
    at: int
    value: object = None


def refuse(source: str, what: str, at: int) -> NoReturn:
    line = source.count("\n", 0, at) + 1
    raise ScriptError(what, line=line, column=at - (source.rfind("\n", 0, at) + 1) + 1)


def tokens(source: str) -> tuple[Token, ...]:
    if len(source) > MAX_LENGTH:
        raise ScriptError(f"a script has at most {MAX_LENGTH} characters", line=1, column=1)
    return _Lexer(source).read()


class _Lexer:
    def __init__(self, source: str, at: int = 0, depth: int = 0) -> None:
        self._source = source
        self.at = at
        self._depth = depth
        self._open: list[str] = []
        self._found: list[Token] = []

    def read(self, *, inside: bool = False) -> tuple[Token, ...]:
        """To the end of the source or, inside a text, of its `}`."""
        source = self._source
        while self.at < len(source):
            char = source[self.at]
            if inside and char == "}" and "{" not in self._open:
                return self._ended()
            if char in "\r\n":
                self._newline()
            elif space := _SPACE.match(source, self.at):
                self.at = space.end()
            elif char in "'\"":
                self._text(char)
            else:
                self._word(char)
        if inside:
            refuse(source, "'}' is missing", self.at)
        return self._ended()

    def _ended(self) -> tuple[Token, ...]:
        self._add(Lexeme.END, "end", self.at)
        return tuple(self._found)

    def _add(self, lexeme: Lexeme, text: str, at: int, value: object = None) -> None:
        self._found.append(Token(lexeme, text, at, value))

    def _newline(self) -> None:
        """In parentheses and brackets the end of a line ends nothing."""
        if not self._open or self._open[-1] == "{":
            self._add(Lexeme.NEWLINE, "end of line", self.at)
        self.at += 1

    def _word(self, char: str) -> None:
        source, at = self._source, self.at
        if char.isdecimal() and (number := _NUMBER.match(source, at)):
            self.at = number.end()
            if _NAME.match(source, self.at):
                refuse(source, f"{number[0] + source[self.at]!r} is no number", at)
            self._add(Lexeme.NUMBER, number[0], at, self._number(number[0], at))
        elif name := _NAME.match(source, at):
            self.at = name.end()
            self._add(Lexeme.NAME, name[0], at)
        elif symbol := _SYMBOL.match(source, at):
            self.at = symbol.end()
            self._bracket(symbol[0])
            self._add(Lexeme.SYMBOL, symbol[0], at)
        else:
            refuse(source, f"unexpected character {char!r}", at)

    def _bracket(self, symbol: str) -> None:
        if symbol in "([{":
            self._open.append(symbol)
        elif symbol in ")]}" and self._open:
            self._open.pop()

    def _number(self, text: str, at: int) -> object:
        word = text.replace("_", "").lower()
        if len(word) > MAX_DIGITS:
            refuse(self._source, f"a number has at most {MAX_DIGITS} digits", at)
        suffix = word[-1] if word[-1] in "ilg" or (word[-1] in "fd" and word[:2] != "0x") else ""
        bare = word.removesuffix(suffix)
        if word[:2] in ("0x", "0b"):
            return self._whole(int(bare, 16 if word[1] == "x" else 2), suffix, at)
        if bare.isdigit() and suffix not in ("f", "d"):
            octal = len(bare) > 1 and bare[0] == "0"
            if octal and bare.strip("01234567"):
                refuse(self._source, f"{text!r} is no number", at)
            return self._whole(int(bare, 8 if octal else 10), suffix, at)
        if suffix in ("i", "l"):
            refuse(self._source, f"{text!r} is no number", at)
        if suffix in ("f", "d"):
            return to_float(float(bare)) if suffix == "f" else float(bare)
        value = Decimal(bare)
        if abs(value.adjusted()) > MAX_DIGITS:
            refuse(self._source, f"{text!r} is too great or too small", at)
        return value

    def _whole(self, value: int, suffix: str, at: int) -> int:
        if suffix == "g" or (not suffix and value > LONG_MAX + 1):
            return Big(value)
        if suffix and value > (INT_MAX if suffix == "i" else LONG_MAX):
            refuse(self._source, f"{value} does not fit", at)
        return Long(value) if suffix == "l" else value

    def _text(self, quote: str) -> None:
        start = self.at
        long = self._source.startswith(quote * 3, start)
        end = quote * 3 if long else quote
        self.at += len(end)
        parts: list[str | Code] = []
        plain: list[str] = []
        while not self._source.startswith(end, self.at):
            char = self._source[self.at : self.at + 1]
            if not char or (char == "\n" and not long):
                refuse(self._source, "text without an end", start)
            if char == "\\":
                plain.append(self._escape())
            elif char == "$" and quote == '"':
                parts += ["".join(plain), self._code()]
                plain = []
            else:
                plain.append(char)
                self.at += 1
        self.at += len(end)
        parts.append("".join(plain))
        self._add(Lexeme.TEXT, self._source[start : self.at], start, tuple(parts))

    def _escape(self) -> str:
        at = self.at
        char = self._source[at + 1 : at + 2]
        self.at += 2
        if char in _ESCAPES:
            return _ESCAPES[char]
        if char and char in "\\'\"$":
            return char
        if char == "\n":
            return ""
        if char == "u":
            digits = re.compile(r"[0-9a-fA-F]{4}").match(self._source, self.at)
            if digits and not 0xD800 <= int(digits[0], 16) < 0xE000:
                self.at += 4
                return chr(int(digits[0], 16))
        refuse(self._source, f"wrong escape {self._source[at : at + 2]!r}", at)

    def _code(self) -> Code:
        """`${..}` or `$name.name`."""
        self.at += 1
        if self._depth >= MAX_NESTED_TEXTS:
            refuse(self._source, "texts are nested too deeply", self.at)
        if self._source.startswith("{", self.at):
            inner = _Lexer(self._source, self.at + 1, self._depth + 1)
            found = inner.read(inside=True)
            self.at = inner.at + 1
            return Code(found)
        name = _DOTTED.match(self._source, self.at)
        if name is None:
            refuse(self._source, "'$' without a name: write '\\$'", self.at - 1)
        start, self.at = self.at, name.end()
        names = _Lexer(self._source[: name.end()], start, self._depth + 1)
        return Code(names.read())
