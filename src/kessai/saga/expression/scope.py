"""What an expression sees while it is evaluated, and the one error that it raises."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

# Elements that the selections and projections of one evaluation may look at.
MAX_VISITS = 100_000


class ExpressionError(Exception):
    """An expression that cannot be parsed, then with its `position`, or has no value here."""

    def __init__(self, message: str, *, position: int | None = None) -> None:
        super().__init__(message)
        self.position = position


class NotAllowed(ExpressionError):
    """What SpEL would run and we do not: it would reach out of the data, or change them."""


def _no_sequence(content: str) -> object:
    raise ExpressionError(f"$Sequence.{content} has no value here")


@dataclass(frozen=True, slots=True)
class Scope:
    """Where names are looked up: `[a]` on the root, `#name` among the variables."""

    root: object
    variables: Mapping[str, object] = field(default_factory=dict)
    thrown: Sequence[str] = ()
    sequence: Callable[[str], object] = _no_sequence

    @property
    def this(self) -> object:
        return self.root

    def visit(self, element: object) -> Element:
        return Element(self.root, self.variables, element, [MAX_VISITS])


@dataclass(frozen=True, slots=True)
class Element:
    """Inside a selection or projection: `this` is the element, the root stays what it was."""

    root: object
    variables: Mapping[str, object]
    this: object
    budget: list[int]

    def visit(self, element: object) -> Element:
        return Element(self.root, self.variables, element, self.budget)

    def spend(self, work: int = 1) -> None:
        self.budget[0] -= work
        if self.budget[0] < 0:
            raise ExpressionError(f"looks at more than {MAX_VISITS} elements")


Frame: TypeAlias = Scope | Element
Term: TypeAlias = Callable[[Frame], object]


def visited(frame: Frame, elements: Sequence[object]) -> Iterator[Element]:
    """One frame for each element; all of one evaluation that are nested share a budget."""
    first = frame.visit(None)
    for element in elements:
        inner = first.visit(element)
        inner.spend()
        yield inner
