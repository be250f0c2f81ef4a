"""The published interface of payment-service, each operation handed to its use case."""

from __future__ import annotations

from kessai.contracts.payment import (
    Attempt,
    CheckLedger,
    Closed,
    ClosePayments,
    CreatePayment,
    LedgerChecked,
    ListSettlements,
    Payments,
    PaymentsOfOrder,
    ReceiveWebhook,
    RecordBalancePayment,
    Refund,
    RequestRefund,
    SettlementById,
    SettlementRuns,
    WebhookReceived,
)
from kessai.contracts.payment import Settlement as SettlementReport
from kessai.contracts.wire import Nothing
from kessai.payment.application.balance import BalancePayments
from kessai.payment.application.close import Closing
from kessai.payment.application.create import Creation
from kessai.payment.application.ledger import LedgerCheck
from kessai.payment.application.look import Lookups
from kessai.payment.application.ports import Books
from kessai.payment.application.present import attempt_view, refund_view
from kessai.payment.application.refund import RefundDesk
from kessai.payment.application.reports import Reports
from kessai.payment.application.settle import Settlement
from kessai.payment.application.webhook import WebhookDoor
from kessai.payment.domain.attempt import CAPTURED_PHASES, proved_by
from kessai.payment.domain.evidence import Source
from kessai.payment.domain.schedule import ASKED_INTERVAL_MS


class PaymentDesk:
    """Implements `contracts.payment.PaymentService`."""

    def __init__(
        self,
        books: Books,
        *,
        creation: Creation,
        closing: Closing,
        lookups: Lookups,
        settlement: Settlement,
        balance: BalancePayments,
        refunds: RefundDesk,
        webhooks: WebhookDoor,
        ledger: LedgerCheck,
        reports: Reports,
    ) -> None:
        self._books = books
        self._creation = creation
        self._closing = closing
        self._lookups = lookups
        self._settlement = settlement
        self._balance = balance
        self._refunds = refunds
        self._webhooks = webhooks
        self._ledger = ledger
        self._reports = reports

    async def create_payment(self, command: CreatePayment) -> Attempt:
        return attempt_view(await self._creation.create(command))

    async def get_payments(self, command: PaymentsOfOrder) -> Payments:
        """An order without any payment is an empty list, not an error."""
        books = self._books
        async with books.db.read() as tx:
            closed = await books.orders.is_closed(tx, command.order_id)
            attempts = await books.attempts.of_order(tx, command.order_id)
            refunds = await books.refunds.of_order(tx, command.order_id)
            channels = {
                one.id: proved_by(one, await books.evidence.of(tx, one.id))
                for one in attempts
                if one.status in CAPTURED_PHASES
            }
        return Payments(
            order_id=command.order_id,
            closed=closed,
            attempts=tuple(attempt_view(one, channels.get(one.id)) for one in attempts),
            refunds=tuple(refund_view(one) for one in refunds),
        )

    async def check_payment(self, command: PaymentsOfOrder) -> Payments:
        books = self._books
        async with books.db.read() as tx:
            attempts = await books.attempts.of_order(tx, command.order_id)
        newest = attempts[-1] if attempts else None
        if newest is not None and newest.provider == "PayPay":
            await self._hurry(newest.id)
            proof = await self._lookups.look(newest.id, Source.OPERATOR, urgent=True)
            await self._settlement.settle(newest.id, [proof])
        return await self.get_payments(command)

    async def _hurry(self, attempt_id: str) -> None:
        """Whatever this look-up says: who asks has often paid a moment ago."""
        books = self._books
        now_ms = books.clock.now_ms()
        async with books.db.transaction() as tx:
            await books.attempts.hurry(
                tx, attempt_id, now_ms=now_ms, due_ms=now_ms + ASKED_INTERVAL_MS
            )

    async def close_payments(self, command: ClosePayments) -> Closed:
        return await self._closing.close(command)

    async def record_balance_payment(self, command: RecordBalancePayment) -> Attempt:
        return attempt_view(await self._balance.record(command))

    async def request_refund(self, command: RequestRefund) -> Refund:
        return refund_view(await self._refunds.request(command))

    async def receive_webhook(self, command: ReceiveWebhook) -> WebhookReceived:
        return await self._webhooks.receive(command)

    async def check_ledger(self, command: CheckLedger) -> LedgerChecked:
        return await self._ledger.check(command)

    async def list_settlements(self, command: ListSettlements) -> SettlementRuns:
        return await self._reports.list(command)

    async def get_settlement(self, command: SettlementById) -> SettlementReport:
        return await self._reports.get(command)

    async def ping(self, command: Nothing) -> Nothing:
        await self._books.db.ping()
        return command
