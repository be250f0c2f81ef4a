"""An order's alerts as facts and time go on: opened when due, closed by the missing fact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from kessai.alert.domain.facts import Facts, Raised
from kessai.alert.domain.rules import (
    RULES,
    RULES_OF_PAYMENTS,
    Opening,
    Rule,
    Windows,
    agrees,
)
from kessai.contracts.alert import alert_id


@dataclass(frozen=True, slots=True)
class Memory:
    """A complete story is closed after `calm_ms`, and forgotten `repeats_ms` later.

    Events that come later than that after they happened are not read at all (dead letters), so
    that no repeat can begin a forgotten story anew. Many are forgotten at once, every `sweep_ms`.
    """

    calm_ms: int = 360_000
    repeats_ms: int = 24 * 3_600_000 + 3_600_000
    sweep_ms: int = 600_000

    def forget_ms(self, last_ms: int) -> int:
        sweeps = (last_ms + self.calm_ms + self.repeats_ms) // self.sweep_ms
        return (sweeps + 1) * self.sweep_ms


class Notice(NamedTuple):
    """`is_open`: raised; else resolved by the facts themselves."""

    rule: Rule
    alert_id: str
    is_open: bool
    at_ms: int
    since_ms: int


class Course(NamedTuple):
    """`facts` None: forgotten. `wake_ms`: when time alone will change something."""

    facts: Facts | None
    wake_ms: int | None
    notices: tuple[Notice, ...] = ()


_FORGOTTEN: Final = Course(None, None)


def advance(key: str, facts: Facts, now_ms: int, windows: Windows, memory: Memory) -> Course:
    """What is due at `now_ms`, which is not before any fact's own time."""
    if agrees(facts):
        return _age(facts, now_ms, memory)
    wakes: list[int] = []
    notices: list[Notice] = []
    for rule in RULES if facts.told else RULES_OF_PAYMENTS:
        opening = rule.opening(facts, windows)
        open_alert = facts.alert_of(rule.id) if facts.raised else None
        if open_alert is not None:
            if opening is None:
                facts = _without(facts, open_alert)
                notices.append(Notice(rule, open_alert.alert_id, False, now_ms, open_alert.at_ms))
        elif opening is not None:
            if opening.due_ms > now_ms:
                wakes.append(opening.due_ms)
            else:
                facts, notice = _raise(key, facts, rule, opening)
                notices.append(notice)
    if wakes or facts.raised or not is_complete(facts):
        return Course(facts, min(wakes, default=None), tuple(notices))
    return _age(facts, now_ms, memory)._replace(notices=tuple(notices))


def is_complete(facts: Facts) -> bool:
    """Order and payments say the same, and nobody waits for anything more."""
    kept = len(facts.kept)
    if facts.paid is not None:
        return bool(facts.successes) and kept <= 1
    if facts.failed is not None:
        return kept == 0
    # Of a source, and of an order whose money went back before any word of its end.
    return kept == 0


def _raise(key: str, facts: Facts, rule: Rule, opening: Opening) -> tuple[Facts, Notice]:
    """At its due time, however late that is noticed: a replay tells the same."""
    id_ = alert_id(rule.id, key, opening.episode)
    raised = Raised(rule.id, id_, opening.due_ms)
    return (
        facts._replace(raised=(*facts.raised, raised)),
        Notice(rule, id_, True, opening.due_ms, opening.due_ms),
    )


def _without(facts: Facts, alert: Raised) -> Facts:
    return facts._replace(raised=tuple(one for one in facts.raised if one is not alert))


def _age(facts: Facts, now_ms: int, memory: Memory) -> Course:
    """What is kept only to know repeats by lies on the disk and is not looked at."""
    forget_ms = memory.forget_ms(facts.last_ms)
    return _FORGOTTEN if now_ms >= forget_ms else Course(facts, forget_ms)
