"""The whole run before it begins: who comes, and what breaks when. A function of the seed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from pydantic import JsonValue

from kessai.kernel.chance import Chance, SeededChance
from kessai.proof.chaos.faults import (
    OF_STORE,
    PROVIDER,
    SERVICE_NAMES,
    STORES,
    Fault,
    Kind,
)
from kessai.proof.chaos.servers import KILLED
from kessai.proof.chaos.weather import (
    BLACKOUT,
    LOSSY,
    REORDER,
    SLOW,
    STORM,
    Stock,
    draw_weather,
    pick,
)
from kessai.proof.shopper.mix import Kind as Customer
from kessai.proof.shopper.mix import Mix
from kessai.proof.shopper.plan import Planned, plan_customers

# The order's deadline of a customer's 900 s, and what follows from it, short enough for minutes.
DEADLINE_S: Final = 25
CODE_LIFETIME_S: Final = 8
SETTINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "KESSAI_ORDER_DEADLINE_S": str(DEADLINE_S),
        "KESSAI_PAYPAY_CODE_LIFETIME_S": str(CODE_LIFETIME_S),
        "KESSAI_PAYPAY_CREATE_TIMEOUT_S": "5",
        "KESSAI_PAYPAY_TIMEOUT_S": "4",
        "KESSAI_POLL_FIRST_S": "2",
        "KESSAI_POLL_MAX_S": "5",
        "KESSAI_FALLBACK_AFTER_S": "10",
        # The crowd comes from one address, and presses as it likes.
        "KESSAI_SIGN_INS_PER_MINUTE": "1000000",
        "KESSAI_PURCHASES_PER_MINUTE": "1000000",
    }
)
# Before the first fault; and nobody comes in the last seconds, so that healing is what is measured.
CALM_S: Final = 4.0
LAST_ORDERS_S: Final = 10.0
HOT_PIECES: Final = 20
_RUSH: Final = 30
SERVER_KILLS_EVERY_S: Final = 25.0


class Profile(StrEnum):
    LOSSY = "lossy"
    STORM = "storm"
    REORDER = "reorder"
    BLACKOUT = "blackout"
    SLOW = "slow"
    RESTARTS = "restarts"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Recipe:
    """`*_every_s`: the mean pause between two faults of that lane; None: there are none."""

    weather: tuple[Stock, ...] = ()
    unreachable_every_s: float | None = None
    kills_every_s: float | None = None
    freezes_every_s: float | None = None
    restarts_every_s: float | None = None
    locks_every_s: float | None = None
    full_disks_every_s: float | None = None
    steps_every_s: float | None = None
    rushes_every_s: float | None = None
    servers_every_s: float | None = None

    def on_servers(self) -> Recipe:
        """There no file can be locked or full; where services are killed, servers are, too."""
        kills_s = None if self.kills_every_s is None else SERVER_KILLS_EVERY_S
        return replace(self, locks_every_s=None, full_disks_every_s=None, servers_every_s=kills_s)


RECIPES: Final[Mapping[Profile, Recipe]] = {
    Profile.LOSSY: Recipe((LOSSY,)),
    Profile.STORM: Recipe((STORM,), rushes_every_s=25),
    Profile.REORDER: Recipe((REORDER,), steps_every_s=30),
    Profile.BLACKOUT: Recipe((BLACKOUT,), unreachable_every_s=20),
    Profile.SLOW: Recipe((SLOW,), freezes_every_s=15, locks_every_s=12),
    Profile.RESTARTS: Recipe(
        kills_every_s=10, freezes_every_s=25, restarts_every_s=25, full_disks_every_s=25
    ),
    Profile.ALL: Recipe(
        (LOSSY, STORM, REORDER, BLACKOUT, SLOW),
        unreachable_every_s=45,
        kills_every_s=20,
        freezes_every_s=25,
        restarts_every_s=50,
        locks_every_s=20,
        full_disks_every_s=35,
        steps_every_s=50,
        rushes_every_s=50,
    ),
}
# Invariants compare what two services wrote down, and bear two minutes between their clocks.
_SKEWS_S: Final = (-55, -20, -7, 7, 20, 55)
_LANES: Final = (
    ("kills_every_s", Kind.KILL, SERVICE_NAMES, (0.0, 3.0)),
    ("freezes_every_s", Kind.FREEZE, SERVICE_NAMES, (1.0, 9.0)),
    ("restarts_every_s", Kind.RESTART, SERVICE_NAMES, (0.0, 1.0)),
    ("steps_every_s", Kind.CLOCK_STEP, SERVICE_NAMES, (3.0, 12.0)),
    ("full_disks_every_s", Kind.DISK_FULL, tuple(OF_STORE), (1.0, 6.0)),
    ("locks_every_s", Kind.LOCKED, STORES, (0.5, 7.0)),
    ("unreachable_every_s", Kind.UNREACHABLE, (PROVIDER,), (1.0, 6.0)),
    ("rushes_every_s", Kind.RUSH, ("the hot product",), (0.0, 1.0)),
    ("servers_every_s", Kind.KILL_SERVER, KILLED, (0.0, 4.0)),
)
# All kinds of customers; who pays at the deadline can, since it comes in seconds.
_MIX: Final = Mix(MappingProxyType(dict.fromkeys(Customer, 2.0) | {Customer.PAYS_AT_ONCE: 16}))


@dataclass(frozen=True, slots=True)
class Plan:
    seed: int
    profile: Profile
    minutes: float
    faults: tuple[Fault, ...]
    customers: tuple[Planned, ...]
    on_servers: bool = False

    @property
    def length_s(self) -> float:
        """Until everything is healed."""
        return self.minutes * 60

    def row(self) -> dict[str, JsonValue]:
        return {
            "seed": self.seed,
            "profile": self.profile.value,
            "minutes": self.minutes,
            "onServers": self.on_servers,
            "settings": dict(SETTINGS),
            "faults": [fault.row() for fault in self.faults],
            "customers": [planned.row() for planned in self.customers],
        }

    @property
    def fingerprint(self) -> str:
        """The same for the same plan, in every process."""
        text = json.dumps(self.row(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def draw_plan(
    seed: int,
    minutes: float,
    profile: Profile,
    *,
    per_s: float = 2.0,
    on_servers: bool = False,
) -> Plan:
    """`per_s`: customers who come in a second, rushes apart."""
    recipe, length_s = RECIPES[profile], minutes * 60
    if on_servers:
        recipe = recipe.on_servers()
    faults = [*_weathers(seed, recipe.weather, length_s)]
    for name, kind, targets, lasts_s in _LANES:
        mean_s = getattr(recipe, name)
        if mean_s is not None:
            dice = SeededChance(f"chaos-{seed}-{kind}")
            faults.extend(_lane(dice, kind, targets, lasts_s, mean_s, length_s))
    chosen = tuple(sorted(_apart(faults), key=lambda one: (one.at_s, one.kind, one.target)))
    customers = _customers(seed, chosen, length_s, per_s)
    return Plan(seed, profile, minutes, chosen, customers, on_servers)


def _weathers(seed: int, stocks: tuple[Stock, ...], length_s: float) -> Iterator[Fault]:
    """One after the other, as weather does; each from one of the stocks."""
    if not stocks:
        return
    dice = SeededChance(f"chaos-{seed}-weather")
    at_s = CALM_S
    while at_s < length_s - 1:
        for_s = round(min(dice.uniform(5, 15), length_s - at_s), 3)
        knobs = draw_weather(dice, pick(dice, stocks), for_s, seed=int(dice.uniform(0, 2**31)))
        yield Fault(round(at_s, 3), for_s, Kind.WEATHER, PROVIDER, knobs)
        at_s += for_s + dice.uniform(0, 2)


def _lane(
    dice: Chance,
    kind: Kind,
    targets: tuple[str, ...],
    lasts_s: tuple[float, float],
    mean_s: float,
    length_s: float,
) -> Iterator[Fault]:
    """The targets in turns, from any one on, so that none is spared for long."""
    turn = int(dice.random() * len(targets))
    at_s = CALM_S + dice.uniform(0, min(mean_s, length_s / 3))
    while at_s < length_s - 1:
        for_s = min(dice.uniform(*lasts_s), length_s - at_s)
        knobs: dict[str, JsonValue] = {}
        chosen = kind
        if kind is Kind.DISK_FULL and dice.random() < 1 / 3:
            chosen = Kind.READ_ONLY
        if kind is Kind.CLOCK_STEP:
            knobs = {"skewS": pick(dice, _SKEWS_S)}
        yield Fault(round(at_s, 3), round(for_s, 3), chosen, targets[turn % len(targets)], knobs)
        turn += 1
        at_s += for_s + dice.uniform(0.5, 1.5) * mean_s


_OF_PROCESS: Final = (
    Kind.KILL,
    Kind.FREEZE,
    Kind.RESTART,
    Kind.CLOCK_STEP,
    Kind.DISK_FULL,
    Kind.READ_ONLY,
    Kind.UNREACHABLE,
    Kind.KILL_SERVER,
)
# A process that was just started is left alone for so long, or nothing would ever run; and of
# six processes that need each other at most two are ill at a time.
_RECOVERY_S: Final = 7.0
_ILL_AT_ONCE: Final = 2


def _apart(faults: list[Fault]) -> Iterator[Fault]:
    """Nobody kills a stopped process: of two faults of one process the later is left out."""
    busy_until_s: dict[str, float] = {}
    for fault in sorted(faults, key=lambda one: (one.at_s, one.kind, one.target)):
        if fault.kind in _OF_PROCESS:
            process = OF_STORE.get(fault.target, fault.target)
            ill = [name for name, until_s in busy_until_s.items() if until_s > fault.at_s]
            if process in ill or len(ill) >= _ILL_AT_ONCE:
                continue
            busy_until_s[process] = fault.end_s + _RECOVERY_S
        yield fault


def _customers(
    seed: int, faults: tuple[Fault, ...], length_s: float, per_s: float
) -> tuple[Planned, ...]:
    over_s = max(1.0, length_s - LAST_ORDERS_S)
    planned = list(plan_customers(_MIX, max(1, round(per_s * over_s)), seed, over_s=over_s))
    dice = SeededChance(f"chaos-{seed}-rush")
    for number, fault in enumerate(one for one in faults if one.kind is Kind.RUSH):
        for place in range(_RUSH):
            one = planned[int(dice.random() * len(planned))]
            planned.append(
                replace(
                    one,
                    id=f"r{number:02d}-{place:02d}",
                    kind=Customer.LAST_PIECES,
                    at_s=round(min(over_s, fault.at_s + dice.random() * fault.for_s), 3),
                )
            )
    return tuple(sorted(planned, key=lambda one: (one.at_s, one.id)))
