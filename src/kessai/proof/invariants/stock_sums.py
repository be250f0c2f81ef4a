"""The counts of every product against the sums of its ledger.

The ledger only grows, so it is summed in pages, and the counts are read in one snapshot together
with its newest rows: the sum is then exactly that of the counts, whatever is sold meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from typing import Any, NamedTuple, cast

from sqlalchemy import and_, bindparam, func, select, table

from kessai.kernel.db import Tx
from kessai.proof.invariants.books import Look
from kessai.proof.invariants.doubts import Tally
from kessai.proof.invariants.rows import MovementRow, StockRow
from kessai.proof.invariants.sql import Statement, col, cols, made, rows_of
from kessai.proof.invariants.story import read_lines

_STEP = 20_000
# A writer of MySQL may commit a row after rows with larger ids are there; none is so late.
_UNSURE = 5_000
_NAME = "stock"

_STOCK: Statement = rows_of(StockRow, "stock").order_by(col("product_id"))
_LAST: Statement = select(func.max(col("id"))).select_from(table("stock_ledger"))
_SUMS: Statement = (
    select(
        *cols("product_id", "kind"),
        func.sum(col("available_delta")).label("available"),
        func.sum(col("reserved_delta")).label("reserved"),
        func.sum(col("sold_delta")).label("sold"),
    )
    .select_from(table("stock_ledger"))
    .where(col("id") > bindparam("after"), col("id") <= bindparam("until"))
    .group_by(*cols("product_id", "kind"))
)
_COUNTED = table("stock", col("product_id"))
_PRODUCT = table("product", col("product_id"))
_NAMELESS: Statement = (
    select(_COUNTED.c.product_id)
    .outerjoin_from(_COUNTED, _PRODUCT, _PRODUCT.c.product_id == _COUNTED.c.product_id)
    .where(_PRODUCT.c.product_id.is_(None))
    .limit(_STEP)
)
_OPEN: Statement = (
    select(col("lines")).select_from(table("reservation")).where(col("status") == "RESERVED")
)
_LEDGER = table("stock_ledger", *cols(*MovementRow._fields))
_RESERVATION = table("reservation", col("reservation_id"))
_RESTOCK = table("restock", col("restock_id"))
_CAUSELESS: Statement = (
    select(_LEDGER)
    .outerjoin(_RESERVATION, _RESERVATION.c.reservation_id == _LEDGER.c.cause_id)
    .outerjoin(_RESTOCK, _RESTOCK.c.restock_id == _LEDGER.c.cause_id)
    .where(
        _LEDGER.c.id > bindparam("after"),
        _LEDGER.c.id <= bindparam("until"),
        _LEDGER.c.kind != "IMPORT",
        and_(_RESERVATION.c.reservation_id.is_(None), _RESTOCK.c.restock_id.is_(None)),
    )
)


class Counts(NamedTuple):
    available: int
    reserved: int
    sold: int


NOTHING = Counts(0, 0, 0)


def _plus(one: Counts, other: Counts) -> Counts:
    return Counts(*map(sum, zip(one, other, strict=True)))


@dataclass(slots=True)
class Shelf:
    """One product: its counts, and what its movements add up to by kind."""

    row: StockRow
    moved: dict[str, Counts] = field(default_factory=dict)
    held: int = 0

    def by(self, kind: str) -> Counts:
        return self.moved.get(kind, NOTHING)

    @property
    def sums(self) -> Counts:
        return reduce(_plus, self.moved.values(), NOTHING)


@dataclass(slots=True)
class Shelves:
    """`causeless`: movements that no reservation, restock or import explains."""

    products: dict[int, Shelf]
    causeless: list[MovementRow]
    movements: int


async def counts_are_never_negative(look: Look, tally: Tally) -> None:
    """Available, reserved and sold are never below zero."""
    for shelf in (await _shelves(look)).products.values():
        tally.checked += 1
        row = shelf.row
        if min(row.available, row.reserved, row.sold) < 0:
            tally.wrong(f"product {row.product_id}", "a count is below zero", row)


async def counts_are_their_ledger(look: Look, tally: Tally) -> None:
    """On hand is available and reserved together; each count is that of a product and the sum of
    its movements, and sold is what was confirmed less what came back."""
    async with look.books.storage.read() as tx:
        nameless = (await tx.run(_NAMELESS)).all()
    for lost in nameless:
        why = "a stock, and there is no such product"
        tally.wrong(f"product {lost['product_id']}", why, lost)
    for shelf in (await _shelves(look)).products.values():
        tally.checked += 1
        row, name = shelf.row, f"product {shelf.row.product_id}"
        if row.on_hand != row.available + row.reserved:
            tally.wrong(name, f"{row.on_hand} on hand of {row.available} + {row.reserved}", row)
        counts, sums = Counts(row.available, row.reserved, row.sold), shelf.sums
        if counts != sums:
            tally.wrong(name, f"the counts are {(*counts,)}, the movements {(*sums,)}", row)
        confirmed, back = shelf.by("CONFIRM").sold, -shelf.by("RETURN").sold
        if row.sold != confirmed - back:
            tally.wrong(name, f"{row.sold} sold, {confirmed} confirmed, {back} came back", row)


async def movements_have_causes(look: Look, tally: Tally) -> None:
    """A release without a reservation, a reservation after its release and any other late call
    change no count: every movement belongs to a reservation, a restock or an import."""
    shelves = await _shelves(look)
    tally.checked += shelves.movements
    for move in shelves.causeless:
        tally.wrong(move.cause_id, f"{move.kind} without a cause that is on record", move)


async def no_more_is_sold_than_there_was(look: Look, tally: Tally) -> None:
    """Of K pieces K buyers get one at most: sold and on hand are what was put on the shelf, and
    what is reserved is exactly what open reservations hold, so that no piece lies idle."""
    for shelf in (await _shelves(look)).products.values():
        tally.checked += 1
        row, name = shelf.row, f"product {shelf.row.product_id}"
        brought = shelf.by("IMPORT").available
        if row.sold + row.on_hand != brought:
            why = f"{brought} were brought, {row.sold} sold and {row.on_hand} on hand"
            tally.wrong(name, why, row)
        if row.reserved != shelf.held:
            why = f"{row.reserved} reserved, open reservations hold {shelf.held}"
            tally.wrong(name, why, row)


async def _shelves(look: Look) -> Shelves:
    kept = look.kept.get(_NAME)
    if kept is None:
        kept = look.kept[_NAME] = await _read(look)
    return cast(Shelves, kept)


async def _read(look: Look) -> Shelves:
    db = look.books.storage
    async with db.read() as tx:
        last = int(cast(int, (await tx.run(_LAST)).scalar() or 0))
    sums: list[Any] = []
    causeless: list[MovementRow] = []
    after, sure = 0, max(0, last - _UNSURE)
    while after < sure:
        until = min(after + _STEP, sure)
        async with db.read() as tx:
            await _page(tx, after, until, sums, causeless)
        after = until
    async with db.read() as tx:
        last = int(cast(int, (await tx.run(_LAST)).scalar() or 0))
        await _page(tx, after, last, sums, causeless)
        rows = made(StockRow, await tx.run(_STOCK))
        held = (await tx.run(_OPEN)).all()
    products = {row.product_id: Shelf(row) for row in rows}
    for row in sums:
        shelf = products.setdefault(
            row["product_id"], Shelf(StockRow(row["product_id"], 0, 0, 0, 0))
        )
        more = Counts(int(row["available"]), int(row["reserved"]), int(row["sold"]))
        shelf.moved[row["kind"]] = _plus(shelf.by(row["kind"]), more)
    for row in held:
        for product_id, quantity in read_lines(row["lines"]).items():
            if product_id in products:
                products[product_id].held += quantity
    return Shelves(products, causeless, last)


async def _page(
    tx: Tx, after: int, until: int, sums: list[Any], causeless: list[MovementRow]
) -> None:
    of = {"after": after, "until": until}
    sums.extend((await tx.run(_SUMS, of)).all())
    causeless.extend(made(MovementRow, await tx.run(_CAUSELESS, of)))
