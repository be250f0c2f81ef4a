"""What a run has shown; tables, JSON and the page are made of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from kessai.kernel.clock import wire
from kessai.proof.chaos.injector import Happened
from kessai.proof.chaos.plan import SETTINGS, Plan
from kessai.proof.chaos.watch import Watch
from kessai.proof.shopper.notes import Notes
from kessai.proof.verify import Report as Verified

MAX_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Report:
    """`final_after_s` None: something was open a minute after healing, `left_open` says what."""

    plan: Plan
    began_ms: int
    began_loop_s: float
    happened: Sequence[Happened]
    fired: Counter[str]
    died: Counter[str]
    notes: Notes
    ends: Mapping[str, int]
    final_after_s: float | None
    left_open: Mapping[str, int]
    watch: Watch
    last: Verified

    @property
    def violations(self) -> list[str]:
        """Empty when the system did what it promises."""
        found = [*self.watch.violations]
        if self.final_after_s is None:
            left = ", ".join(f"{count} {name}" for name, count in self.left_open.items())
            found.append(f"I38: not final within a minute after healing: {left}")
        return [*found, *(f"seen by a customer: {wrong}" for wrong in self.notes.wrong)]

    @property
    def ok(self) -> bool:
        return not self.violations

    @property
    def looks(self) -> int:
        """How often an invariant was asked."""
        return sum(self.watch.looks.values())

    @property
    def things(self) -> int:
        """Of how many things altogether."""
        return sum(self.watch.things.values())

    def row(self) -> dict[str, JsonValue]:
        """For machines; everything that the page shows is in it."""
        return {
            "seed": self.plan.seed,
            "profile": self.plan.profile.value,
            "minutes": self.plan.minutes,
            "plan": self.plan.fingerprint,
            "beganAt": wire(self.began_ms),
            "settings": dict(SETTINGS),
            "ok": self.ok,
            "violations": list(self.violations[:MAX_SHOWN]),
            "finalAfterS": _rounded(self.final_after_s),
            "leftOpen": dict(self.left_open),
            "faults": {
                "fired": dict(self.fired.most_common()),
                "planned": len(self.plan.faults),
                "happened": [_happened(one) for one in self.happened],
                "diedUnasked": dict(self.died),
            },
            "orders": {"total": sum(self.ends.values()), "ends": dict(self.ends)},
            "customers": self.notes.row(),
            "invariants": [*self.invariants()],
            "booksUnreadable": dict(self.watch.unreadable),
        }

    def invariants(self) -> list[dict[str, JsonValue]]:
        """One row for each that was asked: how often, of how much, and with what result."""
        settling = {one.id: one.settling.count for one in self.last.findings}
        return [
            {
                "id": name,
                "sentence": self.watch.sentences[name],
                "times": self.watch.looks[name],
                "checked": self.watch.things[name],
                "settling": settling.get(name, 0),
                "violations": self.watch.wrong[name],
            }
            for name in sorted(self.watch.looks, key=_number)
        ]


def _happened(one: Happened) -> dict[str, JsonValue]:
    return {
        "kind": one.fault.kind.value,
        "target": one.fault.target,
        "group": one.fault.group.value,
        "beganS": round(one.began_s, 3),
        "endedS": round(one.ended_s, 3),
        "knobs": dict(one.fault.knobs),
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


def _number(invariant: str) -> int:
    return int(invariant.removeprefix("I"))
