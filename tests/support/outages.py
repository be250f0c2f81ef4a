"""Servers that go away while customers buy, and what the customers saw of it."""

from __future__ import annotations

import asyncio
import atexit
import os
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

import pytest
from tests.support.stack import Shell

from kessai.proof.customer import Answered, Customer, SeenOrder, ShopUrls
from kessai.proof.line import LOST

SERVERS = ("redis", "mariadb", "kafka", "mongodb", "minio", "elasticsearch")
# Far from where `kessai stack` begins by itself: what is stopped here leaves its ports to others.
FIRST_PORT = 25000
PAUSED_S = 30.0
STOPPED_S = 8.0
_RETRY_S = 0.5
# Elasticsearch takes minutes to start where others work too.
_UP_S = 420
_AT_ONCE = 3
_SERVED_AGAIN = 10
_QUIET_S = 5.0
# A purchase in doubt waits for its code to be closed; people do not.
_PATIENCE = 20


@dataclass
class Answer:
    at_s: float
    what: str
    took_s: float = 0.0


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
        """The order; None when traffic ends before, or the customer has no patience left."""
        in_doubt = 0
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
            in_doubt += self.answers[-1].what.endswith("IDEMPOTENCY_IN_FLIGHT")
            if self._stop.is_set() or in_doubt >= _PATIENCE:
                return None
            await asyncio.sleep(_RETRY_S)

    def _note(self, what: str, answer: str) -> None:
        self.answers.append(Answer(time.monotonic(), f"{what}: {answer}"))

    def seen(self, since_s: float, until_s: float) -> Counter[str]:
        return Counter(a.what for a in self.answers if since_s <= a.at_s < until_s)

    def recovered_after_s(self, since_s: float) -> float:
        """Until new orders are taken again, by everybody but those whose order is in doubt."""
        bad = [a.at_s for a in self.answers if a.at_s >= since_s and ": 503" in a.what]
        return max(bad) - since_s if bad else 0.0

    async def until_well(self, since_s: float, *, within_s: float) -> None:
        """Until many were served, and nobody was refused for a while. Raises `TimeoutError`."""
        async with asyncio.timeout(within_s):
            while True:
                served = self.seen(since_s, time.monotonic())["purchase: ok"]
                quiet_s = time.monotonic() - since_s - self.recovered_after_s(since_s)
                if served >= _SERVED_AGAIN and quiet_s >= _QUIET_S:
                    return
                await asyncio.sleep(0.2)

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


@dataclass
class Looks:
    """Somebody who asks the same again and again, and what was answered."""

    ask: Callable[[], Awaitable[str]]
    answers: list[Answer] = field(default_factory=list)
    _stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            what = await self.ask()
            self.answers.append(Answer(time.monotonic(), what, time.monotonic() - began))
            await asyncio.sleep(_RETRY_S)

    async def until_ok(self, *, within_s: float) -> None:
        """From now on. Raises `TimeoutError`."""
        since = time.monotonic()
        async with asyncio.timeout(within_s):
            while True:
                if any(one.at_s >= since and one.what == "ok" for one in self.answers):
                    return
                await asyncio.sleep(0.2)

    def end(self) -> None:
        self._stop.set()


@asynccontextmanager
async def looks(ask: Callable[[], Awaitable[str]], *, within_s: float = 60) -> AsyncIterator[Looks]:
    """All is well before the block, and again within the time after it."""
    made = Looks(ask)
    async with asyncio.TaskGroup() as group:
        group.create_task(made.run())
        try:
            await made.until_ok(within_s=120)
            made.answers.clear()
            yield made
            await made.until_ok(within_s=within_s)
        finally:
            made.end()


@cache
def own_stack() -> Shell:
    """Servers that nobody else uses, and one shop's data beside them; gone with this process."""
    folder = Path(tempfile.mkdtemp(prefix="kessai-outages-"))
    shell = Shell(folder)

    def end() -> None:
        shell.run("wipe")
        shutil.rmtree(folder)

    atexit.register(end)
    up = shell.run("up", *SERVERS, "--port", str(FIRST_PORT), limit_s=600)
    if up.returncode:
        told = f"the servers cannot be had here: {up.stdout}{up.stderr}"
        if os.environ.get("CI") == "true":
            pytest.fail(told)
        pytest.skip(told)
    return shell


class Away:
    """Servers of a private stack, and what may happen to them. Each returns when all are back."""

    def __init__(self, shell: Shell, *names: str) -> None:
        self._shell = shell
        self._names = names

    def _pids(self) -> list[int]:
        found = self._shell.status()
        return [pid for name in self._names for pid in found[name]["pids"].values()]

    def up(self) -> None:
        done = self._shell.run("up", *self._names, limit_s=_UP_S)
        assert done.returncode == 0, done.stdout + done.stderr

    def down(self) -> None:
        assert self._shell.run("down", *self._names).returncode == 0
        found = self._shell.status()
        assert {found[name]["state"] for name in self._names} == {"stopped"}

    def stopped(self) -> None:
        self.down()
        time.sleep(STOPPED_S)
        self.up()

    def restarted(self) -> None:
        self.down()
        self.up()

    def paused(self) -> None:
        pids = self._pids()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(PAUSED_S)
        for pid in pids:
            os.kill(pid, signal.SIGCONT)

    def killed(self) -> None:
        for pid in self._pids():
            os.kill(pid, signal.SIGKILL)
        self.up()
