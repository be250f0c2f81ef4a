"""The log as people read it: instances with their events, their sub machines, and who drives them.

Needs no engine, so that a command can look into a database that nobody serves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from kessai.kernel.clock import Clock
from kessai.kernel.errors import NotFound, Refused
from kessai.saga import interpreter
from kessai.saga.folding import fold, reload
from kessai.saga.history import Operation, Run
from kessai.saga.interpreter.operations import Unchanged
from kessai.saga.language import Machine
from kessai.saga.language.model import SubStateMachine
from kessai.saga.log import EventRow, Filter, MachineRow, SagaLog

MAX_PAGE = 200
MAX_SUBS = 200
_MAX_DEPTH = 10
_SCANNED = 2_000
_OPERATIONS = {
    Operation.FORWARD: interpreter.forward,
    Operation.COMPENSATE: interpreter.compensate,
    Operation.SKIP: interpreter.skip,
}


class Reading(Protocol):
    """The part of a log's session that shows one instance."""

    async def machine(self, instance_id: str) -> MachineRow | None: ...

    async def child_of(self, parent_id: str) -> MachineRow | None: ...

    async def history(self, instance_id: str) -> Sequence[EventRow]: ...

    async def lease_of(self, owner: str) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Listed:
    """`stale`: the row says that it runs, but its engine has no lease any more."""

    row: MachineRow
    stale: bool


@dataclass(frozen=True, slots=True)
class Page:
    """Newest first. `next_id` goes on where this page was cut."""

    items: Sequence[Listed]
    next_id: str | None


@dataclass(frozen=True, slots=True)
class Record:
    """`run` is None where no loaded machine fits the history. `subs`: by the step that began it."""

    row: MachineRow
    stale: bool
    events: Sequence[EventRow]
    machine: Machine | None
    run: Run | None
    subs: Mapping[int, Record] = field(default_factory=dict)

    @property
    def version(self) -> int:
        """What an order has to name: it is refused once anything else has happened."""
        return self.events[-1].seq if self.events else 0


class Records:
    """`machines` as the engine has them: the last one of a name stands in for lost versions."""

    def __init__(self, log: SagaLog, machines: Iterable[Machine], clock: Clock) -> None:
        self._log = log
        self._clock = clock
        loaded = tuple(machines)
        self._versions = {(one.name, one.version): one for one in loaded}
        self._newest = {one.name: one for one in loaded}

    async def list(self, wanted: Filter, *, stale: bool | None = None) -> Page:
        """A page may be short, even empty, and have a next one: `stale` is found by looking."""
        items: list[Listed] = []
        scanned = 0
        before_id = wanted.before_id
        limit = min(wanted.limit, MAX_PAGE)
        if stale and wanted.running is None:
            wanted = replace(wanted, running=True)
        # One row more than asked for tells whether there is a next page.
        size = (limit if stale is None else MAX_PAGE) + 1
        async with self._log.reading() as session:
            leases = _Leases(session, self._clock.now_ms())
            while scanned < _SCANNED:
                rows = await session.list(replace(wanted, before_id=before_id, limit=size))
                for row in rows:
                    if len(items) == limit:
                        return Page(items, before_id)
                    listed = Listed(row, await leases.is_stale(row))
                    if stale in (None, listed.stale):
                        items.append(listed)
                    before_id = row.id
                    scanned += 1
                if len(rows) < size:
                    return Page(items, None)
        return Page(items, before_id)

    async def find(self, instance_id: str) -> Record:
        """One instance with its whole tree, of one moment. Raises `NotFound`."""
        async with self._log.reading() as session:
            row = await session.machine(instance_id)
            if row is None:
                raise NotFound(f"no saga instance {instance_id}")
            return await self.record_of(session, row)

    async def record_of(self, session: Reading, row: MachineRow) -> Record:
        return await self._record(session, row, _Subs(), _MAX_DEPTH)

    def allowed(self, record: Record) -> tuple[Operation, ...]:
        """What an operator may order now; the engine decides again when it is asked."""
        if (
            record.machine is None
            or record.run is None
            or (record.row.running and not record.stale)
        ):
            return ()
        run = self._fold(record.machine, record.row, record.events)
        if run is None:
            return ()
        reload(run)
        return tuple(one for one in _OPERATIONS if self._would(one, run))

    def _would(self, operation: Operation, run: Run) -> bool:
        try:
            _OPERATIONS[operation](run, {}, now_ms=self._clock.now_ms())
        except (Refused, Unchanged, LookupError):
            return False
        return True

    async def _record(self, session: Reading, row: MachineRow, left: _Subs, depth: int) -> Record:
        events = await session.history(row.id)
        stale = await _Leases(session, self._clock.now_ms()).is_stale(row)
        machine = self._versions.get((row.name, row.version)) or self._newest.get(row.name)
        run = self._fold(machine, row, events) if machine is not None else None
        subs: dict[int, Record] = {}
        for begun, n in _sub_steps(run) if run is not None and depth else ():
            child = await session.child_of(f"{row.id}:{begun}") if left.take() else None
            if child is not None:
                subs[n] = await self._record(session, child, left, depth - 1)
        return Record(row, stale, events, machine, run, subs)

    def _fold(self, machine: Machine, row: MachineRow, events: Sequence[EventRow]) -> Run | None:
        run = Run(machine, row.id, row.business_key, row.parent_id)
        try:
            return fold(run, [one.event() for one in events])
        except LookupError:
            # Written by a version of the machine that had other states.
            return None


def _sub_steps(run: Run) -> Iterable[tuple[int, int]]:
    """The row that began each sub machine, and the newest step that drove it."""
    newest: dict[int, int] = {}
    for step in run.steps.values():
        if isinstance(step.task, SubStateMachine) and step.undoes is None:
            begun = step.row if step.forwards is None else step.forwards
            newest[begun] = step.n
    return newest.items()


class _Leases:
    """Asked once for each engine."""

    def __init__(self, session: Reading, now_ms: int) -> None:
        self._session = session
        self._now_ms = now_ms
        self._alive: dict[str, bool] = {}

    async def is_stale(self, row: MachineRow) -> bool:
        if not row.running:
            return False
        if row.owner not in self._alive:
            lease = await self._session.lease_of(row.owner)
            self._alive[row.owner] = lease is not None and lease >= self._now_ms
        return not self._alive[row.owner]


class _Subs:
    """How many sub machines one tree may still show."""

    def __init__(self) -> None:
        self._left = MAX_SUBS

    def take(self) -> bool:
        self._left -= 1
        return self._left >= 0
