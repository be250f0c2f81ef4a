"""An order's alerts as facts and time go on: opened when due, closed by the missing fact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from kessai.alert.domain.facts import Facts, Raised, made
from kessai.alert.domain.rules import (
    RULES,
    RULES_OF_PAYMENTS,
    Opening,
    Openings,
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
_NOT_ANY: Final[Openings] = ()
_OPENINGS_OF_PAYMENTS: Final = tuple(rule.openings for rule in RULES_OF_PAYMENTS)


def advance(key: str, facts: Facts, now_ms: int, windows: Windows, memory: Memory) -> Course:
    """What is due at `now_ms`, which is not before any fact's own time."""
    if agrees(facts):
        return _age(facts, now_ms, memory)
    if not (facts.told or facts.raised):
        due_ms = _first_due_ms(facts, windows)
        if due_ms is not None and due_ms > now_ms:
            return made(Course, (facts, due_ms, ()))
    wake_ms: int | None = None
    notices: list[Notice] = []
    for rule in RULES if facts.told else RULES_OF_PAYMENTS:
        openings = rule.openings(facts, windows)
        known = facts.alerts_of(rule.id)
        if not openings and not known:
            continue
        for opening in _not_known(rule, openings, known):
            if opening.due_ms > now_ms:
                wake_ms = opening.due_ms if wake_ms is None else min(wake_ms, opening.due_ms)
            else:
                facts, notice = _raise(key, facts, rule, opening)
                notices.append(notice)
        for over in _over(rule, openings, known):
            facts = _without(facts, over)
            if not over.is_closed:
                notices.append(Notice(rule, over.alert_id, False, now_ms, over.at_ms))
    is_open = any(not one.is_closed for one in facts.raised)
    if wake_ms is not None or is_open or not is_complete(facts):
        return Course(facts, wake_ms, tuple(notices))
    return _age(facts, now_ms, memory)._replace(notices=tuple(notices))


def _first_due_ms(facts: Facts, windows: Windows) -> int | None:
    """Of an order that has no alert yet; nearly all that come here have their other half soon."""
    first_ms: int | None = None
    for openings_of in _OPENINGS_OF_PAYMENTS:
        for opening in openings_of(facts, windows):
            if first_ms is None or opening.due_ms < first_ms:
                first_ms = opening.due_ms
    return first_ms


def _not_known(rule: Rule, openings: Openings, known: Sequence[Raised]) -> Openings:
    """Openings that have no alert yet."""
    if not known:
        return openings
    if not rule.is_by_subject:
        return _NOT_ANY
    episodes = {one.episode for one in known}
    return tuple(one for one in openings if one.episode not in episodes)


def _over(rule: Rule, openings: Openings, known: Sequence[Raised]) -> list[Raised]:
    """Alerts whose reason holds no more."""
    if not rule.is_by_subject:
        return [] if openings else list(known)
    episodes = {one.episode for one in openings}
    return [one for one in known if one.episode not in episodes]


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
    raised = Raised(rule.id, id_, opening.due_ms, opening.episode)
    return (
        facts._replace(raised=(*facts.raised, raised)),
        Notice(rule, id_, True, opening.due_ms, opening.due_ms),
    )


def _without(facts: Facts, alert: Raised) -> Facts:
    return facts._replace(raised=tuple(one for one in facts.raised if one is not alert))


def _age(facts: Facts, now_ms: int, memory: Memory) -> Course:
    """What is kept only to know repeats by lies on the disk and is not looked at."""
    forget_ms = memory.forget_ms(facts.last_ms)
    return _FORGOTTEN if now_ms >= forget_ms else made(Course, (facts, forget_ms, ()))
