"""Seata's expressions: `$.[a]`, `$Exception{Name}`, `$Sequence.A|B`, parsed once, never `eval`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from kessai.saga.expression.meaning import ExpressionError, Scope, Term
from kessai.saga.expression.syntax import parse

__all__ = ["Expression", "ExpressionError", "Form", "Scope", "compile_condition", "compile_value"]


class Form(Enum):
    SPEL = ""
    EXCEPTION = "Exception"
    SEQUENCE = "Sequence"


@dataclass(frozen=True, slots=True)
class Expression:
    """`evaluate` raises `ExpressionError`, nothing else."""

    text: str
    form: Form
    content: str
    term: Term | None

    def evaluate(self, scope: Scope) -> object:
        if self.term is not None:
            try:
                return self.term(scope)
            except RecursionError as error:
                raise ExpressionError(f"{self.text!r} is nested too deeply") from error
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
        raise ExpressionError(f"{text!r} is not of the form $.EXPRESSION")
    at = min(ends)
    content = text[at + 1 :]
    if text[at] == "{":
        content, _, _ = content.partition("}")
    try:
        form = Form(text[1:at])
    except ValueError as error:
        raise ExpressionError(f"{text!r}: unknown expression type {text[1:at]!r}") from error
    return Expression(text, form, content.strip(), parse(content) if form is Form.SPEL else None)


def compile_condition(text: str) -> Expression:
    """A Choice or Status entry: bare SpEL, or one of the `$` forms."""
    if text.startswith("$"):
        return compile_value(text)
    return Expression(text, Form.SPEL, text, parse(text))
