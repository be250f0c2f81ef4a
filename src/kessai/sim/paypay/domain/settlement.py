"""The rows of a day's file, from the book: which there are, and how each is written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from kessai.contracts.paypay import ProviderStatus
from kessai.contracts.paypay.settlement import (
    BUSINESS,
    PREAUTH,
    RECON,
    Column,
    Layout,
    Movement,
    written_at,
)
from kessai.sim.paypay.domain.book import Payment, by
from kessai.sim.paypay.domain.faults import Faults
from kessai.sim.paypay.domain.plans import Dice

BRAND: Final = "Kessai 商店"
_METHOD: Final = {RECON.name: "PayPay残高", PREAUTH.name: "wallet", BUSINESS.name: "PayPay(残高)"}
_DETAIL: Final = {**_METHOD, PREAUTH.name: "WALLET"}
_MONEY: Final = (Movement.COMPLETED, Movement.REFUNDED)


@dataclass(frozen=True, slots=True)
class Row:
    """`reference` is the id of what happened; a layout may show the payment's instead."""

    movement: Movement
    at_ms: int
    amount_yen: int
    payment_id: str
    reference: str
    payment: Payment


def movements_of(payment: Payment, as_of_ms: int) -> Iterator[Row]:
    """All that happened to it until then, in PayPay's order of things.

    A cancel that won is one failed row in place of the completed one: PayPay closes the window of
    cancels before it writes the file. A refund counts from its acceptance, as it cannot fail.
    """
    own_id = payment.merchant_payment_id

    def row(movement: Movement, at_ms: int, amount_yen: int, reference: str = own_id) -> Row:
        return Row(movement, at_ms, amount_yen, payment.payment_id or "", reference, payment)

    if payment.declined_at_ms is not None:
        yield row(Movement.FAILED, payment.declined_at_ms, payment.amount_yen)
    for hold in payment.holds:
        if hold.since_ms is not None:
            yield row(Movement.AUTHORIZED, hold.since_ms, hold.amount_yen)
    if payment.reversed_at_ms is not None and payment.reversed_at_ms <= as_of_ms:
        at_ms = payment.paid_at_ms or payment.reversed_at_ms
        yield row(Movement.FAILED, at_ms, payment.held_yen(as_of_ms))
    elif payment.paid_at_ms is not None:
        taken = next((t for t in payment.takings if t.taken_at_ms is not None), None)
        reference = taken.merchant_capture_id if taken else own_id
        yield row(Movement.COMPLETED, payment.paid_at_ms, payment.captured_yen, reference)
    elif payment.reverted is not None:
        done = payment.reverted
        held_yen = payment.held_yen(done.at_ms)
        yield row(Movement.CANCELED, done.at_ms, held_yen, done.merchant_revert_id)
    elif payment.status_at(as_of_ms) is ProviderStatus.EXPIRED:
        at_ms = payment.authorized_until_ms or 0
        yield row(Movement.EXPIRED, at_ms, payment.held_yen(at_ms))
    for refund in payment.refunds:
        yield row(
            Movement.REFUNDED, refund.asked_at_ms, refund.amount_yen, refund.merchant_refund_id
        )


def belongs(payment: Payment, layout: Layout) -> bool:
    """Each way of paying has its own file; the download for people has both."""
    return layout is BUSINESS or (layout is PREAUTH) == payment.asked.is_authorization


@dataclass(frozen=True, slots=True)
class Sheet:
    """One file: what is in it, as the book was at `as_of_ms`, with the faults of that moment."""

    layout: Layout
    day: str
    span_ms: tuple[int, int]
    as_of_ms: int
    merchant_id: str
    faults: Faults

    def header(self) -> list[str]:
        return list(self.layout.header.values())

    def lines_of(self, payment: Payment) -> Iterator[tuple[list[str], str | None]]:
        """The cells of each row, and the fault that fell on it."""
        if not belongs(payment, self.layout):
            return
        first_ms, next_ms = self.span_ms
        for number, row in enumerate(movements_of(payment, self.as_of_ms)):
            if first_ms <= row.at_ms < next_ms and by(row.at_ms, self.as_of_ms):
                yield from self._bent(row, number)

    def _bent(self, row: Row, number: int) -> Iterator[tuple[list[str], str | None]]:
        part, name = self.faults.settlement, row.payment.merchant_payment_id
        if not self.faults.covers(name):
            yield self._cells(row), None
            return
        dice = Dice(self.faults.seed, f"settlement.{self.day}", name, number)
        if dice.hits(part.omit, "omit"):
            yield [], "omit"
        elif dice.hits(part.broken, "broken"):
            cells = self._cells(row)
            yield [*cells[: len(cells) // 2], "?"], "broken"
        elif dice.hits(part.wrong_amount, "wrongAmount"):
            yield self._cells(replace(row, amount_yen=row.amount_yen + 100)), "wrongAmount"
        else:
            yield self._cells(row), None
        if dice.hits(part.unknown, "unknown"):
            yield self._cells(_stranger(row, number)), "unknown"

    def _cells(self, row: Row) -> list[str]:
        layout, asked = self.layout, row.payment.asked
        is_back = layout.is_signed and row.movement is Movement.REFUNDED
        amount_yen = -row.amount_yen if is_back else row.amount_yen
        until_ms = row.payment.authorized_until_ms
        content = {
            Column.PAYMENT_ID: row.payment_id,
            Column.MERCHANT_ID: self.merchant_id,
            Column.BRAND: BRAND,
            Column.STORE_ID: asked.store_id or "",
            Column.STORE_NAME: asked.store_info or BRAND,
            Column.TERMINAL_ID: asked.terminal_id or "",
            Column.STATUS: layout.words[row.movement],
            Column.AT: written_at(layout, row.at_ms),
            Column.AMOUNT: str(amount_yen),
            Column.METHOD: _METHOD[layout.name],
            Column.DETAILS: self._details(row.movement, amount_yen),
            Column.REFERENCE: self._reference(row),
        }
        if until_ms is not None:
            content[Column.CAPTURE_UNTIL] = written_at(layout, until_ms)
        return [content.get(column, "") for column in layout.header]

    def _details(self, movement: Movement, amount_yen: int) -> str:
        if self.layout is PREAUTH and movement not in _MONEY:
            return ""
        detail = [{"paymentMethod": _DETAIL[self.layout.name], "amount": amount_yen}]
        return json.dumps(detail, ensure_ascii=False)

    def _reference(self, row: Row) -> str:
        is_refund = row.movement is Movement.REFUNDED
        if self.layout is PREAUTH or (is_refund and self.faults.settlement.refund_id == "refund"):
            return row.reference
        return row.payment.merchant_payment_id if row.payment_id else row.reference


def _stranger(row: Row, number: int) -> Row:
    """A payment that nobody knows, of the same time and amount."""
    name = f"unknown-{row.payment.merchant_payment_id}"[:60] + f"-{number}"
    asked = row.payment.asked.model_copy(update={"merchant_payment_id": name})
    other = replace(row.payment, asked=asked)
    return replace(
        row,
        movement=Movement.COMPLETED,
        payment_id=f"9{row.payment_id[1:]}",
        reference=name,
        payment=other,
    )
