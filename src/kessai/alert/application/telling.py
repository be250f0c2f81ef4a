"""People outside are told of each alert's beginning and end: written with it, sent until taken."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal

from kessai.alert.application.ports import DueNotice, Notice, Notices, Notifier
from kessai.alert.application.present import alert_row
from kessai.alert.domain.alert import Alert
from kessai.kernel.clock import Clock, wire
from kessai.kernel.db import Db, Tx
from kessai.kernel.errors import Fenced, Refused, Unknown, VersionConflict
from kessai.kernel.ids import content_id
from kessai.kernel.telemetry import get_log

News = Literal["raised", "resolved"]
_log = get_log("kessai.alert")


@dataclass(frozen=True, slots=True)
class TellingLimits:
    """The first pause doubles up to the longest; after `give_up_ms` the log has the last word."""

    at_once: int = 10
    lease_ms: int = 60_000
    first_pause_ms: int = 5_000
    longest_pause_ms: int = 3_600_000
    give_up_ms: int = 3 * 24 * 3_600_000
    idle_s: float = 1.0


DEFAULTS: Final = TellingLimits()


def notice_of(alert: Alert, news: News, now_ms: int) -> Notice:
    """The same news of the same alert is the same message, whoever writes it."""
    at_ms = alert.resolved_at_ms if news == "resolved" else alert.detected_at_ms
    content = {
        "type": f"alert.{news}",
        "timestamp": wire(at_ms or now_ms),
        "data": {
            **alert_row(alert).model_dump(mode="json", by_alias=True),
            "facts": json.loads(alert.facts_json),
        },
    }
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return Notice(content_id("notice", alert.id, news), alert.id, body, now_ms)


class Telling:
    def __init__(
        self,
        db: Db,
        clock: Clock,
        notices: Notices,
        notifier: Notifier,
        *,
        owner: str,
        limits: TellingLimits = DEFAULTS,
    ) -> None:
        self._db = db
        self._clock = clock
        self._notices = notices
        self._notifier = notifier
        self._owner = owner
        self._limits = limits
        self._wake = asyncio.Event()

    async def note(self, tx: Tx, alert: Alert, news: News) -> None:
        """In the transaction of the change itself: what is committed is told."""
        await self._notices.add(tx, notice_of(alert, news, self._clock.now_ms()))
        tx.after_commit(self._wake.set)

    async def run(self) -> None:
        """A loop for the Supervisor."""
        while True:
            self._wake.clear()
            try:
                taken = await self.tell_due()
            except (Unknown, VersionConflict) as error:
                _log.warning("alert.notices_unread", code=error.code)
                taken = 0
            if taken < self._limits.at_once:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._limits.idle_s):
                        await self._wake.wait()

    async def tell_due(self) -> int:
        """Tells what is due, several at once; returns how many there were."""
        limits = self._limits
        async with self._db.read() as tx:
            if not await self._notices.is_any_due(tx, self._clock.now_ms()):
                return 0
        async with self._db.transaction() as tx:
            taken = await self._notices.take(
                tx,
                owner=self._owner,
                lease_ms=limits.lease_ms,
                now_ms=self._clock.now_ms(),
                limit=limits.at_once,
            )
        await asyncio.gather(*(self._tell(one) for one in taken))
        return len(taken)

    async def _tell(self, one: DueNotice) -> None:
        code: str | None = None
        is_over = False
        try:
            await self._notifier.tell(one.notice)
        except Unknown as unknown:
            code = unknown.message or unknown.code
            waited_ms = self._clock.now_ms() - one.notice.created_at_ms
            is_over = waited_ms >= self._limits.give_up_ms
        except Refused as refused:
            code, is_over = refused.code, True
        try:
            await self._write(one, code, is_over=is_over)
        except (Unknown, Fenced) as error:
            # It is told again once the lease is over: the receiver knows it by its id.
            _log.warning("alert.notice_unwritten", notice_id=one.notice.id, why=str(error))

    async def _write(self, one: DueNotice, code: str | None, *, is_over: bool) -> None:
        about = {"notice_id": one.notice.id, "alert_id": one.notice.alert_id}
        async with self._db.transaction() as tx:
            if code is None or is_over:
                await self._notices.forget(tx, one)
            else:
                next_ms = self._clock.now_ms() + self._pause_ms(one.tries)
                await self._notices.put_off(tx, one, next_ms)
        if code is None:
            _log.info("alert.told", **about)
        elif is_over:
            _log.error("alert.untold", **about, why=code)
        else:
            _log.warning("alert.not_told_yet", **about, why=code, tries=one.tries + 1)

    def _pause_ms(self, tries: int) -> int:
        limits = self._limits
        return min(limits.longest_pause_ms, limits.first_pause_ms << min(tries, 20))
