"""Stock and reservations in SQL: conditional updates, so that no count is read and then written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import bindparam, insert, or_, select, text, update

from kessai.contracts.moves import ReservationStatus
from kessai.kernel.db import Row, Tx, insert_ignore
from kessai.storage.application.ports import Overdue, Reserved, Returned
from kessai.storage.domain.movements import Movement, Wanted, read_lines, write_lines
from kessai.storage.gateway.tables import RESERVATION, RESTOCK, SOLD_DAY, STOCK, STOCK_LEDGER

_OF_PRODUCT = STOCK.c.product_id == bindparam("of_product")
_CHANGED = {"version": STOCK.c.version + 1, "dirty": 1}
_MOVE = (
    update(STOCK)
    .where(
        _OF_PRODUCT,
        STOCK.c.available + bindparam("more_available") >= 0,
        STOCK.c.reserved + bindparam("more_reserved") >= 0,
    )
    .values(
        on_hand=STOCK.c.on_hand + bindparam("more_available") + bindparam("more_reserved"),
        available=STOCK.c.available + bindparam("more_available"),
        reserved=STOCK.c.reserved + bindparam("more_reserved"),
        sold=STOCK.c.sold + bindparam("more_sold"),
        **_CHANGED,
    )
)
_WRITE_LEDGER = insert(STOCK_LEDGER)
_AVAILABLE = select(STOCK.c.product_id, STOCK.c.available).where(
    STOCK.c.product_id.in_(bindparam("ids", expanding=True))
)
_OPEN = insert(STOCK)
_TOUCH = update(STOCK).where(_OF_PRODUCT).values(**_CHANGED)
_ADD_SALES = (
    update(SOLD_DAY)
    .where(SOLD_DAY.c.product_id == bindparam("of_product"), SOLD_DAY.c.day == bindparam("of_day"))
    .values(quantity=SOLD_DAY.c.quantity + bindparam("more"))
)
_FIRST_SALES = insert_ignore(SOLD_DAY)


class SqlStockBook:
    async def move(self, tx: Tx, movements: Sequence[Movement], now_ms: int) -> list[int]:
        refused = []
        for movement in movements:
            values = {
                "of_product": movement.product_id,
                "more_available": movement.available,
                "more_reserved": movement.reserved,
                "more_sold": movement.sold,
            }
            if (await tx.run(_MOVE, values)).rowcount != 1:
                refused.append(movement.product_id)
        if movements and not refused:
            await tx.run(_WRITE_LEDGER, [_ledger_row(movement, now_ms) for movement in movements])
        return refused

    async def available(self, tx: Tx, product_ids: Sequence[int]) -> Mapping[int, int]:
        rows = (await tx.run(_AVAILABLE, {"ids": product_ids})).all()
        return {row["product_id"]: row["available"] for row in rows}

    async def count_sold(self, tx: Tx, lines: Sequence[Wanted], day: int) -> None:
        for line in lines:
            more = {"of_product": line.product_id, "of_day": day, "more": line.quantity}
            if (await tx.run(_ADD_SALES, more)).rowcount == 1:
                continue
            # The row is made empty: whoever else makes it first, nothing is counted twice.
            await tx.run(_FIRST_SALES, {"product_id": line.product_id, "day": day, "quantity": 0})
            await tx.run(_ADD_SALES, more)

    async def open(self, tx: Tx, movements: Sequence[Movement], now_ms: int) -> None:
        if movements:
            await tx.run(_OPEN, [_first_shelf(movement) for movement in movements])
        if brought := [movement for movement in movements if movement.available]:
            await tx.run(_WRITE_LEDGER, [_ledger_row(movement, now_ms) for movement in brought])

    async def touch(self, tx: Tx, product_ids: Sequence[int]) -> None:
        if product_ids:
            await tx.run(_TOUCH, [{"of_product": product_id} for product_id in product_ids])


def _ledger_row(movement: Movement, now_ms: int) -> dict[str, object]:
    return {
        "product_id": movement.product_id,
        "kind": movement.kind,
        "cause_id": movement.cause_id,
        "available_delta": movement.available,
        "reserved_delta": movement.reserved,
        "sold_delta": movement.sold,
        "at_ms": now_ms,
    }


def _first_shelf(movement: Movement) -> dict[str, object]:
    return {
        "product_id": movement.product_id,
        "on_hand": movement.available,
        "available": movement.available,
        "reserved": 0,
        "sold": 0,
        "version": 1,
        "dirty": 1,
        "announced_at_ms": 0,
    }


_OF_RESERVATION = RESERVATION.c.reservation_id == bindparam("of_reservation")
_ADD = insert_ignore(RESERVATION)
_END = (
    update(RESERVATION)
    .where(_OF_RESERVATION, RESERVATION.c.status == bindparam("open_status"))
    .values(status=bindparam("end_status"), ended_at_ms=bindparam("now_ms"))
)
_GET = select(RESERVATION).where(_OF_RESERVATION)
# By the key alone: a release that came first is written without its order.
_OF_ORDER = (
    select(RESERVATION)
    .where(
        RESERVATION.c.reservation_id >= bindparam("first"),
        RESERVATION.c.reservation_id < bindparam("beyond"),
    )
    .order_by(RESERVATION.c.reservation_id)
    .limit(bindparam("limit"))
)
_MOST_OF_ORDER = 100
_ADD_RESTOCK = insert_ignore(RESTOCK)
_RESTOCK_OF = select(RESTOCK).where(
    or_(
        RESTOCK.c.restock_id == bindparam("of_restock"),
        RESTOCK.c.reservation_id == bindparam("of_reservation"),
    )
)
_OVERDUE = (
    select(RESERVATION)
    .where(
        text("status = 'RESERVED' AND signalled = 0"),
        RESERVATION.c.created_at_ms < bindparam("before_ms"),
    )
    .order_by(RESERVATION.c.created_at_ms)
    .limit(bindparam("limit"))
)
_SIGNALLED = (
    update(RESERVATION)
    .where(_OF_RESERVATION, text("status = 'RESERVED' AND signalled = 0"))
    .values(signalled=1)
)
# `signalled`: 1 told that it is overdue, 2 told that it has ended after all.
_SETTLED_LATE = (
    select(RESERVATION)
    .where(text("status IN ('CONFIRMED', 'RELEASED') AND signalled = 1"))
    .order_by(RESERVATION.c.created_at_ms)
    .limit(bindparam("limit"))
)
_TOLD_SETTLED = (
    update(RESERVATION).where(_OF_RESERVATION, text("signalled = 1")).values(signalled=2)
)


class SqlReservationBook:
    async def add(self, tx: Tx, reservation: Reserved, now_ms: int) -> bool:
        ended = reservation.status is not ReservationStatus.RESERVED
        row = {
            "reservation_id": reservation.reservation_id,
            "order_id": reservation.order_id,
            "status": reservation.status,
            "lines": write_lines(reservation.lines),
            "created_at_ms": now_ms,
            "ended_at_ms": now_ms if ended else None,
            "signalled": 0,
        }
        return (await tx.run(_ADD, row)).rowcount == 1

    async def end(
        self, tx: Tx, reservation_id: str, status: ReservationStatus, now_ms: int
    ) -> bool:
        values = {
            "of_reservation": reservation_id,
            "open_status": ReservationStatus.RESERVED,
            "end_status": status,
            "now_ms": now_ms,
        }
        return (await tx.run(_END, values)).rowcount == 1

    async def get(self, tx: Tx, reservation_id: str) -> Reserved | None:
        row = (await tx.run(_GET, {"of_reservation": reservation_id})).first()
        return _reserved(row) if row else None

    async def of_order(self, tx: Tx, order_id: str) -> Sequence[Reserved]:
        # "." follows "-": every `<orderId>-...` lies between the two.
        between = {"first": f"{order_id}-", "beyond": f"{order_id}.", "limit": _MOST_OF_ORDER}
        return [_reserved(row) for row in (await tx.run(_OF_ORDER, between)).all()]

    async def add_restock(self, tx: Tx, returned: Returned, reason: str, now_ms: int) -> bool:
        row = {
            "restock_id": returned.restock_id,
            "reservation_id": returned.reservation_id,
            "reason": reason,
            "at_ms": now_ms,
        }
        return (await tx.run(_ADD_RESTOCK, row)).rowcount == 1

    async def restock_of(self, tx: Tx, returned: Returned) -> Returned | None:
        of = {"of_restock": returned.restock_id, "of_reservation": returned.reservation_id}
        row = (await tx.run(_RESTOCK_OF, of)).first()
        return Returned(row["restock_id"], row["reservation_id"]) if row else None

    async def overdue(self, tx: Tx, before_ms: int, limit: int) -> Sequence[Overdue]:
        rows = (await tx.run(_OVERDUE, {"before_ms": before_ms, "limit": limit})).all()
        return [_overdue(row) for row in rows]

    async def settled_late(self, tx: Tx, limit: int) -> Sequence[Overdue]:
        return [_overdue(row) for row in (await tx.run(_SETTLED_LATE, {"limit": limit})).all()]

    async def told_settled(self, tx: Tx, reservation_id: str) -> bool:
        return (await tx.run(_TOLD_SETTLED, {"of_reservation": reservation_id})).rowcount == 1

    async def signalled(self, tx: Tx, reservation_id: str) -> bool:
        return (await tx.run(_SIGNALLED, {"of_reservation": reservation_id})).rowcount == 1


def _overdue(row: Row) -> Overdue:
    return Overdue(row["reservation_id"], row["order_id"], row["created_at_ms"])


def _reserved(row: Row) -> Reserved:
    return Reserved(
        reservation_id=row["reservation_id"],
        order_id=row["order_id"],
        status=ReservationStatus(row["status"]),
        lines=read_lines(row["lines"]),
    )
