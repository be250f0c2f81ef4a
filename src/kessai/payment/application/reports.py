"""The stored settlement reports as the others see them."""

from __future__ import annotations

from kessai.contracts.payment import (
    ListSettlements,
    Settlement,
    SettlementById,
    SettlementDifference,
    SettlementRun,
    SettlementRuns,
)
from kessai.kernel.clock import wire
from kessai.kernel.db import Db
from kessai.kernel.errors import NotFound
from kessai.payment.application.reconcile_ports import Run, Runs
from kessai.payment.domain.settlement import Difference

_DIFFERENCE = tuple(SettlementDifference.model_fields)
_COUNTS = (
    "day",
    "digest",
    "file_name",
    "layout",
    "matched",
    "missing_here",
    "missing_there",
    "differing",
    "duplicates",
    "broken",
    "without_money",
    "theirs_yen",
    "ours_yen",
)


class Reports:
    def __init__(self, db: Db, runs: Runs) -> None:
        self._db = db
        self._runs = runs

    async def list(self, command: ListSettlements) -> SettlementRuns:
        async with self._db.read() as tx:
            found = await self._runs.newest(tx, command.limit)
        return SettlementRuns(runs=tuple(run_view(one) for one in found))

    async def get(self, command: SettlementById) -> Settlement:
        async with self._db.read() as tx:
            run = await self._runs.get(tx, command.run_id)
            if run is None:
                raise NotFound(f"no settlement {command.run_id}")
            kept = await self._runs.differences(tx, run.id, command.after, command.limit)
        return Settlement(
            run=run_view(run),
            differences=tuple(difference_view(one.difference) for one in kept),
            next=kept[-1].number if len(kept) == command.limit else None,
        )


def run_view(run: Run) -> SettlementRun:
    return SettlementRun(
        run_id=run.id,
        rows=run.file_rows,
        began_at=wire(run.began_at_ms),
        ended_at=wire(run.ended_at_ms),
        **{name: getattr(run, name) for name in _COUNTS},
    )


def difference_view(one: Difference) -> SettlementDifference:
    return SettlementDifference(**{name: getattr(one, name) for name in _DIFFERENCE})
