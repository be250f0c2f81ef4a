"""A tokenizer and a recursive descent parser for the subset of SpEL that machines use."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kessai.saga.expression import meaning
from kessai.saga.expression.meaning import ExpressionError, Term

MAX_LENGTH = 2_000
MAX_DEPTH = 40

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>0[xX][0-9a-fA-F]+|\d+\.\d+(?:[eE][+-]?\d+)?[fFdD]?|\d+[lLfFdD]?)
    | (?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<symbol>==|!=|<=|>=|&&|\|\||\?\.|[-+*/%<>!.()\[\]{},\#])
    )""",
    re.VERBOSE,
)
_SPELLED = {
    "eq": "==",
    "ne": "!=",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "div": "/",
    "mod": "%",
    "and": "&&",
    "or": "||",
    "not": "!",
}
_WORDS: dict[str, object] = {"true": True, "false": False, "null": None}


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def parse(text: str) -> Term:
    """A function from scope to value. Raises `ExpressionError` with the position."""
    parser = _Parser(text)
    term = parser.disjunction()
    parser.expect_end()
    return term


def _tokens(text: str) -> list[_Token]:
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"an expression has at most {MAX_LENGTH} characters")
    tokens = []
    at = 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            place = len(text) - len(text[at:].lstrip()) + 1
            raise ExpressionError(f"{text!r}: unexpected character at {place}")
        kind, word = match.lastgroup, match[match.lastgroup]
        if kind == "name" and word.lower() in _SPELLED:
            kind, word = "symbol", _SPELLED[word.lower()]
        tokens.append(_Token(kind, word, match.start(match.lastgroup)))
        at = match.end()
    return tokens


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._at = 0
        self._depth = 0

    def disjunction(self) -> Term:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ExpressionError(f"{self._text!r} is nested too deeply")
        left = self._conjunction()
        while self._take("||"):
            left = meaning.either(left, self._conjunction())
        self._depth -= 1
        return left

    def expect_end(self) -> None:
        if self._at < len(self._tokens):
            raise self._error("unexpected")

    def _conjunction(self) -> Term:
        left = self._comparison()
        while self._take("&&"):
            left = meaning.both(left, self._comparison())
        return left

    def _comparison(self) -> Term:
        left = self._sum()
        symbol = self._take("==", "!=", "<", "<=", ">", ">=")
        return meaning.binary(symbol, left, self._sum()) if symbol else left

    def _sum(self) -> Term:
        left = self._product()
        while symbol := self._take("+", "-"):
            left = meaning.binary(symbol, left, self._product())
        return left

    def _product(self) -> Term:
        left = self._sign()
        while symbol := self._take("*", "/", "%"):
            left = meaning.binary(symbol, left, self._sign())
        return left

    def _sign(self) -> Term:
        symbols = []
        while symbol := self._take("!", "-", "+"):
            symbols.append(symbol)
            # SpEL reads `![` as the start of a projection.
            if symbol == "!" and self._peek() == "[" and self._word_before() == "!":
                raise self._error("write !(..) or not, unexpected")
        if len(symbols) > MAX_DEPTH:
            raise ExpressionError(f"{self._text!r} is nested too deeply")
        term = self._postfix(self._primary())
        for symbol in reversed(symbols):
            if symbol == "!":
                term = meaning.negation(term)
            elif symbol == "-":
                term = meaning.minus(term)
        return term

    def _postfix(self, term: Term) -> Term:
        while symbol := self._take(".", "?.", "["):
            if symbol == "[":
                term = meaning.index_of(term, self._index())
                continue
            name = self._name()
            safe = symbol == "?."
            if self._take("("):
                term = meaning.call_of(term, name, self._items(")"), safe=safe)
            else:
                term = meaning.property_of(term, name, safe=safe)
        return term

    def _primary(self) -> Term:
        if self._take("["):
            return meaning.root_index(self._index())
        if self._take("#"):
            return meaning.variable(self._name())
        if self._take("("):
            term = self.disjunction()
            self._require(")")
            return term
        token = self._next()
        if token.kind == "number":
            return meaning.constant(_number(token.text))
        if token.kind == "text":
            return meaning.constant(_string(token.text))
        if token.kind == "name":
            word = token.text.lower()
            return (
                meaning.constant(_WORDS[word]) if word in _WORDS else meaning.root_name(token.text)
            )
        self._at -= 1
        raise self._error("unexpected")

    def _index(self) -> Term:
        """`[name]` is the key "name"; anything longer is an expression."""
        token = self._next()
        if token.kind == "name" and token.text.lower() not in _WORDS and self._peek() == "]":
            self._require("]")
            return meaning.constant(token.text)
        self._at -= 1
        term = self.disjunction()
        self._require("]")
        return term

    def _items(self, closing: str) -> list[Term]:
        items: list[Term] = []
        if self._take(closing):
            return items
        items.append(self.disjunction())
        while self._take(","):
            items.append(self.disjunction())
        self._require(closing)
        return items

    def _peek(self) -> str | None:
        token = self._tokens[self._at] if self._at < len(self._tokens) else None
        return token.text if token is not None and token.kind == "symbol" else None

    def _word_before(self) -> str:
        token = self._tokens[self._at - 1]
        return self._text[token.at]

    def _take(self, *symbols: str) -> str | None:
        symbol = self._peek()
        if symbol not in symbols:
            return None
        self._at += 1
        return symbol

    def _require(self, symbol: str) -> None:
        if not self._take(symbol):
            raise self._error(f"{symbol!r} expected instead of")

    def _name(self) -> str:
        token = self._next()
        if token.kind != "name":
            self._at -= 1
            raise self._error("a name expected instead of")
        return token.text

    def _next(self) -> _Token:
        if self._at >= len(self._tokens):
            raise self._error("unexpected")
        self._at += 1
        return self._tokens[self._at - 1]

    def _error(self, what: str) -> ExpressionError:
        if self._at >= len(self._tokens):
            return ExpressionError(f"{self._text!r}: {what} end")
        token = self._tokens[self._at]
        return ExpressionError(f"{self._text!r}: {what} {token.text!r} at {token.at + 1}")


def _number(text: str) -> int | float:
    if text[:2].lower() == "0x":
        return int(text, 16)
    bare = text.rstrip("lLfFdD")
    return float(bare) if "." in bare or text[-1] in "fFdD" else int(bare)


def _string(text: str) -> str:
    quote = text[0]
    return text[1:-1].replace(quote * 2, quote)
