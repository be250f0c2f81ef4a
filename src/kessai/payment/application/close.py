"""Closing an order's payments: no new attempt, no live code, and the provider's last word."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from kessai.contracts.moves import AttemptStatus, OrderReason
from kessai.contracts.payment import Closed, CloseOutcome, ClosePayments
from kessai.kernel.errors import Unknown, VersionConflict
from kessai.payment.application.ports import Books
from kessai.payment.application.settle import TRIES, News
from kessai.payment.domain.attempt import CAPTURED_PHASES, PaymentAttempt
from kessai.payment.domain.plan import UNAVAILABLE

# Beyond the grace that the last look-up must wait for: two calls to the provider.
WAIT_BEYOND_GRACE_S = 1.5


class Closing:
    def __init__(self, books: Books, news: News, wake_visits: Callable[[], None]) -> None:
        self._books = books
        self._news = news
        self._wake_visits = wake_visits

    async def close(self, command: ClosePayments) -> Closed:
        """Waits a little for the provider's last word. Raises `Unknown` while there is none."""
        attempts = await self._mark(command)
        if any(one.is_live and one.code_id is not None for one in attempts):
            wait_s = self._books.rules.grace_ms / 1000 + WAIT_BEYOND_GRACE_S
            await self._news.wait(command.order_id, wait_s)
            async with self._books.db.read() as tx:
                attempts = await self._books.attempts.of_order(tx, command.order_id)
        if any(one.status in CAPTURED_PHASES for one in attempts):
            return Closed(outcome=CloseOutcome.PAID)
        if any(one.is_live for one in attempts):
            raise Unknown(UNAVAILABLE, "the provider has not said its last word yet")
        return Closed(outcome=CloseOutcome.CLOSED, reason=_reason(attempts))

    async def _mark(self, command: ClosePayments) -> Sequence[PaymentAttempt]:
        for left in reversed(range(TRIES)):
            try:
                return await self._mark_once(command)
            except VersionConflict:
                if left == 0:
                    raise
        return ()

    async def _mark_once(self, command: ClosePayments) -> Sequence[PaymentAttempt]:
        """From here on nobody begins an attempt, and the poller brings live ones to their end."""
        books = self._books
        now_ms = books.clock.now_ms()
        async with books.db.transaction() as tx:
            await books.orders.open(tx, command.order_id, now_ms)
            await books.orders.close(tx, command.order_id, command.reason, now_ms)
            attempts = await books.attempts.of_order(tx, command.order_id)
            for index, one in enumerate(attempts):
                if not one.is_live or one.closing_at_ms is not None:
                    continue
                closing = replace(one, closing_at_ms=now_ms, version=one.version + 1)
                await books.attempts.save(tx, closing, due_ms=now_ms)
                attempts[index] = closing
                tx.after_commit(self._wake_visits)
        return attempts


def _reason(attempts: Sequence[PaymentAttempt]) -> OrderReason:
    """Why there is no money, in the order's words: the last attempt's."""
    if not attempts:
        return OrderReason.PAYMENT_UNAVAILABLE
    last = attempts[-1]
    if last.error_code == UNAVAILABLE or last.code_id is None:
        return OrderReason.PAYMENT_UNAVAILABLE
    if last.status is AttemptStatus.FAILED:
        return OrderReason.PAYMENT_DECLINED
    return OrderReason.PAYMENT_EXPIRED
