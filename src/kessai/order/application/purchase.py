"""The purchase: one transaction for key, order, saga and events, then the saga's answer."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import cast

from kessai.contracts.moves import Method, OrderStatus
from kessai.contracts.order import Order as OrderView
from kessai.contracts.order import OrderItem, Purchase
from kessai.contracts.storage import Quote, Quoted, StorageService
from kessai.kernel import idempotency
from kessai.kernel.clock import Clock
from kessai.kernel.db import Db, Tx
from kessai.kernel.errors import JsonValue, Kind, Refused, Unknown
from kessai.kernel.ids import Ids, content_id
from kessai.kernel.money import yen
from kessai.kernel.telemetry import get_log
from kessai.order.application.journal import Journal
from kessai.order.application.ports import Carts, Limits, Orders, Sagas
from kessai.order.application.view import items_text, order_view
from kessai.order.domain.order import Order, order_number, place
from kessai.order.domain.repeat import Answer, answer_of, repeat_of

CREATE_SAGA = "order_create_saga"
BALANCE_SAGA = "reduce_inventory_and_balance"
_ANSWERED = 200
_log = get_log("kessai.order")


@dataclass(frozen=True, slots=True)
class _Began:
    """What the transaction found or made: an order (whose saga may run), or a remembered no."""

    order: Order | None
    saga_id: str | None = None
    is_new: bool = False
    answer: Answer | None = None
    refused: Refused | None = None


class _NothingRemembered(Exception):
    """Undoes the transaction that only wanted to look."""


class Purchases:
    def __init__(
        self,
        db: Db,
        orders: Orders,
        carts: Carts,
        journal: Journal,
        sagas: Sagas,
        storage: StorageService,
        clock: Clock,
        ids: Ids,
        limits: Limits,
        *,
        public_url: str,
    ) -> None:
        self._db = db
        self._orders = orders
        self._carts = carts
        self._journal = journal
        self._sagas = sagas
        self._storage = storage
        self._clock = clock
        self._ids = ids
        self._limits = limits
        self._public_url = public_url.rstrip("/")

    async def purchase(self, command: Purchase) -> OrderView:
        until_s = asyncio.get_running_loop().time() + self._limits.purchase_answer_s
        try:
            quoted = await self._storage.quote(Quote(lines=command.lines))
        except (Refused, Unknown):
            # A repeat is answered even when the product is gone or its service is down.
            began = await self._remembered(command)
            if began is None:
                raise
        else:
            began = await self._begin(command, quoted)
        if began.refused is not None:
            raise began.refused
        return await self._answer(command, began, until_s)

    async def _begin(self, command: Purchase, quoted: Quoted) -> _Began:
        order_id = self._ids.new()
        price_refusal = _price_changed(command, quoted)
        async with self._db.transaction() as tx:
            earlier = await self._earlier(tx, command, order_id, skip_cart=bool(price_refusal))
            if earlier is not None:
                return earlier
            if price_refusal is not None:
                await self._remember(tx, command, price_refusal)
                return _Began(None, refused=price_refusal)
            order = self._new_order(order_id, command, quoted)
            stored = await self._journal.write(tx, place(order), actor="customer", cause="purchase")
            saga_id = await self._start(tx, stored, command)
        return _Began(stored, saga_id, is_new=True)

    async def _earlier(
        self, tx: Tx, command: Purchase, order_id: str, *, skip_cart: bool = False
    ) -> _Began | None:
        """The purchase that this one repeats; takes the key or the cart if there is none."""
        now_ms = self._clock.now_ms()
        if command.idempotency_key is None:
            if skip_cart:
                return None
            cart = content_id("cart", command.user_id, command.session, command.fingerprint)
            taken = await self._carts.take(tx, cart, order_id, now_ms, self._limits.same_cart_ms)
            if taken == order_id:
                return None
            return _Began(await self._orders.find(tx, taken))
        begun = await idempotency.begin(
            tx,
            _scope(command),
            command.idempotency_key,
            command.fingerprint,
            order_id,
            now_ms,
        )
        match begun:
            case idempotency.Began():
                return None
            case idempotency.Replay(subject_id, _, answer):
                order = await self._orders.find(tx, subject_id)
                if order is None:
                    return _Began(None, refused=_refusal_from(answer))
                return _Began(order, answer=Answer.ORDER)
            case idempotency.InFlight(subject_id, progressed_at_ms):
                order = await self._orders.find(tx, subject_id)
                if order is None:
                    raise Unknown("ORDER_SERVICE_UNAVAILABLE", "the key names no order")
                limit_ms = self._limits.in_flight_ms
                return _Began(order, answer=repeat_of(order, progressed_at_ms, now_ms, limit_ms))

    async def _remembered(self, command: Purchase) -> _Began | None:
        """What the key stands for, without taking it."""
        if command.idempotency_key is None:
            return None
        try:
            async with self._db.transaction() as tx:
                earlier = await self._earlier(tx, command, self._ids.new())
                if earlier is None:
                    raise _NothingRemembered
                return earlier
        except _NothingRemembered:
            return None

    async def _remember(self, tx: Tx, command: Purchase, refused: Refused) -> None:
        if command.idempotency_key is not None:
            await idempotency.answer(
                tx,
                _scope(command),
                command.idempotency_key,
                status_code=409,
                answer=_refusal_text(refused),
                now_ms=self._clock.now_ms(),
            )

    def _new_order(self, order_id: str, command: Purchase, quoted: Quoted) -> Order:
        now_ms = self._clock.now_ms()
        items = tuple(OrderItem.model_construct(**dict(line)) for line in quoted.lines)
        address = command.shipping_address
        return Order(
            order_id=order_id,
            user_id=command.user_id,
            method=command.method,
            amount=yen(quoted.amount),
            items=items_text(items),
            customer_name=command.customer_name,
            customer_email=command.customer_email,
            shipping=address.model_dump_json(by_alias=True) if address else None,
            created_at_ms=now_ms,
            hold_until_ms=now_ms + self._limits.policy.deadline_ms,
            reservation_id=f"{order_id}-1",
        )

    async def _start(self, tx: Tx, order: Order, command: Purchase) -> str:
        lines: list[JsonValue] = [
            {"productId": line.product_id, "quantity": line.quantity} for line in command.lines
        ]
        params: dict[str, JsonValue] = {
            "orderId": order.order_id,
            "reservationId": order.reservation_id,
            "lines": lines,
        }
        if order.method is Method.BALANCE:
            params["secondReservationId"] = f"{order.order_id}-2"
            params["userId"] = order.user_id
            params["amount"] = order.amount
            params["holdId"] = order.order_id
        else:
            params["payment"] = self._payment(order, command)
        return await self._sagas.start_once(tx, _machine(order), order.order_id, params)

    def _payment(self, order: Order, command: Purchase) -> dict[str, JsonValue]:
        items: list[JsonValue] = [
            {
                "name": item["title"],
                "quantity": item["quantity"],
                "unitPrice": item["unitPrice"],
                "productId": str(item["productId"]),
            }
            for item in json.loads(order.items)
        ]
        return {
            "orderId": order.order_id,
            "amount": order.amount,
            "description": f"Kessai {order_number(order.order_id)}",
            "items": items,
            "redirectUrl": redirect_url(self._public_url, order.order_id),
            "userAgent": command.user_agent,
            "holdUntilMs": order.hold_until_ms,
        }

    async def _answer(self, command: Purchase, began: _Began, until_s: float) -> OrderView:
        order, answer = began.order, began.answer
        if order is None:
            raise Unknown("ORDER_SERVICE_UNAVAILABLE", "the cart names no order")
        if answer is None:
            order = await self._settled(order, began.saga_id, until_s)
            answer = answer_of(order)
            if began.is_new and order.status is OrderStatus.PENDING:
                await self._note_answered(command)
        if answer is Answer.ORDER:
            return order_view(order, self._limits.policy, self._clock.now_ms())
        raise _refusal(order, answer)

    async def _settled(self, order: Order, saga_id: str | None, until_s: float) -> Order:
        """The order when its saga has ended, or as it is when the answer's time is up."""
        saga_id = saga_id or await self._sagas.find(_machine(order), order.order_id)
        left_s = until_s - asyncio.get_running_loop().time()
        if saga_id is not None and left_s > 0:
            await self._sagas.wait(saga_id, left_s)
        async with self._db.read() as tx:
            return await self._orders.find(tx, order.order_id) or order

    async def _note_answered(self, command: Purchase) -> None:
        """The caller has its PENDING answer: a repeat is no longer "in flight"."""
        if command.idempotency_key is None:
            return
        async with self._db.transaction() as tx:
            await idempotency.answer(
                tx,
                _scope(command),
                command.idempotency_key,
                status_code=_ANSWERED,
                answer="{}",
                now_ms=self._clock.now_ms(),
            )


def redirect_url(public_url: str, order_id: str) -> str:
    return f"{public_url}/checkout/{order_id}/result"


def _machine(order: Order) -> str:
    return BALANCE_SAGA if order.method is Method.BALANCE else CREATE_SAGA


def _scope(command: Purchase) -> str:
    return f"purchase:{command.user_id}"


def _price_changed(command: Purchase, quoted: Quoted) -> Refused | None:
    """`oldPrice` is known for a cart of one product only: the page sends the sum."""
    expected = command.expected_amount
    if expected is None or expected == quoted.amount:
        return None
    old = expected // quoted.lines[0].quantity if len(quoted.lines) == 1 else None
    items: list[JsonValue] = [
        {"productId": line.product_id, "oldPrice": old, "newPrice": line.unit_price}
        for line in quoted.lines
    ]
    facts: dict[str, JsonValue] = {
        "expectedAmount": expected,
        "amount": quoted.amount,
        "items": items,
    }
    return Refused("PRICE_CHANGED", "the price has changed", facts=facts)


def _refusal(order: Order, answer: Answer) -> Refused:
    facts: dict[str, JsonValue] = {"orderId": order.order_id}
    if answer is Answer.OUT_OF_STOCK:
        facts["items"] = json.loads(order.refusal or "[]")
        return Refused("OUT_OF_STOCK", "not enough in stock", facts=facts)
    if answer is Answer.PAYMENT_UNAVAILABLE:
        return Refused(
            "PAYMENT_UNAVAILABLE",
            "the payment provider makes no code now",
            kind=Kind.UNAVAILABLE,
            facts=facts,
            retry_after_s=5,
        )
    return Refused("IDEMPOTENCY_IN_FLIGHT", "the first request still runs", retry_after_s=1)


def _refusal_text(refused: Refused) -> str:
    return json.dumps(
        {"code": refused.code, "message": refused.message, "facts": dict(refused.facts)}
    )


def _refusal_from(text: str) -> Refused:
    kept = cast("dict[str, JsonValue]", json.loads(text))
    facts = cast("dict[str, JsonValue]", kept.get("facts") or {})
    return Refused(str(kept.get("code")), str(kept.get("message")), facts=facts)
