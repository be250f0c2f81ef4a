"""Every invariant of the product in one place: those that are asked, and why the others are not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from kessai.proof.invariants import (
    alerts,
    amounts,
    audit,
    codes,
    deliveries,
    events,
    money,
    order,
    queues,
    settlement,
    stock,
    stock_sums,
    wallets,
)
from kessai.proof.invariants.books import Look
from kessai.proof.invariants.doubts import Tally
from kessai.proof.invariants.limits import Limits
from kessai.proof.invariants.story import Story

OfOrder = Callable[[Story, Limits, Tally], None]
OfBooks = Callable[[Look, Tally], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Invariant:
    """Asked of each order, of the books as a whole, of both, or not at all: then it says why.

    `sources` are the books that it looks into beside the orders; without those of `needs` it
    cannot be asked at all.
    """

    id: str
    of_order: OfOrder | None = None
    of_books: OfBooks | None = None
    sources: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()
    said: str = ""
    why_not: str | None = None

    @property
    def sentence(self) -> str:
        asked = self.of_order or self.of_books
        return " ".join((asked.__doc__ or "").split()) if asked else self.said


def _order(
    id_: str,
    check: OfOrder,
    *sources: str,
    books: OfBooks | None = None,
    needs: tuple[str, ...] = (),
) -> Invariant:
    return Invariant(
        id_,
        of_order=check,
        of_books=books,
        sources=frozenset((*sources, *needs)),
        needs=frozenset(needs),
    )


def _books(id_: str, check: OfBooks, *needs: str) -> Invariant:
    return Invariant(id_, of_books=check, needs=frozenset(needs))


def _unasked(id_: str, said: str, why_not: str) -> Invariant:
    return Invariant(id_, said=said, why_not=why_not)


_NO_TRACE = "no database has kept what a browser saw: the stories and `kessai shopper` ask it"


TABLE: tuple[Invariant, ...] = (
    _order("I1", money.books_of_money_agree, "payment", "account", "provider"),
    _order("I2", money.paid_has_a_success, "payment", "evidence", "account", "provider"),
    _order("I3", money.one_capture_at_rest, "payment", "provider"),
    _order(
        "I4",
        money.late_success_is_refunded,
        "payment",
        "provider",
        books=wallets.refunds_reach_the_wallet,
    ),
    _order("I5", money.refunds_within_the_capture, "payment", "provider"),
    _order(
        "I6",
        money.ledger_is_balanced,
        "payment",
        "provider",
        books=wallets.wallets_are_their_movements,
    ),
    _order("I7", amounts.amounts_never_change, "payment", "audit", "provider"),
    _books("I8", settlement.files_agree),
    _order("I9", codes.one_live_code, "payment", "evidence", "provider"),
    _order("I10", codes.no_code_after_the_end, "payment", "evidence", "provider"),
    _order("I11", codes.no_code_without_stock, "payment", "storage", "provider"),
    _order("I12", codes.stock_outlives_codes, "payment", "evidence", "storage", "provider"),
    _order("I13", order.every_order_ends),
    _order("I14", order.only_legal_moves, "payment", needs=("audit",)),
    _books("I15", order.one_key_one_order),
    _order("I16", order.versions_count_moves, needs=("audit",)),
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
    _order("I24", events.changes_are_told_once, "payment", "events", needs=("audit",)),
    _books("I25", deliveries.every_message_arrives, "bus"),
    _books("I26", deliveries.dead_letters_are_counted, "bus"),
    _books("I27", deliveries.webhooks_are_worked_off),
    _order("I28", audit.trail_is_complete, needs=("audit",)),
    _order("I29", audit.chain_verifies, needs=("audit",)),
    _order("I30", audit.replay_rebuilds_the_row, needs=("audit",)),
    _books("I31", alerts.alerts_are_raised_once, "bus", "alerts"),
    _unasked(
        "I32",
        "An alert is at most one tick later than its rule's deadline.",
        "who was away when it was due is late without a fault: bench/alerts.py measures it",
    ),
    _books("I33", alerts.alerts_end_by_the_facts, "bus", "alerts"),
    _unasked(
        "I34",
        "The alerts' state is bounded by the orders that are open.",
        "the state is locked by the process that works it: a test counts it",
    ),
    _unasked("I35", "A browser sees the end within 1 s, in sequence, once.", _NO_TRACE),
    _unasked("I36", "Without sessions protected paths answer 503, never data.", _NO_TRACE),
    _unasked("I37", "Nobody reads another's order, ticket or push.", _NO_TRACE),
    _books("I38", queues.queues_drain),
    _unasked(
        "I39",
        "No process restarts in a loop; memory and connections return to their base.",
        "a process is watched while it runs: `kessai chaos` does",
    ),
    _unasked(
        "I40",
        "The same seed tells the same history.",
        "a live system has no seed: `kessai simulate` compares traces",
    ),
)


def known_ids() -> tuple[str, ...]:
    return tuple(one.id for one in TABLE)
