"""The simulator's tables and the statements on them, built once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Column,
    Index,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from kessai.kernel.db import Row, Tx, insert_ignore
from kessai.kernel.kernel_tables import exact
from kessai.sim.firebase.domain import Account, Mail, MailKind, SigningKey

METADATA: Final = MetaData()

ACCOUNTS: Final = Table(
    "accounts",
    METADATA,
    Column("local_id", exact(128), primary_key=True),
    Column("email", exact(254), nullable=False, unique=True),
    Column("password_hash", String(200), nullable=False),
    Column("refresh_mark", exact(16), nullable=False),
    Column("email_verified", SmallInteger, nullable=False),
    Column("display_name", String(256)),
    Column("photo_url", String(2048)),
    Column("disabled", SmallInteger, nullable=False),
    Column("custom_claims", Text, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("last_login_at_ms", BigInteger, nullable=False),
    Column("password_updated_at_ms", BigInteger, nullable=False),
    Column("valid_since_s", BigInteger, nullable=False),
)
Index("ix_accounts_created", ACCOUNTS.c.created_at_ms)

MAILS: Final = Table(
    "mails",
    METADATA,
    Column("code", exact(64), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("email", exact(254), nullable=False),
    Column("local_id", exact(128), nullable=False),
    Column("link", Text, nullable=False),
    Column("sent_at_ms", BigInteger, nullable=False),
    Column("is_used", SmallInteger, nullable=False),
)
Index("ix_mails_sent", MAILS.c.sent_at_ms)

SIGNING_KEYS: Final = Table(
    "signing_keys",
    METADATA,
    Column("kid", exact(64), primary_key=True),
    Column("private_pem", Text, nullable=False),
    Column("certificate_pem", Text, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
)

SECRETS: Final = Table(
    "secrets",
    METADATA,
    Column("name", exact(40), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

_ID: Final[BindParameter[str]] = bindparam("wanted")
_LIMIT: Final[BindParameter[int]] = bindparam("most")
_ACCOUNT: Final = select(ACCOUNTS).where(ACCOUNTS.c.local_id == _ID)
_ACCOUNT_BY_EMAIL: Final = select(ACCOUNTS).where(ACCOUNTS.c.email == _ID)
_ALL_ACCOUNTS: Final = (
    select(ACCOUNTS).order_by(ACCOUNTS.c.created_at_ms, ACCOUNTS.c.local_id).limit(_LIMIT)
)
_COUNT_ACCOUNTS: Final = select(func.count()).select_from(ACCOUNTS)
_ADD_ACCOUNT: Final = insert(ACCOUNTS)
_SAVE_ACCOUNT: Final = (
    update(ACCOUNTS)
    .where(ACCOUNTS.c.local_id == _ID)
    .values({column: bindparam(column.name) for column in ACCOUNTS.c if not column.primary_key})
)
_DELETE_ACCOUNT: Final = delete(ACCOUNTS).where(ACCOUNTS.c.local_id == _ID)
_DELETE_ACCOUNTS: Final = delete(ACCOUNTS)
_MAIL: Final = select(MAILS).where(MAILS.c.code == _ID)
_ADD_MAIL: Final = insert(MAILS)
_USE_MAIL: Final = update(MAILS).where(MAILS.c.code == _ID).values(is_used=1)
_NEWEST_MAILS: Final = select(MAILS).order_by(MAILS.c.sent_at_ms.desc(), MAILS.c.code).limit(_LIMIT)
_OLD_MAILS: Final = (
    select(MAILS.c.code)
    .order_by(MAILS.c.sent_at_ms.desc(), MAILS.c.code)
    .offset(bindparam("keep"))
    .limit(_LIMIT)
)
_DELETE_MAIL: Final = delete(MAILS).where(MAILS.c.code == _ID)
_DELETE_MAILS: Final = delete(MAILS)
_ALL_KEYS: Final = select(SIGNING_KEYS)
_ADD_KEY: Final = insert(SIGNING_KEYS)
_DELETE_KEY: Final = delete(SIGNING_KEYS).where(SIGNING_KEYS.c.kid == _ID)
_SECRET: Final = select(SECRETS.c.value).where(SECRETS.c.name == _ID)
_ADD_SECRET: Final = insert_ignore(SECRETS)


class SqlAccounts:
    async def find(self, tx: Tx, local_id: str) -> Account | None:
        row = (await tx.run(_ACCOUNT, {"wanted": local_id})).first()
        return _account(row) if row else None

    async def find_by_email(self, tx: Tx, email: str) -> Account | None:
        row = (await tx.run(_ACCOUNT_BY_EMAIL, {"wanted": email})).first()
        return _account(row) if row else None

    async def list_all(self, tx: Tx, limit: int) -> Sequence[Account]:
        return [_account(row) for row in (await tx.run(_ALL_ACCOUNTS, {"most": limit})).all()]

    async def count(self, tx: Tx) -> int:
        count = (await tx.run(_COUNT_ACCOUNTS)).scalar()
        assert isinstance(count, int)
        return count

    async def add(self, tx: Tx, account: Account) -> None:
        await tx.run(_ADD_ACCOUNT, {"local_id": account.local_id, **_columns(account)})

    async def save(self, tx: Tx, account: Account) -> None:
        await tx.run(_SAVE_ACCOUNT, {"wanted": account.local_id, **_columns(account)})

    async def delete(self, tx: Tx, local_id: str) -> None:
        await tx.run(_DELETE_ACCOUNT, {"wanted": local_id})

    async def delete_all(self, tx: Tx) -> None:
        await tx.run(_DELETE_ACCOUNTS)


def _account(row: Row) -> Account:
    return Account(
        local_id=row["local_id"],
        email=row["email"],
        password_hash=row["password_hash"],
        refresh_mark=row["refresh_mark"],
        email_verified=bool(row["email_verified"]),
        display_name=row["display_name"],
        photo_url=row["photo_url"],
        disabled=bool(row["disabled"]),
        custom_claims=json.loads(row["custom_claims"]),
        created_at_ms=row["created_at_ms"],
        last_login_at_ms=row["last_login_at_ms"],
        password_updated_at_ms=row["password_updated_at_ms"],
        valid_since_s=row["valid_since_s"],
    )


def _columns(account: Account) -> Mapping[str, object]:
    return {
        "email": account.email,
        "password_hash": account.password_hash,
        "refresh_mark": account.refresh_mark,
        "email_verified": int(account.email_verified),
        "display_name": account.display_name,
        "photo_url": account.photo_url,
        "disabled": int(account.disabled),
        "custom_claims": json.dumps(account.custom_claims),
        "created_at_ms": account.created_at_ms,
        "last_login_at_ms": account.last_login_at_ms,
        "password_updated_at_ms": account.password_updated_at_ms,
        "valid_since_s": account.valid_since_s,
    }


class SqlMails:
    async def add(self, tx: Tx, mail: Mail, keep: int) -> None:
        await tx.run(
            _ADD_MAIL,
            {
                "code": mail.code,
                "kind": mail.kind.value,
                "email": mail.email,
                "local_id": mail.local_id,
                "link": mail.link,
                "sent_at_ms": mail.sent_at_ms,
                "is_used": int(mail.is_used),
            },
        )
        for row in (await tx.run(_OLD_MAILS, {"keep": keep, "most": 10})).all():
            await tx.run(_DELETE_MAIL, {"wanted": row["code"]})

    async def find(self, tx: Tx, code: str) -> Mail | None:
        row = (await tx.run(_MAIL, {"wanted": code})).first()
        return _mail(row) if row else None

    async def mark_used(self, tx: Tx, code: str) -> None:
        await tx.run(_USE_MAIL, {"wanted": code})

    async def list_newest(self, tx: Tx, limit: int) -> Sequence[Mail]:
        return [_mail(row) for row in (await tx.run(_NEWEST_MAILS, {"most": limit})).all()]

    async def delete_all(self, tx: Tx) -> None:
        await tx.run(_DELETE_MAILS)


def _mail(row: Row) -> Mail:
    return Mail(
        code=row["code"],
        kind=MailKind(row["kind"]),
        email=row["email"],
        local_id=row["local_id"],
        link=row["link"],
        sent_at_ms=row["sent_at_ms"],
        is_used=bool(row["is_used"]),
    )


class SqlKeys:
    async def list_all(self, tx: Tx) -> Sequence[SigningKey]:
        return [SigningKey(**row) for row in (await tx.run(_ALL_KEYS)).all()]

    async def add(self, tx: Tx, key: SigningKey) -> None:
        await tx.run(
            _ADD_KEY,
            {
                "kid": key.kid,
                "private_pem": key.private_pem,
                "certificate_pem": key.certificate_pem,
                "created_at_ms": key.created_at_ms,
            },
        )

    async def delete(self, tx: Tx, kid: str) -> None:
        await tx.run(_DELETE_KEY, {"wanted": kid})

    async def keep_secret(self, tx: Tx, name: str, fresh: bytes) -> bytes:
        await tx.run(_ADD_SECRET, {"name": name, "value": fresh})
        value = (await tx.run(_SECRET, {"wanted": name})).scalar()
        assert isinstance(value, bytes)
        return value
