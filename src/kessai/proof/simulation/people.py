"""The customers of a simulation: what each kind does, whatever the shop and the network do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from kessai.kernel.clock import Clock, parse_wire, to_ms
from kessai.proof.simulation.browser import Browser, NoReply, Reply
from kessai.proof.simulation.clerk import Clerk
from kessai.proof.simulation.mix import Plan
from kessai.proof.simulation.scene import Goods

OPEN = ("PENDING", "WAITING_PAYMENT", "?")
_FIRST_LOOK_S = 1.5
_LAST_LOOK_S = 12.0
_PATIENCE_S = 60.0
_BUY_TRIES = 6


@dataclass(frozen=True, slots=True)
class Offer:
    """A code in the provider's book, as its owner's wallet shows it."""

    merchant_payment_id: str
    url: str | None
    is_payable: bool


class Wallet(Protocol):
    def offers(self, order_id: str) -> list[Offer]: ...

    async def act(self, merchant_payment_id: str, act: str) -> bool:
        """pay, pay_other (amount), decline or expire; False when it is too late for that."""
        ...

    def was_denied(self, merchant_payment_id: str) -> bool:
        """Whether the provider said of the living code that there is none."""
        ...

    async def forge(self, order_id: str, amount: int, **changes: str) -> None:
        """Somebody on the allow list says that it was paid."""
        ...


class Person:
    def __init__(
        self,
        number: int,
        plan: Plan,
        browser: Browser,
        wallet: Wallet,
        clerk: Clerk,
        goods: Goods,
        clock: Clock,
        wrong: list[str],
    ) -> None:
        self.number = number
        self.plan = plan
        self.orders: list[str] = []
        self.clerk = clerk
        self._browser = browser
        self._wallet = wallet
        self._goods = goods
        self._clock = clock
        self._wrong = wrong

    async def live(self, habit: Callable[[Person], Awaitable[None]]) -> None:
        await asyncio.sleep(self.plan.at_s)
        try:
            await habit(self)
        except NoReply:
            return

    # --- what everybody can do --------------------------------------------------------------

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> Reply:
        reply = await self._browser.send(method, path, body, headers)
        if reply.status == 500:
            self._wrong.append(f"{method} {path} answered 500: {reply.body}")
        return reply

    def lines(self) -> list[tuple[int, int]]:
        goods = self._goods
        match self.plan.cart:
            case "two_products":
                return [(goods.plenty, 1), (goods.more, 2)]
            case "many":
                return [(goods.plenty, 3)]
            case "scarce":
                return [(goods.scarce, 1)]
        return [(goods.plenty, 1)]

    def complain(self, problem: str) -> None:
        self._wrong.append(problem)

    async def buy(
        self,
        *,
        key: str = "k",
        method: str = "PAYPAY",
        more: Mapping[str, object] | None = None,
        tries: int = _BUY_TRIES,
    ) -> str | None:
        """The order's id. Who gets no answer asks again with the same key, as the page does."""
        for _ in range(tries):
            order_id = await self._try_to_buy(key, {"method": method, **(more or {})})
            if order_id is not None:
                if order_id not in self.orders:
                    self.orders.append(order_id)
                return order_id
            await asyncio.sleep(1 + 3 * self.plan.t)
        return None

    async def send_cart(self, key: str, more: Mapping[str, object]) -> Reply:
        lines = self.lines()
        if self.plan.kind == "sold_out":
            lines.append((self._goods.sold_out, 1))
        body = {
            "customerName": "決済 花子",
            "customerEmail": "shopper@example.com",
            "items": [{"productId": one, "quantity": count} for one, count in lines],
            **more,
        }
        headers = {"Idempotency-Key": f"{self.number}-{key}"}
        return await self.ask("POST", "/api/orders/purchase", body, **headers)

    async def _try_to_buy(self, key: str, more: Mapping[str, object]) -> str | None:
        try:
            reply = await self.send_cart(key, more)
        except NoReply:
            return None
        order_id = reply.field("orderId")
        return str(order_id) if order_id else None

    async def order(self, order_id: str) -> dict[str, Any]:
        try:
            reply = await self.ask("GET", f"/api/orders/{order_id}")
        except NoReply:
            return {"status": "?"}
        return dict(reply.body) if reply.status == 200 else {"status": "?"}

    async def act(self, order_id: str, action: str, body: object = None) -> Reply:
        return await self.ask("POST", f"/api/orders/{order_id}/{action}", body)

    async def pay(self, code: str, act: str = "pay") -> bool:
        return await self._wallet.act(code, act)

    def pauses(self) -> _Pauses:
        return _Pauses(self.plan.t)

    async def code(self, order_id: str, *, after: str = "") -> str | None:
        """The merchantPaymentId of the code that the order shows; None when it never does."""
        pauses = self.pauses()
        end_ms = self._clock.now_ms() + 120_000
        while True:
            order = await self.order(order_id)
            if order["status"] not in OPEN:
                return None
            if url := order.get("paymentUrl"):
                for offer in self._wallet.offers(order_id):
                    if offer.url == url and offer.merchant_payment_id != after:
                        return offer.merchant_payment_id
            if self._clock.now_ms() > end_ms:
                return None
            await pauses.next()

    async def until_ms(self, at_ms: float) -> None:
        await asyncio.sleep(max(0.0, (at_ms - self._clock.now_ms()) / 1000))

    async def bought(self, key: str = "k") -> tuple[str, str] | None:
        """Order and code."""
        order_id = await self.buy(key=key)
        code = await self.code(order_id) if order_id else None
        return (order_id, code) if order_id and code else None

    async def until(self, order_id: str, *statuses: str) -> str:
        pauses, end_ms = self.pauses(), self._clock.now_ms() + _PATIENCE_S * 1000
        while True:
            status = str((await self.order(order_id))["status"])
            if status in statuses or self._clock.now_ms() > end_ms:
                return status
            await pauses.next()

    async def moment(self, order_id: str, name: str) -> int | None:
        """A time that the order shows."""
        shown = (await self.order(order_id)).get(name)
        return to_ms(parse_wire(shown)) if shown else None

    async def cancel_all(self) -> None:
        page = await self.ask("GET", "/api/orders")
        for one in page.field("items") or () if page.status == 200 else ():
            if one["orderId"] in self.orders or not self.orders:
                await self.act(one["orderId"], "cancel")

    @property
    def wallet(self) -> Wallet:
        return self._wallet


class _Pauses:
    """Looks that come ever more seldom."""

    def __init__(self, t: float) -> None:
        self._pause_s = _FIRST_LOOK_S * (0.5 + t)

    async def next(self) -> None:
        await asyncio.sleep(self._pause_s)
        self._pause_s = min(_LAST_LOOK_S, self._pause_s * 2)


async def soon(doing: Awaitable[object], delay_s: float) -> None:
    await asyncio.sleep(delay_s)
    await doing
