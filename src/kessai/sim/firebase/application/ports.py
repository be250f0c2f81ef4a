"""What the use cases need from outside: tables, password hashes, tokens, keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from kessai.kernel.db import Tx
from kessai.sim.firebase.domain import Account, IdGrant, Mail, RefreshGrant, SigningKey


class Accounts(Protocol):
    async def find(self, tx: Tx, local_id: str) -> Account | None: ...

    async def find_by_email(self, tx: Tx, email: str) -> Account | None: ...

    async def list_all(self, tx: Tx, limit: int) -> Sequence[Account]: ...

    async def count(self, tx: Tx) -> int: ...

    async def add(self, tx: Tx, account: Account) -> None:
        """Raises `Duplicate` when the address is taken."""
        ...

    async def save(self, tx: Tx, account: Account) -> None:
        """Raises `Duplicate` when the new address is taken."""
        ...

    async def delete(self, tx: Tx, local_id: str) -> None: ...

    async def delete_all(self, tx: Tx) -> None: ...


class Mails(Protocol):
    async def add(self, tx: Tx, mail: Mail, keep: int) -> None:
        """Only the `keep` newest stay."""
        ...

    async def find(self, tx: Tx, code: str) -> Mail | None: ...

    async def mark_used(self, tx: Tx, code: str) -> None: ...

    async def list_newest(self, tx: Tx, limit: int) -> Sequence[Mail]: ...

    async def delete_all(self, tx: Tx) -> None: ...


class Keys(Protocol):
    async def list_all(self, tx: Tx) -> Sequence[SigningKey]: ...

    async def add(self, tx: Tx, key: SigningKey) -> None: ...

    async def delete(self, tx: Tx, kid: str) -> None: ...

    async def keep_secret(self, tx: Tx, name: str, fresh: bytes) -> bytes:
        """The stored secret of that name; `fresh` becomes it where there is none yet."""
        ...


class Passwords(Protocol):
    """Costs about 10 ms of the event loop each."""

    def hash(self, password: str) -> str: ...

    def matches(self, password: str, password_hash: str) -> bool: ...


class Tokens(Protocol):
    def id_token(self, account: Account, auth_time_s: int) -> str: ...

    def read_id_token(self, token: str) -> IdGrant:
        """Raises `Refused` INVALID_ID_TOKEN or TOKEN_EXPIRED."""
        ...

    def refresh_token(self, account: Account, auth_time_s: int) -> str: ...

    def read_refresh_token(self, token: str) -> RefreshGrant:
        """Raises `Refused` INVALID_REFRESH_TOKEN."""
        ...

    def use_keys(self, keys: Sequence[SigningKey]) -> None:
        """The first signs; all of them are published."""
        ...


class KeyForge(Protocol):
    def new_key(self, now_ms: int) -> SigningKey: ...
