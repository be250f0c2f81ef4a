"""The promise in SQL: samples in the order's transaction, counts by minute and by hour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BindParameter, bindparam, case, delete, func, select, update

from kessai.kernel.db import Row, Tx, insert_ignore
from kessai.order.domain.promise import (
    HOUR_MINUTES,
    Channel,
    Count,
    Open,
    Sample,
    hour_of,
    minute_of,
)
from kessai.order.gateway.tables import COUNTS, ORDERS, SAMPLES, SETTLING

_s, _c, _o = SAMPLES.c, COUNTS.c, ORDERS.c
_MINUTE, _HOUR = 1, HOUR_MINUTES
_PURGED_MINUTES = 120

_ADD = insert_ignore(SAMPLES)
_WAITING = select(SAMPLES).order_by(_s.merchant_payment_id).limit(bindparam("limit"))
_TAKE = delete(SAMPLES).where(_s.merchant_payment_id == bindparam("of_payment"))
_NEW_COUNT = insert_ignore(COUNTS)
_MORE: BindParameter[int] = bindparam("more")
_SLOWEST: BindParameter[int] = bindparam("slowest")
_COUNT = (
    update(COUNTS)
    .where(
        _c.span == bindparam("of_span"),
        _c.minute == bindparam("of_minute"),
        _c.channel == bindparam("of_channel"),
        _c.outcome == bindparam("of_outcome"),
        _c.bucket == bindparam("of_bucket"),
    )
    .values(
        payments=_c.payments + _MORE,
        max_ms=case((_c.max_ms < _SLOWEST, _SLOWEST), else_=_c.max_ms),
    )
)
_SUMS = (
    select(
        _c.channel,
        _c.outcome,
        _c.bucket,
        func.sum(_c.payments).label("payments"),
        func.max(_c.max_ms).label("max_ms"),
    )
    .where(
        _c.span == bindparam("of_span"),
        _c.minute >= bindparam("from_minute"),
        _c.minute < bindparam("before_minute"),
    )
    .group_by(_c.channel, _c.outcome, _c.bucket)
)
_LATE_BEFORE: BindParameter[int] = bindparam("late_before_ms")
_OPEN = (
    select(
        _o.settling_channel.label("channel"),
        func.count().label("payments"),
        func.sum(case((_o.settling_since_ms < _LATE_BEFORE, 1), else_=0)).label("late"),
        func.min(_o.settling_since_ms).label("oldest"),
    )
    .where(SETTLING)
    .group_by(_o.settling_channel)
)
_OLDEST = select(func.min(_c.minute)).where(_c.span == bindparam("of_span"))
_FORGET = delete(COUNTS).where(_c.span == bindparam("of_span"), _c.minute < bindparam("until"))
# Later than any minute.
_NO_END = 1 << 40


class SqlSamples:
    async def add(self, tx: Tx, sample: Sample) -> None:
        row = {
            "merchant_payment_id": sample.merchant_payment_id,
            "channel": sample.channel,
            "outcome": sample.outcome,
            "ended_at_ms": sample.ended_at_ms,
            "took_ms": sample.took_ms,
        }
        await tx.run(_ADD, row)

    async def waiting(self, tx: Tx, limit: int) -> Sequence[Sample]:
        rows = (await tx.run(_WAITING, {"limit": limit})).all()
        return [_sample(row) for row in rows]

    async def count(self, tx: Tx, samples: Sequence[Sample]) -> Sequence[Sample]:
        # Who deletes the row counts it; another process waits for that and finds none.
        mine = [
            one
            for one in samples
            if (await tx.run(_TAKE, {"of_payment": one.merchant_payment_id})).rowcount == 1
        ]
        sums: dict[tuple[int, int, str, str, int], tuple[int, int]] = {}
        for one in mine:
            minute = minute_of(one.ended_at_ms)
            for span, start in ((_MINUTE, minute), (_HOUR, hour_of(minute))):
                key = (span, start, one.channel.value, one.outcome, one.bucket)
                payments, slowest = sums.get(key, (0, 0))
                sums[key] = (payments + 1, max(slowest, one.took_ms))
        for key in sorted(sums):
            await _add_to(tx, key, *sums[key])
        return mine

    async def ended(self, tx: Tx, from_minute: int) -> Sequence[Count]:
        """Minutes up to the next full hour, hours from there on."""
        hour = hour_of(from_minute + HOUR_MINUTES - 1)
        minutes = {"of_span": _MINUTE, "from_minute": from_minute, "before_minute": hour}
        hours = {"of_span": _HOUR, "from_minute": hour, "before_minute": _NO_END}
        rows = [*(await tx.run(_SUMS, minutes)).all(), *(await tx.run(_SUMS, hours)).all()]
        return [
            Count(
                row["channel"],
                row["outcome"],
                row["bucket"],
                # MySQL sums up to a Decimal.
                int(row["payments"]),
                int(row["max_ms"]),
            )
            for row in rows
        ]

    async def open(self, tx: Tx, now_ms: int, late_before_ms: int) -> Sequence[Open]:
        rows = (await tx.run(_OPEN, {"late_before_ms": late_before_ms})).all()
        return [
            Open(
                Channel.of(row["channel"]),
                int(row["payments"]),
                int(row["late"]),
                max(0, now_ms - int(row["oldest"])),
            )
            for row in rows
        ]

    async def purge(self, tx: Tx, before_minute: int) -> int:
        gone = 0
        for span in (_MINUTE, _HOUR):
            oldest: Any = (await tx.run(_OLDEST, {"of_span": span})).scalar()
            if oldest is not None and int(oldest) < before_minute:
                until = min(before_minute, int(oldest) + _PURGED_MINUTES)
                gone += (await tx.run(_FORGET, {"of_span": span, "until": until})).rowcount
        return gone


async def _add_to(
    tx: Tx, key: tuple[int, int, str, str, int], payments: int, slowest_ms: int
) -> None:
    names = ("span", "minute", "channel", "outcome", "bucket")
    of = dict(zip(names, key, strict=True))
    if (await tx.run(_NEW_COUNT, {**of, "payments": payments, "max_ms": slowest_ms})).rowcount == 1:
        return
    where = {f"of_{name}": value for name, value in of.items()}
    await tx.run(_COUNT, {**where, "more": payments, "slowest": slowest_ms})


def _sample(row: Row) -> Sample:
    return Sample(
        row["merchant_payment_id"],
        Channel.of(row["channel"]),
        row["outcome"],
        row["ended_at_ms"],
        row["took_ms"],
    )
