"""What the customers saw, counted; an answer that never came is indeterminate, not a failure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from kessai.proof.shopper.mix import Kind

MAX_WRONG = 50


@dataclass(slots=True)
class OrderNote:
    """One order as its customer knows it; times are loop seconds."""

    order_id: str
    kind: Kind
    status: str = "PENDING"
    reason: str | None = None
    paid_at_s: float | None = None
    shown_paid_at_s: float | None = None
    watched: bool = False
    push_missed: bool = False

    @property
    def end(self) -> str:
        return f"{self.status}: {self.reason}" if self.reason else self.status

    @property
    def converged_s(self) -> float | None:
        """From the payment in the wallet to PAID on the customer's page."""
        if self.paid_at_s is None or self.shown_paid_at_s is None:
            return None
        return max(0.0, self.shown_paid_at_s - self.paid_at_s)


@dataclass(slots=True)
class Notes:
    """Of a whole run."""

    orders: dict[str, OrderNote] = field(default_factory=dict)
    came: Counter[str] = field(default_factory=Counter)
    # When each was answered (loop seconds), and after how long.
    purchases: list[tuple[float, float]] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)
    indeterminate: Counter[str] = field(default_factory=Counter)
    unreachable: Counter[str] = field(default_factory=Counter)
    unanswered: int = 0
    gave_up: Counter[str] = field(default_factory=Counter)
    frames: int = 0
    reconnects: int = 0
    wrong: list[str] = field(default_factory=list)

    def order(self, order_id: str, kind: Kind) -> OrderNote:
        return self.orders.setdefault(order_id, OrderNote(order_id, kind))

    def say_wrong(self, sentence: str) -> None:
        if len(self.wrong) < MAX_WRONG:
            self.wrong.append(sentence)

    @property
    def purchase_s(self) -> list[float]:
        return [took_s for _, took_s in self.purchases]

    @property
    def ends(self) -> Counter[str]:
        return Counter(note.end for note in self.orders.values())

    @property
    def converged_s(self) -> list[float]:
        found = (note.converged_s for note in self.orders.values())
        return [seconds for seconds in found if seconds is not None]

    def row(self) -> dict[str, JsonValue]:
        """The result for machines."""
        watched = sum(note.watched for note in self.orders.values())
        return {
            "customers": dict(sorted(self.came.items())),
            "orders": len(self.orders),
            "ends": dict(self.ends.most_common()),
            "purchase": {"answers": len(self.purchase_s), "ms": spread(self.purchase_s, 1000)},
            "payToPaidShown": {"payments": len(self.converged_s), "s": spread(self.converged_s, 1)},
            "pushes": {
                "frames": self.frames,
                "watched": watched,
                "missed": sum(note.push_missed for note in self.orders.values()),
                "reconnects": self.reconnects,
            },
            "refusals": dict(self.refusals.most_common()),
            "indeterminate": {
                "calls": dict(self.indeterminate.most_common()),
                "purchasesNeverAnswered": self.unanswered,
            },
            "unreachable": dict(self.unreachable.most_common()),
            "gaveUp": dict(self.gave_up.most_common()),
            "wrong": list(self.wrong),
        }


def percentile(values: Sequence[float], share: float) -> float | None:
    """Nearest rank; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share / 100))]


def spread(values: Sequence[float], scale: float) -> dict[str, JsonValue]:
    """p50, p95, p99 and the longest, times `scale`."""
    shares = {"p50": 50, "p95": 95, "p99": 99, "max": 100}
    found = {name: percentile(values, share) for name, share in shares.items()}
    return {
        name: None if value is None else round(value * scale, 3) for name, value in found.items()
    }
