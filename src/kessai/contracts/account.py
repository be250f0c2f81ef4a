"""What account-service offers: users by Firebase uid, profile, role, wallet balance with holds."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from pydantic import Field

from kessai.contracts.moves import HoldStatus
from kessai.contracts.wire import Nothing, OrderId, UserId, Wire


class Role(StrEnum):
    CUSTOMER = "customer"
    VIEWER = "viewer"
    OPERATOR = "operator"


class SyncUser(Wire):
    """The verified claims of an ID token; the uid names the user, the rest is refreshed."""

    firebase_uid: str = Field(min_length=1, max_length=128)
    email: str | None = Field(default=None, max_length=254)
    name: str | None = Field(default=None, max_length=200)


class User(Wire):
    user_id: UserId
    firebase_uid: str
    email: str | None
    name: str | None
    role: Role


class UserById(Wire):
    user_id: UserId


class Profile(Wire):
    last_name: str | None = Field(default=None, max_length=100)
    first_name: str | None = Field(default=None, max_length=100)
    last_name_kana: str | None = Field(default=None, max_length=100)
    first_name_kana: str | None = Field(default=None, max_length=100)
    birth_date: str | None = Field(default=None, pattern=r"^\d{4}-\d{2}-\d{2}$")
    gender: str | None = Field(default=None, max_length=20)


class Account(Wire):
    user_id: UserId
    email: str | None
    name: str | None
    role: Role
    profile: Profile
    balance: int


class SetProfile(Wire):
    user_id: UserId
    profile: Profile


class SetRole(Wire):
    """`user` is a Firebase uid or an e-mail address."""

    user: str = Field(min_length=1, max_length=254)
    role: Role


class HoldBalance(Wire):
    """Takes the amount out of the available balance. `hold_id` is made by the asker."""

    hold_id: str = Field(max_length=64)
    user_id: UserId
    order_id: OrderId
    amount: int = Field(ge=1)


class HoldById(Wire):
    hold_id: str = Field(max_length=64)


class Hold(Wire):
    hold_id: str
    status: HoldStatus
    amount: int


class CreditBalance(Wire):
    """Adds money to a wallet once per `credit_id` (a refund, a gift, a charge)."""

    credit_id: str = Field(max_length=64)
    user_id: UserId
    amount: int = Field(ge=1)
    reason: str = Field(max_length=60)


class Credit(Wire):
    credit_id: str
    balance: int


class AccountService(Protocol):
    async def sync_user(self, command: SyncUser) -> User:
        """Creates the user at the first sign-in; a repeat changes nothing but e-mail and name."""
        ...

    async def get_account(self, command: UserById) -> Account: ...

    async def set_profile(self, command: SetProfile) -> Account: ...

    async def set_role(self, command: SetRole) -> User: ...

    async def hold_balance(self, command: HoldBalance) -> Hold:
        """Refused INSUFFICIENT_BALANCE; a hold that was released stays released: ILLEGAL_STATE."""
        ...

    async def capture_hold(self, command: HoldById) -> Hold: ...

    async def release_hold(self, command: HoldById) -> Hold:
        """Empty release is remembered: a hold that comes after it is refused."""
        ...

    async def credit_balance(self, command: CreditBalance) -> Credit: ...

    async def ping(self, command: Nothing) -> Nothing: ...
