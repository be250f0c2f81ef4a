"""The day's files: made from the book, linked to for two hours, announced by a webhook."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from kessai.contracts.paypay import FileWebhook
from kessai.contracts.paypay.settlement import (
    ENCODING,
    LINE_END,
    LINK_LIVES_S,
    PREAUTH,
    RECON,
    Layout,
    file_name,
    span_of,
)
from kessai.kernel.chance import Chance
from kessai.kernel.clock import Clock
from kessai.kernel.errors import NotFound
from kessai.sim.paypay.application.book import Book
from kessai.sim.paypay.application.faults import FaultBox
from kessai.sim.paypay.application.happenings import Happenings
from kessai.sim.paypay.application.webhooks import Webhooks
from kessai.sim.paypay.domain.settlement import Sheet

# So many payments are written at a time, and others get their turn between.
_AT_A_TIME: Final = 200
MAX_LINKS: Final = 1000


@dataclass(frozen=True, slots=True)
class Made:
    """`token` is the secret part of its link."""

    name: str
    token: str
    sheet: Sheet
    rows: int
    expires_ms: int


class Settlement:
    def __init__(
        self,
        book: Book,
        faults: FaultBox,
        webhooks: Webhooks,
        happenings: Happenings,
        *,
        clock: Clock,
        chance: Chance,
        merchant_id: str,
    ) -> None:
        self._book = book
        self._faults = faults
        self._webhooks = webhooks
        self._happenings = happenings
        self._clock = clock
        self._chance = chance
        self._merchant_id = merchant_id
        self._made: dict[str, Made] = {}

    async def make(self, day: date, layout: Layout | None = None) -> list[Made]:
        """Without a layout: the day's file, and that of authorisations if there were any."""
        if layout is not None:
            made = [await self._make(day, layout)]
        else:
            first, other = await self._make(day, RECON), await self._make(day, PREAUTH)
            made = [first, other] if other.rows else [first]
        for each in made:
            self._happenings.tell("file.created", "", f"{each.name}, {each.rows} rows")
        return made

    async def _make(self, day: date, layout: Layout) -> Made:
        now_ms = self._clock.now_ms()
        sheet = Sheet(
            layout, day.isoformat(), span_of(day), now_ms, self._merchant_id, self._faults.faults
        )
        made = Made(
            name=file_name(layout, self._merchant_id, day),
            token=self._chance.token_bytes(16).hex(),
            sheet=sheet,
            rows=await self._count(sheet),
            expires_ms=now_ms + LINK_LIVES_S * 1000,
        )
        while len(self._made) >= MAX_LINKS:
            del self._made[next(iter(self._made))]
        self._made[made.token] = made
        return made

    async def _count(self, sheet: Sheet) -> int:
        rows = 0
        for number, payment in enumerate(list(self._book)):
            for cells, fault in sheet.lines_of(payment):
                rows += bool(cells)
                if fault is not None:
                    self._faults.note("settlement", fault, payment.merchant_payment_id, sheet.day)
            if number % _AT_A_TIME == 0:
                await asyncio.sleep(0)
        return rows

    def announce(self, made: Made, url: str) -> None:
        """Tells the merchant where the file is."""
        chance = self._chance.token_bytes(16).hex()
        notice = FileWebhook(
            notification_id="-".join(
                (chance[:8], chance[8:12], chance[12:16], chance[16:20], chance[20:])
            ),
            path=url,
            requestedAt=str(self._clock.now_ms() // 1000),
        )
        self._webhooks.file_created(made.sheet.day, notice.model_dump_json().encode())

    def find(self, name: str, token: str) -> Made:
        """Raises `NotFound`, also when its two hours are over."""
        made = self._made.get(token)
        if made is None or made.name != name or made.expires_ms <= self._clock.now_ms():
            raise NotFound("no such file, or its link has ended")
        return made

    async def content(self, made: Made) -> AsyncIterator[bytes]:
        """As the book was when the file was made; never whole in memory."""
        payments = list(self._book)
        yield _written([made.sheet.header()])
        for start in range(0, len(payments), _AT_A_TIME):
            lines = [
                cells
                for payment in payments[start : start + _AT_A_TIME]
                for cells, _ in made.sheet.lines_of(payment)
                if cells
            ]
            if lines:
                yield _written(lines)
            await asyncio.sleep(0)

    def clear(self) -> None:
        self._made.clear()


def _written(lines: list[list[str]]) -> bytes:
    page = io.StringIO()
    csv.writer(page, lineterminator=LINE_END).writerows(lines)
    return page.getvalue().encode(ENCODING, "replace")
