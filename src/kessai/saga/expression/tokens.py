"""Cuts an expression into tokens, by SpEL's rules for numbers, texts and spelled operators."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import NoReturn

from kessai.saga.expression.java import INT_MAX, LONG_MAX, Long, Number, to_float
from kessai.saga.expression.scope import ExpressionError

MAX_LENGTH = 2_000

_TOKEN = re.compile(
    r"""(?:
      (?P<number>0[xX][0-9a-fA-F]*[lL]?|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?[fFdDlL]?)
    | (?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")
    | (?P<name>(?!\$\[)[A-Za-z_$][A-Za-z0-9_$]*)
    | (?P<symbol>==|!=|<=|>=|&&|\|\||\+\+|--|\?\.|\?:|[?!^$]\[|[-+*/%^<>!=?:.,()\[\]{}\#@&])
    )""",
    re.VERBOSE | re.ASCII,
)
_SPELLED = {
    "div": "/",
    "eq": "==",
    "ge": ">=",
    "gt": ">",
    "le": "<=",
    "lt": "<",
    "mod": "%",
    "ne": "!=",
    "not": "!",
}
_BLANK = re.compile(r"[ \t\r\n]*")


class Lexeme(Enum):
    NUMBER = "number"
    TEXT = "text"
    NAME = "name"
    SYMBOL = "symbol"
    END = "end"


@dataclass(frozen=True, slots=True)
class Token:
    """`symbol` is what it means as an operator, "" for others; `eq` is a symbol and a name."""

    lexeme: Lexeme
    text: str
    at: int
    symbol: str = ""
    value: object = None


def tokens(source: str, offset: int = 0) -> list[Token]:
    """Ends with an END token. Positions in errors count from 1 and start at `offset`."""
    if len(source) > MAX_LENGTH:
        raise ExpressionError(f"an expression has at most {MAX_LENGTH} characters", position=1)
    found: list[Token] = []
    at = _skip(source, 0)
    while at < len(source):
        match = _TOKEN.match(source, at)
        if match is None or match.lastgroup is None:
            what = "text without an end" if source[at] in "'\"" else "unexpected character"
            refuse(source, what, at, offset)
        found.append(_token(source, Lexeme(match.lastgroup), match[0], at, offset))
        at = _skip(source, match.end())
    found.append(Token(Lexeme.END, "end", len(source)))
    return found


def refuse(
    source: str, what: str, at: int, offset: int, error: type[ExpressionError] = ExpressionError
) -> NoReturn:
    shown = source if len(source) <= 80 else f"{source[:77]}..."
    place = at + offset + 1
    raise error(f"{shown!r}: {what} at {place}", position=place)


def _skip(source: str, at: int) -> int:
    blank = _BLANK.match(source, at)
    return blank.end() if blank is not None else at


def _token(source: str, lexeme: Lexeme, text: str, at: int, offset: int) -> Token:
    match lexeme:
        case Lexeme.NUMBER:
            number = _number(text)
            if number is None:
                refuse(source, f"{text!r} is no number", at, offset)
            return Token(lexeme, text, at, value=number)
        case Lexeme.TEXT:
            # Both kinds of quotes are halved, whichever the text is written in.
            content = text[1:-1].replace("''", "'").replace('""', '"')
            return Token(lexeme, text, at, value=content)
        case Lexeme.NAME:
            return Token(lexeme, text, at, symbol=_SPELLED.get(text.lower(), ""))
    return Token(lexeme, text, at, symbol=text)


def _number(text: str) -> Number | None:
    suffix = text[-1].lower()
    if text[:2].lower() == "0x":
        digits = text[2:].rstrip("lL")
        return _integer(int(digits, 16), long=suffix == "l") if digits else None
    bare = text.rstrip("fFdDlL")
    if suffix in "fd" or not bare.isdigit():
        if suffix == "l":
            return None
        return to_float(float(bare)) if suffix == "f" else float(bare)
    return _integer(int(bare), long=suffix == "l")


def _integer(value: int, *, long: bool) -> int | None:
    if long:
        return Long(value) if value <= LONG_MAX else None
    return value if value <= INT_MAX else None
