"""Webhooks: stored before they are answered, then a reason to ask, never a proof."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from kessai.contracts.payment import ReceiveWebhook, WebhookReceived
from kessai.kernel.db import Tx
from kessai.kernel.errors import Refused, Unknown
from kessai.kernel.leases import Due
from kessai.kernel.telemetry import get_log
from kessai.payment.application.file_ports import Files, announced
from kessai.payment.application.look import Lookups
from kessai.payment.application.ports import Books, Webhook
from kessai.payment.application.settle import Settlement
from kessai.payment.domain.attempt import PaymentAttempt
from kessai.payment.domain.evidence import Evidence, Source
from kessai.payment.domain.schedule import hint_pause_ms, retry_pause_ms
from kessai.payment.domain.webhook import (
    FILE_ANNOUNCED,
    UNKNOWN_ORDER,
    Delivery,
    read_webhook,
)

# Outcomes of deliveries about payments of ours.
HEARD: Final = frozenset({"STORED", "REPEATED"})
_log = get_log("kessai.payment")


class WebhookDoor:
    """The inbox row is committed before the provider hears 200."""

    def __init__(
        self,
        books: Books,
        files: Files,
        *,
        merchant_id: str,
        body_limit: int,
        wake: Callable[[], None],
        wake_files: Callable[[], None],
        count: Callable[[str], None],
    ) -> None:
        self._books = books
        self._files = files
        self._merchant_id = merchant_id
        self._body_limit = body_limit
        self._wake = wake
        self._wake_files = wake_files
        self._count = count

    async def receive(self, command: ReceiveWebhook) -> WebhookReceived:
        """Each delivery is counted by what became of it, the refused ones as well."""
        try:
            delivery = read_webhook(command.body, self._merchant_id, self._body_limit)
        except Refused as refused:
            self._count(refused.code)
            _log.warning("webhook.refused", why=refused.code, source=command.source)
            raise
        webhook, stored = await self._store(delivery, command)
        if delivery.file is not None and not stored:
            self._count("REPEATED")
        else:
            self._count(webhook.parked or ("STORED" if stored else "REPEATED"))
        if webhook.parked not in (None, FILE_ANNOUNCED):
            _log.warning(
                "webhook.parked",
                why=webhook.parked,
                merchant_payment_id=webhook.merchant_payment_id,
            )
        return WebhookReceived(stored=stored)

    async def _store(self, delivery: Delivery, command: ReceiveWebhook) -> tuple[Webhook, bool]:
        books = self._books
        webhook = Webhook(
            id=delivery.digest,
            merchant_payment_id=delivery.merchant_payment_id,
            payment_id=delivery.payment_id,
            word=delivery.word,
            amount_yen=delivery.amount_yen,
            body=command.body,
            source=command.source,
            received_at_ms=books.clock.now_ms(),
            parked=delivery.parked,
        )
        async with books.db.transaction() as tx:
            if webhook.parked is None and not await books.attempts.exists(
                tx, webhook.merchant_payment_id
            ):
                webhook = replace(webhook, parked=UNKNOWN_ORDER)
            stored = await books.webhooks.add(tx, webhook)
            if delivery.file is not None:
                file = announced(delivery.file, webhook.received_at_ms)
                stored = await self._files.add(tx, file)
                tx.after_commit(self._wake_files)
            if webhook.parked is None:
                tx.after_commit(self._wake)
        return webhook, stored


class WebhookWorker:
    """Each stored word is looked into until it is confirmed or the poller can have it."""

    def __init__(self, books: Books, lookups: Lookups, settlement: Settlement) -> None:
        self._books = books
        self._lookups = lookups
        self._settlement = settlement

    async def work(self, due: Due) -> None:
        webhook = self._books.webhooks.read(due)
        try:
            proof = await self._lookups.look(
                webhook.merchant_payment_id, Source.ANNOUNCED, urgent=True
            )
        except Unknown as unknown:
            _log.warning(
                "webhook.provider_silent",
                merchant_payment_id=webhook.merchant_payment_id,
                code=unknown.code,
            )
            await self._put_off(due, webhook)
            return

        async def finish(tx: Tx, attempt: PaymentAttempt, _next_ms: int | None) -> None:
            await self._finish(tx, due, webhook, attempt)

        hint = _hint(webhook)
        await self._settlement.settle(webhook.merchant_payment_id, [hint, proof], finish)

    async def _finish(self, tx: Tx, due: Due, webhook: Webhook, attempt: PaymentAttempt) -> None:
        """Confirmed, or asked again soon: a look-up may lag behind the payment for seconds."""
        books = self._books
        pause_ms = hint_pause_ms(webhook.tries) if attempt.is_live else None
        if pause_ms is not None:
            await books.webhooks.tried(tx, webhook.id)
            await books.webhook_work.finish(tx, due, next_ms=books.clock.now_ms() + pause_ms)
            return
        reason = "UNCONFIRMED" if attempt.is_live else attempt.status.value
        await books.webhooks.done(tx, webhook.id, reason)
        await books.webhook_work.finish(tx, due, next_ms=None)

    async def _put_off(self, due: Due, webhook: Webhook) -> None:
        books = self._books
        next_ms = books.clock.now_ms() + retry_pause_ms(webhook.tries)
        async with books.db.transaction() as tx:
            await books.webhooks.tried(tx, webhook.id)
            await books.webhook_work.finish(tx, due, next_ms=next_ms)


def _hint(webhook: Webhook) -> Evidence:
    return Evidence(
        source=Source.WEBHOOK,
        word=webhook.word,
        observed_at_ms=webhook.received_at_ms,
        first_observed_ms=webhook.received_at_ms,
        payment_id=webhook.payment_id,
        amount_yen=webhook.amount_yen,
    )
