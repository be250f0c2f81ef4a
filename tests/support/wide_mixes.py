"""Mixes with every fault of the simulator: those of `mixes`, and what only PayPay itself can do."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from tests.support.mixes import Mix, draw
from tests.support.shop import Json

from kessai.sim.paypay.domain.results import EVERYWHERE, PUBLISHED

_WEBHOOKS = (
    "early",
    "silentFailed",
    "oversized",
    "notUtf8",
    "unknownState",
    "extraFields",
    "wrongMerchant",
    "cutMidBody",
    "replay",
    "forged",
)
# What each operation may refuse although nothing is wrong. A refund that PayPay refuses for good
# leaves money with us until a person acts, which is no agreement, so it is only put off here.
_REFUSALS: dict[str, tuple[str, ...]] = {
    **{
        operation: tuple(PUBLISHED[operation])
        for operation in ("createCode", "deleteCode", "getCodePayment", "cancel", "getRefund")
    },
    "refund": (
        "THROTTLED_MULTIPLE_REFUND_REJECTED",
        *(result.code for result in EVERYWHERE if result.status in (429, 500, 503)),
    ),
}


def draw_wide(seed: int) -> Mix:
    dice = random.Random(f"wide-{seed}")
    mix = draw(seed)
    faults: dict[str, Any] = {**mix.faults, "webhooks": _webhooks(dice, mix.faults["webhooks"])}
    faults["api"] = _api(dice, mix.faults["api"])
    if dice.random() < 0.3:
        faults["flapping"] = {
            "downMs": dice.choice((500, 5000, 40_000)),
            "upMs": dice.choice((500, 3000, 20_000)),
            "by": dice.choice(("drop", "hang")),
        }
    return replace(mix, faults=faults)


def _webhooks(dice: random.Random, before: Json) -> Json:
    found: Json = dict(before)
    for name in _WEBHOOKS:
        if dice.random() < 0.35:
            found[name] = dice.choice((10, 50, 100))
    if dice.random() < 0.2:
        found |= {"burst": 30, "burstSize": 40, "burstMs": dice.choice((0, 500))}
    if dice.random() < 0.2:
        found["copyDelayMs"] = [0, dice.choice((5000, 120_000))]
    return found


def _api(dice: random.Random, before: Json) -> Json:
    found: Json = {name: dict(part) for name, part in before.items()}
    for operation, codes in _REFUSALS.items():
        if dice.random() < 0.3:
            part = found.setdefault(operation, {})
            part["refuse"] = dice.choice((10, 30, 60))
            part["refusals"] = dice.sample(codes, k=min(len(codes), dice.randint(1, 4)))
    for part in found.values():
        if dice.random() < 0.2:
            part["retryAfterS"] = dice.choice((1, 5, 30))
        if "staleMs" in part and dice.random() < 0.5:
            part["stale"] = dice.choice((20, 60))
    return found
