"""What the people at the simulator do: look, disable, give claims, rotate keys, start over."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from kessai.kernel.clock import Clock
from kessai.kernel.db import Db, Tx
from kessai.kernel.errors import JsonValue, NotFound
from kessai.kernel.telemetry import get_log
from kessai.sim.firebase.application.guard import SignInGuard
from kessai.sim.firebase.application.members import Members
from kessai.sim.firebase.application.ports import Accounts, KeyForge, Keys, Mails, Passwords, Tokens
from kessai.sim.firebase.domain import (
    SEED_PASSWORD,
    SEEDS,
    Account,
    Limits,
    Mail,
    checked_claims,
    is_rotation_due,
    newest_of_all,
    served_keys,
)

_LISTED: Final = 100
_log: Final = get_log("kessai.sim.firebase")


@dataclass(frozen=True, slots=True)
class Switches:
    """None leaves a switch as it is. Claims replace those that the account had."""

    disabled: bool | None = None
    email_verified: bool | None = None
    custom_claims: Mapping[str, JsonValue] | None = None


class Control:
    def __init__(
        self,
        db: Db,
        accounts: Accounts,
        mails: Mails,
        keys: Keys,
        forge: KeyForge,
        tokens: Tokens,
        passwords: Passwords,
        members: Members,
        guard: SignInGuard,
        *,
        clock: Clock,
        limits: Limits,
    ) -> None:
        self._db = db
        self._accounts = accounts
        self._mails = mails
        self._keys = keys
        self._forge = forge
        self._tokens = tokens
        self._passwords = passwords
        self._members = members
        self._guard = guard
        self._clock = clock
        self._limits = limits

    async def open(self) -> None:
        """Before the first request: keys are there, and on the very first start the accounts."""
        async with self._db.read() as tx:
            keys = await self._keys.list_all(tx)
        if not keys:
            await self._start_over()
        if is_rotation_due(keys, self._clock.now_ms(), self._limits):
            await self.rotate_keys()
        else:
            self._tokens.use_keys(served_keys(keys, self._clock.now_ms(), self._limits))

    async def keep_keys_young(self) -> None:
        """A loop for the Supervisor: replaces the key in time, drops those that nobody needs."""
        while True:
            await asyncio.sleep(self._limits.check_keys_s)
            async with self._db.read() as tx:
                keys = await self._keys.list_all(tx)
            if is_rotation_due(keys, self._clock.now_ms(), self._limits):
                await self.rotate_keys()
            else:
                self._tokens.use_keys(served_keys(keys, self._clock.now_ms(), self._limits))

    async def rotate_keys(self) -> Sequence[str]:
        """A new key signs from now on; the ids of all that are published, the new one first."""
        now_ms = self._clock.now_ms()
        key = self._forge.new_key(now_ms)
        async with self._db.transaction() as tx:
            old_keys = await self._keys.list_all(tx)
            key = newest_of_all(key, old_keys)
            served = served_keys([key, *old_keys], now_ms, self._limits)
            await self._keys.add(tx, key)
            for old in old_keys:
                if old not in served:
                    await self._keys.delete(tx, old.kid)
        self._tokens.use_keys(served)
        _log.info("signing_key.rotated", kid=served[0].kid, published=len(served))
        return [each.kid for each in served]

    async def list_accounts(self) -> Sequence[Account]:
        async with self._db.read() as tx:
            return await self._accounts.list_all(tx, _LISTED)

    async def list_mails(self) -> Sequence[Mail]:
        """Newest first."""
        async with self._db.read() as tx:
            return await self._mails.list_newest(tx, _LISTED)

    async def switch_account(self, local_id: str, switches: Switches) -> Account:
        async with self._db.transaction() as tx:
            account = await self._accounts.find(tx, local_id)
            if account is None:
                raise NotFound(f"no account {local_id}")
            account = _switched(account, switches)
            await self._accounts.save(tx, account)
        _log.info("account.switched", local_id=local_id, disabled=account.disabled)
        return account

    async def reset(self) -> Sequence[Account]:
        """Accounts as at the first start, no mails, nobody locked; the keys stay."""
        await self._start_over()
        self._guard.forget_all()
        return await self.list_accounts()

    async def _start_over(self) -> None:
        password_hash = self._passwords.hash(SEED_PASSWORD)
        seeds = [
            replace(
                self._members.new_account(seed.email, password_hash, seed.local_id),
                display_name=seed.display_name,
                email_verified=True,
            )
            for seed in SEEDS
        ]
        async with self._db.transaction() as tx:
            await self._replace_all(tx, seeds)

    async def _replace_all(self, tx: Tx, accounts: Sequence[Account]) -> None:
        await self._mails.delete_all(tx)
        await self._accounts.delete_all(tx)
        for account in accounts:
            await self._accounts.add(tx, account)


def _switched(account: Account, switches: Switches) -> Account:
    if switches.disabled is not None:
        account = replace(account, disabled=switches.disabled)
    if switches.email_verified is not None:
        account = replace(account, email_verified=switches.email_verified)
    if switches.custom_claims is not None:
        text = json.dumps(switches.custom_claims, ensure_ascii=False, separators=(",", ":"))
        account = replace(account, custom_claims=checked_claims(switches.custom_claims, text))
    return account
