"""`verify`: asks the live system every invariant, and says what it saw.

First every order is looked at once, page by page, while the system runs. What settles is counted
with its age and called wrong only when it is too old. What may never be is looked at again, alone,
after `LOOKS_S`: only what is wrong each time, about the same subject, is a violation. So a change
that fell between two reads is never called one, and what is really wrong does not go away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import exc as sql_errors

from kessai.kernel.errors import DatabaseUnavailable
from kessai.proof.invariants.books import (
    Books,
    BooksUnreadable,
    HttpProviderBook,
    Look,
    ProviderBook,
)
from kessai.proof.invariants.doubts import Doubt, Tally
from kessai.proof.invariants.limits import Limits
from kessai.proof.invariants.outboxes import Outboxes
from kessai.proof.invariants.reading import FIRST, Reader
from kessai.proof.invariants.rows import PaidBackRow, ProviderRow
from kessai.proof.invariants.story import Story
from kessai.proof.invariants.table import TABLE, Invariant
from kessai.proof.invariants.told import Telling

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

# Pauses before the second and the third look at what seems wrong.
LOOKS_S = (0.2, 0.8)
# What a row raises that was altered until it means nothing.
_UNREADABLE = (ArithmeticError, LookupError, TypeError, ValueError)


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
    try:
        return await _Run(books, _chosen(only), now_ms).report()
    except sql_errors.DBAPIError as error:
        raise BooksUnreadable(
            f"a table is not as this program knows it: {error.orig}: "
            "finish the migration of its database"
        ) from error
    except DatabaseUnavailable as error:
        raise BooksUnreadable(f"a database does not answer: {error}") from error


def _chosen(only: Collection[str] | None) -> list[Invariant]:
    if only is None:
        return list(TABLE)
    wanted = dict.fromkeys(name.strip().upper() for name in only)
    known = {one.id for one in TABLE}
    if unknown := [name for name in wanted if name not in known]:
        raise UnknownInvariant(f"no invariant {', '.join(unknown)}: there are I1 to I{len(TABLE)}")
    return [one for one in TABLE if one.id in wanted]


@dataclass(slots=True)
class _Seen:
    """What was seen of one invariant so far."""

    invariant: Invariant
    checked: int = 0
    settling: int = 0
    oldest_ms: int | None = None
    # Order (empty for the books as a whole) -> what seemed wrong there at the last look.
    suspects: dict[str, list[Doubt]] = field(default_factory=dict)

    def take(self, place: str, doubts: list[Doubt], now_ms: int, *, again: bool = False) -> None:
        """Another look may only confirm: what is new there is the next verify's."""
        before = {doubt.subject for doubt in self.suspects.pop(place, ())} if again else None
        for doubt in doubts:
            if before is not None and doubt.subject not in before:
                continue
            if doubt.is_settling(now_ms):
                self.settling += 1
                since_ms = doubt.since_ms or 0
                self.oldest_ms = min(self.oldest_ms or since_ms, since_ms)
            else:
                self.suspects.setdefault(place, []).append(doubt)

    def finding(self, now_ms: int, absent: Mapping[str, str]) -> Finding:
        doubts = [doubt for found in self.suspects.values() for doubt in found]
        first = doubts[0] if doubts else None
        age_s = 0.0 if self.oldest_ms is None else (now_ms - self.oldest_ms) / 1000
        return Finding(
            id=self.invariant.id,
            sentence=self.invariant.sentence,
            checked=self.checked,
            settling=Settling(self.settling, age_s),
            violations=len(doubts),
            first=Violation(first.subject, first.why, first.row) if first else None,
            not_asked=self._why_not(absent),
            partly=self._without(absent, self.invariant.sources),
        )

    def _why_not(self, absent: Mapping[str, str]) -> str | None:
        return self.invariant.why_not or self._without(absent, self.invariant.needs)

    def _without(self, absent: Mapping[str, str], names: Collection[str]) -> str | None:
        found = [f"no {name}: {why}" for name, why in absent.items() if name in names]
        return "; ".join(found) or None


class _Run:
    def __init__(self, books: Books, invariants: list[Invariant], now_ms: int | None) -> None:
        self._books = books
        self._now_ms = now_ms
        self._limits = Limits.of(books.settings)
        self._seen = [_Seen(one) for one in invariants]
        sources = frozenset(source for one in invariants for source in one.sources)
        outboxes = self._outboxes(Telling() if "events" in sources else None)
        self._look = Look(books, self._limits, outboxes)
        self._reader = Reader(books, sources, outboxes)
        self._orders = 0
        self._absent = dict(books.absent)
        for name, book in (("bus", books.bus), ("provider", books.provider)):
            if book is None:
                self._absent.setdefault(name, "it is elsewhere")
        if books.alert is None:
            self._absent.setdefault("alerts", "no alert-service is part of this shop")

    async def report(self) -> Report:
        clock = self._books.clock
        began_s = clock.monotonic()
        await self._look_at_all()
        for pause_s in LOOKS_S:
            if not any(seen.suspects for seen in self._seen):
                break
            await asyncio.sleep(pause_s)
            await self._look_again()
        at_ms = self._now()
        return Report(
            at_ms=at_ms,
            orders=self._orders,
            took_s=clock.monotonic() - began_s,
            findings=tuple(seen.finding(at_ms, self._absent) for seen in self._seen),
        )

    def _now(self) -> int:
        return self._books.clock.now_ms() if self._now_ms is None else self._now_ms

    def _outboxes(self, telling: Telling | None) -> Outboxes:
        books = self._books
        return Outboxes(books.order, books.payment, books.storage, books.alert, telling)

    async def _look_at_all(self) -> None:
        for seen in self._seen:
            await self._ask_books(seen)
        # A million events need not lie beside the orders.
        self._look.kept.clear()
        if any(seen.invariant.of_order for seen in self._seen):
            await self._reader.open()
            stories, span = await self._reader.page(FIRST)
            while span is not None:
                following = asyncio.ensure_future(self._reader.page(span))
                try:
                    await self._ask_all(stories, meanwhile=following)
                    stories, span = await following
                finally:
                    following.cancel()
            await self._ask_all(stories)

    async def _ask_all(self, stories: list[Story], meanwhile: object = None) -> None:
        """Between two invariants the page that is read `meanwhile` comes one answer nearer."""
        self._orders += sum(story.order is not None for story in stories)
        for seen in self._seen:
            self._ask(seen, stories)
            if meanwhile is not None:
                await asyncio.sleep(0)

    def _ask(self, seen: _Seen, stories: list[Story]) -> None:
        check, now_ms = seen.invariant.of_order, self._now()
        if check is None or seen.invariant.needs & self._absent.keys():
            return
        tally = Tally(now_ms)
        for story in stories:
            try:
                check(story, self._limits, tally)
            except _UNREADABLE as error:
                tally.unreadable(story.order_id, error, story.order)
            if tally.doubts:
                seen.take(story.order_id, tally.doubts, now_ms)
                tally.doubts = []
        seen.checked += tally.checked

    async def _ask_books(self, seen: _Seen, *, again: bool = False) -> None:
        check = seen.invariant.of_books
        if check is None:
            return
        tally = Tally(self._now())
        try:
            await check(self._look, tally)
        except _UNREADABLE as error:
            tally.unreadable("", error)
        seen.checked += 0 if again else tally.checked
        seen.take("", tally.doubts, self._now(), again=again)

    async def _look_again(self) -> None:
        """Each suspect order is read once, whatever number of invariants it seems to break."""
        self._look = Look(self._books, self._limits, self._outboxes(None))
        places = dict.fromkeys(place for seen in self._seen for place in seen.suspects)
        for place in places:
            doubted = [seen for seen in self._seen if place in seen.suspects]
            if not place:
                for seen in doubted:
                    await self._ask_books(seen, again=True)
                continue
            story = await self._reader.story(place)
            for seen in doubted:
                self._ask_again(seen, story)

    def _ask_again(self, seen: _Seen, story: Story) -> None:
        check, tally = seen.invariant.of_order, Tally(self._now())
        if check is not None:
            try:
                check(story, self._limits, tally)
            except _UNREADABLE as error:
                tally.unreadable(story.order_id, error, story.order)
            seen.take(story.order_id, tally.doubts, self._now(), again=True)
