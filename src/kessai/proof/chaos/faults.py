"""What can be done to a running system, as data; `injector` does it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from pydantic import JsonValue

from kessai.topology import PAYPAY_SIMULATOR, SERVICES


class Group(StrEnum):
    """The groups of reference lists of faults; Webhook and Provider API are told apart by knob."""

    PROVIDER = "Webhook and Provider API"
    USER = "User"
    PROCESS = "Process"
    STORES = "Data stores"
    CLOCK = "Clock"
    LOAD = "Load"


class Kind(StrEnum):
    """`WEATHER` sets the simulator's knobs; all others are done from outside."""

    WEATHER = "weather"
    UNREACHABLE = "unreachable"
    KILL = "kill -9"
    FREEZE = "SIGSTOP"
    RESTART = "SIGTERM"
    LOCKED = "database locked"
    DISK_FULL = "disk full"
    READ_ONLY = "read-only"
    CLOCK_STEP = "clock step"
    RUSH = "rush"
    KILL_SERVER = "kill -9 server"


GROUP_OF: Final[Mapping[Kind, Group]] = {
    Kind.WEATHER: Group.PROVIDER,
    Kind.UNREACHABLE: Group.PROVIDER,
    Kind.KILL: Group.PROCESS,
    Kind.FREEZE: Group.PROCESS,
    Kind.RESTART: Group.PROCESS,
    Kind.LOCKED: Group.STORES,
    Kind.DISK_FULL: Group.STORES,
    Kind.READ_ONLY: Group.STORES,
    Kind.CLOCK_STEP: Group.CLOCK,
    Kind.RUSH: Group.LOAD,
    Kind.KILL_SERVER: Group.STORES,
}

SERVICE_NAMES: Final = tuple(card.name for card in SERVICES)
PROVIDER: Final = PAYPAY_SIMULATOR.name
# Files of the services below the data folder, without `.db`; all of them share the bus.
STORES: Final = ("order", "payment", "storage", "account", "bus")
OF_STORE: Final[Mapping[str, str]] = {
    card.package: card.name for card in SERVICES if card.package in STORES
}


@dataclass(frozen=True, slots=True)
class Fault:
    """Begins `at_s` after the start and is taken back `for_s` later.

    For a killed process that is when it is started again. `knobs` are the simulator's.
    """

    at_s: float
    for_s: float
    kind: Kind
    target: str
    knobs: Mapping[str, JsonValue] = field(default_factory=dict)

    @property
    def group(self) -> Group:
        return GROUP_OF[self.kind]

    @property
    def end_s(self) -> float:
        return self.at_s + self.for_s

    def row(self) -> dict[str, JsonValue]:
        return {
            "atS": self.at_s,
            "forS": self.for_s,
            "group": self.group.value,
            "kind": self.kind.value,
            "target": self.target,
            "knobs": dict(self.knobs),
        }
