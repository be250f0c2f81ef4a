"""Asking the provider about an attempt: never twice at once, never inside a transaction."""

from __future__ import annotations

from dataclasses import replace

from kessai.kernel.clock import Clock
from kessai.kernel.db import Tx
from kessai.kernel.errors import Unknown, VersionConflict
from kessai.kernel.leases import Due
from kessai.kernel.telemetry import get_log
from kessai.payment.application.flight import SingleFlight
from kessai.payment.application.ports import Background, Books, Provider
from kessai.payment.application.settle import Settlement
from kessai.payment.domain.attempt import PaymentAttempt
from kessai.payment.domain.evidence import Evidence, Source, Word, seen
from kessai.payment.domain.schedule import Lane, Step, lane_of, steps

_log = get_log("kessai.payment")


class Lookups:
    """One look-up per attempt at a time; who comes meanwhile gets the same answer."""

    def __init__(self, provider: Provider, clock: Clock, background: Background) -> None:
        self._provider = provider
        self._clock = clock
        self._flight: SingleFlight[Evidence] = SingleFlight(background, "look-up")

    async def look(self, attempt_id: str, source: Source, *, urgent: bool = False) -> Evidence:
        """Raises `Unknown` when the provider does not answer."""
        # An urgent one does not join a routine one, which may still wait for its turn; a routine
        # one joins whatever is under way.
        ahead = f"{attempt_id} urgent"
        key = ahead if urgent or self._flight.is_running(ahead) else attempt_id
        return await self._flight.run(key, lambda: self._ask(attempt_id, source, urgent))

    async def _ask(self, attempt_id: str, source: Source, urgent: bool) -> Evidence:
        # The provider has looked at some time after we asked, so this is the safe side for
        # "observed later than the close".
        at_ms = self._clock.now_ms()
        sighting = await self._provider.get_payment(attempt_id, urgent=urgent)
        return Evidence(
            source=source,
            word=sighting.word,
            observed_at_ms=at_ms,
            first_observed_ms=at_ms,
            payment_id=sighting.payment_id,
            amount_yen=sighting.amount_yen,
            currency=sighting.currency,
            accepted_at_ms=sighting.accepted_at_ms,
            canceled_at_ms=sighting.canceled_at_ms,
        )


class Visits:
    """The poller's work: each attempt at its time, by one process, until nothing can change."""

    def __init__(
        self,
        books: Books,
        provider: Provider,
        lookups: Lookups,
        settlement: Settlement,
    ) -> None:
        self._books = books
        self._provider = provider
        self._lookups = lookups
        self._settlement = settlement

    async def work(self, due: Due) -> None:
        async def finish(tx: Tx, attempt: PaymentAttempt, next_ms: int | None) -> None:
            books = self._books
            await books.visits.finish(tx, due, next_ms=next_ms)
            lane = lane_of(attempt, books.clock.now_ms())
            if lane is Lane.SLOW and due.row["lane"] != lane:
                await books.attempts.slow_down(tx, attempt.id)

        attempt_id = str(due.id)
        evidence = await self.ask(attempt_id, Source.POLL)
        await self._settlement.settle(attempt_id, evidence, finish)

    async def ask(self, attempt_id: str, source: Source) -> list[Evidence]:
        """Does what is due about the attempt; what the provider leaves unanswered is missing."""
        books = self._books
        async with books.db.read() as tx:
            attempt = await books.attempts.get(tx, attempt_id)
            known = await books.evidence.of(tx, attempt_id)
        if attempt is None:
            return []
        found: list[Evidence] = []
        for step in steps(attempt, known, books.clock.now_ms(), books.rules):
            try:
                if step is not Step.CANCEL_PAYMENT:
                    found.append(await self._take(step, attempt, source))
                elif (noted_ms := await self._announce_cancel(attempt_id)) is not None:
                    found.append(await self._cancel(attempt_id, noted_ms))
            except Unknown as unknown:
                _log.warning(
                    "payment.provider_silent",
                    merchant_payment_id=attempt_id,
                    step=step,
                    code=unknown.code,
                    message=unknown.message,
                )
                if step is Step.CANCEL_PAYMENT:
                    found.append(self._said(Word.CANCEL_SENT))
        return found

    async def _announce_cancel(self, attempt_id: str) -> int | None:
        """Known before it leaves, so that nobody takes for good what it may still take back.

        The moment of the note. None: it is not to be sent any more, or the attempt moves just now.
        """
        books = self._books
        now_ms = books.clock.now_ms()
        try:
            async with books.db.transaction() as tx:
                attempt = await books.attempts.get(tx, attempt_id)
                known = await books.evidence.of(tx, attempt_id)
                if attempt is None or Step.CANCEL_PAYMENT not in steps(
                    attempt, known, now_ms, books.rules
                ):
                    return None
                await books.evidence.add(tx, attempt_id, self._said(Word.CANCEL_SENT))
                # Who decides at the same time has read it without this, and must read it again.
                moved = replace(attempt, version=attempt.version + 1)
                await books.attempts.save(tx, moved, due_ms=now_ms)
        except VersionConflict:
            return None
        return now_ms

    async def _cancel(self, attempt_id: str, noted_ms: int) -> Evidence:
        leaves_by_ms = noted_ms + self._books.rules.cancel_leaves_ms
        word = await self._provider.cancel_payment(attempt_id, leaves_by_ms=leaves_by_ms)
        return self._said(word)

    async def _take(self, step: Step, attempt: PaymentAttempt, source: Source) -> Evidence:
        if step is Step.LOOK_UP:
            return await self._lookups.look(attempt.id, source)
        return self._said(await self._provider.delete_code(attempt.code_id or ""))

    def _said(self, word: Word) -> Evidence:
        return seen(Source.CLOSE, word, self._books.clock.now_ms())
