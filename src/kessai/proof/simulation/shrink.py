"""The shortest prefix of a seed that still fails: fewer customers, then less time for faults."""

from __future__ import annotations

import re
from collections.abc import Callable

from kessai.proof.simulation.mix import draw
from kessai.proof.simulation.run import Limit, SeedResult, run_seed

Run = Callable[[Limit], SeedResult]


def shortest(seed: int, failed: SeedResult) -> tuple[Limit, SeedResult]:
    """A limit under which the seed fails in the same way, and what it did then.

    Failures need not grow with the prefix, so this is a short one, not always the shortest.
    """
    wanted = pattern(failed)
    best: tuple[Limit, SeedResult] = (Limit(), failed)

    def fails(limit: Limit) -> bool:
        nonlocal best
        result = run_seed(seed, limit=limit)
        if pattern(result) != wanted:
            return False
        best = (limit, result)
        return True

    mix = draw(seed)
    customers = _least(1, len(mix.plans), lambda count: fails(Limit(customers=count)))
    until_s = _least(0, int(mix.heal_s) + 1, lambda second: fails(Limit(customers, float(second))))
    if best[0].faults_until_s is None:
        return best
    return Limit(customers, float(until_s)), best[1]


def pattern(result: SeedResult) -> str:
    """What went wrong first, without its ids and numbers."""
    if result.ok:
        return ""
    return re.sub(r"[0-9a-z]{26}\S*|\d+", "", result.violations[0])[:40]


def _least(low: int, high: int, fails: Callable[[int], bool]) -> int:
    """The least number that fails, when all above it fail, too; `high` is known to."""
    while low < high:
        middle = (low + high) // 2
        if fails(middle):
            high = middle
        else:
            low = middle + 1
    return high
