"""The book in memory over its store: a change is seen by nobody before it is durable."""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from kessai.sim.paypay.application.ports import Store
from kessai.sim.paypay.domain import results
from kessai.sim.paypay.domain.book import Payment
from kessai.sim.paypay.domain.results import TurnedDown

MAX_PAYMENTS: Final = 1_000_000


class Book:
    """Changes of one payment happen one after the other; those of several share a commit."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._shelf = _Shelf()
        self._locks: dict[str, _Turn] = {}

    async def open(self) -> None:
        for payment in await self._store.load():
            self._shelf.put(payment)

    async def clear(self) -> None:
        await self._store.clear()
        self._shelf = _Shelf()

    def __iter__(self) -> Iterator[Payment]:
        return iter(self._shelf.payments.values())

    def newest(self, limit: int) -> list[Payment]:
        return list(islice(reversed(self._shelf.payments.values()), limit))

    def between(self, after: str, below: str, limit: int) -> list[Payment]:
        """By merchantPaymentId, both ends left out."""
        shelf = self._shelf
        if len(shelf.names) != len(shelf.payments):
            # Ids mostly grow with time, so that this is one pass and not a sort.
            shelf.names = sorted(shelf.payments)
        first = bisect_right(shelf.names, after)
        last = bisect_left(shelf.names, below)
        return [shelf.payments[name] for name in shelf.names[first : min(last, first + limit)]]

    def get(self, merchant_payment_id: str) -> Payment | None:
        return self._shelf.payments.get(merchant_payment_id)

    def by_code(self, code_id: str) -> Payment | None:
        return self._shelf.payments.get(self._shelf.codes.get(code_id, ""))

    def by_payment_id(self, payment_id: str) -> Payment | None:
        return self._shelf.payments.get(self._shelf.payment_ids.get(payment_id, ""))

    def by_refund(self, merchant_refund_id: str) -> Payment | None:
        return self._shelf.payments.get(self._shelf.refunds.get(merchant_refund_id, ""))

    def paid_by_page(self) -> list[Payment]:
        return [self._shelf.payments[name] for name in self._shelf.by_page]

    async def add(self, payment: Payment) -> Payment:
        """The payment that has the id now: this one, or the one that was there before."""
        name = payment.merchant_payment_id
        async with self._turn(name):
            shelf = self._shelf
            if (before := shelf.payments.get(name)) is not None:
                return before
            if len(shelf.payments) >= MAX_PAYMENTS:
                raise TurnedDown(results.SERVICE_ERROR)
            await self._store.add(payment)
            shelf.put(payment)
            return payment

    async def change(
        self, merchant_payment_id: str, move: Callable[[Payment], Payment]
    ) -> tuple[Payment, Payment]:
        """Before and after. What `move` raises leaves all as it was; so does an unknown id."""
        async with self._turn(merchant_payment_id):
            shelf = self._shelf
            before = shelf.payments[merchant_payment_id]
            after = move(before)
            if after is not before:
                await self._store.save(after)
                shelf.put(after)
            return before, after

    @asynccontextmanager
    async def _turn(self, name: str) -> AsyncIterator[None]:
        turn = self._locks.setdefault(name, _Turn())
        turn.users += 1
        try:
            async with turn.lock:
                yield
        finally:
            turn.users -= 1
            if not turn.users:
                del self._locks[name]


@dataclass(slots=True)
class _Turn:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


@dataclass(slots=True)
class _Shelf:
    payments: dict[str, Payment] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    payment_ids: dict[str, str] = field(default_factory=dict)
    refunds: dict[str, str] = field(default_factory=dict)
    by_page: dict[str, None] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)

    def put(self, payment: Payment) -> None:
        name = payment.merchant_payment_id
        self.payments[name] = payment
        self.codes[payment.code_id] = name
        if payment.payment_id is not None:
            self.payment_ids[payment.payment_id] = name
        if payment.paid_by == "page":
            self.by_page[name] = None
        for refund in payment.refunds:
            self.refunds[refund.merchant_refund_id] = name
