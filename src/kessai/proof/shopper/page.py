"""The order's page: it listens to the live channel, looks every few seconds, and comes back."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from kessai.proof.customer import Answered, Watch
from kessai.proof.line import LOST
from kessai.proof.shopper.account import Account
from kessai.proof.shopper.notes import OrderNote

if TYPE_CHECKING:
    from kessai.proof.shopper.person import Person

LOOK_EVERY_S: Final = 3.0
# What a look has shown and an open channel has not told after so long was missed; each heartbeat
# (10 s) is another chance of the shop to notice.
PUSH_WITHIN_S: Final = 15.0
_STEP_S: Final = 0.5
_RECONNECT_S: Final = 0.5


class Page:
    def __init__(self, person: Person, account: Account, note: OrderNote) -> None:
        self._person = person
        self._account = account
        self._note = note
        self._watch = Watch()
        self._open_since_s: float | None = None

    async def stay(self, *until: str) -> bool:
        """Until the order has one of the statuses; False when the customer gave up before."""
        self._note.watched = True
        listening = asyncio.ensure_future(self._listen())
        try:
            async with asyncio.timeout(self._person.manners.patience_s):
                while self._note.status not in until:
                    await self._next()
                # The reason, and what else a push does not tell.
                await self._look()
            await self._await_push()
        except TimeoutError:
            return False
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            self._count()
        return True

    async def _next(self) -> None:
        """The next push, or a look when none comes."""
        try:
            async with asyncio.timeout(LOOK_EVERY_S):
                await self._watch.arrived.wait()
        except TimeoutError:
            await self._look()
            return
        self._take()

    def _take(self) -> None:
        self._watch.arrived.clear()
        last = self._watch.frames[-1]
        self._person.saw(self._note, last.order_status, self._note.reason)
        if last.order_status == "PAID" and self._note.shown_paid_at_s is not None:
            self._note.shown_paid_at_s = min(self._note.shown_paid_at_s, last.arrived_at_s)

    async def _look(self) -> None:
        with suppress(Answered, *LOST):
            order = await self._account.order(self._note.order_id)
            self._person.saw(self._note, order.status, order.reason)

    async def _await_push(self) -> None:
        """The push of what is shown; also after a reconnect it has to come.

        While there is no channel at all, nothing can be pushed, and nothing is missed.
        """
        loop = asyncio.get_running_loop()
        seen_s = loop.time()
        while not self._pushed():
            now_s = loop.time()
            if self._open_since_s is None:
                if now_s > seen_s + self._person.manners.patience_s:
                    self._person.notes.gave_up["a live channel"] += 1
                    return
            elif now_s > max(self._open_since_s, seen_s) + PUSH_WITHIN_S:
                self._note.push_missed = True
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(_STEP_S):
                    await self._watch.arrived.wait()
            self._watch.arrived.clear()

    def _pushed(self) -> bool:
        """A later status tells that the earlier one was passed."""
        frames = self._watch.frames
        return bool(frames) and frames[-1].order_status in (self._note.status, *_AFTER_PAID)

    async def _listen(self) -> None:
        """The channel, opened anew whenever it ends; with the last sequence nothing repeats."""
        first = True
        while True:
            if not first:
                self._person.notes.reconnects += 1
                await asyncio.sleep(_RECONNECT_S)
            first = False
            with suppress(Answered, *LOST):
                order = await self._account.order(self._note.order_id)
                frames = self._watch.frames
                last = frames[-1].sequence if frames else None
                opened = self._account.customer.watching(order, self._watch, last_sequence=last)
                async with opened:
                    self._open_since_s = asyncio.get_running_loop().time()
                    await self._watch.closed.wait()
            self._open_since_s = None

    def _count(self) -> None:
        frames = self._watch.frames
        self._person.notes.frames += len(frames)
        sequences = [frame.sequence for frame in frames]
        if any(later <= earlier for earlier, later in pairwise(sequences)):
            self._person.notes.say_wrong(
                f"{self._note.order_id}: pushes out of order or repeated: {sequences}"
            )


_AFTER_PAID: Final = ("REFUNDING", "REFUNDED")
