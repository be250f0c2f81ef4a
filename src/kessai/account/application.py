"""Use cases of accounts and wallets: each one transaction, each the same when it is repeated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from kessai.account.domain import (
    Credited,
    FirstSignIn,
    Held,
    Kind,
    Movement,
    capturing,
    fits,
    holding,
    releasing,
)
from kessai.contracts.account import (
    Account,
    Credit,
    CreditBalance,
    Hold,
    HoldBalance,
    HoldById,
    Profile,
    Role,
    SetProfile,
    SetRole,
    SyncUser,
    User,
    UserById,
)
from kessai.contracts.moves import HOLD_MOVES, HoldStatus, move
from kessai.contracts.wire import Nothing
from kessai.kernel.clock import Clock
from kessai.kernel.db import Db, Tx
from kessai.kernel.errors import IllegalMove, Invalid, KessaiError, NotFound, Refused
from kessai.kernel.ids import Ids
from kessai.kernel.telemetry import get_log

_log = get_log(__name__)
_HELD, _CAPTURED, _RELEASED = HoldStatus.HELD, HoldStatus.CAPTURED, HoldStatus.RELEASED


class Users(Protocol):
    async def by_uid(self, tx: Tx, firebase_uid: str) -> User | None: ...

    async def by_email(self, tx: Tx, email: str) -> Sequence[User]: ...

    async def account(self, tx: Tx, user_id: str) -> Account | None: ...

    async def add(self, tx: Tx, user: User, now_ms: int) -> bool:
        """False when this Firebase uid has a user already."""
        ...

    async def rename(self, tx: Tx, user: User, now_ms: int) -> None: ...

    async def set_profile(self, tx: Tx, user_id: str, profile: Profile, now_ms: int) -> bool: ...

    async def set_role(self, tx: Tx, user_id: str, role: Role, now_ms: int) -> None: ...


class Wallets(Protocol):
    async def open(self, tx: Tx, user_id: str) -> None: ...

    async def balance(self, tx: Tx, user_id: str) -> int | None:
        """What is available, and the row locked; None without a wallet."""
        ...

    async def move(self, tx: Tx, movement: Movement, now_ms: int) -> bool:
        """Moves and writes the ledger. False when an amount would be negative: then nothing is."""
        ...

    async def add_hold(self, tx: Tx, hold: Held, now_ms: int) -> bool: ...

    async def end_hold(self, tx: Tx, hold_id: str, status: HoldStatus, now_ms: int) -> bool:
        """Moves a HELD one to its end; False when there is none or it has ended."""
        ...

    async def hold(self, tx: Tx, hold_id: str) -> Held | None: ...

    async def add_credit(self, tx: Tx, credit: Credited, reason: str, now_ms: int) -> bool: ...

    async def credit(self, tx: Tx, credit_id: str) -> Credited | None: ...


class BooksDisagree(KessaiError):
    """A wallet holds less than its holds say: a fault, not a refusal."""


class Accounts:
    """Implements `contracts.account.AccountService`."""

    def __init__(
        self,
        db: Db,
        clock: Clock,
        ids: Ids,
        users: Users,
        wallets: Wallets,
        first: FirstSignIn,
    ) -> None:
        self._db = db
        self._clock = clock
        self._ids = ids
        self._users = users
        self._first = first
        self._wallets = wallets
        self._purse = _Purse(db, clock, wallets)

    async def sync_user(self, command: SyncUser) -> User:
        """A sign-in that brings nothing new writes nothing."""
        async with self._db.read() as tx:
            known = await self._users.by_uid(tx, command.firebase_uid)
        if known is not None and _with_claims(known, command) == known:
            return known
        now_ms = self._clock.now_ms()
        new = User(
            user_id=self._ids.new(),
            firebase_uid=command.firebase_uid,
            email=command.email,
            name=command.name,
            role=self._first.role_of(command.email),
        )
        async with self._db.transaction() as tx:
            # The unique uid decides which of two first sign-ins makes the user.
            if known is None and await self._users.add(tx, new, now_ms):
                await self._open_wallet(tx, new.user_id, now_ms)
                return new
            known = await self._users.by_uid(tx, command.firebase_uid)
            if known is None:
                raise NotFound("the user is gone")
            renamed = _with_claims(known, command)
            if renamed != known:
                await self._users.rename(tx, renamed, now_ms)
        return renamed

    async def get_account(self, command: UserById) -> Account:
        async with self._db.read() as tx:
            return await self._account(tx, command.user_id)

    async def set_profile(self, command: SetProfile) -> Account:
        now_ms = self._clock.now_ms()
        async with self._db.transaction() as tx:
            if not await self._users.set_profile(tx, command.user_id, command.profile, now_ms):
                raise NotFound("no such user")
            return await self._account(tx, command.user_id)

    async def set_role(self, command: SetRole) -> User:
        """By uid, else by e-mail if it means one user; it is for operators of this machine."""
        async with self._db.transaction() as tx:
            user = await self._users.by_uid(tx, command.user)
            if user is None:
                found = await self._users.by_email(tx, command.user)
                if len(found) > 1:
                    raise Invalid(
                        "user", "AMBIGUOUS", "several users have this e-mail: say the uid"
                    )
                if not found:
                    raise NotFound("no such user; a user exists after the first sign-in")
                user = found[0]
            await self._users.set_role(tx, user.user_id, command.role, self._clock.now_ms())
        _log.info("user.role_set", user_id=user.user_id, was=user.role, role=command.role)
        return user.model_copy(update={"role": command.role})

    async def hold_balance(self, command: HoldBalance) -> Hold:
        return await self._purse.hold(command)

    async def capture_hold(self, command: HoldById) -> Hold:
        return await self._purse.capture(command)

    async def release_hold(self, command: HoldById) -> Hold:
        return await self._purse.release(command)

    async def credit_balance(self, command: CreditBalance) -> Credit:
        return await self._purse.credit(command)

    async def ping(self, command: Nothing) -> Nothing:
        await self._db.ping()
        return command

    async def _account(self, tx: Tx, user_id: str) -> Account:
        account = await self._users.account(tx, user_id)
        if account is None:
            raise NotFound("no such user")
        return account

    async def _open_wallet(self, tx: Tx, user_id: str, now_ms: int) -> None:
        await self._wallets.open(tx, user_id)
        if self._first.opening_yen:
            opening = Movement(user_id, Kind.OPENING, user_id, available=self._first.opening_yen)
            await self._wallets.move(tx, opening, now_ms)


def _with_claims(user: User, claims: SyncUser) -> User:
    """A claim that is absent takes nothing away."""
    return user.model_copy(
        update={"email": claims.email or user.email, "name": claims.name or user.name}
    )


def _was_refused(known: Held) -> bool:
    """A release that came first knows no order."""
    return known.status is _RELEASED and known.order_id is not None and known.user_id is None


class _Purse:
    """Holds and credits, by the rules of reservations: one end, once, in any order of arrival."""

    def __init__(self, db: Db, clock: Clock, wallets: Wallets) -> None:
        self._db = db
        self._clock = clock
        self._wallets = wallets

    async def hold(self, command: HoldBalance) -> Hold:
        """A refusal is written down, so that a repeat that comes when there is money again is
        refused as well: by then its order has failed."""
        asked = Held(command.hold_id, command.user_id, command.order_id, command.amount, _HELD)
        now_ms = self._clock.now_ms()
        try:
            async with self._db.transaction() as tx:
                if await self._wallets.add_hold(tx, asked, now_ms):
                    if not await self._wallets.move(tx, holding(asked, command.user_id), now_ms):
                        raise await self._refusal(tx, command)
                    return _hold(asked)
                known = await self._known(tx, asked.hold_id)
                again = await self._refusal(tx, command) if _was_refused(known) else None
        except Refused as refused:
            if refused.code != "INSUFFICIENT_BALANCE" or await self._write_refusal(asked, now_ms):
                raise
            # Whoever asked for the same meanwhile was first: the answer is theirs.
            return await self.hold(command)
        if again is not None:
            raise again
        if known.status is _RELEASED:
            raise IllegalMove("the hold was released", {"status": known.status})
        if (known.user_id, known.order_id, known.amount) != (
            asked.user_id,
            asked.order_id,
            asked.amount,
        ):
            raise Refused("IDEMPOTENCY_CONFLICT", "this hold id stands for another amount")
        return _hold(known)

    async def capture(self, command: HoldById) -> Hold:
        now_ms = self._clock.now_ms()
        async with self._db.transaction() as tx:
            ended = await self._wallets.end_hold(tx, command.hold_id, _CAPTURED, now_ms)
            known = await self._known(tx, command.hold_id)
            if ended:
                await self._certainly(tx, capturing(known, known.user_id or ""), now_ms)
        if known.status is not _CAPTURED:
            move(HOLD_MOVES, known.status, _CAPTURED)
        return _hold(known)

    async def release(self, command: HoldById) -> Hold:
        """A release that comes before its hold is written down, so that the late one fails."""
        now_ms = self._clock.now_ms()
        empty = Held(command.hold_id, None, None, 0, _RELEASED)
        async with self._db.transaction() as tx:
            if await self._wallets.add_hold(tx, empty, now_ms):
                return _hold(empty)
            ended = await self._wallets.end_hold(tx, command.hold_id, _RELEASED, now_ms)
            known = await self._known(tx, command.hold_id)
            if ended:
                await self._certainly(tx, releasing(known, known.user_id or ""), now_ms)
        if known.status is not _RELEASED:
            move(HOLD_MOVES, known.status, _RELEASED)
        return _hold(known)

    async def credit(self, command: CreditBalance) -> Credit:
        now_ms = self._clock.now_ms()
        async with self._db.transaction() as tx:
            balance = await self._wallets.balance(tx, command.user_id)
            if balance is None:
                raise NotFound("no such user")
            after = Credited(
                command.credit_id, command.user_id, command.amount, balance + command.amount
            )
            if await self._wallets.add_credit(tx, after, command.reason, now_ms):
                if not fits(balance, command.amount):
                    raise Invalid("amount", "OUT_OF_RANGE", "the wallet cannot take that much")
                await self._wallets.move(
                    tx,
                    Movement(
                        command.user_id, Kind.CREDIT, command.credit_id, available=command.amount
                    ),
                    now_ms,
                )
                return Credit(credit_id=after.credit_id, balance=after.balance_after)
            known = await self._wallets.credit(tx, command.credit_id)
        if known is None or (known.user_id, known.amount) != (command.user_id, command.amount):
            raise Refused("IDEMPOTENCY_CONFLICT", "this credit id stands for another amount")
        return Credit(credit_id=known.credit_id, balance=known.balance_after)

    async def _write_refusal(self, asked: Held, now_ms: int) -> bool:
        refused = replace(asked, user_id=None, amount=0, status=_RELEASED)
        async with self._db.transaction() as tx:
            return await self._wallets.add_hold(tx, refused, now_ms)

    async def _refusal(self, tx: Tx, command: HoldBalance) -> Refused:
        """Raised, it undoes the body, the row of the hold included."""
        balance = await self._wallets.balance(tx, command.user_id)
        if balance is None:
            raise NotFound("no such user")
        facts = {"amount": command.amount, "balance": balance}
        return Refused("INSUFFICIENT_BALANCE", "the balance is too low", facts=facts)

    async def _certainly(self, tx: Tx, movement: Movement, now_ms: int) -> None:
        if not await self._wallets.move(tx, movement, now_ms):
            raise BooksDisagree(f"the wallet of {movement.user_id} holds less than its holds say")

    async def _known(self, tx: Tx, hold_id: str) -> Held:
        known = await self._wallets.hold(tx, hold_id)
        if known is None:
            raise NotFound("no such hold")
        return known


def _hold(hold: Held) -> Hold:
    return Hold(hold_id=hold.hold_id, status=hold.status, amount=hold.amount)
