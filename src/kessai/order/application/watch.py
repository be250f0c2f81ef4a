"""The loops of this service: deadlines, the fallback without events, forgetting old keys."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from kessai.contracts.payment import PaymentService, PaymentsOfOrder
from kessai.kernel import idempotency, inbox
from kessai.kernel.clock import Clock
from kessai.kernel.db import Db, Tx
from kessai.kernel.errors import Refused, Unknown
from kessai.kernel.telemetry import get_log
from kessai.order.application.news import PaymentNews
from kessai.order.application.ports import Limits, Orders, Refunds
from kessai.order.application.requests import CustomerRequests
from kessai.order.application.retry import in_transaction
from kessai.order.domain.order import Closing, may_close

_log = get_log("kessai.order")


class Watch:
    def __init__(
        self,
        db: Db,
        orders: Orders,
        refunds: Refunds,
        requests: CustomerRequests,
        news: PaymentNews,
        payment: PaymentService,
        clock: Clock,
        limits: Limits,
    ) -> None:
        self._db = db
        self._orders = orders
        self._refunds = refunds
        self._requests = requests
        self._news = news
        self._payment = payment
        self._clock = clock
        self._limits = limits

    async def deadlines(self) -> None:
        while True:
            closed = await self.close_overdue()
            # A full round means that more are waiting.
            await asyncio.sleep(
                0 if closed >= self._limits.rows_per_round else self._limits.deadline_every_s
            )

    async def fallback(self) -> None:
        while True:
            await self.ask_about_silent()
            await asyncio.sleep(self._limits.fallback_every_s)

    async def forgetting(self) -> None:
        while True:
            await self.forget()
            await asyncio.sleep(self._limits.purge_every_s)

    async def close_overdue(self) -> int:
        """Starts the cancel saga of orders past their deadline; returns how many were found."""
        async with self._db.read() as tx:
            overdue = await self._orders.overdue(
                tx, self._clock.now_ms(), self._limits.rows_per_round
            )
        for order_id in overdue:
            await self._close(order_id)
        return len(overdue)

    async def ask_about_silent(self) -> int:
        """Asks payment-service about orders and refunds that no event has told of for long."""
        before_ms = self._clock.now_ms() - self._limits.fallback_after_ms
        async with self._db.read() as tx:
            limit = self._limits.rows_per_round
            waiting = await self._orders.silent(tx, before_ms, limit)
            refunding = await self._refunds.silent(tx, before_ms, limit)
        silent: Sequence[str] = tuple(dict.fromkeys([*waiting, *refunding]))
        for order_id in silent:
            await self._ask(order_id)
        return len(silent)

    async def forget(self) -> None:
        now_ms, keep_ms = self._clock.now_ms(), self._limits.keep_keys_ms
        async with self._db.transaction() as tx:
            await idempotency.purge(tx, now_ms, keep_ms)
            # The bus keeps records for days: an event may come again much later than a click.
            await inbox.purge(tx, now_ms - 30 * keep_ms)

    async def _close(self, order_id: str) -> None:
        async def body(tx: Tx) -> None:
            order = await self._orders.find(tx, order_id)
            if order is None or order.closing is not Closing.NO or not may_close(order):
                return
            await self._requests.close(tx, order, Closing.DEADLINE)

        await in_transaction(self._db, self._limits.write_tries, body)
        _log.info("order.deadline_passed", order_id=order_id)

    async def _ask(self, order_id: str) -> None:
        """One order that cannot be asked about now does not hold the others up."""
        async with self._db.transaction() as tx:
            now_ms = self._clock.now_ms()
            await self._orders.asked(tx, order_id, now_ms)
            await self._refunds.asked(tx, order_id, now_ms)
        try:
            known = await self._payment.get_payments(PaymentsOfOrder(order_id=order_id))
            await self._news.apply_payments(known)
        except (Unknown, Refused) as error:
            _log.info("order.fallback_unanswered", order_id=order_id, code=error.code)
