"""The differences between what Seata did in one step and what we did, in words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from kessai.kernel.errors import JsonValue
from kessai.saga.conformance.seen import Seen, sorted_json, without_counters

_LOOP = "-loop-"


@dataclass(frozen=True, slots=True)
class Measure:
    """How strictly a step can be compared.

    `stable`: two runs of Seata gave the same. `alone`: nothing runs side by side. `reloaded`: the
    rows come from Seata's tables, where those of one millisecond are in no certain order.
    `several` machines number rows of one state name together, so numbers say nothing.
    """

    stable: bool
    alone: bool
    reloaded: bool
    several: bool = False

    @property
    def by_chance(self) -> bool:
        """Iterations side by side, and Seata itself did otherwise when it was asked again."""
        return not self.stable and not self.alone


def differences(theirs: Seen, ours: Seen, measure: Measure) -> list[str]:
    found = []
    unknown = theirs.thrown is not None and theirs.status is None
    for name in ("thrown",) if unknown else ("thrown", "status", "compensation", "running"):
        wanted, got = getattr(theirs, name), getattr(ours, name)
        if wanted != got:
            found.append(f"{name} {got}, Seata {wanted}")
    if measure.by_chance:
        return [*found, *_by_chance(theirs, ours)]
    ordered = measure.stable and measure.alone
    if theirs.calls is not None:
        found += _lists("calls", ours.calls or [], theirs.calls, ordered=ordered)
    if theirs.states is not None:
        in_order = ordered and not measure.reloaded
        mine, wanted = ours.states or [], theirs.states
        if measure.several:
            mine, wanted = _unnumbered(mine), _unnumbered(wanted)
        found += _lists("states", mine, wanted, ordered=in_order)
    if theirs.context is not None:
        found += _contexts(ours.context, theirs.context, alone=measure.alone)
    if theirs.subs is not None:
        found += _lists("sub machines", ours.subs or [], theirs.subs, ordered=False)
    return found


def _by_chance(theirs: Seen, ours: Seen) -> list[str]:
    """Which elements a Loop began, and which of them failed, may differ; what it led to may not."""
    found = []
    if theirs.calls is not None:
        found += _lists("methods", _methods(ours.calls), _methods(theirs.calls), ordered=False)
    if theirs.states is not None:
        mine, wanted = _outside_of_loops(ours.states), _outside_of_loops(theirs.states)
        found += _lists("states", mine, wanted, ordered=False)
    return found


def _methods(calls: Sequence[JsonValue] | None) -> list[JsonValue]:
    names = [cast("list[JsonValue]", call)[0] for call in calls or ()]
    return [*dict.fromkeys(cast("list[str]", names))]


def _outside_of_loops(states: Sequence[JsonValue] | None) -> list[JsonValue]:
    found: list[JsonValue] = []
    for state in cast("Sequence[Mapping[str, str]]", states or ()):
        if _LOOP not in state["name"] and _LOOP not in (state["compensates"] or ""):
            found.append([state["name"], state["status"]])
    return found


def _unnumbered(states: Sequence[JsonValue]) -> list[JsonValue]:
    def bare(label: str | None) -> str | None:
        return None if label is None else label.partition("#")[0]

    found = cast("Sequence[Mapping[str, str | None]]", states)
    return [
        {**one, "compensates": bare(one["compensates"]), "retries": bare(one["retries"])}
        for one in found
    ]


def _contexts(mine: JsonValue, wanted: JsonValue, *, alone: bool) -> list[str]:
    if not alone:
        mine, wanted = without_counters(mine), without_counters(wanted)
    return [] if mine == wanted else [f"context {text(mine)}, Seata {text(wanted)}"]


def _lists(
    what: str, mine: Sequence[JsonValue], wanted: Sequence[JsonValue], *, ordered: bool
) -> list[str]:
    equal = list(mine) == list(wanted) if ordered else sorted_json(mine) == sorted_json(wanted)
    return [] if equal else [_apart(what, mine, wanted)]


def _apart(what: str, mine: Sequence[JsonValue], wanted: Sequence[JsonValue]) -> str:
    """Only the entries that the other side has not got, or that all are there in other order."""
    ours, theirs = [text(one) for one in mine], [text(one) for one in wanted]
    more = [one for one in ours if ours.count(one) > theirs.count(one)]
    less = [one for one in theirs if theirs.count(one) > ours.count(one)]
    if not more and not less:
        return f"{what} in the order {', '.join(ours)}, Seata {', '.join(theirs)}"
    return f"{what} with {', '.join(more) or 'nothing more'}, Seata {', '.join(less) or 'nothing'}"


def text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
