"""Servers that go away while customers buy, and what the customers saw of it."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from tests.support.stack import Shell

from kessai.proof.customer import Answered, Customer, SeenOrder, ShopUrls
from kessai.proof.line import LOST

PAUSED_S = 30.0
STOPPED_S = 8.0
_RETRY_S = 0.25
_AT_ONCE = 4


@dataclass
class Answer:
    at_s: float
    what: str


@dataclass
class Traffic:
    """Customers who buy and pay without end; each asks again by its key until it is answered."""

    urls: ShopUrls
    product: int
    answers: list[Answer] = field(default_factory=list)
    paid: dict[str, float] = field(default_factory=dict)
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _number: int = 0

    async def one(self, customer: Customer) -> None:
        while not self._stop.is_set():
            self._number += 1
            key = f"outage-{time.monotonic_ns()}-{self._number}"
            buy = partial(customer.purchase, [(self.product, 1)], key=key)
            order = await self._again("purchase", buy)
            if order is not None and order.payment_url is None:
                decided = partial(_decided, customer, order.order_id)
                order = await self._again("order", decided)
            if order is not None and order.status != "FAILED":
                await customer.pay(f"{order.order_id}-1")
                self.paid[order.order_id] = time.monotonic()
            await asyncio.sleep(_RETRY_S)

    async def _again(self, what: str, ask: Callable[[], Awaitable[SeenOrder]]) -> SeenOrder | None:
        """The order; None when traffic ends before."""
        while True:
            try:
                order = await ask()
            except Answered as answered:
                self._note(what, f"{answered.status} {answered.code}")
            except LOST as lost:
                self._note(what, type(lost).__name__)
            else:
                self._note(what, "ok")
                return order
            if self._stop.is_set():
                return None
            await asyncio.sleep(_RETRY_S)

    def _note(self, what: str, answer: str) -> None:
        self.answers.append(Answer(time.monotonic(), f"{what}: {answer}"))

    def seen(self, since_s: float, until_s: float) -> Counter[str]:
        return Counter(a.what for a in self.answers if since_s <= a.at_s < until_s)

    def first(self, what: str, since_s: float) -> float | None:
        """Seconds until the first such answer."""
        found = (a.at_s - since_s for a in self.answers if a.at_s >= since_s and a.what == what)
        return next(found, None)

    def end(self) -> None:
        self._stop.set()


async def _decided(customer: Customer, order_id: str) -> SeenOrder:
    return await customer.until(order_id, "WAITING_PAYMENT", "FAILED")


@asynccontextmanager
async def traffic(urls: ShopUrls) -> AsyncIterator[Traffic]:
    async with asyncio.TaskGroup() as group:
        customers = [Customer(urls) for _ in range(_AT_ONCE)]
        for customer in customers:
            await customer.sign_in("shopper@example.com", "kessai-demo")
        listed = await customers[0].products()
        product = max(listed, key=lambda row: int(str(row["stock"])))
        made = Traffic(urls, int(str(product["id"])))
        for customer in customers:
            group.create_task(made.one(customer))
        try:
            yield made
        finally:
            made.end()
    for customer in customers:
        await customer.close()


@dataclass(frozen=True)
class Server:
    """One server of a private stack, and what may happen to it. Each returns when it is back."""

    shell: Shell
    name: str

    @property
    def pids(self) -> list[int]:
        return list(self.shell.status()[self.name]["pids"].values())

    def up(self) -> None:
        done = self.shell.run("up", self.name)
        assert done.returncode == 0, done.stdout + done.stderr

    def down(self) -> None:
        assert self.shell.run("down", self.name).returncode == 0

    def stopped(self) -> None:
        self.down()
        time.sleep(STOPPED_S)
        self.up()

    def restarted(self) -> None:
        self.down()
        self.up()

    def paused(self) -> None:
        pids = self.pids
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(PAUSED_S)
        for pid in pids:
            os.kill(pid, signal.SIGCONT)

    def killed(self) -> None:
        for pid in self.pids:
            os.kill(pid, signal.SIGKILL)
        self.up()
