"""The stored reports in SQL."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import BindParameter, bindparam, insert, select

from kessai.kernel.db import Tx, insert_ignore
from kessai.payment.application.reconcile_ports import Run, Stored
from kessai.payment.domain.settlement import Difference, DifferenceKind, Remedy
from kessai.payment.gateway.settlement_tables import DIFFERENCE, ELSEWHERE, RUN

_FIELDS = tuple(Run.__slots__)
_COLUMNS = [RUN.c[name] for name in _FIELDS]
_SAME = (
    "merchant_payment_id",
    "payment_id",
    "refund_id",
    "order_id",
    "theirs",
    "ours",
    "amount_yen",
)
_PAGE = 500

_GET = select(*_COLUMNS).where(RUN.c.id == bindparam("of_id"))
_NEWEST = (
    select(*_COLUMNS)
    .order_by(RUN.c.day.desc(), RUN.c.ended_at_ms.desc(), RUN.c.id)
    .limit(bindparam("limit"))
)
_LAST_OF_DAY = (
    select(*_COLUMNS)
    .where(RUN.c.day == bindparam("of_day"))
    .order_by(RUN.c.ended_at_ms.desc(), RUN.c.id)
    .limit(1)
)
_ADD = insert(RUN)
_ADD_DIFFERENCE = insert(DIFFERENCE)
_ADD_ELSEWHERE = insert_ignore(ELSEWHERE)
_KEYS: BindParameter[str] = bindparam("difference_keys", expanding=True)
_KNOWN = (
    select(DIFFERENCE.c.difference_key).where(DIFFERENCE.c.difference_key.in_(_KEYS)).distinct()
)
_OF_RUN = (
    select(DIFFERENCE)
    .where(DIFFERENCE.c.run_id == bindparam("of_run"), DIFFERENCE.c.number > bindparam("after"))
    .order_by(DIFFERENCE.c.number)
    .limit(bindparam("limit"))
)


class SqlRuns:
    async def get(self, tx: Tx, run_id: str) -> Run | None:
        row = (await tx.run(_GET, {"of_id": run_id})).first()
        return Run(**row) if row else None

    async def newest(self, tx: Tx, limit: int) -> list[Run]:
        return [Run(**row) for row in (await tx.run(_NEWEST, {"limit": limit})).all()]

    async def last_of_day(self, tx: Tx, day: str) -> Run | None:
        row = (await tx.run(_LAST_OF_DAY, {"of_day": day})).first()
        return Run(**row) if row else None

    async def add(self, tx: Tx, run: Run) -> None:
        await tx.run(_ADD, {name: getattr(run, name) for name in _FIELDS})

    async def add_differences(self, tx: Tx, run_id: str, found: Sequence[Stored]) -> None:
        for start in range(0, len(found), _PAGE):
            rows = [_row(run_id, one) for one in found[start : start + _PAGE]]
            await tx.run(_ADD_DIFFERENCE, rows)

    async def add_elsewhere(self, tx: Tx, run: Run, entry_ids: Sequence[str]) -> None:
        for start in range(0, len(entry_ids), _PAGE):
            rows = [
                {"entry_id": one, "day": run.day, "run_id": run.id}
                for one in entry_ids[start : start + _PAGE]
            ]
            await tx.run(_ADD_ELSEWHERE, rows)

    async def known_keys(self, tx: Tx, keys: Sequence[str]) -> frozenset[str]:
        if not keys:
            return frozenset()
        rows = (await tx.run(_KNOWN, {"difference_keys": list(keys)})).all()
        return frozenset(row["difference_key"] for row in rows)

    async def differences(self, tx: Tx, run_id: str, after: int, limit: int) -> list[Stored]:
        asked = {"of_run": run_id, "after": after, "limit": limit}
        return [
            Stored(
                row["number"],
                row["difference_key"],
                Difference(
                    DifferenceKind(row["kind"]),
                    row["what"],
                    Remedy(row["remedy"]),
                    row["file_row"],
                    **{name: row[name] for name in _SAME},
                ),
            )
            for row in (await tx.run(_OF_RUN, asked)).all()
        ]


def _row(run_id: str, stored: Stored) -> dict[str, object]:
    one = stored.difference
    return {
        "run_id": run_id,
        "number": stored.number,
        "difference_key": stored.key,
        "kind": one.kind,
        "what": one.what,
        "file_row": one.row,
        "remedy": one.remedy,
        **{name: getattr(one, name) for name in _SAME},
    }
