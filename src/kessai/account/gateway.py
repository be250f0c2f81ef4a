"""Users and wallets in SQL."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import (
    BigInteger,
    Column,
    MetaData,
    String,
    Table,
    bindparam,
    insert,
    select,
    update,
)

from kessai.account.domain import Credited, Held, Movement
from kessai.contracts.account import Account, Profile, Role, User
from kessai.contracts.moves import HoldStatus
from kessai.kernel.db import SERIAL, Row, Tx, insert_ignore
from kessai.kernel.kernel_tables import exact

ACCOUNT = MetaData()

USER = Table(
    "user_account",
    ACCOUNT,
    Column("user_id", exact(26), primary_key=True),
    Column("firebase_uid", exact(128), nullable=False, unique=True),
    Column("email", exact(254)),
    Column("name", String(200)),
    Column("role", String(10), nullable=False),
    Column("last_name", String(100)),
    Column("first_name", String(100)),
    Column("last_name_kana", String(100)),
    Column("first_name_kana", String(100)),
    Column("birth_date", String(10)),
    Column("gender", String(20)),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
)

WALLET = Table(
    "wallet",
    ACCOUNT,
    Column("user_id", exact(26), primary_key=True),
    Column("available", BigInteger, nullable=False),
    Column("held", BigInteger, nullable=False),
)

HOLD = Table(
    "hold",
    ACCOUNT,
    Column("hold_id", exact(64), primary_key=True),
    Column("user_id", exact(26)),
    Column("order_id", exact(26)),
    Column("amount", BigInteger, nullable=False),
    Column("status", String(10), nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("ended_at_ms", BigInteger),
)

CREDIT = Table(
    "credit",
    ACCOUNT,
    Column("credit_id", exact(64), primary_key=True),
    Column("user_id", exact(26), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("reason", String(60), nullable=False),
    Column("balance_after", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)

BALANCE_LEDGER = Table(
    "balance_ledger",
    ACCOUNT,
    Column("id", SERIAL, primary_key=True, autoincrement=True),
    Column("user_id", exact(26), nullable=False),
    Column("kind", String(10), nullable=False),
    Column("cause_id", exact(64), nullable=False),
    Column("available_delta", BigInteger, nullable=False),
    Column("held_delta", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)

_PROFILE = tuple(Profile.model_fields)
_OF_USER = USER.c.user_id == bindparam("of_user")
_ADD_USER = insert_ignore(USER)
_BY_UID = select(USER).where(USER.c.firebase_uid == bindparam("of_uid"))
_BY_EMAIL = select(USER).where(USER.c.email == bindparam("of_email")).limit(2)
_ACCOUNT = (
    select(USER, WALLET.c.available)
    .join_from(USER, WALLET, WALLET.c.user_id == USER.c.user_id)
    .where(_OF_USER)
)
_RENAME = (
    update(USER)
    .where(_OF_USER)
    .values(
        email=bindparam("new_email"), name=bindparam("new_name"), updated_at_ms=bindparam("now_ms")
    )
)
_SET_PROFILE = (
    update(USER)
    .where(_OF_USER)
    .values(
        updated_at_ms=bindparam("now_ms"), **{name: bindparam(f"new_{name}") for name in _PROFILE}
    )
)
_SET_ROLE = (
    update(USER)
    .where(_OF_USER)
    .values(role=bindparam("new_role"), updated_at_ms=bindparam("now_ms"))
)


class SqlUsers:
    async def by_uid(self, tx: Tx, firebase_uid: str) -> User | None:
        row = (await tx.run(_BY_UID, {"of_uid": firebase_uid})).first()
        return _user(row) if row else None

    async def by_email(self, tx: Tx, email: str) -> Sequence[User]:
        return [_user(row) for row in (await tx.run(_BY_EMAIL, {"of_email": email})).all()]

    async def account(self, tx: Tx, user_id: str) -> Account | None:
        row = (await tx.run(_ACCOUNT, {"of_user": user_id})).first()
        if row is None:
            return None
        return Account(
            user_id=row["user_id"],
            email=row["email"],
            name=row["name"],
            role=Role(row["role"]),
            profile=Profile(**{name: row[name] for name in _PROFILE}),
            balance=row["available"],
        )

    async def add(self, tx: Tx, user: User, now_ms: int) -> bool:
        row: dict[str, object] = dict.fromkeys(_PROFILE)
        row |= {
            "user_id": user.user_id,
            "firebase_uid": user.firebase_uid,
            "email": user.email,
            "name": user.name,
            "role": user.role,
            "created_at_ms": now_ms,
            "updated_at_ms": now_ms,
        }
        return (await tx.run(_ADD_USER, row)).rowcount == 1

    async def rename(self, tx: Tx, user: User, now_ms: int) -> None:
        names = {"new_email": user.email, "new_name": user.name}
        await tx.run(_RENAME, {"of_user": user.user_id, "now_ms": now_ms, **names})

    async def set_profile(self, tx: Tx, user_id: str, profile: Profile, now_ms: int) -> bool:
        fields = {f"new_{name}": value for name, value in profile.model_dump().items()}
        changed = await tx.run(_SET_PROFILE, {"of_user": user_id, "now_ms": now_ms, **fields})
        return changed.rowcount == 1

    async def set_role(self, tx: Tx, user_id: str, role: Role, now_ms: int) -> None:
        await tx.run(_SET_ROLE, {"of_user": user_id, "new_role": role, "now_ms": now_ms})


def _user(row: Row) -> User:
    return User(
        user_id=row["user_id"],
        firebase_uid=row["firebase_uid"],
        email=row["email"],
        name=row["name"],
        role=Role(row["role"]),
    )


_OPEN = insert(WALLET)
_BALANCE = (
    select(WALLET.c.available).where(WALLET.c.user_id == bindparam("of_user")).with_for_update()
)
_MOVE = (
    update(WALLET)
    .where(
        WALLET.c.user_id == bindparam("of_user"),
        WALLET.c.available + bindparam("more_available") >= 0,
        WALLET.c.held + bindparam("more_held") >= 0,
    )
    .values(
        available=WALLET.c.available + bindparam("more_available"),
        held=WALLET.c.held + bindparam("more_held"),
    )
)
_WRITE_LEDGER = insert(BALANCE_LEDGER)
_OF_HOLD = HOLD.c.hold_id == bindparam("of_hold")
_ADD_HOLD = insert_ignore(HOLD)
_END_HOLD = (
    update(HOLD)
    .where(_OF_HOLD, HOLD.c.status == bindparam("open_status"))
    .values(status=bindparam("end_status"), ended_at_ms=bindparam("now_ms"))
)
_GET_HOLD = select(HOLD).where(_OF_HOLD)
_ADD_CREDIT = insert_ignore(CREDIT)
_GET_CREDIT = select(CREDIT).where(CREDIT.c.credit_id == bindparam("of_credit"))


class SqlWallets:
    async def open(self, tx: Tx, user_id: str) -> None:
        await tx.run(_OPEN, {"user_id": user_id, "available": 0, "held": 0})

    async def balance(self, tx: Tx, user_id: str) -> int | None:
        row = (await tx.run(_BALANCE, {"of_user": user_id})).first()
        return row["available"] if row else None

    async def move(self, tx: Tx, movement: Movement, now_ms: int) -> bool:
        more = {"more_available": movement.available, "more_held": movement.held}
        if (await tx.run(_MOVE, {"of_user": movement.user_id, **more})).rowcount != 1:
            return False
        row = {
            "user_id": movement.user_id,
            "kind": movement.kind,
            "cause_id": movement.cause_id,
            "available_delta": movement.available,
            "held_delta": movement.held,
            "at_ms": now_ms,
        }
        await tx.run(_WRITE_LEDGER, row)
        return True

    async def add_hold(self, tx: Tx, hold: Held, now_ms: int) -> bool:
        row = {
            "hold_id": hold.hold_id,
            "user_id": hold.user_id,
            "order_id": hold.order_id,
            "amount": hold.amount,
            "status": hold.status,
            "created_at_ms": now_ms,
            "ended_at_ms": None if hold.status is HoldStatus.HELD else now_ms,
        }
        return (await tx.run(_ADD_HOLD, row)).rowcount == 1

    async def end_hold(self, tx: Tx, hold_id: str, status: HoldStatus, now_ms: int) -> bool:
        values = {
            "of_hold": hold_id,
            "open_status": HoldStatus.HELD,
            "end_status": status,
            "now_ms": now_ms,
        }
        return (await tx.run(_END_HOLD, values)).rowcount == 1

    async def hold(self, tx: Tx, hold_id: str) -> Held | None:
        row = (await tx.run(_GET_HOLD, {"of_hold": hold_id})).first()
        if row is None:
            return None
        return Held(
            hold_id=row["hold_id"],
            user_id=row["user_id"],
            order_id=row["order_id"],
            amount=row["amount"],
            status=HoldStatus(row["status"]),
        )

    async def add_credit(self, tx: Tx, credit: Credited, reason: str, now_ms: int) -> bool:
        row = {
            "credit_id": credit.credit_id,
            "user_id": credit.user_id,
            "amount": credit.amount,
            "reason": reason,
            "balance_after": credit.balance_after,
            "at_ms": now_ms,
        }
        return (await tx.run(_ADD_CREDIT, row)).rowcount == 1

    async def credit(self, tx: Tx, credit_id: str) -> Credited | None:
        row = (await tx.run(_GET_CREDIT, {"of_credit": credit_id})).first()
        if row is None:
            return None
        return Credited(row["credit_id"], row["user_id"], row["amount"], row["balance_after"])
