"""Our books of a payment beside the provider's file: what agrees, what does not, what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from kessai.contracts.moves import RefundStatus
from kessai.contracts.paypay.settlement import Movement
from kessai.payment.domain.ledger import CAPTURE, REFUND, RETURN
from kessai.payment.domain.settlement_file import YEN, BrokenRow, FileRow

# A refund is dated by our clock: near midnight it may stand in the next day's file.
EDGE_MS = 15 * 60 * 1000
_OUR_ID = re.compile(r"[0-9a-z]{26}-[0-9]{1,5}")


class DifferenceKind(StrEnum):
    MISSING_HERE = "MISSING_HERE"
    MISSING_THERE = "MISSING_THERE"
    DIFFERING = "DIFFERING"
    DUPLICATE = "DUPLICATE"
    BROKEN = "BROKEN"


class Remedy(StrEnum):
    """What to do about it; `docs/operations/reconciliation.md` says how."""

    ASK_PROVIDER = "ASK_PROVIDER"
    REFUND = "REFUND"
    WAIT = "WAIT"
    NEW_FILE = "NEW_FILE"
    OPERATOR = "OPERATOR"


@dataclass(frozen=True, slots=True)
class Difference:
    """`what`: the field or column that differs, else the movement that is missing."""

    kind: DifferenceKind
    what: str
    remedy: Remedy
    row: int | None = None
    merchant_payment_id: str | None = None
    payment_id: str | None = None
    refund_id: str | None = None
    order_id: str | None = None
    theirs: str | None = None
    ours: str | None = None
    amount_yen: int | None = None


@dataclass(frozen=True, slots=True)
class BookEntry:
    id: str
    kind: str
    amount_yen: int
    value_at_ms: int
    refund_id: str | None = None


@dataclass(frozen=True, slots=True)
class BookRefund:
    id: str
    amount_yen: int
    status: str


@dataclass(frozen=True, slots=True)
class PaymentBook:
    """One attempt with all that its money did, on whatever day."""

    attempt_id: str
    order_id: str
    payment_id: str | None
    status: str
    entries: tuple[BookEntry, ...] = ()
    refunds: tuple[BookRefund, ...] = ()


@dataclass(slots=True)
class Compared:
    """`used` are the entries that the file's rows stand for, whether they agree or not."""

    matched: int = 0
    differences: list[Difference] = field(default_factory=list)
    used: dict[str, BookEntry] = field(default_factory=dict)


def broken(row: BrokenRow) -> Difference:
    return Difference(
        DifferenceKind.BROKEN, row.column[:40], Remedy.NEW_FILE, row.number, theirs=row.why[:200]
    )


def missing_here(row: FileRow) -> Difference:
    """A payment whose id has our form and that we do not know took money for nothing."""
    ours = row.movement is Movement.COMPLETED and _OUR_ID.fullmatch(row.reference) is not None
    remedy = Remedy.REFUND if ours else Remedy.OPERATOR
    return _of_row(row, DifferenceKind.MISSING_HERE, row.movement, remedy)


def missing_there(book: PaymentBook, entry: BookEntry, day_ends_ms: int) -> Difference | None:
    """None for money that came and went back by itself: the file need not tell of it."""
    if entry.kind == RETURN or (entry.kind == CAPTURE and _returned(book)):
        return None
    late = entry.kind == REFUND and entry.value_at_ms >= day_ends_ms - EDGE_MS
    return Difference(
        DifferenceKind.MISSING_THERE,
        entry.kind,
        Remedy.WAIT if late else Remedy.ASK_PROVIDER,
        merchant_payment_id=book.attempt_id,
        payment_id=book.payment_id,
        refund_id=entry.refund_id,
        order_id=book.order_id,
        ours=entry.kind,
        amount_yen=entry.amount_yen,
    )


def without_attempt(attempt_id: str) -> Difference:
    """An entry about nothing, which the ledger's check finds as well."""
    return Difference(
        DifferenceKind.MISSING_THERE,
        "attempt",
        Remedy.OPERATOR,
        merchant_payment_id=attempt_id,
    )


def compare(rows: Sequence[FileRow], book: PaymentBook, day_ends_ms: int) -> Compared:
    """The file's rows of one payment, in the order of the file, against its book."""
    comparison = _Comparison(rows, book, day_ends_ms)
    for row in rows:
        comparison.take(row)
    return comparison.result


class _Comparison:
    def __init__(self, rows: Sequence[FileRow], book: PaymentBook, day_ends_ms: int) -> None:
        self.result = Compared()
        self._book = book
        self._day_ends_ms = day_ends_ms
        self._says_failed = any(row.movement is Movement.FAILED for row in rows)
        self._seen: dict[tuple[Movement, str, int], int] = {}
        self._refunded: dict[str, None] = {}

    def take(self, row: FileRow) -> None:
        match row.movement:
            case Movement.COMPLETED:
                self._payment(row)
            case Movement.REFUNDED:
                self._refund(row)
            case Movement.FAILED:
                self._failure(row)
            case Movement.REFUND_FAILED:
                self._refund_failure(row)
            case _:
                self.result.matched += 1

    def _payment(self, row: FileRow) -> None:
        entry = self._free(CAPTURE)
        if entry is None:
            if any(one.kind == CAPTURE for one in self._book.entries):
                # Another id is a second payment of the same code; the same id a row too many.
                again = row.payment_id == self._book.payment_id
                remedy = Remedy.NEW_FILE if again else Remedy.REFUND
                self._differ(row, DifferenceKind.DUPLICATE, row.movement, remedy)
            else:
                self._status(row, self._book.status)
            return
        self.result.used[entry.id] = entry
        if self._gone_by(self._day_ends_ms) and not self._says_failed:
            self._status(row, self._book.status)
        else:
            self._check(row, entry.amount_yen)

    def _failure(self, row: FileRow) -> None:
        if self._is_repeat(row):
            self._differ(row, DifferenceKind.DUPLICATE, row.movement, Remedy.NEW_FILE)
            return
        for kind in (RETURN, CAPTURE):
            entry = self._free(kind) if kind == RETURN or not self._later_capture() else None
            if entry is not None:
                self.result.used[entry.id] = entry
        if _captured_yen(self._book) > 0:
            self._status(row, self._book.status)
        else:
            self.result.matched += 1

    def _refund(self, row: FileRow) -> None:
        refund = self._refund_of(row)
        if refund is None:
            kind, remedy = DifferenceKind.MISSING_HERE, Remedy.OPERATOR
            if any(one.amount_yen == row.amount_yen for one in self._book.refunds):
                kind, remedy = DifferenceKind.DUPLICATE, Remedy.NEW_FILE
            self._differ(row, kind, row.movement, remedy)
            return
        self._refunded[refund.id] = None
        entry = next((one for one in self._book.entries if one.refund_id == refund.id), None)
        if entry is None:
            self._status(row, refund.status, refund.id)
            return
        self.result.used[entry.id] = entry
        self._check(row, entry.amount_yen, refund.id)

    def _refund_failure(self, row: FileRow) -> None:
        refund = self._refund_of(row)
        if refund is not None and refund.status == RefundStatus.COMPLETED:
            self._refunded[refund.id] = None
            self._status(row, refund.status, refund.id)
        else:
            self.result.matched += 1

    def _refund_of(self, row: FileRow) -> BookRefund | None:
        """By its own id; else one of that amount; else the only one that is left."""
        left = [one for one in self._book.refunds if one.id not in self._refunded]
        named = [one for one in self._book.refunds if one.id == row.reference]
        if named:
            return named[0] if named[0] in left else None
        done = [one for one in left if one.status == RefundStatus.COMPLETED]
        for among in (done, left):
            for one in among:
                if one.amount_yen == row.amount_yen:
                    return one
        if any(one.amount_yen == row.amount_yen for one in self._book.refunds):
            return None
        return left[0] if len(left) == 1 else None

    def _check(self, row: FileRow, ours_yen: int, refund_id: str | None = None) -> None:
        if row.currency != YEN:
            self._differing(row, "currency", row.currency, YEN, Remedy.OPERATOR, refund_id)
        elif row.amount_yen != ours_yen:
            theirs, ours = str(row.amount_yen), str(ours_yen)
            self._differing(row, "amount", theirs, ours, Remedy.OPERATOR, refund_id)
        elif refund_id is None and row.payment_id != self._book.payment_id:
            ours = self._book.payment_id or ""
            self._differing(row, "payment_id", row.payment_id, ours, Remedy.ASK_PROVIDER)
        else:
            self.result.matched += 1

    def _status(self, row: FileRow, ours: str, refund_id: str | None = None) -> None:
        self._differing(row, "status", row.movement, ours, Remedy.ASK_PROVIDER, refund_id)

    def _differing(
        self,
        row: FileRow,
        what: str,
        theirs: str,
        ours: str,
        remedy: Remedy,
        refund_id: str | None = None,
    ) -> None:
        self.result.differences.append(
            Difference(
                DifferenceKind.DIFFERING,
                what,
                remedy,
                row.number,
                merchant_payment_id=self._book.attempt_id,
                payment_id=row.payment_id,
                refund_id=refund_id,
                order_id=self._book.order_id,
                theirs=theirs,
                ours=ours,
                amount_yen=row.amount_yen,
            )
        )

    def _differ(self, row: FileRow, kind: DifferenceKind, what: str, remedy: Remedy) -> None:
        order = self._book.order_id, self._book.attempt_id
        self.result.differences.append(_of_row(row, kind, what, remedy, *order))

    def _free(self, kind: str) -> BookEntry | None:
        return next(
            (e for e in self._book.entries if e.kind == kind and e.id not in self.result.used), None
        )

    def _later_capture(self) -> bool:
        """Whether a row of the file still needs the capture."""
        return any(e.kind == CAPTURE and e.id in self.result.used for e in self._book.entries)

    def _is_repeat(self, row: FileRow) -> bool:
        key = (row.movement, row.payment_id, row.at_ms)
        self._seen[key] = self._seen.get(key, 0) + 1
        return self._seen[key] > 1

    def _gone_by(self, at_ms: int) -> bool:
        """Whether, as far as the day's end, all that came had gone back by itself."""
        return _returned(self._book) and all(
            one.value_at_ms < at_ms for one in self._book.entries if one.kind == RETURN
        )


def _captured_yen(book: PaymentBook) -> int:
    signs = {CAPTURE: 1, RETURN: -1}
    return sum(signs.get(one.kind, 0) * one.amount_yen for one in book.entries)


def _returned(book: PaymentBook) -> bool:
    return _captured_yen(book) == 0 and any(one.kind == RETURN for one in book.entries)


def _of_row(
    row: FileRow,
    kind: DifferenceKind,
    what: str,
    remedy: Remedy,
    order_id: str | None = None,
    attempt_id: str | None = None,
) -> Difference:
    return Difference(
        kind,
        what,
        remedy,
        row.number,
        merchant_payment_id=attempt_id or row.reference or None,
        payment_id=row.payment_id,
        order_id=order_id,
        theirs=row.movement,
        amount_yen=row.amount_yen,
    )
