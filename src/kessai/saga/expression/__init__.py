"""Seata's expressions: `$.[a]`, `$Exception{Name}`, `$Sequence.A|B`, parsed once, never `eval`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from kessai.saga.expression import tree
from kessai.saga.expression.compiler import compile_node
from kessai.saga.expression.java import Bean
from kessai.saga.expression.scope import ExpressionError, NotAllowed, Scope, Term
from kessai.saga.expression.syntax import parse

__all__ = [
    "Bean",
    "Expression",
    "ExpressionError",
    "Form",
    "NotAllowed",
    "Scope",
    "compile_condition",
    "compile_value",
]


class Form(Enum):
    SPEL = ""
    EXCEPTION = "Exception"
    SEQUENCE = "Sequence"


@dataclass(frozen=True, slots=True)
class Expression:
    """`evaluate` raises `ExpressionError`, nothing else.

    What needs no evaluation is seen from outside: `is_root` for `#root`, and `key` for `[key]`
    where the root is a dict.
    """

    text: str
    form: Form
    content: str
    term: Term | None
    is_root: bool = False
    key: str | None = None

    def evaluate(self, scope: Scope) -> object:
        if self.term is not None:
            try:
                return self.term(scope)
            except RecursionError as error:
                raise ExpressionError(f"{self.text!r} is nested too deeply") from error
            except (ArithmeticError, ValueError) as error:
                raise ExpressionError(f"{self.text!r}: {error}") from error
        if self.form is Form.EXCEPTION:
            return self.content in scope.thrown
        return scope.sequence(self.content)

    def holds(self, scope: Scope) -> bool:
        """Only a real `true` matches: 1, 'true' and null do not, as in Seata."""
        return self.evaluate(scope) is True


def compile_value(text: str) -> Expression:
    """An Input or Output entry that starts with `$`: `$TYPE.CONTENT` or `$TYPE{CONTENT}`."""
    ends = [at for at in (text.find("."), text.find("{")) if at > 0]
    if not text.startswith("$") or not ends:
        raise ExpressionError(f"{text!r} is not of the form $.EXPRESSION", position=1)
    at = min(ends)
    end = len(text)
    if text[at] == "{":
        end = text.find("}", at)
        if end < 0:
            raise ExpressionError(f"{text!r}: '}}' is missing", position=at + 1)
    try:
        form = Form(text[1:at])
    except ValueError as error:
        raise ExpressionError(
            f"{text!r}: unknown expression type {text[1:at]!r}", position=2
        ) from error
    content = text[at + 1 : end]
    if form is Form.SPEL:
        return _spel(text, content, at + 1)
    if form is Form.EXCEPTION and not content.strip():
        raise ExpressionError(f"{text!r} names nothing", position=at + 2)
    return Expression(text, form, content.strip(), None)


def compile_condition(text: str) -> Expression:
    """A Choice or Status entry: bare SpEL, or one of the `$` forms."""
    return compile_value(text) if text.startswith("$") else _spel(text, text, 0)


def _spel(text: str, content: str, offset: int) -> Expression:
    node = parse(content, offset)
    is_root = node in (tree.Variable("root"), tree.Variable("this"))
    key = None
    match node:
        case tree.Path(None, (tree.Index(tree.Name(name) | tree.Literal(str(name))),)):
            key = name
    return Expression(text, Form.SPEL, content.strip(), compile_node(node), is_root, key)
