"""The parts of a script, as the parser leaves them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Literal:
    value: object


@dataclass(frozen=True, slots=True)
class Text:
    """A text with code inside."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """A name: of a local variable with its slot, or else of a binding."""

    name: str
    slot: int | None
    type_name: str | None = None


@dataclass(frozen=True, slots=True)
class ListOf:
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class MapOf:
    entries: tuple[tuple[Node, Node], ...]


@dataclass(frozen=True, slots=True)
class Range:
    first: Node
    last: Node
    inclusive: bool


@dataclass(frozen=True, slots=True)
class Property:
    name: Node
    safe: bool = False
    spread: bool = False


@dataclass(frozen=True, slots=True)
class Index:
    keys: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Method:
    name: str
    arguments: tuple[Node, ...]
    safe: bool = False
    spread: bool = False


@dataclass(frozen=True, slots=True)
class Path:
    start: Node
    steps: tuple[Property | Index | Method, ...]


@dataclass(frozen=True, slots=True)
class Static:
    """A function of a class, such as `Math.max`."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Unary:
    symbol: str
    of: Node


@dataclass(frozen=True, slots=True)
class Chain:
    """Operators of one rank, applied from the left."""

    first: Node
    rest: tuple[tuple[str, Node], ...]


@dataclass(frozen=True, slots=True)
class Both:
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Either:
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Ternary:
    """Without `then` it is `?:`."""

    condition: Node
    then: Node | None
    otherwise: Node


@dataclass(frozen=True, slots=True)
class Cast:
    """`x as T` converts texts, too; `(T) x` and a typed variable do not."""

    type_name: str
    value: Node
    converts: bool


@dataclass(frozen=True, slots=True)
class InstanceOf:
    value: Node
    type_name: str


@dataclass(frozen=True, slots=True)
class Assign:
    """`symbol` is "" or that of `+=`; `before` gives the old value, as `x++` does."""

    target: Variable
    symbol: str
    value: Node
    before: bool = False


@dataclass(frozen=True, slots=True)
class If:
    branches: tuple[tuple[Node, Block], ...]
    otherwise: Block | None


@dataclass(frozen=True, slots=True)
class Return:
    value: Node | None


@dataclass(frozen=True, slots=True)
class Throw:
    name: str
    message: Node | None


@dataclass(frozen=True, slots=True)
class Block:
    statements: tuple[Statement, ...]


Node: TypeAlias = (
    Literal
    | Text
    | Variable
    | ListOf
    | MapOf
    | Range
    | Path
    | Static
    | Unary
    | Chain
    | Both
    | Either
    | Ternary
    | Cast
    | InstanceOf
    | Assign
)
Statement: TypeAlias = Node | If | Return | Throw | Block
