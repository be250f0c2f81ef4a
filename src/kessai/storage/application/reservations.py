"""Reserve, confirm, release, restock: each one transaction, each the same when it is repeated."""

from __future__ import annotations

from dataclasses import replace

from kessai.contracts.moves import RESERVATION_MOVES, ReservationStatus, move
from kessai.contracts.storage import (
    Reservation,
    ReservationById,
    ReservationsOfOrder,
    ReserveStock,
    Restock,
)
from kessai.contracts.storage import Reservations as ReservationList
from kessai.kernel.clock import Clock
from kessai.kernel.db import Db, Tx
from kessai.kernel.errors import IllegalMove, KessaiError, NotFound, Refused
from kessai.storage.application.ports import ReservationBook, Reserved, Returned, StockBook
from kessai.storage.domain.movements import (
    Movement,
    Wanted,
    confirming,
    day_of,
    out_of_stock,
    releasing,
    reserving,
    returning,
    wanted,
)

_RESERVED, _CONFIRMED, _RELEASED = (
    ReservationStatus.RESERVED,
    ReservationStatus.CONFIRMED,
    ReservationStatus.RELEASED,
)


class BooksDisagree(KessaiError):
    """A count would go below zero where the reservation says it cannot: a fault, not a refusal."""


class Reservations:
    def __init__(self, db: Db, clock: Clock, book: ReservationBook, stock: StockBook) -> None:
        self._db = db
        self._clock = clock
        self._book = book
        self._stock = stock

    async def reserve(self, command: ReserveStock) -> Reservation:
        """A refusal is written down, so that a repeat that comes when there is stock again is
        refused as well: by then its order has failed."""
        asked = Reserved(command.reservation_id, command.order_id, _RESERVED, wanted(command.lines))
        now_ms = self._clock.now_ms()
        try:
            async with self._db.transaction() as tx:
                if await self._book.add(tx, asked, now_ms):
                    await self._take(tx, asked, now_ms)
                    return _answer(asked)
                known = await self._known(tx, asked.reservation_id)
                again = await self._refusal(tx, asked) if _was_refused(known) else None
        except Refused as refused:
            if refused.code != "OUT_OF_STOCK" or await self._write_refusal(asked, now_ms):
                raise
            # Whoever asked for the same meanwhile was first: the answer is theirs.
            return await self.reserve(command)
        if again is not None:
            raise again
        return _asked_again(asked, known)

    async def confirm(self, command: ReservationById) -> Reservation:
        now_ms = self._clock.now_ms()
        async with self._db.transaction() as tx:
            ended = await self._book.end(tx, command.reservation_id, _CONFIRMED, now_ms)
            known = await self._known(tx, command.reservation_id)
            if ended:
                sold = confirming(known.lines, known.reservation_id)
                await self._certainly(tx, sold, now_ms)
                await self._stock.count_sold(tx, known.lines, day_of(now_ms))
        if known.status is _RELEASED:
            raise Refused("RESERVATION_RELEASED", "the reservation was released")
        return _answer(known)

    async def release(self, command: ReservationById) -> Reservation:
        """A release that comes before its reserve is written down, so that the late one fails."""
        now_ms = self._clock.now_ms()
        empty = Reserved(command.reservation_id, None, _RELEASED, ())
        async with self._db.transaction() as tx:
            if await self._book.add(tx, empty, now_ms):
                return _answer(empty)
            ended = await self._book.end(tx, command.reservation_id, _RELEASED, now_ms)
            known = await self._known(tx, command.reservation_id)
            if ended:
                await self._certainly(tx, releasing(known.lines, known.reservation_id), now_ms)
        if known.status is not _RELEASED:
            move(RESERVATION_MOVES, known.status, _RELEASED)
        return _answer(known)

    async def of_order(self, command: ReservationsOfOrder) -> ReservationList:
        async with self._db.read() as tx:
            found = await self._book.of_order(tx, command.order_id)
        return ReservationList(items=tuple(map(_answer, found)))

    async def restock(self, command: Restock) -> Reservation:
        now_ms = self._clock.now_ms()
        asked = Returned(command.restock_id, command.reservation_id)
        async with self._db.transaction() as tx:
            known = await self._known(tx, command.reservation_id)
            if known.status is not _CONFIRMED:
                raise IllegalMove("only confirmed goods come back", {"status": known.status})
            if await self._book.add_restock(tx, asked, command.reason, now_ms):
                await self._certainly(tx, returning(known.lines, asked.restock_id), now_ms)
                back = [Wanted(line.product_id, -line.quantity) for line in known.lines]
                await self._stock.count_sold(tx, back, day_of(now_ms))
            elif await self._book.restock_of(tx, asked) != asked:
                raise IllegalMove("these goods came back already, or the id was used for others")
        return _answer(known)

    async def _write_refusal(self, asked: Reserved, now_ms: int) -> bool:
        async with self._db.transaction() as tx:
            return await self._book.add(tx, replace(asked, status=_RELEASED, lines=()), now_ms)

    async def _refusal(self, tx: Tx, asked: Reserved) -> Refused:
        """As before, with what is there now."""
        products = [line.product_id for line in asked.lines]
        return out_of_stock(asked.lines, products, await self._stock.available(tx, products))

    async def _take(self, tx: Tx, asked: Reserved, now_ms: int) -> None:
        """All lines or none: raising undoes this body."""
        movements = reserving(asked.lines, asked.reservation_id)
        if short := await self._stock.move(tx, movements, now_ms):
            raise out_of_stock(asked.lines, short, await self._stock.available(tx, short))

    async def _certainly(self, tx: Tx, movements: list[Movement], now_ms: int) -> None:
        if short := await self._stock.move(tx, movements, now_ms):
            raise BooksDisagree(f"products {short} hold less than their reservations say")

    async def _known(self, tx: Tx, reservation_id: str) -> Reserved:
        known = await self._book.get(tx, reservation_id)
        if known is None:
            raise NotFound("no such reservation")
        return known


def _was_refused(known: Reserved) -> bool:
    """A release that came first knows no order."""
    return known.status is _RELEASED and known.order_id is not None and not known.lines


def _asked_again(asked: Reserved, known: Reserved) -> Reservation:
    if known.status is _RELEASED:
        raise Refused("RESERVATION_RELEASED", "the reservation was released")
    if (known.lines, known.order_id) != (asked.lines, asked.order_id):
        raise Refused("IDEMPOTENCY_CONFLICT", "this reservation id stands for other lines")
    return _answer(known)


def _answer(reservation: Reserved) -> Reservation:
    return Reservation(
        reservation_id=reservation.reservation_id,
        order_id=reservation.order_id,
        status=reservation.status,
    )
