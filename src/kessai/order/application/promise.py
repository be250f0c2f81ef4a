"""The promise kept or missed: samples become counts, counts become figures."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from kessai.contracts.order import PromiseFigures, PromiseReport, PromiseWindow
from kessai.kernel.clock import Clock, wire
from kessai.kernel.db import Db
from kessai.order.application.ports import Board, Limits, Samples
from kessai.order.domain.promise import (
    LIMIT_MS,
    TARGET,
    Count,
    Figures,
    Open,
    by_channel,
    figures,
    minute_of,
)

WINDOWS_MS = {"1h": 3_600_000, "24h": 24 * 3_600_000}
ALL = "all"


class Promise:
    def __init__(
        self, db: Db, samples: Samples, board: Board | None, clock: Clock, limits: Limits
    ) -> None:
        self._db = db
        self._samples = samples
        self._board = board
        self._clock = clock
        self._limits = limits
        self._kept: tuple[float, PromiseReport] | None = None

    async def watching(self) -> None:
        while True:
            await self.report()
            await self.forget()
            await asyncio.sleep(self._limits.promise_every_s)

    async def report(self) -> PromiseReport:
        """Over each window; at most as old as a few seconds."""
        now_s = self._clock.monotonic()
        if self._kept is not None and now_s - self._kept[0] < self._limits.promise_fresh_s:
            return self._kept[1]
        await self.count()
        report = await self._read()
        self._kept = (now_s, report)
        if self._board is not None:
            self._board.show(report)
        return report

    async def count(self) -> int:
        """Takes the samples of all processes into the counts; returns how many this one took."""
        taken, limit = 0, self._limits.promise_samples_per_round
        while True:
            async with self._db.read() as tx:
                waiting = await self._samples.waiting(tx, limit)
            if not waiting:
                return taken
            async with self._db.transaction() as tx:
                mine = await self._samples.count(tx, waiting)
            if self._board is not None:
                self._board.ended(mine)
            taken += len(mine)

    async def forget(self) -> None:
        now_ms = self._clock.now_ms()
        before_minute = minute_of(now_ms - self._limits.promise_keep_ms)
        async with self._db.transaction() as tx:
            await self._samples.purge(tx, before_minute)

    async def _read(self) -> PromiseReport:
        now_ms = self._clock.now_ms()
        ended: dict[str, Sequence[Count]] = {}
        async with self._db.read() as tx:
            opens = await self._samples.open(tx, now_ms, now_ms - LIMIT_MS)
            for name, length_ms in WINDOWS_MS.items():
                ended[name] = await self._samples.ended(tx, minute_of(now_ms - length_ms))
        return PromiseReport(
            at=wire(now_ms),
            limit_s=LIMIT_MS // 1000,
            target=TARGET,
            windows=tuple(_window(name, counts, opens) for name, counts in ended.items()),
        )


def _window(name: str, counts: Sequence[Count], opens: Sequence[Open]) -> PromiseWindow:
    total = figures(ALL, counts, opens)
    return PromiseWindow(
        window=name,
        met=total.is_met,
        burn_rate=total.burn_rate,
        total=_shown(total),
        channels=tuple(_shown(one) for one in by_channel(counts, opens)),
    )


def _shown(found: Figures) -> PromiseFigures:
    return PromiseFigures(
        channel=found.channel,
        within=found.within,
        late=found.late,
        open=found.open,
        open_late=found.open_late,
        oldest_open_ms=found.oldest_open_ms,
        share=found.share,
        p50_ms=found.p50_ms,
        p95_ms=found.p95_ms,
        p99_ms=found.p99_ms,
        max_ms=found.max_ms,
        otherwise=dict(found.otherwise),
    )
