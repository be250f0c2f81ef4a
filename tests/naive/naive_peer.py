"""The naive shop behind the questions of the checks."""

from __future__ import annotations

from typing import Literal

from tests.naive.peer import Bought, Code, Event, Operation, Product, Stock, Store, Word
from tests.naive.provider import Clock, Provider, webhook
from tests.naive.shop import CONFIG, TICK_S, NaiveShop

_OPENING = {"plenty": 50, "sold out": 0}
_WORDS: dict[str, Word] = {"PAID": "paid", "CANCELLED": "ended"}
_EMAIL = "owner@example.com"


class NaivePeer:
    name = "naive re-implementation"
    price = 1200
    doors = 2

    def __init__(self) -> None:
        self._clock = Clock()
        self._provider = Provider(self._clock)
        self._shop = NaiveShop(self._clock, self._provider, _OPENING)
        self._sid = {
            "owner": self._shop.sign_in("owner", _EMAIL),
            "other": self._shop.sign_in("other", "other@example.com"),
            "nobody": None,
        }

    async def buy(self, key: str, product: Product = "plenty") -> Bought:
        order = self._shop.purchase("owner", product, self.price, key)
        return Bought(order.order_id, order.payment_url is not None)

    async def pay(self, order_id: str) -> bool:
        return self._provider.pay(order_id)

    async def wait(self, seconds: float) -> None:
        end_s = self._clock.now_s + seconds
        while (next_s := (self._clock.now_s // TICK_S + 1) * TICK_S) <= end_s:
            self._clock.now_s = next_s
            self._shop.tick()
        self._clock.now_s = end_s

    async def state(self, order_id: str) -> Word:
        return _WORDS.get(self._shop.orders.rows[order_id].status, "open")

    async def code_ends_in_s(self, order_id: str) -> float:
        return self._shop.orders.rows[order_id].expires_at_s - self._clock.now_s

    async def book(self) -> list[Code]:
        return [
            Code(p.payment_id, p.amount if p.paid_at_s is not None else 0, tuple(p.refunds))
            for p in self._provider.payments.values()
        ]

    async def stock(self) -> Stock:
        storage = self._shop.storage
        return Stock(
            storage.available["plenty"],
            storage.reserved.get("plenty", 0),
            storage.sold.get("plenty", 0),
        )

    async def events(self, order_id: str) -> list[Event]:
        return [
            Event("orders" if topic == "orders" else "payments", kind, event_id, at_s)
            for topic, key, kind, event_id, at_s in self._shop.topics.told
            if key == order_id
        ]

    async def lose_webhooks(self) -> None:
        self._provider.webhooks_lost = True

    async def post_webhook(self, order_id: str, door: int = 0) -> int:
        return self._shop.webhook(webhook(order_id))

    async def hiccup(self, operation: Operation, kind: str | None) -> None:
        self._provider.errors.pop(operation, None)
        if kind:
            self._provider.errors[operation] = kind

    async def late_look_ups(self, seconds: float) -> None:
        self._provider.lag_s = seconds

    async def break_store(self, store: Store) -> None:
        self._set_read_only(store, True)

    async def mend_store(self, store: Store) -> None:
        self._set_read_only(store, False)

    def _set_read_only(self, store: Store, value: bool) -> None:
        match store:
            case "bus":
                self._shop.topics.down = value
            case "stock":
                self._shop.storage.read_only = value
            case "news" | "orders":
                # It has no inbox: news are written into the order's row, or nowhere.
                self._shop.orders.read_only = value

    async def replay_news(self, order_id: str) -> None:
        for status, event_id in (("COMPLETED", "a"), ("FAILED", "b"), ("COMPLETED", "a")):
            self._shop.apply_news(order_id, status, event_id)

    async def reserve(self, reservation: str) -> bool:
        return self._shop.storage.reserve(reservation, "plenty")

    async def confirm(self, reservation: str) -> bool:
        return self._shop.storage.confirm(reservation, "plenty")

    async def release(self, reservation: str) -> bool:
        return self._shop.storage.compensate(reservation, "plenty")

    async def private_routes(self, order_id: str) -> list[tuple[str, str]]:
        return [("GET", f"/api/orders/{order_id}"), ("GET", f"/api/payments/{order_id}/details")]

    async def ask(
        self, who: Literal["owner", "other", "nobody"], method: str, path: str
    ) -> tuple[int, str]:
        sid = self._sid[who]
        order = self._shop.read_order(sid, path.split("/")[3])
        return (200, str(order)) if order else (404 if sid else 401, "")

    async def allowed_origin(self, origin: str) -> str | None:
        return CONFIG["cors.allowed-origins"]

    async def lets_socket_in(self, origin: str) -> bool:
        return CONFIG["websocket.allowed-origin-patterns"] in ("*", origin)

    async def inside_without_token(self) -> dict[str, int]:
        status = 200 if CONFIG["internal.auth"] == "none" else 403
        return {"order-service": status, "storage-service": status, "payment-service": status}

    async def starts_with_default_secrets(self) -> bool:
        return CONFIG["database.password"] == "123456"

    async def log_text(self) -> str:
        return "\n".join(self._shop.log)

    async def secrets_of_owner(self) -> list[str]:
        return [_EMAIL, str(self._sid["owner"])]
