"""Wallet payments: the hold at account-service is the proof, so the attempt succeeds at once."""

from __future__ import annotations

from dataclasses import replace

from kessai.contracts.moves import AttemptStatus
from kessai.contracts.payment import RecordBalancePayment
from kessai.kernel.errors import Refused
from kessai.kernel.telemetry import get_log
from kessai.payment.application.ports import Books
from kessai.payment.application.present import change_event
from kessai.payment.domain.attempt import CAPTURED_PHASES, PaymentAttempt, merchant_payment_id

_log = get_log("kessai.payment")


class BalancePayments:
    def __init__(self, books: Books) -> None:
        self._books = books

    async def record(self, command: RecordBalancePayment) -> PaymentAttempt:
        """One payment per hold. Raises `Refused` ORDER_CLOSED, ILLEGAL_STATE."""
        books = self._books
        now_ms = books.clock.now_ms()
        request_id = f"hold:{command.hold_id}"
        async with books.db.transaction() as tx:
            attempts: list[PaymentAttempt] = []
            if not await books.orders.open(tx, command.order_id, now_ms):
                order = await books.orders.get(tx, command.order_id)
                attempts = await books.attempts.of_order(tx, command.order_id)
                for one in attempts:
                    if one.request_id == request_id:
                        return one
                    if one.is_live or one.status in CAPTURED_PHASES:
                        raise Refused("ILLEGAL_STATE", "another payment exists")
                if order is not None and order.closed:
                    raise Refused("ORDER_CLOSED", "no new payment for a closed order")
            begun = _begun(command, request_id, len(attempts) + 1, now_ms)
            paid = replace(
                begun,
                status=AttemptStatus.SUCCEEDED,
                captured_yen=command.amount,
                payment_id=command.hold_id,
                completed_at_ms=now_ms,
                ended_at_ms=now_ms,
            )
            await books.attempts.add(tx, paid, due_ms=None)
            await books.ledger.capture(tx, paid, paid.captured_yen, now_ms)
            if event := change_event(begun, paid, now_ms):
                await books.events.tell(tx, event)
        _log.info("payment.recorded", order_id=command.order_id, merchant_payment_id=paid.id)
        return paid


def _begun(
    command: RecordBalancePayment, request_id: str, number: int, now_ms: int
) -> PaymentAttempt:
    return PaymentAttempt(
        id=merchant_payment_id(command.order_id, number),
        order_id=command.order_id,
        number=number,
        provider="Balance",
        request_id=request_id,
        status=AttemptStatus.CREATING,
        amount_yen=command.amount,
        requested_at_ms=now_ms,
        hold_until_ms=now_ms,
    )
