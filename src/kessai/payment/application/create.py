"""A payable code: intent row, call, result row; a lost answer is asked for, never guessed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from kessai.contracts.moves import AttemptStatus
from kessai.contracts.payment import CreatePayment
from kessai.kernel.errors import NotFound, Refused, Unknown, VersionConflict
from kessai.kernel.telemetry import get_log
from kessai.payment.application.flight import SingleFlight
from kessai.payment.application.look import Lookups
from kessai.payment.application.ports import (
    NOT_SENT,
    Background,
    Books,
    Code,
    CodeExists,
    CodeRequest,
    Provider,
)
from kessai.payment.application.present import change_event
from kessai.payment.application.settle import Settlement
from kessai.payment.domain.attempt import PaymentAttempt
from kessai.payment.domain.evidence import Source, Word, seen
from kessai.payment.domain.plan import UNAVAILABLE, Do, Plan, plan_creation, unavailable

# A request that certainly did not leave is sent again after these pauses, then refused.
NOT_SENT_PAUSES_S = (0.5, 1.5)
_log = get_log("kessai.payment")


class Creation:
    def __init__(
        self,
        books: Books,
        provider: Provider,
        lookups: Lookups,
        settlement: Settlement,
        background: Background,
        *,
        lease_ms: int,
        wake_visits: Callable[[], None],
    ) -> None:
        self._books = books
        self._provider = provider
        self._lookups = lookups
        self._settlement = settlement
        self._lease_ms = lease_ms
        self._wake_visits = wake_visits
        self._flight: SingleFlight[PaymentAttempt] = SingleFlight(background, "create-code")

    async def create(self, command: CreatePayment) -> PaymentAttempt:
        """As `PaymentService.create_payment`. The call to the provider outlives its caller."""
        key = f"{command.order_id}:{command.request_id}"
        return await self._flight.run(key, lambda: self._create(command))

    async def _create(self, command: CreatePayment) -> PaymentAttempt:
        plan = await self._intend(command)
        match plan.do:
            case Do.ANSWER:
                return plan.attempt
            case Do.WAIT:
                raise Unknown(UNAVAILABLE, "the code of a lost answer is being closed")
            case Do.BEGIN:
                return await self._make(plan.attempt, command)
            case Do.AGAIN:
                return await self._make_again(plan.attempt, command)

    async def _intend(self, command: CreatePayment) -> Plan:
        """The intent is durable before anything is asked of the provider."""
        books = self._books
        now_ms = books.clock.now_ms()
        until_ms = now_ms + self._lease_ms
        async with books.db.transaction() as tx:
            attempts: list[PaymentAttempt] = []
            if not await books.orders.open(tx, command.order_id, now_ms):
                order = await books.orders.get(tx, command.order_id)
                if order is not None and order.closed:
                    raise Refused("ORDER_CLOSED", "no new payment for a closed order")
                attempts = await books.attempts.of_order(tx, command.order_id)
            plan = plan_creation(command, attempts, now_ms, books.rules)
            if plan.do is Do.BEGIN:
                await books.attempts.add(tx, plan.attempt, due_ms=until_ms, lease_until_ms=until_ms)
            elif plan.do is Do.AGAIN:
                asked = replace(
                    plan.attempt, requested_at_ms=now_ms, version=plan.attempt.version + 1
                )
                if not await books.attempts.take(tx, asked, now_ms=now_ms, until_ms=until_ms):
                    raise Unknown(UNAVAILABLE, "another process is asking for the code")
                plan = Plan(Do.AGAIN, asked)
        return plan

    async def _make(self, attempt: PaymentAttempt, command: CreatePayment) -> PaymentAttempt:
        """The first request for this code: only here a clear no proves that there is none."""
        try:
            code = await self._ask(attempt, command)
        except CodeExists as lost:
            # What we asked for came twice, or another process asked for it as well.
            raise await self._give_up_code(attempt) from lost
        except Refused as refused:
            raise await self._refuse(attempt, refused.code, refused.message) from refused
        except Unknown as unknown:
            if unknown.code == NOT_SENT:
                raise await self._refuse(attempt, NOT_SENT, unknown.message) from unknown
            raise await self._remember_unknown(attempt, unknown) from unknown
        return await self._record(attempt, code)

    async def _make_again(self, attempt: PaymentAttempt, command: CreatePayment) -> PaymentAttempt:
        """After a lost answer or a crash: look first, then ask for the same code again."""
        try:
            evidence = await self._lookups.look(attempt.id, Source.CREATE)
            current = await self._settlement.settle(attempt.id, [evidence])
            if current is None or not current.is_live:
                return await self._reload(attempt.id)
            code = await self._provider.create_code(_request(current, command))
        except CodeExists as lost:
            raise await self._give_up_code(attempt) from lost
        except Refused as refused:
            # The first request may have made a code all the same: its no proves nothing.
            _log.warning("payment.code_refused_again", merchant_payment_id=attempt.id)
            raise await self._give_up_code(attempt) from refused
        except Unknown as unknown:
            raise await self._remember_unknown(attempt, unknown) from unknown
        return await self._record(current, code)

    async def _ask(self, attempt: PaymentAttempt, command: CreatePayment) -> Code:
        """Tries again only while it is certain that nothing has left."""
        for pause_s in NOT_SENT_PAUSES_S:
            try:
                return await self._provider.create_code(_request(attempt, command))
            except Unknown as unknown:
                if unknown.code != NOT_SENT:
                    raise
            await asyncio.sleep(pause_s)
        return await self._provider.create_code(_request(attempt, command))

    async def _record(self, attempt: PaymentAttempt, code: Code) -> PaymentAttempt:
        made = _with_code(attempt, code)
        try:
            await self._write_code(made)
            return made
        except VersionConflict:
            return await self._record_on_news(attempt.id, code)

    async def _record_on_news(self, attempt_id: str, code: Code) -> PaymentAttempt:
        """Somebody closed or settled it meanwhile. The code is known now, so it can be deleted."""
        made = _with_code(await self._reload(attempt_id), code)
        await self._write_code(made)
        if made.closing_at_ms is not None:
            raise Refused("ORDER_CLOSED", "the order was closed while its code was made")
        if made.lost:
            raise Unknown(UNAVAILABLE, "the code was given up before its answer came")
        return made

    async def _write_code(self, made: PaymentAttempt) -> None:
        books = self._books
        now_ms = books.clock.now_ms()
        is_wanted = made.is_live and made.closing_at_ms is None and not made.lost
        due_ms = now_ms + books.rules.poll_first_ms if is_wanted else now_ms
        async with books.db.transaction() as tx:
            await books.attempts.record_code(tx, made, due_ms=due_ms)
            await books.evidence.add(tx, made.id, seen(Source.CREATE, Word.CODE_CREATED, now_ms))
        if not is_wanted:
            self._wake_visits()

    async def _refuse(self, attempt: PaymentAttempt, code: str, message: str) -> Refused:
        """No code exists: the attempt is over before it began."""
        now_ms = self._books.clock.now_ms()
        current = await self._still_mine(attempt)
        failed = replace(
            current,
            status=AttemptStatus.FAILED,
            error_code=UNAVAILABLE,
            error_message=f"{code}: {message}"[:200],
            ended_at_ms=now_ms,
            version=current.version + 1,
        )
        await self._write_end_of_asking(current, failed, due_ms=None)
        _log.warning("payment.code_refused", merchant_payment_id=attempt.id, code=code)
        return unavailable(f"the provider made no code ({code})")

    async def _remember_unknown(self, attempt: PaymentAttempt, unknown: Unknown) -> Unknown:
        """It may have made a code. The asker asks again, and the poller looks meanwhile."""
        current = await self._still_mine(attempt)
        after = current
        if current.status is AttemptStatus.CREATING:
            after = replace(current, status=AttemptStatus.UNKNOWN, version=current.version + 1)
        due_ms = self._books.clock.now_ms() + self._books.rules.poll_max_ms
        await self._write_end_of_asking(current, after, due_ms=due_ms)
        _log.warning("payment.code_unknown", merchant_payment_id=attempt.id, code=unknown.code)
        return Unknown(UNAVAILABLE, f"the provider did not say whether it made a code: {unknown}")

    async def _give_up_code(self, attempt: PaymentAttempt) -> Unknown:
        """The code exists and will never be shown: cancel it, outlive it, and make another."""
        current = await self._still_mine(attempt)
        lost = replace(
            current, lost=True, status=AttemptStatus.UNKNOWN, version=current.version + 1
        )
        await self._write_end_of_asking(current, lost, due_ms=self._books.clock.now_ms())
        self._wake_visits()
        _log.warning("payment.code_lost", merchant_payment_id=attempt.id)
        return Unknown(UNAVAILABLE, "the code of a lost answer is being closed")

    async def _write_end_of_asking(
        self, before: PaymentAttempt, after: PaymentAttempt, *, due_ms: int | None
    ) -> None:
        try:
            await self._write_end(before, after, due_ms=due_ms)
        except VersionConflict as moved:
            # A no would end the order, and somebody has just learnt more than we know.
            raise Unknown(UNAVAILABLE, "the attempt has moved on meanwhile") from moved

    async def _write_end(
        self, before: PaymentAttempt, after: PaymentAttempt, *, due_ms: int | None
    ) -> None:
        books = self._books
        async with books.db.transaction() as tx:
            if after is not before:
                await books.attempts.save(tx, after, due_ms=due_ms)
                event = change_event(before, after, books.clock.now_ms())
                if event is not None:
                    await books.events.tell(tx, event)
            await books.attempts.give_back(tx, after.id, due_ms=due_ms)

    async def _still_mine(self, asked: PaymentAttempt) -> PaymentAttempt:
        """Raises `Unknown` when another process has asked since: what it made, it answers for; and
        when the attempt has ended: nothing makes it live again.

        Who was stopped for longer than its lease hears of a code that the other one made.
        """
        current = await self._reload(asked.id)
        if current.requested_at_ms != asked.requested_at_ms:
            raise Unknown(UNAVAILABLE, "another process is asking for the code")
        if not current.is_live:
            # Who ended it knew more than this late answer says.
            await self._write_end_of_asking(current, current, due_ms=self._books.clock.now_ms())
            raise Unknown(UNAVAILABLE, "the attempt has ended meanwhile")
        return current

    async def _reload(self, attempt_id: str) -> PaymentAttempt:
        async with self._books.db.read() as tx:
            attempt = await self._books.attempts.get(tx, attempt_id)
        if attempt is None:
            raise NotFound(f"no attempt {attempt_id}")
        return attempt


def _request(attempt: PaymentAttempt, command: CreatePayment) -> CodeRequest:
    return CodeRequest(
        merchant_payment_id=attempt.id,
        amount_yen=attempt.amount_yen,
        description=command.description,
        items=command.items,
        redirect_url=command.redirect_url,
        user_agent=command.user_agent,
        requested_at_ms=attempt.requested_at_ms,
    )


def _with_code(attempt: PaymentAttempt, code: Code) -> PaymentAttempt:
    """A code for an attempt that ended meanwhile is kept too: it has to be deleted.

    So has one that was given up: its payment is cancelled, whoever pays it gets the money back.
    """
    waiting = attempt.is_live and not attempt.lost
    return replace(
        attempt,
        status=AttemptStatus.AWAITING if waiting else attempt.status,
        provider_status=attempt.provider_status or Word.CREATED,
        code_id=code.code_id,
        url=code.url,
        deeplink=code.deeplink,
        expires_at_ms=code.expires_at_ms,
        version=attempt.version + 1,
    )
