"""Who is signed in where: accounts, their browsers, and a session that may end at any time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from kessai.proof.customer import Answered, Customer, SeenOrder
from kessai.proof.line import LOST
from kessai.proof.shopper.notes import OrderNote

T = TypeVar("T")
PASSWORD: Final = "kessai-shopper"  # noqa: S105 - of accounts at the Firebase simulator
# The bff lets one user watch twenty orders at once, and a list of orders stays short.
CUSTOMERS_OF_ONE: Final = 8
_TRY_EVERY_S: Final = 1.0
_NEW_BROWSER = Callable[[], Customer]


class Account:
    """One account with one browser. `orders` are all that were bought with it."""

    def __init__(self, email: str, new_browser: _NEW_BROWSER) -> None:
        self.email = email
        self.customer = new_browser()
        self.orders: dict[str, OrderNote] = {}
        self.used = 0
        self._new_browser = new_browser
        self._others: list[Account] = []
        self._signing_in = asyncio.Lock()
        self._sessions = 0

    async def open(self, *, within_s: float) -> None:
        """Signs up; an account that exists already signs in. Raises `TimeoutError`."""
        async with asyncio.timeout(within_s):
            while True:
                if await self._begin():
                    return
                await asyncio.sleep(_TRY_EVERY_S)

    async def _begin(self) -> bool:
        try:
            try:
                await self.customer.sign_up(self.email, PASSWORD)
            except Answered as answered:
                if answered.status in (429, 500, 502, 503, 504):
                    await asyncio.sleep(answered.retry_after_s or 0)
                    return False
                # Signed up earlier, by a call whose answer or whose session was lost.
                await self.customer.sign_in(self.email, PASSWORD)
        except (*LOST, Answered):
            return False
        self._sessions += 1
        return True

    async def device(self, *, within_s: float) -> Account:
        """The same person on another device."""
        other = Account(self.email, self._new_browser)
        self._others.append(other)
        await other.open(within_s=within_s)
        other.orders = self.orders
        return other

    async def signed_in(self, call: Callable[[], Awaitable[T]]) -> T:
        """Sessions may end, as in a restart of their store: then open one, and ask once more.

        As a page does it, with the token that Firebase gave; the password is asked for last.
        """
        session = self._sessions
        try:
            return await call()
        except Answered as answered:
            if answered.status != 401:
                raise
        async with self._signing_in:
            if self._sessions == session:
                try:
                    await self.customer.open_session()
                except Answered as answered:
                    if answered.status != 401:
                        raise
                    await self.customer.sign_in(self.email, PASSWORD)
                self._sessions += 1
        return await call()

    async def order(self, order_id: str) -> SeenOrder:
        return await self.signed_in(lambda: self.customer.order(order_id))

    async def close(self) -> None:
        for other in self._others:
            await other.close()
        await self.customer.close()


class Accounts:
    """As many as are needed at once; each serves some customers, one after the other."""

    def __init__(self, run: str, new_browser: _NEW_BROWSER, *, within_s: float) -> None:
        self._run = run
        self._new_browser = new_browser
        self._within_s = within_s
        self._free: list[Account] = []
        self.all: list[Account] = []

    async def take(self, *, own: bool = False) -> Account:
        """`own`: one that nobody used before. Raises `TimeoutError`."""
        if self._free and not own:
            return self._free.pop()
        email = f"{self._run}-{len(self.all)}@example.com"
        account = Account(email, self._new_browser)
        self.all.append(account)
        await account.open(within_s=self._within_s)
        return account

    def give_back(self, account: Account) -> None:
        account.used += 1
        if account.used < CUSTOMERS_OF_ONE:
            self._free.append(account)

    async def close(self) -> None:
        for account in self.all:
            await account.close()
