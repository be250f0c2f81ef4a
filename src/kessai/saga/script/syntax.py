"""A recursive descent parser for the expressions of a script; statements are in `statements`."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from kessai.saga.expression.java import LONG_MAX, Big
from kessai.saga.script import tree
from kessai.saga.script.methods import is_method
from kessai.saga.script.statics import CONSTANTS, is_static
from kessai.saga.script.tokens import Code, Lexeme, Token, refuse
from kessai.saga.script.tree import Node
from kessai.saga.script.types import INSTANCES
from kessai.saga.script.words import REFUSED, RESERVED, TYPES

MAX_DEPTH = 40

_CONSTANTS: dict[str, object] = {"true": True, "false": False, "null": None}
_RANKS = (
    ("||",),
    ("&&",),
    ("|",),
    ("^",),
    ("&",),
    ("==", "!=", "<=>"),
    ("<", "<=", ">", ">=", "in", "instanceof", "as"),
    ("..", "..<"),
    ("+", "-"),
    ("*", "/", "%"),
)
_RANK = {symbol: rank for rank, symbols in enumerate(_RANKS) for symbol in symbols}
_ASSIGNING = ("=", "+=", "-=", "*=", "/=", "%=")


class Expressions:
    def __init__(self, source: str, tokens: tuple[Token, ...]) -> None:
        self._source = source
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def variable(self, name: str) -> tree.Variable:
        raise NotImplementedError

    def expression(self) -> Node:
        self.deeper()
        start = self.peek()
        node = self._conditional()
        symbol = self.take(*_ASSIGNING)
        if symbol:
            if not isinstance(node, tree.Variable):
                self.refuse("only a variable can be assigned", start)
            self.skip_newlines()
            node = tree.Assign(node, symbol.removesuffix("="), self.expression())
        self._depth -= 1
        return node

    def deeper(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self.refuse("nested too deeply")

    def _conditional(self) -> Node:
        node = self._ranked(0)
        if self.take("?:"):
            self.skip_newlines()
            return tree.Ternary(node, None, self.expression())
        if not self.take("?"):
            return node
        self.skip_newlines()
        then = self.expression()
        self.skip_newlines()
        self.require(":")
        self.skip_newlines()
        return tree.Ternary(node, then, self.expression())

    def _ranked(self, lowest: int) -> Node:
        node = self._signed()
        while (rank := self._rank()) >= lowest:
            rest: list[tuple[str, Node]] = []
            while self._rank() == rank:
                token = self.peek()
                self._at += 1
                if token.text in ("as", "instanceof"):
                    node = self._typed(_chained(node, rest), token)
                    rest = []
                    continue
                self.skip_newlines()
                rest.append((token.text, self._ranked(rank + 1)))
            node = _chained(node, rest)
        return node

    def _rank(self) -> int:
        token = self.peek()
        if token.lexeme not in (Lexeme.SYMBOL, Lexeme.NAME):
            return -1
        return _RANK.get(token.text, -1)

    def _typed(self, node: Node, token: Token) -> Node:
        start = self.peek()
        name = self.qualified()
        if token.text == "instanceof":
            if name not in INSTANCES:
                self.refuse(f"type {name} is not known", start)
            return tree.InstanceOf(node, name)
        if name not in TYPES[2:]:
            self.refuse(f"nothing can be made a {name}", start)
        return tree.Cast(name, node, converts=True)

    def _signed(self) -> Node:
        symbols: list[str] = []
        while symbol := self.take("-", "+", "!"):
            symbols.append(symbol)
            if len(symbols) > MAX_DEPTH:
                self.refuse("nested too deeply")
        node = self._power()
        for symbol in reversed(symbols):
            node = _negative(node) if symbol == "-" else tree.Unary(symbol, node)
        if isinstance(node, tree.Literal) and _is_too_low(node.value):
            return tree.Literal(Big(LONG_MAX + 1))
        return node

    def _power(self) -> Node:
        node = self._stepped()
        rest: list[tuple[str, Node]] = []
        while self.take("**"):
            self.skip_newlines()
            sign = self.take("-", "+")
            operand = self._stepped()
            rest.append(("**", tree.Unary(sign, operand) if sign else operand))
        return _chained(node, rest)

    def _stepped(self) -> Node:
        """`x++` and `++x`, of a variable only."""
        start = self.peek()
        first = self.take("++", "--")
        node = self._path()
        last = "" if first else self.take("++", "--")
        symbol = first or last
        if not symbol:
            return node
        if not isinstance(node, tree.Variable):
            self.refuse("only a variable can be counted", start)
        return tree.Assign(node, symbol[0], tree.Literal(1), before=bool(last))

    def _path(self) -> Node:
        start = self._primary()
        steps: list[tree.Property | tree.Index | tree.Method] = []
        while True:
            if self._continues() and (symbol := self.take(".", "?.", "*.")):
                steps.append(self._member(safe=symbol == "?.", spread=symbol == "*."))
            elif self.take("["):
                steps.append(tree.Index(self._items("]", "an index")))
            elif self.peek().text in ("(", "{") and not isinstance(start, tree.Variable):
                return self._refuse_call()
            else:
                return tree.Path(start, tuple(steps)) if steps else start

    def _refuse_call(self) -> NoReturn:
        if self.peek().text == "{":
            self.refuse("closures are not part of the subset")
        self.refuse("only methods of values can be called")

    def _continues(self) -> bool:
        """A line that starts with a dot goes on with the one before."""
        ahead = self._at
        while self._tokens[ahead].lexeme is Lexeme.NEWLINE:
            ahead += 1
        if self._tokens[ahead].text in (".", "?.", "*."):
            self._at = ahead
        return self.peek().lexeme is Lexeme.SYMBOL

    def _member(self, *, safe: bool, spread: bool) -> tree.Property | tree.Method:
        self.skip_newlines()
        token = self.peek()
        if token.lexeme is Lexeme.TEXT:
            self._at += 1
            return tree.Property(self._text(token), safe, spread)
        name = self.name()
        if not self.take("("):
            if self.peek().text == "{":
                self.refuse("closures are not part of the subset")
            return tree.Property(tree.Literal(name), safe, spread)
        arguments = self._items(")", "an argument")
        if not is_method(name, len(arguments)):
            self.refuse(f"method {name}() is not among the allowed ones", token)
        return tree.Method(name, arguments, safe, spread)

    def _primary(self) -> Node:
        token = self.peek()
        match token.lexeme:
            case Lexeme.NUMBER:
                self._at += 1
                return tree.Literal(token.value)
            case Lexeme.TEXT:
                self._at += 1
                return self._text(token)
            case Lexeme.NAME:
                return self._named(token)
        if self.take("["):
            return self._collection()
        if self.take("("):
            return self._parenthesised()
        if token.text == "{":
            self.refuse("closures are not part of the subset")
        return self.refuse("unexpected")

    def _parenthesised(self) -> Node:
        token = self.peek()
        if token.text in TYPES[2:] and self.peek(1).text == ")" and self._operand_follows(2):
            self._at += 2
            self.deeper()
            cast = tree.Cast(token.text, self._signed(), converts=False)
            self._depth -= 1
            return cast
        node = self.expression()
        self.require(")")
        return node

    def _operand_follows(self, ahead: int) -> bool:
        token = self.peek(ahead)
        return token.lexeme in (Lexeme.NUMBER, Lexeme.TEXT) or (
            (token.lexeme is Lexeme.NAME and token.text not in _RANK)
            or (token.lexeme is Lexeme.SYMBOL and token.text in ("(", "[", "-", "!"))
        )

    def _named(self, token: Token) -> Node:
        name = token.text
        if name in _CONSTANTS:
            self._at += 1
            return tree.Literal(_CONSTANTS[name])
        if name in REFUSED:
            self.refuse(f"{REFUSED[name]} is not part of the subset")
        static = self._static()
        if static is not None:
            return static
        self._at += 1
        if name in RESERVED:
            self.refuse("unexpected", token)
        if self.peek().text == "(":
            self.refuse(f"function {name}() is not among the allowed ones", token)
        if self.peek().text == "{":
            self.refuse("closures are not part of the subset")
        return self.variable(name)

    def _static(self) -> Node | None:
        """`Math.max(..)`, `Integer.MAX_VALUE`, `java.math.RoundingMode.UP`."""
        start, at = self.peek(), self._at
        names = [start.text]
        while self.peek(1).text == "." and self.peek(2).lexeme is Lexeme.NAME:
            self._at += 2
            names.append(self.peek().text)
            full = ".".join(names)
            if full in CONSTANTS:
                self._at += 1
                return tree.Literal(CONSTANTS[full])
            if self.peek(1).text == "(" and is_static(full):
                self._at += 2
                arguments = self._items(")", "an argument")
                if not is_static(full, len(arguments)):
                    self.refuse(f"{full}() takes other arguments", start)
                return tree.Static(full, arguments)
        self._at = at
        return None

    def _text(self, token: Token) -> Node:
        parts: list[Node] = []
        for part in token.value if isinstance(token.value, tuple) else ():
            if not isinstance(part, Code):
                parts.append(tree.Literal(part))
            elif len(part.tokens) > 1:
                parts.append(self._inside(part))
            else:
                parts.append(tree.Literal(None))
        return parts[0] if len(parts) == 1 else tree.Text(tuple(parts))

    def _inside(self, code: Code) -> Node:
        """Reads the tokens of `${..}` in the place of those of the text."""
        outer = self._tokens, self._at
        self._tokens, self._at = code.tokens, 0
        self.skip_newlines()
        node = self.expression()
        self.skip_newlines()
        if self.peek().lexeme is not Lexeme.END:
            self.refuse("unexpected")
        self._tokens, self._at = outer
        return node

    def _collection(self) -> Node:
        if self.take(":"):
            self.require("]")
            return tree.MapOf(())
        if self._is_key():
            entries = []
            while not self.take("]"):
                key = self._key()
                self.require(":")
                entries.append((key, self.expression()))
                self._comma("]")
            return tree.MapOf(tuple(entries))
        return tree.ListOf(self._items("]", "an item"))

    def _is_key(self) -> bool:
        token = self.peek()
        if token.text == "(":
            depth, ahead = 1, 1
            while depth and self.peek(ahead).lexeme is not Lexeme.END:
                depth += {"(": 1, ")": -1}.get(self.peek(ahead).text, 0)
                ahead += 1
            return self.peek(ahead).text == ":"
        return token.lexeme is not Lexeme.SYMBOL and self.peek(1).text == ":"

    def _key(self) -> Node:
        token = self.peek()
        if token.lexeme is Lexeme.NAME:
            self._at += 1
            return tree.Literal(token.text)
        return self._primary()

    def _items(self, closing: str, what: str) -> tuple[Node, ...]:
        found: list[Node] = []
        while not self.take(closing):
            if self.peek(1).text == ":" and self.peek().lexeme is Lexeme.NAME:
                self.refuse(f"{what} has no name")
            found.append(self.expression())
            self._comma(closing)
        return tuple(found)

    def _comma(self, closing: str) -> None:
        if not self.take(",") and self.peek().text != closing:
            self.require(closing)

    def qualified(self) -> str:
        names = [self.name()]
        while self.take("."):
            names.append(self.name())
        return ".".join(names)

    def name(self) -> str:
        token = self.peek()
        if token.lexeme is not Lexeme.NAME:
            self.refuse("a name expected instead of")
        self._at += 1
        return token.text

    def peek(self, ahead: int = 0) -> Token:
        return self._tokens[min(self._at + ahead, len(self._tokens) - 1)]

    def take(self, *symbols: str) -> str:
        token = self.peek()
        if token.lexeme is not Lexeme.SYMBOL or token.text not in symbols:
            return ""
        self._at += 1
        return token.text

    def skip_newlines(self) -> None:
        while self.peek().lexeme is Lexeme.NEWLINE:
            self._at += 1

    def require(self, symbol: str) -> None:
        if not self.take(symbol):
            self.refuse(f"{symbol!r} expected instead of")

    def refuse(self, what: str, token: Token | None = None) -> NoReturn:
        """`what` ends with the token unless it names another place."""
        if token is None:
            token = self.peek()
            quoted = token.lexeme not in (Lexeme.END, Lexeme.NEWLINE)
            what = f"{what}: {token.text!r}" if quoted else f"{what}: {token.text}"
        refuse(self._source, what, token.at)


def _chained(first: Node, rest: list[tuple[str, Node]]) -> Node:
    if not rest:
        return first
    build = _LOGIC.get(rest[0][0])
    if build is not None:
        return build((first, *(node for _, node in rest)))
    if rest[0][0] in ("..", "..<"):
        for symbol, node in rest:
            first = tree.Range(first, node, symbol == "..")
        return first
    return tree.Chain(first, tuple(rest))


_LOGIC: dict[str, Callable[[tuple[Node, ...]], Node]] = {"&&": tree.Both, "||": tree.Either}


def _negative(node: Node) -> Node:
    """The lowest numbers fit only with their sign."""
    if isinstance(node, tree.Literal) and _is_too_low(node.value):
        return tree.Literal(-(LONG_MAX + 1))
    if isinstance(node, tree.Literal) and node.value.__class__ is int:
        return tree.Literal(-node.value)
    return tree.Unary("-", node)


def _is_too_low(value: object) -> bool:
    return value.__class__ is int and value == LONG_MAX + 1
