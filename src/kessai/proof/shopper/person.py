"""One customer at the shop: what they can do, and how they take its answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeVar

from kessai.kernel.clock import Clock, parse_wire, to_ms
from kessai.proof.customer import Answered, SeenOrder
from kessai.proof.line import LOST, NOT_SENT
from kessai.proof.shopper.account import Account
from kessai.proof.shopper.notes import Notes, OrderNote
from kessai.proof.shopper.plan import Planned
from kessai.proof.shopper.shelf import Shelf

T = TypeVar("T")
Lines = tuple[tuple[int, int], ...]
OPEN: Final = ("PENDING", "WAITING_PAYMENT")
# The shop's way to say "later": the same request may be sent again.
_LATER: Final = (429, 500, 502, 503, 504)
_LOOK_EVERY_S: Final = 0.5


class NoReply(Exception):
    """The answer did not come: what was asked may have happened or not."""


class GaveUp(Exception):
    """This customer waited as long as they wanted to."""


@dataclass(frozen=True, slots=True)
class Manners:
    """`patience_s`: as long as a customer waits for anything. `run` makes keys of this run."""

    run: str
    patience_s: float = 60.0
    think_s: float = 2.0


class Person:
    def __init__(
        self,
        planned: Planned,
        account: Account,
        shelf: Shelf,
        notes: Notes,
        clock: Clock,
        manners: Manners,
        rest: Callable[[float], Awaitable[None]],
    ) -> None:
        self.planned = planned
        self.account = account
        self.shelf = shelf
        self.notes = notes
        self.clock = clock
        self.manners = manners
        self._rest = rest

    # What they ask the shop. Every call is one request and, after a lost session, its repetition.

    async def ask(self, name: str, call: Callable[[], Awaitable[T]]) -> T:
        """Raises `NoReply`, or `Answered` for what the shop refuses."""
        try:
            return await self.account.signed_in(call)
        except LOST as lost:
            never_left = isinstance(lost, NOT_SENT)
            counted = self.notes.unreachable if never_left else self.notes.indeterminate
            counted[name] += 1
            raise NoReply(name) from lost
        except Answered as answered:
            self.notes.refusals[f"{name}: {answered.status} {answered.code}".strip()] += 1
            if answered.status == 500:
                self.notes.say_wrong(f"{name} was answered 500 ({self.planned.id})")
            raise

    async def insist(self, name: str, call: Callable[[], Awaitable[T]]) -> T:
        """Again and again while the shop cannot answer now.

        Raises `GaveUp` at the end of all patience, `Answered` for what is refused for good.
        """
        end_s = self._loop_s() + self.manners.patience_s
        while True:
            pause_s = 0.5 + self.planned.aside
            try:
                return await self.ask(name, call)
            except NoReply:
                pass
            except Answered as answered:
                if answered.status not in _LATER and answered.code != "IDEMPOTENCY_IN_FLIGHT":
                    raise
                if "orderId" in answered.problem:
                    raise
                pause_s = min(5.0, answered.retry_after_s or pause_s)
            if self._loop_s() + pause_s > end_s:
                raise GaveUp(name)
            await asyncio.sleep(pause_s)

    async def buy(
        self,
        lines: Lines | None = None,
        *,
        key: str = "a",
        method: str = "PAYPAY",
        expected_yen: int | None = None,
    ) -> OrderNote:
        """The order, refused ones with one too. Raises `Answered` where there is none."""
        wanted = lines or self.shelf.one(self.planned.product)
        name = f"{self.manners.run}-{self.planned.id}-{key}"

        async def once() -> SeenOrder:
            started_s = self._loop_s()
            try:
                return await self.account.customer.purchase(
                    wanted, key=name, method=method, expected_yen=expected_yen
                )
            except LOST as lost:
                in_doubt.append(not isinstance(lost, NOT_SENT))
                raise
            finally:
                asked_s.append(self._loop_s() - started_s)

        asked_s: list[float] = []
        in_doubt: list[bool] = []
        try:
            order = await self.insist("purchase", once)
        except Answered as answered:
            self.notes.purchases.append((self._loop_s(), asked_s[-1]))
            if "orderId" not in answered.problem:
                raise
            return self._ordered(str(answered.problem["orderId"]), "FAILED", answered.code)
        except GaveUp:
            self.notes.unanswered += any(in_doubt)
            raise
        self.notes.purchases.append((self._loop_s(), asked_s[-1]))
        return self._ordered(order.order_id, order.status, order.reason)

    def _ordered(self, order_id: str, status: str, reason: str | None) -> OrderNote:
        note = self.notes.order(order_id, self.planned.kind)
        self.account.orders.setdefault(order_id, note)
        note.status, note.reason = status, reason
        return note

    async def look(self, note: OrderNote) -> SeenOrder:
        order = await self.insist("order", lambda: self.account.customer.order(note.order_id))
        self.saw(note, order.status, order.reason)
        return order

    def saw(self, note: OrderNote, status: str, reason: str | None) -> None:
        note.status, note.reason = status, reason
        if status == "PAID" and note.shown_paid_at_s is None:
            note.shown_paid_at_s = self._loop_s()

    async def act(self, note: OrderNote, action: str, **body: str) -> SeenOrder | None:
        """`cancel`, `refund`, `payment`, `check`; None when it is refused or never answered."""
        try:
            order = await self.ask(
                action, lambda: self.account.customer.act(note.order_id, action, **body)
            )
        except (Answered, NoReply):
            return None
        self.saw(note, order.status, order.reason)
        return order

    # In the wallet.

    async def code(self, note: OrderNote, *, other_than: str = "") -> str | None:
        """The payment behind the code that the order shows; None when the order has ended."""
        end_s = self._loop_s() + self.manners.patience_s
        while self._loop_s() < end_s:
            order = await self.look(note)
            if order.status not in OPEN:
                return None
            if order.payment_url:
                payment = await self._open(order.payment_url)
                if payment and payment != other_than:
                    return payment
            await asyncio.sleep(_LOOK_EVERY_S)
        raise GaveUp("code")

    async def _open(self, url: str) -> str | None:
        with suppress(Answered, NoReply):
            return await self.ask("wallet", lambda: self.account.customer.open_payment_page(url))
        return None

    async def pay(self, note: OrderNote, payment: str, act: str = "pay") -> bool:
        """`pay`, `decline` or `expire`; whether the wallet did it."""
        started_s = self._loop_s()
        try:
            await self.ask("wallet", lambda: self.account.customer.pay(payment, act))
        except (Answered, NoReply):
            return False
        if act == "pay" and note.paid_at_s is None:
            note.paid_at_s = started_s
        return True

    # Time.

    async def think(self, share: float = 1.0) -> None:
        await asyncio.sleep(self.planned.pause * share * self.manners.think_s)

    async def until(self, moment: str | None, *, plus_s: float) -> bool:
        """Waits for a moment that the shop named; False when that is longer than the patience.

        Somebody who waits keeps nobody else from coming.
        """
        if moment is None:
            return True
        left_s = (to_ms(parse_wire(moment)) - self.clock.now_ms()) / 1000 + plus_s
        if left_s > self.manners.patience_s:
            return False
        await self._rest(max(0.0, left_s))
        return True

    def _loop_s(self) -> float:
        return asyncio.get_running_loop().time()
