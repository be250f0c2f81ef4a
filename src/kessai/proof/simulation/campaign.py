"""Many seeds added up: what they were like, what fired, what was violated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from pydantic import JsonValue

from kessai.proof.simulation.run import SeedResult, many_seeds, run_seed

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Failure:
    seed: int
    violations: tuple[str, ...]


@dataclass(slots=True)
class Sums:
    seeds: int = 0
    orders: int = 0
    fewest_orders: int | None = None
    virtual_s: float = 0.0
    steps: int = 0
    longest_end_s: float = 0.0
    ends: Counter[str] = field(default_factory=Counter)
    fired: Counter[str] = field(default_factory=Counter)
    checked: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    digests: dict[int, str] = field(default_factory=dict)

    def add(self, result: SeedResult) -> None:
        self.seeds += 1
        self.orders += result.orders
        self.fewest_orders = min(result.orders, self.fewest_orders or result.orders)
        self.virtual_s += result.virtual_s
        self.steps += result.steps
        self.longest_end_s = max(self.longest_end_s, result.final_after_s)
        self.ends.update(result.ends)
        self.fired.update(result.fired)
        self.checked.update(result.checked)
        self.digests[result.seed] = result.digest
        if not result.ok:
            self.failures.append(Failure(result.seed, result.violations))

    def merge(self, other: Sums) -> None:
        self.seeds += other.seeds
        self.orders += other.orders
        fewest = [one for one in (self.fewest_orders, other.fewest_orders) if one is not None]
        self.fewest_orders = min(fewest, default=None)
        self.virtual_s += other.virtual_s
        self.steps += other.steps
        self.longest_end_s = max(self.longest_end_s, other.longest_end_s)
        self.ends.update(other.ends)
        self.fired.update(other.fired)
        self.checked.update(other.checked)
        self.digests.update(other.digests)
        self.failures.extend(other.failures)

    def as_json(self, took_s: float) -> dict[str, JsonValue]:
        return {
            "seeds": self.seeds,
            "orders": self.orders,
            "fewestOrders": self.fewest_orders,
            "simulatedDays": round(self.virtual_s / DAY_S, 4),
            "steps": self.steps,
            "longestEndS": round(self.longest_end_s, 1),
            "tookS": round(took_s, 3),
            "seedsPerS": round(self.seeds / took_s, 3) if took_s else None,
            "ends": dict(self.ends.most_common()),
            "faultsFired": dict(sorted(self.fired.items())),
            "checked": dict(sorted(self.checked.items(), key=lambda one: (len(one[0]), one[0]))),
            "violations": [
                {"seed": one.seed, "wrong": list(one.violations)} for one in self.failures
            ],
            "digests": {str(seed): digest for seed, digest in sorted(self.digests.items())},
        }


def run_seeds(seeds: Iterable[int]) -> Sums:
    """One process's share."""
    sums = Sums()
    with many_seeds() as between:
        for seed in seeds:
            sums.add(run_seed(seed))
            between()
    return sums
