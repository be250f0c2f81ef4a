"""Announced settlement files: fetched while their link lives, reconciled, or told as a signal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from kessai.kernel.clock import Clock
from kessai.kernel.db import Db
from kessai.kernel.errors import Fenced, Refused, Unknown
from kessai.kernel.leases import Due
from kessai.kernel.telemetry import get_log
from kessai.payment.application.file_ports import (
    AnnouncedFile,
    Desk,
    Fetch,
    Files,
    FileStatus,
    LongWork,
)
from kessai.payment.application.ports import Events
from kessai.payment.application.present import file_signal
from kessai.payment.application.reconcile import Reconciliation, Report, Source
from kessai.payment.domain.file_notice import LinkRules, next_try_ms, without_secrets

# A refusal that another try would not change.
_ENDS = {"TOO_LARGE": FileStatus.REFUSED, "BAD_FILE": FileStatus.BROKEN}
MAX_REASON = 200
_log = get_log("kessai.payment")


class FileWorker:
    """The lease is prolonged while it works: a big file takes minutes.

    The report is stored by `Reconciliation` before the row ends, so after a crash between the two
    the same file is found again by its digest and nothing is told twice.
    """

    def __init__(
        self,
        db: Db,
        clock: Clock,
        files: Files,
        work: LongWork,
        *,
        events: Events,
        links: LinkRules,
        fetch: Fetch,
        desk: Desk,
        reconciliation: Reconciliation,
        lease_ms: int,
        count: Callable[[str], None],
    ) -> None:
        self._db = db
        self._clock = clock
        self._files = files
        self._rows = work
        self._events = events
        self._links = links
        self._fetch = fetch
        self._desk = desk
        self._reconciliation = reconciliation
        self._lease_ms = lease_ms
        self._count = count

    async def work(self, due: Due) -> None:
        file = self._files.read(due)
        if why := self._links.why_not(file.link):
            await self._give_up(due, file, FileStatus.REFUSED, why)
            return
        try:
            # Not while the outcome is written: a row that was given back must not be held again.
            async with self._holding(due):
                report = await self._reconcile(file)
        except Refused as refused:
            status = _ENDS.get(refused.code)
            if status is None:
                await self._put_off(due, file, refused.code)
            else:
                await self._give_up(due, file, status, refused.message or refused.code)
        except Unknown as unknown:
            await self._put_off(due, file, f"{unknown.code}: {unknown.message}")
        except Exception as error:
            # A defect of ours ends as a signal too, instead of being tried for ever.
            _log.exception("settlement_file.failed", file=file.id)
            await self._put_off(due, file, type(error).__name__)
        else:
            await self._done(due, file, report)

    async def _reconcile(self, file: AnnouncedFile) -> Report:
        with self._desk.paper() as paper:
            name = await self._fetch.fetch(file.link, paper)
            return await self._reconciliation.run(Source(name, paper.chunks))

    @asynccontextmanager
    async def _holding(self, due: Due) -> AsyncIterator[None]:
        holder = asyncio.get_running_loop().create_task(self._hold(due))
        try:
            yield
        finally:
            holder.cancel()
            await asyncio.gather(holder, return_exceptions=True)

    async def _hold(self, due: Due) -> None:
        """Until it is cancelled, or the row is another's: then nothing of ours can be written."""
        while True:
            await asyncio.sleep(self._lease_ms / 4000)
            try:
                async with self._db.transaction() as tx:
                    await self._rows.renew(
                        tx, due, lease_ms=self._lease_ms, now_ms=self._clock.now_ms()
                    )
            except Fenced:
                _log.warning("settlement_file.taken_over", file=str(due.id))
                return
            except Unknown as unknown:
                _log.warning("settlement_file.not_held", file=str(due.id), code=unknown.code)

    async def _done(self, due: Due, file: AnnouncedFile, report: Report) -> None:
        run = report.run
        async with self._db.transaction() as tx:
            await self._files.ended(tx, file.id, FileStatus.DONE, None, run.id)
            await self._rows.finish(tx, due, next_ms=None)
        outcome = "DIFFERENCES" if run.differences else "MATCHED"
        self._count(outcome if report.is_new else "REPEATED")
        _log.info("settlement_file.done", file=file.id, run=run.id, is_new=report.is_new)

    async def _put_off(self, due: Due, file: AnnouncedFile, why: str) -> None:
        now_ms = self._clock.now_ms()
        next_ms = next_try_ms(file.tries + 1, now_ms, file.link_ends_at_ms)
        if next_ms is None:
            await self._give_up(due, replace(file, tries=file.tries + 1), FileStatus.LOST, why)
            return
        _log.warning("settlement_file.put_off", file=file.id, why=why, tries=file.tries + 1)
        async with self._db.transaction() as tx:
            await self._files.tried(tx, file.id, why[:MAX_REASON])
            await self._rows.finish(tx, due, next_ms=next_ms)

    async def _give_up(self, due: Due, file: AnnouncedFile, status: FileStatus, why: str) -> None:
        why = why[:MAX_REASON]
        link = without_secrets(file.link)
        async with self._db.transaction() as tx:
            await self._files.ended(tx, file.id, status, why, None)
            await self._events.signal(
                tx, file_signal(file, status, why, link, self._clock.now_ms())
            )
            await self._rows.finish(tx, due, next_ms=None)
        self._count(status.value)
        _log.warning("settlement_file.given_up", file=file.id, status=status.value, why=why)
