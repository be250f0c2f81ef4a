"""`verify` of a running system with two processors: a second process takes a share of the orders.

The first asks the books as a whole and looks at the older orders, the second at the younger ones.
Each has books of its own and looks again at what seems wrong in its share, as one process would.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy import bindparam, func, select, table

from kessai.kernel.clock import Clock
from kessai.kernel.http import Http
from kessai.kernel.settings import Settings
from kessai.proof.invariants.books import Books, BooksUnreadable
from kessai.proof.invariants.span import FIRST, Span
from kessai.proof.invariants.sql import Statement, col
from kessai.proof.invariants.table import Invariant
from kessai.proof.live import live_books
from kessai.proof.looks import WHOLE, Part, Share, look_at, readable
from kessai.proof.schemas import require_schema
from kessai.proof.second import Asked
from kessai.proof.verify import Report, choose, report_of

_SECOND: Final = "kessai.proof.second"

_COUNT: Statement = select(func.count().label("orders")).select_from(table("orders"))
_AT: Statement = (
    select(col("order_id"))
    .select_from(table("orders"))
    .order_by(col("order_id"))
    .limit(1)
    .offset(bindparam("orders"))
)


@dataclass(frozen=True, slots=True)
class Halving:
    """When two processes look, and how much the first one takes."""

    processors: int = 2
    # A process takes a second to start.
    least_orders: int = 5_000
    # Of the orders, beside the books as a whole; these are worth as much as the rest of a half.
    beside_books: float = 0.4
    otherwise: float = 0.5

    def first_share(self, invariants: Collection[Invariant]) -> float:
        return self.beside_books if any(map(_reads_the_bus, invariants)) else self.otherwise


def _reads_the_bus(one: Invariant) -> bool:
    return one.of_books is not None and "bus" in one.needs


async def check_live(
    settings: Settings,
    clock: Clock,
    http: Http,
    only: Collection[str] | None = None,
    halving: Halving | None = None,
) -> Report:
    """As `proof.verify.check`, of the system that the settings name.

    Without `halving` as many processes look as this one may have processors, two at most.
    """
    chosen = choose(only)
    halving = halving or Halving(processors=_processors())
    began_s = clock.monotonic()
    async with live_books(settings, clock, http, check=require_schema) as books:
        shares = await _shares(books, chosen, halving)
        part = await _look(books, settings, chosen, shares)
    return report_of(part, clock.now_ms(), clock.monotonic() - began_s)


def _processors() -> int:
    """Those that this process may use, which the machine's need not be."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


async def _shares(
    books: Books, invariants: Collection[Invariant], halving: Halving
) -> Sequence[Share]:
    """One of all, or the first's and the second's."""
    if halving.processors < 2 or not any(one.of_order for one in invariants):
        return (WHOLE,)
    with readable():
        async with books.order.read() as tx:
            orders: int = (await tx.run(_COUNT)).one()["orders"]
            if orders < halving.least_orders:
                return (WHOLE,)
            before = int(orders * halving.first_share(invariants))
            cut = str((await tx.run(_AT, {"orders": before})).scalar())
    return Share(Span(FIRST.low, cut)), Share(Span(cut, FIRST.high), has_books=False)


async def _look(
    books: Books, settings: Settings, invariants: Sequence[Invariant], shares: Sequence[Share]
) -> Part:
    mine, *rest = shares
    if not rest:
        return await look_at(books, invariants, mine)
    ids = tuple(one.id for one in invariants)
    asked = Asked(os.getpid(), settings, ids, rest[0])
    async with _second(asked) as answer:
        looking = asyncio.create_task(look_at(books, invariants, mine))
        try:
            part, other = await asyncio.gather(looking, answer)
        finally:
            looking.cancel()
            await asyncio.wait((looking,))
    if other.absent != part.absent:
        why = "; ".join({**other.absent, **part.absent}.values())
        raise BooksUnreadable(f"a book was there for a share of the orders only: {why}")
    part.add(other)
    return part


@asynccontextmanager
async def _second(asked: Asked) -> AsyncIterator[asyncio.Task[Part]]:
    """Its answer; the process ends with the block, whatever becomes of it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        _SECOND,
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        # Ctrl-C in a terminal is for us: it ends with the block.
        start_new_session=True,
    )
    answer = asyncio.create_task(_answer(process, pickle.dumps(asked)))
    try:
        yield answer
    finally:
        answer.cancel()
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _answer(process: Process, asked: bytes) -> Part:
    """Raises `BooksUnreadable` with what it said, or with its last words."""
    answer, words = await process.communicate(asked)
    if process.returncode != 0:
        last = words.decode("utf-8", "replace").strip().rpartition("\n")[2]
        why = f"the process that looked at them ended with {process.returncode}: {last}"
        raise BooksUnreadable(f"a share of the orders was not looked at: {why}")
    found: Part | str = pickle.loads(answer)  # noqa: S301 - our own process wrote it
    if isinstance(found, str):
        raise BooksUnreadable(found)
    return found
