"""Every invariant of the product in one place: those that are asked, and why the others are not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from kessai.proof.invariants import audit, codes, events, money, order, stock, stock_sums
from kessai.proof.invariants.books import Look
from kessai.proof.invariants.doubts import Tally
from kessai.proof.invariants.limits import Limits
from kessai.proof.invariants.story import Story

OfOrder = Callable[[Story, Limits, Tally], None]
OfBooks = Callable[[Look, Tally], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Invariant:
    """Asked of each order, of the books as a whole, of both, or not at all: then it says why.

    `sources` are the books that it looks into beside the orders.
    """

    id: str
    of_order: OfOrder | None = None
    of_books: OfBooks | None = None
    sources: frozenset[str] = frozenset()
    said: str = ""
    why_not: str | None = None

    @property
    def sentence(self) -> str:
        asked = self.of_order or self.of_books
        return " ".join((asked.__doc__ or "").split()) if asked else self.said


def _order(id_: str, check: OfOrder, *sources: str, books: OfBooks | None = None) -> Invariant:
    return Invariant(id_, of_order=check, of_books=books, sources=frozenset(sources))


def _books(id_: str, check: OfBooks) -> Invariant:
    return Invariant(id_, of_books=check)


TABLE: tuple[Invariant, ...] = (
    _order("I1", money.books_of_money_agree, "payment", "account", "provider"),
    _order("I2", money.paid_has_a_success, "payment", "evidence", "account", "provider"),
    _order("I3", money.one_capture_at_rest, "payment", "provider"),
    _order("I4", money.late_success_is_refunded, "payment", "provider"),
    _order("I5", money.refunds_within_the_capture, "payment", "provider"),
    _order("I6", money.ledger_is_balanced, "payment", "provider"),
    _order("I7", money.amounts_never_change, "payment", "audit"),
    _order("I9", codes.one_live_code, "payment", "provider"),
    _order("I10", codes.no_code_after_the_end, "payment", "provider"),
    _order("I11", codes.no_code_without_stock, "payment", "storage", "provider"),
    _order("I12", codes.stock_outlives_codes, "payment", "evidence", "storage", "provider"),
    _order("I13", order.every_order_ends),
    _order("I14", order.only_legal_moves, "audit", "payment"),
    _books("I15", order.one_key_one_order),
    _order("I16", order.versions_count_moves, "audit"),
    _order("I17", order.unknown_is_never_guessed, "payment", "evidence", "provider"),
    _books("I18", stock_sums.counts_are_never_negative),
    _books("I19", stock_sums.counts_are_their_ledger),
    _order("I20", stock.reservations_end_once, "storage"),
    _order("I21", stock.goods_follow_the_money, "storage"),
    _order(
        "I22",
        stock.hanging_calls_change_nothing,
        "storage",
        books=stock_sums.movements_have_causes,
    ),
    _books("I23", stock_sums.no_more_is_sold_than_there_was),
    _order("I24", events.changes_are_told_once, "audit", "payment", "events"),
    _order("I28", audit.trail_is_complete, "audit"),
    _order("I29", audit.chain_verifies, "audit"),
    _order("I30", audit.replay_rebuilds_the_row, "audit"),
)


def known_ids() -> tuple[str, ...]:
    return tuple(one.id for one in TABLE)
