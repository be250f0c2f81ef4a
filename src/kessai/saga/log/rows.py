"""What the log holds, as values: the same for every store."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import cast

import msgspec

from kessai.kernel.errors import JsonValue
from kessai.saga.history import Body, Event, EventKind, NotStorable, Run
from kessai.saga.log.tables import NAME_LENGTH

EVENT_CHARACTERS = 1_000_000


@dataclass(frozen=True, slots=True)
class Rest:
    """Where an instance stays after its end: nowhere, due again, or with an operator."""

    due_ms: int | None = None
    needs_operator: bool = False


NO_REST = Rest()


@dataclass(slots=True)
class Instance:
    """A run in this process, and under which epoch it may write."""

    run: Run
    epoch: int
    redrives: int = 0
    started_at: int = 0


@dataclass(frozen=True, slots=True)
class MachineRow:
    """One instance as the lists show it; times are epoch milliseconds."""

    id: str
    name: str
    version: str
    business_key: str | None
    parent_id: str | None
    status: str
    compensation: str | None
    running: int
    owner: str
    epoch: int
    redrives: int
    due_at: int | None
    needs_operator: int
    started_at: int
    ended_at: int | None

    @property
    def at_rest(self) -> bool:
        """Nothing moves it any more but a person."""
        return not self.running and self.due_at is None


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event as it is written; `data` is the body as JSON."""

    machine_id: str
    seq: int
    epoch: int
    kind: str
    at: int
    name: str
    status: str
    data: str

    def event(self) -> Event:
        return Event(EventKind(self.kind), self.name, self.status, json.loads(self.data))


EVENT_FIELDS: tuple[str, ...] = tuple(EventRow.__slots__)
MACHINE_FIELDS: tuple[str, ...] = tuple(MachineRow.__slots__)
EVENT_VALUES = attrgetter(*EVENT_FIELDS)
MACHINE_VALUES = attrgetter(*MACHINE_FIELDS)


@dataclass(frozen=True, slots=True)
class Change:
    """What the machine row takes over from an event; None leaves it as it is."""

    status: str
    compensation: str | None
    ended_at: int | None
    rest: Rest


@dataclass(frozen=True, slots=True)
class Filter:
    """Which instances a list shows, newest first. `before_id` goes on after the last one seen."""

    status: str | None = None
    compensation: str | None = None
    machine: str | None = None
    business_key: str | None = None
    running: bool | None = None
    needs_operator: bool | None = None
    before_id: str | None = None
    limit: int = 50


_FAST = msgspec.json.Encoder()
_EXACT = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":")
)


def encode(body: Mapping[str, JsonValue], limit: int = EVENT_CHARACTERS) -> str:
    """Raises `NotStorable`."""
    try:
        data = _FAST.encode(body).decode()
    except (TypeError, OverflowError, ValueError):
        data = _encode_exactly(body)
    if len(data) > limit:
        raise NotStorable(f"an event has at most {limit} characters")
    return data


def _encode_exactly(body: Mapping[str, JsonValue]) -> str:
    """What the fast encoder does not know: numbers beyond 64 bits, an expression's own kinds."""
    try:
        data = _EXACT.encode(body)
        data.encode()
    except (TypeError, ValueError) as error:
        raise NotStorable(str(error)) from error
    return data


def new_row(instance: Instance, event: Event, *, owner: str, at: int) -> MachineRow:
    run = instance.run
    change = change_of(event, NO_REST, at)
    ended = change is not None and change.ended_at is not None
    return MachineRow(
        id=run.instance_id,
        name=run.machine.name,
        version=run.machine.version,
        business_key=run.business_key,
        parent_id=run.parent_id,
        status=change.status if change else run.status,
        compensation=change.compensation if change else None,
        running=0 if ended else 1,
        owner=owner,
        epoch=instance.epoch,
        redrives=0,
        due_at=None,
        needs_operator=0,
        started_at=at,
        ended_at=at if ended else None,
    )


def event_row(instance: Instance, event: Event, at: int) -> EventRow:
    """Raises `NotStorable`."""
    return EventRow(
        instance.run.instance_id,
        instance.run.seq + 1,
        instance.epoch,
        event.kind.value,
        at,
        event.name[:NAME_LENGTH],
        event.status,
        encode(event.body),
    )


def change_of(event: Event, rest: Rest, at: int) -> Change | None:
    """The row is written again when the instance ends and when compensation begins."""
    end = cast("Body | None", event.body.get("end"))
    if end is not None:
        status = cast("str", end["status"])
        return Change(status, cast("str | None", end["compensation"]), at, rest)
    if "undo" in event.body:
        return Change("UN", "RU", None, NO_REST)
    return None
