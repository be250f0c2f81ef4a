"""Random shops by seed: a mix of faults, settings and customers, then healing, then the oracle.

`python -m tests.support.mixes 1 300` runs a range of seeds and prints the failing ones.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from tests.story.test_webhooks import a_webhook
from tests.support.agreement import (
    Books,
    broken_trails,
    disagreements,
    known_live_codes,
    not_final,
    read_books,
    unsafe,
)
from tests.support.shop import Customer, Json, Reply, Shop, open_shop

from kessai.kernel.clock import parse_wire, to_ms
from kessai.kernel.errors import Unknown
from kessai.proof.virtual_time import VirtualLoop

KINDS = (
    "pays_at_once",
    "pays_late",
    "pays_at_expiry",
    "pays_at_deadline",
    "declines",
    "lets_expire",
    "abandons",
    "cancels_soon",
    "cancels_while_paying",
    "cancels_after_paying",
    "pays_after_cancel",
    "double_click",
    "two_tabs",
    "retries",
    "retries_twice_at_once",
    "retries_in_doubt",
    "checks",
    "balance",
    "balance_cancel",
    "refund",
    "refund_twice",
    "balance_refund",
    "sold_out",
    "forged",
    "foreign",
    "pays_unseen",
)
# Those who pay when it is nearly, or just, too late, and those who try again after that.
LAST_MOMENT = (
    "pays_at_expiry",
    "pays_at_deadline",
    "cancels_while_paying",
    "cancels_after_paying",
    "pays_after_cancel",
    "retries_in_doubt",
    "retries_in_doubt",
    "refund_twice",
    "abandons",
)
CARTS = ("one", "one", "one", "two_products", "many", "scarce")
OPERATIONS = ("createCode", "deleteCode", "getCodePayment", "cancel", "refund", "getRefund")
ERRORS = ("500", "502", "503", "429", "401", "badJson", "reset")

# An answer may still be on its way when faults stop (30 s), its lease ends 10 s later, a close
# waits for grace and asks every 5 s: this is the margin beyond deadline and healing. What was paid
# after our cancel is believed after another 30 s (kessai.payment.domain.attempt.Rules.reversal_ms).
FINAL_WITHIN_S = 90.0 + 30.0
# Refunds are asked again after at most 30 s, outbox and events follow at once.
REST_WITHIN_S = 60.0
# An end without money that was proved by old news is looked into again at these times after it
# (kessai.payment.domain.schedule.FOLLOW_UPS_MS); nothing else may take longer than a minute.
LAST_FOLLOW_UP_S = 3600.0
DELETED_WITHIN_S = 40.0


@dataclass(frozen=True)
class Plan:
    """One customer: what, when, with which cart, and three numbers in [0, 1) for the details."""

    kind: str
    at_s: float
    cart: str = "one"
    r: float = 0.5
    s: float = 0.5
    t: float = 0.5


@dataclass(frozen=True)
class Mix:
    seed: int
    settings: dict[str, Any] = field(default_factory=dict)
    faults: dict[str, Any] = field(default_factory=dict)
    heal_s: float = 0.0
    plans: tuple[Plan, ...] = ()

    def text(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)


def mix_from(text: str) -> Mix:
    content = json.loads(text)
    plans = tuple(Plan(**plan) for plan in content.pop("plans"))
    return Mix(**content, plans=plans)


def draw(seed: int) -> Mix:
    dice = random.Random(f"mix-{seed}")
    deadline_s = dice.choice((30, 45, 60, 90, 120, 200, 330, 400, 620, 900))
    lifetime_s = dice.choice((20, 30, 60, 120, 300, 300))
    settings: dict[str, Any] = {
        "order_deadline_s": deadline_s,
        "poll_first_s": dice.choice((1, 3, 3, 6)),
        "poll_max_s": dice.choice((3, 10, 10, 20)),
        "paypay_code_lifetime_s": dice.choice((lifetime_s, 300)),
        "paypay_grace_s": dice.choice((0.5, 2, 2, 5)),
    }
    if dice.random() < 0.2:
        settings["paypay_rate_per_s"] = dice.choice((2, 5))
    faults = _faults(dice, deadline_s) | {"seed": seed, "codeLifetimeS": lifetime_s}
    kinds: tuple[str, ...] = KINDS
    if dice.random() < 0.35:
        faults, kinds = _old_news(dice, faults), LAST_MOMENT
    span_s = dice.choice((5, 30, deadline_s / 2, deadline_s))
    plans = tuple(
        Plan(
            dice.choice(kinds),
            round(dice.uniform(0, span_s), 3),
            dice.choice(CARTS),
            *(round(dice.random(), 4) for _ in range(3)),
        )
        for _ in range(dice.randint(5, 15))
    )
    heal_s = dice.choice((0.3, 1.0, 1.5)) * deadline_s * dice.uniform(0.5, 1.2) + 5
    return Mix(seed, settings, faults, round(heal_s, 3), plans)


def _old_news(dice: random.Random, faults: Json) -> Json:
    """Look-ups lag behind for longer than the grace, and no webhook makes up for it."""
    stale: Json = {"staleMs": dice.choice((5000, 15_000, 60_000))}
    if dice.random() < 0.4:
        stale |= {"error": 30, "kinds": ["500", "reset", "429"]}
    api = {**faults["api"], "getCodePayment": stale}
    webhooks = {**faults["webhooks"], "drop": dice.choice((50, 100, 100))}
    return {**faults, "api": api, "webhooks": webhooks}


def _faults(dice: random.Random, deadline_s: int) -> Json:
    """Swarm: each fault is in about half of the mixes, and then at any strength."""

    def maybe(value: Callable[[], Any], chance: float = 0.45) -> Iterator[Any]:
        if dice.random() < chance:
            yield value()

    webhooks: Json = {}
    for name in ("drop", "duplicate", "reorder", "corrupt", "wrongAmount"):
        for percent in maybe(lambda: dice.choice((20, 50, 100))):
            webhooks[name] = percent
    for delay in maybe(lambda: [0, dice.choice((500, 5000, 60_000))]):
        webhooks["delayMs"] = delay
    api: Json = {}
    for operation in ("*", *OPERATIONS):
        for part in maybe(lambda: _api_fault(dice), 0.35):
            api[operation] = part
    behaviour = {
        "expiredCode": dice.choice(("created", "notFound")),
        "duplicateId": dice.choice(("error", "previous")),
        "webhookRetries": dice.choice(("3x100", "10x500")),
        "refundDelayMs": dice.choice((0, 1000, 20_000)),
        "cancelDelayMs": dice.choice((0, 500, 5000)),
    }
    faults: Json = {"webhooks": webhooks, "api": api, "behaviour": behaviour}
    for blackout in maybe(
        lambda: {
            "fromMs": dice.randint(0, min(deadline_s, 300) * 1000),
            "forMs": dice.choice((3000, 20_000, 120_000)),
        },
        0.25,
    ):
        faults["blackout"] = blackout
    return faults


def _api_fault(dice: random.Random) -> Json:
    part: Json = {}
    if dice.random() < 0.6:
        part["error"] = dice.choice((10, 30, 60))
        part["kinds"] = dice.sample(ERRORS, dice.randint(1, len(ERRORS)))
        part["effect"] = dice.choice((0, 50, 100))
    if dice.random() < 0.4:
        part["lostAnswer"] = dice.choice((10, 40, 100))
        part["lostBy"] = dice.choice(("drop", "hang"))
    if dice.random() < 0.4:
        part["delayMs"] = [0, dice.choice((300, 3000, 12_000, 40_000))]
    if dice.random() < 0.3:
        part["staleMs"] = dice.choice((500, 3000, 15_000))
    return part


class Timeout(Exception):
    """The answer did not come: what was asked may have happened or not."""


@dataclass
class Person:
    """One customer of the mix; nothing that the shop or the network does surprises them."""

    shop: Shop
    plan: Plan
    browser: Customer
    wrong: list[str]

    async def live(self) -> None:
        try:
            await getattr(self, f"_{self.plan.kind}")()
        except Timeout:
            return

    def lines(self) -> list[tuple[int, int]]:
        shop = self.shop
        match self.plan.cart:
            case "two_products":
                return [(shop.product, 1), (shop.other_product, 2)]
            case "many":
                return [(shop.product, 3)]
            case "scarce":
                return [(shop.scarce, 1)]
        return [(shop.product, 1)]

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> Reply:
        try:
            reply = await self.browser.send(method, path, body, headers)
        except Unknown as unknown:
            raise Timeout(str(unknown)) from unknown
        if reply.status == 500:
            self.wrong.append(f"{method} {path} answered 500: {reply.body}")
        return reply

    async def buy(self, *, key: str | None = "k", method: str = "PAYPAY") -> str | None:
        """The order's id; None when the answer names none."""
        items = [{"productId": one, "quantity": count} for one, count in self.lines()]
        if self.plan.kind == "sold_out":
            items.append({"productId": self.shop.sold_out, "quantity": 1})
        body = {
            "customerName": "決済 花子",
            "customerEmail": "shopper@example.com",
            "items": items,
            "method": method,
        }
        headers = {"Idempotency-Key": key} if key else {}
        reply = await self.ask("POST", "/api/orders/purchase", body, **headers)
        order_id = reply.body.get("orderId") if isinstance(reply.body, dict) else None
        if order_id:
            self.browser.orders.append(order_id)
        return order_id

    async def order(self, order_id: str) -> Json:
        reply = await self.ask("GET", f"/api/orders/{order_id}")
        return dict(reply.body) if reply.status == 200 else {"status": "?"}

    async def act(self, order_id: str, action: str, body: object = None) -> Reply:
        return await self.ask("POST", f"/api/orders/{order_id}/{action}", body)

    async def wallet(self, code: str, act: str = "pay") -> bool:
        reply = await self.shop.send("POST", f"http://127.0.0.1:8090/sim/payments/{code}/{act}", {})
        return reply.status < 300

    async def code(self, order_id: str, *, after: str = "") -> str | None:
        """The merchantPaymentId of the code that the order shows; None when it never does."""
        while True:
            order = await self.order(order_id)
            if order["status"] not in ("PENDING", "WAITING_PAYMENT", "?"):
                return None
            if url := order.get("paymentUrl"):
                rows = [r for r in await self.shop.book() if r["url"] == url]
                if rows and rows[0]["merchantPaymentId"] != after:
                    return str(rows[0]["merchantPaymentId"])
            if order["status"] != "?" and self.late(order, 120):
                return None
            await asyncio.sleep(1 + self.plan.t)

    def now_ms(self) -> int:
        return self.shop.runtime.clock.now_ms()

    def late(self, order: Json, by_s: float) -> bool:
        return self.now_ms() > to_ms(parse_wire(order["holdUntil"])) + by_s * 1000

    async def until_ms(self, at_ms: float) -> None:
        await asyncio.sleep(max(0.0, (at_ms - self.now_ms()) / 1000))

    async def bought(self, **more: Any) -> tuple[str, str] | None:
        """Order and code."""
        order_id = await self.buy(**more)
        code = await self.code(order_id) if order_id else None
        return (order_id, code) if order_id and code else None

    async def until(self, order_id: str, *statuses: str, within_s: float) -> str:
        end_ms = self.now_ms() + within_s * 1000
        while True:
            status = str((await self.order(order_id))["status"])
            if status in statuses or self.now_ms() > end_ms:
                return status
            await asyncio.sleep(1 + self.plan.t)

    async def _pays_at_once(self) -> None:
        if got := await self.bought():
            await asyncio.sleep(self.plan.r * 3)
            await self.wallet(got[1])

    async def _pays_late(self) -> None:
        if got := await self.bought():
            await asyncio.sleep(self.plan.r * 200)
            await self.wallet(got[1])

    async def _pays_at_expiry(self) -> None:
        if got := await self.bought():
            ends = (await self.order(got[0])).get("paymentExpiresAt")
            if ends:
                await self.until_ms(to_ms(parse_wire(ends)) + (self.plan.r * 2 - 1.2) * 1000)
            await self.wallet(got[1])

    async def _pays_at_deadline(self) -> None:
        if got := await self.bought():
            hold = (await self.order(got[0])).get("holdUntil")
            if hold:
                await self.until_ms(to_ms(parse_wire(hold)) + (self.plan.r * 2 - 1) * 1000)
            await self.wallet(got[1])

    async def _declines(self) -> None:
        if got := await self.bought():
            await asyncio.sleep(self.plan.r * 30)
            await self.wallet(got[1], "decline")

    async def _lets_expire(self) -> None:
        if got := await self.bought():
            await asyncio.sleep(self.plan.r * 30)
            await self.wallet(got[1], "expire")

    async def _abandons(self) -> None:
        await self.buy()

    async def _cancels_soon(self) -> None:
        """Often before the purchase has been answered."""
        buying = asyncio.ensure_future(self.buy())
        await asyncio.sleep(self.plan.r * 8)
        page = await self.ask("GET", "/api/orders")
        for one in page.body["items"] if page.status == 200 else ():
            await self.act(one["orderId"], "cancel")
        await buying

    async def _cancels_while_paying(self) -> None:
        if got := await self.bought():
            await asyncio.sleep(self.plan.r * 10)
            await asyncio.gather(
                self._soon(self.act(got[0], "cancel"), self.plan.s),
                self._soon(self.wallet(got[1]), self.plan.t),
            )

    async def _soon(self, doing: Any, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        await doing

    async def _cancels_after_paying(self) -> None:
        if got := await self.bought():
            await self.wallet(got[1])
            await asyncio.sleep(self.plan.r * 4)
            await asyncio.gather(*(self.act(got[0], "cancel") for _ in range(2)))

    async def _pays_after_cancel(self) -> None:
        if got := await self.bought():
            await self.act(got[0], "cancel")
            await asyncio.sleep(self.plan.r * 6)
            await self.wallet(got[1])

    async def _double_click(self) -> None:
        first, second = await asyncio.gather(self.buy(), self.buy(), return_exceptions=True)
        if isinstance(first, str) and isinstance(second, str) and first != second:
            self.wrong.append(f"one key made two orders: {first} {second}")
        await self._pays_at_once()

    async def _two_tabs(self) -> None:
        got = await asyncio.gather(
            self.bought(key="a"), self.bought(key="b"), return_exceptions=True
        )
        for one in got:
            if isinstance(one, tuple):
                await self.wallet(one[1])

    async def _retries(self) -> None:
        await self._retry(times=1)

    async def _retries_twice_at_once(self) -> None:
        await self._retry(times=2)

    async def _retries_in_doubt(self) -> None:
        """Has paid in the last second, is told that the code expired, and pays a second time."""
        got = await self.bought()
        if got is None:
            return
        ends = (await self.order(got[0])).get("paymentExpiresAt")
        if ends:
            await self.until_ms(to_ms(parse_wire(ends)) - 1000 * (0.5 + self.plan.s))
        await self.wallet(got[1])
        await self._pay_again(got[0], got[1], times=1)

    async def _retry(self, *, times: int) -> None:
        got = await self.bought()
        if got is None:
            return
        await self.wallet(got[1], "decline" if self.plan.s < 0.5 else "expire")
        await self._pay_again(got[0], got[1], times=times)

    async def _pay_again(self, order_id: str, code: str, *, times: int) -> None:
        """A second code is asked for until it comes, and is paid."""
        while True:
            order = await self.order(order_id)
            if order["status"] not in ("PENDING", "WAITING_PAYMENT", "?"):
                return
            if order["status"] != "?" and self.late(order, 0):
                return
            if order.get("paymentStatus") in ("FAILED", "EXPIRED", "CANCELLED"):
                asked = await asyncio.gather(
                    *(self.act(order_id, "payment") for _ in range(times)), return_exceptions=True
                )
                if any(isinstance(one, Reply) and one.status == 200 for one in asked):
                    break
            await asyncio.sleep(2 + self.plan.t)
        second = await self.code(order_id, after=code)
        if second is not None:
            await asyncio.sleep(self.plan.r * 40)
            await self.wallet(second)

    async def _checks(self) -> None:
        got = await self.bought()
        if got is None:
            return
        for step in range(12):
            if step == 5:
                await self.wallet(got[1])
            await self.act(got[0], "check")
            await asyncio.sleep(self.plan.r * 4)

    async def _balance(self) -> None:
        await self.buy(method="BALANCE")

    async def _balance_cancel(self) -> None:
        buying = asyncio.ensure_future(self.buy(method="BALANCE"))
        for _ in range(int(self.plan.r * 40)):
            await asyncio.sleep(0)
        page = await self.ask("GET", "/api/orders")
        for one in page.body["items"] if page.status == 200 else ():
            await self.act(one["orderId"], "cancel")
        await buying

    async def _refund(self) -> None:
        if got := await self.bought():
            await self.wallet(got[1])
            if await self.until(got[0], "PAID", "FAILED", within_s=1000) == "PAID":
                await asyncio.sleep(self.plan.r * 20)
                await self.act(got[0], "refund", {"reason": "CHANGED_MIND"})

    async def _refund_twice(self) -> None:
        if got := await self.bought():
            await self.wallet(got[1])
            if await self.until(got[0], "PAID", "FAILED", within_s=1000) == "PAID":
                wish = {"reason": "CHANGED_MIND"}
                await asyncio.gather(*(self.act(got[0], "refund", wish) for _ in range(3)))
                await asyncio.sleep(self.plan.r * 30)
                await self.act(got[0], "refund", wish)

    async def _balance_refund(self) -> None:
        order_id = await self.buy(method="BALANCE")
        if order_id and await self.until(order_id, "PAID", "FAILED", within_s=60) == "PAID":
            wish = {"reason": "CHANGED_MIND"}
            await asyncio.gather(*(self.act(order_id, "refund", wish) for _ in range(2)))

    async def _sold_out(self) -> None:
        await self.buy()

    async def _forged(self) -> None:
        """Says that it has paid, and never does."""
        order_id = await self.buy()
        if order_id is None:
            return
        amount = (await self.order(order_id)).get("amount", 1)
        for number in range(1, 6):
            await asyncio.sleep(self.plan.r * 15)
            body = a_webhook(order_id, amount, merchant_order_id=f"{order_id}-{number % 3}")
            await self.shop.webhook(body)

    async def _foreign(self) -> None:
        order_id = await self.buy()
        if order_id is None:
            return
        amount = (await self.order(order_id)).get("amount", 1)
        await self.shop.webhook(a_webhook("z" * 26, amount))
        await self.shop.webhook(a_webhook(order_id, amount, merchant_id="another"))
        await self.shop.webhook(a_webhook(order_id, amount, notification_type="file.created"))

    async def _pays_unseen(self) -> None:
        """Pays whatever the provider offers for the order, shown by the shop or not."""
        order_id = await self.buy()
        if order_id is None:
            return
        for _ in range(8):
            await asyncio.sleep(1 + self.plan.r * 30)
            for row in await self.shop.book():
                if row["merchantPaymentId"].startswith(order_id) and row["status"] == "CREATED":
                    await self.wallet(row["merchantPaymentId"])


@dataclass
class Verdict:
    """What was wrong, and what the run was like."""

    wrong: list[str]
    orders: int = 0
    virtual_s: float = 0.0
    final_after_s: float = 0.0
    # What the run has met: ends of orders, attempts beyond the first, reasons of refunds.
    met: Counter[str] = field(default_factory=Counter)
    fired: Json = field(default_factory=dict)


class Watcher:
    """Samples the shop while faults are on: what may never be."""

    def __init__(self, shop: Shop, mix: Mix, wrong: list[str]) -> None:
        self._shop = shop
        self._mix = mix
        self._wrong = wrong
        self._versions: dict[str, tuple[int, str]] = {}
        self._final_at_s: dict[str, float] = {}

    async def watch(self) -> None:
        dice = random.Random(f"watch-{self._mix.seed}")
        while True:
            await asyncio.sleep(dice.uniform(1, 9))
            books = await read_books(self._shop)
            self.look(books)

    def look(self, books: Books) -> None:
        now_s = asyncio.get_running_loop().time()
        for problem in unsafe(books):
            self.tell(problem)
        for order in books.orders:
            self._follow(order, now_s)
        for code, order_id in known_live_codes(books).items():
            since_s = self._final_at_s.get(order_id, now_s)
            if now_s > max(since_s, self._mix.heal_s) + DELETED_WITHIN_S:
                self.tell(f"{code} can still be paid and its order is final")

    def _follow(self, order: Json, now_s: float) -> None:
        order_id, version, status = order["order_id"], order["version"], order["status"]
        before = self._versions.get(order_id, (0, "PENDING"))
        if version < before[0] or (version == before[0] and status != before[1]):
            self.tell(f"{order_id} went from {before} to {(version, status)}")
        self._versions[order_id] = (version, status)
        if status not in ("PENDING", "WAITING_PAYMENT"):
            self._final_at_s.setdefault(order_id, now_s)

    def tell(self, problem: str) -> None:
        if len(self._wrong) < 20:
            self._wrong.append(f"{asyncio.get_running_loop().time():.1f} s: {problem}")


async def play(mix: Mix) -> Verdict:
    """The whole mix on a running loop: customers, faults, healing, and then the oracle."""
    wrong: list[str] = []
    shop = await open_shop(mix.seed, **mix.settings)
    loop = asyncio.get_running_loop()
    try:
        people = [Person(shop, plan, await shop.new_customer(), wrong) for plan in mix.plans]
        started_s = loop.time()
        await shop.faults(**mix.faults)
        watcher = Watcher(shop, replace(mix, heal_s=started_s + mix.heal_s), wrong)
        watching = asyncio.create_task(watcher.watch())
        living = [asyncio.create_task(_live_at(person)) for person in people]
        await asyncio.sleep(mix.heal_s)
        fired = (await shop.send("GET", "http://127.0.0.1:8090/sim/faults")).ok()["fired"]
        await shop.faults(webhooks=None, api=None, blackout=None, flapping=None)
        verdict = Verdict(wrong, fired=fired)
        await _come_to_rest(shop, mix, verdict, living)
        watching.cancel()
        return verdict
    finally:
        await shop.system.stop()


async def _live_at(person: Person) -> None:
    await asyncio.sleep(person.plan.at_s)
    await person.live()


async def _come_to_rest(
    shop: Shop, mix: Mix, verdict: Verdict, living: list[asyncio.Task[None]]
) -> None:
    """Every order final in time, then everything in agreement as soon as the rules allow."""
    loop = asyncio.get_running_loop()
    healed_s, deadline_s = loop.time(), float(mix.settings.get("order_deadline_s", 900))
    last_s = max((plan.at_s for plan in mix.plans), default=0.0)
    final_s = max(healed_s, last_s + deadline_s) + FINAL_WITHIN_S
    while not all(task.done() for task in living) or not_final(await read_books(shop)):
        if loop.time() > final_s and (open_orders := _overdue(await read_books(shop))):
            verdict.wrong.append(f"not final at {loop.time():.0f} s: {open_orders}")
            break
        if loop.time() > final_s + 2000:
            verdict.wrong.append("a customer is still at it")
            break
        await asyncio.sleep(2)
    for task in living:
        if task.done() and task.exception() is not None:
            verdict.wrong.append(f"a customer failed: {task.exception()!r}")
        task.cancel()
    verdict.final_after_s = loop.time() - healed_s
    books = await _at_rest(shop, loop.time() + REST_WITHIN_S, verdict)
    verdict.wrong += await broken_trails(shop, books)
    verdict.orders, verdict.virtual_s = len(books.orders), loop.time()
    for order in books.orders:
        name = order["status"] + (f":{order['reason']}" if order["reason"] else "")
        verdict.met[name] += 1
    verdict.met.update(f"attempt {min(one['number'], 2)}:{one['status']}" for one in books.attempts)
    verdict.met.update(f"refund {one['reason']}" for one in books.refunds)


def _overdue(books: Books) -> list[str]:
    late_ms = books.now_ms - round(FINAL_WITHIN_S * 1000)
    open_ids = {line.split()[0]: line for line in not_final(books)}
    return [
        open_ids[order["order_id"]]
        for order in books.orders
        if order["order_id"] in open_ids and order["hold_until_ms"] < late_ms
    ]


async def _at_rest(shop: Shop, until_s: float, verdict: Verdict) -> Books:
    """Waits as long as something may still be under way, a follow-up of an early end included."""
    loop = asyncio.get_running_loop()
    while True:
        books = await read_books(shop)
        found = disagreements(books)
        if not found:
            return books
        if loop.time() > until_s:
            follow_up_ms = min(
                (one["due_at_ms"] for one in books.attempts if one["due_at_ms"] is not None),
                default=None,
            )
            if follow_up_ms is None or not _may_be_old_news(books):
                verdict.wrong += found
                return books
            until_s = loop.time() + max(0, follow_up_ms - books.now_ms) / 1000 + REST_WITHIN_S
        await asyncio.sleep(5)


def _may_be_old_news(books: Books) -> bool:
    """Money at the provider for an attempt that ended without any, within its last follow-up."""
    paid = {row["merchantPaymentId"] for row in books.provider if row["paidAt"] is not None}
    return any(
        one["id"] in paid
        and one["status"] in ("EXPIRED", "CANCELLED")
        and books.now_ms < one["ended_at_ms"] + LAST_FOLLOW_UP_S * 1000 + REST_WITHIN_S * 1000
        for one in books.attempts
    )


def run(mix: Mix) -> Verdict:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(play(mix))


def minimise(mix: Mix, fails: Callable[[Mix], bool]) -> Mix:
    """Leaves out customers and faults as long as it still fails."""
    changed = True
    while changed:
        changed = False
        for smaller in _smaller(mix):
            if fails(smaller):
                mix, changed = smaller, True
                break
    return mix


def _smaller(mix: Mix) -> Iterator[Mix]:
    plans = mix.plans
    if len(plans) > 3:
        half = len(plans) // 2
        yield replace(mix, plans=plans[:half])
        yield replace(mix, plans=plans[half:])
    for place in range(len(plans)):
        yield replace(mix, plans=plans[:place] + plans[place + 1 :])
    for group in ("webhooks", "api", "behaviour", "blackout"):
        part = mix.faults.get(group)
        if not part:
            continue
        yield replace(mix, faults={**mix.faults, group: {}} if group != "blackout" else _no(mix))
        if group == "blackout":
            continue
        for name in part:
            left = {key: value for key, value in part.items() if key != name}
            yield replace(mix, faults={**mix.faults, group: left})
            if isinstance(part[name], dict):
                for fault in part[name]:
                    inner = {k: v for k, v in part[name].items() if k != fault}
                    if inner:
                        yield replace(mix, faults={**mix.faults, group: {**part, name: inner}})
    for name in mix.settings:
        if name != "order_deadline_s":
            rest = {key: value for key, value in mix.settings.items() if key != name}
            yield replace(mix, settings=rest)


def _no(mix: Mix) -> Json:
    return {key: value for key, value in mix.faults.items() if key != "blackout"}


def say(*lines: object, sep: str = " ") -> None:
    sys.stdout.write(sep.join(map(str, lines)) + "\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    """`A B` runs the seeds A..B; `--min SEED` makes its mix small; `--mix FILE` runs one."""
    if arguments[0] == "--mix":
        with open(arguments[1], encoding="utf-8") as file:
            verdict = run(mix_from(file.read()))
        say("\n".join(verdict.wrong) or "agrees", verdict)
        return bool(verdict.wrong)
    if arguments[0] == "--min":
        mix = draw(int(arguments[1]))
        first = _pattern(run(mix))
        small = minimise(mix, lambda one: _pattern(run(one)) == first)
        say(small.text(), *run(small).wrong, sep="\n")
        return 1
    failed, virtual_s, orders, worst_s = [], 0.0, 0, 0.0
    met: Counter[str] = Counter()
    started_s = time.monotonic()
    for seed in range(int(arguments[0]), int(arguments[1]) + 1):
        mix = draw(seed)
        verdict = run(mix)
        virtual_s, orders = virtual_s + verdict.virtual_s, orders + verdict.orders
        worst_s = max(worst_s, verdict.final_after_s)
        met.update(verdict.met)
        if verdict.wrong:
            failed.append(seed)
            say(f"SEED {seed} FAILED", *verdict.wrong[:12], mix.text(), sep="\n  ")
    say(
        f"{int(arguments[1]) - int(arguments[0]) + 1} seeds, {orders} orders, "
        f"{virtual_s / 3600:.1f} virtual hours, final at most {worst_s:.0f} s after healing, "
        f"{time.monotonic() - started_s:.0f} s; failed: {failed}\n{dict(met)}"
    )
    return bool(failed)


def _pattern(verdict: Verdict) -> str:
    """The first problem without its ids and numbers."""
    if not verdict.wrong:
        return ""
    return "".join(c for c in verdict.wrong[0] if not c.isdigit())[:12]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
