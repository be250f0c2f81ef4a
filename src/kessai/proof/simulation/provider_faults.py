"""Faults of PayPay's own simulator as a seed draws them; its names are those of `/sim/faults`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from pydantic import JsonValue

from kessai.proof.simulation.dice import Dice
from kessai.sim.paypay.domain.results import EVERYWHERE, PUBLISHED

Knobs: TypeAlias = Mapping[str, JsonValue]
Part: TypeAlias = dict[str, JsonValue]

OPERATIONS = ("createCode", "deleteCode", "getCodePayment", "cancel", "refund", "getRefund")
ERRORS = ("500", "502", "503", "429", "401", "badJson", "reset")
_WEBHOOKS = ("drop", "duplicate", "reorder", "corrupt", "wrongAmount")
_ODD_WEBHOOKS = (
    "early", "silentFailed", "oversized", "notUtf8", "unknownState", "extraFields",
    "wrongMerchant", "cutMidBody", "replay", "forged",
)  # fmt: skip
# What each operation may refuse although nothing is wrong. A refund that PayPay refuses for good
# leaves money with us until a person acts, which is no agreement, so it is only put off here.
_REFUSALS: Mapping[str, tuple[str, ...]] = {
    **{
        operation: tuple(PUBLISHED[operation])
        for operation in ("createCode", "deleteCode", "getCodePayment", "cancel", "getRefund")
    },
    "refund": (
        "THROTTLED_MULTIPLE_REFUND_REJECTED",
        *(result.code for result in EVERYWHERE if result.status in (429, 500, 503)),
    ),
}
HEALED: Knobs = {"webhooks": None, "api": None, "blackout": None, "flapping": None}


def draw_knobs(dice: Dice, *, seed: int, heal_s: float, lifetime_s: int) -> Knobs:
    behaviour: Part = {
        "expiredCode": dice.pick(("created", "notFound")),
        "paidCode": Dice("paid code", seed).pick(("alreadyPaid", "alreadyPaid", "notFound")),
        "duplicateId": dice.pick(("error", "previous")),
        "webhookRetries": dice.pick(("3x100", "10x500")),
        "refundDelayMs": dice.pick((0, 1000, 10_000)),
        "cancelDelayMs": dice.pick((0, 500, 5000)),
    }
    knobs: Part = {"seed": seed, "codeLifetimeS": lifetime_s, "behaviour": behaviour}
    if dice.hits(0.25):
        return knobs
    knobs["webhooks"] = _webhooks(dice)
    knobs["api"] = _api(dice)
    if dice.hits(0.15):
        knobs["blackout"] = {
            "fromMs": round(dice.between(0, heal_s) * 1000),
            "forMs": dice.pick((3000, 20_000)),
        }
    if dice.hits(0.1):
        knobs["flapping"] = {
            "downMs": dice.pick((500, 5000)),
            "upMs": dice.pick((500, 3000)),
            "by": dice.pick(("drop", "hang")),
        }
    return knobs


def late_knobs(knobs: Knobs, dice: Dice) -> Knobs:
    """Look-ups lag behind for longer than the grace, and few webhooks make up for it."""
    late: dict[str, Part] = {
        "webhooks": {"drop": dice.pick((50, 100, 100))},
        "api": {"getCodePayment": {"staleMs": dice.pick((4000, 8000, 15_000))}},
        "behaviour": {"paidCode": dice.pick(("alreadyPaid", "notFound"))},
    }
    found: Part = dict(knobs)
    for name, part in late.items():
        before = found.get(name)
        found[name] = {**before, **part} if isinstance(before, dict) else part
    return found


def _webhooks(dice: Dice) -> Part:
    found: Part = {}
    for name in _WEBHOOKS:
        if dice.hits(0.35):
            found[name] = dice.pick((20, 50, 100))
    for name in _ODD_WEBHOOKS:
        if dice.hits(0.15):
            found[name] = dice.pick((10, 50, 100))
    if dice.hits(0.4):
        found["delayMs"] = [0, dice.pick((500, 5000, 20_000))]
    return found


def _api(dice: Dice) -> Part:
    found: Part = {}
    for operation in ("*", *OPERATIONS):
        if dice.hits(0.3):
            found[operation] = _operation(dice)
    for operation, codes in _REFUSALS.items():
        part = found.get(operation)
        if isinstance(part, dict) and dice.hits(0.4):
            part["refuse"] = dice.pick((10, 30, 60))
            chosen = dice.some(codes, 1 + dice.below(4))
            part["refusals"] = list[JsonValue](chosen)
    return found


def _operation(dice: Dice) -> Part:
    part: Part = {}
    if dice.hits(0.6):
        part["error"] = dice.pick((10, 30, 60))
        part["kinds"] = list[JsonValue](dice.some(ERRORS, 1 + dice.below(len(ERRORS))))
        part["effect"] = dice.pick((0, 50, 100))
    if dice.hits(0.4):
        part["lostAnswer"] = dice.pick((10, 40, 100))
        part["lostBy"] = dice.pick(("drop", "hang"))
    if dice.hits(0.4):
        part["delayMs"] = [0, dice.pick((300, 3000, 12_000))]
    if dice.hits(0.2):
        part["staleMs"] = dice.pick((500, 3000, 10_000))
    return part
