"""Reads the stories of orders, a page of ids at a time, from books that change meanwhile.

Each page is a few short transactions, so that no checkpoint and no purchase waits for verify. What
depends on others is read first: the order, then the wallet, the payment, the stock, and the
provider last. What an order says (PAID, confirmed, refunded) is there for good in what is read
after it, so a change between two reads never looks like a lie. What still looks wrong is read
again a moment later, alone (see `proof.verify`).
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

from sqlalchemy import bindparam, or_, select, table

from kessai.kernel.db import Tx
from kessai.proof.invariants.books import AuditBook, Books
from kessai.proof.invariants.limits import Limits
from kessai.proof.invariants.outboxes import Outboxes
from kessai.proof.invariants.rows import (
    AttemptRow,
    AuditRow,
    ClosedRow,
    EvidenceRow,
    HoldRow,
    LedgerRow,
    MovementRow,
    OrderRow,
    RefundRow,
    ReservationRow,
    RestockRow,
    WantedRow,
)
from kessai.proof.invariants.span import END, Span
from kessai.proof.invariants.sql import Statement, col, cols, made, rows_of
from kessai.proof.invariants.story import Story, order_of
from kessai.proof.invariants.told import Telling

PAGE = 200
R = TypeVar("R", bound=NamedTuple)


def _rows(kind: type[NamedTuple], of_table: str, key: str) -> Statement:
    """All columns of `kind` whose key begins with an order id of the page."""
    by = col(key)
    found = rows_of(kind, of_table).where(by >= bindparam("low"), by < bindparam("high"))
    return found.order_by(by)


_ORDERS = _rows(OrderRow, "orders", "order_id").limit(bindparam("page"))
_AUDIT = _rows(AuditRow, "order_audit", "order_id").order_by(col("sequence"))
_WANTED = _rows(WantedRow, "order_refund", "order_id")
_HOLDS = _rows(HoldRow, "hold", "hold_id")
_ATTEMPTS = _rows(AttemptRow, "attempt", "order_id").order_by(col("number"))
_CLOSED = _rows(ClosedRow, "payment_order", "order_id")
_EVIDENCE = _rows(EvidenceRow, "evidence", "attempt_id")
_REFUNDS = _rows(RefundRow, "refund", "order_id")
_LEDGER = _rows(LedgerRow, "ledger", "order_id").order_by(col("id"))
_RESERVATIONS = _rows(ReservationRow, "reservation", "reservation_id")
_RESTOCKS = _rows(RestockRow, "restock", "reservation_id")
_MOVEMENTS = _rows(MovementRow, "stock_ledger", "cause_id").where(
    or_(col("kind") == "RESERVE", col("kind") == "CONFIRM", col("kind") == "RELEASE")
)
_moves = table("stock_ledger", *cols(*MovementRow._fields))
_backs = table("restock", *cols("restock_id", "reservation_id"))
_RETURNS = (
    select(_moves)
    .join_from(_moves, _backs, _backs.c.restock_id == _moves.c.cause_id)
    .where(
        _moves.c.kind == "RETURN",
        _backs.c.reservation_id >= bindparam("low"),
        _backs.c.reservation_id < bindparam("high"),
    )
)


class _Shelf(dict[str, Story]):
    """The stories of a page; whoever writes down something of an order begins its story."""

    def __missing__(self, order_id: str) -> Story:
        story = self[order_id] = Story(order_id)
        return story


class Reader:
    """`sources` are those that the asked invariants need; the orders themselves always are."""

    def __init__(self, books: Books, sources: frozenset[str], outboxes: Outboxes) -> None:
        self._books = books
        self._sources = sources
        self._outboxes = outboxes
        self._telling = outboxes.telling
        self._kept_ms = int(Limits.of(books.settings).outbox_kept_s * 1000)

    async def open(self) -> None:
        """Before the first page."""
        if self._telling is not None:
            await self._outboxes.order.read()
            await self._outboxes.payment.read()

    async def page(
        self, span: Span, size: int = PAGE, *, late: bool = False
    ) -> tuple[list[Story], Span | None]:
        """Stories in the order of their ids, also of what has no order, and where to go on.

        With `late` also the events that committed after younger ones.
        """
        shelf = _Shelf()
        async with self._books.order.read() as tx:
            orders = await _fetch(tx, _ORDERS, OrderRow, span, page=size)
            following = None
            if len(orders) == size:
                end = f"{orders[-1].order_id}{END}"
                span, following = Span(span.low, end), Span(end, span.high)
            for order in orders:
                shelf[order.order_id] = Story(order.order_id, order)
            await self._beside_the_orders(tx, shelf, span)
            if self._telling is not None:
                await self._outboxes.order.catch_up(tx, late=late)
        if "audit" in self._sources and self._books.audit is not None:
            await self._archived(self._books.audit, shelf, span)
        if "account" in self._sources:
            await self._wallets(shelf, span)
        if "payment" in self._sources:
            await self._payments(shelf, span, late=late)
        if "storage" in self._sources:
            await self._stock(shelf, span)
        if "provider" in self._sources and self._books.provider is not None:
            for entry in await self._books.provider.entries(span.before, span.high):
                shelf[order_of(entry.merchant_payment_id)].provider.append(entry)
            for story in shelf.values():
                story.asked_provider = True
        if self._telling is not None:
            self._add_events(self._telling, shelf, is_last=span.high == self._telling.span.high)
        return list(shelf.values()), following

    async def story(self, order_id: str) -> Story:
        stories, _ = await self.page(Span.of(order_id), 2, late=True)
        found = {story.order_id: story for story in stories}
        return found.get(order_id) or Story(order_id)

    def _add_events(self, telling: Telling, shelf: _Shelf, *, is_last: bool) -> None:
        if is_last:
            # What was told of orders that are not there.
            for order_id, told in telling.by_order.items():
                if not told.has_order:
                    shelf[order_id].told = told
        forgotten_ms = self._books.clock.now_ms() - self._kept_ms
        for order_id, story in shelf.items():
            story.told = telling.by_order.get(order_id)
            story.orders_told_from_ms = 0 if self._outboxes.order.is_whole else forgotten_ms
            story.payments_told_from_ms = 0 if self._outboxes.payment.is_whole else forgotten_ms
            if story.told is not None and story.order is not None:
                story.told.has_order = True

    async def _beside_the_orders(self, tx: Tx, shelf: _Shelf, span: Span) -> None:
        if "audit" in self._sources:
            for entry in await _fetch(tx, _AUDIT, AuditRow, span):
                shelf[entry.order_id].audit.append(entry)
        for wanted in await _fetch(tx, _WANTED, WantedRow, span):
            shelf[wanted.order_id].wanted.append(wanted)

    async def _archived(self, archive: AuditBook, shelf: _Shelf, span: Span) -> None:
        """What waited with its order a moment ago may be in the archive meanwhile: it is one."""
        for entry in await archive.entries(span.low, span.high):
            shelf[entry.order_id].audit.append(entry)
        for story in shelf.values():
            places = {(one.sequence, one.hash): one for one in story.audit}
            story.audit = [places[place] for place in sorted(places)]

    async def _wallets(self, shelf: _Shelf, span: Span) -> None:
        async with self._books.account.read() as tx:
            for hold in await _fetch(tx, _HOLDS, HoldRow, span):
                shelf[order_of(hold.hold_id)].holds.append(hold)

    async def _payments(self, shelf: _Shelf, span: Span, *, late: bool) -> None:
        async with self._books.payment.read() as tx:
            if self._telling is not None:
                await self._outboxes.payment.catch_up(tx, late=late)
            for attempt in await _fetch(tx, _ATTEMPTS, AttemptRow, span):
                shelf[attempt.order_id].attempts.append(attempt)
            for closed in await _fetch(tx, _CLOSED, ClosedRow, span):
                shelf[closed.order_id].closed = closed
            for refund in await _fetch(tx, _REFUNDS, RefundRow, span):
                shelf[refund.order_id].refunds.append(refund)
            for entry in await _fetch(tx, _LEDGER, LedgerRow, span):
                shelf[entry.order_id].ledger.append(entry)
            if "evidence" in self._sources:
                for one in await _fetch(tx, _EVIDENCE, EvidenceRow, span):
                    shelf[order_of(one.attempt_id)].evidence.append(one)

    async def _stock(self, shelf: _Shelf, span: Span) -> None:
        async with self._books.storage.read() as tx:
            for reservation in await _fetch(tx, _RESERVATIONS, ReservationRow, span):
                shelf[order_of(reservation.reservation_id)].reservations.append(reservation)
            for move in await _fetch(tx, _MOVEMENTS, MovementRow, span):
                shelf[order_of(move.cause_id)].movements.append(move)
            order_by_cause: dict[str, str] = {}
            for restock in await _fetch(tx, _RESTOCKS, RestockRow, span):
                order_by_cause[restock.restock_id] = order_of(restock.reservation_id)
                shelf[order_of(restock.reservation_id)].restocks.append(restock)
            if order_by_cause:
                for move in await _fetch(tx, _RETURNS, MovementRow, span):
                    shelf[order_by_cause[move.cause_id]].movements.append(move)


async def _fetch(
    tx: Tx, statement: Statement, kind: type[R], span: Span, **more: object
) -> list[R]:
    of = {"low": span.low, "high": span.high, **more}
    return made(kind, await tx.run(statement, of))
