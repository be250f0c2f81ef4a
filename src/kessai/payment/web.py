"""What comes in: calls of the other services, and the timers that make work due."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from fastapi import APIRouter

from kessai.contracts.payment import PaymentService
from kessai.kernel.bus import set_within
from kessai.kernel.calls import mount
from kessai.kernel.errors import KessaiError
from kessai.kernel.leases import Due
from kessai.kernel.telemetry import get_log
from kessai.payment.application.due import DueRows

SHORTEST_PAUSE_S = 0.005
_log = get_log("kessai.payment")


def call_routes(service: PaymentService, *, token: str) -> APIRouter:
    return mount(PaymentService, service, token=token)


class DueLoop:
    """Takes due rows, longest due first, and works on up to `at_once` of them.

    It sleeps until the next row is due, or `pause_s`, or until it is woken.

    Work that fails leaves its row leased: another try begins when the lease has run out.
    """

    def __init__(
        self,
        name: str,
        rows: DueRows,
        work: Callable[[Due], Awaitable[None]],
        *,
        at_once: int,
        pause_s: float,
        wake: asyncio.Event,
    ) -> None:
        self.name = name
        self._rows = rows
        self._work = work
        self._at_once = at_once
        self._pause_s = pause_s
        self._wake = wake
        self._busy = 0

    async def run(self) -> None:
        """A loop for the Supervisor."""
        self._busy = 0
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._wake.clear()
                pause_s = self._pause_s
                if free := self._at_once - self._busy:
                    claimed = await self._rows.claim(free)
                    for due in claimed:
                        self._busy += 1
                        tasks.create_task(self._one(due))
                    if len(claimed) == free:
                        self._wake.set()
                        await asyncio.sleep(0)
                        continue
                    pause_s = await self._rows.pause_s(self._pause_s)
                await set_within(self._wake, max(SHORTEST_PAUSE_S, pause_s))

    async def _one(self, due: Due) -> None:
        try:
            await self._work(due)
        except KessaiError as error:
            _log.warning("work.put_off", loop=self.name, row=str(due.id), error=repr(error))
        except Exception:
            _log.exception("work.failed", loop=self.name, row=str(due.id))
        finally:
            self._busy -= 1
            if self._busy == self._at_once - 1:
                self._wake.set()
