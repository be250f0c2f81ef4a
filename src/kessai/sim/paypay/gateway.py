"""Out to the disk and to the merchant: the book in SQL, webhooks by HTTP."""

from __future__ import annotations

from typing import Final

from pydantic import TypeAdapter
from sqlalchemy import (
    Column,
    LargeBinary,
    MetaData,
    Table,
    Text,
    bindparam,
    delete,
    insert,
    select,
    update,
)

from kessai.kernel.db import SERIAL, Db
from kessai.kernel.errors import Unknown
from kessai.kernel.http import Http
from kessai.kernel.kernel_tables import exact
from kessai.sim.paypay.domain.book import Payment

_SCHEMA: Final = MetaData()
_PAYMENT: Final = Table(
    "sim_payment",
    _SCHEMA,
    Column("number", SERIAL, primary_key=True),
    Column("merchant_payment_id", exact(64)),
    Column("body", LargeBinary),
)
_KEPT: Final = Table(
    "sim_kept", _SCHEMA, Column("name", exact(60), primary_key=True), Column("value", Text)
)

_PAGE: Final = 5000
_LOAD: Final = (
    select(_PAYMENT.c.number, _PAYMENT.c.body)
    .where(_PAYMENT.c.number > bindparam("after"))
    .order_by(_PAYMENT.c.number)
    .limit(_PAGE)
)
_ADD: Final = insert(_PAYMENT).values(
    merchant_payment_id=bindparam("name"), body=bindparam("content")
)
_SAVE: Final = (
    update(_PAYMENT)
    .where(_PAYMENT.c.merchant_payment_id == bindparam("name"))
    .values(body=bindparam("content"))
)
_KEPT_VALUE: Final = select(_KEPT.c.value).where(_KEPT.c.name == bindparam("key"))
_KEEP_NEW: Final = insert(_KEPT).values(name=bindparam("key"), value=bindparam("text"))
_KEEP: Final = update(_KEPT).where(_KEPT.c.name == bindparam("key")).values(value=bindparam("text"))
_FORGET: Final = (delete(_PAYMENT), delete(_KEPT))

_PAYMENTS: Final = TypeAdapter(Payment)
# PayPay waits two seconds for the 200 (paypay.md, section 3.1).
WEBHOOK_TIMEOUT_S: Final = 2.0
CUT_AFTER_S: Final = 0.2


class SqlStore:
    def __init__(self, db: Db) -> None:
        self._db = db

    async def load(self) -> list[Payment]:
        found: list[Payment] = []
        after: object = 0
        while True:
            async with self._db.read() as tx:
                rows = (await tx.run(_LOAD, {"after": after})).all()
            found.extend(_PAYMENTS.validate_json(row["body"]) for row in rows)
            if len(rows) < _PAGE:
                return found
            after = rows[-1]["number"]

    async def add(self, payment: Payment) -> None:
        async with self._db.transaction() as tx:
            await tx.run(_ADD, _row(payment))

    async def save(self, payment: Payment) -> None:
        async with self._db.transaction() as tx:
            await tx.run(_SAVE, _row(payment))

    async def keep(self, name: str, value: str) -> None:
        async with self._db.transaction() as tx:
            if (await tx.run(_KEEP, {"key": name, "text": value})).rowcount == 0:
                await tx.run(_KEEP_NEW, {"key": name, "text": value})

    async def kept(self, name: str) -> str | None:
        async with self._db.read() as tx:
            value = (await tx.run(_KEPT_VALUE, {"key": name})).scalar()
        return None if value is None else str(value)

    async def clear(self) -> None:
        async with self._db.transaction() as tx:
            for statement in _FORGET:
                await tx.run(statement)


def _row(payment: Payment) -> dict[str, object]:
    content = _PAYMENTS.dump_json(payment, exclude_none=True)
    return {"name": payment.merchant_payment_id, "content": content}


class HttpCourier:
    def __init__(self, http: Http, url: str) -> None:
        self._http = http
        self._url = url

    async def deliver(self, body: bytes, *, cut: bool = False, source: str | None = None) -> bool:
        headers = {"Content-Type": "application/json"}
        if source is not None:
            headers["X-Forwarded-For"] = source
        sent, timeout_s = body, WEBHOOK_TIMEOUT_S
        if cut:
            # Less comes than was promised, and then the line is dead.
            headers["Content-Length"] = str(len(body))
            sent, timeout_s = body[: len(body) // 2], CUT_AFTER_S
        try:
            answer = await self._http.send(
                "POST", self._url, headers=headers, body=sent, timeout_s=timeout_s
            )
        except Unknown:
            return False
        return answer.status == 200
