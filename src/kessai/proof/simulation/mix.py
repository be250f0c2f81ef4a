"""What a seed draws: settings, customers, and a swarm of faults, each kind in some seeds only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace

from kessai.proof.simulation.dice import Dice
from kessai.proof.simulation.provider_faults import Knobs, draw_knobs, late_knobs
from kessai.topology import ACCOUNT, BFF, ORDER, PAYMENT, STORAGE

MORTAL = (BFF.name, ACCOUNT.name, ORDER.name, STORAGE.name, PAYMENT.name)
# Who calls whom, by the topology; customers and PayPay come over HTTP.
EDGES = (
    ("bff", ORDER.name),
    ("bff", STORAGE.name),
    ("bff", PAYMENT.name),
    ("bff", ACCOUNT.name),
    (ORDER.name, STORAGE.name),
    (ORDER.name, PAYMENT.name),
    (ORDER.name, ACCOUNT.name),
    ("customers", "bff"),
    (PAYMENT.name, "paypay-simulator"),
    ("paypay-simulator", "bff"),
    ("bff", "firebase-simulator"),
)
KINDS = (
    "pays_at_once", "pays_at_once", "pays_late", "pays_at_expiry", "pays_at_deadline", "declines",
    "lets_expire", "abandons", "cancels_soon", "cancels_while_paying", "cancels_after_paying",
    "pays_after_cancel", "double_click", "two_tabs", "retries", "retries_twice_at_once",
    "retries_in_doubt", "checks", "balance", "balance_cancel", "refund", "refund_twice",
    "balance_refund", "sold_out", "forged", "foreign", "pays_unseen", "cheats", "other_body",
    "refunded_in_parts", "pays_another_amount",
)  # fmt: skip
# Those who pay when it is nearly, or just, too late, and those who try again after that.
LAST_MOMENT = (
    "pays_at_expiry", "pays_at_deadline", "cancels_while_paying", "cancels_after_paying",
    "pays_after_cancel", "retries_in_doubt", "retries_in_doubt", "refund_twice", "abandons",
)  # fmt: skip
CARTS = ("one", "one", "one", "two_products", "many", "scarce")
BROWSERS = 8
_STORMS = 1 / 8
_ANOTHER = 1_000_003


@dataclass(frozen=True, slots=True)
class Plan:
    """One customer's wish: what, when, in which browser, three numbers in [0, 1) for details."""

    kind: str
    at_s: float
    browser: int
    cart: str = "one"
    r: float = 0.5
    s: float = 0.5
    t: float = 0.5


@dataclass(frozen=True, slots=True)
class LineFaults:
    """Of one edge. Lost before: no effect. Lost after: the effect is there, the answer is not."""

    slow: float = 0.0
    slow_s: float = 0.0
    lost_before: float = 0.0
    lost_after: float = 0.0
    again: float = 0.0


@dataclass(frozen=True, slots=True)
class BusFaults:
    late: float = 0.0
    late_s: float = 0.0
    again: float = 0.0
    refused: float = 0.0
    in_doubt: float = 0.0


@dataclass(frozen=True, slots=True)
class Kill:
    """At `at_s` the service has `steps` left; it is down for `down_s`, or only stopped.

    `twin`: another process takes its place at once; who was stopped wakes up beside it.
    """

    service: str
    at_s: float
    steps: int
    down_s: float
    stop: bool = False
    twin: bool = False


@dataclass(frozen=True, slots=True)
class Away:
    """A service's database takes no write for so long."""

    service: str
    at_s: float
    for_s: float


@dataclass(frozen=True, slots=True)
class Mix:
    """`unordered`: rows whose order nobody asked for come in the other one.

    `loose`: the share of transactions that let others go first between reading and writing.
    """

    seed: int
    settings: Mapping[str, float | int] = field(default_factory=dict)
    plans: tuple[Plan, ...] = ()
    heal_s: float = 0.0
    shuffle: float = 0.0
    lines: Mapping[str, LineFaults] = field(default_factory=dict)
    bus: BusFaults = BusFaults()
    kills: tuple[Kill, ...] = ()
    busy: Mapping[str, float] = field(default_factory=dict)
    away: tuple[Away, ...] = ()
    unordered: bool = False
    loose: float = 0.0
    knobs: Knobs = field(default_factory=dict)

    def text(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)


def draw(seed: int) -> Mix:
    mix, dice = _swarmed(seed), Dice("storm", seed)
    return _storm(mix, dice) if dice.hits(_STORMS) else mix


def _swarmed(seed: int) -> Mix:
    dice = Dice("mix", seed)
    deadline_s = dice.pick((10, 12, 15, 20, 30, 45))
    lifetime_s = dice.pick((6, 8, 12, 20, 40))
    span_s = dice.pick((2, 5, 10, 20, deadline_s / 2))
    heal_s = max(span_s, dice.pick((0.4, 0.8, 1.2)) * deadline_s) + 4
    swarm = _Swarm(dice, heal_s)
    mix = Mix(
        seed=seed,
        settings=_settings(dice, deadline_s, lifetime_s),
        plans=_plans(dice, span_s),
        heal_s=round(heal_s, 3),
        shuffle=dice.pick((0.0, 0.1, 0.3, 0.3)),
        lines=swarm.lines(),
        bus=swarm.bus(),
        kills=(*swarm.kills(), *_twins(Dice("twins", seed), heal_s)),
        busy=swarm.busy(),
        away=_away(Dice("away", seed), heal_s),
        unordered=Dice("unordered", seed).hits(0.5),
        loose=Dice("loose", seed).pick((0.0, 0.0, 0.2, 0.6)),
        knobs=draw_knobs(dice, seed=seed, heal_s=heal_s, lifetime_s=lifetime_s),
    )
    return _old_news(mix, Dice("old news", seed), deadline_s)


def _storm(mix: Mix, dice: Dice) -> Mix:
    """Twice the kills, several twins, databases away: what takes three faults to go wrong."""
    other, heal_s = _swarmed(mix.seed + _ANOTHER), mix.heal_s
    latest_s = round(heal_s * 0.9, 3)
    kills = [
        replace(kill, at_s=min(kill.at_s, latest_s))
        for kill in (*mix.kills, *other.kills)
        if not kill.twin
    ]
    return replace(
        mix,
        shuffle=dice.pick((0.1, 0.3, 0.5)),
        lines={**other.lines, **mix.lines},
        kills=(
            *sorted(kills, key=lambda kill: kill.at_s),
            *_stopped(dice, heal_s, count=2 + dice.below(2)),
        ),
        away=_gone(dice, heal_s),
        loose=dice.pick((0.3, 0.6, 0.9)),
    )


def _old_news(mix: Mix, dice: Dice, deadline_s: int) -> Mix:
    """In some seeds money is paid at the last moment, and the provider shows it late."""
    if not dice.hits(0.25):
        return mix
    return replace(
        mix,
        settings={**mix.settings, "paypay_grace_s": 0.5},
        plans=tuple(replace(plan, kind=dice.pick(LAST_MOMENT)) for plan in mix.plans),
        heal_s=max(mix.heal_s, deadline_s + 8.0),
        knobs=late_knobs(mix.knobs, dice),
    )


def _settings(dice: Dice, deadline_s: int, lifetime_s: int) -> dict[str, float | int]:
    return {
        "order_deadline_s": deadline_s,
        "poll_first_s": dice.pick((1, 3, 6, 6)),
        "poll_max_s": dice.pick((10, 15, 20)),
        "paypay_code_lifetime_s": dice.pick((lifetime_s, 60)),
        "paypay_grace_s": dice.pick((0.5, 2, 2, 5)),
        "paypay_timeout_s": dice.pick((5, 15)),
        "paypay_create_timeout_s": dice.pick((8, 30)),
        "call_timeout_s": dice.pick((3, 10)),
        "fallback_after_s": dice.pick((10, 20, 40)),
        "saga_heartbeat_s": dice.pick((1, 2, 4)),
        "saga_lease_s": dice.pick((6, 12)),
        "idle_poll_s": dice.pick((5, 10, 20)),
    }


def _plans(dice: Dice, span_s: float) -> tuple[Plan, ...]:
    # Swarm here, too: few kinds of customers meet each other more often than all of them do.
    kinds = dice.some(KINDS, dice.pick((3, 6, 12, len(KINDS))))
    plans = [
        Plan(
            kind=dice.pick(kinds),
            at_s=round(dice.between(0, span_s), 3),
            browser=dice.below(BROWSERS),
            cart=dice.pick(CARTS),
            r=round(dice.unit(), 4),
            s=round(dice.unit(), 4),
            t=round(dice.unit(), 4),
        )
        for _ in range(21 + dice.below(4))
    ]
    return tuple(sorted(plans, key=lambda plan: plan.at_s))


def _away(dice: Dice, heal_s: float) -> tuple[Away, ...]:
    return _gone(dice, heal_s) if dice.hits(0.5) else ()


def _gone(dice: Dice, heal_s: float) -> tuple[Away, ...]:
    return tuple(
        Away(service, round(dice.between(0, heal_s * 0.9), 3), dice.pick((1.0, 4.0, 15.0)))
        for service in dice.some(MORTAL[1:], 1 + dice.below(3))
    )


def _twins(dice: Dice, heal_s: float) -> tuple[Kill, ...]:
    return _stopped(dice, heal_s, count=1) if dice.hits(0.3) else ()


def _stopped(dice: Dice, heal_s: float, *, count: int) -> tuple[Kill, ...]:
    return tuple(
        Kill(
            service=service,
            at_s=round(dice.between(0, heal_s * 0.7), 3),
            steps=dice.below(120),
            down_s=dice.pick((1.0, 8.0, 25.0)),
            stop=True,
            twin=True,
        )
        for service in dice.some((ORDER.name, PAYMENT.name, STORAGE.name, ACCOUNT.name), count)
    )


class _Swarm:
    """Each kind of fault is in about half of the seeds, and then at any strength."""

    def __init__(self, dice: Dice, heal_s: float) -> None:
        self._dice = dice
        self._heal_s = heal_s
        self._quiet = dice.hits(0.05)

    def _share(self, chance: float = 0.35) -> float:
        if self._quiet or not self._dice.hits(chance):
            return 0.0
        return self._dice.pick((0.02, 0.05, 0.15, 0.4))

    def lines(self) -> dict[str, LineFaults]:
        found = {}
        for caller, callee in EDGES:
            if self._dice.hits(0.4):
                found[f"{caller}>{callee}"] = LineFaults(
                    slow=self._share(),
                    slow_s=self._dice.pick((0.2, 2.0, 12.0)),
                    lost_before=self._share(),
                    lost_after=self._share(),
                    again=self._share(),
                )
        return found

    def bus(self) -> BusFaults:
        return BusFaults(
            late=self._share(),
            late_s=self._dice.pick((0.1, 2.0, 15.0)),
            again=self._share(0.5),
            refused=self._share(),
            in_doubt=self._share(),
        )

    def kills(self) -> tuple[Kill, ...]:
        dice = self._dice
        if self._quiet or dice.hits(0.2):
            return ()
        found = []
        for service in dice.some(MORTAL, 1 + dice.below(len(MORTAL))):
            for _ in range(1 + dice.below(2)):
                found.append(
                    Kill(
                        service=service,
                        at_s=round(dice.between(0, self._heal_s * 0.9), 3),
                        steps=dice.pick((0, dice.below(20), dice.below(120))),
                        down_s=dice.pick((0.05, 0.5, 3.0, 12.0)),
                        stop=dice.hits(0.2),
                    )
                )
        return tuple(sorted(found, key=lambda kill: kill.at_s))

    def busy(self) -> dict[str, float]:
        return {
            service: self._dice.pick((0.002, 0.01, 0.05))
            for service in MORTAL[1:]
            if not self._quiet and self._dice.hits(0.15)
        }
