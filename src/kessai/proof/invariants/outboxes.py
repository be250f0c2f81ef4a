"""The outboxes of the services, read once for whoever asks, and kept up with while they grow.

Each is read from its beginning, in pages, each in a short transaction of its own. Later each page
of orders is read in one snapshot with the rows that came meanwhile: for each order exactly the
events of its row are known.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator

from sqlalchemy import bindparam

from kessai.kernel.db import Db, Tx
from kessai.proof.invariants.sql import col, made, rows_of
from kessai.proof.invariants.told import OutboxRow, Telling

_PAGE = 2000
# A writer of MySQL may commit a row after larger ids were read; no body is so slow that it comes
# later than this many others.
_LATE_IDS = 5_000

_ROWS = rows_of(OutboxRow, "outbox")
_NEXT = _ROWS.where(col("id") > bindparam("after")).order_by(col("id")).limit(_PAGE)
_LATE = _ROWS.where(col("id").in_(bindparam("ids", expanding=True)))


class Outbox:
    """How far one outbox was read, and which smaller ids may still come.

    `is_whole`: nothing was forgotten yet, so that even the oldest events must be there.
    """

    def __init__(self, db: Db, fold: Callable[[Iterable[OutboxRow]], None] | None) -> None:
        self.db = db
        self._fold = fold
        self._last = 0
        self._late: dict[int, None] = {}
        self._is_read = False
        self.is_whole = False

    async def pages(self) -> AsyncIterator[list[OutboxRow]]:
        """What was not read yet."""
        more = True
        while more:
            async with self.db.read() as tx:
                rows = await self._new_rows(tx)
                more = len(rows) >= _PAGE
                if not more:
                    rows += await self._late_rows(tx)
            yield rows
            # Files answer without a wait, and Ctrl-C and the second process want to be heard.
            await asyncio.sleep(0)
        self._is_read = True

    async def read(self) -> None:
        """All of it, unless somebody did so already."""
        if not self._is_read:
            async for _ in self.pages():
                pass

    async def catch_up(self, tx: Tx, *, late: bool) -> None:
        """Reads what is new in the caller's snapshot, and what is `late` if that is asked for.

        Without it an order may lack an event that is there, until it is looked at again.
        """
        while len(await self._new_rows(tx)) >= _PAGE:
            pass
        if late:
            await self._late_rows(tx)

    async def _new_rows(self, tx: Tx) -> list[OutboxRow]:
        rows = made(OutboxRow, await tx.run(_NEXT, {"after": self._last}))
        self._note_gaps(rows)
        if self._fold is not None:
            self._fold(rows)
        return rows

    async def _late_rows(self, tx: Tx) -> list[OutboxRow]:
        """Most gaps are for good (an insert that was undone), so this is seldom asked."""
        if not self._late:
            return []
        rows = made(OutboxRow, await tx.run(_LATE, {"ids": list(self._late)}))
        for row in rows:
            del self._late[row.id]
        if self._fold is not None:
            self._fold(rows)
        return rows

    def _note_gaps(self, rows: list[OutboxRow]) -> None:
        """Between the rows, of which most pages have none."""
        if not rows:
            return
        if not self._last:
            self.is_whole = rows[0].id == 1
        last = self._last or rows[0].id - 1
        self._last = rows[-1].id
        if self._last - last > len(rows):
            for row in rows:
                if row.id > last + 1:
                    first = max(last + 1, row.id - _LATE_IDS)
                    self._late.update(dict.fromkeys(range(first, row.id)))
                last = row.id
        for id_ in [one for one in self._late if one < self._last - _LATE_IDS]:
            del self._late[id_]


class Outboxes:
    """`telling` gets what is read of orders and payments; None when nobody asks by order.

    `alert` is None in a shop without alert-service.
    """

    def __init__(
        self, order: Db, payment: Db, storage: Db, alert: Db | None, telling: Telling | None
    ) -> None:
        self.telling = telling
        self.order = Outbox(order, telling.fold_orders if telling else None)
        self.payment = Outbox(payment, telling.fold_payments if telling else None)
        self.storage = Outbox(storage, None)
        self.alert = None if alert is None else Outbox(alert, None)

    def __iter__(self) -> Iterator[Outbox]:
        known = (self.order, self.payment, self.storage)
        return iter(known if self.alert is None else (*known, self.alert))
