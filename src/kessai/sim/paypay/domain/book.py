"""One payment in the book: dated facts, from which its status at any moment follows.

What takes effect later (a cancel, a refund, the end of an authorisation) is written at once with
its future date, so time alone moves the status: no timer, and a look into the past is the same
function of an earlier moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kessai.contracts.paypay import CreateCode, ProviderStatus, RefundState
from kessai.sim.paypay.domain.table import Flow

Payer = Literal["page", "api"]


@dataclass(frozen=True, slots=True)
class Refund:
    """`settles_at_ms`: until then it is CREATED, from then on REFUNDED."""

    merchant_refund_id: str
    amount_yen: int
    asked_at_ms: int
    settles_at_ms: int
    requested_at_s: int
    reason: str | None = None

    def state_at(self, at_ms: int) -> RefundState:
        return RefundState.REFUNDED if at_ms >= self.settles_at_ms else RefundState.CREATED


@dataclass(frozen=True, slots=True)
class Ask:
    """The customer is asked for more than was authorised. No answer in time is a no."""

    until_ms: int
    agreed_at_ms: int | None = None
    refused_at_ms: int | None = None

    def is_open(self, at_ms: int) -> bool:
        return not (
            at_ms >= self.until_ms or by(self.agreed_at_ms, at_ms) or by(self.refused_at_ms, at_ms)
        )


@dataclass(frozen=True, slots=True)
class Hold:
    """An amount in reserve from `since_ms` on, until the next one replaces it.

    `since_ms` is None while the customer is still asked. The first one has no `request_id`.
    """

    amount_yen: int
    asked_at_ms: int
    since_ms: int | None
    request_id: str | None = None
    requested_at_s: int | None = None
    ask: Ask | None = None


@dataclass(frozen=True, slots=True)
class Taking:
    """A capture: the money came at `taken_at_ms`, which is None while the customer is asked."""

    merchant_capture_id: str
    amount_yen: int
    asked_at_ms: int
    taken_at_ms: int | None
    requested_at_s: int
    description: str
    ask: Ask | None = None


@dataclass(frozen=True, slots=True)
class Reverted:
    merchant_revert_id: str
    at_ms: int
    requested_at_s: int
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Payment:
    """`paid_at_ms`: when money came, for an authorisation that of the capture.

    `reversed_at_ms`: a cancel that won ends the payment then. Ids of PayPay's come late.
    """

    asked: CreateCode
    code_id: str
    created_at_ms: int
    expires_at_s: int
    deleted_at_ms: int | None = None
    payment_id: str | None = None
    paid_at_ms: int | None = None
    paid_by: Payer | None = None
    declined_at_ms: int | None = None
    cancel_asked_at_ms: int | None = None
    reversed_at_ms: int | None = None
    refunds: tuple[Refund, ...] = ()
    authorized_at_ms: int | None = None
    authorized_until_ms: int | None = None
    holds: tuple[Hold, ...] = ()
    takings: tuple[Taking, ...] = ()
    reverted: Reverted | None = None

    @property
    def merchant_payment_id(self) -> str:
        return self.asked.merchant_payment_id

    @property
    def flow(self) -> Flow:
        return "preauth" if self.asked.is_authorization else "instant"

    @property
    def amount_yen(self) -> int:
        """What the code asked for."""
        return self.asked.amount.amount

    @property
    def captured_yen(self) -> int:
        """What came, or will as soon as `paid_at_ms` is there: less or more than authorised."""
        if self.paid_at_ms is None:
            return 0
        if not self.asked.is_authorization:
            return self.amount_yen
        return sum(taking.amount_yen for taking in self.takings if taking.taken_at_ms is not None)

    @property
    def refunded_yen(self) -> int:
        return sum(refund.amount_yen for refund in self.refunds)

    def held_yen(self, at_ms: int) -> int:
        """The amount that is authorised."""
        known = [hold.amount_yen for hold in self.holds if by(hold.since_ms, at_ms)]
        return known[-1] if known else self.amount_yen

    def open_ask(self, at_ms: int) -> Hold | Taking | None:
        """The increase that waits for the customer; there is at most one."""
        if self.cancel_asked_at_ms is not None:
            return None
        wishes: tuple[Hold | Taking, ...] = (*self.takings[-1:], *self.holds[-1:])
        for wish in wishes:
            if wish.ask is not None and wish.asked_at_ms <= at_ms and wish.ask.is_open(at_ms):
                return wish
        return None

    def status_at(self, at_ms: int) -> ProviderStatus:
        if by(self.declined_at_ms, at_ms) or by(self.reversed_at_ms, at_ms):
            return ProviderStatus.FAILED
        if any(by(refund.settles_at_ms, at_ms) for refund in self.refunds):
            return ProviderStatus.REFUNDED
        if by(self.paid_at_ms, at_ms):
            return ProviderStatus.COMPLETED
        if not by(self.authorized_at_ms, at_ms):
            return ProviderStatus.CREATED
        return self._authorization_at(at_ms)

    def _authorization_at(self, at_ms: int) -> ProviderStatus:
        if self.reverted is not None and self.reverted.at_ms <= at_ms:
            return ProviderStatus.CANCELED
        last = self.takings[-1] if self.takings else None
        if last is not None and last.ask is not None and by(last.ask.agreed_at_ms, at_ms):
            return ProviderStatus.REAUTHORIZING
        if by(self.authorized_until_ms, at_ms):
            return ProviderStatus.EXPIRED
        return ProviderStatus.AUTHORIZED

    def is_expired(self, at_ms: int) -> bool:
        """From the very second of `expires_at_s` on; a paid code does not expire."""
        return (
            self.paid_at_ms is None
            and self.authorized_at_ms is None
            and at_ms >= self.expires_at_s * 1000
        )

    def is_payable(self, at_ms: int) -> bool:
        return (
            self.status_at(at_ms) is ProviderStatus.CREATED
            and self.deleted_at_ms is None
            and not self.is_expired(at_ms)
        )

    def refund_of(self, merchant_refund_id: str) -> Refund | None:
        return next((r for r in self.refunds if r.merchant_refund_id == merchant_refund_id), None)


def by(moment_ms: int | None, at_ms: int) -> bool:
    """Whether it has happened at that time."""
    return moment_ms is not None and moment_ms <= at_ms
