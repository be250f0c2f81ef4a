"""payment-service on virtual time with a plain fake provider, and stories that play on it."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import text
from tests.support.kernel import FlakyBus
from tests.support.provider import FakeProvider

from kessai.contracts.events import PaymentEvent, Signal, read_payment_event
from kessai.contracts.moves import AttemptStatus
from kessai.contracts.payment import (
    Attempt,
    Closed,
    ClosePayments,
    CreatePayment,
    Payments,
    PaymentService,
    PaymentsOfOrder,
    ReceiveWebhook,
    Refund,
    RequestRefund,
    WebhookReceived,
)
from kessai.kernel.app import condition_of
from kessai.kernel.chance import SeededChance
from kessai.kernel.db import Db, Tx, open_database
from kessai.kernel.db.inline import InlineDb
from kessai.kernel.errors import Refused, Unknown
from kessai.kernel.http import AsgiHttp
from kessai.kernel.ids import RandomIds
from kessai.kernel.runtime import Runtime
from kessai.kernel.service import Unit
from kessai.kernel.settings import Settings
from kessai.payment.main import build
from kessai.proof.simulation.loose import LooseBody
from kessai.proof.virtual_time import VirtualClock, VirtualLoop
from kessai.topology import PAYMENTS_TOPIC, SIGNALS_TOPIC

ORDER = "0mk3z4a5b6c7d8e9f0g1h2j3k4"
OTHER = "0mk3z4a5b6c7d8e9f0g1h2j3k5"
MERCHANT = "kessai-merchant"


@dataclass
class Till:
    """payment-service with its loops, as its callers and the provider see it."""

    runtime: Runtime
    bus: FlakyBus
    provider: FakeProvider
    db: Db
    unit: Unit[PaymentService]
    lasting: LastingDb

    @property
    def service(self) -> PaymentService:
        return self.unit.port

    @property
    def now_ms(self) -> int:
        return self.runtime.clock.now_ms()

    async def create(
        self,
        order_id: str = ORDER,
        *,
        request_id: str = "r1",
        amount: int = 1200,
        hold_s: float = 900,
    ) -> Attempt:
        return await self.service.create_payment(
            self.wish(order_id, request_id=request_id, amount=amount, hold_s=hold_s)
        )

    def wish(
        self,
        order_id: str = ORDER,
        *,
        request_id: str = "r1",
        amount: int = 1200,
        hold_s: float = 900,
    ) -> CreatePayment:
        return CreatePayment(
            request_id=request_id,
            order_id=order_id,
            amount=amount,
            description="an order",
            redirect_url="http://shop.test/orders/1",
            hold_until_ms=self.now_ms + int(hold_s * 1000),
        )

    async def payments(self, order_id: str = ORDER) -> Payments:
        return await self.service.get_payments(PaymentsOfOrder(order_id=order_id))

    async def statuses(self, order_id: str = ORDER) -> list[AttemptStatus]:
        return [one.status for one in (await self.payments(order_id)).attempts]

    async def close(self, order_id: str = ORDER) -> Closed:
        return await self.service.close_payments(
            ClosePayments(order_id=order_id, reason="DEADLINE")
        )

    async def refund(
        self, amount: int = 1200, *, refund_id: str = "refund-1", number: int = 1
    ) -> Refund:
        return await self.service.request_refund(
            RequestRefund(
                refund_id=refund_id,
                order_id=ORDER,
                merchant_payment_id=f"{ORDER}-{number}",
                amount=amount,
                reason="CUSTOMER",
            )
        )

    async def webhook(self, payment: str = f"{ORDER}-1", **fields: object) -> WebhookReceived:
        body = {
            "notification_type": "Transaction",
            "merchant_id": MERCHANT,
            "merchant_order_id": payment,
            "order_id": f"pp-{payment}",
            "order_amount": "1200",
            "state": "COMPLETED",
        } | fields
        return await self.service.receive_webhook(
            ReceiveWebhook(body=json.dumps(body).encode(), source="127.0.0.1")
        )

    async def events(self) -> list[PaymentEvent]:
        """All that left for the payments topic, in order."""
        await asyncio.sleep(0.01)
        sent = [m.value for m in self.bus.taken if m.topic == PAYMENTS_TOPIC]
        return [event for value in sent if (event := read_payment_event(value)) is not None]

    async def event_types(self) -> list[str]:
        return [event.event_type for event in await self.events()]

    async def signals(self) -> list[Signal]:
        await asyncio.sleep(0.01)
        sent = [m.value for m in self.bus.taken if m.topic == SIGNALS_TOPIC]
        return [Signal.model_validate_json(value) for value in sent]

    async def rows(self, sql: str) -> Sequence[dict[str, Any]]:
        async with self.db.read() as tx:
            return [dict(row) for row in (await tx.run(text(sql))).all()]

    async def ledger(self) -> list[tuple[str, str, str, int]]:
        rows = await self.rows("SELECT * FROM ledger ORDER BY at_ms, kind")
        return [(r["kind"], r["debit_account"], r["credit_account"], r["amount_yen"]) for r in rows]

    def metric(self, series: str) -> float:
        """The value of a series as Prometheus would read it."""
        text = condition_of(self.unit.app).metrics.prometheus().decode()
        (line,) = [line for line in text.splitlines() if line.startswith(f"{series} ")]
        return float(line.split()[-1])

    async def start_again(self) -> None:
        """A new instance over the same database, after the old one was killed."""
        await self.unit.supervisor.stop()
        self.unit = await build(self.runtime, provider=self.provider)
        await self.unit.start()


class LastingDb:
    """A database that outlives the service: closing it is the test's business.

    With a `pause_s` others may write between what a transaction read and its own first write,
    as on MySQL; with a `queue_s` each waits as long for its turn, as for a connection of a pool.
    """

    def __init__(self, db: InlineDb) -> None:
        self.db = db
        self.pause_s: float | None = None
        self.queue_s = 0.0

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Tx]:
        if self.queue_s:
            await asyncio.sleep(self.queue_s)
        async with LooseBody(self.db, lambda: self.pause_s) as tx:
            yield tx

    def __getattr__(self, name: str) -> Any:
        return getattr(self.db, name)

    async def close(self) -> None:
        return None


async def open_till(seed: int = 1, **settings: Any) -> Till:
    clock, chance, bus = VirtualClock(), SeededChance(seed), FlakyBus()
    db = await open_database("sqlite:")
    assert isinstance(db, InlineDb)
    lasting = LastingDb(db)

    async def open_db(_name: str) -> Db:
        return cast("Db", lasting)

    runtime = Runtime(
        settings=Settings(_env_file=None, **settings),
        clock=clock,
        ids=RandomIds(clock, chance),
        chance=chance,
        bus=bus,
        http=AsgiHttp(),
        open_db=open_db,
    )
    provider = FakeProvider(clock)
    unit = await build(runtime, provider=provider)
    await unit.start()
    return Till(runtime, bus, provider, db, unit, lasting)


Tale = Callable[[Till], Awaitable[None]]


def on_the_till(**settings: Any) -> Callable[[Tale], Callable[[], None]]:
    """Makes a test of a coroutine that is given a till; time passes only by waiting."""

    def decorate(tale: Tale) -> Callable[[], None]:
        async def live() -> None:
            till = await open_till(**settings)
            try:
                await tale(till)
            finally:
                await till.unit.stop()
                await till.db.close()

        @functools.wraps(tale, assigned=("__module__", "__name__", "__qualname__", "__doc__"))
        def test() -> None:
            with asyncio.Runner(loop_factory=VirtualLoop) as runner:
                runner.run(live())

        del test.__wrapped__
        return test

    return decorate


async def refusal(asked: Awaitable[object]) -> str:
    """The code of the refusal that `asked` must end in."""
    try:
        await asked
    except Refused as refused:
        return refused.code
    raise AssertionError("it was not refused")


async def unknown(asked: Awaitable[object]) -> str:
    """The code of the `Unknown` that `asked` must end in."""
    try:
        await asked
    except Unknown as error:
        return error.code
    raise AssertionError("it had an answer")
