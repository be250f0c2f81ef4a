"""What breaks one invariant: SQL on one file of a shop, or a change in the provider's book."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kessai.proof.verify import ProviderRow

Change = Callable[[ProviderRow], ProviderRow | None]


def sql(*statements: str) -> tuple[str, ...]:
    return statements


@dataclass(frozen=True)
class Only:
    """Changes the payments of one order in the provider's book; None takes them out."""

    order: str
    change: Change


@dataclass(frozen=True)
class Break:
    """What is done by SQL to one file; `{paid}` and the like are ids of orders of that kind.

    `named` is what the first offender or its row must show. `provider` changes its book.
    """

    id: str
    why: str
    db: str = "order"
    sql: tuple[str, ...] = ()
    named: str = "{paid}"
    later_s: float = 0.0
    provider: Only | None = None
    added: ProviderRow | None = None
    also: tuple[str, ...] = field(default=())


def a_code(name: str, **more: Any) -> ProviderRow:
    row = ProviderRow(name, None, "CREATED", 8800, 0, True, 1 << 50, None, ())
    return row._replace(**more)
