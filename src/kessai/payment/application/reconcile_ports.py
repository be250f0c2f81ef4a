"""What a reconciliation needs from outside: our books, a place to sort, its reports."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from kessai.kernel.db import Tx
from kessai.payment.domain.settlement import Difference, PaymentBook
from kessai.payment.domain.settlement_file import FileRow


class DayEntry(NamedTuple):
    """An entry of the ledger by the day on which the provider moved the money."""

    id: str
    kind: str
    attempt_id: str
    payment_id: str | None
    amount_yen: int
    value_at_ms: int


@dataclass(frozen=True, slots=True)
class Group:
    """What does not agree at first sight: rows of one payment id, our entries with attempts."""

    rows: Sequence[FileRow]
    entries: Sequence[tuple[str, str]]
    more_rows: int = 0


@dataclass(frozen=True, slots=True)
class Slice:
    agreeing: int
    odd: Sequence[Group]


class Scratch(Protocol):
    """Rows and entries brought together by their payment, in bounded memory."""

    def add_rows(self, rows: Iterable[FileRow]) -> None: ...

    def add_entries(self, entries: Iterable[DayEntry]) -> None: ...

    def slices(self) -> Iterator[Slice]: ...

    def leave(self, entries: Iterable[tuple[str, str]]) -> None: ...

    def use(self, entries: Iterable[str]) -> None: ...

    def left(self, page: int) -> Iterator[list[tuple[str, str]]]: ...

    def close(self) -> None: ...


class DayBooks(Protocol):
    """The ledger as the provider's file should have it. Reads only, in short snapshots."""

    def entries(self, from_ms: int, until_ms: int) -> AsyncIterator[list[DayEntry]]: ...

    async def books(
        self, references: Sequence[str], payment_ids: Sequence[str]
    ) -> list[PaymentBook]:
        """Of attempts, captures and refunds of these ids, and of payments of those."""
        ...

    async def found_elsewhere(self, entry_ids: Sequence[str], day: str) -> frozenset[str]:
        """Those that the file of another day had."""
        ...


@dataclass(frozen=True, slots=True)
class Run:
    """The report on one file. `kept` differences are stored; the counts are exact."""

    id: str
    day: str
    digest: str
    file_name: str
    layout: str
    file_rows: int = 0
    matched: int = 0
    missing_here: int = 0
    missing_there: int = 0
    differing: int = 0
    duplicates: int = 0
    broken: int = 0
    without_money: int = 0
    theirs_yen: int = 0
    ours_yen: int = 0
    began_at_ms: int = 0
    ended_at_ms: int = 0

    @property
    def differences(self) -> int:
        return (
            self.missing_here + self.missing_there + self.differing + self.duplicates + self.broken
        )


@dataclass(frozen=True, slots=True)
class Stored:
    number: int
    key: str
    difference: Difference


class Runs(Protocol):
    async def get(self, tx: Tx, run_id: str) -> Run | None: ...

    async def newest(self, tx: Tx, limit: int) -> list[Run]: ...

    async def last_of_day(self, tx: Tx, day: str) -> Run | None: ...

    async def add(self, tx: Tx, run: Run) -> None:
        """Raises `Duplicate` when the file was reconciled meanwhile."""
        ...

    async def add_differences(self, tx: Tx, run_id: str, found: Sequence[Stored]) -> None: ...

    async def add_elsewhere(self, tx: Tx, run: Run, entry_ids: Sequence[str]) -> None: ...

    async def known_keys(self, tx: Tx, keys: Sequence[str]) -> frozenset[str]: ...

    async def differences(self, tx: Tx, run_id: str, after: int, limit: int) -> list[Stored]: ...
