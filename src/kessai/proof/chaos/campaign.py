"""One run: start, break, heal, wait until everything is final, judge."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from kessai.kernel.chance import SystemChance
from kessai.kernel.clock import SystemClock
from kessai.kernel.db import Db
from kessai.kernel.errors import DatabaseUnavailable
from kessai.kernel.http import AiohttpHttp
from kessai.kernel.ids import RandomIds
from kessai.kernel.settings import Settings
from kessai.proof.chaos.fleet import Fleet
from kessai.proof.chaos.injector import Injector
from kessai.proof.chaos.plan import CODE_LIFETIME_S, HOT_PIECES, SETTINGS, Plan
from kessai.proof.chaos.provider import Provider
from kessai.proof.chaos.report import Report
from kessai.proof.chaos.rest import ends, still_open
from kessai.proof.chaos.servers import Servers
from kessai.proof.chaos.watch import Watch
from kessai.proof.customer import Customer
from kessai.proof.invariants.books import Books
from kessai.proof.line import AiohttpLine
from kessai.proof.live import live_books
from kessai.proof.schemas import require_schema
from kessai.proof.shopper.crowd import Crowd, Crowding
from kessai.proof.shopper.person import Manners
from kessai.topology import PAYPAY_SIMULATOR

# The promise: everything is final so long after healing.
FINAL_WITHIN_S: Final = 60.0
PATIENCE_S: Final = 28.0
_CALL_TIMEOUT_S: Final = 12.0
_AT_ONCE: Final = 400
_CATALOGUE: Final = (
    "productId,title,description,price,status,createdAt,imageFile,category,stock\n"
    "1,湯のみ,いくらでもある。,1200,ACTIVE,2026-01-01T00:00:00Z,,器,100000\n"
    "2,急須,いくらでもある。,8800,ACTIVE,2026-01-01T00:00:00Z,,器,100000\n"
    "3,煎茶,いくらでもある。,1620,ACTIVE,2026-01-01T00:00:00Z,,茶,100000\n"
    f"4,福袋,皆が欲しがる。,3000,ACTIVE,2026-01-01T00:00:00Z,,茶,{HOT_PIECES}\n"
)
Tell = Callable[[str, float], None]


@dataclass
class Campaign:
    """`tell` gets the phase and the share of it that is done."""

    plan: Plan
    folder: Path
    offset: int
    tell: Tell = lambda _phase, _share: None
    servers: Servers | None = None
    clock: SystemClock = field(default_factory=SystemClock)

    async def run(self) -> Report:
        """Raises `CannotStart`. Whatever happens, every process that was started is ended."""
        async with AsyncExitStack() as stack:
            settings = {**SETTINGS, **await self._open_servers(stack)}
            fleet = await stack.enter_async_context(Fleet(self.folder, self.offset, settings))
            await self._open_shop(fleet)
            http = AiohttpHttp()
            stack.push_async_callback(http.close)
            known = self._settings(settings, fleet)
            books = await stack.enter_async_context(
                live_books(known, self.clock, http, check=require_schema)
            )
            crowd = Crowd(
                lambda: Customer(
                    fleet.urls, AiohttpLine(fleet.urls.shop, timeout_s=_CALL_TIMEOUT_S)
                ),
                self.clock,
                Crowding(_AT_ONCE, self._manners(), sign_in_within_s=PATIENCE_S),
            )
            stack.push_async_callback(crowd.close)
            provider = Provider(http, fleet.url(PAYPAY_SIMULATOR))
            await provider.set({"codeLifetimeS": CODE_LIFETIME_S})
            return await self._break_and_judge(
                fleet, Injector(fleet, provider, self.servers), crowd, books
            )

    async def _open_shop(self, fleet: Fleet) -> None:
        self.tell("starting", 0.0)
        catalogue = self.folder / "catalogue.csv"
        catalogue.write_text(_CATALOGUE, "utf-8")
        fleet.run("catalog", "import", str(catalogue))
        await fleet.start_all()

    def _manners(self) -> Manners:
        return Manners(RandomIds(self.clock, SystemChance()).new(), PATIENCE_S)

    async def _open_servers(self, stack: AsyncExitStack) -> Mapping[str, str]:
        """The settings that lead to them."""
        if self.servers is None:
            return {}
        stack.push_async_callback(self.servers.end)
        return await self.servers.up()

    def _settings(self, settings: Mapping[str, str], fleet: Fleet) -> Settings:
        given = {name.removeprefix("KESSAI_").lower(): value for name, value in settings.items()}
        return Settings(
            _env_file=None,
            data_dir=str(fleet.data),
            port_offset=self.offset,
            paypay_url=fleet.url(PAYPAY_SIMULATOR),
            **given,  # type: ignore[arg-type]
        )

    async def _break_and_judge(
        self, fleet: Fleet, injector: Injector, crowd: Crowd, books: Books
    ) -> Report:
        loop = asyncio.get_running_loop()
        shelf = await crowd.shelf(self.plan.customers)
        watch, began_s = Watch(), loop.time()
        began_ms = self.clock.now_ms()
        crowding = asyncio.ensure_future(crowd.live(self.plan.customers, shelf))
        looking = asyncio.ensure_future(watch.keep_looking(_patient(books)))
        try:
            await self._while_breaking(injector, began_s)
            self.tell("healing", 0.0)
            healed_s = loop.time()
            await injector.heal()
            final_s, left = await self._until_final(books, crowding, healed_s)
            # A customer or a look that failed by a mistake of ours must not pass for agreement.
            for task in (looking, crowding):
                if task.done():
                    task.result()
            await _stop(looking)
            self.tell("judging", 0.0)
            last = await watch.last_look(books)
        finally:
            await _stop(looking, crowding)
        return Report(
            plan=self.plan,
            began_ms=began_ms,
            began_loop_s=began_s,
            happened=tuple(injector.happened),
            fired=injector.fired + injector.provider.fired,
            died=fleet.died,
            notes=crowd.notes,
            ends=await ends(books.order),
            final_after_s=final_s,
            left_open=left,
            watch=watch,
            last=last,
        )

    async def _while_breaking(self, injector: Injector, began_s: float) -> None:
        loop = asyncio.get_running_loop()
        breaking = asyncio.ensure_future(injector.run(self.plan.faults))
        try:
            while (now_s := loop.time() - began_s) < self.plan.length_s or not breaking.done():
                if breaking.done():
                    await breaking
                self.tell("breaking", min(1.0, now_s / self.plan.length_s))
                await asyncio.sleep(0.5)
            await breaking
        finally:
            await _stop(breaking)

    async def _until_final(
        self, books: Books, crowding: asyncio.Future[Any], healed_s: float
    ) -> tuple[float | None, dict[str, int]]:
        """Seconds from healing until nothing was open any more; None and what is open, else."""
        loop = asyncio.get_running_loop()
        databases = {
            "order": books.order,
            "payment": books.payment,
            "storage": books.storage,
            "account": books.account,
        }
        while True:
            left = await _left(databases)
            waited_s = loop.time() - healed_s
            if not left and crowding.done():
                return waited_s, {}
            if waited_s > FINAL_WITHIN_S:
                return None, left or {"customers still at it": 1}
            self.tell("coming to rest", waited_s / FINAL_WITHIN_S)
            await asyncio.sleep(0.5)


async def _left(databases: Mapping[str, Db]) -> dict[str, int]:
    try:
        return await still_open(databases)
    except DatabaseUnavailable:
        return {"databases away": 1}


def _patient(books: Books) -> Books:
    """While it is broken, and clocks are off, nothing settles too late: that is judged after."""
    slow = dict.fromkeys(
        ("call_timeout_s", "paypay_timeout_s", "paypay_create_timeout_s"), 24 * 3600.0
    )
    settings = books.settings.model_copy(update={**slow, "refund_limit_s": 24 * 3600})
    return replace(books, settings=settings)


async def _stop(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
