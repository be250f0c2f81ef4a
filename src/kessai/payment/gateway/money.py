"""Refunds and the money ledger in SQL."""

from __future__ import annotations

from sqlalchemy import bindparam, insert, select, update

from kessai.contracts.moves import RefundStatus
from kessai.kernel.db import Row, Tx
from kessai.kernel.errors import VersionConflict
from kessai.kernel.ids import content_id
from kessai.payment.domain.attempt import PaymentAttempt
from kessai.payment.domain.ledger import CAPTURE, RETURN, order_account, provider_account
from kessai.payment.domain.ledger import REFUND as REFUND_KIND
from kessai.payment.domain.refund import RefundOrder
from kessai.payment.gateway.tables import LEDGER, REFUND

_FIELDS = tuple(RefundOrder.__slots__)
_COLUMNS = [REFUND.c[name] for name in _FIELDS]
_CHANGING = ("status", "accepted_at_ms", "completed_at_ms", "error_code", "version")

_ADD = insert(REFUND)
_GET = select(*_COLUMNS).where(REFUND.c.id == bindparam("of_id"))
_OF_ORDER = (
    select(*_COLUMNS)
    .where(REFUND.c.order_id == bindparam("of_order"))
    .order_by(REFUND.c.requested_at_ms, REFUND.c.id)
)
_OF_ATTEMPT = select(*_COLUMNS).where(REFUND.c.merchant_payment_id == bindparam("of_attempt"))
_SAVE = (
    update(REFUND)
    .where(REFUND.c.id == bindparam("of_id"), REFUND.c.version == bindparam("expected"))
    .values({name: bindparam(f"to_{name}") for name in _CHANGING})
)
_TRIED = update(REFUND).where(REFUND.c.id == bindparam("of_id")).values(tries=REFUND.c.tries + 1)
_ENTER = insert(LEDGER)


class SqlRefunds:
    async def get(self, tx: Tx, refund_id: str) -> RefundOrder | None:
        row = (await tx.run(_GET, {"of_id": refund_id})).first()
        return _refund(row) if row else None

    async def of_order(self, tx: Tx, order_id: str) -> list[RefundOrder]:
        return [_refund(row) for row in (await tx.run(_OF_ORDER, {"of_order": order_id})).all()]

    async def of_attempt(self, tx: Tx, attempt_id: str) -> list[RefundOrder]:
        rows = (await tx.run(_OF_ATTEMPT, {"of_attempt": attempt_id})).all()
        return [_refund(row) for row in rows]

    async def add(self, tx: Tx, refund: RefundOrder, *, due_ms: int | None) -> None:
        row = {name: getattr(refund, name) for name in _FIELDS}
        await tx.run(_ADD, {**row, "due_at_ms": due_ms, "lease_until_ms": 0, "lease_fence": 0})

    async def save(self, tx: Tx, refund: RefundOrder) -> None:
        values = {f"to_{name}": getattr(refund, name) for name in _CHANGING}
        which = {"of_id": refund.id, "expected": refund.version - 1}
        if (await tx.run(_SAVE, {**which, **values})).rowcount != 1:
            raise VersionConflict(f"refund {refund.id} has moved on")

    async def tried(self, tx: Tx, refund_id: str) -> None:
        await tx.run(_TRIED, {"of_id": refund_id})


class SqlLedger:
    """Accounts: `provider:<name>` is what it owes us, `order:<id>` what we owe the order."""

    async def capture(self, tx: Tx, attempt: PaymentAttempt, amount_yen: int, at_ms: int) -> None:
        await self._enter(
            tx,
            _entry(CAPTURE, (attempt.id, str(attempt.version)), amount_yen, at_ms),
            order_id=attempt.order_id,
            merchant_payment_id=attempt.id,
            debit_account=provider_account(attempt.provider),
            credit_account=order_account(attempt.order_id),
            value_at_ms=attempt.completed_at_ms or at_ms,
        )

    async def gone_back(self, tx: Tx, attempt: PaymentAttempt, amount_yen: int, at_ms: int) -> None:
        await self._enter(
            tx,
            _entry(RETURN, (attempt.id, str(attempt.version)), amount_yen, at_ms),
            order_id=attempt.order_id,
            merchant_payment_id=attempt.id,
            debit_account=order_account(attempt.order_id),
            credit_account=provider_account(attempt.provider),
            value_at_ms=at_ms,
        )

    async def refund(self, tx: Tx, refund: RefundOrder, at_ms: int) -> None:
        await self._enter(
            tx,
            _entry(REFUND_KIND, (refund.id,), refund.amount_yen, at_ms),
            order_id=refund.order_id,
            merchant_payment_id=refund.merchant_payment_id,
            debit_account=order_account(refund.order_id),
            credit_account=provider_account(refund.provider),
            refund_id=refund.id,
            value_at_ms=refund.accepted_at_ms or at_ms,
        )

    async def _enter(self, tx: Tx, entry: dict[str, object], **about: object) -> None:
        """A second entry for the same subject is `Duplicate`: money is never counted twice."""
        await tx.run(_ENTER, {"refund_id": None, **entry, **about})


def _entry(kind: str, subject: tuple[str, ...], amount_yen: int, at_ms: int) -> dict[str, object]:
    return {
        "id": content_id("ledger", kind, *subject),
        "kind": kind,
        "amount_yen": amount_yen,
        "at_ms": at_ms,
    }


def _refund(row: Row) -> RefundOrder:
    values = dict(row)
    values["status"] = RefundStatus(row["status"])
    return RefundOrder(**values)
