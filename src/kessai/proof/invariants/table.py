"""Every invariant of the product in one place: those that are asked, and why the others are not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from kessai.proof.invariants import money
from kessai.proof.invariants.books import Books
from kessai.proof.invariants.doubts import Tally
from kessai.proof.invariants.limits import Limits
from kessai.proof.invariants.story import Story

OfOrder = Callable[[Story, Limits, Tally], None]
OfBooks = Callable[[Books, Limits, Tally], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Invariant:
    """Asked of each order, or of the books as a whole, or not at all: then it says why.

    `sources` are the books that it looks into beside the orders.
    """

    id: str
    of_order: OfOrder | None = None
    of_books: OfBooks | None = None
    sources: frozenset[str] = frozenset()
    why_not: str | None = None

    @property
    def sentence(self) -> str:
        asked = self.of_order or self.of_books
        return " ".join((asked.__doc__ or "").split()) if asked else ""


def _order(id_: str, check: OfOrder, *sources: str) -> Invariant:
    return Invariant(id_, of_order=check, sources=frozenset(sources))


TABLE: tuple[Invariant, ...] = (
    _order("I2", money.paid_has_a_success, "payment", "account", "provider"),
)


def known_ids() -> tuple[str, ...]:
    return tuple(one.id for one in TABLE)
