"""The bus of a simulation: one log for all, and for each life of a service a view of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextvars import Context
from functools import partial

from kessai.kernel.bus import Consumer, Handle, Message, Record
from kessai.kernel.clock import Clock
from kessai.kernel.errors import Fenced, Unknown
from kessai.kernel.local_bus import BusLimits, LocalBus, log
from kessai.kernel.local_bus.groups import Start
from kessai.kernel.local_bus.log import Heads
from kessai.proof.simulation.dice import Dice
from kessai.proof.simulation.disk import SimDb
from kessai.proof.simulation.mix import BusFaults
from kessai.proof.simulation.trace import Trace
from kessai.topology import PARTITIONS

# A group, a topic, a partition and an offset.
Place = tuple[str, str, int, int]
# One process for each service: nobody waits for a dead member of the same name.
_LIMITS = BusLimits(heartbeat_s=20.0, member_s=60.0, trim_every_s=600.0)
_NOTICED_S = 0.05


class BusLine:
    """The log, who looks at it, and the faults between them."""

    def __init__(self, db: SimDb, clock: Clock, faults: BusFaults, seed: int, trace: Trace) -> None:
        self.db = db
        self.clock = clock
        self.trace = trace
        self.faults = faults
        self.dice = Dice("bus", seed)
        self.healed = False
        # What a group must have: it was given it, and has not handled it.
        self.owed: dict[Place, None] = {}
        self._handled: dict[Place, None] = {}
        self._views: dict[SimBus, Context] = {}

    def attach(self, view: SimBus, context: Context) -> None:
        """Who consumes wants to know what was appended."""
        self._views[view] = context

    def detach(self, view: SimBus) -> None:
        self._views.pop(view, None)

    def spread(self, heads: Heads) -> None:
        """Other processes notice what was appended a little later, each at its own moment."""
        loop = asyncio.get_running_loop()
        for view, context in self._views.items():
            delay_s = self.dice.between(0, _NOTICED_S)
            loop.call_later(delay_s, view.tails.advance, heads, context=context)

    async def give(self, handle: Handle, place: Place, record: Record) -> None:
        """A refusal is for the dead letters. Silence is no answer: the record has to come again."""
        if place not in self._handled:
            self.owed[place] = None
        try:
            await handle(record)
        except (Unknown, Fenced):
            raise
        except Exception:
            self.owed.pop(place, None)
            raise
        self._handled[place] = None
        self.owed.pop(place, None)

    def hits(self, kind: str, share: float, source: str, target: str, text: str) -> bool:
        if self.healed or not self.dice.hits(share):
            return False
        self.trace.fault(f"bus.{kind}", source, target, text)
        return True


class SimBus(LocalBus):
    def __init__(self, line: BusLine, name: str, context: Context, instance: str) -> None:
        super().__init__(
            line.db, line.clock, partitions=PARTITIONS, instance=instance, limits=_LIMITS
        )
        self._line = line
        self._name = name
        self._context = context

    async def publish(self, messages: Sequence[Message]) -> None:
        """Refused, or appended and in doubt: the relay sends again what it does not know of."""
        if not messages:
            return
        line, faults = self._line, self._line.faults
        if line.hits("refused", faults.refused, self._name, "bus", f"{len(messages)}"):
            raise Unknown("BUS_UNAVAILABLE", "the bus did not answer")
        batch = self._by_place(messages)
        async with self.db.transaction() as tx:
            heads = await log.append(tx, batch, self.clock.now_ms(), self.partitions)
            tx.after_commit(partial(line.spread, heads))
        if line.hits("in_doubt", faults.in_doubt, self._name, "bus", f"{len(messages)}"):
            raise Unknown("BUS_UNAVAILABLE", "the bus did not answer in time")

    def consumer(
        self,
        group: str,
        topics: Sequence[str],
        handle: Handle,
        *,
        start: Start = "earliest",
        at_once: int = 1,
    ) -> Consumer:
        self._line.attach(self, self._context)
        # A group that begins at the end again after a crash has no record coming to it.
        owed = group if start == "earliest" else None
        deliver = partial(self._deliver, handle, owed)
        return super().consumer(group, topics, deliver, start=start, at_once=at_once)

    async def _deliver(self, handle: Handle, group: str | None, record: Record) -> None:
        """At least once and in order within a partition: partitions overtake each other."""
        line, faults, name = self._line, self._line.faults, self._name
        if line.hits("late", faults.late, "bus", name, record.key):
            await asyncio.sleep(line.dice.between(0, faults.late_s))
        text = record.value.decode("utf-8", "backslashreplace")
        line.trace.note("event", "bus", name, f"{record.topic} {record.key} {text}")
        if group is None:
            await handle(record)
        else:
            place = (group, record.topic, record.partition, record.offset)
            await line.give(handle, place, record)
        if line.hits("again", faults.again, "bus", name, record.key):
            await handle(record)

    async def close(self) -> None:
        """The log outlives every view of it."""
        await self._stop_tending()
