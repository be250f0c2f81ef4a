"""The one door for payment truth: evidence in, status, ledger and events out, at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from kessai.contracts.events import refund_id
from kessai.contracts.moves import AttemptStatus, RefundStatus
from kessai.kernel.bus import set_within
from kessai.kernel.chance import Chance
from kessai.kernel.db import Tx
from kessai.kernel.errors import VersionConflict
from kessai.kernel.telemetry import get_log
from kessai.payment.application.ports import Books
from kessai.payment.application.present import change_event, signal
from kessai.payment.domain.attempt import (
    REFUND_PHASES,
    PaymentAttempt,
    apply,
    decide,
    proved_by,
    unknown_words,
)
from kessai.payment.domain.evidence import Evidence
from kessai.payment.domain.refund import MISMATCH_REASON, RefundOrder
from kessai.payment.domain.schedule import next_visit_ms

TRIES = 5
MAX_ODD_WORDS = 10

Finish = Callable[[Tx, PaymentAttempt, int | None], Awaitable[None]]
_log = get_log("kessai.payment")


class News:
    """Tells the waiting requests of this process that an order's payments have changed."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[asyncio.Event]] = {}

    def tell(self, order_id: str) -> None:
        for event in self._waiting.pop(order_id, ()):
            event.set()

    async def wait(self, order_id: str, limit_s: float) -> None:
        """Returns at the next news of the order, or when the limit is over."""
        event = asyncio.Event()
        self._waiting.setdefault(order_id, []).append(event)
        try:
            await set_within(event, limit_s)
        finally:
            self._leave(order_id, event)

    def _leave(self, order_id: str, event: asyncio.Event) -> None:
        waiting = self._waiting.get(order_id, [])
        if event in waiting:
            waiting.remove(event)
        if not waiting:
            self._waiting.pop(order_id, None)


class Settlement:
    """Webhook, poll, create answer, close and operator look-up all end here.

    `found` hears by which channel each payment was proved first.
    """

    def __init__(
        self,
        books: Books,
        chance: Chance,
        news: News,
        wake_refunds: Callable[[], None],
        found: Callable[[str | None], None] = lambda _channel: None,
    ) -> None:
        self._books = books
        self._chance = chance
        self._news = news
        self._wake_refunds = wake_refunds
        self._found = found

    async def settle(
        self, attempt_id: str, evidence: Sequence[Evidence], finish: Finish | None = None
    ) -> PaymentAttempt | None:
        """The attempt after all that is known; None when there is no such attempt.

        `finish` runs in the same transaction, with the attempt and the time of its next visit.
        """
        for left in reversed(range(TRIES)):
            try:
                return await self._once(attempt_id, evidence, finish)
            except VersionConflict:
                if left == 0:
                    raise
        return None

    async def _once(
        self, attempt_id: str, evidence: Sequence[Evidence], finish: Finish | None
    ) -> PaymentAttempt | None:
        books = self._books
        now_ms = books.clock.now_ms()
        async with books.db.transaction() as tx:
            before = await books.attempts.get(tx, attempt_id)
            if before is None:
                return None
            await self._signal_odd_words(tx, before, evidence, now_ms)
            for one in evidence:
                await books.evidence.add(tx, attempt_id, one)
            known = await books.evidence.of(tx, attempt_id)
            verdict = decide(before, known, books.rules)
            after = apply(before, verdict, now_ms)
            next_ms = next_visit_ms(after, known, now_ms, books.rules, self._chance.random())
            if after is not before:
                await books.attempts.save(tx, after, due_ms=next_ms)
                channel = proved_by(after, known)
                await self._write_consequences(tx, before, after, now_ms, channel)
            if before.status in REFUND_PHASES and verdict.status is AttemptStatus.FAILED:
                await self._signal_return(tx, before, now_ms)
            if finish is not None:
                await finish(tx, after, next_ms)
        if after.status is not before.status:
            self._tell(before, after, evidence)
        return after

    async def _write_consequences(
        self,
        tx: Tx,
        before: PaymentAttempt,
        after: PaymentAttempt,
        now_ms: int,
        channel: str | None,
    ) -> None:
        """Money and events of a change, in the change's own transaction."""
        books = self._books
        if event := change_event(before, after, now_ms, channel):
            await books.events.tell(tx, event)
        more_yen = after.captured_yen - before.captured_yen
        if more_yen > 0:
            await books.ledger.capture(tx, after, more_yen, now_ms)
            tx.after_commit(lambda: self._found(channel))
        elif more_yen < 0:
            await books.ledger.gone_back(tx, before, -more_yen, now_ms)
            await self._signal_return(tx, before, now_ms)
        if after.status is AttemptStatus.FAILED and before.captured_yen == 0 < more_yen:
            await self._give_back_other_amount(tx, after, now_ms)
        tx.after_commit(lambda: self._news.tell(after.order_id))

    async def _give_back_other_amount(self, tx: Tx, attempt: PaymentAttempt, now_ms: int) -> None:
        """Nobody asked for this amount, so it does not wait for anybody's decision."""
        refund = RefundOrder(
            id=refund_id(attempt.id, MISMATCH_REASON),
            order_id=attempt.order_id,
            merchant_payment_id=attempt.id,
            payment_id=attempt.payment_id,
            provider=attempt.provider,
            amount_yen=attempt.captured_yen,
            reason=MISMATCH_REASON,
            status=RefundStatus.REQUESTED,
            requested_at_ms=now_ms,
        )
        await self._books.refunds.add(tx, refund, due_ms=now_ms)
        differs = signal(
            "AmountDiffers",
            attempt.order_id,
            attempt.id,
            now_ms,
            expected=attempt.amount_yen,
            paid=attempt.captured_yen,
        )
        await self._books.events.signal(tx, differs)
        tx.after_commit(self._wake_refunds)

    async def _signal_return(self, tx: Tx, attempt: PaymentAttempt, now_ms: int) -> None:
        returned = signal(
            "MoneyReturned",
            attempt.order_id,
            attempt.id,
            now_ms,
            amount=attempt.captured_yen,
            status=attempt.status,
        )
        await self._books.events.signal(tx, returned)

    async def _signal_odd_words(
        self, tx: Tx, attempt: PaymentAttempt, evidence: Sequence[Evidence], now_ms: int
    ) -> None:
        """Each one once, from a look-up or a webhook; a flood of them says no more than a few."""
        odd = unknown_words(evidence)
        if not odd:
            return
        heard = unknown_words(await self._books.evidence.of(tx, attempt.id))
        new = [word for word in odd if word not in heard]
        for word in new[: max(0, MAX_ODD_WORDS - len(heard))]:
            about = f"{attempt.id}:{word}"
            unknown = signal("UnknownProviderWord", attempt.order_id, about, now_ms, word=word)
            await self._books.events.signal(tx, unknown)

    def _tell(
        self, before: PaymentAttempt, after: PaymentAttempt, evidence: Sequence[Evidence]
    ) -> None:
        _log.info(
            "payment.settled",
            order_id=after.order_id,
            merchant_payment_id=after.id,
            old=before.status,
            new=after.status,
            source=evidence[-1].source if evidence else "",
            error=after.error_code,
        )
