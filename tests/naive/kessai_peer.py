"""The whole real shop behind the questions of the checks: real rooms, real SQL, virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal, TypeVar, cast, get_type_hints

from pydantic import ValidationError
from sqlalchemy import text
from tests.naive.peer import Bought, Code, Event, Operation, Product, Stock, Store, Word
from tests.story.test_webhooks import a_webhook
from tests.support.shop import SHOP, Customer, Json, Shop, open_shop

from kessai.contracts.events import PaymentFailed, PaymentSucceeded
from kessai.contracts.storage import Line, ReservationById, ReserveStock
from kessai.embedded import Ports
from kessai.kernel.bus import Message
from kessai.kernel.calls import PATH, operations
from kessai.kernel.clock import parse_wire, to_ms
from kessai.kernel.db import Db
from kessai.kernel.errors import Refused
from kessai.kernel.ids import content_id
from kessai.kernel.local_bus import LocalBus
from kessai.kernel.settings import Settings
from kessai.topology import ORDERS_TOPIC, PAYMENTS_TOPIC, service

# A code is made once and ends just before the order: the last second of one is that of the other.
DEADLINE_S = 310
DOORS = ("/paypay/callback", "/api/paypay/webhook")
EMAIL = "c1@example.com"
_WORDS: dict[str, Word] = {"PENDING": "open", "WAITING_PAYMENT": "open", "PAID": "paid"}
_OPERATIONS = {"create": "createCode", "look-up": "getCodePayment"}
_DATABASES = {"news": "payment", "orders": "order", "stock": "storage"}
_READ_ONLY = "PRAGMA query_only={}"
C = TypeVar("C")


@dataclass
class KessaiPeer:
    shop: Shop
    owner: Customer
    other: Customer
    log: io.StringIO
    price: int
    name: str = "Kessai"
    doors: int = len(DOORS)

    async def buy(self, key: str, product: Product = "plenty") -> Bought:
        wanted = self.shop.product if product == "plenty" else self.shop.sold_out
        # As a browser does: the other of two clicks is told to come again.
        while (answer := await self.owner.purchase((wanted, 1), key=key)).status == 409:
            if answer.code != "IDEMPOTENCY_IN_FLIGHT":
                break
            await asyncio.sleep(1)
        return Bought(answer.body["orderId"], bool(answer.body.get("paymentUrl")))

    async def pay(self, order_id: str) -> bool:
        return (await self.shop.wallet(order_id)).status == 200

    async def wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def state(self, order_id: str) -> Word:
        return _WORDS.get((await self.owner.order(order_id))["status"], "ended")

    async def code_ends_in_s(self, order_id: str) -> float:
        ends_at = (await self.owner.order(order_id))["paymentExpiresAt"]
        return (to_ms(parse_wire(ends_at)) - self.shop.runtime.clock.now_ms()) / 1000

    async def book(self) -> list[Code]:
        return [
            Code(
                str(row["merchantPaymentId"])[:26],
                int(row["amount"]) if row["status"] in ("COMPLETED", "REFUNDED") else 0,
                tuple(int(refund["amount"]) for refund in row["refunds"] or []),
            )
            for row in await self.shop.book()
        ]

    async def stock(self) -> Stock:
        query = "select available, reserved, sold from stock where product_id = "
        (row,) = await self._rows(self.shop.databases["storage"], query + str(self.shop.product))
        return Stock(row["available"], row["reserved"], row["sold"])

    async def events(self, order_id: str) -> list[Event]:
        rows = await self._records(order_id, ORDERS_TOPIC)
        moves = [
            Event("orders", value["payload"]["newStatus"], value["eventId"], at_s)
            for value, at_s in rows
            if value["eventType"] == "OrderStatusChanged"
        ]
        return moves + [
            Event("payments", value["eventType"], value["eventId"], at_s)
            for value, at_s in await self._records(order_id, PAYMENTS_TOPIC)
        ]

    async def _records(self, order_id: str, topic: str) -> list[tuple[Json, float]]:
        query = 'select topic, value, at_ms from bus_record order by "partition", position'
        return [
            (value, row["at_ms"] / 1000)
            for row in await self._rows(self._bus, query)
            if row["topic"] == topic and order_id in _ids(value := json.loads(row["value"]))
        ]

    async def lose_webhooks(self) -> None:
        await self.shop.faults(webhooks={"drop": 100})

    async def post_webhook(self, order_id: str, door: int = 0) -> int:
        body = a_webhook(order_id, self.price)
        return (await self.shop.send("POST", SHOP + DOORS[door], body)).status

    async def hiccup(self, operation: Operation, kind: str | None) -> None:
        fault = {"error": 100, "kinds": [kind]} if kind else {"error": 0}
        await self.shop.faults(api={_OPERATIONS[operation]: fault})

    async def late_look_ups(self, seconds: float) -> None:
        # Nor does a delete tell that the code was paid: nothing is known until the look-ups say so.
        await self.shop.faults(
            api={"getCodePayment": {"staleMs": int(seconds * 1000)}},
            behaviour={"paidCode": "notFound"},
        )

    async def break_store(self, store: Store) -> None:
        async with self._store(store).transaction() as tx:
            await tx.run(text(_READ_ONLY.format(1)))

    async def mend_store(self, store: Store) -> None:
        async with self._store(store).read() as tx:
            await tx.run(text(_READ_ONLY.format(0)))

    async def replay_news(self, order_id: str) -> None:
        ((succeeded, _),) = [
            found
            for found in await self._records(order_id, PAYMENTS_TOPIC)
            if found[0]["eventType"] == "PaymentSucceeded"
        ]
        first = PaymentSucceeded.model_validate(succeeded)
        other = PaymentFailed(
            event_id=content_id(order_id, "other"),
            **first.model_dump(exclude={"event_type", "event_id", "captured_at", "channel"}),
        )
        await self.shop.runtime.bus.publish(
            [
                Message(PAYMENTS_TOPIC, order_id, event.model_dump_json(by_alias=True).encode())
                for event in (first, other, first)
            ]
        )

    async def reserve(self, reservation: str) -> bool:
        line = Line(product_id=self.shop.product, quantity=1)
        command = ReserveStock(reservation_id=reservation, order_id="0" * 26, lines=(line,))
        return await _agreed(self.shop.ports.storage.reserve_stock, command)

    async def confirm(self, reservation: str) -> bool:
        command = ReservationById(reservation_id=reservation)
        return await _agreed(self.shop.ports.storage.confirm_stock, command)

    async def release(self, reservation: str) -> bool:
        command = ReservationById(reservation_id=reservation)
        return await _agreed(self.shop.ports.storage.release_stock, command)

    async def private_routes(self, order_id: str) -> list[tuple[str, str]]:
        """Out of the bff's own description, so that a new route is asked as well."""
        described = (await self.shop.send("GET", f"{SHOP}/openapi.json")).ok()
        return [
            (method.upper(), path.replace("{order_id}", order_id))
            for path, methods in sorted(described["paths"].items())
            for method in sorted(methods)
            if "{order_id}" in path
        ]

    async def ask(
        self, who: Literal["owner", "other", "nobody"], method: str, path: str
    ) -> tuple[int, str]:
        body = {"reason": "MINE"} if path.endswith("/refund") else None
        browser = {"owner": self.owner, "other": self.other}.get(who)
        if browser is None:
            answer = await self.shop.send(method, SHOP + path, body, {"Origin": SHOP})
        else:
            answer = await browser.send(method, path, body)
        return answer.status, json.dumps(answer.body)

    async def allowed_origin(self, origin: str) -> str | None:
        asks = {"Origin": origin, "Access-Control-Request-Method": "GET"}
        answers = [
            await self.shop.send(method, f"{SHOP}/api/config", None, asks)
            for method in ("OPTIONS", "GET")
        ]
        found = [answer.headers.get("access-control-allow-origin") for answer in answers]
        return next(filter(None, found), None)

    async def lets_socket_in(self, origin: str) -> bool:
        async with self.owner.socket(origin=origin) as socket:
            await socket.wait_closed()
            return socket.accepted.is_set()

    async def inside_without_token(self) -> dict[str, int]:
        found = {}
        for name, port in get_type_hints(Ports).items():
            card = service(name)
            operation = operations(port)[0].name
            url = f"http://127.0.0.1:{card.port}{PATH}/{operation}"
            found[card.name] = (await self.shop.send("POST", url, {})).status
        return found

    async def starts_with_default_secrets(self) -> bool:
        try:
            Settings(_env_file=None, env="production")
        except ValidationError:
            return False
        return True

    async def log_text(self) -> str:
        logging.getLogger("kessai.naive").warning("the end of what is read")
        return self.log.getvalue()

    async def secrets_of_owner(self) -> list[str]:
        return [EMAIL, self.owner.cookie.partition("=")[2]]

    @property
    def _bus(self) -> Db:
        return cast(LocalBus, self.shop.runtime.bus).db

    def _store(self, store: Store) -> Db:
        return self._bus if store == "bus" else self.shop.databases[_DATABASES[store]]

    async def _rows(self, db: Db, query: str) -> list[Json]:
        async with db.read() as tx:
            return [dict(row) for row in (await tx.run(text(query))).all()]


def _ids(event: Json) -> tuple[object, object]:
    return event.get("orderId"), event.get("aggregateId")


async def _agreed(call: Callable[[C], Awaitable[object]], command: C) -> bool:
    try:
        await call(command)
    except Refused:
        return False
    return True


@asynccontextmanager
async def kessai_peer(seed: int) -> AsyncIterator[KessaiPeer]:
    """Everything that it logs, down to DEBUG, is kept for the check that reads it."""
    log, logger = io.StringIO(), logging.getLogger("kessai")
    level = logger.level
    logger.setLevel(logging.DEBUG)
    with contextlib.redirect_stderr(log):
        shop = await open_shop(seed, order_deadline_s=DEADLINE_S)
        try:
            owner, other = await shop.new_customer(), await shop.new_customer()
            yield KessaiPeer(shop, owner, other, log, shop.prices[shop.product])
        finally:
            await shop.system.stop()
            logger.setLevel(level)
