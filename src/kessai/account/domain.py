"""Rules of accounts: first roles, what an e-mail may decide, how money moves in a wallet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from kessai.contracts.account import Role
from kessai.contracts.moves import HoldStatus
from kessai.kernel.money import MAX_YEN

# The simulator's own accounts. An e-mail decides nothing anywhere else.
DEMO_ROLES: Mapping[str, Role] = {
    "operator@example.com": Role.OPERATOR,
    "viewer@example.com": Role.VIEWER,
}


class Kind(StrEnum):
    OPENING = "OPENING"
    CREDIT = "CREDIT"
    HOLD = "HOLD"
    CAPTURE = "CAPTURE"
    RELEASE = "RELEASE"


@dataclass(frozen=True, slots=True)
class FirstSignIn:
    """What a new user starts with. `roles` by e-mail address are for the local demo only."""

    opening_yen: int = 0
    roles: Mapping[str, Role] | None = None

    def role_of(self, email: str | None) -> Role:
        return (self.roles or {}).get((email or "").lower(), Role.CUSTOMER)


@dataclass(frozen=True, slots=True)
class Held:
    """A hold as it is kept; one that was refused, or released before it was made, has no user and
    no amount, and the latter no order either."""

    hold_id: str
    user_id: str | None
    order_id: str | None
    amount: int
    status: HoldStatus


@dataclass(frozen=True, slots=True)
class Credited:
    credit_id: str
    user_id: str
    amount: int
    balance_after: int


@dataclass(frozen=True, slots=True)
class Movement:
    """One row of the balance ledger; (cause, kind) happens once. Yen."""

    user_id: str
    kind: Kind
    cause_id: str
    available: int = 0
    held: int = 0


def holding(hold: Held, user_id: str) -> Movement:
    return Movement(user_id, Kind.HOLD, hold.hold_id, available=-hold.amount, held=hold.amount)


def capturing(hold: Held, user_id: str) -> Movement:
    return Movement(user_id, Kind.CAPTURE, hold.hold_id, held=-hold.amount)


def releasing(hold: Held, user_id: str) -> Movement:
    return Movement(user_id, Kind.RELEASE, hold.hold_id, available=hold.amount, held=-hold.amount)


def fits(balance: int, more: int) -> bool:
    """Whether a wallet can take it: no balance is longer than an amount of money may be."""
    return balance + more <= MAX_YEN
