"""`verify`: asks the live system every invariant, and says what it saw.

First every order is looked at once, page by page, while the system runs. What settles is counted
with its age and called wrong only when it is too old. What may never be is looked at again, alone,
after `LOOKS_S`: only what is wrong each time, about the same subject, is a violation. So a change
that fell between two reads is never called one, and what is really wrong does not go away.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from kessai.proof.invariants.books import (
    Books,
    BooksUnreadable,
    HttpProviderBook,
    ProviderBook,
)
from kessai.proof.invariants.rows import PaidBackRow, ProviderRow
from kessai.proof.invariants.table import TABLE, Invariant
from kessai.proof.looks import Part, Seen, look_at

__all__ = [
    "Books",
    "BooksUnreadable",
    "Finding",
    "HttpProviderBook",
    "PaidBackRow",
    "ProviderBook",
    "ProviderRow",
    "Report",
    "Settling",
    "UnknownInvariant",
    "Violation",
    "check",
]


class UnknownInvariant(ValueError):
    """`only` names what is not in the table."""


@dataclass(frozen=True, slots=True)
class Settling:
    count: int = 0
    oldest_age_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Violation:
    """`row` is the offending row as it was read last."""

    subject: str
    why: str
    row: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """`not_asked` says why nothing was looked at, `partly` which book was missing in it.

    `first` is None when nothing is wrong.
    """

    id: str
    sentence: str
    checked: int
    settling: Settling
    violations: int
    first: Violation | None = None
    not_asked: str | None = None
    partly: str | None = None

    @property
    def ok(self) -> bool:
        return self.violations == 0


@dataclass(frozen=True, slots=True)
class Report:
    at_ms: int
    orders: int
    took_s: float
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        return all(finding.ok for finding in self.findings)

    @property
    def wrong(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if not finding.ok)

    def __str__(self) -> str:
        """One line for each violated invariant; for assertions and logs."""
        if self.ok:
            return f"{self.orders} orders, nothing is wrong"
        return "\n".join(
            f"{one.id} ({one.violations}): {one.first.subject}: {one.first.why} {one.first.row}"
            for one in self.wrong
            if one.first is not None
        )


async def check(
    books: Books, only: Collection[str] | None = None, now_ms: int | None = None
) -> Report:
    """Asks the invariants of `only`, or all. Reads only.

    Ages are measured at `now_ms`, or at the books' own clock at each look. Raises
    `UnknownInvariant`, and `BooksUnreadable` where a database or the provider's book is no book.
    """
    chosen = choose(only)
    began_s = books.clock.monotonic()
    part = await look_at(books, chosen, now_ms=now_ms)
    at_ms = books.clock.now_ms() if now_ms is None else now_ms
    return report_of(part, at_ms, books.clock.monotonic() - began_s)


def choose(only: Collection[str] | None) -> list[Invariant]:
    """Those of `only`, or all, in their order. Raises `UnknownInvariant`."""
    if only is None:
        return list(TABLE)
    wanted = dict.fromkeys(name.strip().upper() for name in only)
    known = {one.id for one in TABLE}
    if unknown := [name for name in wanted if name not in known]:
        raise UnknownInvariant(f"no invariant {', '.join(unknown)}: there are I1 to I{len(TABLE)}")
    return [one for one in TABLE if one.id in wanted]


def report_of(part: Part, at_ms: int, took_s: float) -> Report:
    findings = tuple(_finding(seen, at_ms, part.absent) for seen in part.seen)
    return Report(at_ms, part.orders, took_s, findings)


def _finding(seen: Seen, at_ms: int, absent: Mapping[str, str]) -> Finding:
    one = seen.invariant
    # The books as a whole first, then the orders as they came to be.
    first = seen.suspects[min(seen.suspects)][0] if seen.suspects else None
    age_s = 0.0 if seen.oldest_ms is None else (at_ms - seen.oldest_ms) / 1000
    return Finding(
        id=one.id,
        sentence=one.sentence,
        checked=seen.checked,
        settling=Settling(seen.settling, age_s),
        violations=sum(map(len, seen.suspects.values())),
        first=Violation(first.subject, first.why, first.row) if first else None,
        not_asked=one.why_not or _without(absent, one.needs),
        partly=_without(absent, one.sources),
    )


def _without(absent: Mapping[str, str], names: Collection[str]) -> str | None:
    found = [f"no {name}: {why}" for name, why in absent.items() if name in names]
    return "; ".join(found) or None
