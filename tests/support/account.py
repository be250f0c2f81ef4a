"""An account-service of its own for a story: real tables in memory, a clock turned by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from tests.support.storage import HandClock

from kessai.account.application import Accounts
from kessai.account.domain import DEMO_ROLES, FirstSignIn
from kessai.account.gateway import SqlUsers, SqlWallets
from kessai.contracts.account import (
    Credit,
    CreditBalance,
    Hold,
    HoldBalance,
    HoldById,
    SyncUser,
    User,
    UserById,
)
from kessai.kernel.chance import SeededChance
from kessai.kernel.db import Db, open_database
from kessai.kernel.ids import RandomIds, content_id
from kessai.kernel.migrations import migrate

LOCAL = FirstSignIn(opening_yen=1000, roles=DEMO_ROLES)


@dataclass(frozen=True)
class Purse:
    """A wallet as SQL has it."""

    available: int
    held: int


@dataclass
class AccountStory:
    db: Db
    clock: HandClock
    accounts: Accounts

    def over(self, db: Db) -> Accounts:
        """Another instance of the service."""
        ids = RandomIds(self.clock, SeededChance(7))
        return Accounts(db, self.clock, ids, SqlUsers(), SqlWallets(), LOCAL)

    async def sign_in(
        self, uid: str = "uid-1", email: str | None = None, name: str | None = None
    ) -> User:
        return await self.accounts.sync_user(SyncUser(firebase_uid=uid, email=email, name=name))

    async def balance(self, user: User) -> int:
        return (await self.accounts.get_account(UserById(user_id=user.user_id))).balance

    async def hold(self, hold_id: str, user: User, amount: int) -> Hold:
        return await self.accounts.hold_balance(hold_of(hold_id, user, amount))

    async def capture(self, hold_id: str) -> Hold:
        return await self.accounts.capture_hold(HoldById(hold_id=hold_id))

    async def release(self, hold_id: str) -> Hold:
        return await self.accounts.release_hold(HoldById(hold_id=hold_id))

    async def credit(self, credit_id: str, user: User, amount: int) -> Credit:
        return await self.accounts.credit_balance(
            CreditBalance(credit_id=credit_id, user_id=user.user_id, amount=amount, reason="refund")
        )

    async def rows(self, sql: str) -> list[dict[str, Any]]:
        async with self.db.read() as tx:
            return [dict(row) for row in (await tx.run(text(sql))).all()]

    async def purse(self) -> Purse:
        """Of the only user."""
        [row] = await self.rows("SELECT available, held FROM wallet")
        return Purse(**row)

    async def disagreements(self) -> list[dict[str, Any]]:
        """Where a wallet differs from the sum of its ledger."""
        return await self.rows(
            "SELECT w.user_id FROM wallet w LEFT JOIN balance_ledger l ON l.user_id = w.user_id"
            " GROUP BY w.user_id, w.available, w.held"
            " HAVING w.available <> COALESCE(SUM(l.available_delta), 0)"
            " OR w.held <> COALESCE(SUM(l.held_delta), 0)"
        )


def hold_of(hold_id: str, user: User, amount: int) -> HoldBalance:
    return HoldBalance(
        hold_id=hold_id, user_id=user.user_id, order_id=content_id(hold_id), amount=amount
    )


@asynccontextmanager
async def an_account_service(first: FirstSignIn = LOCAL) -> AsyncIterator[AccountStory]:
    clock = HandClock()
    db = await open_database("sqlite:")
    migrate(db, "account")
    ids = RandomIds(clock, SeededChance(7))
    accounts = Accounts(db, clock, ids, SqlUsers(), SqlWallets(), first)
    try:
        yield AccountStory(db, clock, accounts)
    finally:
        await db.close()
