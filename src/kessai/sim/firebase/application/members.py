"""What the SDK asks for: sign up, sign in, refresh, look up, change, delete, codes by mail."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlencode

from kessai.kernel.chance import Chance
from kessai.kernel.clock import Clock
from kessai.kernel.db import Db, Tx
from kessai.kernel.errors import Duplicate
from kessai.kernel.telemetry import get_log
from kessai.sim.firebase.application.guard import SignInGuard
from kessai.sim.firebase.application.ports import Accounts, Mails, Passwords, Tokens
from kessai.sim.firebase.domain import (
    Account,
    Changes,
    IdGrant,
    Limits,
    Mail,
    MailKind,
    changed,
    check_code,
    check_not_revoked,
    check_recent_login,
    check_usable,
    checked_email,
    checked_new_password,
    checked_password,
    no,
    with_password,
)

_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_LOCAL_ID_LENGTH: Final = 28
_MODES: Final = {MailKind.PASSWORD_RESET: "resetPassword", MailKind.VERIFY_EMAIL: "verifyEmail"}
_log: Final = get_log("kessai.sim.firebase")


@dataclass(frozen=True, slots=True)
class TokenPair:
    id_token: str
    refresh_token: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    account: Account
    tokens: TokenPair


class Members:
    """Each use case is one transaction; hashes are made outside of it."""

    def __init__(
        self,
        db: Db,
        accounts: Accounts,
        mails: Mails,
        passwords: Passwords,
        tokens: Tokens,
        guard: SignInGuard,
        *,
        clock: Clock,
        chance: Chance,
        limits: Limits,
        action_url: str,
    ) -> None:
        self._db = db
        self._accounts = accounts
        self._mails = mails
        self._passwords = passwords
        self._tokens = tokens
        self._guard = guard
        self._clock = clock
        self._chance = chance
        self._limits = limits
        self._action_url = action_url
        self._decoy = ""

    async def sign_up(
        self, email: str | None, password: str | None, display_name: str | None = None
    ) -> SignedIn:
        if not email and not password:
            # Without either it is an anonymous sign-in, which this project does not offer.
            raise no("ADMIN_ONLY_OPERATION")
        address, secret = checked_email(email), checked_new_password(password)
        account = changed(
            self.new_account(address, self._passwords.hash(secret)),
            Changes(display_name=display_name),
        )
        try:
            async with self._db.transaction() as tx:
                if await self._accounts.count(tx) >= self._limits.max_accounts:
                    raise no("QUOTA_EXCEEDED", "Exceeded quota for creating users.")
                await self._accounts.add(tx, account)
        except Duplicate as error:
            raise no("EMAIL_EXISTS") from error
        _log.info("account.created", local_id=account.local_id)
        return self._signed_in(account)

    def new_account(self, email: str, password_hash: str, local_id: str = "") -> Account:
        now_ms = self._clock.now_ms()
        return Account(
            local_id=local_id or self._new_local_id(),
            email=email,
            password_hash=password_hash,
            created_at_ms=now_ms,
            last_login_at_ms=now_ms,
            password_updated_at_ms=now_ms,
            valid_since_s=now_ms // 1000,
            refresh_mark=self._new_mark(),
        )

    async def sign_in(self, email: str | None, password: str | None) -> SignedIn:
        address, secret = checked_email(email), checked_password(password)
        async with self._db.read() as tx:
            account = await self._accounts.find_by_email(tx, address)
        self._guard.check(address)
        # An unknown address takes as long as a wrong password; who never meets one never waits.
        self._decoy = self._decoy or self._passwords.hash("nobody's password")
        password_hash = account.password_hash if account else self._decoy
        if not self._passwords.matches(secret, password_hash) or account is None:
            self._guard.wrong(address)
            _log.info("sign_in.refused")
            raise no("INVALID_LOGIN_CREDENTIALS")
        self._guard.right(address)
        async with self._db.transaction() as tx:
            # It may have been disabled or changed since it was read.
            account = check_usable(await self._accounts.find(tx, account.local_id))
            if account.password_hash != password_hash:
                raise no("INVALID_LOGIN_CREDENTIALS")
            account = replace(account, last_login_at_ms=self._clock.now_ms())
            await self._accounts.save(tx, account)
        return self._signed_in(account)

    async def refresh(self, refresh_token: str | None) -> SignedIn:
        if not refresh_token:
            raise no("MISSING_REFRESH_TOKEN")
        grant = self._tokens.read_refresh_token(refresh_token)
        async with self._db.read() as tx:
            account = check_usable(await self._accounts.find(tx, grant.local_id))
        if account.refresh_mark != grant.mark:
            raise no("TOKEN_EXPIRED")
        return SignedIn(account, self._tokens_for(account, grant.auth_time_s))

    async def look_up(self, id_token: str | None) -> Account:
        async with self._db.read() as tx:
            return await self._owner(tx, self._grant(id_token))

    async def change_profile(self, id_token: str | None, changes: Changes) -> SignedIn:
        """Name and picture; a new address goes through `change_credential`."""
        grant = self._grant(id_token)
        async with self._db.transaction() as tx:
            account = changed(await self._owner(tx, grant), changes)
            await self._accounts.save(tx, account)
        return SignedIn(account, self._tokens_for(account, grant.auth_time_s))

    async def change_credential(
        self, id_token: str | None, changes: Changes, password: str | None
    ) -> SignedIn:
        """A new address or password ends every other session, so it comes with new tokens."""
        grant = self._grant(id_token)
        check_recent_login(grant, self._now_s(), self._limits.recent_login_s)
        new_hash = (
            None if password is None else self._passwords.hash(checked_new_password(password))
        )
        now_ms = self._clock.now_ms()
        try:
            async with self._db.transaction() as tx:
                account = changed(await self._owner(tx, grant), changes)
                account = with_password(
                    account, new_hash or account.password_hash, self._new_mark(), now_ms
                )
                await self._accounts.save(tx, account)
        except Duplicate as error:
            raise no("EMAIL_EXISTS") from error
        return self._signed_in(account)

    async def delete(self, id_token: str | None) -> None:
        grant = self._grant(id_token)
        check_recent_login(grant, self._now_s(), self._limits.recent_login_s)
        async with self._db.transaction() as tx:
            account = await self._owner(tx, grant)
            await self._accounts.delete(tx, account.local_id)
        _log.info("account.deleted", local_id=account.local_id)

    async def mail_reset_code(self, email: str | None, api_key: str) -> str:
        """The address, whether or not anybody lives there: the answer must not tell."""
        address = checked_email(email)
        async with self._db.transaction() as tx:
            account = await self._accounts.find_by_email(tx, address)
            if account is not None:
                mail = self._mail_to(account, MailKind.PASSWORD_RESET, api_key)
                await self._mails.add(tx, mail, self._limits.max_mails)
        return address

    async def mail_verification_code(self, id_token: str | None, api_key: str) -> str:
        grant = self._grant(id_token)
        async with self._db.transaction() as tx:
            account = await self._owner(tx, grant)
            mail = self._mail_to(account, MailKind.VERIFY_EMAIL, api_key)
            await self._mails.add(tx, mail, self._limits.max_mails)
        return account.email

    async def read_code(self, code: str | None) -> Mail:
        async with self._db.read() as tx:
            return await self._valid_mail(tx, code)

    async def reset_password(self, code: str | None, password: str) -> Mail:
        """Who can read the mail owns the address, so it counts as verified."""
        await self.read_code(code)
        new_hash = self._passwords.hash(checked_new_password(password))
        async with self._db.transaction() as tx:
            mail = await self._valid_mail(tx, code)
            if mail.kind is not MailKind.PASSWORD_RESET:
                raise no("INVALID_OOB_CODE")
            account = check_usable(await self._accounts.find(tx, mail.local_id))
            now_ms = self._clock.now_ms()
            account = with_password(account, new_hash, self._new_mark(), now_ms)
            await self._accounts.save(tx, replace(account, email_verified=True))
            await self._mails.mark_used(tx, mail.code)
        self._guard.right(mail.email)
        return mail

    async def verify_email(self, code: str | None) -> Account:
        async with self._db.transaction() as tx:
            mail = await self._valid_mail(tx, code)
            account = check_usable(await self._accounts.find(tx, mail.local_id))
            if mail.kind is not MailKind.VERIFY_EMAIL or mail.email != account.email:
                raise no("INVALID_OOB_CODE")
            account = replace(account, email_verified=True)
            await self._accounts.save(tx, account)
            await self._mails.mark_used(tx, mail.code)
        return account

    def _grant(self, id_token: str | None) -> IdGrant:
        if not id_token:
            raise no("MISSING_ID_TOKEN")
        return self._tokens.read_id_token(id_token)

    async def _owner(self, tx: Tx, grant: IdGrant) -> Account:
        account = check_usable(await self._accounts.find(tx, grant.local_id))
        check_not_revoked(account, grant)
        return account

    async def _valid_mail(self, tx: Tx, code: str | None) -> Mail:
        if not code:
            raise no("MISSING_OOB_CODE")
        found = await self._mails.find(tx, code)
        return check_code(found, self._clock.now_ms(), self._limits.oob_code_s)

    def _mail_to(self, account: Account, kind: MailKind, api_key: str) -> Mail:
        code = base64.urlsafe_b64encode(self._chance.token_bytes(33)).decode()
        query = urlencode({"mode": _MODES[kind], "oobCode": code, "apiKey": api_key, "lang": "ja"})
        return Mail(
            code=code,
            kind=kind,
            email=account.email,
            local_id=account.local_id,
            link=f"{self._action_url}?{query}",
            sent_at_ms=self._clock.now_ms(),
        )

    def _signed_in(self, account: Account) -> SignedIn:
        return SignedIn(account, self._tokens_for(account, self._now_s()))

    def _tokens_for(self, account: Account, auth_time_s: int) -> TokenPair:
        return TokenPair(
            self._tokens.id_token(account, auth_time_s),
            self._tokens.refresh_token(account, auth_time_s),
        )

    def _now_s(self) -> int:
        return self._clock.now_ms() // 1000

    def _new_mark(self) -> str:
        return self._chance.token_bytes(8).hex()

    def _new_local_id(self) -> str:
        number = int.from_bytes(self._chance.token_bytes(24), "big")
        letters = []
        for _ in range(_LOCAL_ID_LENGTH):
            number, rest = divmod(number, len(_ALPHABET))
            letters.append(_ALPHABET[rest])
        return "".join(letters)
