"""How PayPay behaves for a while: knobs of its simulator, drawn from a profile's own stock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from pydantic import JsonValue

from kessai.kernel.chance import Chance

T = TypeVar("T")
Json = dict[str, JsonValue]

# What is not drawn goes back to its default with the next weather.
CALM: Final[Json] = {"webhooks": None, "api": None, "blackout": None, "flapping": None}
CALM_BEHAVIOUR: Final[Json] = {"behaviour": {"clockSkewS": None, "expiredCode": None}}
_OPERATIONS: Final = ("createCode", "deleteCode", "getCodePayment", "cancel", "refund", "getRefund")
# Below the settings' grace (2 s): older news is mended by follow-ups, the last after an hour.
_STALE_MS: Final = (300, 700, 1500)
_SHARES: Final = (20, 50, 100)
# Of the knobs of a stock, how many are on at a time.
_SWARM: Final = 0.5
# All that PayPay answers then is 401: nobody can buy.
_SKEWED: Final = 0.12


@dataclass(frozen=True, slots=True)
class Stock:
    """What a profile's weather is made of: each entry is one fault, drawn alone."""

    webhooks: tuple[str, ...] = ()
    api: tuple[str, ...] = ()
    silences: tuple[str, ...] = ()
    skew: bool = False


LOSSY: Final = Stock(
    webhooks=(
        "drop",
        "corrupt",
        "cutMidBody",
        "oversized",
        "notUtf8",
        "unknownState",
        "wrongAmount",
        "wrongMerchant",
        "silentFailed",
    ),
    api=("error", "effect", "lostAnswer", "unauthorized"),
    skew=True,
)
STORM: Final = Stock(
    ("duplicate", "burst", "replay", "forged", "extraFields"),
    ("tooMany",),
)
REORDER: Final = Stock(("reorder", "delay", "copyDelay", "duplicate", "early"), ("stale", "effect"))
BLACKOUT: Final = Stock(("drop",), ("unavailable",), ("blackout", "flapping"))
SLOW: Final = Stock(("delay",), ("delay", "hang"))

_WEBHOOK_KNOBS: Final[Mapping[str, Callable[[Chance], Json]]] = {
    "duplicate": lambda dice: {"duplicate": pick(dice, _SHARES), "duplicates": pick(dice, (1, 9))},
    "burst": lambda dice: {
        "burst": pick(dice, (5, 20)),
        "burstSize": pick(dice, (50, 200)),
        "burstMs": 1000,
    },
    "delay": lambda dice: {"delayMs": [0, pick(dice, (500, 4000, 20_000))]},
    "copyDelay": lambda dice: {
        "duplicate": 50,
        "duplicates": 2,
        "copyDelayMs": [0, pick(dice, (2000, 15_000))],
    },
    "early": lambda dice: {"early": pick(dice, (5, 20))},
    "forged": lambda dice: {"forged": pick(dice, _SHARES)},
}
_API_FAULTS: Final[Mapping[str, Callable[[Chance], Json]]] = {
    "error": lambda dice: {
        "error": pick(dice, (10, 30, 60)),
        "kinds": _some(dice, ("500", "502", "504", "badJson", "reset")),
    },
    "unauthorized": lambda dice: {"error": pick(dice, (10, 30)), "kinds": ["401"]},
    "effect": lambda dice: {
        "error": pick(dice, (20, 50)),
        "kinds": _some(dice, ("500", "badJson", "reset")),
        "effect": pick(dice, (50, 100)),
    },
    "lostAnswer": lambda dice: {"lostAnswer": pick(dice, (20, 50, 100)), "lostBy": "drop"},
    "hang": lambda dice: {"lostAnswer": pick(dice, (20, 50)), "lostBy": "hang"},
    "tooMany": lambda dice: {
        "error": pick(dice, (30, 60)),
        "kinds": ["429"],
        "retryAfterS": pick(dice, (0, 1, 2)),
    },
    "unavailable": lambda dice: {"error": pick(dice, (50, 100)), "kinds": ["503"]},
    "stale": lambda dice: {"staleMs": pick(dice, _STALE_MS), "stale": pick(dice, (50, 100))},
    "delay": lambda dice: {"delayMs": [0, pick(dice, (300, 2000, 6000))]},
}


def draw_weather(dice: Chance, stock: Stock, for_s: float, seed: int) -> Json:
    """A whole set of knobs: what is not in it is at its default."""
    webhooks: Json = {}
    for name in stock.webhooks:
        if dice.random() < _SWARM:
            webhooks |= _webhook_knob(name, dice)
    api: dict[str, JsonValue] = {}
    for name in stock.api:
        if dice.random() < _SWARM:
            # One of the calls or all of them; two faults of one call come as one entry.
            operation = pick(dice, ("*", *_OPERATIONS))
            before = api.get(operation)
            api[operation] = {**(before if isinstance(before, dict) else {}), **_api(name, dice)}
    weather: Json = {**CALM, "seed": seed, "webhooks": webhooks or None, "api": api or None}
    if stock.silences and dice.random() < _SWARM:
        weather |= _silence(pick(dice, stock.silences), dice, for_s)
    weather["behaviour"] = {
        "expiredCode": pick(dice, ("created", "notFound")),
        "clockSkewS": pick(dice, (-200, 200)) if stock.skew and dice.random() < _SKEWED else None,
    }
    return weather


def _webhook_knob(name: str, dice: Chance) -> Json:
    draw = _WEBHOOK_KNOBS.get(name)
    return draw(dice) if draw else {name: pick(dice, _SHARES)}


def _api(name: str, dice: Chance) -> Json:
    return _API_FAULTS[name](dice)


def _silence(name: str, dice: Chance, for_s: float) -> Json:
    by = pick(dice, ("drop", "hang"))
    if name == "blackout":
        length_s = min(for_s, pick(dice, (3.0, 8.0, 15.0)))
        return {"blackout": {"fromMs": 0, "forMs": round(length_s * 1000), "by": by}}
    down_ms, up_ms = pick(dice, (500, 2000)), pick(dice, (700, 2500))
    return {"flapping": {"downMs": down_ms, "upMs": up_ms, "by": by}}


def pick(dice: Chance, values: Sequence[T]) -> T:
    return values[int(dice.random() * len(values))]


def _some(dice: Chance, values: tuple[str, ...]) -> list[JsonValue]:
    """At least one of them."""
    chosen: list[JsonValue] = [value for value in values if dice.random() < _SWARM]
    return chosen or [pick(dice, values)]
