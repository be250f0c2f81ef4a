"""Evidence and the webhook inbox in SQL: append-only, a repeat is a count."""

from __future__ import annotations

from typing import cast

from sqlalchemy import BindParameter, and_, bindparam, case, delete, func, select, update

from kessai.kernel.db import Row, Tx, insert_ignore
from kessai.kernel.leases import Due
from kessai.payment.application.ports import Webhook
from kessai.payment.domain.evidence import Evidence, Source
from kessai.payment.gateway.tables import EVIDENCE, WEBHOOK_INBOX

_ADD = insert_ignore(EVIDENCE)
_LATER: BindParameter[int] = bindparam("observed")
_EARLIER: BindParameter[int] = bindparam("first_observed")
_AGAIN = (
    update(EVIDENCE)
    .where(
        EVIDENCE.c.attempt_id == bindparam("of_attempt"),
        EVIDENCE.c.digest == bindparam("of_digest"),
    )
    .values(
        times=EVIDENCE.c.times + 1,
        observed_at_ms=case(
            (EVIDENCE.c.observed_at_ms < _LATER, _LATER), else_=EVIDENCE.c.observed_at_ms
        ),
        first_observed_ms=case(
            (EVIDENCE.c.first_observed_ms > _EARLIER, _EARLIER),
            else_=EVIDENCE.c.first_observed_ms,
        ),
    )
)
_OF = select(
    EVIDENCE.c.source,
    EVIDENCE.c.word,
    EVIDENCE.c.observed_at_ms,
    EVIDENCE.c.first_observed_ms,
    EVIDENCE.c.payment_id,
    EVIDENCE.c.amount_yen,
    EVIDENCE.c.currency,
    EVIDENCE.c.accepted_at_ms,
    EVIDENCE.c.canceled_at_ms,
).where(EVIDENCE.c.attempt_id == bindparam("of_attempt"))

_STORE = insert_ignore(WEBHOOK_INBOX)
_COUNT = (
    update(WEBHOOK_INBOX)
    .where(WEBHOOK_INBOX.c.id == bindparam("of_id"))
    .values(deliveries=WEBHOOK_INBOX.c.deliveries + 1, last_received_ms=bindparam("now_ms"))
)
_TRIED = (
    update(WEBHOOK_INBOX)
    .where(WEBHOOK_INBOX.c.id == bindparam("of_id"))
    .values(tries=WEBHOOK_INBOX.c.tries + 1)
)
_DONE = (
    update(WEBHOOK_INBOX)
    .where(WEBHOOK_INBOX.c.id == bindparam("of_id"))
    .values(status="DONE", reason=bindparam("why"), tries=WEBHOOK_INBOX.c.tries + 1)
)

_IS_OLD = and_(
    WEBHOOK_INBOX.c.last_received_ms < bindparam("before_ms"), WEBHOOK_INBOX.c.due_at_ms.is_(None)
)
_OLDEST = (
    select(WEBHOOK_INBOX.c.last_received_ms)
    .where(_IS_OLD)
    .order_by(WEBHOOK_INBOX.c.last_received_ms)
    .limit(bindparam("limit"))
    .subquery()
)
_LAST_OF_OLDEST = select(func.max(_OLDEST.c.last_received_ms))
_FORGET = delete(WEBHOOK_INBOX).where(
    _IS_OLD, WEBHOOK_INBOX.c.last_received_ms <= bindparam("until_ms")
)


class SqlEvidence:
    async def add(self, tx: Tx, attempt_id: str, evidence: Evidence) -> None:
        digest = evidence.digest
        row = {
            "attempt_id": attempt_id,
            "digest": digest,
            "source": evidence.source,
            "word": evidence.word,
            "payment_id": evidence.payment_id,
            "amount_yen": evidence.amount_yen,
            "currency": evidence.currency,
            "accepted_at_ms": evidence.accepted_at_ms,
            "canceled_at_ms": evidence.canceled_at_ms,
            "times": 1,
            "first_observed_ms": evidence.first_observed_ms,
            "observed_at_ms": evidence.observed_at_ms,
        }
        if (await tx.run(_ADD, row)).rowcount == 0:
            again = {
                "of_attempt": attempt_id,
                "of_digest": digest,
                "observed": evidence.observed_at_ms,
                "first_observed": evidence.first_observed_ms,
            }
            await tx.run(_AGAIN, again)

    async def of(self, tx: Tx, attempt_id: str) -> list[Evidence]:
        rows = (await tx.run(_OF, {"of_attempt": attempt_id})).all()
        return [_evidence(row) for row in rows]


class SqlWebhookInbox:
    async def add(self, tx: Tx, webhook: Webhook) -> bool:
        row = {
            "id": webhook.id,
            "merchant_payment_id": webhook.merchant_payment_id,
            "payment_id": webhook.payment_id,
            "word": webhook.word,
            "amount_yen": webhook.amount_yen,
            "body": webhook.body,
            "source": webhook.source,
            "deliveries": 1,
            "status": "NEW" if webhook.parked is None else "PARKED",
            "reason": webhook.parked,
            "tries": 0,
            "received_at_ms": webhook.received_at_ms,
            "last_received_ms": webhook.received_at_ms,
            "due_at_ms": webhook.received_at_ms if webhook.parked is None else None,
            "lease_until_ms": 0,
            "lease_fence": 0,
        }
        if (await tx.run(_STORE, row)).rowcount == 1:
            return True
        await tx.run(_COUNT, {"of_id": webhook.id, "now_ms": webhook.received_at_ms})
        return False

    def read(self, due: Due) -> Webhook:
        row = due.row
        return Webhook(
            id=row["id"],
            merchant_payment_id=row["merchant_payment_id"],
            payment_id=row["payment_id"],
            word=row["word"],
            amount_yen=row["amount_yen"],
            body=row["body"],
            source=row["source"],
            received_at_ms=row["received_at_ms"],
            tries=row["tries"],
        )

    async def tried(self, tx: Tx, webhook_id: str) -> None:
        await tx.run(_TRIED, {"of_id": webhook_id})

    async def done(self, tx: Tx, webhook_id: str, reason: str) -> None:
        await tx.run(_DONE, {"of_id": webhook_id, "why": reason})

    async def forget(self, tx: Tx, before_ms: int, *, limit: int) -> int:
        oldest = {"before_ms": before_ms, "limit": limit}
        until_ms = cast("int | None", (await tx.run(_LAST_OF_OLDEST, oldest)).scalar())
        if until_ms is None:
            return 0
        return (await tx.run(_FORGET, {"before_ms": before_ms, "until_ms": until_ms})).rowcount


def _evidence(row: Row) -> Evidence:
    values = dict(row)
    values["source"] = Source(row["source"])
    return Evidence(**values)
