"""The ledger's check, a page of orders at a time, on the books as they are now."""

from __future__ import annotations

from typing import Protocol

from kessai.contracts.payment import AccountTotal, CheckLedger, LedgerChecked, LedgerFault
from kessai.kernel.db import Db, Tx
from kessai.payment.domain.ledger import OrderBooks, Totals, check_order


class LedgerBooks(Protocol):
    async def page(self, tx: Tx, after: str, limit: int) -> list[OrderBooks]:
        """Orders beyond `after`, in the order of their ids."""
        ...


class LedgerCheck:
    """Reads only: each page is a snapshot of its own, so it may run beside the traffic."""

    def __init__(self, db: Db, books: LedgerBooks) -> None:
        self._db = db
        self._books = books

    async def check(self, command: CheckLedger) -> LedgerChecked:
        async with self._db.read() as tx:
            page = await self._books.page(tx, command.after, command.limit)
        totals = Totals()
        faults: list[LedgerFault] = []
        for books in page:
            for entry in books.entries:
                totals.add(entry)
            faults += [
                LedgerFault(code=one.code, order_id=one.order_id, subject=one.subject, why=one.why)
                for one in check_order(books)
            ]
        accounts = sorted(totals.debits.keys() | totals.credits.keys())
        return LedgerChecked(
            orders=len(page),
            entries=totals.entries,
            accounts=tuple(
                AccountTotal(account=name, debit=totals.debits[name], credit=totals.credits[name])
                for name in accounts
            ),
            faults=tuple(faults),
            next=page[-1].order_id if len(page) == command.limit else None,
        )
