"""A host of settlement files in plain memory, and payment-service that is told of them."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from starlette.types import Receive, Scope, Send
from tests.support.payment import ORDER, Till, open_till
from tests.support.settlement import Row, a_file
from tests.support.web import run_virtual

from kessai.contracts.events import Signal
from kessai.contracts.paypay.settlement import RECON, Movement, written_at
from kessai.kernel.http import AsgiHttp

HOST = "http://127.0.0.1:8090"
LINK = f"{HOST}/files/transaction_m_20260115000000_20260115235959_v2.csv?token=secret"


@dataclass
class FileHost:
    """Gives its answers in turn, then the last one again; `gate` holds everybody up."""

    content: bytes = b""
    statuses: list[int] = field(default_factory=lambda: [200])
    chunk_pause_s: float = 0.0
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    # Virtual seconds at which it was asked.
    asked: list[float] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["method"] == "GET"
        self.asked.append(asyncio.get_running_loop().time())
        await self.gate.wait()
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        location = [(b"location", b"http://127.0.0.1:8090/elsewhere")]
        await send({"type": "http.response.start", "status": status, "headers": location})
        for start in range(0, len(self.content), 100):
            chunk = self.content[start : start + 100]
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await asyncio.sleep(self.chunk_pause_s)
        await send({"type": "http.response.body", "body": b""})


@dataclass
class Office:
    """The till, the host of its files, and the folder where they lie meanwhile."""

    till: Till
    host: FileHost
    folder: Path

    @property
    def papers(self) -> list[str]:
        return sorted(each.name for each in self.folder.rglob("*") if each.is_file())

    async def announce(self, link: str = LINK, *, of: str = "n-1", **fields: Any) -> bool:
        body = {
            "notification_id": of,
            "path": link,
            "requestedAt": str(self.till.now_ms // 1000),
            "fileType": "transaction_recon",
        } | fields
        received = await self.till.webhook(notification_type="file.created", **body)
        return received.stored

    async def sell(self, order_id: str = ORDER) -> Row:
        """A payment of 1200 yen that is proved, as the provider's file has it."""
        await self.till.create(order_id, request_id=order_id)
        payment = f"{order_id}-1"
        self.till.provider.pay(payment)
        at = written_at(RECON, self.till.now_ms)
        await self.till.webhook(payment)
        await asyncio.sleep(5)
        return Row(Movement.COMPLETED, f"pp-{payment}", payment, "1200", at)

    def offer(self, rows: Sequence[Row | list[str]]) -> None:
        self.host.content = a_file(rows).encode("cp932")

    async def files(self) -> list[dict[str, Any]]:
        return list(await self.till.rows("SELECT * FROM settlement_file ORDER BY received_at_ms"))

    async def file(self) -> dict[str, Any]:
        (row,) = await self.files()
        return row

    async def told(self) -> list[Signal]:
        """Signals of files, not of single differences."""
        return [one for one in await self.till.signals() if one.signal != "SettlementDifference"]

    def count(self, outcome: str) -> float:
        return self.till.metric(f'settlement_files_total{{outcome="{outcome}"}}')


Tale = Callable[[Office], Awaitable[None]]


def in_the_office(**settings: Any) -> Callable[[Tale], Callable[[Path], None]]:
    """Makes a test of a coroutine; time passes only by waiting."""

    def decorate(tale: Tale) -> Callable[[Path], None]:
        async def live(folder: Path) -> None:
            till, host = await open_till(data_dir=str(folder), **settings), FileHost()
            host.gate.set()
            cast(AsgiHttp, till.runtime.http).route(HOST, host)
            try:
                await tale(Office(till, host, folder))
            finally:
                await till.unit.stop()
                await till.runtime.http.close()
                await till.db.close()

        @functools.wraps(tale, assigned=("__module__", "__name__", "__qualname__", "__doc__"))
        def test(tmp_path: Path) -> None:
            run_virtual(live(tmp_path))

        del test.__wrapped__
        return test

    return decorate
