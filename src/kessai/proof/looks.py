"""The looks that `verify` takes at the books, or at its share of them, and what was seen.

Whoever takes a share looks at it until nothing in it is doubtful any more: who read it first has
the events of its orders, and so reads what seemed wrong again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import exc as sql_errors

from kessai.kernel.errors import DatabaseUnavailable
from kessai.proof.invariants.books import Books, BooksUnreadable, Look
from kessai.proof.invariants.doubts import Doubt, Tally
from kessai.proof.invariants.limits import Limits
from kessai.proof.invariants.outboxes import Outboxes
from kessai.proof.invariants.reading import Reader
from kessai.proof.invariants.span import FIRST, Span
from kessai.proof.invariants.story import Story
from kessai.proof.invariants.table import Invariant
from kessai.proof.invariants.told import Telling

# Pauses before the second and the third look at what seems wrong.
LOOKS_S = (0.2, 0.8)
# Where so many of an invariant were wrong again, the others need no look of their own.
CONFIRMED = 100
# What a row raises that was altered until it means nothing.
_UNREADABLE = (ArithmeticError, LookupError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class Share:
    """The orders of `span`, and the books as a whole or not."""

    span: Span = FIRST
    has_books: bool = True


WHOLE = Share()


@dataclass(slots=True)
class Seen:
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
                self._age(doubt.since_ms or 0)
            else:
                self.suspects.setdefault(place, []).append(doubt)

    def add(self, other: Seen) -> None:
        """What was seen of it in another share."""
        self.checked += other.checked
        self.settling += other.settling
        if other.oldest_ms is not None:
            self._age(other.oldest_ms)
        for place, doubts in other.suspects.items():
            self.suspects.setdefault(place, []).extend(doubts)

    def _age(self, since_ms: int) -> None:
        self.oldest_ms = since_ms if self.oldest_ms is None else min(self.oldest_ms, since_ms)


@dataclass(slots=True)
class Part:
    """What the looks at a share have shown; `absent` says of a book why it was not there."""

    orders: int
    seen: list[Seen]
    absent: Mapping[str, str]

    def add(self, other: Part) -> None:
        self.orders += other.orders
        for mine, theirs in zip(self.seen, other.seen, strict=True):
            mine.add(theirs)


@contextmanager
def readable() -> Iterator[None]:
    """Says in words what is wrong with a database."""
    try:
        yield
    except sql_errors.DBAPIError as error:
        raise BooksUnreadable(
            f"a table is not as this program knows it: {error.orig}: "
            "finish the migration of its database"
        ) from error
    except DatabaseUnavailable as error:
        raise BooksUnreadable(f"a database does not answer: {error}") from error


async def look_at(
    books: Books, invariants: Collection[Invariant], share: Share = WHOLE, now_ms: int | None = None
) -> Part:
    """Raises `BooksUnreadable`."""
    with readable():
        return await _Looks(books, invariants, share, now_ms).part()


class _Looks:
    def __init__(
        self, books: Books, invariants: Collection[Invariant], share: Share, now_ms: int | None
    ) -> None:
        self._books = books
        self._share = share
        self._now_ms = now_ms
        self._limits = Limits.of(books.settings)
        self._seen = [Seen(one) for one in invariants]
        sources = frozenset(source for one in invariants for source in one.sources)
        outboxes = self._outboxes(Telling(share.span) if "events" in sources else None)
        self._look = Look(books, self._limits, outboxes)
        self._reader = Reader(books, sources, outboxes)
        self._orders = 0
        self._absent: dict[str, str] = dict(books.absent)
        for name, book in (("bus", books.bus), ("provider", books.provider)):
            if book is None:
                self._absent.setdefault(name, "it is elsewhere")
        if books.alert is None:
            self._absent.setdefault("alerts", "no alert-service is part of this shop")

    async def part(self) -> Part:
        await self._look_at_all()
        for pause_s in LOOKS_S:
            if not any(seen.suspects for seen in self._seen):
                break
            await asyncio.sleep(pause_s)
            await self._look_again()
        return Part(self._orders, self._seen, self._absent)

    def _now(self) -> int:
        return self._books.clock.now_ms() if self._now_ms is None else self._now_ms

    def _outboxes(self, telling: Telling | None) -> Outboxes:
        books = self._books
        return Outboxes(books.order, books.payment, books.storage, books.alert, telling)

    async def _look_at_all(self) -> None:
        if self._share.has_books:
            for seen in self._seen:
                await self._ask_books(seen)
        # A million events need not lie beside the orders.
        self._look.kept.clear()
        if any(seen.invariant.of_order for seen in self._seen):
            await self._reader.open()
            stories, span = await self._reader.page(self._share.span)
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

    def _ask(self, seen: Seen, stories: list[Story]) -> None:
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

    async def _ask_books(self, seen: Seen, *, again: bool = False) -> None:
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
        confirmed = dict.fromkeys((seen.invariant.id for seen in self._seen), 0)
        # In the order in which the first one is reported.
        for place in sorted({place for seen in self._seen for place in seen.suspects}):
            doubted = [
                seen
                for seen in self._seen
                if place in seen.suspects and confirmed[seen.invariant.id] < CONFIRMED
            ]
            if not doubted:
                continue
            story = await self._reader.story(place) if place else None
            for seen in doubted:
                if story is None:
                    await self._ask_books(seen, again=True)
                else:
                    self._ask_again(seen, story)
                confirmed[seen.invariant.id] += place in seen.suspects

    def _ask_again(self, seen: Seen, story: Story) -> None:
        check, tally = seen.invariant.of_order, Tally(self._now())
        if check is not None:
            try:
                check(story, self._limits, tally)
            except _UNREADABLE as error:
                tally.unreadable(story.order_id, error, story.order)
            seen.take(story.order_id, tally.doubts, self._now(), again=True)
