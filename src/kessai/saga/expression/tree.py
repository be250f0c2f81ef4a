"""The parts of an expression, as the parser leaves them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Literal:
    value: object


@dataclass(frozen=True, slots=True)
class Name:
    """A bare word: a property of what is looked at, or a key where it stands alone in `[..]`."""

    name: str


@dataclass(frozen=True, slots=True)
class Variable:
    name: str


@dataclass(frozen=True, slots=True)
class ListOf:
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class MapOf:
    entries: tuple[tuple[Node, Node], ...]


@dataclass(frozen=True, slots=True)
class Property:
    name: str
    safe: bool = False


@dataclass(frozen=True, slots=True)
class Index:
    key: Node


@dataclass(frozen=True, slots=True)
class Method:
    name: str
    arguments: tuple[Node, ...]
    safe: bool = False


@dataclass(frozen=True, slots=True)
class Each:
    """`.?[]` all that match, `.^[]` the first, `.$[]` the last, `.![]` what each becomes."""

    which: str
    body: Node
    safe: bool = False


@dataclass(frozen=True, slots=True)
class Path:
    """Steps from a start, or from what is looked at."""

    start: Node | None
    steps: tuple[Step, ...]


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
class Compare:
    symbol: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class InstanceOf:
    value: Node
    type_name: str


@dataclass(frozen=True, slots=True)
class Both:
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Either:
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Ternary:
    condition: Node
    then: Node
    otherwise: Node


@dataclass(frozen=True, slots=True)
class Elvis:
    value: Node
    otherwise: Node


Step: TypeAlias = Property | Index | Method | Each | Variable
Node: TypeAlias = (
    Literal
    | Name
    | Variable
    | ListOf
    | MapOf
    | Path
    | Unary
    | Chain
    | Compare
    | InstanceOf
    | Both
    | Either
    | Ternary
    | Elvis
)
