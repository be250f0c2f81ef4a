"""The rules of the money ledger, and the check that the entries obey them.

Double entry by shape: an entry has one amount, one account that gives and one that takes, so that
its debits are its credits. What must be checked is that each entry is of a known kind, between the
right accounts, about something that exists, and that none is missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeGuard

from kessai.contracts.moves import RefundStatus
from kessai.kernel.money import MAX_YEN

CAPTURE, RETURN, REFUND = "CAPTURE", "RETURN", "REFUND"
KINDS = frozenset({CAPTURE, RETURN, REFUND})


def provider_account(name: str) -> str:
    """What a provider owes us; an asset, so captures are its debits."""
    return f"provider:{name}"


def order_account(order_id: str) -> str:
    """What we owe an order, in goods or in money; a liability, so captures are its credits."""
    return f"order:{order_id}"


@dataclass(frozen=True, slots=True)
class Entry:
    id: str
    order_id: str
    merchant_payment_id: str
    kind: str
    debit_account: str
    credit_account: str
    # As the database has it: the check does not believe in the column's type.
    amount_yen: object
    refund_id: str | None = None


@dataclass(frozen=True, slots=True)
class Captured:
    """An attempt as the check needs it: `yen` is what the provider holds for us."""

    id: str
    order_id: str
    provider: str
    yen: int


@dataclass(frozen=True, slots=True)
class PaidBack:
    id: str
    order_id: str
    merchant_payment_id: str
    provider: str
    yen: int
    status: str


@dataclass(frozen=True, slots=True)
class OrderBooks:
    """All that is written down of one order's money."""

    order_id: str
    attempts: Collection[Captured] = ()
    refunds: Collection[PaidBack] = ()
    entries: Collection[Entry] = ()


@dataclass(frozen=True, slots=True)
class Fault:
    """`code` is stable; `subject` names the entry, attempt, refund or order."""

    code: str
    order_id: str
    subject: str
    why: str


@dataclass(slots=True)
class Totals:
    """Debits and credits of the accounts; those of the orders are one line."""

    entries: int = 0
    debits: Counter[str] = field(default_factory=Counter)
    credits: Counter[str] = field(default_factory=Counter)

    def add(self, entry: Entry) -> None:
        if not is_yen(entry.amount_yen):
            return
        self.entries += 1
        self.debits[account_group(entry.debit_account)] += entry.amount_yen
        self.credits[account_group(entry.credit_account)] += entry.amount_yen

    @property
    def is_balanced(self) -> bool:
        return self.debits.total() == self.credits.total()


def account_group(account: str) -> str:
    return "orders" if account.startswith("order:") else account


def is_yen(amount: object) -> TypeGuard[int]:
    return type(amount) is int and 1 <= amount <= MAX_YEN


def check_order(books: OrderBooks) -> list[Fault]:
    """What is wrong with one order's entries; nothing when its account is right to the yen."""
    attempts = {one.id: one for one in books.attempts}
    refunds = {one.id: one for one in books.refunds}
    faults = [fault for entry in books.entries for fault in _entry(entry, attempts, refunds)]
    faults += _attempts(books)
    faults += _refunds(books, attempts)
    balance_yen = sum(_signed(entry) for entry in books.entries)
    held_yen = sum(one.yen for one in books.attempts) - sum(
        one.yen for one in books.refunds if one.status == RefundStatus.COMPLETED
    )
    if balance_yen != held_yen:
        why = f"the account holds {balance_yen}, captured less paid back is {held_yen}"
        faults.append(Fault("BALANCE", books.order_id, books.order_id, why))
    if balance_yen < 0:
        why = f"more went back than came: {balance_yen}"
        faults.append(Fault("NEGATIVE", books.order_id, books.order_id, why))
    return faults


def _entry(
    entry: Entry, attempts: Mapping[str, Captured], refunds: Mapping[str, PaidBack]
) -> Iterator[Fault]:
    def fault(code: str, why: str) -> Fault:
        return Fault(code, entry.order_id, entry.id, why)

    if not is_yen(entry.amount_yen):
        yield fault("AMOUNT", f"{entry.amount_yen!r} is no whole number of yen from 1 on")
    if entry.kind not in KINDS:
        yield fault("KIND", f"there is no kind {entry.kind}")
        return
    attempt = attempts.get(entry.merchant_payment_id)
    if attempt is None:
        yield fault("NO_ATTEMPT", f"no attempt {entry.merchant_payment_id} of this order")
        return
    taking = provider_account(attempt.provider), order_account(entry.order_id)
    expected = taking if entry.kind == CAPTURE else taking[::-1]
    if (entry.debit_account, entry.credit_account) != expected:
        yield fault(
            "ACCOUNTS", f"{entry.kind} from {entry.credit_account} to {entry.debit_account}"
        )
    if entry.kind != REFUND:
        return
    refund = refunds.get(entry.refund_id or "")
    if refund is None or refund.merchant_payment_id != entry.merchant_payment_id:
        yield fault("NO_REFUND", f"no refund {entry.refund_id} of this payment")
    elif refund.status != RefundStatus.COMPLETED:
        yield fault("NO_REFUND", f"refund {refund.id} is {refund.status}")
    elif refund.yen != entry.amount_yen:
        yield fault("AMOUNT", f"{entry.amount_yen}, and the refund is {refund.yen}")


def _attempts(books: OrderBooks) -> Iterator[Fault]:
    for attempt in books.attempts:
        entered_yen = sum(
            _signed(entry)
            for entry in books.entries
            if entry.merchant_payment_id == attempt.id and entry.kind != REFUND
        )
        if entered_yen != attempt.yen:
            why = f"{attempt.yen} is captured, the entries say {entered_yen}"
            yield Fault("CAPTURE", books.order_id, attempt.id, why)


def _refunds(books: OrderBooks, attempts: Mapping[str, Captured]) -> Iterator[Fault]:
    entered = Counter(entry.refund_id for entry in books.entries if entry.kind == REFUND)
    for refund in books.refunds:
        if refund.merchant_payment_id not in attempts:
            why = f"no attempt {refund.merchant_payment_id} of this order"
            yield Fault("NO_ATTEMPT", books.order_id, refund.id, why)
        if refund.status == RefundStatus.COMPLETED and entered[refund.id] != 1:
            why = f"{entered[refund.id]} entries for a completed refund of {refund.yen}"
            yield Fault("REFUND", books.order_id, refund.id, why)


def _signed(entry: Entry) -> int:
    """What the entry adds to the order's account."""
    if not is_yen(entry.amount_yen):
        return 0
    return entry.amount_yen if entry.kind == CAPTURE else -entry.amount_yen
