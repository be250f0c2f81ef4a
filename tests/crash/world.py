"""What goes on outside of the shop while it breaks: the provider, and customers who come again."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tests.crash.lockstep import Child
from tests.support.shop import FIREBASE, PASSWORD, SHOP, Json, Reply

from kessai.kernel.errors import Unknown
from kessai.kernel.http import Answer, AsgiHttp, NotSent, Sink
from kessai.proof.virtual_time import START

INSIDE = "http://inside"
PAYPAY = "http://127.0.0.1:8090"
PATIENCE_S = 120.0
# A code whose answer was lost is outlived.
LOST_FOR_S = 20
_TIMEOUT_S = 12.0
_FINAL = ("PAID", "FAILED", "REFUNDED")
# Of an attempt; SUCCEEDED is one whose order is only about to be PAID.
_OVER = ("EXPIRED", "FAILED", "CANCELLED", "SUCCEEDED")


class WorldHttp:
    """The strangers are here; whatever else is asked for is asked of the shop that is up now."""

    def __init__(self, strangers: AsgiHttp) -> None:
        self.strangers = strangers
        self.shop: Child | None = None

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout_s: float,
    ) -> Answer:
        if url.startswith((PAYPAY, FIREBASE)):
            to: Any = self.strangers
        elif self.shop is None or not self.shop.alive:
            raise NotSent("the connection was refused")
        else:
            to = self.shop.http
        answer: Answer = await to.send(method, url, headers=headers, body=body, timeout_s=timeout_s)
        return answer

    async def download(self, url: str, to: Sink, *, limit_bytes: int, timeout_s: float) -> Answer:
        raise NotSent("nobody offers files here")

    async def close(self) -> None:
        await self.strangers.close()


class GaveUp(AssertionError):
    """A customer asked again and again, and the shop did not answer."""


@dataclass
class People:
    """One customer with a browser, and an operator inside. Each wish is repeated until answered."""

    http: WorldHttp
    email: str = "crash@example.com"
    cookie: str = ""
    user_id: str = ""
    product: int = 0
    orders: dict[str, str] = field(default_factory=dict)

    async def live(self, chapter: str) -> None:
        """One of `CHAPTERS`; each begins with a new customer who looks around."""
        token = await self._sign_up()
        await self._ask("POST", "/api/auth/session", {"idToken": token})
        products = (await self._ask("GET", "/api/products")).body
        self.product = next(int(row["id"]) for row in products if row["stock"] >= 20)
        await CHAPTERS[chapter](self)

    async def pays_and_returns(self) -> None:
        order_id = await self._buy("paid")
        await self._pay(order_id, "PAID")
        await self._act(order_id, "refund", {"reason": "CHANGED_MIND"})
        await self._until(order_id, "REFUNDED")

    async def cancels(self) -> None:
        order_id = await self._buy("cancelled")
        await self._act(order_id, "cancel")
        await self._until(order_id, "FAILED")

    async def pays_by_balance(self) -> None:
        """And an operator gives it back, after looking at everything there is."""
        order_id = await self._buy("balance", method="BALANCE")
        await self._until(order_id, "PAID")
        await self._inside_tour(order_id)
        await self._until(order_id, "REFUNDED")

    async def looks_around(self) -> None:
        for path in (
            "/api/categories",
            f"/api/products/{self.product}",
            "/api/account",
            "/api/orders",
        ):
            await self._ask("GET", path)
        await self._ask("POST", "/api/auth/personal-information", {"lastName": "決済"})

    async def declines_and_pays(self) -> None:
        """The customer declines, changes their mind, and pays a new code."""
        order_id = await self._buy("declined")
        code = await self._code(order_id)
        await self._stranger("POST", f"{PAYPAY}/sim/payments/{code}/decline", {})
        await self._ask("POST", f"/api/orders/{order_id}/check")
        end_s = self._now_s() + PATIENCE_S
        while await self._attempt(order_id) not in _OVER:
            self._require(end_s, "nobody noticed that the customer declined")
            await asyncio.sleep(0.5)
        await self._pay(order_id, "PAID")

    async def pays_after_a_lost_code(self) -> None:
        """The create answer is lost and the code has to be cancelled; then the next one is paid."""
        await self._faults({"createCode": {"lostAnswer": 100}}, codeLifetimeS=LOST_FOR_S)
        asking = asyncio.ensure_future(self._buy("lost"))
        await asyncio.sleep(3)
        await self._faults({"createCode": {"lostAnswer": 0}}, codeLifetimeS=300)
        order_id = await asking
        await self._pay(order_id, "PAID")

    # Wishes.
    async def _buy(self, key: str, method: str = "PAYPAY") -> str:
        body = {
            "customerName": "決済 花子",
            "customerEmail": self.email,
            "items": [{"productId": self.product, "quantity": 1}],
            "method": method,
        }
        answer = await self._ask("POST", "/api/orders/purchase", body, key=key)
        order_id = str(answer.body["orderId"])
        self.orders[key] = order_id
        return order_id

    async def _pay(self, order_id: str, *ends: str) -> None:
        code = await self._code(order_id)
        if code is not None:
            await self._stranger("POST", f"{PAYPAY}/sim/payments/{code}/pay", {})
        await self._ask("POST", f"/api/orders/{order_id}/check")
        await self._until(order_id, *ends)

    async def _code(self, order_id: str) -> str | None:
        """The merchantPaymentId of what the order shows to be paid."""
        end_s = self._now_s() + PATIENCE_S
        while True:
            order = (await self._ask("GET", f"/api/orders/{order_id}")).body
            if order["status"] in _FINAL:
                return None
            if order["paymentUrl"] and order["paymentStatus"] not in _OVER:
                rows = (await self._stranger("GET", f"{PAYPAY}/sim/payments")).body
                shown = (row for row in rows if row["url"] == order["paymentUrl"])
                return str(next(shown)["merchantPaymentId"])
            if order["paymentStatus"] in _OVER:
                await self._act(order_id, "payment")
            self._require(end_s, f"no code for {order}")
            await asyncio.sleep(1)

    async def _attempt(self, order_id: str) -> str:
        order = await self._ask("GET", f"/api/orders/{order_id}")
        return str(order.body["paymentStatus"])

    async def _act(self, order_id: str, action: str, body: object = None) -> None:
        """409: it happened when it was first asked for, or it is no longer possible."""
        await self._ask("POST", f"/api/orders/{order_id}/{action}", body)

    async def _until(self, order_id: str, *statuses: str) -> None:
        end_s = self._now_s() + PATIENCE_S
        while True:
            order = (await self._ask("GET", f"/api/orders/{order_id}")).body
            if order["status"] in statuses:
                return
            self._require(end_s, f"{order['status']} is not {statuses}: {order}")
            await asyncio.sleep(0.5)

    async def _inside_tour(self, order_id: str) -> None:
        """What only an operator's command asks of the services."""
        mine = {"orderId": order_id}
        csv = base64.urlsafe_b64encode(
            b"productId,title,description,price,status,createdAt,imageFile\n"
        )
        for call, command in {
            "account/ping": {},
            "account/set_role": {"user": self.email, "role": "viewer"},
            "account/release_hold": {"holdId": "nobody"},
            "storage/ping": {},
            "storage/import_catalogue": {"csv": csv.decode(), "dryRun": True},
            "payment/ping": {},
            "payment/get_payments": mine,
            "payment/check_ledger": {},
            "payment/list_settlements": {},
            "payment/get_settlement": {"runId": "none"},
            "order/ping": {},
            "order/view_order": mine,
            "order/audit_order": mine,
            "order/report_promise": {},
            "order/refund_by_operator": {
                **mine,
                "requestId": "crash",
                "actor": "operator",
                "reason": "GOODWILL",
            },
        }.items():
            await self._repeat(partial(self._send, "POST", f"{INSIDE}/{call}", command), call)

    # How they are asked.
    async def _ask(self, method: str, path: str, body: object = None, *, key: str = "") -> Reply:
        async def once() -> Reply:
            headers = {"Cookie": self.cookie, "Origin": SHOP}
            if key:
                headers["Idempotency-Key"] = key
            answer = await self._send(method, SHOP + path, body, headers)
            if answer.status == 401 and path != "/api/auth/session":
                await self._ask("POST", "/api/auth/session", {"idToken": await self._sign_in()})
                return await once()
            if cookie := answer.headers.get("set-cookie"):
                self.cookie = cookie.split(";")[0]
            return answer

        return await self._repeat(once, f"{method} {path}")

    async def _repeat(self, once: Callable[[], Awaitable[Reply]], wish: str) -> Reply:
        end_s, last = self._now_s() + PATIENCE_S, "?"
        while True:
            try:
                answer = await once()
            except Unknown as unknown:
                last = str(unknown)
            else:
                again = answer.status >= 500 or answer.code == "IDEMPOTENCY_IN_FLIGHT"
                # A purchase that was refused for good names its order.
                if not again or (isinstance(answer.body, dict) and "orderId" in answer.body):
                    return answer
                last = str((answer.status, answer.body))
            self._require(end_s, f"{wish}: {last}")
            await asyncio.sleep(1)

    async def _send(
        self,
        method: str,
        url: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        sent = None if body is None else json.dumps(body).encode()
        typed = {"Content-Type": "application/json"} if sent is not None else {}
        answer = await self.http.send(
            method, url, headers={**typed, **(headers or {})}, body=sent, timeout_s=_TIMEOUT_S
        )
        return Reply(answer.status, _json(answer.body), answer.headers)

    async def _stranger(self, method: str, url: str, body: object = None) -> Reply:
        return await self._send(method, url, body)

    async def _faults(self, api: Json, **more: object) -> None:
        await self._stranger("PUT", f"{PAYPAY}/sim/faults", {"api": api, **more})

    async def _sign_up(self) -> str:
        return await self._token("signUp")

    async def _sign_in(self) -> str:
        return await self._token("signInWithPassword")

    async def _token(self, action: str) -> str:
        url = f"{FIREBASE}/identitytoolkit.googleapis.com/v1/accounts:{action}?key=k"
        who = {"email": self.email, "password": PASSWORD, "returnSecureToken": True}
        return str((await self._stranger("POST", url, who)).body["idToken"])

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()

    def _require(self, end_s: float, otherwise: str) -> None:
        if self._now_s() > end_s:
            raise GaveUp(f"{otherwise} ({START:%H:%M} + {self._now_s():.1f} s)")


# A point is broken in the first of them that reaches it.
CHAPTERS: dict[str, Callable[[People], Awaitable[None]]] = {
    "pays and returns": People.pays_and_returns,
    "pays by balance": People.pays_by_balance,
    "cancels": People.cancels,
    "declines and pays": People.declines_and_pays,
    "pays after a lost code": People.pays_after_a_lost_code,
    "looks around": People.looks_around,
}


def _json(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return body
