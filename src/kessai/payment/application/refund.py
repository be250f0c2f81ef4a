"""Refunds: asked once, executed until they are final, never more than was captured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from kessai.contracts.events import Signal
from kessai.contracts.moves import RefundStatus
from kessai.contracts.payment import RequestRefund
from kessai.kernel.db import Tx
from kessai.kernel.errors import Duplicate, NotFound, Refused, Unknown, VersionConflict
from kessai.kernel.leases import Due
from kessai.kernel.telemetry import get_log
from kessai.payment.application.ports import THROTTLED, Books, Provider, RefundRequest
from kessai.payment.application.present import refund_event, signal
from kessai.payment.application.settle import TRIES, News
from kessai.payment.domain.refund import RefundOrder, after_refunds, check_refund, moved
from kessai.payment.domain.schedule import THROTTLED_MS, refund_look_pause_ms, retry_pause_ms

_log = get_log("kessai.payment")


class RefundDesk:
    """Takes refunds on: order-service decides, this service executes."""

    def __init__(self, books: Books, news: News, wake: Callable[[], None]) -> None:
        self._books = books
        self._news = news
        self._wake = wake

    async def request(self, command: RequestRefund) -> RefundOrder:
        for left in reversed(range(TRIES)):
            try:
                return await self._once(command)
            except (VersionConflict, Duplicate):
                # Another request was faster, perhaps the same one sent twice: looking again tells.
                if left == 0:
                    raise
        raise NotFound(command.merchant_payment_id)

    async def _once(self, command: RequestRefund) -> RefundOrder:
        books = self._books
        now_ms = books.clock.now_ms()
        async with books.db.transaction() as tx:
            known = await books.refunds.get(tx, command.refund_id)
            if known is not None:
                return _same(known, command)
            attempt = await books.attempts.get(tx, command.merchant_payment_id)
            if attempt is None or attempt.order_id != command.order_id:
                raise NotFound(f"no payment {command.merchant_payment_id} of this order")
            refunds = await books.refunds.of_attempt(tx, attempt.id)
            check_refund(attempt, refunds, command.amount)
            refund = RefundOrder(
                id=command.refund_id,
                order_id=attempt.order_id,
                merchant_payment_id=attempt.id,
                payment_id=attempt.payment_id,
                provider=attempt.provider,
                amount_yen=command.amount,
                reason=command.reason,
                status=RefundStatus.REQUESTED,
                requested_at_ms=now_ms,
            )
            if attempt.provider == "Balance":
                return await self._complete_at_once(tx, refund, command)
            await books.refunds.add(tx, refund, due_ms=now_ms)
            # Written even when the status stays: the version is what keeps two requests apart.
            after = after_refunds(attempt, [*refunds, refund])
            counted = (
                after if after is not attempt else replace(attempt, version=attempt.version + 1)
            )
            await books.attempts.save(tx, counted, due_ms=None)
            tx.after_commit(self._wake)
        _log.info("refund.requested", refund_id=refund.id, amount=refund.amount_yen)
        return refund

    async def _complete_at_once(
        self, tx: Tx, refund: RefundOrder, command: RequestRefund
    ) -> RefundOrder:
        """The asker has credited the wallet: the money is back."""
        if not command.credited:
            raise Refused("ILLEGAL_STATE", "a wallet payment is credited before it is refunded")
        await self._books.refunds.add(tx, refund, due_ms=None)
        done = moved(refund, RefundStatus.COMPLETED, self._books.clock.now_ms())
        await complete(self._books, tx, done, self._news)
        return done


class RefundWorker:
    """Sends a refund, then asks until the money is back."""

    def __init__(self, books: Books, provider: Provider, news: News, *, limit_ms: int) -> None:
        self._books = books
        self._provider = provider
        self._news = news
        self._limit_ms = limit_ms

    async def work(self, due: Due) -> None:
        books = self._books
        async with books.db.read() as tx:
            refund = await books.refunds.get(tx, str(due.id))
        if refund is None:
            return
        try:
            is_back = await self._ask(refund)
        except Refused as refused:
            if refused.code == THROTTLED:
                await self._put_off(due, refund, THROTTLED_MS, refused.code)
            elif refund.status is RefundStatus.ACCEPTED:
                # They said yes before, so this no is not the last word: it is stuck, and told so.
                await self._put_off(due, refund, retry_pause_ms(refund.tries), refused.code)
            else:
                await self._reject(due, refund, refused)
        except Unknown as unknown:
            await self._put_off(due, refund, retry_pause_ms(refund.tries), unknown.code)
        else:
            await self._advance(due, refund, is_back=is_back)

    async def _ask(self, refund: RefundOrder) -> bool:
        """True: the money is back. The same id is the same refund, so sending again is safe."""
        payment_id = refund.payment_id or ""
        if refund.status is RefundStatus.ACCEPTED or refund.tries:
            found = await self._provider.get_refund(refund.id, payment_id)
            if found is not None:
                return found
        request = RefundRequest(
            refund_id=refund.id,
            payment_id=payment_id,
            amount_yen=refund.amount_yen,
            reason=refund.reason,
            requested_at_ms=refund.requested_at_ms,
        )
        return await self._provider.refund(request)

    async def _advance(self, due: Due, refund: RefundOrder, *, is_back: bool) -> None:
        books = self._books
        now_ms = books.clock.now_ms()
        async with books.db.transaction() as tx:
            if is_back:
                await complete(books, tx, moved(refund, RefundStatus.COMPLETED, now_ms), self._news)
                await books.refund_work.finish(tx, due, next_ms=None)
                return
            if refund.status is RefundStatus.REQUESTED:
                await books.refunds.save(tx, moved(refund, RefundStatus.ACCEPTED, now_ms))
            accepted_for_ms = now_ms - (refund.accepted_at_ms or now_ms)
            await self._finish_later(tx, due, refund, refund_look_pause_ms(accepted_for_ms))

    async def _put_off(self, due: Due, refund: RefundOrder, pause_ms: int, code: str) -> None:
        _log.warning("refund.put_off", refund_id=refund.id, code=code, pause_ms=pause_ms)
        async with self._books.db.transaction() as tx:
            await self._finish_later(tx, due, refund, pause_ms)

    async def _finish_later(self, tx: Tx, due: Due, refund: RefundOrder, pause_ms: int) -> None:
        books = self._books
        now_ms = books.clock.now_ms()
        await books.refunds.tried(tx, refund.id)
        await books.refund_work.finish(tx, due, next_ms=now_ms + pause_ms)
        late = now_ms - refund.requested_at_ms
        # The next try would still be within the limit, or this one has told it before.
        if late <= self._limit_ms < late + pause_ms:
            await books.events.signal(tx, _signal("RefundStuck", refund, now_ms, refund.status))

    async def _reject(self, due: Due, refund: RefundOrder, refused: Refused) -> None:
        """The provider's clear no: the money stays with us, and an operator has to know."""
        books = self._books
        now_ms = books.clock.now_ms()
        rejected = replace(
            moved(refund, RefundStatus.REJECTED, now_ms), error_code=refused.code[:60]
        )
        async with books.db.transaction() as tx:
            await books.refunds.save(tx, rejected)
            await books.refund_work.finish(tx, due, next_ms=None)
            told = _signal("RefundRejected", refund, now_ms, refused.code)
            await books.events.signal(tx, told)
        _log.error("refund.rejected", refund_id=refund.id, code=refused.code)


async def complete(books: Books, tx: Tx, done: RefundOrder, news: News) -> None:
    """The money is back: refund, ledger, attempt and event in the caller's transaction."""
    now_ms = books.clock.now_ms()
    await books.refunds.save(tx, done)
    await books.ledger.refund(tx, done, now_ms)
    await books.events.tell(tx, refund_event(done, now_ms))
    attempt = await books.attempts.get(tx, done.merchant_payment_id)
    if attempt is not None:
        refunds = await books.refunds.of_attempt(tx, attempt.id)
        after = after_refunds(attempt, refunds)
        if after is not attempt:
            # One step of the table at a time, and one version for both of them.
            await books.attempts.save(tx, after, due_ms=None)
    tx.after_commit(lambda: news.tell(done.order_id))
    tx.after_commit(
        lambda: _log.info("refund.completed", refund_id=done.id, order_id=done.order_id)
    )


def _signal(name: str, refund: RefundOrder, now_ms: int, why: str) -> Signal:
    return signal(
        name,
        refund.order_id,
        refund.id,
        now_ms,
        amount=refund.amount_yen,
        reason=refund.reason,
        why=why,
    )


def _same(known: RefundOrder, command: RequestRefund) -> RefundOrder:
    """A repeat is one refund; another amount under the same id is a mistake of the asker."""
    asked = (command.order_id, command.merchant_payment_id, command.amount)
    if (known.order_id, known.merchant_payment_id, known.amount_yen) != asked:
        raise Refused("IDEMPOTENCY_CONFLICT", "this refund id means another refund")
    return known
