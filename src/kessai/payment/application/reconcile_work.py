"""One reconciliation in progress: rows in, entries in, slice by slice compared."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from kessai.contracts.paypay.settlement import Column, Movement, day_of, span_of
from kessai.payment.application.reconcile_ports import DayBooks, Group, Run, Scratch
from kessai.payment.domain.ledger import CAPTURE
from kessai.payment.domain.settlement import (
    Compared,
    Difference,
    DifferenceKind,
    PaymentBook,
    broken,
    compare,
    missing_here,
    missing_there,
    without_attempt,
)
from kessai.payment.domain.settlement_file import BrokenRow, FileRow, SettlementFile
from kessai.payment.domain.settlement_lines import no_file

LOOKUP = 500
_COUNTED = frozenset(
    {Movement.COMPLETED, Movement.REFUNDED, Movement.FAILED, Movement.REFUND_FAILED}
)


@dataclass(frozen=True, slots=True)
class Limits:
    """A wrong file may not flood anybody: what goes beyond is counted and not kept or told."""

    kept: int = 10_000
    signals: int = 20


@dataclass(slots=True)
class Work:
    """Counts as it goes; what is kept is bounded, the counts are exact."""

    books: DayBooks
    limits: Limits
    scratch: Scratch
    progress: Callable[[str, int], None]
    day: date | None = None
    kept: list[Difference] = field(default_factory=list)
    counts: dict[DifferenceKind, int] = field(default_factory=dict)
    elsewhere: list[str] = field(default_factory=list)
    rows: int = 0
    good: int = 0
    other_day: int = 0
    first_other: date | None = None
    matched: int = 0
    without_money: int = 0
    theirs_yen: int = 0
    ours_yen: int = 0
    span: tuple[int, int] = (0, 0)

    def note(self, difference: Difference, times: int = 1) -> None:
        kind = difference.kind
        self.counts[kind] = self.counts.get(kind, 0) + times
        if len(self.kept) < self.limits.kept:
            self.kept.append(difference)

    async def read(self, file: SettlementFile) -> None:
        """The file's rows into the scratch, each broken one into the report."""
        for page in file.pages():
            self.rows += len(page)
            self.scratch.add_rows(self._sorted_out(page, file.layout.header[Column.AT]))
            self.progress("rows", self.rows)
            await asyncio.sleep(0)

    def _sorted_out(self, page: Sequence[FileRow | BrokenRow], at: str) -> list[FileRow]:
        """The good rows about money; the others are counted."""
        start_ms, end_ms = self.span
        counted: list[FileRow] = []
        for row in page:
            if isinstance(row, BrokenRow):
                self.note(broken(row))
                continue
            if start_ms == end_ms:
                start_ms, end_ms = self._begin(row)
            if not start_ms <= row.at_ms < end_ms:
                self._of_other_day(row, at)
                continue
            self.good += 1
            if row.movement is Movement.COMPLETED:
                self.theirs_yen += row.amount_yen
            elif row.movement is Movement.REFUNDED:
                self.theirs_yen -= row.amount_yen
            elif row.movement not in _COUNTED:
                self.without_money += 1
                continue
            counted.append(row)
        return counted

    def _begin(self, first: FileRow) -> tuple[int, int]:
        """The day, when nobody said it, is that of the first row."""
        self.day = self.day or day_of(first.at_ms)
        self.span = span_of(self.day)
        return self.span

    def _of_other_day(self, row: FileRow, at: str) -> None:
        self.other_day += 1
        self.first_other = self.first_other or day_of(row.at_ms)
        why = f"is of {day_of(row.at_ms)} in Japan, not of {self.day}"
        self.note(broken(BrokenRow(row.number, at, why)))

    def settled_day(self) -> date:
        """The day of the file, once it is certain that it is a file of that day."""
        if self.day is None:
            if self.rows == 0:
                raise no_file("the file has no rows and its name no day: say which with --day")
            raise no_file(f"no row can be read; row {self._first_broken()}")
        if self.other_day > self.good:
            raise no_file(f"its rows are of {self.first_other}, not of {self.day}")
        if self.rows and not self.good:
            raise no_file(f"no row can be read; row {self._first_broken()}")
        return self.day

    def _first_broken(self) -> str:
        first = self.kept[0]
        return f"{first.row}{f', {first.what}' if first.what else ''}: {first.theirs}"

    async def compare(self, day: date) -> None:
        self.span = span_of(day)
        async for page in self.books.entries(*self.span):
            self.scratch.add_entries(page)
            self.ours_yen += sum(
                one.amount_yen if one.kind == CAPTURE else -one.amount_yen for one in page
            )
            await asyncio.sleep(0)
        for found in self.scratch.slices():
            self.matched += found.agreeing
            for start in range(0, len(found.odd), LOOKUP):
                await self._groups(found.odd[start : start + LOOKUP])
            self.progress("payments", found.agreeing + len(found.odd))
            await asyncio.sleep(0)
        await self._left(day)

    async def _groups(self, groups: Sequence[Group]) -> None:
        """Payments that do not agree at first sight, with all that our books know of them."""
        rows = [row for group in groups for row in group.rows]
        references = list(dict.fromkeys(row.reference for row in rows if row.reference))
        payments = list(dict.fromkeys(row.payment_id for row in rows))
        found = await self.books.books(references, payments) if rows else []
        index = _Index(found)
        for group in groups:
            own: dict[str, list[FileRow]] = {}
            for row in group.rows:
                book = index.of(row)
                if book is None:
                    self.note(missing_here(row))
                else:
                    own.setdefault(book.attempt_id, []).append(row)
            for attempt_id, theirs in own.items():
                self._take(compare(theirs, index.attempts[attempt_id], self.span[1]))
            if group.more_rows:
                more = replace(missing_here(group.rows[-1]), kind=DifferenceKind.DUPLICATE)
                self.note(more, group.more_rows)
            self.scratch.leave(group.entries)

    def _take(self, compared: Compared) -> None:
        self.matched += compared.matched
        for one in compared.differences:
            self.note(one)
        self.scratch.use(compared.used)
        room = self.limits.kept - len(self.elsewhere)
        self.elsewhere += [
            entry.id
            for entry in compared.used.values()
            if not self.span[0] <= entry.value_at_ms < self.span[1]
        ][:room]

    async def _left(self, day: date) -> None:
        """Entries of the day for which the file has no row."""
        for page in self.scratch.left(LOOKUP):
            entries = dict(page)
            elsewhere = await self.books.found_elsewhere(list(entries), day.isoformat())
            attempts = list(dict.fromkeys(entries.values()))
            books = {one.attempt_id: one for one in await self.books.books(attempts, ())}
            for entry_id, attempt_id in entries.items():
                book = books.get(attempt_id)
                if entry_id in elsewhere:
                    continue
                if book is None:
                    self.note(without_attempt(attempt_id))
                    continue
                entry = next((one for one in book.entries if one.id == entry_id), None)
                missing = entry and missing_there(book, entry, self.span[1])
                if missing:
                    self.note(missing)
            await asyncio.sleep(0)

    def run(self, file: SettlementFile) -> Run:
        counts = {kind: self.counts.get(kind, 0) for kind in DifferenceKind}
        return Run(
            id="",
            day="",
            digest="",
            file_name="",
            layout=file.layout.name,
            file_rows=self.rows,
            matched=self.matched,
            missing_here=counts[DifferenceKind.MISSING_HERE],
            missing_there=counts[DifferenceKind.MISSING_THERE],
            differing=counts[DifferenceKind.DIFFERING],
            duplicates=counts[DifferenceKind.DUPLICATE],
            broken=counts[DifferenceKind.BROKEN],
            without_money=self.without_money,
            theirs_yen=self.theirs_yen,
            ours_yen=self.ours_yen,
        )


class _Index:
    """Finds the book of a row: by attempt, by refund, by the provider's payment."""

    def __init__(self, books: Sequence[PaymentBook]) -> None:
        self.attempts = {one.attempt_id: one for one in books}
        self._refunds = {refund.id: one for one in books for refund in one.refunds}
        self._payments = {one.payment_id: one for one in books if one.payment_id}

    def of(self, row: FileRow) -> PaymentBook | None:
        return (
            self.attempts.get(row.reference)
            or self._refunds.get(row.reference)
            or self._payments.get(row.payment_id)
        )
