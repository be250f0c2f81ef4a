"""Orders and attempts in SQL; every update names the version that it expects."""

from __future__ import annotations

from sqlalchemy import BindParameter, bindparam, case, insert, or_, select, update
from sqlalchemy.sql.base import Executable

from kessai.contracts.moves import AttemptStatus
from kessai.kernel.db import Row, Tx, insert_ignore
from kessai.kernel.errors import VersionConflict
from kessai.payment.application.ports import PaymentOrder
from kessai.payment.domain.attempt import PaymentAttempt
from kessai.payment.domain.schedule import Lane
from kessai.payment.gateway.tables import ATTEMPT, PAYMENT_ORDER

# In the order of the fields of `PaymentAttempt`.
_FIELDS = tuple(PaymentAttempt.__slots__)
_COLUMNS = [ATTEMPT.c[name] for name in _FIELDS]
_FIXED = (
    "id",
    "order_id",
    "number",
    "provider",
    "request_id",
    "amount_yen",
    "hold_until_ms",
    "asked_at_ms",
)
_CHANGING = tuple(name for name in _FIELDS if name not in _FIXED)
_CODE = ("status", "provider_status", "code_id", "url", "deeplink", "expires_at_ms", "version")

_OPEN = insert_ignore(PAYMENT_ORDER)
_ORDER = (
    select(PAYMENT_ORDER.c.order_id, PAYMENT_ORDER.c.closed)
    .where(PAYMENT_ORDER.c.order_id == bindparam("of_order"))
    .with_for_update()
)
_IS_CLOSED = select(PAYMENT_ORDER.c.closed).where(PAYMENT_ORDER.c.order_id == bindparam("of_order"))
_CLOSE = (
    update(PAYMENT_ORDER)
    .where(PAYMENT_ORDER.c.order_id == bindparam("of_order"), PAYMENT_ORDER.c.closed == 0)
    .values(closed=1, closed_reason=bindparam("reason"), closed_at_ms=bindparam("now_ms"))
)
_ADD = insert(ATTEMPT)
_EXISTS = select(ATTEMPT.c.id).where(ATTEMPT.c.id == bindparam("of_id"))
_GET = select(*_COLUMNS).where(ATTEMPT.c.id == bindparam("of_id"))
_OF_ORDER = (
    select(*_COLUMNS).where(ATTEMPT.c.order_id == bindparam("of_order")).order_by(ATTEMPT.c.number)
)
_SAVE = (
    update(ATTEMPT)
    .where(ATTEMPT.c.id == bindparam("of_id"), ATTEMPT.c.version == bindparam("expected"))
    .values(
        {name: bindparam(f"to_{name}") for name in _CHANGING}
        | {"due_at_ms": bindparam("due"), "lane": int(Lane.FAST)}
    )
)
_RECORD_CODE = (
    update(ATTEMPT)
    .where(ATTEMPT.c.id == bindparam("of_id"), ATTEMPT.c.version == bindparam("expected"))
    .values(
        {name: bindparam(f"to_{name}") for name in _CODE}
        | {"due_at_ms": bindparam("due"), "lease_owner": None, "lease_until_ms": 0}
        | {"lane": int(Lane.FAST)}
    )
)
_BY: BindParameter[int] = bindparam("due")
_HURRY = (
    update(ATTEMPT)
    .where(ATTEMPT.c.id == bindparam("of_id"), ATTEMPT.c.due_at_ms.is_not(None))
    .values(
        asked_at_ms=bindparam("now_ms"),
        lane=int(Lane.FAST),
        due_at_ms=case((ATTEMPT.c.due_at_ms > _BY, _BY), else_=ATTEMPT.c.due_at_ms),
    )
)
_SLOW_DOWN = update(ATTEMPT).where(ATTEMPT.c.id == bindparam("of_id")).values(lane=int(Lane.SLOW))
_TAKE = (
    update(ATTEMPT)
    .where(
        ATTEMPT.c.id == bindparam("of_id"),
        ATTEMPT.c.version == bindparam("expected"),
        or_(
            ATTEMPT.c.lease_until_ms <= bindparam("now_ms"),
            ATTEMPT.c.lease_owner == bindparam("by"),
        ),
    )
    .values(
        requested_at_ms=bindparam("asked_ms"),
        version=bindparam("to_version"),
        lease_owner=bindparam("by"),
        lease_until_ms=bindparam("until"),
        lease_fence=ATTEMPT.c.lease_fence + 1,
        due_at_ms=bindparam("until"),
    )
)
_GIVE_BACK = (
    update(ATTEMPT)
    .where(ATTEMPT.c.id == bindparam("of_id"), ATTEMPT.c.lease_owner == bindparam("by"))
    .values(due_at_ms=bindparam("due"), lease_owner=None, lease_until_ms=0)
)


class SqlOrders:
    async def open(self, tx: Tx, order_id: str, now_ms: int) -> bool:
        row = {"order_id": order_id, "closed": 0, "created_at_ms": now_ms}
        return (await tx.run(_OPEN, row)).rowcount == 1

    async def get(self, tx: Tx, order_id: str) -> PaymentOrder | None:
        row = (await tx.run(_ORDER, {"of_order": order_id})).first()
        return PaymentOrder(row["order_id"], bool(row["closed"])) if row else None

    async def is_closed(self, tx: Tx, order_id: str) -> bool:
        return bool((await tx.run(_IS_CLOSED, {"of_order": order_id})).scalar())

    async def close(self, tx: Tx, order_id: str, reason: str, now_ms: int) -> None:
        await tx.run(_CLOSE, {"of_order": order_id, "reason": reason, "now_ms": now_ms})


class SqlAttempts:
    """`owner` is this process: the leases that it takes are its own after a restart, too."""

    def __init__(self, owner: str) -> None:
        self._owner = owner

    async def exists(self, tx: Tx, attempt_id: str) -> bool:
        return (await tx.run(_EXISTS, {"of_id": attempt_id})).scalar() is not None

    async def get(self, tx: Tx, attempt_id: str) -> PaymentAttempt | None:
        row = (await tx.run(_GET, {"of_id": attempt_id})).first()
        return _attempt(row) if row else None

    async def of_order(self, tx: Tx, order_id: str) -> list[PaymentAttempt]:
        rows = (await tx.run(_OF_ORDER, {"of_order": order_id})).all()
        return [_attempt(row) for row in rows]

    async def add(
        self, tx: Tx, attempt: PaymentAttempt, *, due_ms: int | None, lease_until_ms: int = 0
    ) -> None:
        row = {name: getattr(attempt, name) for name in _FIELDS}
        row["lost"] = int(attempt.lost)
        row["due_at_ms"] = due_ms
        row["lane"] = int(Lane.FAST)
        row["lease_owner"] = self._owner if lease_until_ms else None
        row["lease_until_ms"] = lease_until_ms
        row["lease_fence"] = 0
        await tx.run(_ADD, row)

    async def save(self, tx: Tx, attempt: PaymentAttempt, *, due_ms: int | None) -> None:
        values: dict[str, object] = {f"to_{name}": getattr(attempt, name) for name in _CHANGING}
        values["to_lost"] = int(attempt.lost)
        await self._change(tx, _SAVE, attempt, {**values, "due": due_ms})

    async def record_code(self, tx: Tx, attempt: PaymentAttempt, *, due_ms: int) -> None:
        values: dict[str, object] = {f"to_{name}": getattr(attempt, name) for name in _CODE}
        await self._change(tx, _RECORD_CODE, attempt, {**values, "due": due_ms})

    async def take(self, tx: Tx, attempt: PaymentAttempt, *, now_ms: int, until_ms: int) -> bool:
        taking = {
            "of_id": attempt.id,
            "expected": attempt.version - 1,
            "to_version": attempt.version,
            "asked_ms": attempt.requested_at_ms,
            "now_ms": now_ms,
            "until": until_ms,
            "by": self._owner,
        }
        return (await tx.run(_TAKE, taking)).rowcount == 1

    async def give_back(self, tx: Tx, attempt_id: str, *, due_ms: int | None) -> None:
        await tx.run(_GIVE_BACK, {"of_id": attempt_id, "by": self._owner, "due": due_ms})

    async def hurry(self, tx: Tx, attempt_id: str, *, now_ms: int, due_ms: int) -> None:
        await tx.run(_HURRY, {"of_id": attempt_id, "now_ms": now_ms, "due": due_ms})

    async def slow_down(self, tx: Tx, attempt_id: str) -> None:
        await tx.run(_SLOW_DOWN, {"of_id": attempt_id})

    async def _change(
        self, tx: Tx, statement: Executable, attempt: PaymentAttempt, values: dict[str, object]
    ) -> None:
        which = {"of_id": attempt.id, "expected": attempt.version - 1}
        if (await tx.run(statement, {**which, **values})).rowcount != 1:
            raise VersionConflict(f"attempt {attempt.id} has moved on")


def _attempt(row: Row) -> PaymentAttempt:
    values = {name: row[name] for name in _FIELDS}
    values["status"] = AttemptStatus(row["status"])
    values["lost"] = bool(row["lost"])
    return PaymentAttempt(**values)
