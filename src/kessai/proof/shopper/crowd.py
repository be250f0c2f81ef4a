"""The crowd: everybody of the plan, so many at once, each with an account and a mind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from kessai.kernel.clock import Clock
from kessai.proof.customer import Answered, Customer
from kessai.proof.line import LOST
from kessai.proof.shopper.account import Account, Accounts
from kessai.proof.shopper.habits import HABITS, NEEDS_OWN_ACCOUNT
from kessai.proof.shopper.mix import ImpossibleMix
from kessai.proof.shopper.notes import Notes
from kessai.proof.shopper.person import OPEN, GaveUp, Manners, NoReply, Person
from kessai.proof.shopper.plan import Planned
from kessai.proof.shopper.shelf import Shelf, product_of


@dataclass(frozen=True, slots=True)
class Crowding:
    """`concurrency` customers shop at once; who only waits for a deadline is not counted."""

    concurrency: int
    manners: Manners
    sign_in_within_s: float = 60.0


class Crowd:
    def __init__(
        self, new_browser: Callable[[], Customer], clock: Clock, crowding: Crowding
    ) -> None:
        self._new_browser = new_browser
        self._clock = clock
        self._manners = crowding.manners
        self._places = asyncio.Semaphore(crowding.concurrency)
        self._accounts = Accounts(
            crowding.manners.run, new_browser, within_s=crowding.sign_in_within_s
        )
        self.notes = Notes()

    async def shelf(self, plan: Sequence[Planned]) -> Shelf:
        """What they can buy. Raises `ImpossibleMix`, or one of `LOST` when nobody answers."""
        customer = self._new_browser()
        try:
            listed = await customer.products()
            kinds = tuple(dict.fromkeys(planned.kind for planned in plan))
            return Shelf([product_of(row) for row in listed], kinds)
        except (KeyError, ValueError, TypeError) as error:
            if isinstance(error, ImpossibleMix):
                raise
            raise ImpossibleMix("what answers there is no shop") from error
        finally:
            await customer.close()

    async def live(
        self,
        plan: Sequence[Planned],
        shelf: Shelf,
        on_left: Callable[[Planned], None] = lambda _: None,
    ) -> Notes:
        """Everybody comes at their time and leaves; what the last ones saw is noted too."""
        started_s = asyncio.get_running_loop().time()

        async def one(planned: Planned) -> None:
            await asyncio.sleep(started_s + planned.at_s - asyncio.get_running_loop().time())
            await self._come(planned, shelf)
            on_left(planned)

        await asyncio.gather(*(one(planned) for planned in plan))
        return self.notes

    async def _come(self, planned: Planned, shelf: Shelf) -> None:
        await self._places.acquire()
        try:
            own = planned.kind in NEEDS_OWN_ACCOUNT
            account = await self._accounts.take(own=own)
        except TimeoutError:
            self.notes.gave_up["signing in"] += 1
            return
        else:
            self.notes.came[planned.kind] += 1
            await self._shop(planned, account, shelf)
            if not own:
                self._accounts.give_back(account)
        finally:
            self._places.release()

    async def _shop(self, planned: Planned, account: Account, shelf: Shelf) -> None:
        person = Person(planned, account, shelf, self.notes, self._clock, self._manners, self._rest)
        try:
            await HABITS[planned.kind](person)
        except GaveUp as what:
            self.notes.gave_up[str(what)] += 1
        except (NoReply, Answered, TimeoutError):
            # Counted where it happened; this customer leaves, as people do.
            return

    async def _rest(self, seconds: float) -> None:
        self._places.release()
        try:
            await asyncio.sleep(seconds)
        finally:
            await self._places.acquire()

    async def look_again(self, *, within_s: float) -> None:
        """The orders that had not ended when their customers left, until they have."""
        end_s = asyncio.get_running_loop().time() + within_s
        while True:
            left = await self._look_at_open()
            if not left or asyncio.get_running_loop().time() >= end_s:
                return
            await asyncio.sleep(1.0)

    async def _look_at_open(self) -> int:
        """How many are open still."""
        left = 0
        for account in self._accounts.all:
            for note in account.orders.values():
                if note.status not in (*OPEN, "REFUNDING"):
                    continue
                with suppress(Answered, *LOST):
                    order = await account.order(note.order_id)
                    note.status, note.reason = order.status, order.reason
                left += note.status in (*OPEN, "REFUNDING")
        return left

    async def close(self) -> None:
        await self._accounts.close()
