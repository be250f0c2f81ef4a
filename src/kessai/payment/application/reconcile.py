"""Reconciliation: the provider's file of a day against our ledger, and a report that is kept."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

from kessai.kernel.clock import Clock
from kessai.kernel.db import Db, Tx
from kessai.kernel.errors import Duplicate
from kessai.kernel.ids import content_id
from kessai.kernel.telemetry import get_log
from kessai.payment.application.ports import Events
from kessai.payment.application.present import agreement_signal, settlement_signal
from kessai.payment.application.reconcile_ports import DayBooks, Run, Runs, Scratch, Stored
from kessai.payment.application.reconcile_work import Limits, Work
from kessai.payment.domain.settlement import Difference, DifferenceKind
from kessai.payment.domain.settlement_file import SettlementFile

_SPAN_IN_NAME = re.compile(r"_(\d{8})000000_(\d{8})235959")
_log = get_log("kessai.payment")


@dataclass(frozen=True, slots=True)
class Source:
    """A file that can be read from its start, as often as it is asked."""

    name: str
    open: Callable[[], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class Report:
    """`is_new` is false for a file that was reconciled before: its report is the stored one."""

    run: Run
    differences: Sequence[Difference]
    is_new: bool


class Reconciliation:
    def __init__(
        self,
        db: Db,
        clock: Clock,
        *,
        books: DayBooks,
        runs: Runs,
        events: Events,
        open_scratch: Callable[[], Scratch],
        merchant_id: str,
        limits: Limits | None = None,
    ) -> None:
        self._db = db
        self._clock = clock
        self._books = books
        self._runs = runs
        self._events = events
        self._open_scratch = open_scratch
        self._merchant_id = merchant_id
        self._limits = limits or Limits()

    async def run(
        self,
        source: Source,
        *,
        day: date | None = None,
        dry_run: bool = False,
        progress: Callable[[str, int], None] = lambda _part, _done: None,
    ) -> Report:
        """Raises `Refused` BAD_FILE for what is no settlement file, or none of that day.

        `progress` hears of bytes and rows that are done. With `dry_run` nothing is stored or
        told, and the file is compared with the books as they are now, however often.
        """
        began_at_ms = self._clock.now_ms()
        digest = await _digest(source)
        work = Work(self._books, self._limits, self._open_scratch(), progress)
        try:
            file = SettlementFile(source.open(), self._merchant_id)
            work.day = day or _day_in(source.name)
            if work.day is not None and not dry_run:
                run_id = _run_id(digest, work.day)
                if (stored := await self._stored(run_id)) is not None:
                    return stored
            await work.read(file)
            settled_day = work.settled_day()
            if not dry_run and day is None:
                stored = await self._stored(_run_id(digest, settled_day))
                if stored is not None:
                    return stored
            await work.compare(settled_day)
        finally:
            work.scratch.close()
        run = replace(
            work.run(file),
            id=_run_id(digest, settled_day),
            digest=digest,
            day=settled_day.isoformat(),
            file_name=source.name[:200],
            began_at_ms=began_at_ms,
            ended_at_ms=self._clock.now_ms(),
        )
        if dry_run:
            return Report(run, work.kept, is_new=True)
        return await self._store(run, work)

    async def _stored(self, run_id: str) -> Report | None:
        async with self._db.read() as tx:
            run = await self._runs.get(tx, run_id)
            if run is None:
                return None
            kept = await self._runs.differences(tx, run_id, 0, self._limits.kept)
        return Report(run, [one.difference for one in kept], is_new=False)

    async def _store(self, run: Run, work: Work) -> Report:
        stored = [
            Stored(number, _key(run.day, one), one) for number, one in enumerate(work.kept, 1)
        ]
        try:
            async with self._db.transaction() as tx:
                before = await self._runs.last_of_day(tx, run.day)
                await self._runs.add(tx, run)
                if before is not None:
                    await self._tell_what_agrees(tx, before, run, stored)
                told = await self._tell(tx, run, stored)
                await self._runs.add_differences(tx, run.id, stored)
                await self._runs.add_elsewhere(tx, run, work.elsewhere)
        except Duplicate:
            # Another process had the same file and was faster: its report is the report.
            if (first := await self._stored(run.id)) is not None:
                return first
            raise
        _log.info("settlement.reconciled", day=run.day, differences=run.differences, told=told)
        return Report(run, work.kept, is_new=True)

    async def _tell(self, tx: Tx, run: Run, stored: Sequence[Stored]) -> int:
        """The worst first, and no more than a person can read; a summary says how many there are.

        What an earlier file of the day had told already is not told again.
        """
        order = list(DifferenceKind)
        worst = sorted(stored, key=lambda one: (order.index(one.difference.kind), one.number))
        some = worst[: 4 * self._limits.signals]
        known = await self._runs.known_keys(tx, [one.key for one in some])
        new = [one for one in some if one.key not in known][: self._limits.signals]
        now_ms = self._clock.now_ms()
        for one in new:
            await self._events.signal(tx, settlement_signal(run, one, now_ms))
        if run.differences:
            await self._events.signal(tx, settlement_signal(run, None, now_ms))
        return len(new)

    async def _tell_what_agrees(
        self, tx: Tx, before: Run, run: Run, stored: Sequence[Stored]
    ) -> None:
        """What the day's earlier file told and this one does not, and that one's own summary."""
        if not before.differences:
            return
        now_ms = self._clock.now_ms()
        await self._events.signal(tx, agreement_signal(run, before.id, now_ms))
        if len(stored) < run.differences:
            # Those beyond the limit are not known by name.
            return
        known = {one.key for one in stored}
        for one in await self._runs.differences(tx, before.id, 0, 4 * self._limits.signals):
            if one.key not in known:
                await self._events.signal(tx, agreement_signal(run, one.key, now_ms))


async def _digest(source: Source) -> str:
    digest = hashlib.sha256()
    for chunk in source.open():
        digest.update(chunk)
        await asyncio.sleep(0)
    return digest.hexdigest()


def _run_id(digest: str, day: date) -> str:
    return content_id("settlement", digest, day.isoformat())


def _day_in(name: str) -> date | None:
    """PayPay's own names say the day: `..._20200130000000_20200130235959_v2.csv`."""
    found = _SPAN_IN_NAME.search(name)
    if found is None or found[1] != found[2]:
        return None
    try:
        return date.fromisoformat(found[1])
    except ValueError:
        return None


def _key(day: str, one: Difference) -> str:
    """The same difference of the same day, whichever file shows it."""
    row = str(one.row) if one.kind in (DifferenceKind.BROKEN, DifferenceKind.DUPLICATE) else ""
    about = (one.merchant_payment_id, one.payment_id, one.refund_id, one.theirs, one.ours)
    return content_id("settlement", day, one.kind, one.what, row, *(part or "" for part in about))
