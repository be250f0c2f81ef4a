"""A recursive descent parser for SpEL, without what reaches into the program that runs it."""

from __future__ import annotations

from typing import NoReturn

from kessai.saga.expression import tree
from kessai.saga.expression.methods import is_allowed
from kessai.saga.expression.scope import ExpressionError, NotAllowed
from kessai.saga.expression.tokens import Lexeme, Token, refuse, tokens
from kessai.saga.expression.tree import Node, Step
from kessai.saga.expression.types import TYPES

MAX_DEPTH = 40

_CONSTANTS: dict[str, object] = {"true": True, "false": False, "null": None}
_RELATIONS = ("==", "!=", "<", "<=", ">", ">=")
_WORDS = ("matches", "between")
_EACH = ("?[", "^[", "$[", "![")
_ASSIGNING = ("=", "++", "--")


def parse(source: str, offset: int = 0) -> Node:
    """Raises `ExpressionError` with the position."""
    parser = _Parser(source, offset)
    node = parser.required()
    parser.expect_end()
    return node


class _Parser:
    def __init__(self, source: str, offset: int) -> None:
        self._source = source
        self._offset = offset
        self._tokens = tokens(source, offset)
        self._at = 0
        self._depth = 0

    def required(self) -> Node:
        node = self._expression()
        if node is None:
            self._refuse("unexpected")
        return node

    def expect_end(self) -> None:
        if self._peek().lexeme is not Lexeme.END:
            self._refuse("unexpected")

    def _expression(self) -> Node | None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._refuse("nested too deeply,")
        node = self._conditional(self._disjunction())
        self._depth -= 1
        return node

    def _conditional(self, node: Node | None) -> Node | None:
        if self._peek().symbol in _ASSIGNING:
            self._forbid("an expression changes nothing,")
        # What is missing beside `?:` is null.
        if self._take("?:"):
            otherwise = self._expression()
            return tree.Elvis(node or tree.Literal(None), otherwise or tree.Literal(None))
        if node is not None and self._take("?"):
            then = self.required()
            self._require(":")
            return tree.Ternary(node, then, self.required())
        return node

    def _disjunction(self) -> Node | None:
        left = self._conjunction()
        if left is None:
            return None
        parts = [left]
        while self._take("||") or self._take_word("or"):
            parts.append(self._operand(self._conjunction()))
        return left if len(parts) == 1 else tree.Either(tuple(parts))

    def _conjunction(self) -> Node | None:
        left = self._relation()
        if left is None:
            return None
        parts = [left]
        while self._take("&&") or self._take_word("and"):
            parts.append(self._operand(self._relation()))
        return left if len(parts) == 1 else tree.Both(tuple(parts))

    def _relation(self) -> Node | None:
        left = self._sum()
        if left is None:
            return None
        if self._take_word("instanceof"):
            return tree.InstanceOf(left, self._type())
        symbol = self._take(*_RELATIONS) or self._take_word(*_WORDS)
        return tree.Compare(symbol, left, self._operand(self._sum())) if symbol else left

    def _sum(self) -> Node | None:
        first = self._product()
        if first is None:
            return None
        rest: list[tuple[str, Node]] = []
        while symbol := self._take("+", "-"):
            rest.append((symbol, self._operand(self._product())))
        return tree.Chain(first, tuple(rest)) if rest else first

    def _product(self) -> Node | None:
        first = self._power()
        if first is None:
            return None
        rest: list[tuple[str, Node]] = []
        while symbol := self._take("*", "/", "%"):
            rest.append((symbol, self._operand(self._power())))
        return tree.Chain(first, tuple(rest)) if rest else first

    def _power(self) -> Node | None:
        base = self._sign()
        if base is None or not self._take("^"):
            return base
        return tree.Chain(base, (("^", self._operand(self._sign())),))

    def _sign(self) -> Node | None:
        symbols = []
        while symbol := self._take("!", "-", "+"):
            symbols.append(symbol)
            if len(symbols) > MAX_DEPTH:
                self._refuse("nested too deeply,")
        node = self._path()
        if symbols and node is None:
            self._refuse("unexpected")
        for symbol in reversed(symbols):
            node = tree.Unary(symbol, self._operand(node))
        return node

    def _path(self) -> Node | None:
        start = self._start()
        steps: list[Step] = [start] if isinstance(start, _FIRST_STEPS) else []
        if start is None:
            return None
        while symbol := self._take(".", "?.", "["):
            steps.append(self._index() if symbol == "[" else self._dotted(safe=symbol == "?."))
        if isinstance(start, _FIRST_STEPS):
            return tree.Path(None, tuple(steps))
        return tree.Path(start, tuple(steps)) if steps else start

    def _dotted(self, *, safe: bool) -> Step:
        if each := self._take(*_EACH):
            return self._each(each, safe=safe)
        if self._take("#"):
            return self._variable()
        name = self._name()
        arguments = self._arguments()
        if arguments is None:
            return tree.Property(name.text, safe)
        return self._method(name, arguments, safe=safe)

    def _start(self) -> Node | tree.Index | tree.Method | tree.Each | None:
        token = self._peek()
        if token.lexeme in (Lexeme.NUMBER, Lexeme.TEXT):
            self._at += 1
            return tree.Literal(token.value)
        if self._take("("):
            node = self.required()
            self._require(")")
            return node
        if self._is_name(token):
            return self._word(token)
        if self._take("#"):
            return self._variable()
        if each := self._take(*_EACH):
            return self._each(each, safe=False)
        if self._take("["):
            return self._index()
        if self._take("{"):
            return self._collection()
        if token.symbol in ("@", "&"):
            self._forbid("beans cannot be reached,")
        if token.symbol in _ASSIGNING:
            self._forbid("an expression changes nothing,")
        return None

    def _word(self, token: Token) -> Node | tree.Method:
        word = token.text.lower()
        if word in _CONSTANTS:
            self._at += 1
            return tree.Literal(_CONSTANTS[word])
        key = self._peek(1).symbol == "]"
        if word == "new" and not key:
            self._forbid("nothing can be constructed,")
        if token.text == "T" and not key:
            self._forbid("a type stands only after instanceof,")
        self._at += 1
        arguments = self._arguments()
        if arguments is None:
            return tree.Name(token.text)
        return self._method(token, arguments, safe=False)

    def _method(self, name: Token, arguments: tuple[Node, ...], *, safe: bool) -> tree.Method:
        if not is_allowed(name.text, len(arguments)):
            what = f"method {name.text}() is not among the allowed ones,"
            refuse(self._source, what, name.at, self._offset, NotAllowed)
        return tree.Method(name.text, arguments, safe)

    def _arguments(self) -> tuple[Node, ...] | None:
        if not self._take("("):
            return None
        found: list[Node] = []
        while not self._take(")"):
            found.append(self.required())
            if not self._take(","):
                self._require(")")
                break
        return tuple(found)

    def _variable(self) -> tree.Variable:
        token = self._peek()
        if token.lexeme is not Lexeme.NAME or token.symbol:
            self._refuse("a name expected instead of")
        self._at += 1
        if self._peek().symbol == "(":
            self._forbid("there are no functions,")
        return tree.Variable(token.text)

    def _each(self, which: str, *, safe: bool) -> tree.Each:
        body = self.required()
        self._require("]")
        return tree.Each(which[0], body, safe)

    def _index(self) -> tree.Index:
        key = self.required()
        self._require("]")
        return tree.Index(key)

    def _collection(self) -> Node:
        if self._take("}"):
            return tree.ListOf(())
        if self._take(":"):
            self._require("}")
            return tree.MapOf(())
        first = self.required()
        if self._take(":"):
            return self._map(first)
        items = [first]
        while self._take(","):
            items.append(self.required())
        self._require("}")
        return tree.ListOf(tuple(items))

    def _map(self, key: Node) -> tree.MapOf:
        entries = [(key, self.required())]
        while self._take(","):
            key = self.required()
            self._require(":")
            entries.append((key, self.required()))
        self._require("}")
        return tree.MapOf(tuple(entries))

    def _type(self) -> str:
        if self._peek().text != "T":
            self._refuse("T(..) expected instead of")
        self._at += 1
        self._require("(")
        start = self._peek()
        names = [self._name().text]
        while self._take("."):
            names.append(self._name().text)
        name = ".".join(names)
        if name not in TYPES:
            what = f"type {name} is not known,"
            refuse(self._source, what, start.at, self._offset, NotAllowed)
        self._require(")")
        return name

    def _operand(self, node: Node | None) -> Node:
        if node is None:
            self._refuse("unexpected")
        return node

    def _is_name(self, token: Token) -> bool:
        return token.lexeme is Lexeme.NAME

    def _name(self) -> Token:
        token = self._peek()
        if not self._is_name(token):
            self._refuse("a name expected instead of")
        self._at += 1
        return token

    def _peek(self, ahead: int = 0) -> Token:
        return self._tokens[min(self._at + ahead, len(self._tokens) - 1)]

    def _take(self, *symbols: str) -> str:
        symbol = self._peek().symbol
        if not symbol or symbol not in symbols:
            return ""
        self._at += 1
        return symbol

    def _take_word(self, *words: str) -> str:
        token = self._peek()
        if token.lexeme is not Lexeme.NAME or token.text.lower() not in words:
            return ""
        self._at += 1
        return token.text.lower()

    def _require(self, symbol: str) -> None:
        if not self._take(symbol):
            self._refuse(f"{symbol!r} expected instead of")

    def _forbid(self, what: str) -> NoReturn:
        self._refuse(what, NotAllowed)

    def _refuse(self, what: str, error: type[ExpressionError] = ExpressionError) -> NoReturn:
        token = self._peek()
        shown = "end" if token.lexeme is Lexeme.END else repr(token.text)
        refuse(self._source, f"{what} {shown}", token.at, self._offset, error)


_FIRST_STEPS = (tree.Index, tree.Method, tree.Each)
